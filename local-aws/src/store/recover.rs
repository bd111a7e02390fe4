//! Recovers a damaged data directory: makes a copy, then drops what is damaged.

use std::fs::{self, File};
use std::io::{self, Cursor, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_128;

use super::check::journal::{self, Piece};
use super::check::tables::{self, Manifest, TableEntry};
use super::check::{self, CheckedDirectory, META_TREE, VERSION};
use super::database::open_database;
use super::error::StoreError;
use super::layout::{self, FOLDER, TREES};

/// Repairs the files of a data directory. Every readable commit remains, including those after a damaged one.
///
/// # Errors
/// The copy or the repaired files cannot be written. Then the directory can be recovered again.
pub fn recover(dir: &Path, checked: &CheckedDirectory) -> Result<(), StoreError> {
    let failed = |source| StoreError::Io { dir: dir.to_owned(), source };
    let copied = make_copy(dir).map_err(failed)?;
    tracing::warn!("recovering {}: a copy of the damaged directory is in {}", dir.display(), copied.display());
    for damage in checked.damages.iter().chain(&checked.torn) {
        tracing::warn!("damaged: {damage}");
    }
    // A new engine provides the files that every engine has.
    let template = tempfile::tempdir_in(dir).map_err(failed)?;
    drop(open_database(template.path())?);
    repair(dir, template.path()).map_err(failed)?;
    tracing::warn!("damaged data was dropped; everything else was recovered");
    Ok(())
}

/// Copies the files that may be changed to a new folder.
fn make_copy(dir: &Path) -> io::Result<PathBuf> {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%S");
    let names = std::iter::once(format!("damaged-{now}")).chain((2..).map(|count| format!("damaged-{now}-{count}")));
    for copy_dir in names.map(|name| dir.join(name)) {
        match fs::DirBuilder::new().mode(0o700).create(&copy_dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            created => created?,
        }
        for name in [FOLDER, layout::COMMITS, layout::MARKER] {
            copy(&dir.join(name), &copy_dir.join(name))?;
        }
        return Ok(copy_dir);
    }
    unreachable!("there are more names than folders")
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        fs::DirBuilder::new().mode(0o700).create(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else if from.exists() {
        fs::copy(from, to)?;
        File::open(to)?.sync_all()?;
    }
    Ok(())
}

fn repair(dir: &Path, template: &Path) -> io::Result<()> {
    let (store, fresh) = (dir.join(FOLDER), template.join(FOLDER));
    fs::create_dir_all(&store)?;
    replace(&store.join("version"), VERSION)?;
    for number in META_TREE..=TREES {
        let name = format!("keyspaces/{number}");
        let (tree, fresh) = (store.join(&name), fresh.join(&name));
        let manifest = tables::manifest(&tree)?;
        let mut flaws = match &manifest {
            Ok(manifest) => tables::flaws(&tree, manifest)?,
            Err(_) => Vec::new(),
        };
        flaws.retain(|(table, _)| table.is_some());
        if number == META_TREE && (manifest.is_err() || !flaws.is_empty()) {
            fs::remove_dir_all(&tree).or_else(|error| if tree.exists() { Err(error) } else { Ok(()) })?;
            fs::create_dir_all(store.join("keyspaces"))?;
            copy(&fresh, &tree)?;
        } else if manifest.is_err() || !flaws.is_empty() {
            let damaged: Vec<u64> = flaws.iter().filter_map(|(table, _)| *table).collect();
            rewrite_manifest(&tree, &fresh, manifest.ok(), &damaged)?;
        }
    }
    for (_, path) in check::journals(dir)? {
        rewrite_journal(&path)?;
    }
    tables::existing(fs::remove_file(dir.join(layout::COMMITS)))?;
    File::open(&store)?.sync_all()
}

/// Writes a manifest without the damaged tables. Without a manifest, it has all readable table files.
fn rewrite_manifest(tree: &Path, fresh: &Path, old: Option<Manifest>, damaged: &[u64]) -> io::Result<()> {
    fs::create_dir_all(tree.join("tables"))?;
    let newest = fs::read_dir(tree)?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix('v')?.parse::<u64>().ok());
    let version = newest.max().unwrap_or(0) + 1;
    let empty = tables::manifest(fresh)?.map_err(|flaw| io::Error::other(flaw.what))?;
    let levels = match old {
        Some(Manifest { mut levels, .. }) => {
            for level in &mut levels {
                level.iter_mut().for_each(|run| run.retain(|table: &TableEntry| !damaged.contains(&table.id)));
                level.retain(|run| !run.is_empty());
            }
            levels
        }
        None => {
            let mut levels = empty.levels.clone();
            // The newest first. Each is its own run, because tables may overlap.
            levels[0] = tables::readable(tree)?.into_iter().rev().map(|table| vec![table]).collect();
            levels
        }
    };
    let source = fresh.join(format!("v{}", empty.version));
    let (bytes, reader) = (fs::read(&source)?, sfa::Reader::new(&source).map_err(io::Error::other)?);
    let mut writer = sfa::Writer::from_writer(Cursor::new(Vec::new()));
    for section in reader.toc().iter() {
        writer.start(section.name())?;
        if section.name() == b"tables" {
            writer.write_all(&tables::encode_levels(&levels))?;
        } else {
            let begin = usize::try_from(section.pos()).map_err(io::Error::other)?;
            let length = usize::try_from(section.len()).map_err(io::Error::other)?;
            writer.write_all(&bytes[begin..begin + length])?;
        }
    }
    let manifest = writer.into_inner().map_err(io::Error::other)?.into_inner();
    replace(&tree.join(format!("v{version}")), &manifest)?;
    let current = [&version.to_le_bytes()[..], &xxh3_128(&manifest).to_le_bytes(), &[0]].concat();
    replace(&tree.join("current"), &current)
}

/// Writes a journal with the valid writes. Their commit numbers are removed, because gaps would count as damage.
fn rewrite_journal(path: &Path) -> io::Result<()> {
    let (bytes, mut valid, mut last) = (fs::read(path)?, Vec::new(), None);
    for piece in journal::pieces(&bytes) {
        if let Piece::Batch(batch) = piece
            && last < Some(batch.seqno)
        {
            last = Some(batch.seqno);
            valid.extend(journal::without_marker(&batch).unwrap_or_default());
        }
    }
    replace(path, &valid)
}

/// Replaces a file atomically.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    fs::write(&unfinished, bytes)?;
    File::open(&unfinished)?.sync_all()?;
    fs::rename(unfinished, path)
}
