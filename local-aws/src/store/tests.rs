//! Tests of the store with a data directory.

mod damage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use super::check::journal::without_zeros;
use super::{Keyspace, Store, StoreError, layout};

fn put(store: &Store, keys: std::ops::Range<u64>) {
    for key in keys {
        let mut batch = store.batch();
        batch.put(Keyspace::Records, key.to_be_bytes(), "record");
        batch.put(Keyspace::Checkpoints, b"last", key.to_be_bytes().to_vec());
        batch.commit();
    }
}

fn records(store: &Store) -> Vec<u64> {
    let entries = store.range(Keyspace::Records, &[], &[0xff; 9]);
    entries.map(|entry| u64::from_be_bytes(entry.unwrap().0[..].try_into().unwrap())).collect()
}

fn checkpoint(store: &Store) -> Option<u64> {
    let entry = store.range(Keyspace::Checkpoints, b"last", b"lasu").next()?.unwrap();
    Some(u64::from_be_bytes(entry.1[..].try_into().unwrap()))
}

fn open_error(dir: &Path) -> String {
    match Store::open(Some(dir)) {
        Ok(_) => panic!("{} opened", dir.display()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn committed_entries_are_read_at_once_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    put(&store, 0..1000);
    assert_eq!(records(&store), (0..1000).collect::<Vec<_>>());
    drop(store);
    let store = Store::open(Some(dir.path())).unwrap();
    assert_eq!(records(&store), (0..1000).collect::<Vec<_>>());
    let newest = store.range(Keyspace::Records, &[], &[0xff; 9]).next_back().unwrap().unwrap();
    assert_eq!((&newest.0[..], &newest.1[..]), (&999u64.to_be_bytes()[..], &b"record"[..]));
}

#[test]
fn keyspaces_are_separate_and_values_are_json() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    let mut batch = store.batch();
    batch.put_json(Keyspace::Roles, "a", &vec![1, 2]).put_json(Keyspace::LogGroups, "a", &"group");
    batch.commit();
    assert_eq!(store.all::<Vec<u32>>(Keyspace::Roles).unwrap(), [("a".into(), vec![1, 2])]);
    assert_eq!(store.all::<String>(Keyspace::LogGroups).unwrap(), [("a".into(), "group".to_owned())]);
    assert!(store.all::<String>(Keyspace::LogStreams).unwrap().is_empty());
    assert!(matches!(store.all::<u32>(Keyspace::Roles), Err(StoreError::Value(_))));
}

#[test]
fn a_range_is_removed_before_the_puts_of_its_batch() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    put(&store, 0..100);
    let mut batch = store.batch();
    batch.remove_range(Keyspace::Records, 10u64.to_be_bytes(), 90u64.to_be_bytes());
    batch.put(Keyspace::Records, 50u64.to_be_bytes(), "new").remove(Keyspace::Records, 0u64.to_be_bytes());
    batch.commit();
    let expected: Vec<u64> = (1..10).chain([50]).chain(90..100).collect();
    assert_eq!(records(&store), expected);
}

#[tokio::test]
async fn without_a_data_directory_nothing_is_persisted_and_flushing_does_not_wait() {
    let store = Store::open(None).unwrap();
    put(&store, 0..10);
    store.flushed().await.unwrap();
    assert!(!store.is_persistent() && records(&store).is_empty());
}

#[tokio::test]
async fn concurrent_commits_are_all_written_each_caller_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    let callers = (0..8u64).map(|caller| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0..200 {
                let mut batch = store.batch();
                batch.put(Keyspace::Records, (caller * 1000 + number).to_be_bytes(), "r");
                batch.put(Keyspace::Roles, caller.to_be_bytes(), number.to_be_bytes().to_vec());
                batch.commit();
                store.flushed().await.unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    assert_eq!(records(&store).len(), 1600);
    let last = store.range(Keyspace::Roles, &[], &[0xff; 9]).map(|entry| entry.unwrap().1);
    assert!(last.eq(vec![199u64.to_be_bytes().to_vec(); 8]));
}

/// The journal that was written to last.
fn journal(dir: &Path) -> PathBuf {
    let entries = fs::read_dir(dir.join("store")).unwrap().map(|entry| entry.unwrap().path());
    let journals = entries.filter(|path| path.extension().is_some_and(|extension| extension == "jnl"));
    journals.max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).unwrap()
}

/// Copies a directory as a kill would leave it. The engine merges tables in the background and deletes what it merged, so the
/// copy is made again until no file changed while it was made.
pub fn copy(from: &Path, to: &Path) {
    let copied_unchanged = || -> io::Result<bool> {
        let before = listing(from)?;
        fs::remove_dir_all(to)?;
        copy_tree(from, to)?;
        Ok(listing(from)? == before)
    };
    loop {
        fs::create_dir_all(to).unwrap();
        match copied_unchanged() {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}"),
        }
    }
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            // A journal is mostly zeros, which are not copied.
            let (bytes, length) = (fs::read(entry.path())?, entry.metadata()?.len());
            fs::write(&target, without_zeros(&bytes))?;
            fs::OpenOptions::new().write(true).open(target)?.set_len(length)?;
        }
    }
    Ok(())
}

