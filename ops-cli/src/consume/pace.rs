//! The pace of the reads of one shard. Pure: the clock and the jitter are passed in.
//!
//! A shard of AWS allows 5 reads and 2 MB a second to all of its readers together, of which the function is one
//! (<https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>). A pace that knows of the limits spaces its
//! reads so that it is never throttled while it is alone. Each time it is throttled it leaves more to the others, and takes
//! that back slowly.

use std::time::Duration;

use kinesis_event_logger_core::limits;

const BYTES_PER_SECOND: f64 = limits::SHARD_READ_BYTES_PER_SECOND as f64;
const READS_PER_SECOND: f64 = limits::SHARD_READS_PER_SECOND as f64;

/// The data that one read asks for where there are limits. A larger read would close the shard to others for longer.
const READ_BYTES: f64 = BYTES_PER_SECOND / READS_PER_SECOND;
/// How late a read may be without delaying the next one. Reads are late by a random part of it, so that they do not stay in step
/// with another reader's, which would then always find the limits used up.
const LATENESS: Duration = Duration::from_millis(100);
/// The records of the first read, whose size is not known.
const FIRST_RECORDS: usize = 10;

/// The pauses at the tip of a shard: after records, and after none.
const BUSY_PAUSE: Duration = Duration::from_millis(250);
const QUIET_PAUSE: Duration = Duration::from_millis(500);

/// The pause after the first throttled read. Each next pause is twice as long, up to the longest.
const SHORTEST_BACKOFF: Duration = Duration::from_millis(250);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

const SMALLEST_SHARE: f64 = 0.1;
const SHARE_LOST: f64 = 0.7;
const SHARE_REGAINED: f64 = 0.01;

/// The result of one read.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    pub sent: Duration,
    pub records: usize,
    /// Of data and keys.
    pub bytes: usize,
    pub is_at_tip: bool,
}

#[derive(Debug)]
pub struct Pace {
    /// Whether the shard is known to have limits.
    is_limited: bool,
    /// The part of the limits that this reader uses.
    share: f64,
    next: Duration,
    /// How late the next read is on purpose.
    lateness: Duration,
    /// Throttled reads since the last answer.
    throttled: u32,
    average_bytes: Option<f64>,
}

impl Pace {
    pub fn new(is_limited: bool) -> Self {
        Self {
            is_limited,
            share: 1.0,
            next: Duration::ZERO,
            lateness: Duration::ZERO,
            throttled: 0,
            average_bytes: None,
        }
    }

    /// Returns the time that the next read has to wait.
    pub fn wait(&self, now: Duration) -> Duration {
        (self.next + self.lateness).saturating_sub(now)
    }

    /// Returns the number of records to ask for.
    pub fn limit(&self) -> usize {
        match self.average_bytes {
            Some(average) if self.is_limited => {
                ((READ_BYTES / average.max(1.0)) as usize).clamp(1, limits::GET_RECORDS_RECORDS)
            }
            None if self.is_limited => FIRST_RECORDS,
            _ => limits::GET_RECORDS_RECORDS,
        }
    }

    /// Notes an answer. `jitter` is a random number from 0 to 1.
    pub fn answered(&mut self, reading: &Reading, now: Duration, jitter: f64) {
        self.throttled = 0;
        if reading.records > 0 {
            let average = reading.bytes as f64 / reading.records as f64;
            self.average_bytes = Some(self.average_bytes.map_or(average, |before| (before + average) / 2.0));
        }
        if self.is_limited {
            let seconds = (reading.bytes as f64 / BYTES_PER_SECOND).max(1.0 / READS_PER_SECOND) / self.share;
            let planned = self.next.max(reading.sent.saturating_sub(LATENESS));
            self.next = planned + Duration::from_secs_f64(seconds);
            self.lateness = LATENESS.mul_f64(jitter.clamp(0.0, 1.0));
            self.share = (self.share + SHARE_REGAINED).min(1.0);
        }
        if reading.is_at_tip {
            let pause = if reading.records > 0 { BUSY_PAUSE } else { QUIET_PAUSE };
            self.next = self.next.max(now + pause);
        }
    }

    /// Notes an iterator that has expired. A service whose iterators always expire is not asked without a pause.
    pub fn expired(&mut self, now: Duration) {
        self.next = self.next.max(now + SHORTEST_BACKOFF);
    }

