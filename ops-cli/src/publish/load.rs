//! What a record costs its shard. Pure.

use std::ops::AddAssign;

use kinesis_event_logger_core::limits;

/// The load that a shard accepts in a second, as documented: so many records, or the bytes that weigh as much.
pub const DOCUMENTED: f64 = limits::SHARD_WRITE_RECORDS_PER_SECOND as f64;

/// Records, and what they weigh: a small record 1, a large one as its share of the bytes a shard accepts. One number serves
/// for both limits, whichever is reached first.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    pub records: u32,
    pub amount: f64,
}

impl Load {
    /// The load of one record of so many bytes, its key included.
    pub fn of(bytes: usize) -> Self {
        let of_bytes = bytes as f64 * DOCUMENTED / limits::SHARD_WRITE_BYTES_PER_SECOND as f64;
        Self { records: 1, amount: of_bytes.max(1.0) }
    }
}

impl AddAssign for Load {
    fn add_assign(&mut self, more: Self) {
        self.records += more.records;
        self.amount += more.amount;
    }
}
