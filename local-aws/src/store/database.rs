//! Opens the engine, `fjall`, and words its errors.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use fjall::compaction::Leveled;
use fjall::{Database, KeyspaceCreateOptions};

use super::error::StoreError;
use super::layout::{FOLDER, TREES};

/// The trees, in the order of their numbers in the engine, which start at 1.
const NAMES: [&str; TREES] = ["state", "records", "events"];
/// Bounds the journals, which are replayed at the start.
const JOURNAL_BYTES: u64 = 128 << 20;
/// The number of tables in level 0 that starts a compaction. Every table has a commit's marker as its first key, so all tables overlap
/// and a compaction rewrites all of them. The more tables are gathered, the less is rewritten.
const L0_TABLES: u8 = 8;
pub const CACHE_BYTES: u64 = 8 << 20;

/// Opens the engine. Creates its files if there are none.
pub fn open_database(dir: &Path) -> Result<(Database, [fjall::Keyspace; TREES]), StoreError> {
    let failed = |source| match source {
        fjall::Error::Locked => StoreError::Locked(dir.to_owned()),
        source => failure(dir, source),
    };
    let database = Database::builder(dir.join(FOLDER))
        .cache_size(CACHE_BYTES)
        .max_journaling_size(JOURNAL_BYTES)
        .worker_threads(1)
        .open()
        .map_err(failed)?;
    let tree = |index: usize| {
        // `Engine::make_room` rotates memtables. The engine would let them grow until a worker has time to rotate them.
        let compaction = || Arc::new(Leveled::default().with_l0_threshold(L0_TABLES));
        let options = || KeyspaceCreateOptions::default().max_memtable_size(u64::MAX).compaction_strategy(compaction());
        database.keyspace(NAMES[index], options).map_err(failed)
    };
    let trees = [tree(0)?, tree(1)?, tree(2)?];
    Ok((database, trees))
}

/// The error of the engine, with the operating system's message if there is one.
pub fn failure(dir: &Path, source: fjall::Error) -> StoreError {
    use fjall::Error;
    let reason = match source {
        Error::Io(source) | Error::Storage(lsm_tree::Error::Io(source)) => {
            return StoreError::Io { dir: dir.to_owned(), source };
        }
        Error::Poisoned => match probe(dir) {
            Err(source) => return StoreError::Io { dir: dir.to_owned(), source },
            Ok(()) => "an earlier write of its table files failed, as when the disk is full",
        },
        Error::Storage(lsm_tree::Error::ChecksumMismatch { .. }) => "a block of a table file fails its checksum",
        Error::Storage(_) | Error::Unrecoverable => "a table file is damaged",
        Error::JournalRecovery(_) => "a journal is damaged",
        Error::InvalidVersion(_) => "its files are of another version of the engine",
        source => {
            tracing::debug!("the engine failed: {source:?}");
            "its files cannot be used"
        }
    };
    StoreError::Engine { dir: dir.to_owned(), reason }
}

/// Tries to write to the data directory, because the engine does not report why its own writes failed.
fn probe(dir: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(dir)?;
    file.write_all(&[1; 64 << 10])?;
    file.sync_all()
}
