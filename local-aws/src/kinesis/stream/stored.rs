//! Streams in the store: one JSON document per stream, with its name as key. `version` is the version of the format.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::change::HashKey;
use super::{Configuration, Consumer, PendingChange, Storage, Stream, StreamState};
use crate::kinesis::shard::{Shard, ShardDescription, ShardSequence};
use crate::store::{Batch, Keyspace};

/// The format of the documents. Documents of the first format have no version (`kinesis/restore/version_1.rs`).
pub const VERSION: u32 = 2;

/// The stored form of a stream.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredStream {
    pub version: u32,
    pub incarnation: u64,
    pub created_seconds: u64,
    pub configuration: Configuration,
    /// In the order of their indexes.
    pub shards: Vec<StoredShard>,
    pub consumers: Vec<Consumer>,
    pub pending: Option<PendingChange>,
}

/// A shard without its records, which have their own keyspace.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredShard {
    pub created_seconds: u64,
    /// Epoch milliseconds.
    pub opened: u64,
    pub closed: Option<u64>,
    pub first_hash_key: HashKey,
    pub last_hash_key: HashKey,
    pub parents: Vec<String>,
}

impl Stream {
    /// Restores a stream with the records of its shards.
    pub fn restore(arn: String, stored: StoredStream, storage: Storage) -> Self {
        let StoredStream { incarnation, created_seconds, configuration, shards, consumers, pending, .. } = stored;
        let shards = (0..).zip(shards).map(|(index, shard)| {
            let StoredShard { created_seconds, opened, closed, first_hash_key, last_hash_key, parents } = shard;
            let sequence = ShardSequence { created_seconds, index };
            let hash_keys = first_hash_key.0..=last_hash_key.0;
            Shard::restore(ShardDescription { sequence, hash_keys, parents, opened }, closed, incarnation, &storage)
        });
        let shards = shards.collect();
        let consumers: BTreeMap<_, _> =
            consumers.into_iter().map(|consumer| (consumer.name.clone(), consumer)).collect();
        let mut state = StreamState { configuration, consumers, shards, ..StreamState::default() };
        if let Some(PendingChange { change, due, .. }) = pending {
            state.begin(change, due);
        }
        state.find_open();
        Self::new(arn, incarnation, created_seconds, state, storage)
    }

    /// Stores a state whose lock is held.
    pub(super) fn persist(&self, state: &StreamState) {
        let mut batch = self.storage.store.batch();
        self.put(state, &mut batch);
        batch.commit();
    }

    /// Adds the stream in its current state to a batch.
    pub fn store_in(&self, batch: &mut Batch) {
        self.put(&self.state(), batch);
    }

    fn put(&self, state: &StreamState, batch: &mut Batch) {
        if !self.storage.store.is_persistent() || state.is_deleted {
            return;
        }
        let stored = StoredStream {
            version: VERSION,
            incarnation: self.incarnation,
            created_seconds: self.created_seconds,
            configuration: state.configuration.clone(),
            shards: state.shards.iter().map(StoredShard::of).collect(),
            consumers: state.consumers.values().cloned().collect(),
            pending: state.pending.clone(),
        };
        batch.put_json(Keyspace::Streams, &self.name, &stored);
    }

    /// Removes the stream and its records from the store.
    pub(super) fn unpersist(&self) {
        let (from, to) = (self.incarnation.to_be_bytes(), (self.incarnation + 1).to_be_bytes());
        let mut batch = self.storage.store.batch();
        batch.remove(Keyspace::Streams, &self.name).remove_range(Keyspace::Records, from, to);
        batch.commit();
    }
}

impl StoredShard {
    fn of(shard: &Arc<Shard>) -> Self {
        Self {
            created_seconds: shard.sequence.created_seconds,
            opened: shard.opened,
            closed: shard.closed(),
            first_hash_key: HashKey(*shard.hash_keys.start()),
            last_hash_key: HashKey(*shard.hash_keys.end()),
            parents: shard.parents.clone(),
        }
    }
}
