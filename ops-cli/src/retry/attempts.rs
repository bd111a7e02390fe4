//! When one call is repeated. Pure: the clock and the jitter are passed in.

use std::time::Duration;

use super::class::Class;

/// The pause after the first failure, before jitter. Each next pause is twice as long, up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(100);
pub const LONGEST: Duration = Duration::from_secs(5);
/// A request signed by a wrong clock is signed with the service's time when it is repeated. If that does not help,
/// nothing will.
const CLOCK_SKEW_RETRIES: u32 = 2;

/// The failed attempts of one call.
#[derive(Debug)]
pub struct Attempts {
    began: Duration,
    failures: u32,
    skewed: u32,
}

/// What happens after a failed attempt.
#[derive(Debug, PartialEq)]
pub enum Next {
    RetryAfter(Duration),
    GiveUp,
}

impl Attempts {
    /// A call that begins at `now`.
    pub fn begin(now: Duration) -> Self {
        Self { began: now, failures: 0, skewed: 0 }
    }

    /// Decides what follows a failure at `now`. `jitter` is a random number from 0 to 1. The last attempt is made when
    /// the patience ends, not up to a pause before.
    pub fn failed(&mut self, class: Class, now: Duration, patience: Option<Duration>, jitter: f64) -> Next {
        match class {
            Class::Permanent => return Next::GiveUp,
            Class::ClockSkew if self.skewed == CLOCK_SKEW_RETRIES => return Next::GiveUp,
            Class::ClockSkew => self.skewed += 1,
            Class::Transient => {}
        }
        let ceiling = SHORTEST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        // Between half of it and all of it: clients that failed together do not come back together.
        let pause = ceiling.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        let Some(patience) = patience else { return Next::RetryAfter(pause) };
        let left = (self.began + patience).saturating_sub(now);
        if left.is_zero() { Next::GiveUp } else { Next::RetryAfter(pause.min(left)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn milliseconds(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Runs a call against a service that fails until `outage` ends; each attempt takes `took`. When the attempts are
    /// made, and whether the call is answered.
    fn simulate(outage: Duration, took: Duration, patience: Option<Duration>, jitter: &[f64]) -> (Vec<Duration>, bool) {
        let mut now = Duration::ZERO;
        let mut attempts = Attempts::begin(now);
        let mut made = Vec::new();
        for jitter in jitter.iter().cycle() {
            made.push(now);
            now += took;
            if now >= outage {
                return (made, true);
            }
            match attempts.failed(Class::Transient, now, patience, *jitter) {
                Next::RetryAfter(pause) => now += pause,
                Next::GiveUp => return (made, false),
            }
        }
        unreachable!("jitter is repeated for ever");
    }

    proptest! {
        /// Any outage that ends within the patience is survived, and noticed at most one pause after its end.
        #[test]
        fn an_outage_within_the_patience_is_survived(
            outage in 0_u64..200_000,
            took in 1_u64..1000,
            patience in prop::option::of(1_u64..200_000),
            jitter in prop::collection::vec(0.0_f64..1.0, 1..20),
        ) {
            let (outage, took) = (milliseconds(outage), milliseconds(took));
            let (made, answered) = simulate(outage, took, patience.map(milliseconds), &jitter);
            let last = made[made.len() - 1];
            match patience.map(milliseconds) {
                Some(patience) if !answered => {
                    prop_assert!(outage > patience, "gave up at {:?} of {:?}", last, patience);
                    prop_assert!(last + took >= patience, "the last attempt ended before the patience did");
                    prop_assert!(last <= patience);
                }
                _ => prop_assert!(last <= outage + LONGEST),
            }
        }

        /// The pauses grow up to the cap, so that an outage costs few requests however long it lasts.
        #[test]
        fn a_long_outage_costs_few_requests(
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
    fn a_wrong_clock_is_corrected_or_given_up() {
        let mut attempts = Attempts::begin(Duration::ZERO);
        let mut fail = || attempts.failed(Class::ClockSkew, Duration::ZERO, None, 1.0);
        assert!(matches!((fail(), fail()), (Next::RetryAfter(_), Next::RetryAfter(_))));
        assert_eq!(fail(), Next::GiveUp);
    }

    #[test]
    fn a_permanent_error_is_not_repeated() {
        let next = Attempts::begin(Duration::ZERO).failed(Class::Permanent, Duration::ZERO, None, 0.0);
        assert_eq!(next, Next::GiveUp);
    }
}
