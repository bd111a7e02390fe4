//! What a shard accepts and returns in a second (`--limits`). Pure: the clock is passed in.
//! <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>

use kinesis_event_logger_core::limits;

use crate::bucket::Bucket;

/// The limits of one shard.
#[derive(Debug, Clone)]
pub struct ShardLimits {
    written_bytes: Bucket,
    written_records: Bucket,
    reads: Bucket,
    read_bytes: Bucket,
}

impl ShardLimits {
    pub fn new(now: u64) -> Self {
        Self {
            written_bytes: Bucket::full(limits::SHARD_WRITE_BYTES_PER_SECOND, now),
            written_records: Bucket::full(limits::SHARD_WRITE_RECORDS_PER_SECOND, now),
            reads: Bucket::full(limits::SHARD_READS_PER_SECOND, now),
            read_bytes: Bucket::full(limits::SHARD_READ_BYTES_PER_SECOND, now),
        }
    }

    /// Whether the shard accepts a record of so many bytes, which then counts.
    pub fn write(&mut self, bytes: usize, now: u64) -> bool {
        let is_accepted = self.written_bytes.has(bytes, now) && self.written_records.has(1, now);
        if is_accepted {
            self.written_bytes.charge(bytes);
            self.written_records.charge(1);
        }
        is_accepted
    }

    /// Whether the shard accepts a read, which then counts.
    pub fn read(&mut self, now: u64) -> bool {
        // A byte is enough: how many there will be is not known yet.
        self.read_bytes.has(1, now) && self.reads.take(1, now)
    }

    /// Counts the bytes that a read returned.
    pub fn gave(&mut self, bytes: usize) {
        self.read_bytes.charge(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_takes_a_thousand_records_and_a_mebibyte_a_second() {
        let mut shard = ShardLimits::new(0);
        let mut taken = |bytes: usize, now: u64| (0..5000).filter(|_| shard.write(bytes, now)).count();
        assert_eq!(taken(1, 0), 1000);
        assert_eq!((taken(1, 1), taken(1, 500), taken(1, 60_000)), (1, 499, 1000));
        assert_eq!(taken(1 << 18, 120_000), 4);
        assert_eq!((taken(1 << 18, 120_249), taken(1 << 18, 120_250)), (0, 1));
    }

    #[test]
    fn a_record_of_more_than_a_seconds_worth_is_taken_and_paid_for() {
        let mut shard = ShardLimits::new(0);
        assert!(shard.write(4 << 20, 0));
        let refused = (1..10_000).find(|now| shard.write(1 << 20, *now));
        assert_eq!(refused, Some(4000));
    }

    #[test]
    fn ten_mebibytes_read_close_a_shard_for_as_long_as_they_take_and_five_reads_are_a_seconds() {
        let mut shard = ShardLimits::new(0);
        assert_eq!((0..10).filter(|_| shard.read(0)).count(), 5);
        assert!(shard.read(1000));
        shard.gave(10 << 20);
        assert_eq!((1001..20_000).find(|now| shard.read(*now)), Some(5001));
    }
}
