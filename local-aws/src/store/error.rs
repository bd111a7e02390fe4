//! The errors of the store.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::layout::MARKER;
use crate::error::AwsError;

/// A damaged file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The path below the data directory.
    pub file: PathBuf,
    pub position: Option<u64>,
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(position) = self.position {
            write!(f, " at byte {position}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// The data directory could not be opened, or failed later.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{} contains {found:?} and no {}, so it is not a data directory: use an empty or a new one", .dir.display(), MARKER)]
    NotOurs { dir: PathBuf, found: String },
    #[error("{} has data format {found}, and this version supports {expected} and older: open it with the version that wrote it, or use another data directory", .dir.display())]
    NewerFormat { dir: PathBuf, found: u32, expected: u32 },
    #[error("the data directory {} is accessible to other users: {reason}", .dir.display())]
    NotPrivate { dir: PathBuf, reason: String },
    #[error("{} is not recognized as a data directory: {reason}; use another one, or add --recover if it is one", .0.display(), reason = .1)]
    BadMarker(PathBuf, String),
    #[error("{} is in use by another endpoint: stop it, or use another data directory", .0.display())]
    Locked(PathBuf),
    #[error("the data directory {} failed: {source}", .dir.display())]
    Io { dir: PathBuf, source: io::Error },
    #[error("the data directory {} failed: {reason}; restart the endpoint, which checks every file", .dir.display())]
    Engine { dir: PathBuf, reason: &'static str },
    #[error("the data directory {} is damaged, and nothing in it was changed: {}; --recover makes a copy, drops what is damaged, and opens the rest", .dir.display(), damage_list(.damages))]
    Damaged { dir: PathBuf, damages: Vec<Damage> },
    #[error("the data directory failed earlier, so nothing is persisted any more and changes are rejected: {0}")]
    Failed(Arc<str>),
    #[error("a value in the data directory is invalid: {0}")]
    Value(#[from] serde_json::Error),
    #[error("an entry in the data directory is not a valid log event")]
    NotAnEvent,
    #[error("an entry in the data directory is not a valid chunk of records")]
    NotARecord,
}

/// Lists the first three damages.
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
