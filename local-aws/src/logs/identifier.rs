//! Reads the name or ARN by which a request names a group.

use serde_json::json;

use crate::error::AwsError;
use crate::validation::LOGS;

use super::Logs;
use super::state::no_such_group;
use super::validation::{check_name_length, invalid_parameter};

impl Logs {
    /// `arn:aws:logs:<region>:<account>:log-group:<name>`.
    pub(super) fn group_arn(&self, name: &str) -> String {
        format!("{}{name}", self.group_arn_prefix())
    }

    fn group_arn_prefix(&self) -> String {
        format!("arn:aws:logs:{}:{}:log-group:", self.shared.region, self.shared.account_id)
    }

    /// The name of the group that a request names with `logGroupName`, or with `logGroupIdentifier`, which is a name or an ARN.
    pub(super) fn group_name(&self, name: Option<String>, identifier: Option<String>) -> Result<String, AwsError> {
        match (name, identifier) {
            (Some(_), Some(_)) => {
                let text = "LogGroup name and LogGroup ARN are mutually exclusive parameters.";
                Err(AwsError::bad_request("ValidationException", text))
            }
            (Some(name), None) => Ok(name),
            (None, Some(identifier)) if identifier.starts_with("arn:") => self.group_of_arn(&identifier),
            (None, Some(name)) => {
                check_name_length(&name)?;
                LOGS.check("LogGroupName", "logGroupIdentifier", &json!(name))?;
                Ok(name)
            }
            // Unverified: AWS's message for neither is not recorded.
            (None, None) => Err(invalid_parameter("Either logGroupName or logGroupIdentifier must be given.")),
        }
    }

    /// The group's name in its ARN, which may end with `:*`.
    ///
    /// # Errors
    /// The ARN is of another account or region, which has no groups here.
    pub(super) fn group_of_arn(&self, arn: &str) -> Result<String, AwsError> {
        let arn = arn.strip_suffix(":*").unwrap_or(arn);
        let name = arn.strip_prefix(self.group_arn_prefix().as_str()).ok_or_else(no_such_group)?;
        Ok(name.to_owned())
    }
}
