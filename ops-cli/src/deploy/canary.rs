//! Watches a version that runs a share of the invocations.
//!
//! It watches the version's log streams, because Lambda writes the end of each invocation there within seconds, and the last result of
//! the event source mapping, because an error that the function itself returns is not in its log. Metrics would arrive a minute
//! later, and for an alias only as a sum.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use kinesis_event_logger_core::names::{Location, Names};
use serde::Deserialize;
use tokio::time::Instant;

use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::provision::observed;
use crate::tail::follow::Follower;
use crate::tail::platform::Platform;
use crate::tail::sweep::{Event, Reader};

/// The lines of the platform that end an invocation, in text and in JSON, and the function's own errors.
const FILTER: &str =
    r#"?"REPORT RequestId: " ?"Task timed out after" ?"Error: Runtime " ?"INIT_REPORT" ?"platform." ?"ERROR""#;
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The interval between two readings of the mapping's result.
const RESULT_EVERY: Duration = Duration::from_millis(500);

/// The share of invocations, and how long they are watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Canary {
    pub share: f64,
    pub duration: Duration,
}

/// The invocations of the version that were seen.
#[derive(Debug, Default, PartialEq)]
pub struct Tally {
    pub invocations: u64,
    /// The first line, or the mapping's result, that reports a failure.
    pub failure: Option<String>,
}

/// The result of a mapping's last batch, compared with the one before the version ran.
pub struct LastResult<'a> {
    aws: &'a Aws,
    uuid: Option<String>,
    before: Option<String>,
}

impl<'a> LastResult<'a> {
    /// Reads the result before the version runs.
    pub async fn begin(aws: &'a Aws, names: &Names, location: &Location) -> Result<Self> {
        let uuid = observed::mapping(aws, names, location).await?.map(|mapping| mapping.id);
        let before = observed::last_result(aws, uuid.clone()).await?;
        Ok(Self { aws, uuid, before })
    }

    /// Waits until the mapping reports a problem, if it had none before, or until a time. A batch that succeeds replaces the result, so
    /// that it is read often.
    async fn watch(&self, until: Instant) -> Result<Option<String>> {
        let is_problem = |result: &String| result.starts_with("PROBLEM");
        if self.before.as_ref().is_some_and(is_problem) {
            tokio::time::sleep_until(until).await;
            return Ok(None);
        }
        loop {
            let now = observed::last_result(self.aws, self.uuid.clone()).await?;
            if let Some(result) = now.filter(is_problem) {
                return Ok(Some(format!("the event source mapping reports {result}")));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            tokio::time::sleep_until((Instant::now() + RESULT_EVERY).min(until)).await;
        }
    }
}

impl Tally {
    /// Counts a line of the log of `version`. If lines may be `plain_data`, a record can look like any line, so that none of them is a
    /// failure.
    fn add(&mut self, version: &str, plain_data: bool, log_stream: &str, message: &str) {
        if !log_stream.contains(&format!("[{version}]")) {
            return;
        }
        let has_failed = match Platform::parse(message) {
            Some(Platform::Report(report)) => {
                self.invocations += 1;
                report.has_failed()
            }
            Some(Platform::Fault) => true,
            Some(Platform::Routine) => false,
            None => is_error(message),
        };
        if has_failed && !plain_data && self.failure.is_none() {
            self.failure = Some(message.trim_end().to_owned());
        }
    }
}

/// Whether the function wrote this line about an error of its own. Lines of records have a lower level.
fn is_error(message: &str) -> bool {
    #[derive(Deserialize)]
    struct Line<'a> {
        level: &'a str,
    }
    match serde_json::from_str::<Line<'_>>(message) {
        Ok(line) => line.level == "ERROR",
        Err(_) => message.split(' ').nth(1) == Some("ERROR"),
    }
}

/// A version that runs a share of the invocations.
pub struct Candidate<'a> {
    pub aws: &'a Aws,
    pub log_group: &'a str,
    pub last_result: LastResult<'a>,
    pub version: &'a str,
    /// Whether a line of the log may be the data of a record alone.
    pub plain_data: bool,
}

impl Candidate<'_> {
    /// Watches the version until it fails or the time has passed.
    pub async fn watch(&self, duration: Duration) -> Result<Tally> {
        let reader = Reader::new(self.aws, self.log_group, Some(FILTER.to_owned()));
        let mut follower = Follower::new(Timestamp::now().as_millisecond());
        let pause = (duration / 50).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let ends = Instant::now() + duration;
        let mut tally = Tally::default();
        loop {
            let is_last = Instant::now() >= ends;
            let take = |events: &[Event]| {
                let mut add =
                    |event: &Event| tally.add(self.version, self.plain_data, &event.log_stream, &event.message);
                events.iter().for_each(&mut add);
                Ok(())
            };
            reader.sweep(&mut follower, Timestamp::now().as_millisecond(), take).await?;
            if is_last || tally.failure.is_some() {
                return Ok(tally);
            }
            tally.failure = self.last_result.watch((Instant::now() + pause).min(ends)).await?;
        }
    }
}

