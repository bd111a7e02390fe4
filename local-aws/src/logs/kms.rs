//! AssociateKmsKey and DisassociateKmsKey. The key is stored with its group and not used.

use serde::Deserialize;

use crate::error::AwsError;

use super::Logs;
use super::validation::Checks;

/// The input of both operations.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KmsKey {
    log_group_name: Option<String>,
    /// The group's ARN. On AWS it can also name query results, which do not exist here.
    resource_identifier: Option<String>,
    kms_key_id: Option<String>,
}

impl Logs {
    pub(super) fn associate_kms_key(&self, input: KmsKey) -> Result<(), AwsError> {
        let mut checks = Checks::default();
        let key = checks.required("kmsKeyId", input.kms_key_id);
        checks.length("kmsKeyId", &key, 0, 256);
        checks.finish()?;
        self.set_key(input.log_group_name, input.resource_identifier, Some(key))
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
