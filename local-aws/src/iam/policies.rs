//! A role's policies: managed ones attached to it, and inline ones it carries.

use crate::error::AwsError;
use crate::operation::{Parameters, Xml};

use super::Iam;
use super::errors::no_such_entity;
use super::page::Page;
use super::policy_document::check_permissions_policy;
use super::roles::{encode_document, find};

/// AWS's own managed policies. None are stored: any well-formed name is taken for one.
pub(super) const MANAGED: &str = "arn:aws:iam::aws:policy/";

impl Iam {
    pub(super) fn attach_role_policy(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let role = parameters.required("RoleName");
        let arn = parameters.required("PolicyArn");
        let mut roles = self.roles();
        let role = find(&mut roles, role)?;
        must_be_attachable(arn)?;
        role.attached.insert(arn.to_owned());
        self.keep(role);
        Ok(())
    }

    pub(super) fn detach_role_policy(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let role = parameters.required("RoleName");
        let arn = parameters.required("PolicyArn");
        let mut roles = self.roles();
        let role = find(&mut roles, role)?;
        if !role.attached.remove(arn) {
            return Err(no_such_entity(format!("Policy {arn} was not found.")));
        }
        self.keep(role);
        Ok(())
    }

    pub(super) fn list_attached_role_policies(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        let role = parameters.required("RoleName");
        let prefix = parameters.get("PathPrefix").unwrap_or("/");
        let mut roles = self.roles();
        let attached = find(&mut roles, role)?.attached.iter().map(String::as_str);
        let wanted = attached.filter(|arn| arn[MANAGED.len() - 1..].starts_with(prefix));
        let mut result = Xml::default();
        Page::of(wanted, parameters, |arn| arn)?.write("AttachedPolicies", &mut result, |xml, arn| {
            xml.text("PolicyName", arn.rsplit('/').next().unwrap_or(arn));
            xml.text("PolicyArn", arn);
        });
        Ok(result)
    }

    pub(super) fn put_role_policy(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let role = parameters.required("RoleName");
        let policy = parameters.required("PolicyName");
        let document = parameters.required("PolicyDocument");
        let mut roles = self.roles();
        let role = find(&mut roles, role)?;
        check_permissions_policy(document)?;
        role.inline.insert(policy.to_owned(), document.to_owned());
        self.keep(role);
        Ok(())
    }

    pub(super) fn get_role_policy(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        let role = parameters.required("RoleName");
        let policy = parameters.required("PolicyName");
        let mut roles = self.roles();
        let document = find(&mut roles, role)?.inline.get(policy).ok_or_else(|| no_such_inline_policy(policy))?;
        let mut result = Xml::default();
        result.text("RoleName", role);
        result.text("PolicyName", policy);
        result.text("PolicyDocument", &encode_document(document));
        Ok(result)
    }

    pub(super) fn list_role_policies(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        let role = parameters.required("RoleName");
        let mut roles = self.roles();
        let names = find(&mut roles, role)?.inline.keys().map(String::as_str);
        let mut result = Xml::default();
        Page::of(names, parameters, |name| name)?.write("PolicyNames", &mut result, Xml::raw_text);
        Ok(result)
    }

    pub(super) fn delete_role_policy(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let role = parameters.required("RoleName");
        let policy = parameters.required("PolicyName");
        let mut roles = self.roles();
        let role = find(&mut roles, role)?;
        role.inline.remove(policy).ok_or_else(|| no_such_inline_policy(policy))?;
        self.keep(role);
        Ok(())
    }
}

/// # Errors
/// `NoSuchEntity` for what is not a managed policy of AWS.
pub(super) fn must_be_attachable(arn: &str) -> Result<(), AwsError> {
    let text = || format!("Policy {arn} does not exist or is not attachable.");
    is_managed(arn).then_some(()).ok_or_else(|| no_such_entity(text()))
}

fn is_managed(arn: &str) -> bool {
    let Some(path) = arn.strip_prefix(MANAGED) else { return false };
    let name =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c));
    path.split('/').all(name)
}

fn no_such_inline_policy(policy: &str) -> AwsError {
    no_such_entity(format!("The role policy with name {policy} cannot be found."))
}
