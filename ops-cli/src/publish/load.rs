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

/// What a shard did with an entry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    Accepted,
    /// Refused for the shard's limit.
    Refused,
    /// Failed for another reason, which says nothing about the shard's load.
    Failed,
}

/// What a shard did with the entries of a request, in their order, or of several requests.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Verdicts {
    pub accepted: Load,
    pub refused: Load,
    /// The part of `refused` that followed the last accepted entry of its request.
    pub refused_last: f64,
}

impl Verdicts {
    /// Adds the next entry of the request.
    pub fn push(&mut self, fate: Fate, load: Load) {
        match fate {
            Fate::Accepted => {
                self.accepted += load;
                self.refused_last = 0.0;
            }
            Fate::Refused => {
                self.refused += load;
                self.refused_last += load.amount;
            }
            Fate::Failed => {}
        }
    }

    /// Accepted or refused.
    pub fn judged(&self) -> u32 {
        self.accepted.records + self.refused.records
    }

    /// The refused part of what was judged, 0 to 1.
    pub fn refused_share(&self) -> f64 {
        self.refused.amount / (self.accepted.amount + self.refused.amount).max(f64::MIN_POSITIVE)
    }

    /// Whether accepted entries followed most of the refused ones. A shard that has reached its limit refuses all that
    /// follows in the request.
    pub fn are_scattered(&self) -> bool {
        const LAST: f64 = 0.25;
        self.refused_last <= self.refused.amount * LAST
    }
}

impl AddAssign for Verdicts {
    /// Adds another request.
    fn add_assign(&mut self, more: Self) {
        self.accepted += more.accepted;
        self.refused += more.refused;
        self.refused_last += more.refused_last;
    }
}

impl AddAssign for Load {
    fn add_assign(&mut self, more: Self) {
        self.records += more.records;
        self.amount += more.amount;
    }
}
