//! The engine, `fjall`: log-structured merge trees with a write-ahead journal. The engine opens a damaged journal as if it ended at the
//! damage. So the directory is checked first (`check`), and each commit has a number.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use fjall::{Database, PersistMode};
use lsm_tree::AbstractTree;

use super::changes::{Changes, Keyspace};
use super::check::journal::Marker;
use super::check::{self, CheckedDirectory};
use super::commits::{Commits, PerTree};
use super::database::{CACHE_BYTES, failure, open_database};
use super::error::StoreError;
use super::layout::{Counter, FOLDER, MARKER_KEY, TREES};
use super::{folder, recover};

/// The size of a tree's memtable, unless one commit alone is larger.
const MEMTABLE_BYTES: [u64; TREES] = [3 << 20, 12 << 20, 6 << 20];
/// The most memtables of a tree: the active one, one that is being flushed, and one that was flushed and that the engine releases with
/// the next rotation.
const MAX_MEMTABLES: u64 = 3;
/// The most memory that the engine uses.
pub const MEMORY_BYTES: usize =
    (MAX_MEMTABLES * (MEMTABLE_BYTES[0] + MEMTABLE_BYTES[1] + MEMTABLE_BYTES[2]) + CACHE_BYTES) as usize;
/// The bytes that the engine counts for an entry of a memtable in addition to its key and value.
const ENTRY_BYTES: u64 = size_of::<lsm_tree::InternalValue>() as u64;
/// How often the writer checks whether a memtable was flushed.
const FLUSH_POLL: Duration = Duration::from_millis(1);

pub struct Engine {
    dir: PathBuf,
    database: Database,
    /// One tree for small values that change in place, and one for each of the two keyspaces that only grow.
    trees: [fjall::Keyspace; TREES],
    commits: Mutex<CommitCounter>,
    /// Held for as long as the engine is open.
    _lock: File,
}

/// The number of the last commit, and the file that stores it.
struct CommitCounter {
    last: u64,
    written: PerTree,
    file: Commits,
}

/// A key on disk: the number of its keyspace, then the key.
pub fn key(keyspace: Keyspace, key: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(1 + key.len());
    bytes.put_u8(keyspace as u8);
    bytes.put_slice(key);
    bytes.freeze()
}

impl Engine {
    /// Opens the data directory if it is undamaged. With `is_recovering`, opens what is valid in it.
    pub fn open(dir: &Path, counter: Counter, is_recovering: bool) -> Result<Self, StoreError> {
        let lock = lock(dir)?;
        let mut checked = check::check(dir, counter)?;
        if !checked.damages.is_empty() && is_recovering {
            recover::recover(dir, &checked)?;
            checked = check::check(dir, Counter::Absent)?;
        }
        if !checked.damages.is_empty() {
            return Err(StoreError::Damaged { dir: dir.to_owned(), damages: checked.damages });
        }
        let failed = |source| StoreError::Io { dir: dir.to_owned(), source };
        prepare(dir, &checked).map_err(failed)?;
        let (database, trees) = open_database(dir)?;
        let file = Commits::create(dir, checked.found).map_err(failed)?;
        folder::upgrade(dir).map_err(failed)?;
        let last = checked.found.into_iter().max().unwrap_or(0);
        let commits = Mutex::new(CommitCounter { last, written: checked.found, file });
        let engine = Self { dir: dir.to_owned(), database, trees, commits, _lock: lock };
        for index in 0..TREES {
            // The journals were replayed into memtables.
            engine.make_room(index, 0)?;
        }
        Ok(engine)
    }

    /// Writes the changes atomically. They are in the page cache when this returns.
    pub fn write(&self, group: Vec<Changes>) -> Result<(), StoreError> {
        let mut batch = self.batch();
        for changes in group {
            if !changes.removed_ranges.is_empty() {
                // A range is removed by looking up its keys, so all earlier changes must be committed.
                let before = std::mem::replace(&mut batch, self.batch());
                self.commit(before)?;
            }
            for (keyspace, from, to) in changes.removed_ranges {
                for entry in self.tree(keyspace).range(from..to) {
                    batch.remove(self, keyspace, entry.key().map_err(|source| self.failed(source))?);
                }
            }
            for (keyspace, key) in changes.removals {
                batch.remove(self, keyspace, key);
            }
            for (keyspace, key, value) in changes.puts {
                batch.put(self, keyspace, key, value);
            }
        }
        self.commit(batch)
    }

    fn batch(&self) -> NumberedBatch {
        NumberedBatch { batch: self.database.batch().durability(Some(PersistMode::Buffer)), bytes: [0; TREES] }
    }

    /// Commits a batch with its number, then writes the counter. The order matters: the counter never names a missing commit.
    fn commit(&self, NumberedBatch { mut batch, bytes }: NumberedBatch) -> Result<(), StoreError> {
        let touched = bytes.map(|bytes| bytes > 0);
        if !touched.contains(&true) {
            return Ok(());
        }
        for index in (0..TREES).filter(|index| touched[*index]) {
            self.make_room(index, bytes[index])?;
        }
        let mut commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        let number = commits.last + 1;
        let marker = Marker { number, floor: self.database.seqno(), before: commits.written }.encode();
        for (tree, _) in self.trees.iter().zip(touched).filter(|(_, is_touched)| *is_touched) {
            batch.insert(tree, MARKER_KEY, marker.as_slice());
        }
        batch.commit().map_err(|source| self.failed(source))?;
        commits.last = number;
        for (written, _) in commits.written.iter_mut().zip(touched).filter(|(_, is_touched)| *is_touched) {
            *written = number;
        }
        let written = commits.written;
        commits.file.write(written).map_err(|source| StoreError::Io { dir: self.dir.clone(), source })
    }

