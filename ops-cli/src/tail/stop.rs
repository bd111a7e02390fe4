//! Decides when a run ends by itself. Pure: the clock is passed in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use regex::Regex;

use crate::error::{Error, Result};

/// The conditions of the command line under which a run ends.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    pub count: Option<u64>,
    pub idle: Option<Duration>,
    pub matching: Option<Regex>,
    pub timeout: Option<Duration>,
}

/// The progress of a run.
#[derive(Debug)]
pub struct Progress {
    stop: Stop,
    shown: u64,
    has_matched: bool,
    deadline: Deadline,
}

/// The time at which a run ends without further events. Clones share the time of the last event shown.
#[derive(Debug, Clone)]
pub struct Deadline {
    idle: Option<Duration>,
    timeout: Option<Duration>,
    /// The time at which the last event was shown, in milliseconds since the run began.
    last_shown: Arc<AtomicU64>,
}

/// The time left of a run if no other event is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TimeLeft {
    Forever,
    /// The time until the idle time is over.
    Idle(Duration),
    /// The time until the timeout.
    Timeout(Duration),
}

impl Deadline {
    fn shown(&self, now: Duration) {
        self.last_shown.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub fn time_left(&self, now: Duration) -> TimeLeft {
        let last_shown = Duration::from_millis(self.last_shown.load(Ordering::Relaxed));
        let idle = self.idle.map(|idle| (last_shown + idle).saturating_sub(now));
        let timeout = self.timeout.map(|timeout| timeout.saturating_sub(now));
        match (idle, timeout) {
            (None, None) => TimeLeft::Forever,
            (Some(idle), None) => TimeLeft::Idle(idle),
            (Some(idle), Some(timeout)) if idle < timeout => TimeLeft::Idle(idle),
            (_, Some(timeout)) => TimeLeft::Timeout(timeout),
        }
    }
}

impl Progress {
    pub fn new(stop: Stop) -> Self {
        let deadline = Deadline { idle: stop.idle, timeout: stop.timeout, last_shown: Arc::default() };
        Self { stop, shown: 0, has_matched: false, deadline }
    }

    /// Notes a message that was selected, and whether the view shows it. Returns whether it was the last.
    pub fn saw(&mut self, message: &str, is_shown: bool, now: Duration) -> bool {
        if is_shown {
            self.shown += 1;
            self.deadline.shown(now);
        }
        self.has_matched |= self.stop.matching.as_ref().is_some_and(|regex| regex.is_match(message));
        self.is_complete()
    }

    /// Whether all events that the run waits for were shown.
    pub fn is_complete(&self) -> bool {
        self.has_matched || self.stop.count.is_some_and(|count| self.shown >= count)
    }

    /// Returns the time at which the run ends. It is updated with this progress.
    pub fn deadline(&self) -> Deadline {
        self.deadline.clone()
    }

    /// Returns the result of a run that ended because no more events will arrive, or because its time is over.
    pub fn outcome(&self) -> Result<()> {
        if self.is_complete() {
            return Ok(());
        }
        let within = match self.stop.timeout {
            Some(timeout) => format!(" within {timeout:?}"),
            None => String::new(),
        };
        match (&self.stop.matching, self.stop.count) {
            (Some(regex), _) => Err(Error::failed(format!("no event matched --until-match {regex}{within}"))
                .hint(format!("{} events were shown; see that --since and --timeout are long enough", self.shown))),
            (None, Some(count)) if self.stop.timeout.is_some() => {
                Err(Error::failed(format!("{} of the {count} events of --count were shown{within}", self.shown))
                    .hint("see that --timeout is long enough, and that the range begins early enough"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_count_completes_the_run() {
        let mut progress = Progress::new(Stop { count: Some(2), ..Stop::default() });
        assert!(!progress.saw("a", true, SECOND));
        assert!(progress.outcome().is_ok(), "fewer were there, and no time was given to wait for them");
        assert!(progress.saw("b", true, SECOND));
    }

    #[test]
    fn a_match_completes_the_run_and_a_missing_one_fails_it() {
        let stop = Stop { matching: Some(Regex::new("rea.y").unwrap()), timeout: Some(30 * SECOND), ..Stop::default() };
        let mut progress = Progress::new(stop);
        assert!(!progress.saw("no", true, SECOND));
        assert_eq!(progress.outcome().unwrap_err().message, "no event matched --until-match rea.y within 30s");
        assert!(progress.saw("it is ready", false, SECOND));
        assert!(progress.outcome().is_ok());
    }

    #[test]
    fn a_run_ends_when_nothing_was_shown_for_the_idle_time_or_at_the_timeout() {
        let stop = Stop { idle: Some(5 * SECOND), timeout: Some(12 * SECOND), ..Stop::default() };
        let mut progress = Progress::new(stop);
        let left = progress.deadline();
        assert_eq!(left.time_left(SECOND), TimeLeft::Idle(4 * SECOND));
        progress.saw("a", true, 6 * SECOND);
        assert_eq!(left.time_left(6 * SECOND), TimeLeft::Idle(5 * SECOND));
        progress.saw("a", true, 10 * SECOND);
        assert_eq!(left.time_left(10 * SECOND), TimeLeft::Timeout(2 * SECOND), "the timeout comes first");
        assert_eq!(left.time_left(20 * SECOND), TimeLeft::Timeout(Duration::ZERO));
        assert!(progress.outcome().is_ok());
        assert_eq!(Progress::new(Stop::default()).deadline().time_left(SECOND), TimeLeft::Forever);
    }

    #[test]
    fn a_count_that_is_not_reached_in_time_fails() {
        let progress = Progress::new(Stop { count: Some(3), timeout: Some(SECOND), ..Stop::default() });
        assert_eq!(progress.outcome().unwrap_err().message, "0 of the 3 events of --count were shown within 1s");
    }
}
