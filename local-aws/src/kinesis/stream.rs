//! A stream: its configuration, its shards, its consumers, and its pending change.
//!
//! **Status.** A stream is ACTIVE unless it has a [`PendingChange`], which has the change and the time when it takes
//! effect. Each change has one timer that completes it ([`Kinesis::schedule`](super::Kinesis)). After a restart, the
//! stored change starts the timer again.
//!
//! **Locks.** They are acquired in this order, and none is held across an `await`:
//!
//! 1. the lock for counting the shards of the whole account (`Shared::shard_limit`),
//! 2. the map of streams (`Shared::streams`),
//! 3. a stream's state. A put appends under its read lock. Every change is applied and committed to the store under its
//!    write lock. So a closed shard has all its records before its children have one, a shard is stored before its
//!    records, and a deleted stream gets no more records.
//! 4. a shard's records, and everything that needs only one lock at a time: subscriptions, watchers, limits, the store.

pub mod change;
pub mod configuration;
pub mod consumer;
pub mod stored;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use kinesis_event_logger_core::route::shard_index;

pub use change::{Change, PendingChange};
pub use configuration::{Configuration, Mode};
pub use consumer::{Consumer, ConsumerStatus};

use super::shard::{Shard, ShardDescription, ShardSequence};
use crate::error::AwsError;
use crate::store::{Budget, Store};

/// One incarnation of a stream. A later stream with the same name is another one.
pub struct Stream {
    pub name: String,
    pub arn: String,
    /// Unique among all streams.
    pub incarnation: u64,
    /// Epoch seconds.
    pub created_seconds: u64,
    state: RwLock<StreamState>,
    /// The number of records that were distributed over the shards regardless of their keys.
    distributed: AtomicUsize,
    storage: Storage,
}

/// The store and the memory budget of a stream's records.
#[derive(Clone)]
pub struct Storage {
    pub store: Store,
    pub budget: Budget,
}

/// The mutable state of a stream.
#[derive(Default)]
pub struct StreamState {
    pub configuration: Configuration,
    /// By name.
    pub consumers: BTreeMap<String, Consumer>,
    /// Every shard, including closed ones. A shard's position is its index.
    shards: Vec<Arc<Shard>>,
    /// The shards that accept records, in the order of their hash keys.
    open: Vec<Arc<Shard>>,
    pending: Option<PendingChange>,
    /// The number of changes of this stream since the start.
    changes: u64,
    /// Whether the stream was deleted while a caller still has it.
    is_deleted: bool,
}

/// `StreamStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Creating,
    Active,
    Updating,
    Deleting,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Active => "ACTIVE",
            Self::Updating => "UPDATING",
            Self::Deleting => "DELETING",
        }
    }

    /// Whether records can be put and read.
    pub fn is_available(self) -> bool {
        matches!(self, Self::Active | Self::Updating)
    }
}

impl Stream {
    /// Creates a stream without shards, which its pending change adds.
    pub fn new(arn: String, incarnation: u64, created_seconds: u64, state: StreamState, storage: Storage) -> Self {
        let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
        let (state, distributed) = (RwLock::new(state), AtomicUsize::new(0));
        Self { name, arn, incarnation, created_seconds, state, distributed, storage }
    }

    /// Locks the state for reading.
    pub fn state(&self) -> RwLockReadGuard<'_, StreamState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, StreamState> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and stores it. After an error, the stored state is unchanged.
    pub fn update<T>(&self, change: impl FnOnce(&mut StreamState) -> Result<T, AwsError>) -> Result<T, AwsError> {
        let mut state = self.state_mut();
        let changed = change(&mut state)?;
        self.persist(&state);
        Ok(changed)
    }

    /// Completes the pending change of this number and returns it, or `None` if another one has replaced it.
    pub fn finish(&self, number: u64, now: u64) -> Option<Change> {
        let mut state = self.state_mut();
        let PendingChange { change, .. } = state.pending.take_if(|pending| pending.number == number)?;
        match &change {
            Change::Delete => {
                state.is_deleted = true;
                state.shards.iter().for_each(|shard| shard.close(now));
                self.unpersist();
            }
            change => {
                state.apply(change, self, now);
                self.persist(&state);
            }
        }
        Some(change)
    }

    /// The shard with this ID.
    pub fn shard(&self, id: &str) -> Option<Arc<Shard>> {
        self.state().shard(id).cloned()
    }

