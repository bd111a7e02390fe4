//! The stream that a request is for: by its name, by its ARN, or by both.

use serde::Deserialize;
use serde_json::Value;

use super::{Kinesis, invalid, text};
use crate::error::AwsError;
use crate::validation;

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Target {
    pub stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    pub stream_arn: Option<String>,
}

impl Kinesis {
    /// The name of the stream that a request is for.
    pub(super) fn name_of(&self, target: Target) -> Result<String, AwsError> {
        let Target { stream_name, stream_arn } = target;
        let named = stream_arn.as_deref().map(|arn| self.name_in(arn)).transpose()?;
        match (stream_name, named) {
            // Unverified: AWS's text is not recorded.
            (Some(name), Some(other)) if name != other => Err(invalid(format!(
                "StreamName {name} and StreamARN {} are of two streams.",
                self.engine().arn(other)
            ))),
            (Some(name), _) => Ok(name),
            (None, Some(name)) => Ok(name.to_owned()),
            (None, None) => Err(invalid("Either StreamName or StreamARN must be provided.")),
        }
    }

    /// Names the stream of which a request has the ARN: the engine knows ARNs in a few operations only.
    ///
    /// # Errors
    /// The operation is about a stream, and the request names none.
    pub(super) fn name_stream(&self, operation: &str, input: &mut Value) -> Result<(), AwsError> {
        let member = |name| text(input, name).map(str::to_owned);
        let target = Target { stream_name: member("StreamName"), stream_arn: member("StreamARN") };
        if target.stream_arn.is_some() || validation::KINESIS.has_member(operation, "StreamName") {
            input["StreamName"] = self.name_of(target)?.into();
        }
        Ok(())
    }

    /// The name in the ARN of a stream.
    ///
    /// # Errors
    /// It belongs to another account or region; nothing of those is here.
    pub(super) fn name_in<'a>(&self, arn: &'a str) -> Result<&'a str, AwsError> {
        let name = stream_name(arn).unwrap_or(arn);
        if arn == self.engine().arn(name) {
            return Ok(name);
        }
        let account = arn.split(':').nth(4).unwrap_or_default();
        Err(AwsError::bad_request(
            "ResourceNotFoundException",
            format!("Stream {name} under account {account} not found."),
        ))
    }
}

/// `arn:aws:kinesis:REGION:ACCOUNT:stream/NAME` → `NAME`, of a consumer's ARN too.
pub(super) fn stream_name(arn: &str) -> Option<&str> {
    arn.split_once(":stream/").map(|(_, name)| name.split('/').next().unwrap_or(name))
}
