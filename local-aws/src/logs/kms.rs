//! AssociateKmsKey and DisassociateKmsKey. The key is stored with its group and not used.

use serde::Deserialize;

use crate::error::AwsError;

use super::Logs;

/// The input of both operations.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KmsKey {
    log_group_name: Option<String>,
    /// The group's ARN. On AWS it can also name query results, which do not exist here.
    resource_identifier: Option<String>,
    /// Only AssociateKmsKey has it, and requires it.
    kms_key_id: Option<String>,
}

impl Logs {
    pub(super) fn associate_kms_key(&self, input: KmsKey) -> Result<(), AwsError> {
        self.set_key(input.log_group_name, input.resource_identifier, input.kms_key_id)
    }

    pub(super) fn disassociate_kms_key(&self, input: KmsKey) -> Result<(), AwsError> {
        self.set_key(input.log_group_name, input.resource_identifier, None)
    }

    fn set_key(&self, name: Option<String>, identifier: Option<String>, key: Option<String>) -> Result<(), AwsError> {
        let name = self.group_name(name, identifier)?;
        self.change_group(&name, |group| {
            group.kms_key_id = key;
            Ok(())
        })
    }
}
