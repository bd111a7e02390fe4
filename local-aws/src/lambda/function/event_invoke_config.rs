//! The configuration for asynchronous invocations: attempts, age and destinations.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html>

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The configuration for asynchronous invocations of a version or alias. The default value has AWS's defaults.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct EventInvokeConfig {
    pub max_retries: Option<u32>,
    pub max_age_seconds: Option<i64>,
    /// The ARN of the destination, or empty if there is none.
    pub on_success: String,
    pub on_failure: String,
    /// Epoch seconds.
    pub last_modified: f64,
}

impl EventInvokeConfig {
    pub fn max_retries(&self) -> u32 {
        self.max_retries.unwrap_or(2)
    }

    pub fn max_age(&self) -> Duration {
        Duration::from_secs(self.max_age_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(21_600))
    }

    /// A `FunctionEventInvokeConfig`.
    pub fn to_json(&self, function_arn: String) -> Value {
        let destination = |arn: &str| if arn.is_empty() { json!({}) } else { json!({ "Destination": arn }) };
        let mut members = json!({
            "FunctionArn": function_arn,
            "LastModified": self.last_modified,
            "DestinationConfig": {
                "OnSuccess": destination(&self.on_success), "OnFailure": destination(&self.on_failure),
            },
        });
        if let Some(retries) = self.max_retries {
            members["MaximumRetryAttempts"] = json!(retries);
        }
        if let Some(seconds) = self.max_age_seconds {
            members["MaximumEventAgeInSeconds"] = json!(seconds);
        }
        members
    }
}
