//! IAM: the roles, policies and instance profiles that provisioning needs.
//!
//! Permissions are stored and not enforced. Shapes are those of botocore's service model `iam` 2010-05-08. Error messages are
//! AWS's own where they are known.

mod errors;
mod instance_profiles;
mod managed_policies;
mod model;
mod page;
mod policies;
mod policy_document;
mod roles;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::error::AwsError;
use crate::operation::{Operation, Parameters, QueryService, Service, ServiceName};
use crate::store::{Keyspace, Store, StoreError};
use instance_profiles::InstanceProfile;
use roles::Role;
pub use roles::unique_id;

impl Service for Iam {
    const NAME: ServiceName = ServiceName::Iam;

    fn operations() -> &'static [Operation<Self>] {
        static OPERATIONS: LazyLock<Vec<Operation<Iam>>> = LazyLock::new(|| {
            vec![
                Operation::query("AddRoleToInstanceProfile", Iam::add_role_to_instance_profile),
                Operation::query("AttachRolePolicy", Iam::attach_role_policy),
                Operation::query("CreateInstanceProfile", Iam::create_instance_profile),
                Operation::query("CreateRole", Iam::create_role).logs("role created", &["RoleName"]),
                Operation::query("DeleteInstanceProfile", Iam::delete_instance_profile),
                Operation::query("DeleteRole", Iam::delete_role).logs("role deleted", &["RoleName"]),
                Operation::query("DeleteRolePermissionsBoundary", Iam::delete_role_permissions_boundary),
                Operation::query("DeleteRolePolicy", Iam::delete_role_policy),
                Operation::query("DetachRolePolicy", Iam::detach_role_policy),
                Operation::query("GetInstanceProfile", Iam::get_instance_profile),
                Operation::query("GetRole", Iam::get_role),
                Operation::query("GetRolePolicy", Iam::get_role_policy),
                Operation::query("ListAccountAliases", Iam::list_account_aliases),
                Operation::query("ListAttachedRolePolicies", Iam::list_attached_role_policies),
                Operation::query("ListInstanceProfileTags", Iam::list_instance_profile_tags),
                Operation::query("ListInstanceProfiles", Iam::list_instance_profiles),
                Operation::query("ListInstanceProfilesForRole", Iam::list_instance_profiles_for_role),
                Operation::query("ListPolicies", Iam::list_policies),
                Operation::query("ListRolePolicies", Iam::list_role_policies),
                Operation::query("ListRoleTags", Iam::list_role_tags),
                Operation::query("ListRoles", Iam::list_roles),
                Operation::query("PutRolePermissionsBoundary", Iam::put_role_permissions_boundary),
                Operation::query("PutRolePolicy", Iam::put_role_policy),
                Operation::query("RemoveRoleFromInstanceProfile", Iam::remove_role_from_instance_profile),
                Operation::query("TagInstanceProfile", Iam::tag_instance_profile),
                Operation::query("TagRole", Iam::tag_role),
                Operation::query("UntagInstanceProfile", Iam::untag_instance_profile),
                Operation::query("UntagRole", Iam::untag_role),
                Operation::query("UpdateAssumeRolePolicy", Iam::update_assume_role_policy),
                Operation::query("UpdateRole", Iam::update_role),
                Operation::query("UpdateRoleDescription", Iam::update_role_description),
            ]
        });
        &OPERATIONS
    }
}

impl QueryService for Iam {
    const NAMESPACE: &'static str = "https://iam.amazonaws.com/doc/2010-05-08/";

    fn check(action: &str, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        model::check(action, parameters)
    }
}

/// A handle on the account's roles; clones share them.
#[derive(Clone)]
pub struct Iam {
    account_id: String,
    roles: Arc<Mutex<BTreeMap<String, Role>>>,
    /// Locked after the roles.
    instance_profiles: Arc<Mutex<BTreeMap<String, InstanceProfile>>>,
    store: Store,
}

impl Iam {
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
            store,
        })
    }

    /// The account that the roles are in.
    pub fn account_id(&self) -> &str {
        &self.account_id
    }

    /// Creates a role that Lambda can assume, unless there is one of this name.
    ///
    /// # Errors
    /// The name is not a role's.
    pub fn ensure_lambda_role(&self, name: &str) -> Result<(), AwsError> {
        const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        let form = [("RoleName", name), ("AssumeRolePolicyDocument", TRUST)];
        let form = form.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let parameters = Parameters(&form);
        model::check("CreateRole", &parameters)?;
        match self.create_role(&parameters) {
            Err(error) if error.status != 409 => Err(error),
            _ => Ok(()),
        }
    }

    /// The ID of the role with this ARN.
    pub fn role_id(&self, arn: &str) -> Option<String> {
        self.roles().values().find(|role| role.arn == arn).map(|role| role.id.clone())
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

impl Iam {
    /// Has the store keep the role as it is now. The roles are locked, so that changes are kept in their order.
    fn keep(&self, role: &Role) {
        let mut batch = self.store.batch();
        batch.put_json(Keyspace::Roles, &role.name, role);
        batch.commit();
    }
}
