//! The operations on instance profiles, which deployment tools create together with roles. Nothing runs on an instance.

use jiff::Timestamp;
use serde::Deserialize;

use super::errors::no_such_entity;
use super::instance_profile::InstanceProfile;
use super::page::{Page, PageInput};
use super::role::unique_id;
use super::state::{Iam, find_profile, find_role};
use super::tags::{self, Tag};
use crate::error::AwsError;
use crate::operation::Xml;
use crate::store::Keyspace;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateInstanceProfile {
    instance_profile_name: String,
    path: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

pub fn create_instance_profile(iam: &Iam, input: CreateInstanceProfile) -> Result<Xml, AwsError> {
    let (name, path) = (input.instance_profile_name, input.path.unwrap_or_else(|| "/".into()));
    let profile = InstanceProfile {
        id: unique_id("AIPA"),
        arn: format!("arn:aws:iam::{}:instance-profile{path}{name}", iam.account_id()),
        name,
        path,
        created: Timestamp::now(),
        role: None,
        tags: tags::checked(input.tags)?,
    };
    let (roles, mut profiles) = (iam.roles(), iam.instance_profiles());
    if profiles.values().any(|existing| existing.name.eq_ignore_ascii_case(&profile.name)) {
        let text = format!("Instance Profile {} already exists.", profile.name);
        return Err(AwsError::new(409, "EntityAlreadyExists", text));
    }
    let mut result = Xml::default();
    result.element("InstanceProfile", |xml| profile.write(&roles, xml));
    iam.store_profile(&profile);
    profiles.insert(profile.name.clone(), profile);
    Ok(result)
}

/// The input of an action on one instance profile.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProfileInput {
    instance_profile_name: String,
}

pub fn get_instance_profile(iam: &Iam, input: ProfileInput) -> Result<Xml, AwsError> {
    let (roles, profiles) = (iam.roles(), iam.instance_profiles());
    let profile = find_profile(&profiles, &input.instance_profile_name)?;
    let mut result = Xml::default();
    result.element("InstanceProfile", |xml| profile.write(&roles, xml));
    Ok(result)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListInstanceProfiles {
    path_prefix: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

pub fn list_instance_profiles(iam: &Iam, input: ListInstanceProfiles) -> Result<Xml, AwsError> {
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    list_page(iam, &input.page, |profile| profile.path.starts_with(prefix))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListInstanceProfilesForRole {
    role_name: String,
    #[serde(flatten)]
    page: PageInput,
}

pub fn list_instance_profiles_for_role(iam: &Iam, input: ListInstanceProfilesForRole) -> Result<Xml, AwsError> {
    find_role(&iam.roles(), &input.role_name)?;
    list_page(iam, &input.page, |profile| profile.role.as_ref() == Some(&input.role_name))
}

fn list_page(iam: &Iam, page: &PageInput, is_wanted: impl Fn(&InstanceProfile) -> bool) -> Result<Xml, AwsError> {
    let (roles, profiles) = (iam.roles(), iam.instance_profiles());
    let wanted = profiles.values().filter(|profile| is_wanted(profile));
    let mut result = Xml::default();
    let page = Page::of(wanted, page, |profile| &profile.name)?;
    page.write("InstanceProfiles", &mut result, |xml, profile| profile.write(&roles, xml));
    Ok(result)
}

/// The input of AddRoleToInstanceProfile and RemoveRoleFromInstanceProfile.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoleOfProfile {
    instance_profile_name: String,
    role_name: String,
}

pub fn add_role_to_instance_profile(iam: &Iam, input: RoleOfProfile) -> Result<(), AwsError> {
    let (roles, mut profiles) = (iam.roles(), iam.instance_profiles());
    iam.change_profile(&mut profiles, &input.instance_profile_name, |profile| {
        find_role(&roles, &input.role_name)?;
        if profile.role.is_some() {
            let text = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";
            return Err(AwsError::new(409, "LimitExceeded", text));
        }
        profile.role = Some(input.role_name);
        Ok(())
    })
}

pub fn remove_role_from_instance_profile(iam: &Iam, input: RoleOfProfile) -> Result<(), AwsError> {
    let role = input.role_name;
    let (roles, mut profiles) = (iam.roles(), iam.instance_profiles());
    iam.change_profile(&mut profiles, &input.instance_profile_name, |profile| {
        find_role(&roles, &role)?;
        let removed = profile.role.take_if(|held| *held == role);
        removed.map(drop).ok_or_else(|| no_such_entity(format!("The role with name {role} cannot be found.")))
    })
}

pub fn delete_instance_profile(iam: &Iam, input: ProfileInput) -> Result<(), AwsError> {
    let name = input.instance_profile_name;
    let mut profiles = iam.instance_profiles();
    if find_profile(&profiles, &name)?.role.is_some() {
        let text = "Cannot delete entity, must remove roles from instance profile first.";
        return Err(AwsError::new(409, "DeleteConflict", text));
    }
    profiles.remove(&name);
    iam.remove_stored(Keyspace::InstanceProfiles, &name);
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagInstanceProfile {
    instance_profile_name: String,
    tags: Vec<Tag>,
}

pub fn tag_instance_profile(iam: &Iam, input: TagInstanceProfile) -> Result<(), AwsError> {
    let tags = tags::checked(input.tags)?;
    iam.change_profile(&mut iam.instance_profiles(), &input.instance_profile_name, |profile| {
        tags::add(&mut profile.tags, tags)
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UntagInstanceProfile {
    instance_profile_name: String,
    tag_keys: Vec<String>,
}

pub fn untag_instance_profile(iam: &Iam, input: UntagInstanceProfile) -> Result<(), AwsError> {
    iam.change_profile(&mut iam.instance_profiles(), &input.instance_profile_name, |profile| {
        tags::remove(&mut profile.tags, &input.tag_keys);
        Ok(())
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListInstanceProfileTags {
    instance_profile_name: String,
    #[serde(flatten)]
    page: PageInput,
}

pub fn list_instance_profile_tags(iam: &Iam, input: ListInstanceProfileTags) -> Result<Xml, AwsError> {
    tags::list(&find_profile(&iam.instance_profiles(), &input.instance_profile_name)?.tags, &input.page)
}
