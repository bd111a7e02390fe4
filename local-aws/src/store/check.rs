//! Checks a data directory before the engine opens it. Changes nothing.
//!
//! Each commit has a number, and the number of the commit before it in each tree. So the commits in the tables and the journals must
//! have no gap, and must reach the number in the commit counter. A journal may end in a torn write. Every other difference from what
//! was written is damage.

pub mod journal;
pub mod tables;

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::commits::{self, PerTree, Unreadable};
use super::error::{Damage, StoreError};
use super::layout::{COMMITS, Counter, FOLDER, MARKER, TREES};
use journal::Piece;
use tables::existing;

/// The content of the engine's file `version`.
pub const VERSION: &[u8] = b"FJL\x03";
/// The number of the engine's own tree, which lists the others.
pub const META_TREE: usize = 0;

/// The result of a check.
#[derive(Default)]
pub struct CheckedDirectory {
    pub damages: Vec<Damage>,
    /// Whether nothing was ever committed. Then the engine is created.
    pub is_new: bool,
    /// The last existing commit of each tree.
    pub found: PerTree,
    /// The newest journal, and the end of its valid writes.
    pub end: Option<(PathBuf, u64)>,
    pub torn: Option<Damage>,
    /// The number of commits that were not synced when the machine stopped.
    pub unsynced: u64,
}

/// Checks a data directory. The caller holds its lock.
///
/// # Errors
/// A file or folder cannot be read.
pub fn check(dir: &Path, counter: Counter) -> Result<CheckedDirectory, StoreError> {
    let failed = |source| StoreError::Io { dir: dir.to_owned(), source };
    let mut checked = CheckedDirectory::default();
    let claim = match commits::read(dir) {
        _ if counter == Counter::Absent => None,
        Ok(claim) => Some(claim),
        Err(Unreadable::Io(source)) => {
            let named = format!("{}: {source}", COMMITS);
            return Err(failed(io::Error::new(source.kind(), named)));
        }
        Err(Unreadable::Missing) if is_unused(dir).map_err(failed)? => {
            checked.is_new = true;
            return Ok(checked);
        }
        Err(unreadable) => {
            let state = if matches!(unreadable, Unreadable::Missing) { "is missing" } else { "fails its checksum" };
            checked.add(
                COMMITS,
                None,
                format!("the commit counter {state}, so a truncated journal could not be detected"),
            );
            None
        }
    };
    if counter == Counter::Unmarked {
        checked.add(MARKER, None, "does not identify a data directory".into());
    }
    let store = dir.join(FOLDER);
    if existing(fs::metadata(&store)).map_err(failed)?.is_none() {
        match claim {
            None if checked.damages.is_empty() => checked.is_new = true,
            _ => checked.add(FOLDER, None, "is missing".into()),
        }
        return Ok(checked);
    }
    if existing(fs::read(store.join("version"))).map_err(failed)?.as_deref() != Some(VERSION) {
        checked.add(&format!("{FOLDER}/version"), None, "does not name the engine's version".into());
    }
    checked.trees(dir).map_err(failed)?;
    checked.journals(dir).map_err(failed)?;
    if let Some(claim) = claim {
        checked.compare(claim);
    }
    Ok(checked)
}

/// The journals and their numbers, the oldest first.
pub fn journals(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut journals = Vec::new();
    for entry in existing(fs::read_dir(dir.join(FOLDER)))?.into_iter().flatten() {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("jnl")) {
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            let unnamed =
                || io::Error::other(format!("{} is not a journal of the endpoint: remove it", path.display()));
            journals.push((number.ok_or_else(unnamed)?, path.clone()));
        }
    }
    journals.sort();
    Ok(journals)
}

