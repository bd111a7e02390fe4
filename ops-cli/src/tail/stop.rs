//! When a run ends by itself. Pure: the clock is passed in.

use std::time::Duration;

use regex::Regex;

use crate::error::{Error, Result};

/// The conditions of the command line.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    pub count: Option<u64>,
    pub idle: Option<Duration>,
    pub matching: Option<Regex>,
    pub timeout: Option<Duration>,
}

/// How far a run has come.
#[derive(Debug)]
pub struct Progress {
    stop: Stop,
    shown: u64,
    has_matched: bool,
    /// When the last event was shown, or the run began, since the run began.
    last_shown: Duration,
}

impl Progress {
    pub fn new(stop: Stop) -> Self {
        Self { stop, shown: 0, has_matched: false, last_shown: Duration::ZERO }
    }

    /// Records that a message was shown. Returns whether it was the last.
    pub fn shown(&mut self, message: &str, now: Duration) -> bool {
        self.shown += 1;
        self.last_shown = now;
        self.has_matched |= self.stop.matching.as_ref().is_some_and(|regex| regex.is_match(message));
        self.is_complete()
    }

    /// Whether everything that the run waits for was shown.
    pub fn is_complete(&self) -> bool {
        self.has_matched || self.stop.count.is_some_and(|count| self.shown >= count)
    }

    /// How long the run waits from `now` on if nothing else is shown; `None` is for ever.
    pub fn time_left(&self, now: Duration) -> Option<Duration> {
        let idle = self.stop.idle.map(|idle| self.last_shown + idle);
        let ends = [idle, self.stop.timeout].into_iter().flatten().min()?;
        Some(ends.saturating_sub(now))
    }

    /// The outcome of a run that ended because nothing else was to come, or because its time was over.
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
                    .hint("see that --since and --timeout are long enough"))
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
        assert!(!progress.shown("a", SECOND));
        assert!(progress.outcome().is_ok(), "fewer were there, and no time was given to wait for them");
        assert!(progress.shown("b", SECOND));
    }

    #[test]
    fn a_match_completes_the_run_and_a_missing_one_fails_it() {
        let stop = Stop { matching: Some(Regex::new("rea.y").unwrap()), timeout: Some(30 * SECOND), ..Stop::default() };
        let mut progress = Progress::new(stop);
        assert!(!progress.shown("no", SECOND));
        assert_eq!(progress.outcome().unwrap_err().message, "no event matched --until-match rea.y within 30s");
        assert!(progress.shown("it is ready", SECOND));
        assert!(progress.outcome().is_ok());
    }

    #[test]
    fn a_run_ends_when_nothing_was_shown_for_the_idle_time_or_at_the_timeout() {
        let stop = Stop { idle: Some(5 * SECOND), timeout: Some(12 * SECOND), ..Stop::default() };
        let mut progress = Progress::new(stop);
        assert_eq!(progress.time_left(SECOND), Some(4 * SECOND));
        progress.shown("a", 6 * SECOND);
        assert_eq!(progress.time_left(6 * SECOND), Some(5 * SECOND));
        progress.shown("a", 10 * SECOND);
        assert_eq!(progress.time_left(10 * SECOND), Some(2 * SECOND), "the timeout comes first");
        assert_eq!(progress.time_left(20 * SECOND), Some(Duration::ZERO));
        assert!(progress.outcome().is_ok());
        assert_eq!(Progress::new(Stop::default()).time_left(SECOND), None);
    }

    #[test]
    fn a_count_that_is_not_reached_in_time_fails() {
        let progress = Progress::new(Stop { count: Some(3), timeout: Some(SECOND), ..Stop::default() });
        assert_eq!(progress.outcome().unwrap_err().message, "0 of the 3 events of --count were shown within 1s");
    }
}