    /// Rotates a tree's memtable if it has no room for `bytes` more. Waits until the memtable before it was flushed: the engine itself
    /// would let five memtables of any size wait.
    fn make_room(&self, index: usize, bytes: u64) -> Result<(), StoreError> {
        let tree = &self.trees[index];
        let memtable = tree.tree.active_memtable();
        if memtable.is_empty() || memtable.size() + bytes <= MEMTABLE_BYTES[index] {
            return Ok(());
        }
        while tree.tree.sealed_memtable_count() > 0 {
            // Fails if a table could not be written. Then this one is not written either.
            self.database.persist(PersistMode::Buffer).map_err(|source| self.failed(source))?;
            thread::sleep(FLUSH_POLL);
        }
        // This also releases the memtables that were flushed.
        tree.rotate_memtable().map_err(|source| self.failed(source))?;
        Ok(())
    }

    /// Syncs everything that was written to the disk, where it survives a power failure.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.database.persist(PersistMode::SyncData).map_err(|source| self.failed(source))?;
        let mut commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        commits.file.sync().map_err(|source| StoreError::Io { dir: self.dir.clone(), source })
    }

    /// For each tree: the bytes of its active memtable, the limit, the number of memtables that wait to be flushed, and the number of
    /// versions of the tree that hold memtables.
    #[cfg(test)]
    pub fn memtables(&self) -> [(u64, u64, usize, usize); TREES] {
        std::array::from_fn(|index| {
            let tree = &self.trees[index].tree;
            let versions = tree.get_version_history_lock().len();
            (tree.active_memtable().size(), MEMTABLE_BYTES[index], tree.sealed_memtable_count(), versions)
        })
    }

    /// Flushes all memtables to table files, and waits until no compaction runs.
    #[cfg(test)]
    pub fn flush_tables(&self) {
        for tree in &self.trees {
            tree.rotate_memtable_and_wait().expect("the folder can be written");
        }
        while self.database.outstanding_flushes() > 0 || self.database.active_compactions() > 0 {
            thread::yield_now();
        }
    }

    /// The entries with these keys, which are returned without their first `prefix` bytes.
    pub fn range(&self, keyspace: Keyspace, keys: Range<Bytes>, prefix: usize) -> Entries {
        self.entries(self.tree(keyspace).range(keys), prefix)
    }

    /// The entries whose keys begin with `prefix`.
    pub fn all(&self, keyspace: Keyspace, prefix: Bytes) -> Entries {
        self.entries(self.tree(keyspace).prefix(&prefix), prefix.len())
    }

    fn entries(&self, entries: fjall::Iter, prefix: usize) -> Entries {
        Entries { dir: self.dir.clone(), entries, prefix }
    }

    fn tree(&self, keyspace: Keyspace) -> &fjall::Keyspace {
        &self.trees[tree(keyspace)]
    }

    fn failed(&self, source: fjall::Error) -> StoreError {
        failure(&self.dir, source)
    }
}

/// A batch, and the bytes that it adds to each tree.
struct NumberedBatch {
    batch: fjall::OwnedWriteBatch,
    /// For each tree, as its memtable counts.
    bytes: [u64; TREES],
}

impl NumberedBatch {
    fn put(&mut self, engine: &Engine, keyspace: Keyspace, key: Bytes, value: Bytes) {
        self.bytes[tree(keyspace)] += (key.len() + value.len()) as u64 + ENTRY_BYTES;
        self.batch.insert(engine.tree(keyspace), key, value);
    }

    fn remove(&mut self, engine: &Engine, keyspace: Keyspace, key: impl Into<fjall::Slice>) {
        let key: fjall::Slice = key.into();
        self.bytes[tree(keyspace)] += key.len() as u64 + ENTRY_BYTES;
        self.batch.remove(engine.tree(keyspace), key);
    }
}

/// The index of a keyspace's tree.
fn tree(keyspace: Keyspace) -> usize {
    match keyspace {
        Keyspace::Records => 1,
        Keyspace::LogEvents => 2,
        _ => 0,
    }
}

/// Locks the data directory, so that no other endpoint writes to it or reads it while it is checked.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let failed = |source| StoreError::Io { dir: dir.to_owned(), source };
    let folder = File::open(dir).map_err(failed)?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(fs::TryLockError::WouldBlock) => Err(StoreError::Locked(dir.to_owned())),
        Err(fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Prepares the files of a checked directory for the engine: truncates a torn end of the journal.
fn prepare(dir: &Path, checked: &CheckedDirectory) -> io::Result<()> {
    let store = dir.join(FOLDER);
    if checked.is_new && store.exists() {
        fs::remove_dir_all(&store)?;
    }
    if let Some(torn) = &checked.torn {
        tracing::warn!("{torn}, as after a kill during a write that was never acknowledged. They were dropped");
    }
    if checked.unsynced > 0 {
        let count = checked.unsynced;
        tracing::warn!("the machine stopped before the last {count} commits were synced. They are lost");
    }
    if let Some((journal, end)) = &checked.end {
        let journal = OpenOptions::new().write(true).open(journal)?;
        journal.set_len(*end)?;
        journal.sync_all()?;
    }
    if store.exists() {
        OpenOptions::new().create(true).truncate(false).write(true).open(store.join("lock"))?;
    }
    Ok(())
}

/// Keys without the number of their keyspace, and values.
pub struct Entries {
    dir: PathBuf,
    entries: fjall::Iter,
    /// The length of the keys' prefix.
    prefix: usize,
}

impl Entries {
    fn read(&self, entry: fjall::Guard) -> Result<(Bytes, Bytes), StoreError> {
        let (key, value) = entry.into_inner().map_err(|source| failure(&self.dir, source))?;
        Ok((Bytes::from(key).slice(self.prefix..), value.into()))
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
