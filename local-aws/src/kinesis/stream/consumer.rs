//! Enhanced fan-out consumers of a stream.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A consumer that is registered with a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Consumer {
    pub name: String,
    /// Epoch seconds.
    pub created_seconds: u64,
    pub status: ConsumerStatus,
    pub tags: BTreeMap<String, String>,
    pub policy: Option<String>,
}

/// `ConsumerStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConsumerStatus {
    Creating,
    Active,
    Deleting,
}

impl Consumer {
    /// The consumer's ARN. `stream_arn` is the ARN of its stream.
    pub fn arn(&self, stream_arn: &str) -> String {
        format!("{stream_arn}/consumer/{}:{}", self.name, self.created_seconds)
    }
}
