//! Random damage in every file of a data directory, as a kill left it. After it, everything that was acknowledged exists, or the
//! directory is rejected and stays unchanged. A rejected directory can be recovered. Then it has nothing that was never written.
//!
//! `DAMAGE_SEED` repeats a run, `DAMAGE_CASES` makes it longer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::copy;
use crate::store::check::journal::{self, Piece};
use crate::store::{Keyspace, Store, StoreError, check, commits, layout};

const KEYSPACES: [Keyspace; 3] = [Keyspace::Checkpoints, Keyspace::Records, Keyspace::LogEvents];

type Entry = (u8, Vec<u8>);
type Contents = BTreeMap<Entry, Vec<u8>>;

fn contents(store: &Store) -> Result<Contents, StoreError> {
    let mut contents = Contents::new();
    for keyspace in KEYSPACES {
        for entry in store.range(keyspace, &[], &[0xff; 9]) {
            let (key, value) = entry?;
            contents.insert((keyspace as u8, key.to_vec()), value.to_vec());
        }
    }
    Ok(contents)
}

/// Commits random changes to all trees. Adds everything that was put to `written`.
fn load(store: &Store, commits: usize, random: &mut fastrand::Rng, written: &mut BTreeSet<(Entry, Vec<u8>)>) {
    for _ in 0..commits {
        let (mut batch, mut used) = (store.batch(), BTreeSet::new());
        for _ in 0..random.usize(1..4) {
            let keyspace = *random.choice(&KEYSPACES).unwrap();
            let key = random.u64(0..60).to_be_bytes().to_vec();
            // A put and a removal of the same key in one batch have no order.
            if !used.insert((keyspace as u8, key.clone())) {
                continue;
            }
            if random.u8(0..5) == 0 {
                batch.remove(keyspace, key);
            } else {
                let mut value = vec![0; random.usize(0..1500)];
                random.fill(&mut value);
                written.insert(((keyspace as u8, key.clone()), value.clone()));
                batch.put(keyspace, key, value);
            }
        }
        batch.commit();
        // Each commit is its own write.
        store.open.as_ref().unwrap().writer.wait();
    }
}

/// A data directory as a kill leaves it, with tables, a sealed journal and an active one.
struct Base {
    dir: tempfile::TempDir,
    acknowledged: Contents,
    written: BTreeSet<(Entry, Vec<u8>)>,
}

impl Base {
    fn new(random: &mut fastrand::Rng) -> Self {
        let (live, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (store, mut written) = (Store::open(Some(live.path())).unwrap(), BTreeSet::new());
        for commits in [40, 30] {
            load(&store, commits, random, &mut written);
            store.open.as_ref().unwrap().engine.flush_tables();
        }
        load(&store, 50, random, &mut written);
        let acknowledged = contents(&store).unwrap();
        copy(live.path(), dir.path());
        let [(number, path)] = &check::journals(dir.path()).unwrap()[..] else { panic!("there is one journal") };
        // Split in two, as if the first had become too large.
        let bytes = fs::read(path).unwrap();
        let batches: Vec<_> = journal::pieces(&bytes)
            .map(|piece| match piece {
                Piece::Batch(batch) => batch.span,
                _ => panic!("the journal is whole"),
            })
            .collect();
        let (middle, end) = (batches[batches.len() * 2 / 3].start, batches.last().unwrap().end);
        let zeros = [0; 2000];
        fs::write(path, [&bytes[..middle], &zeros].concat()).unwrap();
        fs::write(path.with_file_name(format!("{}.jnl", number + 1)), [&bytes[middle..end], &zeros].concat()).unwrap();
        Self { dir, acknowledged, written }
    }

    fn copied(&self) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        copy(self.dir.path(), dir.path());
        dir
    }
}

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    files
}

/// Damages a file at random. Returns a description.
fn damage(path: &Path, random: &mut fastrand::Rng) -> String {
    let mut bytes = fs::read(path).unwrap();
    let at = random.usize(0..bytes.len().max(1));
    let what = match random.u8(0..20) {
        0 => {
            fs::remove_file(path).unwrap();
            return "deleted".to_owned();
        }
        1 => {
            bytes.clear();
            "emptied".to_owned()
        }
        2 => {
            bytes.truncate(bytes.len() / 2);
            "cut in half".to_owned()
        }
        3..=5 => {
            bytes.truncate(at);
            format!("cut at {at}")
        }
        6..=7 => {
            bytes.iter_mut().skip(at).take(512).for_each(|byte| *byte = 0);
            format!("512 zeros at {at}")
        }
        _ => {
            let bit = random.u8(0..8);
            bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
            format!("bit {bit} of byte {at} flipped")
        }
    };
    fs::write(path, bytes).unwrap();
    what
}

