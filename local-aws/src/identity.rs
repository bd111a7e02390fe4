//! IAM and STS: the little that provisioning needs.
//!
//! Roles with their policies, tags and instance profiles, and who the caller is; no request is refused for want of a permission. An action
//! and its parameters come in, the body of the answer in the query protocol goes out. Shapes are those of botocore's
//! service models `iam` 2010-05-08 and `sts` 2011-06-15; texts of errors are AWS's own where they are known.

mod instance_profiles;
mod managed_policies;
mod model;
mod page;
mod parameters;
mod policies;
mod policy_document;
mod roles;
mod sessions;
mod tags;
#[cfg(test)]
mod tests;
mod xml;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::AwsError;
use crate::store::{Keyspace, Store, StoreError};
use instance_profiles::InstanceProfile;
pub use model::is_tag_text;
use parameters::Parameters;
use roles::Role;
use sessions::Sessions;
pub use sessions::{OpenSession, Session};
use xml::Xml;

pub const IAM_NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
pub const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// A handle on the account's roles; clones share them.
#[derive(Clone)]
pub struct Identity {
    account_id: String,
    roles: Arc<Mutex<BTreeMap<String, Role>>>,
    sessions: Sessions,
    /// Locked after the roles.
    instance_profiles: Arc<Mutex<BTreeMap<String, InstanceProfile>>>,
    store: Store,
}

impl Identity {
    /// With the roles and instance profiles that the store keeps. IAM is the same in every region, so the region is in no name or ARN.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(account_id: &str, store: Store) -> Result<Self, StoreError> {
        let roles = store.all::<Role>(Keyspace::Roles)?.into_iter().map(|(_, role)| (role.name.clone(), role));
        let profiles = store.all::<InstanceProfile>(Keyspace::InstanceProfiles)?;
        let profiles = profiles.into_iter().map(|(_, profile)| (profile.name.clone(), profile));
        Ok(Self {
            account_id: account_id.to_owned(),
            roles: Arc::new(Mutex::new(roles.collect())),
            instance_profiles: Arc::new(Mutex::new(profiles.collect())),
            sessions: Sessions::default(),
            store,
        })
    }

    /// Answers an action of IAM (`Version=2010-05-08`) with the whole XML body.
    ///
    /// # Errors
    /// The action's modelled errors, and `InvalidAction` for one that is not answered here.
    pub fn iam(&self, action: &str, params: &BTreeMap<String, String>) -> Result<String, AwsError> {
        let parameters = Parameters(params);
        model::check(action, &parameters)?;
        let result = match action {
            "CreateRole" => self.create_role(&parameters).map(Some),
            "GetRole" => self.get_role(&parameters).map(Some),
            "ListRoles" => self.list_roles(&parameters).map(Some),
            "DeleteRole" => self.delete_role(&parameters).map(|()| None),
            "AttachRolePolicy" => self.attach_role_policy(&parameters).map(|()| None),
            "DetachRolePolicy" => self.detach_role_policy(&parameters).map(|()| None),
            "ListAttachedRolePolicies" => self.list_attached_role_policies(&parameters).map(Some),
            "PutRolePolicy" => self.put_role_policy(&parameters).map(|()| None),
            "GetRolePolicy" => self.get_role_policy(&parameters).map(Some),
            "ListRolePolicies" => self.list_role_policies(&parameters).map(Some),
            "DeleteRolePolicy" => self.delete_role_policy(&parameters).map(|()| None),
            "ListInstanceProfilesForRole" => self.list_instance_profiles_for_role(&parameters).map(Some),
            "TagRole" => self.tag_role(&parameters).map(|()| None),
            "UntagRole" => self.untag_role(&parameters).map(|()| None),
            "ListRoleTags" => self.list_role_tags(&parameters).map(Some),
            "CreateInstanceProfile" => self.create_instance_profile(&parameters).map(Some),
            "GetInstanceProfile" => self.get_instance_profile(&parameters).map(Some),
            "ListInstanceProfiles" => self.list_instance_profiles(&parameters).map(Some),
            "AddRoleToInstanceProfile" => self.add_role_to_instance_profile(&parameters).map(|()| None),
            "RemoveRoleFromInstanceProfile" => self.remove_role_from_instance_profile(&parameters).map(|()| None),
            "TagInstanceProfile" => self.tag_instance_profile(&parameters).map(|()| None),
            "UntagInstanceProfile" => self.untag_instance_profile(&parameters).map(|()| None),
            "ListInstanceProfileTags" => self.list_instance_profile_tags(&parameters).map(Some),
            "DeleteInstanceProfile" => self.delete_instance_profile(&parameters).map(|()| None),
            "UpdateRole" => self.update_role(&parameters).map(Some),
            "UpdateRoleDescription" => self.update_role_description(&parameters).map(Some),
            "UpdateAssumeRolePolicy" => self.update_assume_role_policy(&parameters).map(|()| None),
            "PutRolePermissionsBoundary" => self.put_role_permissions_boundary(&parameters).map(|()| None),
            "DeleteRolePermissionsBoundary" => self.delete_role_permissions_boundary(&parameters).map(|()| None),
            "ListPolicies" => self.list_policies(&parameters).map(Some),
            "ListAccountAliases" => self.list_account_aliases(&parameters).map(Some),
            unknown => Err(unknown_action("IAM", unknown)),
        }?;
        Ok(xml::response(action, IAM_NAMESPACE, result))
    }

    /// Answers an action of STS (`Version=2011-06-15`) with the whole XML body. The caller is the account itself unless
    /// it has a session.
    ///
    /// # Errors
    /// `InvalidAction` for an action that is not answered here.
    pub fn sts(
        &self,
        action: &str,
        params: &BTreeMap<String, String>,
        caller: Option<&Session>,
    ) -> Result<String, AwsError> {
        let _ = params;
        match action {
            "GetCallerIdentity" => {
                let mut result = Xml::default();
                let root = format!("arn:aws:iam::{}:root", self.account_id);
                result.text("Arn", caller.map_or(&root, |session| &session.arn));
                result.text("UserId", caller.map_or(&self.account_id, |session| &session.user_id));
                result.text("Account", &self.account_id);
                Ok(xml::response(action, STS_NAMESPACE, Some(result)))
            }
            unknown => Err(unknown_action("STS", unknown)),
        }
    }

    /// Whether there is a role with this ARN.
    pub fn role_exists(&self, arn: &str) -> bool {
        self.roles().values().any(|role| role.arn == arn)
    }

    /// Whether the role with this ARN exists and its trust policy lets Lambda assume it.
    pub fn assumable_by_lambda(&self, arn: &str) -> bool {
        let roles = self.roles();
        let role = roles.values().find(|role| role.arn == arn);
        role.is_some_and(|role| policy_document::lets_assume(&role.trust_policy, "lambda.amazonaws.com"))
    }

    fn instance_profiles(&self) -> MutexGuard<'_, BTreeMap<String, InstanceProfile>> {
        self.instance_profiles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // No method panics halfway through a change, so the roles are whole even if a panic poisoned their lock.
    fn roles(&self) -> MutexGuard<'_, BTreeMap<String, Role>> {
        self.roles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Identity {
    /// Has the store keep the role as it is now. The roles are locked, so that changes are kept in their order.
    fn keep(&self, role: &Role) {
        let mut batch = self.store.batch();
        batch.put_json(Keyspace::Roles, &role.name, role);
        batch.commit();
    }
}

fn unknown_action(service: &str, action: &str) -> AwsError {
    AwsError::new(400, "InvalidAction", format!("The local endpoint does not answer the {service} action {action}."))
}
