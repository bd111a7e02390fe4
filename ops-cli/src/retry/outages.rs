//! When a person hears that calls fail: once when an outage has lasted a moment, once when it is over. Pure: the clock is
//! passed in.

use std::collections::BTreeMap;
use std::time::Duration;

/// An outage that ends sooner is not announced.
const ANNOUNCED_AFTER: Duration = Duration::from_secs(1);

/// The calls that fail at present, by what they do. Calls that run at the same time share one outage.
#[derive(Debug, Default)]
pub struct Outages {
    failing: BTreeMap<String, Failing>,
    /// When the outage that was announced began.
    announced: Option<Duration>,
}

#[derive(Debug)]
struct Failing {
    since: Duration,
    cause: String,
}

#[derive(Debug, PartialEq)]
pub enum Notice {
    Began { doing: String, cause: String },
    Ended { doing: String, lasted: Duration },
}

impl Outages {
    /// Records that a call failed for a transient reason.
    pub fn failed(&mut self, doing: &str, cause: String, now: Duration) -> Option<Notice> {
        let failing = self.failing.entry(doing.to_owned()).or_insert(Failing { since: now, cause: String::new() });
        failing.cause.clone_from(&cause);
        if self.announced.is_some() || now.saturating_sub(failing.since) < ANNOUNCED_AFTER {
            return None;
        }
        self.announced = Some(failing.since);
        Some(Notice::Began { doing: doing.to_owned(), cause })
    }

    /// Records that a call was answered, if only by an error. The outage ends with the last of the failing calls.
    pub fn answered(&mut self, doing: &str, now: Duration) -> Option<Notice> {
        self.failing.remove(doing)?;
        if !self.failing.is_empty() {
            return None;
        }
        let since = self.announced.take()?;
        Some(Notice::Ended { doing: doing.to_owned(), lasted: now.saturating_sub(since) })
    }

    /// The first of the failing calls and its cause.
    pub fn trouble(&self) -> Option<String> {
        let (doing, Failing { cause, .. }) = self.failing.first_key_value()?;
        Some(format!("could not {doing}: {cause}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever calls fail and are answered, and when: notices alternate, none comes for what ends within a moment, and
        /// when every call is answered, every outage that was announced has ended.
        #[test]
        fn an_outage_is_announced_once_and_ended_once(
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
                    Some(Notice::Began { doing, .. }) => {
                        prop_assert!(!is_announced);
                        prop_assert_eq!(doing.as_str(), names[call]);
                        prop_assert!(now - failing_since[call].unwrap() >= ANNOUNCED_AFTER);
                        is_announced = true;
                    }
                    Some(Notice::Ended { .. }) => {
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
    fn a_blip_is_not_announced() {
        let mut outages = Outages::default();
        assert_eq!(outages.failed("read", "500".into(), Duration::ZERO), None);
        assert_eq!(outages.failed("read", "500".into(), Duration::from_millis(900)), None);
        assert_eq!(outages.answered("read", Duration::from_millis(950)), None);
    }

    #[test]
    fn the_notices_name_the_call_the_cause_and_how_long_it_lasted() {
        let mut outages = Outages::default();
        outages.failed("read", "500".into(), Duration::from_secs(1));
        let began = outages.failed("read", "429".into(), Duration::from_secs(3));
        assert_eq!(began, Some(Notice::Began { doing: "read".into(), cause: "429".into() }));
        assert_eq!(outages.trouble().as_deref(), Some("could not read: 429"));
        let ended = outages.answered("read", Duration::from_secs(11));
        assert_eq!(ended, Some(Notice::Ended { doing: "read".into(), lasted: Duration::from_secs(10) }));
    }
}
