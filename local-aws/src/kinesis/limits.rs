//! Limits per shard and second (`--limits`). Pure: the clock is passed in.
//! <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>

use kinesis_event_logger_core::limits;

use crate::token_bucket::TokenBucket;

/// The limits of one shard.
#[derive(Debug, Clone)]
pub struct ShardLimits {
    written_bytes: TokenBucket,
    written_records: TokenBucket,
    reads: TokenBucket,
    read_bytes: TokenBucket,
}

impl ShardLimits {
    pub fn new(now: u64) -> Self {
        Self {
            written_bytes: TokenBucket::full(limits::SHARD_WRITE_BYTES_PER_SECOND, now),
            written_records: TokenBucket::full(limits::SHARD_WRITE_RECORDS_PER_SECOND, now),
            reads: TokenBucket::full(limits::SHARD_READS_PER_SECOND, now),
            read_bytes: TokenBucket::full(limits::SHARD_READ_BYTES_PER_SECOND, now),
        }
    }

    /// Counts a record of this many bytes. Returns whether the shard accepts it.
    pub fn write(&mut self, bytes: usize, now: u64) -> bool {
        let is_accepted = self.written_bytes.has(bytes, now) && self.written_records.has(1, now);
        if is_accepted {
            self.written_bytes.charge(bytes);
            self.written_records.charge(1);
        }
        is_accepted
    }

    /// Counts a read. Returns whether the shard accepts it.
    pub fn read(&mut self, now: u64) -> bool {
        // One byte of allowance is enough, because the size of the result is not known yet.
        self.read_bytes.has(1, now) && self.reads.take(1, now)
    }

    /// Counts the bytes that a read returned.
    pub fn count_read_bytes(&mut self, bytes: usize) {
        self.read_bytes.charge(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_accepts_a_thousand_records_and_a_mebibyte_per_second() {
        let mut shard = ShardLimits::new(0);
        let mut accepted = |bytes: usize, now: u64| (0..5000).filter(|_| shard.write(bytes, now)).count();
        assert_eq!(accepted(1, 0), 1000);
        assert_eq!((accepted(1, 1), accepted(1, 500), accepted(1, 60_000)), (1, 499, 1000));
        assert_eq!(accepted(1 << 18, 120_000), 4);
        assert_eq!((accepted(1 << 18, 120_249), accepted(1 << 18, 120_250)), (0, 1));
    }

    #[test]
    fn a_record_above_the_limit_is_accepted_and_delays_the_next_one() {
        let mut shard = ShardLimits::new(0);
        assert!(shard.write(4 << 20, 0));
        let refused = (1..10_000).find(|now| shard.write(1 << 20, *now));
        assert_eq!(refused, Some(4000));
    }

    #[test]
    fn a_shard_accepts_five_reads_per_second_and_pauses_after_a_large_one() {
        let mut shard = ShardLimits::new(0);
        assert_eq!((0..10).filter(|_| shard.read(0)).count(), 5);
        assert!(shard.read(1000));
        shard.count_read_bytes(10 << 20);
        assert_eq!((1001..20_000).find(|now| shard.read(*now)), Some(5001));
    }
}