#[derive(Debug, Default)]
struct Counts {
    intact: usize,
    refused: usize,
    recovered: usize,
}

#[test]
fn damage_in_any_file_is_harmless_or_rejected_and_a_rejected_directory_stays_unchanged() {
    let setting = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let (seed, cases) = (setting("DAMAGE_SEED").unwrap_or(7), setting("DAMAGE_CASES").unwrap_or(120));
    let mut random = fastrand::Rng::with_seed(seed);
    let base = Base::new(&mut random);
    let (started, mut counts) = (std::time::Instant::now(), Counts::default());
    for case in 0..cases {
        let dir = base.copied();
        let paths: Vec<_> = files(dir.path()).into_keys().collect();
        let path = random.choice(&paths).unwrap();
        let what = format!("case {case} of seed {seed}: {}: {}", path.display(), damage(path, &mut random));
        check_one(&base, dir.path(), &what, &mut counts);
    }
    println!("{counts:?} of {cases} in {:.0?}", started.elapsed());
    assert!(counts.refused as u64 > cases / 4 && counts.recovered > 0, "{counts:?}");
}

fn check_one(base: &Base, dir: &Path, what: &str, counts: &mut Counts) {
    let before = files(dir);
    let refusal = match Store::open(Some(dir)) {
        Ok(store) => {
            assert!(contents(&store).unwrap() == base.acknowledged, "{what}: opened, and not all is there");
            counts.intact += 1;
            return;
        }
        Err(refusal) => refusal.to_string(),
    };
    assert!(files(dir) == before, "{what}: a refused folder was changed");
    assert!(refusal.contains(&*dir.to_string_lossy()) && !refusal.contains("Error"), "{what}: {refusal}");
    counts.refused += 1;
    // A directory of a newer version is not damaged.
    if !counts.refused.is_multiple_of(3) || refusal.contains("is in data format") {
        return;
    }
    let recovered =
        Store::open_or_recover(Some(dir), true).unwrap_or_else(|error| panic!("{what}: {refusal}: {error}"));
    let found = contents(&recovered).unwrap();
    for entry in &found {
        let is_written = base.written.contains(&(entry.0.clone(), entry.1.clone()));
        assert!(is_written, "{what}: {:?} was never written", entry.0);
    }
    drop(recovered);
    let copies = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let copies = copies.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("damaged-"));
    let copies: Vec<_> = copies
        .flat_map(|path| files(&path).into_iter().map(move |(file, bytes)| (file, bytes, path.clone())))
        .collect();
    for (file, bytes, folder) in copies {
        let original = dir.join(file.strip_prefix(folder).unwrap());
        assert!(before.get(&original) == Some(&bytes), "{what}: {} is not as it was", file.display());
    }
    let again = Store::open(Some(dir)).unwrap_or_else(|error| panic!("{what}: after it was recovered: {error}"));
    assert!(contents(&again).unwrap() == found, "{what}: what was recovered is not there again");
    counts.recovered += 1;
}

fn journal_path(dir: &Path) -> PathBuf {
    check::journals(dir).unwrap().pop().unwrap().1
}

