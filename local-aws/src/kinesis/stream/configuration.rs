//! The settings of a stream.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The settings of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    pub mode: Mode,
    pub retention_hours: u32,
    /// The largest record in KiB, including its key.
    pub max_record_kib: u32,
    pub warm_throughput_mibps: u32,
    /// Whether records are distributed over the shards regardless of their keys (`RecordDistributionStrategy` `AUTO`).
    pub is_distributed: bool,
    /// The KMS key of an encrypted stream.
    pub encryption_key: Option<String>,
    pub shard_level_metrics: Vec<String>,
    pub tags: BTreeMap<String, String>,
    pub policy: Option<String>,
}

/// `StreamMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    Provisioned,
    OnDemand,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            mode: Mode::Provisioned,
            retention_hours: 24,
            max_record_kib: 1024,
            warm_throughput_mibps: 0,
            is_distributed: false,
            encryption_key: None,
            shard_level_metrics: Vec::new(),
            tags: BTreeMap::new(),
            policy: None,
        }
    }
}

impl Configuration {
    /// The retention of records, in milliseconds.
    pub fn retention_ms(&self) -> u64 {
        u64::from(self.retention_hours) * 3_600_000
    }

    /// Records that arrived before the result are expired at `now`, both in epoch milliseconds.
    pub fn cutoff(&self, now: u64) -> u64 {
        now.saturating_sub(self.retention_ms())
    }

    pub fn max_record_bytes(&self) -> usize {
        self.max_record_kib as usize * 1024
    }

    pub fn is_encrypted(&self) -> bool {
        self.encryption_key.is_some()
    }
}
