//! The engine, `fjall`: a log-structured merge tree with a journal in front, whose torn end it drops when it opens.

use std::path::{Path, PathBuf};

use bytes::{BufMut, Bytes, BytesMut};
use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use super::{Changes, Keyspace, StoreError};

/// Bounds what is read again at the start, and so how long that takes.
const JOURNAL_BYTES: u64 = 128 << 20;
const MEMTABLE_BYTES: u64 = 16 << 20;
const CACHE_BYTES: u64 = 8 << 20;

pub struct Engine {
    dir: PathBuf,
    database: Database,
    /// What is small and changes in place, and the two that only grow at their ends: a tree each.
    state: fjall::Keyspace,
    records: fjall::Keyspace,
    events: fjall::Keyspace,
}

/// A key as it is on disk: after the number of its keyspace.
pub fn key(keyspace: Keyspace, key: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(1 + key.len());
    bytes.put_u8(keyspace as u8);
    bytes.put_slice(key);
    bytes.freeze()
}

impl Engine {
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let failed = |source| match source {
            fjall::Error::Locked => StoreError::Locked(dir.to_owned()),
            source => failure(dir, source),
        };
        let database = Database::builder(dir.join("store"))
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(1)
            .open()
            .map_err(failed)?;
        let tree = |name| {
            let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
            database.keyspace(name, options).map_err(failed)
        };
        let (state, records, events) = (tree("state")?, tree("records")?, tree("events")?);
        Ok(Self { dir: dir.to_owned(), database, state, records, events })
    }

    /// Writes these together or not at all; they are with the operating system when this returns.
    pub fn write(&self, group: Vec<Changes>) -> Result<(), StoreError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::Buffer));
        for changes in group {
            if !changes.removed_ranges.is_empty() {
                // What is to be removed is looked up: all that comes before must be there.
                let before = std::mem::replace(&mut batch, self.database.batch());
                before.commit().map_err(|source| self.failed(source))?;
                batch = batch.durability(Some(PersistMode::Buffer));
            }
            for (keyspace, from, to) in changes.removed_ranges {
                let tree = self.tree(keyspace);
                for entry in tree.range(from..to) {
                    batch.remove(tree, entry.key().map_err(|source| self.failed(source))?);
                }
            }
            for (keyspace, key) in changes.removals {
                batch.remove(self.tree(keyspace), key);
            }
            for (keyspace, key, value) in changes.puts {
                batch.insert(self.tree(keyspace), key, value);
            }
        }
        batch.commit().map_err(|source| self.failed(source))
    }

    /// Brings what was written to the disk itself, where a power failure does not take it.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.database.persist(PersistMode::SyncData).map_err(|source| self.failed(source))
    }

    /// Up to and without `to`.
    pub fn range(&self, keyspace: Keyspace, from: &[u8], to: &[u8]) -> Entries {
        self.entries(self.tree(keyspace).range(key(keyspace, from)..key(keyspace, to)))
    }

    pub fn all(&self, keyspace: Keyspace) -> Entries {
        self.entries(self.tree(keyspace).prefix([keyspace as u8]))
    }

    fn entries(&self, entries: fjall::Iter) -> Entries {
        Entries { dir: self.dir.clone(), entries }
    }

    fn tree(&self, keyspace: Keyspace) -> &fjall::Keyspace {
        match keyspace {
            Keyspace::Records => &self.records,
            Keyspace::LogEvents => &self.events,
            _ => &self.state,
        }
    }

    fn failed(&self, source: fjall::Error) -> StoreError {
        failure(&self.dir, source)
    }
}

/// A full disk, a folder that is gone: in the system's own words.
fn failure(dir: &Path, source: fjall::Error) -> StoreError {
    match source {
        fjall::Error::Io(source) => StoreError::Io { dir: dir.to_owned(), source },
        source => StoreError::Engine { dir: dir.to_owned(), source },
    }
}

/// Keys, as their keyspace has them, and values.
pub struct Entries {
    dir: PathBuf,
    entries: fjall::Iter,
}

impl Entries {
    fn read(&self, entry: fjall::Guard) -> Result<(Bytes, Bytes), StoreError> {
        let (key, value) = entry.into_inner().map_err(|source| failure(&self.dir, source))?;
        Ok((Bytes::from(key).slice(1..), value.into()))
    }
}

impl Iterator for Entries {
    type Item = Result<(Bytes, Bytes), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.entries.next().map(|entry| self.read(entry))
    }
}

impl DoubleEndedIterator for Entries {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.entries.next_back().map(|entry| self.read(entry))
    }
}
