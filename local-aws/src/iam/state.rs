//! The roles and instance profiles of an account. IAM is the same in every region, so no name or ARN contains a region.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::errors::no_such_entity;
use super::instance_profile::InstanceProfile;
use super::policy_document;
use super::role::Role;
use crate::error::AwsError;
use crate::store::{Keyspace, Store, StoreError};

/// A handle on the state of IAM. Clones share it.
#[derive(Clone)]
pub struct Iam {
    account_id: String,
    roles: Arc<Mutex<Roles>>,
    /// Locked after the roles.
    instance_profiles: Arc<Mutex<InstanceProfiles>>,
    store: Store,
}

/// Roles by name.
pub type Roles = BTreeMap<String, Role>;
/// Instance profiles by name.
pub type InstanceProfiles = BTreeMap<String, InstanceProfile>;

impl Iam {
    /// Reads the stored roles and instance profiles.
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

    /// The account of the roles.
    pub fn account_id(&self) -> &str {
        &self.account_id
    }

    /// The ID of the role with this ARN.
    pub fn role_id(&self, arn: &str) -> Option<String> {
        self.roles().values().find(|role| role.arn == arn).map(|role| role.id.clone())
    }

    /// Whether a role with this ARN exists.
    pub fn role_exists(&self, arn: &str) -> bool {
        self.roles().values().any(|role| role.arn == arn)
    }

    /// Whether the role with this ARN exists and its trust policy lets Lambda assume it.
    pub fn assumable_by_lambda(&self, arn: &str) -> bool {
        let roles = self.roles();
        let role = roles.values().find(|role| role.arn == arn);
        role.is_some_and(|role| policy_document::lets_assume(&role.trust_policy, "lambda.amazonaws.com"))
    }

    // No function panics between two changes that belong together, so the roles are consistent even if a panic poisoned
    // their lock.
    pub(super) fn roles(&self) -> MutexGuard<'_, Roles> {
        self.roles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn instance_profiles(&self) -> MutexGuard<'_, InstanceProfiles> {
        self.instance_profiles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a role and stores it.
    ///
    /// # Errors
    /// The role does not exist, or `change` fails. Then nothing is stored.
    pub(super) fn change_role(
        &self,
        name: &str,
        change: impl FnOnce(&mut Role) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        let mut roles = self.roles();
        let role = roles.get_mut(name).ok_or_else(|| no_role(name))?;
        change(role)?;
        self.store_role(role);
        Ok(())
    }

    /// Changes an instance profile and stores it.
    ///
    /// # Errors
    /// As [`Iam::change_role`].
    pub(super) fn change_profile(
        &self,
        profiles: &mut InstanceProfiles,
        name: &str,
        change: impl FnOnce(&mut InstanceProfile) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        let profile = profiles.get_mut(name).ok_or_else(|| no_profile(name))?;
        change(profile)?;
        self.store_profile(profile);
        Ok(())
    }

    /// Stores a role. The caller holds the lock of the roles, so changes are stored in their order.
    pub(super) fn store_role(&self, role: &Role) {
        let mut batch = self.store.batch();
        batch.put_json(Keyspace::Roles, &role.name, role);
        batch.commit();
    }

    /// Stores an instance profile. The caller holds the profiles' lock.
    pub(super) fn store_profile(&self, profile: &InstanceProfile) {
        let mut batch = self.store.batch();
        batch.put_json(Keyspace::InstanceProfiles, &profile.name, profile);
        batch.commit();
    }

    /// Removes a role or an instance profile from the store.
    pub(super) fn remove_stored(&self, keyspace: Keyspace, name: &str) {
        let mut batch = self.store.batch();
        batch.remove(keyspace, name);
        batch.commit();
    }
}

/// The role of this name.
pub(super) fn find_role<'a>(roles: &'a Roles, name: &str) -> Result<&'a Role, AwsError> {
    roles.get(name).ok_or_else(|| no_role(name))
}

/// The instance profile of this name.
pub(super) fn find_profile<'a>(profiles: &'a InstanceProfiles, name: &str) -> Result<&'a InstanceProfile, AwsError> {
    profiles.get(name).ok_or_else(|| no_profile(name))
}

fn no_role(name: &str) -> AwsError {
    no_such_entity(format!("The role with name {name} cannot be found."))
}

fn no_profile(name: &str) -> AwsError {
    no_such_entity(format!("Instance Profile {name} cannot be found."))
}
