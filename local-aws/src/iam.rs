//! IAM: the roles, policies and instance profiles that provisioning needs.
//!
//! Permissions are stored and not enforced. Error messages are AWS's own where they are known.

mod errors;
mod instance_profile;
mod instance_profiles;
mod managed_policies;
mod operations;
mod page;
mod policies;
mod policy_document;
mod role;
mod roles;
mod state;
mod tags;
#[cfg(test)]
mod tests;

pub use role::unique_id;
pub use state::Iam;
