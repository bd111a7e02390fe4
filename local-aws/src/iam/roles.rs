//! CreateRole, GetRole, ListRoles, the updates of a role, its permissions boundary and tags, DeleteRole.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use super::page::{Page, PageInput};
use super::policies::must_be_attachable;
use super::policy_document::check_trust_policy;
use super::role::{Role, unique_id};
use super::state::{Iam, find_role};
use super::tags::{self, Tag};
use crate::error::AwsError;
use crate::operation::Xml;
use crate::store::Keyspace;

/// The default of `MaxSessionDuration`, in seconds.
const HOUR: u32 = 3600;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateRole {
    role_name: String,
    path: Option<String>,
    assume_role_policy_document: String,
    description: Option<String>,
    max_session_duration: Option<u32>,
    permissions_boundary: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

pub fn create_role(iam: &Iam, input: CreateRole) -> Result<Xml, AwsError> {
    let (name, path) = (input.role_name, input.path.unwrap_or_else(|| "/".into()));
    check_trust_policy(&input.assume_role_policy_document)?;
    let tags = tags::checked(input.tags)?;
    input.permissions_boundary.as_deref().map_or(Ok(()), must_be_attachable)?;
    let role = Role {
        id: unique_id("AROA"),
        arn: format!("arn:aws:iam::{}:role{path}{name}", iam.account_id()),
        name,
        path,
        created: Timestamp::now(),
        trust_policy: input.assume_role_policy_document,
        description: input.description,
        max_session_duration: input.max_session_duration.unwrap_or(HOUR),
        permissions_boundary: input.permissions_boundary,
        tags,
        attached: BTreeSet::new(),
        inline: BTreeMap::new(),
    };

    // Names are unique regardless of case: "Names are not distinguished by case".
    let mut roles = iam.roles();
    if roles.values().any(|existing| existing.name.eq_ignore_ascii_case(&role.name)) {
        let text = format!("Role with name {} already exists.", role.name);
        return Err(AwsError::new(409, "EntityAlreadyExists", text));
    }
    let mut result = Xml::default();
    result.element("Role", |xml| role.write_with_tags(xml));
    iam.store_role(&role);
    roles.insert(role.name.clone(), role);
    Ok(result)
}

impl Iam {
    /// Creates a role that Lambda can assume, unless a role of this name exists.
    ///
    /// # Errors
    /// The name is invalid for a role.
    pub fn ensure_lambda_role(&self, name: &str) -> Result<(), AwsError> {
        const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        crate::validation::IAM.check("roleNameType", "roleName", &name.into())?;
        let input = CreateRole {
            role_name: name.to_owned(),
            path: None,
            assume_role_policy_document: TRUST.to_owned(),
            description: None,
            max_session_duration: None,
            permissions_boundary: None,
            tags: Vec::new(),
        };
        match create_role(self, input) {
            Err(error) if error.status != 409 => Err(error),
            _ => Ok(()),
        }
    }
}

/// The input of an action on one role.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoleInput {
    role_name: String,
}

pub fn get_role(iam: &Iam, input: RoleInput) -> Result<Xml, AwsError> {
    let roles = iam.roles();
    let role = find_role(&roles, &input.role_name)?;
    let mut result = Xml::default();
    result.element("Role", |xml| {
        role.write_with_tags(xml);
        xml.element("RoleLastUsed", |_| ());
    });
    Ok(result)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListRoles {
    path_prefix: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

/// Roles are listed without their tags ("The following attributes are not returned").
pub fn list_roles(iam: &Iam, input: ListRoles) -> Result<Xml, AwsError> {
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    let roles = iam.roles();
    let wanted = roles.values().filter(|role| role.path.starts_with(prefix));
    let page = Page::of(wanted, &input.page, |role| &role.name)?;
    let mut result = Xml::default();
    page.write("Roles", &mut result, |xml, role| role.write(xml));
    Ok(result)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateRole {
    role_name: String,
    description: Option<String>,
    max_session_duration: Option<u32>,
}

/// Changes the members that the request contains.
pub fn update_role(iam: &Iam, input: UpdateRole) -> Result<Xml, AwsError> {
    iam.change_role(&input.role_name, |role| {
        role.description = input.description.or(role.description.take());
        role.max_session_duration = input.max_session_duration.unwrap_or(role.max_session_duration);
        Ok(())
    })?;
    Ok(Xml::default())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateRoleDescription {
    role_name: String,
    description: String,
}

pub fn update_role_description(iam: &Iam, input: UpdateRoleDescription) -> Result<Xml, AwsError> {
    let mut result = Xml::default();
    iam.change_role(&input.role_name, |role| {
        role.description = Some(input.description);
        result.element("Role", |xml| role.write(xml));
        Ok(())
    })?;
    Ok(result)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateAssumeRolePolicy {
    role_name: String,
    policy_document: String,
}

pub fn update_assume_role_policy(iam: &Iam, input: UpdateAssumeRolePolicy) -> Result<(), AwsError> {
    check_trust_policy(&input.policy_document)?;
    iam.change_role(&input.role_name, |role| {
        role.trust_policy = input.policy_document;
        Ok(())
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutRolePermissionsBoundary {
    role_name: String,
    permissions_boundary: String,
}

pub fn put_role_permissions_boundary(iam: &Iam, input: PutRolePermissionsBoundary) -> Result<(), AwsError> {
    must_be_attachable(&input.permissions_boundary)?;
    iam.change_role(&input.role_name, |role| {
        role.permissions_boundary = Some(input.permissions_boundary);
        Ok(())
    })
}

pub fn delete_role_permissions_boundary(iam: &Iam, input: RoleInput) -> Result<(), AwsError> {
    iam.change_role(&input.role_name, |role| {
        role.permissions_boundary = None;
        Ok(())
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagRole {
    role_name: String,
    tags: Vec<Tag>,
}

pub fn tag_role(iam: &Iam, input: TagRole) -> Result<(), AwsError> {
    let tags = tags::checked(input.tags)?;
    iam.change_role(&input.role_name, |role| tags::add(&mut role.tags, tags))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UntagRole {
    role_name: String,
    tag_keys: Vec<String>,
}

pub fn untag_role(iam: &Iam, input: UntagRole) -> Result<(), AwsError> {
    iam.change_role(&input.role_name, |role| {
        tags::remove(&mut role.tags, &input.tag_keys);
        Ok(())
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListRoleTags {
    role_name: String,
    #[serde(flatten)]
    page: PageInput,
}

pub fn list_role_tags(iam: &Iam, input: ListRoleTags) -> Result<Xml, AwsError> {
    tags::list(&find_role(&iam.roles(), &input.role_name)?.tags, &input.page)
}

pub fn delete_role(iam: &Iam, input: RoleInput) -> Result<(), AwsError> {
    let name = input.role_name;
    let mut roles = iam.roles();
    let role = find_role(&roles, &name)?;
    let conflict = |text: &str| Err(AwsError::new(409, "DeleteConflict", text));
    if !role.attached.is_empty() {
        return conflict("Cannot delete entity, must detach all policies first.");
    }
    if !role.inline.is_empty() {
        return conflict("Cannot delete entity, must delete policies first.");
    }
    if iam.instance_profiles().values().any(|profile| profile.role.as_ref() == Some(&name)) {
        return conflict("Cannot delete entity, must remove roles from instance profile first.");
    }
    roles.remove(&name);
    iam.remove_stored(Keyspace::Roles, &name);
    Ok(())
}