    /// The position among `count` open shards for the next distributed record.
    pub fn distribute(&self, count: usize) -> usize {
        self.distributed.fetch_add(1, Ordering::Relaxed) % count.max(1)
    }

    /// Evicts records that are expired at `now`, in epoch milliseconds.
    pub fn trim(&self, now: u64) {
        let (cutoff, shards) = {
            let state = self.state();
            (state.configuration.cutoff(now), state.shards.clone())
        };
        shards.iter().for_each(|shard| shard.trim(cutoff));
    }
}

impl StreamState {
    /// The state of a stream that is being created.
    pub fn creating(configuration: Configuration) -> Self {
        Self { configuration, ..Self::default() }
    }

    pub fn status(&self) -> Status {
        match self.pending.as_ref().map(|pending| &pending.change) {
            _ if self.is_deleted => Status::Deleting,
            None => Status::Active,
            Some(Change::Create { .. }) => Status::Creating,
            Some(Change::Delete) => Status::Deleting,
            Some(_) => Status::Updating,
        }
    }

    pub fn pending(&self) -> Option<&PendingChange> {
        self.pending.as_ref()
    }

    /// Starts a change that takes effect at `due`, in epoch milliseconds. It replaces a pending change. Returns its number.
    pub fn begin(&mut self, change: Change, due: u64) -> u64 {
        self.changes += 1;
        self.pending = Some(PendingChange { change, due, number: self.changes });
        self.changes
    }

    /// Every shard, including closed ones, in the order of their indexes.
    pub fn shards(&self) -> &[Arc<Shard>] {
        &self.shards
    }

    pub fn shard(&self, id: &str) -> Option<&Arc<Shard>> {
        let index: usize = id.rsplit_once('-').map_or(id, |(_, index)| index).parse().ok()?;
        self.shards.get(index)
    }

    /// The shards that accept records, in the order of their hash keys.
    pub fn open(&self) -> &[Arc<Shard>] {
        &self.open
    }

    /// The number of open shards now or after the pending change, whichever is more.
    pub fn reserved_shards(&self) -> usize {
        let planned = match self.pending.as_ref().map(|pending| &pending.change) {
            Some(Change::Create { shards } | Change::Resize { shards }) => *shards as usize,
            Some(Change::Split { .. }) => self.open.len() + 1,
            _ => 0,
        };
        planned.max(self.open.len())
    }

    /// The position among the open shards of the one that covers a hash key.
    pub fn route(&self, hash_key: u128) -> Option<usize> {
        shard_index(hash_key, &self.open, |shard| &shard.hash_keys)
    }

    /// The shards that begin where this one ends.
    pub fn children(&self, id: &str) -> impl Iterator<Item = &Arc<Shard>> {
        self.shards.iter().filter(move |shard| shard.parents.iter().any(|parent| parent == id))
    }

    /// Closes shards and opens new ones as their children.
    fn replace(&mut self, stream: &Stream, closing: &[Arc<Shard>], new: Vec<RangeInclusive<u128>>, now: u64) {
        closing.iter().for_each(|shard| shard.close(now));
        for hash_keys in new {
            let parents: Vec<_> = closing.iter().filter(|shard| overlap(&shard.hash_keys, &hash_keys)).collect();
            let index = u32::try_from(self.shards.len()).unwrap_or(u32::MAX);
            // The first shards are as old as the stream. AWS dates the others one second ahead.
            let created_seconds = if parents.is_empty() { stream.created_seconds } else { now / 1000 + 1 };
            let sequence = ShardSequence { created_seconds, index }.after(parents.iter().map(|shard| shard.sequence));
            let opened = parents.iter().filter_map(|parent| parent.closed()).max();
            let parents = parents.iter().map(|parent| parent.id.clone()).collect();
            let opened = opened.unwrap_or(created_seconds * 1000);
            let description = ShardDescription { sequence, hash_keys, parents, opened };
            self.shards.push(Shard::create(description, stream.incarnation, &stream.storage));
        }
        self.find_open();
    }

    fn find_open(&mut self) {
        self.open = self.shards.iter().filter(|shard| shard.closed().is_none()).cloned().collect();
        self.open.sort_by_key(|shard| *shard.hash_keys.start());
    }
}

fn overlap(one: &RangeInclusive<u128>, other: &RangeInclusive<u128>) -> bool {
    one.start() <= other.end() && other.start() <= one.end()
}
