//! What survives the process: ordered keys in keyspaces, written in atomic batches by one thread.
//!
//! The state that services answer from is in memory; the store is told of each change, and read at the start and for what
//! has left memory. [`Batch::commit`] hands a batch over and returns at once, so that it can be called under a lock;
//! batches are written in the order in which they were committed, whole or not at all, those that wait together in one go.
//! What a kill leaves is therefore always a beginning of that order: a checkpoint committed after a line is never there
//! without the line. [`Store::flushed`] resolves once everything committed before it is with the operating system, which is
//! what a kill of this process cannot take back; the endpoint awaits it before each answer.
//!
//! Without a folder there is no store: [`Store::default`] takes every batch, keeps nothing, and is always flushed. No other
//! module knows the engine, the crate `fjall`.

mod budget;
mod check;
mod commits;
mod engine;
pub mod folder;
mod recover;
mod regions;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::AwsError;
use crate::private;

pub use budget::{Budget, Holder, Share};
use check::Damage;
use engine::Engine;
pub use regions::Contents;
use regions::Region;
use writer::Writer;

/// What the store holds in memory at most: the engine's buffers, and what waits to be written.
pub const MEMORY_BYTES: usize = engine::MEMORY_BYTES + writer::MAX_QUEUED_BYTES;

/// What keys are kept apart by. The number stands before each key on disk: never give one a second meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Keyspace {
    Roles = 2,
    LogGroups = 3,
    LogStreams = 4,
    LogEvents = 5,
    Streams = 6,
    Records = 7,
    Consumers = 8,
    Functions = 9,
    Mappings = 10,
    Checkpoints = 11,
    LogTotals = 12,
    /// The zips of functions.
    Code = 13,
    /// `Event` invocations that are not done with.
    Events = 14,
    /// What is set for the whole account.
    Account = 15,
    InstanceProfiles = 16,
    /// The account and the regions.
    Endpoint = 17,
}