/// Each file's path, length and time of its last change.
fn listing(dir: &Path) -> io::Result<BTreeMap<PathBuf, (u64, SystemTime)>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            files.extend(listing(&entry.path())?);
        } else {
            files.insert(entry.path(), (metadata.len(), metadata.modified()?));
        }
    }
    Ok(files)
}

#[tokio::test]
async fn a_torn_last_write_is_dropped_whole_and_writing_continues() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    put(&store, 0..1);
    store.flushed().await.unwrap();
    let before = without_zeros(&fs::read(journal(dir.path())).unwrap()).len();
    let counter = fs::read(dir.path().join(layout::COMMITS)).unwrap();
    put(&store, 1..2);
    store.flushed().await.unwrap();
    // A copy of the open directory is what a kill leaves.
    let files = tempfile::tempdir().unwrap();
    copy(dir.path(), files.path());
    let whole = fs::read(journal(files.path())).unwrap();
    let end = without_zeros(&whole).len();
    fs::write(journal(files.path()), []).unwrap();
    assert!(end > before + 50, "the last write is {before}..{end} of {}", whole.len());

    for cut in before..end {
        let torn = tempfile::tempdir().unwrap();
        copy(files.path(), torn.path());
        fs::write(journal(torn.path()), &whole[..cut]).unwrap();
        // The counter names the commit, so it was acknowledged.
        let error = open_error(torn.path());
        assert!(error.contains("commit 2, which was acknowledged, is missing"), "cut at {cut}: {error}");
        // Opening a directory syncs it, which is slow, so only some cuts are tried.
        if cut % 16 == 0 {
            // With the previous counter, it was not acknowledged.
            fs::write(torn.path().join(layout::COMMITS), &counter).unwrap();
            let store = Store::open(Some(torn.path())).unwrap();
            assert_eq!((records(&store), checkpoint(&store)), (vec![0], Some(0)), "cut at {cut} of {before}..{end}");
            put(&store, 5..6);
            drop(store);
            let store = Store::open(Some(torn.path())).unwrap();
            assert_eq!((records(&store), checkpoint(&store)), (vec![0, 5], Some(5)), "cut at {cut} of {before}..{end}");
        }
    }
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_read_reports_it_and_is_not_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    put(&store, 0..100);
    store.flushed().await.unwrap();
    assert!(store.failure().is_none());
    store.damage_tables(dir.path());
    let error = store.range(Keyspace::Records, &[], &[0xff; 9]).find_map(Result::err).unwrap().to_string();
    assert!(error.contains("table file"), "{error}");
    let failure = store.failure().unwrap().to_string();
    assert!(failure.contains("changes are rejected") && failure.contains(&error), "{failure}");
    put(&store, 100..101);
    assert_eq!(store.flushed().await.unwrap_err().to_string(), failure);
    assert_eq!(store.range(Keyspace::Records, &100u64.to_be_bytes(), &[0xff; 9]).count(), 0);
}

#[test]
fn a_second_endpoint_on_a_data_directory_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    assert!(open_error(dir.path()).contains("is in use by another endpoint: stop it"));
    drop(store);
    Store::open(Some(dir.path())).unwrap();
}

#[test]
fn a_newer_format_and_a_foreign_directory_are_rejected_by_name() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "x").unwrap();
    let error = open_error(dir.path());
    assert!(error.contains("\"thesis.tex\"") && error.contains(&dir.path().display().to_string()), "{error}");

    let marker = dir.path().join(layout::MARKER);
    fs::write(&marker, r#"{"format":4}"#).unwrap();
    let error = open_error(dir.path());
    assert!(error.contains("data format 4, and this version supports 3"), "{error}");
    fs::write(&marker, "{}").unwrap();
    let error = open_error(dir.path());
    assert!(error.contains("local-aws.json reads missing field `format`"), "{error}");
}

#[test]
fn memtables_stay_within_their_limit_however_fast_the_writes_are() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    let engine = &store.open.as_ref().unwrap().engine;
    let value = bytes::Bytes::from(vec![7; 100_000]);
    let mut largest = [0; 3];
    for number in 0..600_u64 {
        let mut batch = store.batch();
        for keyspace in [Keyspace::Records, Keyspace::LogEvents, Keyspace::Events] {
            batch.put(keyspace, number.to_be_bytes(), value.clone());
        }
        batch.commit();
        for (largest, (active, limit, sealed, versions)) in largest.iter_mut().zip(engine.memtables()) {
            // The limit does not count a commit's marker.
            assert!(active <= limit + 1000, "{active} bytes in a memtable of {limit}");
            assert!(sealed <= 1, "{sealed} memtables wait");
            // There are two after each flush, and one more while a compaction ends.
            assert!(versions <= 4, "{versions} versions hold memtables");
            *largest = active.max(*largest);
        }
    }
    // More was written than one memtable holds.
    for (largest, (_, limit, ..)) in largest.into_iter().zip(engine.memtables()) {
        assert!(largest > limit / 2, "{largest}");
    }
    assert_eq!(store.range(Keyspace::Records, &[], &[0xff; 9]).count(), 600);
}
