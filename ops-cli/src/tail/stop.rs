//! Decides when a run ends by itself. Pure: the clock is passed in.

use std::time::Duration;

use regex::Regex;

use crate::error::{Error, Result};
use crate::output::counted;
use crate::time;

/// The conditions of the command line under which a run ends.
#[derive(Debug, Clone)]
pub struct Stop {
    pub count: Option<u64>,
    pub idle: Option<Duration>,
    pub matching: Option<Regex>,
    pub timeout: Option<Duration>,
    /// Whether the run has failed if the timeout passes before everything that was there was read.
    pub reads_everything: bool,
    /// What the run shows: `event` or `record`.
    pub what: &'static str,
}

/// The progress of a run. Times are since it began.
#[derive(Debug)]
pub struct Progress {
    stop: Stop,
    shown: u64,
    last_shown: Duration,
    has_matched: bool,
    /// When everything that was there had been read for the first time.
    caught_up: Option<Duration>,
}

/// Parses `--idle-exit`.
///
/// # Errors
/// The text is no duration, or 0, after which a run would end before it has read anything.
pub fn idle(text: &str) -> Result<Duration> {
    let idle = time::duration("--idle-exit", text)?;
    if idle.is_zero() {
        return Err(Error::usage(format!("--idle-exit {text} is not a time to wait"))
            .hint("it is how long nothing comes before the run ends, for example 5s; without it, the run ends where the data ends now"));
    }
    Ok(idle)
}

impl Progress {
    pub fn new(stop: Stop) -> Self {
        Self { stop, shown: 0, last_shown: Duration::ZERO, has_matched: false, caught_up: None }
    }

    /// Notes a message that was selected, and whether the view shows it. Returns whether it was the last.
    pub fn saw(&mut self, message: &str, is_shown: bool, now: Duration) -> bool {
        if is_shown {
            self.shown += 1;
            self.last_shown = now;
        }
        self.has_matched |= self.stop.matching.as_ref().is_some_and(|regex| regex.is_match(message));
        self.is_complete()
    }

    /// Notes that everything that was there at `time` was read and shown. Returns whether nothing came for the idle time, which
    /// stands still while no answer is there.
    pub fn read_up_to(&mut self, time: Duration, now: Duration) -> bool {
        let begins = self.last_shown.max(*self.caught_up.get_or_insert(now));
        self.stop.idle.is_some_and(|idle| time >= begins + idle)
    }

    /// How long nothing must come from now on until the idle time is over; `None` if the run has none.
    pub fn idle_left(&self, now: Duration) -> Option<Duration> {
        let begins = self.last_shown.max(self.caught_up?);
        Some((begins + self.stop.idle?).saturating_sub(now))
    }

    /// How long the run may last.
    pub fn timeout(&self) -> Option<Duration> {
        self.stop.timeout
    }

    /// Whether all events that the run waits for were shown.
    pub fn is_complete(&self) -> bool {
        self.has_matched || self.stop.count.is_some_and(|count| self.shown >= count)
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
        let shown = counted(self.shown, self.stop.what);
        match (&self.stop.matching, self.stop.count) {
            (Some(regex), _) => Err(Error::failed(format!("no event matched --until-match {regex}{within}"))
                .hint(format!("{shown} shown; see that --since and --timeout are long enough"))),
            (None, Some(count)) if self.stop.timeout.is_some() => Err(Error::failed(format!(
                "{} of the {} of --count were shown{within}",
                self.shown,
                counted(count, self.stop.what)
            ))
            .hint("see that --timeout is long enough, and that the range begins early enough")),
            _ if self.stop.reads_everything && self.caught_up.is_none() => {
                Err(Error::failed(format!("not everything was read{within}: {shown} shown"))
                    .hint("give it longer with --timeout, or read less; --follow ends at --timeout wherever it is"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const STOP: Stop =
        Stop { count: None, idle: None, matching: None, timeout: None, reads_everything: false, what: "event" };

    #[test]
    fn a_count_completes_the_run() {
        let mut progress = Progress::new(Stop { count: Some(2), ..STOP });
        assert!(!progress.saw("a", true, SECOND));
        assert!(progress.outcome().is_ok(), "fewer were there, and no time was given to wait for them");
        assert!(progress.saw("b", true, SECOND));
    }

    #[test]
    fn a_match_completes_the_run_and_a_missing_one_fails_it() {
        let stop = Stop { matching: Some(Regex::new("rea.y").unwrap()), timeout: Some(30 * SECOND), ..STOP };
        let mut progress = Progress::new(stop);
        assert!(!progress.saw("no", true, SECOND));
        assert_eq!(progress.outcome().unwrap_err().message, "no event matched --until-match rea.y within 30s");
        assert!(progress.saw("it is ready", false, SECOND));
        assert!(progress.outcome().is_ok());
    }

    #[test]
    fn the_idle_time_begins_after_the_first_complete_read_and_stands_still_without_an_answer() {
        let mut progress = Progress::new(Stop { idle: Some(5 * SECOND), ..STOP });
        assert_eq!(progress.idle_left(60 * SECOND), None, "nothing was read yet");
        // The first answer took a minute.
        assert!(!progress.read_up_to(Duration::ZERO, 60 * SECOND));
        assert_eq!(progress.idle_left(61 * SECOND), Some(4 * SECOND));
        // The second one took long too: what it covers is not five seconds newer than the first.
        assert!(!progress.read_up_to(61 * SECOND, 80 * SECOND));
        assert!(progress.read_up_to(65 * SECOND, 66 * SECOND));
        progress.saw("a", true, 70 * SECOND);
        assert!(!progress.read_up_to(74 * SECOND, 74 * SECOND) && progress.read_up_to(75 * SECOND, 76 * SECOND));
        assert!(!Progress::new(STOP).read_up_to(100 * SECOND, 100 * SECOND));
    }

    #[test]
    fn an_idle_time_of_zero_is_rejected() {
        assert_eq!(idle("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(idle("0").unwrap_err().message, "--idle-exit 0 is not a time to wait");
    }

    #[test]
    fn a_timeout_before_everything_was_read_fails_unless_the_run_follows() {
        let stop = |reads_everything| Stop { timeout: Some(2 * SECOND), reads_everything, ..STOP };
        let mut progress = Progress::new(stop(true));
        progress.saw("a", true, SECOND);
        assert_eq!(progress.outcome().unwrap_err().message, "not everything was read within 2s: 1 event shown");
        progress.read_up_to(SECOND, SECOND);
        assert!(progress.outcome().is_ok());
        assert!(Progress::new(stop(false)).outcome().is_ok());
    }

    #[test]
    fn a_count_that_is_not_reached_in_time_fails() {
        let progress = Progress::new(Stop { count: Some(3), timeout: Some(SECOND), what: "record", ..STOP });
        assert_eq!(progress.outcome().unwrap_err().message, "0 of the 3 records of --count were shown within 1s");
    }
}
