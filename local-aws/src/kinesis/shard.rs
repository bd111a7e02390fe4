//! A shard and its records, in order. One lock guards the records. A record gets its number and its position in one
//! step, so a reader cannot skip a record that is appended later with a lower number.

mod chunk;
mod read;
mod sequence;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;

use super::limits::ShardLimits;
use super::stream::Storage;
use crate::store::{self, Budget, MemoryOwner, Share, StoreError};
use chunk::Chunk;
#[cfg(test)]
pub use chunk::ChunkEntry;
pub use chunk::{ChunkBuilder, RECORD_OVERHEAD};
use read::wanted;
pub use read::{Item, Read, Span};
pub use sequence::{SequenceText, ShardSequence};
use stored::StoredRecords;

/// The constant properties of a shard.
#[derive(Debug, Clone)]
pub struct ShardDescription {
    pub sequence: ShardSequence,
    /// The range of hash keys of its records.
    pub hash_keys: RangeInclusive<u128>,
    /// The parents, whose end is this shard's beginning: none, one (split), two (merge), or more after UpdateShardCount.
    pub parents: Vec<String>,
    /// The time from which on the shard accepted records, in epoch milliseconds.
    pub opened: u64,
}

/// A shard and its records.
pub struct Shard {
    pub id: String,
    pub sequence: ShardSequence,
    pub hash_keys: RangeInclusive<u128>,
    pub parents: Vec<String>,
    pub opened: u64,
    records: Mutex<Records>,
    limits: Mutex<ShardLimits>,
    changes: watch::Sender<u64>,
    stored: StoredRecords,
    budget: Budget,
    share: Share,
}

struct Records {
    /// The newest chunks. Older ones are only in the store, or lost if there is no data directory.
    chunks: VecDeque<Chunk>,
    /// The counter of the next record. Counter 0 is the shard's own number.
    next: u64,
    /// The time when the shard was closed, in epoch milliseconds.
    closed: Option<u64>,
    /// The latest arrival. Arrival times never decrease within a shard.
    arrival: u64,
}

/// The record in question may be older than those in memory.
struct NotInMemory {
    /// The counter of the first record in memory.
    first: u64,
    /// The counter to use if the disk has no earlier match.
    found: u64,
}

/// Records that were appended together.
#[derive(Debug)]
pub struct AppendedRecords {
    /// The counter of the first record. The others follow.
    pub first: u64,
    /// Epoch milliseconds.
    pub arrival: u64,
}

/// The ID of the shard with this index.
pub fn shard_id(index: u32) -> String {
    format!("shardId-{index:012}")
}

impl Shard {
    /// Creates a shard of the stream with this incarnation.
    pub fn create(description: ShardDescription, incarnation: u64, storage: &Storage) -> Arc<Self> {
        let stored = StoredRecords::new(storage.store.clone(), incarnation, description.sequence.index);
        let records = Records { chunks: VecDeque::new(), next: 1, closed: None, arrival: 0 };
        Self::with_records(description, stored, records, storage)
    }

    /// Restores a shard with its stored records. Reads the disk.
    pub fn restore(
        description: ShardDescription,
        closed: Option<u64>,
        incarnation: u64,
        storage: &Storage,
    ) -> Arc<Self> {
        let stored = StoredRecords::new(storage.store.clone(), incarnation, description.sequence.index);
        // If this cannot be read, the store has failed. It then accepts no changes, so no number is reused.
        let last = stored.last_before(u64::MAX).unwrap_or_default();
        let next = last.as_ref().map_or(1, Chunk::end);
        let arrival = last.map_or(0, |chunk| chunk.arrival);
        Self::with_records(description, stored, Records { chunks: VecDeque::new(), next, closed, arrival }, storage)
    }

    fn with_records(
        description: ShardDescription,
        stored: StoredRecords,
        records: Records,
        storage: &Storage,
    ) -> Arc<Self> {
        let ShardDescription { sequence, hash_keys, parents, opened } = description;
        Arc::new_cyclic(|shard: &Weak<Self>| Self {
            id: shard_id(sequence.index),
            sequence,
            hash_keys,
            parents,
            opened,
            records: Mutex::new(records),
            limits: Mutex::new(ShardLimits::new(0)),
            changes: watch::channel(0).0,
            stored,
            share: storage.budget.share(Weak::clone(shard) as Weak<dyn MemoryOwner>),
            budget: storage.budget.clone(),
        })
    }

    /// Appends records. Memory and the store have them in the order of their numbers.
    pub fn append(&self, records: ChunkBuilder, now: u64, is_encrypted: bool) -> AppendedRecords {
        let mut log = self.lock();
        let (first, arrival) = (log.next, now.max(log.arrival));
        let chunk = records.build(first, arrival, is_encrypted);
        self.stored.write(&chunk);
        self.share.allocate(chunk.bytes());
        log.next = chunk.end();
        log.arrival = arrival;
        log.chunks.push_back(chunk);
        drop(log);
        self.budget.evict_excess();
        self.changed();
        AppendedRecords { first, arrival }
    }

    /// The limits per second.
    pub fn limits(&self) -> MutexGuard<'_, ShardLimits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops accepting records.
    pub fn close(&self, now: u64) {
        self.lock().closed.get_or_insert(now);
        self.changed();
    }

    /// The time when the shard was closed, in epoch milliseconds. `None` while it is open.
    pub fn closed(&self) -> Option<u64> {
        self.lock().closed
    }

