//! The load of records on their shard, and the shard's verdicts on them. Pure.

use std::ops::AddAssign;

use kinesis_event_logger_core::limits;

/// The load per second that a shard accepts, as documented: a number of records, or the equivalent in bytes.
pub const DOCUMENTED: f64 = limits::SHARD_WRITE_RECORDS_PER_SECOND as f64;

/// A number of records and their weight: 1 for a small record, and for a large one its share of the bytes that a shard
/// accepts. The weight serves both limits, whichever is reached first.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    pub records: u32,
    pub amount: f64,
}

impl Load {
    /// The load of one record of this size, including its key.
    pub fn of(bytes: usize) -> Self {
        let of_bytes = bytes as f64 * DOCUMENTED / limits::SHARD_WRITE_BYTES_PER_SECOND as f64;
        Self { records: 1, amount: of_bytes.max(1.0) }
    }
}

/// The result of one entry on its shard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    Accepted,
    /// Throttled by the shard's limit.
    Refused,
    /// Failed for another reason, which says nothing about the shard's load.
    Failed,
}

/// A shard's results for the entries of one or several requests, in order.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Verdicts {
    pub accepted: Load,
    pub refused: Load,
    /// The part of `refused` that followed the last accepted entry of its request.
    pub refused_last: f64,
    /// Entries that followed the last accepted one of their request.
    pub unaccepted_last: u32,
}

impl Verdicts {
    /// Adds the next entry of the request.
    pub fn push(&mut self, fate: Fate, load: Load) {
        self.unaccepted_last += 1;
        match fate {
            Fate::Accepted => {
                self.accepted += load;
                self.refused_last = 0.0;
                self.unaccepted_last = 0;
            }
            Fate::Refused => {
                self.refused += load;
                self.refused_last += load.amount;
            }
            Fate::Failed => {}
        }
    }

    /// The number of entries that were accepted or throttled.
    pub fn judged(&self) -> u32 {
        self.accepted.records + self.refused.records
    }

    /// The throttled part of the judged load, 0 to 1.
    pub fn refused_share(&self) -> f64 {
        self.refused.amount / (self.accepted.amount + self.refused.amount).max(f64::MIN_POSITIVE)
    }

    /// Whether accepted entries followed most of the throttled ones. A shard at its limit throttles all later entries of the
    /// request.
    pub fn are_scattered(&self) -> bool {
        const LAST: f64 = 0.5;
        self.refused_last <= self.refused.amount * LAST
    }
}

impl AddAssign for Verdicts {
    /// Adds the verdicts on another request.
    fn add_assign(&mut self, more: Self) {
        self.accepted += more.accepted;
        self.refused += more.refused;
        self.refused_last += more.refused_last;
        self.unaccepted_last += more.unaccepted_last;
    }
}

impl AddAssign for Load {
    fn add_assign(&mut self, more: Self) {
        self.records += more.records;
        self.amount += more.amount;
    }
}