    /// Notes a throttled read. `jitter` is a random number from 0 to 1.
    pub fn throttled(&mut self, now: Duration, jitter: f64) {
        // The first throttled read only shows that there are limits.
        if self.is_limited && self.throttled == 0 {
            self.share = (self.share * SHARE_LOST).max(SMALLEST_SHARE);
        }
        self.is_limited = true;
        self.lateness = Duration::ZERO;
        let backoff = SHORTEST_BACKOFF.saturating_mul(1 << self.throttled.min(8)).min(LONGEST_BACKOFF);
        self.throttled += 1;
        self.next = now + backoff.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shard as the service limits it: buckets that fill in a second.
    struct LimitedShard {
        reads: f64,
        bytes: f64,
        at: Duration,
    }

    impl LimitedShard {
        fn read(&mut self, bytes: usize, now: Duration) -> bool {
            let elapsed = (now - self.at).as_secs_f64();
            self.at = now;
            self.reads = (self.reads + elapsed * READS_PER_SECOND).min(READS_PER_SECOND);
            self.bytes = (self.bytes + elapsed * BYTES_PER_SECOND).min(BYTES_PER_SECOND);
            if self.reads < 1.0 || self.bytes < 1.0 {
                return false;
            }
            self.reads -= 1.0;
            self.bytes -= bytes as f64;
            true
        }
    }

    /// Another reader, which reads about once a second.
    #[derive(Clone, Copy)]
    struct Other {
        bytes: usize,
        /// Whether it reads exactly once a second.
        is_in_step: bool,
    }

    const ALONE: Other = Other { bytes: 0, is_in_step: false };

    /// Reads records of a size for a minute beside another reader, and returns the bytes a second and the throttled reads of
    /// both.
    fn minute(is_limited: bool, record: usize, other: Other) -> (f64, usize, usize) {
        let mut shard = LimitedShard { reads: READS_PER_SECOND, bytes: BYTES_PER_SECOND, at: Duration::ZERO };
        let mut pace = Pace::new(is_limited);
        let (mut total, mut throttled, mut other_throttled) = (0, 0, 0);
        let mut other_next = Duration::ZERO;
        for tick in 0..60_000 {
            let now = Duration::from_millis(tick);
            if other.bytes > 0 && now >= other_next {
                other_throttled += usize::from(!shard.read(other.bytes, now));
                let jitter = if other.is_in_step { 400 } else { (tick * 7919 % 1000) * 4 / 5 };
                other_next = now + Duration::from_millis(600 + jitter);
            }
            if !pace.wait(now).is_zero() {
                continue;
            }
            let records = pace.limit().min(limits::GET_RECORDS_BYTES / record);
            let bytes = records * record;
            if shard.read(bytes, now) {
                total += bytes;
                pace.answered(
                    &Reading { sent: now, records, bytes, is_at_tip: false },
                    now,
                    (tick * 104_729 % 1000) as f64 / 1000.0,
                );
            } else {
                throttled += 1;
                pace.throttled(now, 0.5);
            }
        }
        (total as f64 / 60.0, throttled, other_throttled)
    }

    #[test]
    fn a_reader_alone_uses_all_of_the_limits_and_is_not_throttled() {
        for record in [50, 200, 5_000, 1_000_000] {
            let (rate, throttled, _) = minute(true, record, ALONE);
            let most = BYTES_PER_SECOND.min(READS_PER_SECOND * limits::GET_RECORDS_RECORDS as f64 * record as f64);
            assert!(rate >= 0.95 * most, "{record}: {rate} of {most}");
            assert!(throttled <= 3, "{record}: {throttled}");
        }
    }

    #[test]
    fn a_reader_that_does_not_know_of_the_limits_finds_them() {
        let (rate, throttled, _) = minute(false, 200, ALONE);
        assert!(rate >= 0.95 * BYTES_PER_SECOND && throttled < 20, "{rate} {throttled}");
    }

    #[test]
    fn a_reader_leaves_room_for_the_function() {
        for is_in_step in [false, true] {
            for bytes in [1000, 50_000, 500_000] {
                let (rate, _, other_throttled) = minute(true, 200, Other { bytes, is_in_step });
                assert!(rate >= 0.5 * BYTES_PER_SECOND, "{rate}");
                assert!(other_throttled < 30, "{other_throttled} of 60 reads of the other were throttled");
            }
        }
    }

    #[test]
    fn without_limits_there_are_no_pauses_except_at_the_tip() {
        let mut pace = Pace::new(false);
        let reading = Reading { sent: Duration::ZERO, records: 10, bytes: 10_000_000, is_at_tip: false };
        pace.answered(&reading, Duration::ZERO, 0.5);
        assert_eq!((pace.wait(Duration::ZERO), pace.limit()), (Duration::ZERO, limits::GET_RECORDS_RECORDS));
        pace.answered(&Reading { is_at_tip: true, ..reading }, Duration::ZERO, 0.5);
        assert_eq!(pace.wait(Duration::ZERO), BUSY_PAUSE);
        pace.answered(&Reading { is_at_tip: true, records: 0, bytes: 0, ..reading }, Duration::ZERO, 0.5);
        assert_eq!(pace.wait(Duration::ZERO), QUIET_PAUSE);
    }
}