    /// The counter of the next record.
    pub fn next(&self) -> u64 {
        self.lock().next
    }

    /// The counter of the first record that arrived at or after `time`, in epoch milliseconds, or of the next record if
    /// there is none. Reads the disk, on a blocking thread, only if memory is not sufficient.
    ///
    /// # Errors
    /// The data directory cannot be read.
    pub async fn at_time(self: &Arc<Self>, time: u64) -> Result<u64, StoreError> {
        match self.at_time_in_memory(time) {
            Ok(found) => Ok(found),
            Err(NotInMemory { first, found }) => {
                let shard = Arc::clone(self);
                let stored = store::run_blocking(move || shard.stored_at_time(time, first)).await?;
                Ok(stored.unwrap_or(found))
            }
        }
    }

    fn at_time_in_memory(&self, time: u64) -> Result<u64, NotInMemory> {
        let log = self.lock();
        let index = log.chunks.partition_point(|chunk| chunk.arrival < time);
        let (found, first) = (log.chunks.get(index).map_or(log.next, |chunk| chunk.first), log.first());
        let is_certain = index > 0 || first <= 1 || !self.stored.is_persistent();
        if is_certain { Ok(found) } else { Err(NotInMemory { first, found }) }
    }

    /// Like [`Shard::at_time`], for the stored chunks that begin before counter `end`. `None` if all records arrived
    /// earlier.
    fn stored_at_time(&self, time: u64, end: u64) -> Result<Option<u64>, StoreError> {
        let (mut low, mut high, mut found) = (0, end, None);
        while self.stored.is_persistent() && low < high {
            let middle = low + (high - low).div_ceil(2);
            match self.stored.last_before(middle)? {
                Some(chunk) if chunk.arrival >= time => {
                    found = Some(chunk.first);
                    high = chunk.first;
                }
                Some(chunk) => low = middle.max(chunk.end()),
                None => low = middle,
            }
        }
        Ok(found)
    }

    /// Like [`Shard::read`], but reads the disk on a blocking thread.
    pub async fn read_on_blocking_thread(self: &Arc<Self>, span: Span) -> Result<Read, StoreError> {
        if !self.stored.is_persistent() || span.from >= self.lock().first() {
            return self.read(span);
        }
        let shard = Arc::clone(self);
        store::run_blocking(move || shard.read(span)).await
    }

    /// # Errors
    /// The data directory cannot be read.
    pub fn read(&self, mut span: Span) -> Result<Read, StoreError> {
        let log = self.lock();
        let begin = log.chunks.partition_point(|chunk| chunk.arrival < span.cutoff || chunk.end() <= span.from);
        let in_memory: Vec<Chunk> = wanted(span, log.chunks.range(begin..).cloned()).collect();
        let (end, is_closed, first) = (log.next, log.closed.is_some(), log.first());
        drop(log);
        let mut chunks = Vec::new();
        if span.from < first && self.stored.is_persistent() {
            let mut failure = None;
            let stored = self.stored.read(span.from, first)?;
            let stored = stored.map_while(|chunk| chunk.map_err(|error| failure = Some(error)).ok());
            chunks.extend(wanted(span, stored.filter(|chunk| chunk.arrival >= span.cutoff && chunk.end() > span.from)));
            if let Some(failure) = failure {
                return Err(failure);
            }
        }
        let is_whole = chunks.last().map_or(span.from, Chunk::end) >= first || chunks.is_empty();
        if is_whole {
            chunks.extend(in_memory);
        }
        // The records before the first chunk were removed.
        span.from = span.from.max(chunks.first().map_or(end, |chunk| chunk.first));
        Ok(Read { chunks, span, end, is_closed })
    }

    /// Removes the records that arrived before `cutoff`, in epoch milliseconds, except the last chunk, which determines the
    /// next sequence number. No read returns it.
    pub fn trim(&self, cutoff: u64) {
        let mut log = self.lock();
        let mut released = 0;
        while log.chunks.len() > 1 && log.chunks[0].arrival < cutoff {
            released += log.chunks.pop_front().map_or(0, |chunk| chunk.bytes());
        }
        self.share.release(released);
        let first = log.first();
        drop(log);
        if self.stored.is_persistent()
            && let Err(error) = self.trim_stored(cutoff, first)
        {
            tracing::error!("expired records could not be removed: {error}");
        }
    }

    /// Like [`Shard::trim`], for the stored chunks that begin before counter `end`.
    fn trim_stored(&self, cutoff: u64, end: u64) -> Result<(), StoreError> {
        let retained = self.stored_at_time(cutoff, end)?.unwrap_or(end);
        let last = self.stored.last_before(u64::MAX)?.map_or(retained, |chunk| chunk.first);
        self.stored.remove_before(retained.min(last));
        Ok(())
    }

    /// Changes whenever a record is appended or the shard is closed. A reader that subscribes, reads and then waits misses
    /// no change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|version| *version += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    /// The counter of the first record in memory, or of the next record if there is none.
    fn first(&self) -> u64 {
        self.chunks.front().map_or(self.next, |chunk| chunk.first)
    }
}

impl MemoryOwner for Shard {
    fn evict(&self, bytes: usize) -> usize {
        let mut log = self.lock();
        let mut evicted = 0;
        while evicted < bytes
            && let Some(chunk) = log.chunks.pop_front()
        {
            evicted += chunk.bytes();
        }
        evicted
    }
}
