//! The changes of a batch, and the keyspaces that they are in.

use bytes::Bytes;

/// A namespace of keys. Its number is the prefix of each key on disk, so a number is never reused.
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
    /// `Event` invocations that are not finished.
    Events = 14,
    /// Settings of the account.
    Account = 15,
    InstanceProfiles = 16,
    /// The account and the regions.
    Endpoint = 17,
}

/// Changes that are written atomically.
#[derive(Default)]
pub struct Changes {
    pub puts: Vec<(Keyspace, Bytes, Bytes)>,
    pub removals: Vec<(Keyspace, Bytes)>,
    /// The first key of each range, and the key after its last.
    pub removed_ranges: Vec<(Keyspace, Bytes, Bytes)>,
}

impl Changes {
    pub fn bytes(&self) -> usize {
        /// The bytes of an entry in the queue in addition to its key and value.
        const ENTRY_BYTES: usize = 80;
        let puts: usize = self.puts.iter().map(|(_, key, value)| key.len() + value.len() + ENTRY_BYTES).sum();
        puts + (self.removals.len() + self.removed_ranges.len()) * ENTRY_BYTES
    }
}
