//! The records of every stream. A put appends under the read lock of its stream's shards, a reshard closes and adds shards
//! under the write lock: a shard that is closed has all its records before its children have one.

mod chunk;
mod read;
mod sequence;
mod shard;
mod stored;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use kinesis_event_logger_core::route::shard_index;

use stored::StoredShard;

use super::persist::Pending;
use crate::store::{Budget, Store};
#[cfg(test)]
pub use chunk::Entry;
pub use chunk::{ChunkBuilder, RECORD_OVERHEAD};
pub use read::{Item, Read, Span};
pub use sequence::{SequenceText, ShardSequence};
pub use shard::{Appended, ShardLog};

/// What a stream says of its records.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub is_encrypted: bool,
    /// How long records are kept, in milliseconds.
    pub retention_ms: u64,
    /// The largest record, key and data together.
    pub max_record_bytes: usize,
    pub status: Status,
}

/// What a stream can be used for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Status {
    /// It is being made or deleted.
    Absent,
    /// It takes and gives records, and something about it is about to change.
    Changing,
    Active,
}

/// A shard as the stream's description has it.
#[derive(Debug, Clone)]
pub struct ShardDescription {
    pub id: String,
    pub sequence: ShardSequence,
    pub hash_keys: RangeInclusive<u128>,
    pub parents: Vec<String>,
    /// Epoch milliseconds at which it was closed, as exactly as its numbers tell.
    pub closed: Option<u64>,
}

/// The records of one stream.
pub struct StreamLog {
    pub name: String,
    /// Tells the stream from others of this name, before and after it: no two streams have one number.
    pub incarnation: u64,
    shards: RwLock<Shards>,
    /// Records go to the shards in turn, whatever their keys (`RecordDistributionStrategy` `AUTO`).
    is_distributed: AtomicBool,
    /// How many records were distributed.
    distributed: AtomicUsize,
    /// The change of the stream that is under way.
    pending: Mutex<Option<Pending>>,
    store: Store,
    budget: Budget,
}

/// The shards of a stream as they are now.
pub struct Shards {
    pub settings: Settings,
    /// Every shard, closed ones included, in the order they were made.
    pub all: Vec<Arc<ShardLog>>,
    /// Those that take records, in the order of their hash keys.
    open: Vec<Arc<ShardLog>>,
}

impl StreamLog {
    pub fn new(name: String, incarnation: u64, settings: Settings, store: Store, budget: Budget) -> Self {
        let shards = Shards { settings, all: Vec::new(), open: Vec::new() };
        let (is_distributed, distributed) = (AtomicBool::new(false), AtomicUsize::new(0));
        Self {
            name,
            incarnation,
            shards: RwLock::new(shards),
            is_distributed,
            distributed,
            pending: Mutex::default(),
            store,
            budget,
        }
    }

    /// The shards, as they stay while this is held.
    pub fn shards(&self) -> RwLockReadGuard<'_, Shards> {
        self.shards.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what the stream's description says, as of `now` in epoch milliseconds. Whether any shard is new or closed.
    pub fn describe(&self, settings: Settings, described: Vec<ShardDescription>, now: u64) -> bool {
        let mut shards = self.shards.write().unwrap_or_else(PoisonError::into_inner);
        shards.settings = settings;
        let known = shards.all.len();
        let is_closing = |(shard, described): &(&Arc<ShardLog>, &ShardDescription)| {
            described.closed.is_some() && shard.closed().is_none()
        };
        let closing: Vec<_> =
            shards.all.iter().zip(&described).filter(is_closing).map(|(shard, _)| Arc::clone(shard)).collect();
        closing.iter().for_each(|shard| shard.close(now));
        let is_changed = described.len() > known || !closing.is_empty();
        for mut new in described.into_iter().skip(known) {
            if new.parents.is_empty() {
                new.parents = overlapping(&closing, &new.hash_keys);
            }
            new.sequence = new.sequence.after(new.parents.iter().filter_map(|id| Some(shards.shard(id)?.sequence)));
            // The first shards are as old as the stream; the others begin where their parents end.
            let ends = new.parents.iter().filter_map(|parent| shards.shard(parent)?.closed());
            let opened = ends.max().unwrap_or(new.sequence.created_seconds * 1000);
            let stored = StoredShard::new(self.store.clone(), self.incarnation, new.sequence.index);
            shards.all.push(ShardLog::open(new, opened, stored, &self.budget));
        }
        if is_changed {
            let mut open: Vec<_> = shards.all.iter().filter(|shard| shard.closed().is_none()).cloned().collect();
            open.sort_by_key(|shard| *shard.hash_keys.start());
            shards.open = open;
        }
        is_changed
    }

    /// Whether records go to the shards in turn, whatever their keys.
    pub fn is_distributed(&self) -> bool {
        self.is_distributed.load(Ordering::Relaxed)
    }

    pub fn set_distributed(&self, is_distributed: bool) {
        self.is_distributed.store(is_distributed, Ordering::Relaxed);
    }

    /// The change of the stream that is under way.
    pub fn pending(&self) -> Option<Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_pending(&self, pending: Option<Pending>) {
        *self.pending.lock().unwrap_or_else(PoisonError::into_inner) = pending;
    }

    /// The stream is gone: who reads its shards reads to their ends.
    pub fn close(&self, now: u64) {
        self.shards().all.iter().for_each(|shard| shard.close(now));
    }

    /// The shard of this ID.
    pub fn shard(&self, id: &str) -> Option<Arc<ShardLog>> {
        self.shards().shard(id).cloned()
    }

    /// The position among `count` open shards of the next record that is distributed.
    pub fn distribute(&self, count: usize) -> usize {
        self.distributed.fetch_add(1, Ordering::Relaxed) % count.max(1)
    }

    /// Lets go of what is past retention at `now`, in epoch milliseconds.
    pub fn trim(&self, now: u64) {
        let shards = self.shards();
        let cutoff = shards.settings.cutoff(now);
        shards.all.iter().for_each(|shard| shard.trim(cutoff));
    }
}

impl Settings {
    /// Records that arrived before this are past retention at `now`, both in epoch milliseconds.
    pub fn cutoff(&self, now: u64) -> u64 {
        now.saturating_sub(self.retention_ms)
    }
}

impl Shards {
    pub fn shard(&self, id: &str) -> Option<&Arc<ShardLog>> {
        // A shard's index is its place among all.
        let index: usize = id.rsplit_once('-').map_or(id, |(_, index)| index).parse().ok()?;
        self.all.get(index)
    }

    /// The shards that take records, in the order of their hash keys.
    pub fn open(&self) -> &[Arc<ShardLog>] {
        &self.open
    }

    /// The position among the open shards of the one that takes a hash key.
    pub fn route(&self, hash_key: u128) -> Option<usize> {
        shard_index(hash_key, &self.open, |shard| &shard.hash_keys)
    }

    /// The shards that begin where this one ends.
    pub fn children(&self, id: &str) -> impl Iterator<Item = &Arc<ShardLog>> {
        self.all.iter().filter(move |shard| shard.parents.iter().any(|parent| parent == id))
    }
}

/// The shards whose records' keys a shard made by UpdateShardCount takes over: the engine names none.
fn overlapping(closing: &[Arc<ShardLog>], hash_keys: &RangeInclusive<u128>) -> Vec<String> {
    let overlaps = |shard: &&Arc<ShardLog>| {
        shard.hash_keys.start() <= hash_keys.end() && hash_keys.start() <= shard.hash_keys.end()
    };
    closing.iter().filter(overlaps).map(|shard| shard.id.clone()).collect()
}