impl Canary {
    /// Judges what was seen of a version, and returns the number of its invocations. Without the ends of invocations in the log
    /// (`has_reports`), they cannot be counted.
    pub fn judge(self, version: &str, tally: Tally, has_reports: bool) -> Result<u64> {
        match tally {
            Tally { failure: Some(line), .. } => {
                Err(Error::failed(format!("an invocation of version {version} failed: {line}"))
                    .hint(format!("`ops-cli invoke --version {version} DATA` runs the version")))
            }
            Tally { invocations: 0, .. } if has_reports => Err(Error::failed(format!(
                "no invocation of version {version} was seen, although it had {self}"
            ))
            .hint("give a larger --canary or a longer --for, or deploy without --canary if there are no records")),
            Tally { invocations, .. } => Ok(invocations),
        }
    }
}

impl fmt::Display for Canary {
    /// `10% of the invocations for 300 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the invocations for {} s", percentage(self.share), self.duration.as_secs_f64())
    }
}

/// A share as it was given: `0.5%`.
pub fn percentage(share: f64) -> String {
    let percentage = format!("{:.4}", share * 100.0);
    format!("{}%", percentage.trim_end_matches('0').trim_end_matches('.'))
}

/// Parses a share such as `10%`.
pub fn parse_share(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let percent = percent.filter(|percent| *percent > 0.0 && *percent < 100.0);
    percent
        .map(|percent| percent / 100.0)
        .ok_or_else(|| "expected a percentage between 0% and 100%, as in 10%".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_versions_own_invocations_are_counted() {
        let mut tally = Tally::default();
        tally.add("2", false, "2026/11/29/[2]ab", "REPORT RequestId: 1\tDuration: 1.00 ms\t");
        tally.add("2", false, "2026/11/29/[1]ab", "REPORT RequestId: 2\tDuration: 1.00 ms\tStatus: error");
        tally.add("2", false, "2026/11/29/name[2]ab", r#"{"type":"platform.report","record":{"metrics":{}}}"#);
        tally.add("2", false, "2026/11/29/[2]ab", "a record about REPORT RequestId: 3 Status: error");
        assert_eq!(tally, Tally { invocations: 2, failure: None });
        tally.add("2", false, "2026/11/29/[2]ab", "REPORT RequestId: 4\tDuration: 1.00 ms\tStatus: timeout\n");
        tally.add("2", false, "2026/11/29/[2]ab", "RequestId: 5 Error: Runtime exited with error: exit status 1");
        assert_eq!(tally.failure.as_deref(), Some("REPORT RequestId: 4\tDuration: 1.00 ms\tStatus: timeout"));
        let mut tally = Tally::default();
        for record in [r#"{"level":"ERROR"}"#, "RequestId: 5 Error: Runtime exited with error: exit status 1"] {
            tally.add("2", true, "2026/11/29/[2]ab", record);
        }
        assert_eq!(tally.failure, None);
    }

    #[test]
    fn an_error_of_the_function_is_a_failure_and_a_record_about_an_error_is_none() {
        for (message, expected) in [
            (r#"{"timestamp":"t","level":"ERROR","message":"cannot start"}"#, true),
            ("2026-11-29T01:00:00.000Z ERROR cannot start: LOGGER_DATA", true),
            (r#"{"timestamp":"t","level":"INFO","data":{"level":"ERROR"}}"#, false),
            ("2026-11-29T01:00:00.000Z INFO 8476 stream=s seq=1 data=\"an ERROR\"", false),
        ] {
            assert_eq!(is_error(message), expected, "{message}");
        }
    }

    #[test]
    fn a_canary_is_shown_as_it_was_given_and_needs_an_invocation() {
        let canary = |share: &str, duration| Canary { share: parse_share(share).unwrap(), duration };
        let shown = [canary("7%", Duration::from_secs(300)), canary("0.5%", Duration::from_millis(1500))];
        let expected = ["7% of the invocations for 300 s", "0.5% of the invocations for 1.5 s"];
        assert_eq!(shown.map(|canary| canary.to_string()), expected);
        let judge = |invocations, failure: Option<&str>, has_reports| {
            let tally = Tally { invocations, failure: failure.map(str::to_owned) };
            shown[0].judge("2", tally, has_reports).map_err(|error| error.message)
        };
        assert_eq!(judge(3, None, true), Ok(3));
        assert_eq!(judge(0, None, false), Ok(0));
        let unseen = "no invocation of version 2 was seen, although it had 7% of the invocations for 300 s";
        assert_eq!(judge(0, None, true), Err(unseen.to_owned()));
        assert!(judge(3, Some("REPORT"), true).is_err());
    }

    #[test]
    fn a_share_is_a_percentage() {
        assert_eq!(parse_share("10%"), Ok(0.1));
        assert_eq!(parse_share("0.5%"), Ok(0.005));
        for wrong in ["10", "0%", "100%", "-1%", "x%", ""] {
            assert!(parse_share(wrong).is_err(), "{wrong}");
        }
    }
}
