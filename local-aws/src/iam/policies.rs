//! The operations on a role's policies: attached managed policies and inline policies.

use serde::Deserialize;

use super::errors::no_such_entity;
use super::page::{Page, PageInput};
use super::policy_document::check_permissions_policy;
use super::role::encode_document;
use super::state::{Iam, find_role};
use crate::error::AwsError;
use crate::operation::Xml;

/// The prefix of the ARNs of AWS's own managed policies. None are stored. Every well-formed name is accepted, because AWS adds
/// policies every week.
pub const MANAGED: &str = "arn:aws:iam::aws:policy/";

/// The input of AttachRolePolicy and DetachRolePolicy.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ManagedPolicyOfRole {
    role_name: String,
    policy_arn: String,
}

pub fn attach_role_policy(iam: &Iam, input: ManagedPolicyOfRole) -> Result<(), AwsError> {
    iam.change_role(&input.role_name, |role| {
        must_be_attachable(&input.policy_arn)?;
        role.attached.insert(input.policy_arn);
        Ok(())
    })
}

pub fn detach_role_policy(iam: &Iam, input: ManagedPolicyOfRole) -> Result<(), AwsError> {
    let arn = input.policy_arn;
    iam.change_role(&input.role_name, |role| {
        let is_removed = role.attached.remove(&arn);
        is_removed.then_some(()).ok_or_else(|| no_such_entity(format!("Policy {arn} was not found.")))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAttachedRolePolicies {
    role_name: String,
    path_prefix: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

pub fn list_attached_role_policies(iam: &Iam, input: ListAttachedRolePolicies) -> Result<Xml, AwsError> {
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    let roles = iam.roles();
    let attached = find_role(&roles, &input.role_name)?.attached.iter().map(String::as_str);
    let wanted = attached.filter(|arn| arn[MANAGED.len() - 1..].starts_with(prefix));
    let mut result = Xml::default();
    Page::of(wanted, &input.page, |arn| arn)?.write("AttachedPolicies", &mut result, |xml, arn| {
        xml.text("PolicyName", arn.rsplit('/').next().unwrap_or(arn));
        xml.text("PolicyArn", arn);
    });
    Ok(result)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutRolePolicy {
    role_name: String,
    policy_name: String,
    policy_document: String,
}

pub fn put_role_policy(iam: &Iam, input: PutRolePolicy) -> Result<(), AwsError> {
    iam.change_role(&input.role_name, |role| {
        check_permissions_policy(&input.policy_document)?;
        role.inline.insert(input.policy_name, input.policy_document);
        Ok(())
    })
}

/// The input of GetRolePolicy and DeleteRolePolicy.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InlinePolicyOfRole {
    role_name: String,
    policy_name: String,
}

pub fn get_role_policy(iam: &Iam, input: InlinePolicyOfRole) -> Result<Xml, AwsError> {
    let (role, policy) = (&input.role_name, &input.policy_name);
    let roles = iam.roles();
    let document = find_role(&roles, role)?.inline.get(policy).ok_or_else(|| no_such_inline_policy(policy))?;
    let mut result = Xml::default();
    result.text("RoleName", role);
    result.text("PolicyName", policy);
    result.text("PolicyDocument", &encode_document(document));
    Ok(result)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListRolePolicies {
    role_name: String,
    #[serde(flatten)]
    page: PageInput,
}

pub fn list_role_policies(iam: &Iam, input: ListRolePolicies) -> Result<Xml, AwsError> {
    let roles = iam.roles();
    let names = find_role(&roles, &input.role_name)?.inline.keys().map(String::as_str);
    let mut result = Xml::default();
    Page::of(names, &input.page, |name| name)?.write("PolicyNames", &mut result, Xml::raw_text);
    Ok(result)
}

pub fn delete_role_policy(iam: &Iam, input: InlinePolicyOfRole) -> Result<(), AwsError> {
    iam.change_role(&input.role_name, |role| {
        let removed = role.inline.remove(&input.policy_name);
        removed.map(drop).ok_or_else(|| no_such_inline_policy(&input.policy_name))
    })
}

/// # Errors `InvalidInput` for a text that is not an ARN, `NoSuchEntity` if the ARN does not name a managed policy of AWS. The
/// account has no policies of its own.
pub fn must_be_attachable(arn: &str) -> Result<(), AwsError> {
    let is_arn = arn.starts_with("arn:") && arn.split(':').count() >= 6;
    if !is_arn {
        return Err(AwsError::bad_request("InvalidInput", format!("ARN {arn} is not valid.")));
    }
    let text = || format!("Policy {arn} does not exist or is not attachable.");
    is_managed(arn).then_some(()).ok_or_else(|| no_such_entity(text()))
}

fn is_managed(arn: &str) -> bool {
    let Some(path) = arn.strip_prefix(MANAGED) else { return false };
    let is_name =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c));
    path.split('/').all(is_name)
}

fn no_such_inline_policy(policy: &str) -> AwsError {
    no_such_entity(format!("The role policy with name {policy} cannot be found."))
}
