//! CreateRole, GetRole, ListRoles, DeleteRole.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::AwsError;
use crate::store::Keyspace;

use super::Identity;
use super::page::Page;
use super::parameters::{Parameters, validation_error};
use super::policy_document::check_trust_policy;
use super::tags::{check_tags, read_tags, write_tags};
use super::xml::Xml;

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

impl Identity {
    pub(super) fn create_role(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        let name = parameters.role_name()?;
        let path = parameters.optional("Path", 1, 512)?.unwrap_or("/");
        if !(path.starts_with('/') && path.ends_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic())) {
            let text = "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.";
            return Err(validation_error(text));
        }
        let trust_policy = parameters.required("AssumeRolePolicyDocument", 1, 131_072)?;
        check_trust_policy(trust_policy)?;
        let tags = read_tags(parameters);
        check_tags(&tags)?;
        let role = Role {
            name: name.to_owned(),
            path: path.to_owned(),
            id: unique_id("AROA"),
            arn: format!("arn:aws:iam::{}:role{path}{name}", self.account_id),
            created: Timestamp::now(),
            trust_policy: trust_policy.to_owned(),
            description: parameters.optional("Description", 0, 1000)?.map(str::to_owned),
            max_session_duration: parameters.number("MaxSessionDuration", HOUR, 12 * HOUR)?.unwrap_or(HOUR),
            permissions_boundary: parameters.optional("PermissionsBoundary", 20, 2048)?.map(str::to_owned),
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
        let name = parameters.role_name()?;
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
        let prefix = parameters.optional("PathPrefix", 1, 512)?.unwrap_or("/");
        let roles = self.roles();
        let wanted = roles.values().filter(|role| role.path.starts_with(prefix));
        let page = Page::of(wanted, parameters, |role| &role.name)?;
        let mut result = Xml::default();
        page.write("Roles", &mut result, |xml, role| role.write(xml));
        Ok(result)
    }

    pub(super) fn delete_role(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let name = parameters.role_name()?;
        let mut roles = self.roles();
        let role = find(&mut roles, name)?;
        let conflict = |text: &str| Err(AwsError::new(409, "DeleteConflict", text));
        if !role.attached.is_empty() {
            return conflict("Cannot delete entity, must detach all policies first.");
        }
        if !role.inline.is_empty() {
            return conflict("Cannot delete entity, must delete policies first.");
        }
        roles.remove(name);
        let mut batch = self.store.batch();
        batch.remove(Keyspace::Roles, name);
        batch.commit();
        Ok(())
    }

    /// Nothing here makes instance profiles, so there are none.
    pub(super) fn list_instance_profiles_for_role(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        let name = parameters.role_name()?;
        find(&mut self.roles(), name)?;
        let mut result = Xml::default();
        Page::<&str>::of([].into_iter(), parameters, |name| name)?.write("InstanceProfiles", &mut result, |_, _| ());
        Ok(result)
    }
}

impl Role {
    /// The members every answer has.
    fn write(&self, xml: &mut Xml) {
        xml.text("Path", &self.path);
        xml.text("RoleName", &self.name);
        xml.text("RoleId", &self.id);
        xml.text("Arn", &self.arn);
        xml.text("CreateDate", &self.created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
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
    roles.get_mut(name).ok_or_else(|| AwsError::new(404, "NoSuchEntity", text()))
}

/// A policy document as answers carry it.
pub(super) fn encode_document(document: &str) -> String {
    utf8_percent_encode(document, DOCUMENT).to_string()
}

/// `prefix` and 17 letters and digits, as IAM's unique identifiers have.
pub(super) fn unique_id(prefix: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut random = Uuid::new_v4().as_u128();
    let mut id = prefix.to_owned();
    for _ in 0..17 {
        id.push(char::from(LETTERS[(random % 32) as usize]));
        random /= 32;
    }
    id
}
