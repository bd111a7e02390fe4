//! How fast to send. Pure: the clock is passed in, as the time since the run began.
//!
//! A shard that refuses nothing is not held back: streams differ, and so does what else writes to them. The first
//! refusal shows that the shard has reached its limit, which is known (1 MB and 1,000 records a second); from then on it
//! gets what the limit allows, less for every further refusal, and slowly more again while there is none.

use std::time::Duration;

use kinesis_event_logger_core::limits;

/// The share of a shard's limit that is asked for at most: room for clocks that differ.
const HIGHEST_SHARE: f64 = 0.98;
const LOWEST_SHARE: f64 = 0.02;
/// A refusal lowers the share by this factor.
const DECREASE: f64 = 0.7;
/// A second without a refusal raises the share by so much of itself.
const INCREASE_PER_SECOND: f64 = 0.05;
/// Refusals this close together are of one cause, and answered once.
const SETTLING: Duration = Duration::from_millis(250);
/// How much of a second's allowance can gather while nothing is sent.
const BURST: f64 = 0.1;

/// A token bucket that may be overdrawn by its last withdrawal, so that it needs not hold the largest record.
#[derive(Debug, Clone)]
pub struct Bucket {
    per_second: f64,
    tokens: f64,
    /// Emptied: nothing is given until some have gathered, so that a request carries more than one record.
    is_gathering: bool,
    at: Duration,
}

impl Bucket {
    pub fn new(per_second: f64, now: Duration) -> Self {
        Self { per_second, tokens: 1.0, is_gathering: false, at: now }
    }

    fn set_rate(&mut self, per_second: f64, now: Duration) {
        self.refill(now);
        self.per_second = per_second;
    }

    fn refill(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.at).as_secs_f64();
        let most = (self.per_second * BURST).max(1.0);
        self.tokens = (self.tokens + elapsed * self.per_second).min(most);
        self.at = self.at.max(now);
    }

    fn take(&mut self, tokens: f64) {
        self.tokens -= tokens;
    }

    /// How long until something may be taken; zero if it may be now.
    fn wait(&mut self, now: Duration) -> Duration {
        self.refill(now);
        if self.tokens < 1.0 - 1e-6 {
            self.is_gathering = true;
        }
        let enough = if self.is_gathering { (self.per_second * BURST / 2.0).max(1.0) } else { 1.0 };
        let lacking = enough - self.tokens;
        // Rounding must not ask for one more wait of no time at all.
        if lacking > 1e-6 {
            return Duration::from_secs_f64(lacking / self.per_second + 1e-6);
        }
        self.is_gathering = false;
        Duration::ZERO
    }
}

/// Records and bytes a second.
#[derive(Debug, Clone)]
pub struct Rate {
    records: Option<Bucket>,
    bytes: Option<Bucket>,
}

impl Rate {
    /// A rate with an upper bound for either, both or none.
    pub fn new(records: Option<f64>, bytes: Option<f64>, now: Duration) -> Self {
        Self { records: records.map(|rate| Bucket::new(rate, now)), bytes: bytes.map(|rate| Bucket::new(rate, now)) }
    }

    /// How long until the next record may be sent.
    pub fn wait(&mut self, now: Duration) -> Duration {
        let of = |bucket: &mut Option<Bucket>| bucket.as_mut().map_or(Duration::ZERO, |bucket| bucket.wait(now));
        of(&mut self.records).max(of(&mut self.bytes))
    }

    pub fn take(&mut self, bytes: usize) {
        if let Some(bucket) = &mut self.records {
            bucket.take(1.0);
        }
        if let Some(bucket) = &mut self.bytes {
            bucket.take(bytes as f64);
        }
    }
}

/// One shard's pace.
#[derive(Debug, Clone)]
pub enum Pace {
    /// It has refused nothing yet.
    Free,
    Paced {
        share: f64,
        records: Bucket,
        bytes: Bucket,
        lowered: Duration,
        raised: Duration,
    },
}

impl Pace {
    /// How long until the next record may go to this shard.
    pub fn wait(&mut self, now: Duration) -> Duration {
        let Self::Paced { share, records, bytes, raised, .. } = self else { return Duration::ZERO };
        let quiet = now.saturating_sub(*raised).as_secs_f64();
        if quiet >= 0.1 && *share < HIGHEST_SHARE {
            *share = (*share * (1.0 + quiet * INCREASE_PER_SECOND)).min(HIGHEST_SHARE);
            set_rates(*share, records, bytes, now);
            *raised = now;
        }
        records.wait(now).max(bytes.wait(now))
    }

    /// A record of so many bytes goes to this shard.
    pub fn take(&mut self, bytes_taken: usize) {
        if let Self::Paced { records, bytes, .. } = self {
            records.take(1.0);
            bytes.take(bytes_taken as f64);
        }
    }

    /// The shard refused a record of a request that was sent at `sent`.
    pub fn throttled(&mut self, sent: Duration, now: Duration) {
        match self {
            Self::Free => {
                let mut records = Bucket::new(1.0, now);
                let mut bytes = Bucket::new(1.0, now);
                set_rates(HIGHEST_SHARE, &mut records, &mut bytes, now);
                *self = Self::Paced { share: HIGHEST_SHARE, records, bytes, lowered: now, raised: now };
            }
            Self::Paced { share, records, bytes, lowered, raised } => {
                *raised = now;
                // What was under way when the pace was lowered says nothing about the pace since.
                if sent < *lowered || now.saturating_sub(*lowered) < SETTLING {
                    return;
                }
                *share = (*share * DECREASE).max(LOWEST_SHARE);
                set_rates(*share, records, bytes, now);
                *lowered = now;
            }
        }
    }
}

