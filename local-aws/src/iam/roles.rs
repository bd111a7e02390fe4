//! CreateRole, GetRole, ListRoles, the updates of a role, DeleteRole.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::AwsError;
use crate::operation::{Parameters, Xml};
use crate::store::Keyspace;

use super::Iam;
use super::errors::no_such_entity;
use super::page::Page;
use super::policies::must_be_attachable;
use super::policy_document::check_trust_policy;
use super::tags::{read_tags, write_tags};

/// What stays itself in the URL encoding of policy documents (RFC 3986).
const DOCUMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The default of `MaxSessionDuration`, in seconds.
const HOUR: u32 = 3600;

#[derive(Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) name: String,
    path: String,
    pub(super) id: String,
    pub(super) arn: String,
    created: Timestamp,
    pub(super) trust_policy: String,
    description: Option<String>,
    /// Seconds.
    max_session_duration: u32,
    permissions_boundary: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    /// ARNs of managed policies.
    pub(super) attached: BTreeSet<String>,
    /// Inline policies by name.
    pub(super) inline: BTreeMap<String, String>,
}

impl Iam {
    pub(super) fn create_role(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        let name = parameters.required("RoleName");
        let path = parameters.get("Path").unwrap_or("/");
        let trust_policy = parameters.required("AssumeRolePolicyDocument");
        check_trust_policy(trust_policy)?;
        let tags = read_tags(parameters)?;
        let permissions_boundary = parameters.get("PermissionsBoundary");
        permissions_boundary.map_or(Ok(()), must_be_attachable)?;
        let role = Role {
            name: name.to_owned(),
            path: path.to_owned(),
            id: unique_id("AROA"),
            arn: format!("arn:aws:iam::{}:role{path}{name}", self.account_id),
            created: Timestamp::now(),
            trust_policy: trust_policy.to_owned(),
            description: parameters.get("Description").map(str::to_owned),
            max_session_duration: parameters.number("MaxSessionDuration").unwrap_or(HOUR),
            permissions_boundary: permissions_boundary.map(str::to_owned),
            tags,
            attached: BTreeSet::new(),
            inline: BTreeMap::new(),
        };

        // Names are unique whatever their case: "Names are not distinguished by case".
        let mut roles = self.roles();
        if roles.values().any(|known| known.name.eq_ignore_ascii_case(name)) {
            return Err(AwsError::new(409, "EntityAlreadyExists", format!("Role with name {name} already exists.")));
        }
        let mut result = Xml::default();
        result.element("Role", |xml| {
            role.write(xml);
            role.write_tags(xml);
        });
        self.keep(&role);
        roles.insert(role.name.clone(), role);
        Ok(result)
    }

    pub(super) fn get_role(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        let name = parameters.required("RoleName");
        let mut roles = self.roles();
        let role = find(&mut roles, name)?;
        let mut result = Xml::default();
        result.element("Role", |xml| {
            role.write(xml);
            role.write_tags(xml);
            xml.element("RoleLastUsed", |_| ());
        });
        Ok(result)
    }

    /// Roles come without their tags ("The following attributes are not returned").
    pub(super) fn list_roles(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        let prefix = parameters.get("PathPrefix").unwrap_or("/");
        let roles = self.roles();
        let wanted = roles.values().filter(|role| role.path.starts_with(prefix));
        let page = Page::of(wanted, parameters, |role| &role.name)?;
        let mut result = Xml::default();
        page.write("Roles", &mut result, |xml, role| role.write(xml));
        Ok(result)
    }

    /// Changes the members that the request names.
    pub(super) fn update_role(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        self.change_role(parameters, |role| {
            if let Some(description) = parameters.get("Description") {
                role.description = Some(description.to_owned());
            }
            if let Some(seconds) = parameters.number("MaxSessionDuration") {
                role.max_session_duration = seconds;
            }
        })?;
        Ok(Xml::default())
    }

    pub(super) fn update_role_description(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        let mut result = Xml::default();
        self.change_role(parameters, |role| {
            role.description = parameters.get("Description").map(str::to_owned);
            result.element("Role", |xml| role.write(xml));
        })?;
        Ok(result)
    }

    pub(super) fn update_assume_role_policy(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let document = parameters.required("PolicyDocument");
        check_trust_policy(document)?;
        self.change_role(parameters, |role| document.clone_into(&mut role.trust_policy))
    }

    pub(super) fn put_role_permissions_boundary(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let arn = parameters.required("PermissionsBoundary");
        must_be_attachable(arn)?;
        self.change_role(parameters, |role| role.permissions_boundary = Some(arn.to_owned()))
    }

    pub(super) fn delete_role_permissions_boundary(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        self.change_role(parameters, |role| role.permissions_boundary = None)
    }

    fn change_role(&self, parameters: &Parameters<'_>, change: impl FnOnce(&mut Role)) -> Result<(), AwsError> {
        let mut roles = self.roles();
        let role = find(&mut roles, parameters.required("RoleName"))?;
        change(role);
        self.keep(role);
        Ok(())
    }

    pub(super) fn delete_role(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let name = parameters.required("RoleName");
        let mut roles = self.roles();
        let role = find(&mut roles, name)?;
        let conflict = |text: &str| Err(AwsError::new(409, "DeleteConflict", text));
        if !role.attached.is_empty() {
            return conflict("Cannot delete entity, must detach all policies first.");
        }
        if !role.inline.is_empty() {
            return conflict("Cannot delete entity, must delete policies first.");
        }
        if self.instance_profiles().values().any(|profile| profile.role.as_deref() == Some(name)) {
            return conflict("Cannot delete entity, must remove roles from instance profile first.");
        }
        roles.remove(name);
        let mut batch = self.store.batch();
        batch.remove(Keyspace::Roles, name);
        batch.commit();
        Ok(())
    }
}

impl Role {
    pub(super) fn boundary(&self) -> Option<&String> {
        self.permissions_boundary.as_ref()
    }

    /// The members every answer has.
    pub(super) fn write(&self, xml: &mut Xml) {
        xml.text("Path", &self.path);
        xml.text("RoleName", &self.name);
        xml.text("RoleId", &self.id);
        xml.text("Arn", &self.arn);
        xml.time("CreateDate", self.created);
        xml.text("AssumeRolePolicyDocument", &encode_document(&self.trust_policy));
        if let Some(description) = &self.description {
            xml.text("Description", description);
        }
        xml.text("MaxSessionDuration", &self.max_session_duration.to_string());
        if let Some(arn) = &self.permissions_boundary {
            xml.element("PermissionsBoundary", |xml| {
                xml.text("PermissionsBoundaryType", "Policy");
                xml.text("PermissionsBoundaryArn", arn);
            });
        }
    }

    fn write_tags(&self, xml: &mut Xml) {
        if !self.tags.is_empty() {
            write_tags(&self.tags, xml);
        }
    }
}

/// The role of this name.
pub(super) fn find<'a>(roles: &'a mut BTreeMap<String, Role>, name: &str) -> Result<&'a mut Role, AwsError> {
    let text = || format!("The role with name {name} cannot be found.");
    roles.get_mut(name).ok_or_else(|| no_such_entity(text()))
}

/// A policy document as answers carry it.
pub(super) fn encode_document(document: &str) -> String {
    utf8_percent_encode(document, DOCUMENT).to_string()
}

/// `prefix` and 17 letters and digits, as IAM's unique identifiers have.
pub fn unique_id(prefix: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut random = Uuid::new_v4().as_u128();
    let mut id = prefix.to_owned();
    for _ in 0..17 {
        id.push(char::from(LETTERS[(random % 32) as usize]));
        random /= 32;
    }
    id
}
