//! Where the pollers of a mapping are, and how the last batch went. Survives updates and pauses; with a store, restarts too.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::lanes::Unfinished;
use super::persist::{Checkpoint, Checkpoints};
use super::window::Window;
use crate::kinesis::{Cursor, Stream};

/// The progress of a mapping, shared by its pollers.
pub struct Progress {
    shards: Mutex<Shards>,
    checkpoints: Checkpoints,
    result: Mutex<ProcessingResult>,
}

struct Shards {
    /// Of the stream that the shards are of.
    incarnation: u64,
    by_id: HashMap<String, ShardProgress>,
}

/// How far a shard is processed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ShardProgress {
    pub place: Option<Place>,
    /// The tumbling window that is open.
    pub window: Option<Window>,
    /// Batches that were tried and are not done with.
    #[serde(default)]
    pub unfinished: Vec<Unfinished>,
    #[serde(default)]
    pub result: ProcessingResult,
}

/// How far a shard is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Place {
    At(Cursor),
    /// The shard is closed and all of it was processed: its children may be read.
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

impl Progress {
    pub fn new(stream: &Stream, places: HashMap<String, Place>, checkpoints: Checkpoints) -> Self {
        let begun = |(shard_id, place)| (shard_id, ShardProgress { place: Some(place), ..ShardProgress::default() });
        let shards = Shards { incarnation: stream.incarnation, by_id: places.into_iter().map(begun).collect() };
        Self { shards: Mutex::new(shards), checkpoints, result: Mutex::default() }
    }

    /// The progress that these checkpoints of shards tell, those of the latest stream if there were several of its name.
    /// Which shard's result came last is not kept: a failure outweighs a success.
    pub fn restored(of_shards: Vec<(String, Checkpoint)>, checkpoints: Checkpoints) -> Self {
        let incarnation = of_shards.iter().map(|(_, checkpoint)| checkpoint.incarnation).max().unwrap_or_default();
        let latest = of_shards.into_iter().filter(|(_, checkpoint)| checkpoint.incarnation == incarnation);
        let by_id: HashMap<_, _> = latest.map(|(shard_id, checkpoint)| (shard_id, checkpoint.shard)).collect();
        let result = by_id.values().map(|shard| shard.result).max().unwrap_or_default();
        Self { shards: Mutex::new(Shards { incarnation, by_id }), checkpoints, result: Mutex::new(result) }
    }

    /// Has every shard's progress in the store.
    pub fn keep_all(&self) {
        let shards = self.shards();
        for (shard_id, shard) in &shards.by_id {
            self.checkpoints.keep(shard_id, shards.incarnation, shard);
        }
    }

    pub fn shard(&self, shard_id: &str) -> ShardProgress {
        self.shards().by_id.get(shard_id).cloned().unwrap_or_default()
    }

    pub fn place(&self, shard_id: &str) -> Option<Place> {
        self.shards().by_id.get(shard_id)?.place.clone()
    }

    /// The tumbling window that a shard is in.
    pub fn window(&self, shard_id: &str) -> Option<Window> {
        self.shards().by_id.get(shard_id)?.window.clone()
    }

    /// Changes a shard's progress and, if `change` says that it did, keeps all of it in one write: what a window's state
    /// counts is what the place has passed. Nothing is kept of a stream whose name another has by now.
    pub fn update(&self, stream: &Stream, shard_id: &str, change: impl FnOnce(&mut ShardProgress) -> bool) {
        let mut shards = self.shards();
        if shards.incarnation != stream.incarnation {
            return;
        }
        let shard = shards.by_id.entry(shard_id.to_owned()).or_default();
        if change(shard) {
            self.checkpoints.keep(shard_id, stream.incarnation, shard);
        }
    }

    /// Whether the places are this stream's, and not those of one that had its name before.
    pub fn is_of(&self, stream: &Stream) -> bool {
        self.shards().incarnation == stream.incarnation
    }

    /// Begins with a stream made again under the name: it is read from its beginning.
    pub fn begin_with(&self, stream: &Stream) {
        *self.shards() = Shards { incarnation: stream.incarnation, by_id: HashMap::new() };
    }

    pub fn result(&self) -> ProcessingResult {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_result(&self, result: ProcessingResult) {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = result;
    }

    fn shards(&self) -> MutexGuard<'_, Shards> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets a member; whether that changes it.
pub fn set<T: PartialEq>(member: &mut T, value: T) -> bool {
    let is_changed = *member != value;
    *member = value;
    is_changed
}