fn set_rates(share: f64, records: &mut Bucket, bytes: &mut Bucket, now: Duration) {
    records.set_rate(limits::SHARD_WRITE_RECORDS_PER_SECOND as f64 * share, now);
    bytes.set_rate(limits::SHARD_WRITE_BYTES_PER_SECOND as f64 * share, now);
}

/// The pause before a record is sent again: doubling from 50 ms to 2 s, anywhere in its upper half (`random` is 0 to 1),
/// so that what failed together does not come back together.
pub fn backoff(attempts: u32, random: f64) -> Duration {
    const FIRST: f64 = 0.05;
    const LONGEST: f64 = 2.0;
    let most = (FIRST * f64::from(1_u32 << attempts.saturating_sub(1).min(16))).min(LONGEST);
    Duration::from_secs_f64(most * (0.5 + random / 2.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A shard as Kinesis limits it: a bucket of one second.
    struct Shard {
        limit: f64,
        tokens: f64,
        at: Duration,
    }

    impl Shard {
        fn takes(&mut self, now: Duration) -> bool {
            self.tokens = (self.tokens + (now - self.at).as_secs_f64() * self.limit).min(self.limit);
            self.at = now;
            let takes = self.tokens >= 1.0;
            if takes {
                self.tokens -= 1.0;
            }
            takes
        }
    }

    /// Sends to a shard for so many seconds of virtual time, answers `delay` late; (taken, refused).
    fn simulate(limit: f64, seconds: u64, delay: Duration, size: usize) -> (u64, u64) {
        let mut shard = Shard { limit, tokens: limit, at: Duration::ZERO };
        let mut pace = Pace::Free;
        let (mut taken, mut refused) = (0, 0);
        let mut answers: std::collections::VecDeque<(Duration, Duration)> = Default::default();
        let mut now = Duration::ZERO;
        while now < Duration::from_secs(seconds) {
            while answers.front().is_some_and(|(due, _)| *due <= now) {
                let (_, sent) = answers.pop_front().unwrap();
                pace.throttled(sent, now);
            }
            // At most 20 records a millisecond, as a client that is not infinitely fast.
            for _ in 0..20 {
                if !pace.wait(now).is_zero() {
                    break;
                }
                pace.take(size);
                if shard.takes(now) {
                    taken += 1;
                } else {
                    refused += 1;
                    answers.push_back((now + delay, now));
                }
            }
            now += Duration::from_millis(1);
        }
        (taken, refused)
    }

    #[test]
    fn the_limit_is_held_for_a_minute_with_few_refusals() {
        let (taken, refused) = simulate(1000.0, 60, Duration::from_millis(20), 200);
        assert!(taken >= 57_000, "{taken} of 60,000");
        assert!((refused as f64) < 0.05 * (taken + refused) as f64, "{refused} refused");
    }

    #[test]
    fn a_shard_that_refuses_nothing_is_not_held_back() {
        let (taken, refused) = simulate(1e9, 5, Duration::from_millis(20), 200);
        assert_eq!((taken, refused), (100_000, 0));
    }

    #[test]
    fn a_rate_is_kept() {
        for rate in [1.0, 7.0, 100.0, 5000.0] {
            let mut limit = Rate::new(Some(rate), None, Duration::ZERO);
            let mut now = Duration::ZERO;
            let mut sent = 0;
            while now < Duration::from_secs(20) {
                let wait = limit.wait(now);
                if wait.is_zero() {
                    limit.take(10);
                    sent += 1;
                } else {
                    now += wait;
                }
            }
            let asked = rate * 20.0;
            assert!((f64::from(sent) - asked).abs() <= asked * 0.02 + 2.0, "{sent} at {rate}/s");
        }
    }

    #[test]
    fn pauses_grow_and_differ() {
        assert_eq!(backoff(1, 1.0), Duration::from_millis(50));
        assert_eq!(backoff(1, 0.0), Duration::from_millis(25));
        assert_eq!(backoff(3, 1.0), Duration::from_millis(200));
        assert_eq!(backoff(60, 1.0), Duration::from_secs(2));
    }

    proptest! {
        #[test]
        fn a_shard_shared_with_others_is_used_and_not_hammered(
            limit in 100.0_f64..1000.0,
            delay in 1_u64..200,
        ) {
            let (taken, refused) = simulate(limit, 60, Duration::from_millis(delay), 200);
            prop_assert!(taken as f64 >= limit * 60.0 * 0.75, "{taken} of {}", limit * 60.0);
            // What was under way before the first refusal was known, the seconds of finding out, and then few.
            let most = (20 * delay) as f64 + 1000.0 + 0.05 * (taken + refused) as f64;
            prop_assert!((refused as f64) < most, "{refused} refused, {taken} taken");
        }

        #[test]
        fn no_wait_is_forever_and_every_wait_ends(
            sizes in prop::collection::vec(1_usize..1_100_000, 1..50),
        ) {
            let mut pace = Pace::Free;
            pace.throttled(Duration::ZERO, Duration::ZERO);
            let mut now = Duration::ZERO;
            let mut bytes = 0;
            for size in &sizes {
                let wait = pace.wait(now);
                now += wait;
                prop_assert!(pace.wait(now).is_zero());
                pace.take(*size);
                bytes += size;
            }
            let allowed = (now.as_secs_f64() + BURST) * limits::SHARD_WRITE_BYTES_PER_SECOND as f64 + 1_100_000.0;
            prop_assert!((bytes as f64) <= allowed);
        }
    }
}
