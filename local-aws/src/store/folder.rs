//! The marker file, which identifies a data directory and its format.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::layout::{self, Counter, MARKER};
use crate::private;

const UNFINISHED: &str = "local-aws.json.new";
/// The version of the format. It increases with every change that an older version would misread.
///
/// 1: the first. 2: with a commit counter. 3: streams as documents with a version, and keys of more than one region.
const FORMAT: u32 = 3;
/// The format before there was a commit counter.
const WITHOUT_COUNTER: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Marker {
    format: u32,
}

/// Checks that the directory belongs to this user only, is a data directory, and has a supported format. Creates and marks it if it
/// does not exist or is empty. With `is_recovering`, the marker may be damaged or missing. Returns whether there must be a commit
/// counter.
pub fn prepare(dir: &Path, is_recovering: bool) -> Result<Counter, StoreError> {
    match read_format(dir) {
        Ok(WITHOUT_COUNTER) => Ok(Counter::Absent),
        Ok(_) => Ok(Counter::Required),
        Err(StoreError::BadMarker(..)) if is_recovering && has_a_store(dir) => Ok(Counter::Unmarked),
        Err(error) => Err(error),
    }
}

/// Whether a directory without a valid marker has the other files of a data directory.
fn has_a_store(dir: &Path) -> bool {
    dir.join(layout::COMMITS).exists() && dir.join(layout::FOLDER).exists()
}

fn read_format(dir: &Path) -> Result<u32, StoreError> {
    let failed = |source| StoreError::Io { dir: dir.to_owned(), source };
    private::create_dir_all(dir).map_err(failed)?;
    private::check(dir).map_err(|reason| StoreError::NotPrivate { dir: dir.to_owned(), reason })?;
    match fs::read(dir.join(MARKER)) {
        Ok(marker) => check(dir, &marker),
        Err(error) if error.kind() == io::ErrorKind::NotFound && has_a_store(dir) => {
            Err(StoreError::BadMarker(dir.to_owned(), format!("its {MARKER} is missing")))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            for entry in fs::read_dir(dir).map_err(failed)? {
                let found = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
                if found != UNFINISHED {
                    return Err(StoreError::NotOurs { dir: dir.to_owned(), found });
                }
            }
            mark(dir).map_err(failed)?;
            Ok(FORMAT)
        }
        Err(error) => Err(failed(error)),
    }
}

fn check(dir: &Path, marker: &[u8]) -> Result<u32, StoreError> {
    let bad = |error: serde_json::Error| StoreError::BadMarker(dir.to_owned(), format!("its {MARKER} reads {error}"));
    let Marker { format } = serde_json::from_slice(marker).map_err(bad)?;
    if format > FORMAT {
        return Err(StoreError::NewerFormat { dir: dir.to_owned(), found: format, expected: FORMAT });
    }
    if format == 0 {
        return Err(StoreError::BadMarker(dir.to_owned(), format!("its {MARKER} does not name a format")));
    }
    Ok(format)
}

/// Marks a directory that an earlier version wrote, so that that version rejects it from now on. Its data is upgraded as it is
/// restored.
pub fn upgrade(dir: &Path) -> io::Result<()> {
    let marker = fs::read(dir.join(MARKER)).unwrap_or_default();
    let is_current = serde_json::from_slice(&marker).is_ok_and(|Marker { format }| format == FORMAT);
    if is_current { Ok(()) } else { mark(dir) }
}

/// Writes the marker atomically. A directory with an incomplete marker counts as empty.
fn mark(dir: &Path) -> io::Result<()> {
    let unfinished = dir.join(UNFINISHED);
    private::write(&unfinished, &serde_json::to_vec(&Marker { format: FORMAT })?)?;
    fs::File::open(&unfinished)?.sync_all()?;
    fs::rename(unfinished, dir.join(MARKER))
}
