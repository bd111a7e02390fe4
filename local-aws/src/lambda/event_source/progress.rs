//! The positions of a mapping's pollers and the result of its last batch. They survive updates and pauses, and with a data
//! directory, restarts.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::checkpoint::{Checkpoint, CheckpointStore, ProcessingResult, ReadPosition, ShardProgress};
use super::window::Window;
use crate::kinesis::Stream;

/// The progress of a mapping, shared by its pollers.
pub struct Progress {
    shards: Mutex<Shards>,
    checkpoints: CheckpointStore,
    result: Mutex<ProcessingResult>,
}

struct Shards {
    /// The stream's.
    incarnation: u64,
    by_id: HashMap<String, ShardProgress>,
}

impl Progress {
    pub fn new(stream: &Stream, positions: HashMap<String, ReadPosition>, checkpoints: CheckpointStore) -> Self {
        let started =
            |(shard_id, position)| (shard_id, ShardProgress { position: Some(position), ..ShardProgress::default() });
        let shards = Shards { incarnation: stream.incarnation, by_id: positions.into_iter().map(started).collect() };
        Self { shards: Mutex::new(shards), checkpoints, result: Mutex::default() }
    }

    /// Restores progress from the checkpoints of shards. If streams of the same name had different incarnations, the latest one
    /// counts. The order of the shards' results is not stored, so a failure outweighs a success.
    pub fn restored(of_shards: Vec<(String, Checkpoint)>, checkpoints: CheckpointStore) -> Self {
        let incarnation = of_shards.iter().map(|(_, checkpoint)| checkpoint.incarnation).max().unwrap_or_default();
        let latest = of_shards.into_iter().filter(|(_, checkpoint)| checkpoint.incarnation == incarnation);
        let by_id: HashMap<_, _> = latest.map(|(shard_id, checkpoint)| (shard_id, checkpoint.shard)).collect();
        let result = by_id.values().map(|shard| shard.result).max().unwrap_or_default();
        Self { shards: Mutex::new(Shards { incarnation, by_id }), checkpoints, result: Mutex::new(result) }
    }

    /// Persists every shard's progress.
    pub fn persist_all(&self) {
        let shards = self.shards();
        for (shard_id, shard) in &shards.by_id {
            self.checkpoints.persist(shard_id, shards.incarnation, shard);
        }
    }

    pub fn shard(&self, shard_id: &str) -> ShardProgress {
        self.shards().by_id.get(shard_id).cloned().unwrap_or_default()
    }

    pub fn position(&self, shard_id: &str) -> Option<ReadPosition> {
        self.shards().by_id.get(shard_id)?.position.clone()
    }

    /// The open tumbling window of a shard.
    pub fn window(&self, shard_id: &str) -> Option<Window> {
        self.shards().by_id.get(shard_id)?.window.clone()
    }

    /// Changes a shard's progress and persists it in one write if `change` returns true: a window's state always belongs to the
    /// position. Ignores an earlier stream of the same name.
    pub fn update(&self, stream: &Stream, shard_id: &str, change: impl FnOnce(&mut ShardProgress) -> bool) {
        let mut shards = self.shards();
        if shards.incarnation != stream.incarnation {
            return;
        }
        let shard = shards.by_id.entry(shard_id.to_owned()).or_default();
        if change(shard) {
            self.checkpoints.persist(shard_id, stream.incarnation, shard);
        }
    }

    /// Whether the positions are this stream's, and not those of an earlier one of the same name.
    pub fn is_for(&self, stream: &Stream) -> bool {
        self.shards().incarnation == stream.incarnation
    }

    /// Starts over with a new stream of the same name, which is read from its beginning.
    pub fn restart_with(&self, stream: &Stream) {
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
