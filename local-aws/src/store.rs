//! Durable state: ordered keys in keyspaces, written in atomic batches by one thread.
//!
//! All state lives in memory. The store persists each change. It is read at the start, and for data that was evicted from memory.
//! [`Batch::commit`] appends a batch to the write queue and returns at once, so that it can be called under a lock. The writer
//! thread drains the queue with group commit and preserves the order. So after a crash the store holds a prefix of that order: a
//! checkpoint is never persisted without a line that was committed before it. [`Store::flushed`] resolves once everything that was
//! committed before it is in the page cache, which survives `kill -9`. The endpoint awaits it before each answer.
//!
//! Without a data directory, [`Store::default`] ignores batches and is always flushed. Only this module uses the engine, the crate
//! `fjall`.

mod budget;
mod changes;
mod check;
mod commits;
mod database;
mod engine;
mod error;
pub mod folder;
mod layout;
mod recover;
mod regions;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::private;

pub use budget::{Budget, MemoryOwner, Share};
use changes::Changes;
pub use changes::Keyspace;
use engine::Engine;
pub use error::StoreError;
pub use regions::Contents;
use regions::Region;
use writer::Writer;

/// The most memory that the store uses: the engine's buffers and the write queue.
pub const MEMORY_BYTES: usize = engine::MEMORY_BYTES + writer::MAX_QUEUED_BYTES;

/// A handle on the store. Clones share it. Dropping the last one drains the write queue and releases the data directory.
#[derive(Clone, Default)]
pub struct Store {
    open: Option<Arc<Open>>,
    /// The region whose keys have a prefix; `None` for the home region and what all regions share.
    region: Option<Arc<Region>>,
}

struct Open {
    // Fields are dropped in order: the writer ends before the engine.
    writer: Writer,
    engine: Arc<Engine>,
}

/// Runs work that reads the disk on a blocking thread, so that the threads that serve requests do not wait for it.
pub async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Changes that are written atomically. They have no order among themselves.
#[must_use = "a batch that is not committed changes nothing"]
pub struct Batch {
    store: Store,
    changes: Changes,
}

impl Store {
    /// Opens a data directory and creates it if needed. Without one, nothing is persisted. Blocks for tens to hundreds of
    /// milliseconds. With `is_recovering`, copies a damaged directory and opens what is valid in it.
    ///
    /// # Errors
    /// The directory is not a data directory, has a newer format, is in use or damaged, or cannot be read or written.
    pub fn open_or_recover(dir: Option<&Path>, is_recovering: bool) -> Result<Self, StoreError> {
        let Some(dir) = dir else { return Ok(Self::default()) };
        let counter = folder::prepare(dir, is_recovering)?;
        let tightened = private::tighten(dir);
        tightened.map_err(|error| StoreError::NotPrivate { dir: dir.to_owned(), reason: error.to_string() })?;
        // The engine creates files on threads that it and the writer start here.
        private::with_private_files(|| {
            let engine = Arc::new(Engine::open(dir, counter, is_recovering)?);
            let writer = Writer::start(Arc::clone(&engine));
            Ok(Self { open: Some(Arc::new(Open { writer, engine })), region: None })
        })
    }

    #[cfg(test)]
    pub fn open(dir: Option<&Path>) -> Result<Self, StoreError> {
        Self::open_or_recover(dir, false)
    }

    /// Writes everything to table files and flips a bit in every byte of their data, so that no entry can be read any more.
    #[cfg(test)]
    pub fn damage_tables(&self, dir: &Path) {
        let open = self.open.as_ref().expect("there is a data directory");
        open.writer.wait();
        open.engine.flush_tables();
        for tree in 1..=layout::TREES {
            let tables = dir.join(format!("{}/keyspaces/{tree}/tables", layout::FOLDER));
            for table in std::fs::read_dir(tables).expect("the tree has a folder of tables") {
                let path = table.expect("the folder can be read").path();
                let damaged: Vec<u8> =
                    std::fs::read(&path).expect("the table can be read").into_iter().map(|byte| byte ^ 1).collect();
                std::fs::write(&path, damaged).expect("the table can be written");
            }
        }
    }

