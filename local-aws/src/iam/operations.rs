//! The supported actions of IAM, one line each.

use std::sync::LazyLock;

use super::state::Iam;
use super::{instance_profiles, managed_policies, policies, roles};
use crate::operation::{Operation, QueryService, Service, ServiceName};
use crate::validation::{self, Model};

impl Service for Iam {
    const NAME: ServiceName = ServiceName::Iam;

    fn operations() -> &'static [Operation<Self>] {
        static OPERATIONS: LazyLock<Vec<Operation<Iam>>> = LazyLock::new(|| {
            vec![
                Operation::query("AddRoleToInstanceProfile", instance_profiles::add_role_to_instance_profile),
                Operation::query("AttachRolePolicy", policies::attach_role_policy),
                Operation::query("CreateInstanceProfile", instance_profiles::create_instance_profile),
                Operation::query("CreateRole", roles::create_role).logs("role created", &["RoleName"]),
                Operation::query("DeleteInstanceProfile", instance_profiles::delete_instance_profile),
                Operation::query("DeleteRole", roles::delete_role).logs("role deleted", &["RoleName"]),
                Operation::query("DeleteRolePermissionsBoundary", roles::delete_role_permissions_boundary),
                Operation::query("DeleteRolePolicy", policies::delete_role_policy),
                Operation::query("DetachRolePolicy", policies::detach_role_policy),
                Operation::query("GetInstanceProfile", instance_profiles::get_instance_profile).read_only(),
                Operation::query("GetRole", roles::get_role).read_only(),
                Operation::query("GetRolePolicy", policies::get_role_policy).read_only(),
                Operation::query("ListAccountAliases", managed_policies::list_account_aliases).read_only(),
                Operation::query("ListAttachedRolePolicies", policies::list_attached_role_policies).read_only(),
                Operation::query("ListInstanceProfileTags", instance_profiles::list_instance_profile_tags).read_only(),
                Operation::query("ListInstanceProfiles", instance_profiles::list_instance_profiles).read_only(),
                Operation::query("ListInstanceProfilesForRole", instance_profiles::list_instance_profiles_for_role)
                    .read_only(),
                Operation::query("ListPolicies", managed_policies::list_policies).read_only(),
                Operation::query("ListRolePolicies", policies::list_role_policies).read_only(),
                Operation::query("ListRoleTags", roles::list_role_tags).read_only(),
                Operation::query("ListRoles", roles::list_roles).read_only(),
                Operation::query("PutRolePermissionsBoundary", roles::put_role_permissions_boundary),
                Operation::query("PutRolePolicy", policies::put_role_policy),
                Operation::query("RemoveRoleFromInstanceProfile", instance_profiles::remove_role_from_instance_profile),
                Operation::query("TagInstanceProfile", instance_profiles::tag_instance_profile),
                Operation::query("TagRole", roles::tag_role),
                Operation::query("UntagInstanceProfile", instance_profiles::untag_instance_profile),
                Operation::query("UntagRole", roles::untag_role),
                Operation::query("UpdateAssumeRolePolicy", roles::update_assume_role_policy),
                Operation::query("UpdateRole", roles::update_role),
                Operation::query("UpdateRoleDescription", roles::update_role_description),
            ]
        });
        &OPERATIONS
    }
}

impl QueryService for Iam {
    const NAMESPACE: &'static str = "https://iam.amazonaws.com/doc/2010-05-08/";

    fn model() -> &'static Model {
        &validation::IAM
    }
}
