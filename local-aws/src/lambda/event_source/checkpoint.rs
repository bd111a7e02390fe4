//! The progress in each shard of a mapping, as it is stored. It changes with every batch.

use serde::{Deserialize, Serialize};

use super::lanes::{LaneProgress, UnfinishedBatch};
use super::window::Window;
use crate::kinesis::Cursor;
use crate::store::{Keyspace, Store};

/// The progress in one shard.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ShardProgress {
    #[serde(rename = "place")]
    pub position: Option<ReadPosition>,
    /// The open tumbling window.
    pub window: Option<Window>,
    /// Batches that were started and are not finished.
    #[serde(default)]
    pub unfinished: Vec<UnfinishedBatch>,
    /// The records that are finished beyond the position.
    #[serde(default)]
    pub lanes: Vec<LaneProgress>,
    #[serde(default)]
    pub result: ProcessingResult,
}

/// The position up to which a shard is finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ReadPosition {
    At(Cursor),
    /// The shard is closed and all of it was processed. Its children may be read.
    Drained,
}

/// `LastProcessingResult`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ProcessingResult {
    #[default]
    NoRecords,
    Ok,
    FunctionCallFailed,
    /// The data directory could not be read. AWS has no such result.
    ReadFailed,
}

impl ProcessingResult {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoRecords => "No records processed",
            Self::Ok => "OK",
            Self::FunctionCallFailed => "PROBLEM: Function call failed",
            Self::ReadFailed => "PROBLEM: The stream could not be read from the data directory",
        }
    }
}

/// Sets a member. Returns whether that changes it.
pub fn set<T: PartialEq>(member: &mut T, value: T) -> bool {
    let is_changed = *member != value;
    *member = value;
    is_changed
}

/// The progress in one shard of a stream.
#[derive(Debug, Serialize, Deserialize)]
pub struct Checkpoint<S = ShardProgress> {
    /// The stream's.
    pub incarnation: u64,
    #[serde(flatten)]
    pub shard: S,
}

/// Stores the checkpoints of one mapping.
#[derive(Clone)]
pub struct CheckpointStore {
    store: Store,
    uuid: String,
}

impl CheckpointStore {
    pub fn new(store: &Store, uuid: &str) -> Self {
        Self { store: store.clone(), uuid: uuid.to_owned() }
    }

    pub fn persist(&self, shard_id: &str, incarnation: u64, shard: &ShardProgress) {
        if self.store.is_persistent() {
            let checkpoint = Checkpoint { incarnation, shard };
            let mut batch = self.store.batch();
            batch.put_json(Keyspace::Checkpoints, format!("{}/{shard_id}", self.uuid), &checkpoint);
            batch.commit();
        }
    }

    pub fn remove(&self) {
        let mut batch = self.store.batch();
        // '0' is the character after the slash, so the range has all of the mapping's checkpoints.
        batch.remove_range(Keyspace::Checkpoints, format!("{}/", self.uuid), format!("{}0", self.uuid));
        batch.commit();
    }
}