    /// Whether there is a data directory.
    pub fn is_persistent(&self) -> bool {
        self.open.is_some()
    }

    pub fn batch(&self) -> Batch {
        Batch { store: self.clone(), changes: Changes::default() }
    }

    /// Resolves once everything that was committed before this call survives a kill of the process.
    ///
    /// # Errors
    /// The data directory has failed. Nothing is persisted any more.
    pub async fn flushed(&self) -> Result<(), StoreError> {
        match &self.open {
            Some(open) => open.writer.flushed().await,
            None => Ok(()),
        }
    }

    /// The first failure of the data directory, after which nothing is persisted any more.
    pub fn failure(&self) -> Option<StoreError> {
        self.open.as_ref()?.writer.failure()
    }

    /// The entries from `from` to before `to`, in the order of their keys, from both ends. They include everything that was committed
    /// before this call. Reads the disk, and waits until the write queue is drained.
    pub fn range(
        &self,
        keyspace: Keyspace,
        from: &[u8],
        to: &[u8],
    ) -> impl DoubleEndedIterator<Item = Result<(Bytes, Bytes), StoreError>> + use<> {
        let open = self.open.clone().inspect(|open| open.writer.wait());
        open.into_iter().flat_map({
            let (from, to) = (self.key(keyspace, from), self.key(keyspace, to));
            let prefix = self.key(keyspace, &[]).len();
            move |open| {
                let entries = open.engine.range(keyspace, from.clone()..to.clone(), prefix);
                // A data directory that cannot be read is not written to either.
                entries.inspect(move |entry| {
                    if let Err(error) = entry {
                        open.writer.fail(error);
                    }
                })
            }
        })
    }

    /// Every entry of a keyspace, with its value read from JSON.
    ///
    /// # Errors
    /// The data directory cannot be read, or a value is invalid.
    pub fn all<T: DeserializeOwned>(&self, keyspace: Keyspace) -> Result<Vec<(Bytes, T)>, StoreError> {
        let entries = self.open.iter().flat_map(|open| {
            open.writer.wait();
            open.engine.all(keyspace, self.key(keyspace, &[]))
        });
        entries.map(|entry| entry.and_then(|(key, value)| Ok((key, serde_json::from_slice(&value)?)))).collect()
    }
}

impl Batch {
    /// Sets a key's value.
    pub fn put(&mut self, keyspace: Keyspace, key: impl AsRef<[u8]>, value: impl Into<Bytes>) -> &mut Self {
        if self.store.is_persistent() {
            self.changes.puts.push((keyspace, self.store.key(keyspace, key.as_ref()), value.into()));
        }
        self
    }

    /// Sets a key's value to JSON.
    pub fn put_json<T: Serialize>(&mut self, keyspace: Keyspace, key: impl AsRef<[u8]>, value: &T) -> &mut Self {
        if self.store.is_persistent() {
            let json = serde_json::to_vec(value).expect("stored values have string keys and serialize");
            self.put(keyspace, key, json);
        }
        self
    }

    pub fn remove(&mut self, keyspace: Keyspace, key: impl AsRef<[u8]>) -> &mut Self {
        if self.store.is_persistent() {
            self.changes.removals.push((keyspace, self.store.key(keyspace, key.as_ref())));
        }
        self
    }

    /// Removes the entries of earlier batches from `from` to before `to`. The cost is proportional to the number of entries.
    pub fn remove_range(&mut self, keyspace: Keyspace, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> &mut Self {
        if self.store.is_persistent() {
            let (from, to) = (self.store.key(keyspace, from.as_ref()), self.store.key(keyspace, to.as_ref()));
            self.changes.removed_ranges.push((keyspace, from, to));
        }
        self
    }

    /// Appends the batch to the write queue. Returns at once unless the queue is full. Then it blocks until there is room.
    pub fn commit(mut self) {
        let Store { open, region } = self.store.clone();
        if let Some(region) = region.filter(|_| open.is_some() && !self.changes.puts.is_empty()) {
            region.write(&mut self);
        }
        if let Some(open) = open {
            open.writer.commit(self.changes);
        }
    }
}
