//! PutLogGroupDeletionProtection.

use serde::Deserialize;

use crate::error::AwsError;

use super::Logs;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutLogGroupDeletionProtection {
    log_group_identifier: String,
    deletion_protection_enabled: bool,
}

impl Logs {
    pub(super) fn put_deletion_protection(&self, input: PutLogGroupDeletionProtection) -> Result<(), AwsError> {
        let name = self.group_name(None, Some(input.log_group_identifier))?;
        self.change_group(&name, |group| {
            group.deletion_protection = input.deletion_protection_enabled;
            Ok(())
        })
    }
}
