//! The contents of one PutRecords request. Pure.

use std::time::Duration;

use kinesis_event_logger_core::decode::{AggregateBuilder, AggregateError};
use kinesis_event_logger_core::limits;

use crate::publish::input::record::Record;

/// A request of this size is sent without adding more. A larger one is not faster and occupies more memory.
pub const ENOUGH_BYTES: usize = 1024 * 1024;

/// The size of an aggregate, the KPL's default (`AggregationMaxSize`): two payload units of 25 KiB. A refused aggregate
/// resends few records.
pub const AGGREGATE_BYTES: usize = 51_200;
/// The partition key of all aggregates, as in AWS's own aggregators. One key for all keeps the order of the records inside
/// when a mapping processes several batches of a shard in parallel, because those are divided by partition key.
pub const AGGREGATE_KEY: &str = "a";

/// How records are packed into puts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Packing {
    /// Keep each key's order.
    pub ordered: bool,
    /// The size of an aggregate; `None` if each record is a put of its own.
    pub aggregate_bytes: Option<usize>,
}

impl Packing {
    /// Returns the packing for a stream whose records have at most `max_bytes`.
    pub fn new(ordered: bool, aggregate: bool, max_bytes: usize) -> Self {
        let aggregate_bytes = max_bytes.min(AGGREGATE_BYTES) - AGGREGATE_KEY.len();
        Self { ordered, aggregate_bytes: aggregate.then_some(aggregate_bytes) }
    }
}

/// A record that is queued or in flight.
#[derive(Debug)]
pub struct QueuedEntry {
    pub record: Record,
    /// The number of times it was sent.
    pub attempts: u32,
    pub first_sent: Duration,
    /// Failures other than throttling while its shard accepted no other entries.
    pub failures: u32,
    /// Failures while its shard accepted others.
    pub failures_alone: u32,
    /// The time of these attempts and of the pauses after them, without the time spent waiting for the shard's pace.
    pub tried: Duration,
    /// A request that contained it was not answered, so that the stream may have it already.
    pub may_be_put: bool,
}

impl QueuedEntry {
    pub fn of(record: Record) -> Self {
        Self {
            record,
            attempts: 0,
            first_sent: Duration::ZERO,
            failures: 0,
            failures_alone: 0,
            tried: Duration::ZERO,
            may_be_put: false,
        }
    }

    pub fn has_key_of(&self, other: &Self) -> bool {
        self.record.partition_key() == other.record.partition_key()
    }

    pub fn add_to(&self, aggregate: &mut AggregateBuilder) -> Result<(), AggregateError> {
        let explicit_hash_key = self.record.explicit_hash_key().map(|key| key.to_string());
        aggregate.add(self.record.partition_key(), explicit_hash_key.as_deref(), self.record.data())
    }
}

/// One PutRecords request.
#[derive(Debug, Default)]
pub struct Request {
    pub id: u64,
    /// The request in flight that must be answered before this one is executed.
    pub after: Option<u64>,
    /// The entries, in the order of the puts.
    pub entries: Vec<QueuedEntry>,
    pub puts: Vec<Put>,
}

/// One entry of PutRecords: a record, or an aggregate of several.
#[derive(Debug)]
pub struct Put {
    /// The number of records: one, unless it is an aggregate.
    pub entries: usize,
    /// The bytes that Kinesis counts: data and key.
    pub bytes: usize,
    pub aggregate: Option<Box<Aggregate>>,
}

#[derive(Debug)]
pub struct Aggregate {
    pub builder: AggregateBuilder,
    /// A hash key of the shard that its records belong to.
    pub hash_key: u128,
}

/// The size of one request so far.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Room {
    records: usize,
    bytes: usize,
}

impl Room {
    /// Adds a record of this size, including its key. Returns false if it exceeds a limit of PutRecords.
    pub fn take(&mut self, bytes: usize) -> bool {
        let fits = self.fits(bytes);
        if fits {
            self.records += 1;
            self.bytes += bytes;
        }
        fits
    }

    /// Whether a record of this size exceeds no limit.
    pub fn fits(&self, bytes: usize) -> bool {
        self.records < limits::PUT_RECORDS_RECORDS && self.bytes.saturating_add(bytes) <= limits::PUT_RECORDS_BYTES
    }

    /// Whether it holds half of what is enough.
    pub fn is_half(&self) -> bool {
        self.records >= limits::PUT_RECORDS_RECORDS / 2 || self.bytes >= ENOUGH_BYTES / 2
    }

    /// Whether adding more records is not worth it.
    pub fn is_enough(&self) -> bool {
        self.records == limits::PUT_RECORDS_RECORDS || self.bytes >= ENOUGH_BYTES
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Packs requests as full as the limits allow.
    fn pack(sizes: &[usize]) -> Vec<Vec<usize>> {
        let (mut requests, mut room) = (Vec::new(), Room::default());
        for size in sizes {
            if requests.is_empty() || !room.take(*size) {
                room = Room::default();
                assert!(room.take(*size));
                requests.push(Vec::new());
            }
            requests.last_mut().unwrap().push(*size);
        }
        requests
    }

    #[test]
    fn a_request_holds_at_most_500_records() {
        let lengths: Vec<_> = pack(&[10; 1001]).iter().map(Vec::len).collect();
        assert_eq!(lengths, [500, 500, 1]);
    }

    #[test]
    fn a_request_holds_exactly_its_limit_of_bytes() {
        let half = limits::PUT_RECORDS_BYTES / 2;
        assert_eq!(pack(&[half, half]), [vec![half, half]]);
        assert_eq!(pack(&[half, half, 1]), [vec![half, half], vec![1]]);
        assert_eq!(pack(&[half, half + 1]), [vec![half], vec![half + 1]]);
    }

    proptest! {
        #[test]
        fn packing_is_complete_within_the_limits_and_as_full_as_possible(
            sizes in prop::collection::vec(prop_oneof![1_usize..100, 1_usize..=limits::RECORD_BYTES_HIGHEST], 0..2000),
        ) {
            let requests = pack(&sizes);
            prop_assert_eq!(requests.concat(), sizes);
            for (index, request) in requests.iter().enumerate() {
                let bytes: usize = request.iter().sum();
                prop_assert!(request.len() <= 500 && bytes <= 10 * 1024 * 1024);
                if let Some(next) = requests.get(index + 1) {
                    prop_assert!(request.len() == 500 || bytes + next[0] > 10 * 1024 * 1024);
                }
            }
        }
    }
}
