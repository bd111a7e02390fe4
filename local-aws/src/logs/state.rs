//! The state of the service: groups and their streams.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::AwsError;

use super::stream_map::{Stream, StreamMap};

/// The log group classes.
pub(super) const STANDARD: &str = "STANDARD";
pub(super) const INFREQUENT_ACCESS: &str = "INFREQUENT_ACCESS";
pub(super) const DELIVERY: &str = "DELIVERY";
pub(super) const ESSENTIALS: &str = "ESSENTIALS";

const MILLISECONDS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

/// All log groups.
#[derive(Default)]
pub(super) struct State {
    pub(super) groups: BTreeMap<String, Group>,
    /// The sequence number of the next event of any group.
    pub(super) next_sequence: u64,
    /// The ID of the next stream in the store.
    pub(super) next_stream: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Group {
    /// Epoch milliseconds.
    pub(super) created: i64,
    pub(super) retention_in_days: Option<i32>,
    pub(super) kms_key_id: Option<String>,
    pub(super) class: String,
    pub(super) deletion_protection: bool,
    pub(super) tags: BTreeMap<String, String>,
    #[serde(skip)]
    pub(super) streams: StreamMap,
}

impl State {
    pub(super) fn group(&self, name: &str) -> Result<&Group, AwsError> {
        self.groups.get(name).ok_or_else(no_such_group)
    }

    pub(super) fn group_mut(&mut self, name: &str) -> Result<&mut Group, AwsError> {
        self.groups.get_mut(name).ok_or_else(no_such_group)
    }

    /// Reserves `count` sequence numbers. Returns the first one.
    pub(super) fn reserve_sequences(&mut self, count: usize) -> u64 {
        let first = self.next_sequence;
        self.next_sequence += count as u64;
        first
    }
}

impl Group {
    pub(super) fn new(now: i64) -> Self {
        Self {
            created: now,
            retention_in_days: None,
            kms_key_id: None,
            class: STANDARD.to_owned(),
            deletion_protection: false,
            tags: BTreeMap::new(),
            streams: StreamMap::default(),
        }
    }

    pub(super) fn stream(&self, name: &str) -> Result<&Stream, AwsError> {
        self.stream_entry(name).map(|(_, stream)| stream)
    }

    /// The stream with the shared copy of its name.
    pub(super) fn stream_entry(&self, name: &str) -> Result<(&Arc<str>, &Stream), AwsError> {
        self.streams.get_entry(name).ok_or_else(no_such_stream)
    }

    /// Rejects an operation on a group that is not of the class STANDARD.
    ///
    /// # Errors
    /// The group's class does not support this operation. The message is AWS's, as reported for FilterLogEvents:
    /// <https://github.com/aws/karpenter-provider-aws/pull/9567>
    pub(super) fn must_be_standard(&self, operation: &str, name: &str) -> Result<(), AwsError> {
        if self.class == STANDARD {
            return Ok(());
        }
        let text = format!(
            "The log group {name} is of log-group-class {}. {operation} is not supported for this log class.",
            self.class
        );
        Err(AwsError::bad_request("InvalidOperationException", text))
    }

    /// The oldest timestamp within the retention, in epoch milliseconds. The class DELIVERY has one day: "Log events in log groups
    /// in the Delivery class are kept in CloudWatch Logs for only one day".
    pub(super) fn oldest_retained(&self, now: i64) -> i64 {
        let days = if self.class == DELIVERY { Some(1) } else { self.retention_in_days };
        match days {
            Some(days) => now - i64::from(days) * MILLISECONDS_PER_DAY,
            None => i64::MIN,
        }
    }
}

pub(super) fn no_such_group() -> AwsError {
    AwsError::bad_request("ResourceNotFoundException", "The specified log group does not exist.")
}

pub(super) fn no_such_stream() -> AwsError {
    AwsError::bad_request("ResourceNotFoundException", "The specified log stream does not exist.")
}
