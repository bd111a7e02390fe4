//! The files of a data directory.

/// The marker file, which identifies the directory and its format.
pub const MARKER: &str = "local-aws.json";
/// The commit counter.
pub const COMMITS: &str = "commits";
/// The engine's folder.
pub const FOLDER: &str = "store";
/// The number of the engine's trees.
pub const TREES: usize = 3;
/// The key of a commit's marker. It sorts before the keys of all keyspaces.
pub const MARKER_KEY: [u8; 1] = [0];

/// Whether the directory must have a commit counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    Required,
    /// Required, and the marker file is damaged.
    Unmarked,
    /// An earlier version wrote the directory, or it was just recovered.
    Absent,
}
