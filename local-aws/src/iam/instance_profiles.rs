//! Instance profiles, which deployment tools create beside a role. Nothing here runs on an instance.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Iam;
use super::errors::no_such_entity;
use super::page::Page;
use super::roles::{Role, find, unique_id};
use super::tags::{self, read_tags, write_tags};
use crate::error::AwsError;
use crate::operation::{Parameters, Xml};
use crate::store::Keyspace;

#[derive(Serialize, Deserialize)]
pub(super) struct InstanceProfile {
    pub(super) name: String,
    path: String,
    id: String,
    arn: String,
    created: Timestamp,
    /// A profile holds one role at most.
    pub(super) role: Option<String>,
    tags: BTreeMap<String, String>,
}

impl Iam {
    pub(super) fn create_instance_profile(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        let name = parameters.required("InstanceProfileName");
        let path = parameters.get("Path").unwrap_or("/");
        let profile = InstanceProfile {
            name: name.to_owned(),
            path: path.to_owned(),
            id: unique_id("AIPA"),
            arn: format!("arn:aws:iam::{}:instance-profile{path}{name}", self.account_id),
            created: Timestamp::now(),
            role: None,
            tags: read_tags(parameters)?,
        };
        let (roles, mut profiles) = (self.roles(), self.instance_profiles());
        if profiles.values().any(|existing| existing.name.eq_ignore_ascii_case(name)) {
            let text = format!("Instance Profile {name} already exists.");
            return Err(AwsError::new(409, "EntityAlreadyExists", text));
        }
        let mut result = Xml::default();
        result.element("InstanceProfile", |xml| profile.write(&roles, xml));
        self.keep_profile(&profile);
        profiles.insert(profile.name.clone(), profile);
        Ok(result)
    }

    pub(super) fn get_instance_profile(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        let (roles, mut profiles) = (self.roles(), self.instance_profiles());
        let profile = find_profile(&mut profiles, parameters)?;
        let mut result = Xml::default();
        result.element("InstanceProfile", |xml| profile.write(&roles, xml));
        Ok(result)
    }

    pub(super) fn list_instance_profiles(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        let prefix = parameters.get("PathPrefix").unwrap_or("/");
        self.page_of_profiles(parameters, |profile| profile.path.starts_with(prefix))
    }

    pub(super) fn list_instance_profiles_for_role(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        let role = parameters.required("RoleName");
        find(&mut self.roles(), role)?;
        self.page_of_profiles(parameters, |profile| profile.role.as_deref() == Some(role))
    }

    fn page_of_profiles(
        &self,
        parameters: &Parameters<'_>,
        is_wanted: impl Fn(&InstanceProfile) -> bool,
    ) -> Result<Xml, AwsError> {
        let (roles, profiles) = (self.roles(), self.instance_profiles());
        let wanted = profiles.values().filter(|profile| is_wanted(profile));
        let mut result = Xml::default();
        let page = Page::of(wanted, parameters, |profile| &profile.name)?;
        page.write("InstanceProfiles", &mut result, |xml, profile| profile.write(&roles, xml));
        Ok(result)
    }

    pub(super) fn add_role_to_instance_profile(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let role = parameters.required("RoleName");
        let (mut roles, mut profiles) = (self.roles(), self.instance_profiles());
        let profile = find_profile(&mut profiles, parameters)?;
        find(&mut roles, role)?;
        if profile.role.is_some() {
            let text = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";
            return Err(AwsError::new(409, "LimitExceeded", text));
        }
        profile.role = Some(role.to_owned());
        self.keep_profile(profile);
        Ok(())
    }

    pub(super) fn remove_role_from_instance_profile(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let role = parameters.required("RoleName");
        let (mut roles, mut profiles) = (self.roles(), self.instance_profiles());
        let profile = find_profile(&mut profiles, parameters)?;
        find(&mut roles, role)?;
        if profile.role.take_if(|held| held == role).is_none() {
            return Err(no_such_entity(format!("The role with name {role} cannot be found.")));
        }
        self.keep_profile(profile);
        Ok(())
    }

    pub(super) fn delete_instance_profile(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let mut profiles = self.instance_profiles();
        let profile = find_profile(&mut profiles, parameters)?;
        if profile.role.is_some() {
            let text = "Cannot delete entity, must remove roles from instance profile first.";
            return Err(AwsError::new(409, "DeleteConflict", text));
        }
        let name = profile.name.clone();
        profiles.remove(&name);
        let mut batch = self.store.batch();
        batch.remove(Keyspace::InstanceProfiles, &name);
        batch.commit();
        Ok(())
    }

    pub(super) fn tag_instance_profile(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let new = read_tags(parameters)?;
        let mut profiles = self.instance_profiles();
        let profile = find_profile(&mut profiles, parameters)?;
        tags::add(&mut profile.tags, new)?;
        self.keep_profile(profile);
        Ok(())
    }

    pub(super) fn untag_instance_profile(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let mut profiles = self.instance_profiles();
        let profile = find_profile(&mut profiles, parameters)?;
        tags::remove(&mut profile.tags, parameters);
        self.keep_profile(profile);
        Ok(())
    }

    pub(super) fn list_instance_profile_tags(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        tags::list(&find_profile(&mut self.instance_profiles(), parameters)?.tags, parameters)
    }

    /// Stores the profile. The profiles are locked, so that changes are stored in their order.
    fn keep_profile(&self, profile: &InstanceProfile) {
        let mut batch = self.store.batch();
        batch.put_json(Keyspace::InstanceProfiles, &profile.name, profile);
        batch.commit();
    }
}

impl InstanceProfile {
    fn write(&self, roles: &BTreeMap<String, Role>, xml: &mut Xml) {
        xml.text("Path", &self.path);
        xml.text("InstanceProfileName", &self.name);
        xml.text("InstanceProfileId", &self.id);
        xml.text("Arn", &self.arn);
        xml.time("CreateDate", self.created);
        let role = self.role.as_ref().and_then(|role| roles.get(role));
        xml.list("Roles", role, |xml, role| role.write(xml));
        if !self.tags.is_empty() {
            write_tags(&self.tags, xml);
        }
    }
}

fn find_profile<'a>(
    profiles: &'a mut BTreeMap<String, InstanceProfile>,
    parameters: &Parameters<'_>,
) -> Result<&'a mut InstanceProfile, AwsError> {
    let name = parameters.required("InstanceProfileName");
    profiles.get_mut(name).ok_or_else(|| no_such_entity(format!("Instance Profile {name} cannot be found.")))
}
