//! PutLogGroupDeletionProtection.

use serde::Deserialize;

use crate::error::AwsError;

use super::Logs;
use super::validation::Checks;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutLogGroupDeletionProtection {
    log_group_identifier: Option<String>,
    deletion_protection_enabled: Option<bool>,
}

impl Logs {
    pub(super) fn put_deletion_protection(&self, input: PutLogGroupDeletionProtection) -> Result<(), AwsError> {
        let mut checks = Checks::default();
        let enabled = checks.required("deletionProtectionEnabled", input.deletion_protection_enabled);
        let identifier = checks.required("logGroupIdentifier", input.log_group_identifier);
        checks.finish()?;
        let name = self.group_name(None, Some(identifier))?;
        self.change_group(&name, |group| {
            group.deletion_protection = enabled;
            Ok(())
        })
    }
}
