//! Decides when the user is notified of failing calls: once when an outage has lasted a second, and once when it ends. Pure: the
//! clock is passed in.

use std::collections::BTreeMap;
use std::time::Duration;

/// An outage that ends sooner is not announced.
const ANNOUNCED_AFTER: Duration = Duration::from_secs(1);

/// The calls that are failing, by their description. Concurrent calls share one outage.
#[derive(Debug, Default)]
pub struct Outages {
    failing: BTreeMap<String, FailingCall>,
    /// The start of the outage that was announced.
    announced: Option<Duration>,
}

#[derive(Debug)]
struct FailingCall {
    since: Duration,
    cause: String,
}

#[derive(Debug, PartialEq)]
pub enum OutageNotice {
    Began { doing: String, cause: String },
    Ended { doing: String, lasted: Duration },
}

impl Outages {
    /// Records that a call failed for a transient reason.
    pub fn failed(&mut self, doing: &str, cause: String, now: Duration) -> Option<OutageNotice> {
        let failing = self.failing.entry(doing.to_owned()).or_insert(FailingCall { since: now, cause: String::new() });
        failing.cause.clone_from(&cause);
        if self.announced.is_some() || now.saturating_sub(failing.since) < ANNOUNCED_AFTER {
            return None;
        }
        self.announced = Some(failing.since);
        Some(OutageNotice::Began { doing: doing.to_owned(), cause })
    }

    /// Records that a call was answered, even if by a permanent error. The outage ends with the last failing call.
    pub fn answered(&mut self, doing: &str, now: Duration) -> Option<OutageNotice> {
        self.failing.remove(doing)?;
        if !self.failing.is_empty() {
            return None;
        }
        let since = self.announced.take()?;
        Some(OutageNotice::Ended { doing: doing.to_owned(), lasted: now.saturating_sub(since) })
    }

    /// The first failing call and its cause.
    pub fn trouble(&self) -> Option<String> {
        let (doing, FailingCall { cause, .. }) = self.failing.first_key_value()?;
        Some(format!("could not {doing}: {cause}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Notices alternate. Short outages have none. When every call is answered, every announced outage has ended.
        #[test]
        fn the_start_and_the_end_of_an_outage_are_each_announced_once(
            events in prop::collection::vec((0_usize..4, any::<bool>(), 0_u64..1500), 0..200),
        ) {
            let mut outages = Outages::default();
            let (mut now, mut is_announced) = (Duration::ZERO, false);
            let mut failing_since = [None::<Duration>; 4];
            let names = ["a", "b", "c", "d"];
            let all_answered = (0..4).map(|call| (call, false, 1));
            for (call, fails, pause) in events.into_iter().chain(all_answered) {
                now += Duration::from_millis(pause);
                let notice = if fails {
                    failing_since[call].get_or_insert(now);
                    outages.failed(names[call], "cause".into(), now)
                } else {
                    failing_since[call] = None;
                    outages.answered(names[call], now)
                };
                match notice {
                    Some(OutageNotice::Began { doing, .. }) => {
                        prop_assert!(!is_announced);
                        prop_assert_eq!(doing.as_str(), names[call]);
                        prop_assert!(now - failing_since[call].unwrap() >= ANNOUNCED_AFTER);
                        is_announced = true;
                    }
                    Some(OutageNotice::Ended { .. }) => {
                        prop_assert!(is_announced && failing_since.iter().all(Option::is_none));
                        is_announced = false;
                    }
                    None => {
                        let lasting = failing_since[call].is_some_and(|since| now - since >= ANNOUNCED_AFTER);
                        prop_assert!(is_announced || !fails || !lasting, "an outage that lasts was not announced");
                    }
                }
                prop_assert_eq!(outages.trouble().is_some(), failing_since.iter().any(Option::is_some));
            }
            prop_assert!(!is_announced);
        }
    }

    #[test]
    fn a_short_outage_is_not_announced() {
        let mut outages = Outages::default();
        assert_eq!(outages.failed("read", "500".into(), Duration::ZERO), None);
        assert_eq!(outages.failed("read", "500".into(), Duration::from_millis(900)), None);
        assert_eq!(outages.answered("read", Duration::from_millis(950)), None);
    }

    #[test]
    fn the_notices_name_the_call_the_cause_and_the_duration() {
        let mut outages = Outages::default();
        outages.failed("read", "500".into(), Duration::from_secs(1));
        let began = outages.failed("read", "429".into(), Duration::from_secs(3));
        assert_eq!(began, Some(OutageNotice::Began { doing: "read".into(), cause: "429".into() }));
        assert_eq!(outages.trouble().as_deref(), Some("could not read: 429"));
        let ended = outages.answered("read", Duration::from_secs(11));
        assert_eq!(ended, Some(OutageNotice::Ended { doing: "read".into(), lasted: Duration::from_secs(10) }));
    }
}
