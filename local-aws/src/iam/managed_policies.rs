//! ListPolicies and ListAccountAliases.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::page::{Page, PageInput};
use super::policies::MANAGED;
use super::state::Iam;
use crate::error::AwsError;
use crate::operation::Xml;

/// AWS's policies for functions of a stream: paths below [`MANAGED`]. Others are listed while a role uses them.
const LISTED: [&str; 13] = [
    "AdministratorAccess",
    "AmazonKinesisFullAccess",
    "AmazonKinesisReadOnlyAccess",
    "AWSLambda_FullAccess",
    "AWSLambda_ReadOnlyAccess",
    "AWSLambdaExecute",
    "CloudWatchLogsFullAccess",
    "CloudWatchLogsReadOnlyAccess",
    "ReadOnlyAccess",
    "service-role/AWSLambdaBasicExecutionRole",
    "service-role/AWSLambdaKinesisExecutionRole",
    "service-role/AWSLambdaRole",
    "service-role/AWSLambdaVPCAccessExecutionRole",
];

/// A managed policy, and the number of roles that use it.
struct Policy {
    arn: String,
    attachments: usize,
    boundaries: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListPolicies {
    scope: Option<String>,
    #[serde(default)]
    only_attached: bool,
    path_prefix: Option<String>,
    policy_usage_filter: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

/// The account has no customer-managed policies, so the scope `Local` is empty.
pub fn list_policies(iam: &Iam, input: ListPolicies) -> Result<Xml, AwsError> {
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    let policies = managed_policies(iam);
    let is_wanted = |policy: &&Policy| {
        let is_used = match input.policy_usage_filter.as_deref() {
            Some("PermissionsBoundary") => policy.boundaries > 0,
            Some(_) => policy.attachments > 0,
            None => !input.only_attached || policy.attachments + policy.boundaries > 0,
        };
        input.scope.as_deref() != Some("Local") && is_used && policy.path().starts_with(prefix)
    };
    let mut result = Xml::default();
    let page = Page::of(policies.iter().filter(is_wanted), &input.page, |policy| &policy.arn)?;
    page.write("Policies", &mut result, |xml, policy| policy.write(xml));
    Ok(result)
}

/// An account has at most one alias. This one has none.
pub fn list_account_aliases(_: &Iam, input: PageInput) -> Result<Xml, AwsError> {
    let mut result = Xml::default();
    Page::<&str>::of([].into_iter(), &input, |alias| alias)?.write("AccountAliases", &mut result, |_, _| ());
    Ok(result)
}

/// The policies that are always listed and those that roles use, by ARN.
fn managed_policies(iam: &Iam) -> Vec<Policy> {
    let roles = iam.roles();
    let used = roles.values().flat_map(|role| role.attached.iter().chain(&role.permissions_boundary).cloned());
    let arns: BTreeSet<String> = LISTED.iter().map(|path| format!("{MANAGED}{path}")).chain(used).collect();
    let policy = |arn: String| Policy {
        attachments: roles.values().filter(|role| role.attached.contains(&arn)).count(),
        boundaries: roles.values().filter(|role| role.permissions_boundary.as_ref() == Some(&arn)).count(),
        arn,
    };
    arns.into_iter().map(policy).collect()
}

impl Policy {
    fn name(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or(&self.arn)
    }

    /// `/`, or `/service-role/`.
    fn path(&self) -> &str {
        &self.arn[MANAGED.len() - 1..self.arn.len() - self.name().len()]
    }

    fn write(&self, xml: &mut Xml) {
        xml.text("PolicyName", self.name());
        xml.text("PolicyId", &policy_id(&self.arn));
        xml.text("Arn", &self.arn);
        xml.text("Path", self.path());
        xml.text("DefaultVersionId", "v1");
        xml.text("AttachmentCount", &self.attachments.to_string());
        xml.text("PermissionsBoundaryUsageCount", &self.boundaries.to_string());
        xml.text("IsAttachable", "true");
        // AWS's creation dates are not known here.
        xml.time("CreateDate", Timestamp::UNIX_EPOCH);
        xml.time("UpdateDate", Timestamp::UNIX_EPOCH);
    }
}

/// A stable ID in the form of AWS's, but not AWS's own.
fn policy_id(arn: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digest = Sha256::digest(arn.as_bytes());
    let letters = digest.iter().take(17).map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    "ANPA".chars().chain(letters).collect()
}