/// Whether the engine has no data. A kill may have interrupted its creation.
fn is_unused(dir: &Path) -> io::Result<bool> {
    for (_, path) in journals(dir)? {
        if journal::pieces(&fs::read(path)?).next().is_some() {
            return Ok(false);
        }
    }
    for tree in 1..=TREES {
        let tables = dir.join(FOLDER).join(format!("keyspaces/{tree}/tables"));
        if existing(fs::read_dir(tables))?.is_some_and(|mut tables| tables.next().is_some()) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn unreadable_table(error: &lsm_tree::Error) -> String {
    match error {
        lsm_tree::Error::Io(source) => format!("a table cannot be read: {source}"),
        lsm_tree::Error::ChecksumMismatch { .. } => "a block of a table fails its checksum".to_owned(),
        lsm_tree::Error::Decompress(_) => "a block of a table cannot be decompressed".to_owned(),
        _ => "a table has an invalid layout".to_owned(),
    }
}

impl CheckedDirectory {
    fn add(&mut self, file: &str, position: Option<usize>, what: String) {
        self.damages.push(Damage { file: file.into(), position: position.map(|position| position as u64), what });
    }

    fn trees(&mut self, dir: &Path) -> io::Result<()> {
        for number in META_TREE..=TREES {
            let name = format!("{FOLDER}/keyspaces/{number}");
            let tree = dir.join(&name);
            let manifest = match tables::manifest(&tree)? {
                Ok(manifest) => manifest,
                Err(flaw) => {
                    self.add(&format!("{name}/{}", flaw.file), None, flaw.what);
                    continue;
                }
            };
            let flaws = tables::flaws(&tree, &manifest)?;
            if flaws.is_empty() && number != META_TREE {
                match tables::last_commit(&tree, &manifest) {
                    Ok(last) => self.found[number - 1] = last,
                    Err(error) => self.add(&name, None, unreadable_table(&error)),
                }
            }
            for (_, flaw) in flaws {
                self.add(&format!("{name}/{}", flaw.file), None, flaw.what);
            }
        }
        Ok(())
    }

    fn journals(&mut self, dir: &Path) -> io::Result<()> {
        let journals = journals(dir)?;
        let mut last_seqno = None;
        for (index, (number, path)) in journals.iter().enumerate() {
            let name = format!("{FOLDER}/{number}.jnl");
            let is_last = index + 1 == journals.len();
            let (mut end, mut damaged) = (0, None::<Range<usize>>);
            for piece in journal::pieces(&fs::read(path)?) {
                match piece {
                    Piece::Batch(batch) => {
                        let missing = self.follow(&batch);
                        end = batch.span.end;
                        let at = damaged.as_ref().map_or(batch.span.start, |span| span.start);
                        let bytes = damaged
                            .take()
                            .map(|span| format!("{} bytes are damaged, and valid writes follow", span.len()));
                        let is_repeated = last_seqno.replace(batch.seqno) >= Some(batch.seqno);
                        let order = is_repeated.then(|| "a write is out of order".to_owned());
                        let what: Vec<_> = [bytes, missing, order].into_iter().flatten().collect();
                        if !what.is_empty() {
                            self.add(&name, Some(at), what.join(": "));
                        }
                    }
                    Piece::Damaged(span) => damaged = Some(span),
                    Piece::Torn(span) if is_last => {
                        let what = format!("the last {} bytes are not a whole write", span.len());
                        self.torn = Some(Damage { file: name.clone().into(), position: Some(span.start as u64), what });
                    }
                    Piece::Torn(span) => {
                        self.add(
                            &name,
                            Some(span.start),
                            format!("{} bytes are damaged, and a newer journal follows", span.len()),
                        );
                    }
                }
            }
            self.end = Some((path.clone(), end as u64));
        }
        Ok(())
    }

    /// Adds a write of a journal. Returns a message if commits before it are missing.
    fn follow(&mut self, batch: &journal::Batch<'_>) -> Option<String> {
        let marker = batch.marker()?;
        let is_missing = (0..TREES).any(|tree| marker.before[tree] > self.found[tree]);
        let last = self.found.iter().max().copied().unwrap_or(0);
        let missing = is_missing.then(|| commits_between(last, marker.number - 1));
        for item in &batch.items {
            if let Some(tree) = item.tree {
                self.found[tree] = self.found[tree].max(marker.number);
            }
        }
        missing
    }

    /// Compares the existing commits with the counter.
    fn compare(&mut self, claim: commits::Claim) {
        let last = |commits: PerTree| commits.into_iter().max().unwrap_or(0);
        let required = claim.required();
        let is_missing = |commits: PerTree| (0..TREES).any(|tree| commits[tree] > self.found[tree]);
        let torn = self.torn.as_ref().map_or(String::new(), |torn| format!("{}: ", torn.what));
        if is_missing(required) {
            let missing = commits_between(last(self.found), last(required));
            let (file, position) = match &self.end {
                Some((path, end)) => {
                    (format!("{FOLDER}/{}", path.file_name().unwrap_or_default().display()), Some(*end))
                }
                None => (format!("{FOLDER}/*.jnl"), None),
            };
            self.add(&file, position.and_then(|end| usize::try_from(end).ok()), format!("{torn}{missing}"));
        } else if is_missing(claim.written) {
            self.unsynced = last(claim.written).saturating_sub(last(self.found)).max(1);
        }
    }
}

fn commits_between(last: u64, end: u64) -> String {
    let count = end.saturating_sub(last);
    match count {
        0 => format!("commits up to number {end}, which were acknowledged, are missing"),
        1 => format!("commit {end}, which was acknowledged, is missing"),
        _ => format!("{count} commits that were acknowledged are missing: numbers {} to {end}", last + 1),
    }
}