/// Why a folder could not be opened, or what happened to it since.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{} holds {found:?} and no {}: it is no data folder of this endpoint, which makes its own in an empty or a new one", .dir.display(), folder::MARKER)]
    NotOurs { dir: PathBuf, found: String },
    #[error("{} is in data format {found}, and this version knows {expected} and older: open it with the version that wrote it, or take another folder", .dir.display())]
    NewerFormat { dir: PathBuf, found: u32, expected: u32 },
    #[error("the data folder {} is not safe from other users: {reason}", .dir.display())]
    NotPrivate { dir: PathBuf, reason: String },
    #[error("{} is not the endpoint's: {reason}; take another folder, or, if it is, add --recover", .0.display(), reason = .1)]
    BadMarker(PathBuf, String),
    #[error("{} is in use by another endpoint: stop it, or take another folder", .0.display())]
    Locked(PathBuf),
    #[error("the data folder {} failed: {source}", .dir.display())]
    Io { dir: PathBuf, source: io::Error },
    #[error("the data folder {} failed: {reason}; stop the endpoint and start it again, which checks every file", .dir.display())]
    Engine { dir: PathBuf, reason: &'static str },
    #[error("the data folder {} is damaged, and nothing in it was changed: {}; --recover keeps a copy of it, drops what is damaged, and opens the rest", .dir.display(), damage_list(.damages))]
    Damaged { dir: PathBuf, damages: Vec<Damage> },
    #[error("the data folder failed earlier, and nothing is kept any more, so that changes are rejected: {0}")]
    Failed(Arc<str>),
    #[error("a value in the data folder could not be read: {0}")]
    Value(#[from] serde_json::Error),
    #[error("an entry in the data folder is not the log event it should be")]
    NotAnEvent,
    #[error("an entry in the data folder is not the records it should be")]
    NotARecord,
}

/// The first three.
fn damage_list(damages: &[Damage]) -> String {
    let shown: Vec<String> = damages.iter().take(3).map(Damage::to_string).collect();
    let more = damages.len() - shown.len();
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    shown.join("; ") + &more
}

impl From<StoreError> for AwsError {
    fn from(error: StoreError) -> Self {
        Self::new(500, "InternalFailure", error.to_string())
    }
}

/// A handle on the store; clones share it. The last one to go writes what waits and lets go of the folder.
#[derive(Clone, Default)]
pub struct Store {
    open: Option<Arc<Open>>,
    /// The region whose keys have a prefix; `None` for the home region and what all regions share.
    region: Option<Arc<Region>>,
}

struct Open {
    // The writer first: it ends before the engine does.
    writer: Writer,
    engine: Arc<Engine>,
}

/// Does what reads the disk beside the threads that answer requests, all of which would wait for it.
pub async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The endpoint stops, and this with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Changes that are written together or not at all, in no order among themselves.
#[must_use = "a batch that is not committed changes nothing"]
pub struct Batch {
    store: Store,
    changes: Changes,
}

#[derive(Default)]
struct Changes {
    puts: Vec<(Keyspace, Bytes, Bytes)>,
    removals: Vec<(Keyspace, Bytes)>,
    /// From a key up to and without another.
    removed_ranges: Vec<(Keyspace, Bytes, Bytes)>,
}

impl Store {
    /// Opens a folder, making it if needed; none: nothing is kept. Takes tens to hundreds of milliseconds, and blocks. With
    /// `is_recovering`, a damaged folder is copied, and what is valid of it opened.
    ///
    /// # Errors
    /// The folder is not ours, of a newer format, in use, damaged, or cannot be read or written.
    pub fn open_or_recover(dir: Option<&Path>, is_recovering: bool) -> Result<Self, StoreError> {
        let Some(dir) = dir else { return Ok(Self::default()) };
        let counter = folder::prepare(dir, is_recovering)?;
        let tightened = private::tighten(dir);
        tightened.map_err(|error| StoreError::NotPrivate { dir: dir.to_owned(), reason: error.to_string() })?;
        // The engine creates files on the threads that it and the writer start here.
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
        for tree in 1..=engine::TREES {
            let tables = dir.join(format!("{}/keyspaces/{tree}/tables", engine::FOLDER));
            for table in std::fs::read_dir(tables).expect("the tree has a folder of tables") {
                let path = table.expect("the folder can be read").path();
                let damaged: Vec<u8> =
                    std::fs::read(&path).expect("the table can be read").into_iter().map(|byte| byte ^ 1).collect();
                std::fs::write(&path, damaged).expect("the table can be written");
            }
        }
    }

    /// Whether what is committed can be read back.
    pub fn keeps(&self) -> bool {
        self.open.is_some()
    }

    pub fn batch(&self) -> Batch {
        Batch { store: self.clone(), changes: Changes::default() }
    }

    /// Resolves once everything committed before this call survives a kill of the process.
    ///
    /// # Errors
    /// Writing failed, now or earlier: nothing is kept from then on.
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

    /// The entries from `from` up to and without `to`, in the order of their keys, from both ends; all that was committed
    /// before this call is among them. Reads the disk, and waits for what is being written.
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
                // A folder that cannot be read is not written to either.
                entries.inspect(move |entry| {
                    if let Err(error) = entry {
                        open.writer.fail(error);
                    }
                })
            }
        })
    }

    /// Every entry of a keyspace, its value read from JSON.
    ///
    /// # Errors
    /// The folder cannot be read, or a value is not what it should be.
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
        if self.store.keeps() {
            self.changes.puts.push((keyspace, self.store.key(keyspace, key.as_ref()), value.into()));
        }
        self
    }

    /// Sets a key's value to JSON.
    pub fn put_json<T: Serialize>(&mut self, keyspace: Keyspace, key: impl AsRef<[u8]>, value: &T) -> &mut Self {
        if self.store.keeps() {
            let json = serde_json::to_vec(value).expect("what the services keep has string keys and no failing parts");
            self.put(keyspace, key, json);
        }
        self
    }

    pub fn remove(&mut self, keyspace: Keyspace, key: impl AsRef<[u8]>) -> &mut Self {
        if self.store.keeps() {
            self.changes.removals.push((keyspace, self.store.key(keyspace, key.as_ref())));
        }
        self
    }

    /// Removes what earlier batches left from `from` up to and without `to`. Costs what there is to remove.
    pub fn remove_range(&mut self, keyspace: Keyspace, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> &mut Self {
        if self.store.keeps() {
            let (from, to) = (self.store.key(keyspace, from.as_ref()), self.store.key(keyspace, to.as_ref()));
            self.changes.removed_ranges.push((keyspace, from, to));
        }
        self
    }

    /// Hands the batch over to be written after all batches committed before it. Returns at once, unless so much waits
    /// that the disk is behind: then it blocks until there is room.
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

impl Changes {
    fn bytes(&self) -> usize {
        /// What an entry takes in the queue besides its key and value.
        const ENTRY_BYTES: usize = 80;
        let puts: usize = self.puts.iter().map(|(_, key, value)| key.len() + value.len() + ENTRY_BYTES).sum();
        puts + (self.removals.len() + self.removed_ranges.len()) * ENTRY_BYTES
    }
}