fn refusal(dir: &Path) -> String {
    match Store::open(Some(dir)) {
        Ok(_) => panic!("{} opened", dir.display()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_truncated_emptied_or_deleted_journal_is_rejected_with_its_position() {
    let base = Base::new(&mut fastrand::Rng::with_seed(1));
    let journals = check::journals(base.dir.path()).unwrap();
    for (number, path) in journals {
        let name = path.strip_prefix(base.dir.path()).unwrap();
        let length = fs::metadata(&path).unwrap().len();
        for end in [Some(length / 2), Some(0), None] {
            let dir = base.copied();
            let path = dir.path().join(name);
            match end {
                Some(end) => fs::OpenOptions::new().write(true).open(path).unwrap().set_len(end).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
            let refusal = refusal(dir.path());
            assert!(refusal.contains("acknowledged") || refusal.contains("are damaged"), "{number} {end:?}: {refusal}");
            assert!(refusal.contains(".jnl at byte") && refusal.contains("--recover"), "{number} {end:?}: {refusal}");
        }
    }
}

#[test]
fn a_missing_subfolder_is_rejected_and_recovered() {
    let base = Base::new(&mut fastrand::Rng::with_seed(6));
    for missing in ["store", "store/keyspaces", "store/keyspaces/0", "store/keyspaces/3", "store/keyspaces/1/tables"] {
        let dir = base.copied();
        fs::remove_dir_all(dir.path().join(missing)).unwrap();
        assert!(refusal(dir.path()).contains("is damaged, and nothing in it was changed"), "{missing}");
        let recovered =
            Store::open_or_recover(Some(dir.path()), true).unwrap_or_else(|error| panic!("{missing}: {error}"));
        let found = contents(&recovered).unwrap();
        drop(recovered);
        let again = Store::open(Some(dir.path())).unwrap_or_else(|error| panic!("{missing}: {error}"));
        assert!(contents(&again).unwrap() == found, "{missing}");
    }
}

#[test]
fn recovering_from_a_flipped_bit_loses_one_commit() {
    let base = Base::new(&mut fastrand::Rng::with_seed(2));
    let dir = base.copied();
    let path = journal_path(dir.path());
    let mut bytes = fs::read(&path).unwrap();
    let spans: Vec<_> = journal::pieces(&bytes)
        .map(|piece| match piece {
            Piece::Batch(batch) => batch.span,
            _ => panic!("the journal is whole"),
        })
        .collect();
    let hit = &spans[spans.len() / 2];
    let at = hit.start + hit.len() / 2;
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let message = refusal(dir.path());
    assert!(
        message.contains(&format!("at byte {}", hit.start)) && message.contains("valid writes follow"),
        "{message}"
    );
    let store = Store::open_or_recover(Some(dir.path()), true).unwrap();
    let differing = base.acknowledged.iter().filter(|(key, value)| contents(&store).unwrap().get(*key) != Some(*value));
    assert!(differing.count() <= 3, "one commit has at most three entries");
}

#[test]
fn a_power_failure_loses_only_commits_that_were_not_synced() {
    let base = Base::new(&mut fastrand::Rng::with_seed(3));
    let dir = base.copied();
    let path = journal_path(dir.path());
    let bytes = fs::read(&path).unwrap();
    let last = journal::pieces(&bytes).last();
    let Some(Piece::Batch(last)) = last else { panic!("the journal is whole") };
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(last.span.start as u64 + 5).unwrap();
    let written = commits::read(dir.path()).unwrap().written;
    let number = last.marker().unwrap().number;
    // Within this boot, and after another boot if the last commit was synced.
    assert!(refusal(dir.path()).contains(&format!("commit {number}, which was acknowledged, is missing")));
    commits::write_claim(dir.path(), [0; 16], written, written);
    assert!(refusal(dir.path()).contains("is missing"));
    // After another boot, if it was not synced.
    let synced = written.map(|written| written.min(number - 1));
    commits::write_claim(dir.path(), [0; 16], written, synced);
    let store = Store::open(Some(dir.path())).unwrap();
    drop(store);
    Store::open(Some(dir.path())).unwrap();
}

#[test]
fn a_directory_of_the_first_format_is_opened_and_gets_a_counter() {
    let base = Base::new(&mut fastrand::Rng::with_seed(4));
    let dir = base.copied();
    fs::remove_file(dir.path().join(layout::COMMITS)).unwrap();
    assert!(refusal(dir.path()).contains("the commit counter is missing"));
    for (_, path) in check::journals(dir.path()).unwrap() {
        let bytes = fs::read(&path).unwrap();
        let unmarked = journal::pieces(&bytes).filter_map(|piece| match piece {
            Piece::Batch(batch) => journal::without_marker(&batch),
            _ => None,
        });
        fs::write(&path, unmarked.collect::<Vec<_>>().concat()).unwrap();
    }
    fs::write(dir.path().join(layout::MARKER), r#"{"format":1}"#).unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    assert!(contents(&store).unwrap() == base.acknowledged);
    load(&store, 3, &mut fastrand::Rng::with_seed(5), &mut BTreeSet::new());
    let killed = tempfile::tempdir().unwrap();
    copy(dir.path(), killed.path());
    fs::write(journal_path(killed.path()), []).unwrap();
    assert!(refusal(killed.path()).contains("acknowledged"));
}
