//! The chunks of one shard in the store. The key has the stream's incarnation, the shard's index and the first counter.

use crate::store::{Keyspace, Store, StoreError};

use super::chunk::Chunk;

const PREFIX: usize = 8 + 4;

/// The chunks of one shard in the store.
#[derive(Clone)]
pub struct StoredRecords {
    store: Store,
    prefix: [u8; PREFIX],
}

impl StoredRecords {
    pub fn new(store: Store, incarnation: u64, index: u32) -> Self {
        let mut prefix = [0; PREFIX];
        prefix[..8].copy_from_slice(&incarnation.to_be_bytes());
        prefix[8..].copy_from_slice(&index.to_be_bytes());
        Self { store, prefix }
    }

    /// Whether there is a data directory.
    pub fn is_persistent(&self) -> bool {
        self.store.is_persistent()
    }

    pub fn write(&self, chunk: &Chunk) {
        if self.is_persistent() {
            let mut batch = self.store.batch();
            batch.put(Keyspace::Records, self.key(chunk.first), chunk.block());
            batch.commit();
        }
    }

    /// Reads the chunks from the one that contains counter `from` to the last one that begins before counter `to`.
    ///
    /// # Errors
    /// The data directory cannot be read.
    pub fn read(
        &self,
        from: u64,
        to: u64,
    ) -> Result<impl Iterator<Item = Result<Chunk, StoreError>> + use<>, StoreError> {
        let begin = self.last_before(from.saturating_add(1))?.map_or(from, |chunk| chunk.first);
        let entries = self.store.range(Keyspace::Records, &self.key(begin), &self.key(to));
        Ok(entries.map(chunk_of))
    }

    /// The last chunk that begins before counter `to`.
    ///
    /// # Errors
    /// The data directory cannot be read.
    pub fn last_before(&self, to: u64) -> Result<Option<Chunk>, StoreError> {
        self.store.range(Keyspace::Records, &self.key(0), &self.key(to)).next_back().map(chunk_of).transpose()
    }

    /// Removes the chunks that begin before counter `to`.
    pub fn remove_before(&self, to: u64) {
        if self.is_persistent() {
            let mut batch = self.store.batch();
            batch.remove_range(Keyspace::Records, self.key(0), self.key(to));
            batch.commit();
        }
    }

    fn key(&self, first: u64) -> [u8; PREFIX + 8] {
        let mut key = [0; PREFIX + 8];
        key[..PREFIX].copy_from_slice(&self.prefix);
        key[PREFIX..].copy_from_slice(&first.to_be_bytes());
        key
    }
}

fn chunk_of(entry: Result<(bytes::Bytes, bytes::Bytes), StoreError>) -> Result<Chunk, StoreError> {
    let (key, block) = entry?;
    let chunk = key.last_chunk::<8>().and_then(|first| Chunk::read(u64::from_be_bytes(*first), block));
    chunk.ok_or(StoreError::NotARecord)
}
