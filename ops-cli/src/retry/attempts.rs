//! Decides when a call is retried. Pure: the clock and the jitter are passed in.

use std::time::Duration;

use super::class::ErrorClass;

/// The pause after the first failure, before jitter. Each next pause is twice as long, up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(100);
pub const LONGEST: Duration = Duration::from_secs(5);
/// A request that was signed by a wrong clock is signed with the service's time when it is retried. More retries than these do
/// not help.
const CLOCK_SKEW_RETRIES: u32 = 2;

/// The failed attempts of one call.
#[derive(Debug)]
pub struct Attempts {
    began: Duration,
    failures: u32,
    skewed: u32,
}

/// The decision after a failed attempt.
#[derive(Debug, PartialEq)]
pub enum RetryDecision {
    RetryAfter(Duration),
    GiveUp,
}

impl Attempts {
    /// Starts a call at `now`.
    pub fn begin(now: Duration) -> Self {
        Self { began: now, failures: 0, skewed: 0 }
    }

    /// Decides what follows a failure at `now`. `jitter` is a random number from 0 to 1. The last attempt is made when the deadline
    /// passes, not up to one pause earlier.
    pub fn failed(
        &mut self,
        class: ErrorClass,
        now: Duration,
        deadline: Option<Duration>,
        jitter: f64,
    ) -> RetryDecision {
        match class {
            ErrorClass::Permanent => return RetryDecision::GiveUp,
            ErrorClass::ClockSkew if self.skewed == CLOCK_SKEW_RETRIES => return RetryDecision::GiveUp,
            ErrorClass::ClockSkew => self.skewed += 1,
            ErrorClass::Transient => {}
        }
        let ceiling = SHORTEST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        // Between half of the ceiling and all of it, so that clients that failed together do not retry together.
        let pause = ceiling.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        let Some(deadline) = deadline else { return RetryDecision::RetryAfter(pause) };
        let left = (self.began + deadline).saturating_sub(now);
        if left.is_zero() { RetryDecision::GiveUp } else { RetryDecision::RetryAfter(pause.min(left)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn milliseconds(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Simulates a call to a service that fails until `outage`; each attempt takes `took`. Returns the times of the attempts, and
    /// whether the call succeeded.
    fn simulate(outage: Duration, took: Duration, deadline: Option<Duration>, jitter: &[f64]) -> (Vec<Duration>, bool) {
        let mut now = Duration::ZERO;
        let mut attempts = Attempts::begin(now);
        let mut made = Vec::new();
        for jitter in jitter.iter().cycle() {
            made.push(now);
            now += took;
            if now >= outage {
                return (made, true);
            }
            match attempts.failed(ErrorClass::Transient, now, deadline, *jitter) {
                RetryDecision::RetryAfter(pause) => now += pause,
                RetryDecision::GiveUp => return (made, false),
            }
        }
        unreachable!("jitter is repeated for ever");
    }

    proptest! {
        /// A call survives any outage that ends before the deadline, and succeeds at most one pause after its end.
        #[test]
        fn a_call_survives_an_outage_that_ends_before_the_deadline(
            outage in 0_u64..200_000,
            took in 1_u64..1000,
            deadline in prop::option::of(1_u64..200_000),
            jitter in prop::collection::vec(0.0_f64..1.0, 1..20),
        ) {
            let (outage, took) = (milliseconds(outage), milliseconds(took));
            let (made, answered) = simulate(outage, took, deadline.map(milliseconds), &jitter);
            let last = made[made.len() - 1];
            match deadline.map(milliseconds) {
                Some(deadline) if !answered => {
                    prop_assert!(outage > deadline, "gave up at {:?} of {:?}", last, deadline);
                    prop_assert!(last + took >= deadline, "the last attempt ended before the deadline did");
                    prop_assert!(last <= deadline);
                }
                _ => prop_assert!(last <= outage + LONGEST),
            }
        }

        /// The pauses grow up to the cap, so that a long outage causes few requests.
        #[test]
        fn a_long_outage_causes_few_requests(
            seconds in 1_u64..3600,
            jitter in prop::collection::vec(0.0_f64..1.0, 1..20),
        ) {
            let (made, _) = simulate(Duration::from_secs(seconds), milliseconds(1), None, &jitter);
            // Seven pauses until the cap is reached, then one of 2.5 s at least.
            prop_assert!(made.len() as u64 <= 8 + seconds * 2 / 5 + 1, "{} requests", made.len());
            for (one, next) in made.iter().zip(&made[1..]) {
                prop_assert!(*next - *one <= LONGEST + milliseconds(1));
            }
        }
    }

    #[test]
    fn a_wrong_clock_is_corrected_twice_at_most() {
        let mut attempts = Attempts::begin(Duration::ZERO);
        let mut fail = || attempts.failed(ErrorClass::ClockSkew, Duration::ZERO, None, 1.0);
        assert!(matches!((fail(), fail()), (RetryDecision::RetryAfter(_), RetryDecision::RetryAfter(_))));
        assert_eq!(fail(), RetryDecision::GiveUp);
    }

    #[test]
    fn a_permanent_error_is_not_retried() {
        let next = Attempts::begin(Duration::ZERO).failed(ErrorClass::Permanent, Duration::ZERO, None, 0.0);
        assert_eq!(next, RetryDecision::GiveUp);
    }
}
