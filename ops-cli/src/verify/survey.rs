//! Describes a log in which no record was found, because the reason is seldom that every record is missing.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::line;
use crate::output::{counted, printable};

/// How many characters of a line are shown.
const SAMPLE_CHARS: usize = 120;

/// Counts the lines of a function by whether they have the logger's format.
#[derive(Debug, Default)]
pub struct LogSurvey {
    ours: u64,
    others: u64,
    first_other: Option<String>,
}

/// The contents of a log without the records that were expected.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum LogContents {
    /// The log group does not exist.
    NoGroup { log_group: String },
    /// The function wrote nothing: it was not invoked, or logs to another group.
    NoLines,
    /// The function wrote lines, but none in the logger's format.
    OtherLines { count: u64, first: String },
    /// The lines of the run's records have no sequence numbers.
    Unidentified { count: u64 },
    /// The logger wrote lines about other records.
    OtherRecords { count: u64 },
}

impl LogSurvey {
    /// Counts a line of the log. Ignores Lambda's own lines.
    pub fn count(&mut self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() || is_platforms(line) {
            return;
        }
        if line::parse(line, 0).is_some() {
            self.ours += 1;
            return;
        }
        self.others += 1;
        if self.first_other.is_none() {
            let cut = line.char_indices().nth(SAMPLE_CHARS).map_or(line.len(), |(at, _)| at);
            let more = if cut < line.len() { "…" } else { "" };
            self.first_other = Some(format!("{}{more}", &line[..cut]));
        }
    }

    pub fn contents(self) -> LogContents {
        match self {
            Self { ours: count @ 1.., .. } => LogContents::OtherRecords { count },
            Self { others: count, first_other: Some(first), .. } => LogContents::OtherLines { count, first },
            _ => LogContents::NoLines,
        }
    }
}

impl LogContents {
    /// Writes a sentence about the contents.
    pub fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::NoGroup { log_group } => writeln!(to, "there is no log group {log_group}"),
            Self::NoLines => {
                writeln!(to, "the function has logged nothing: it was not invoked, or it logs to another group")
            }
            Self::OtherLines { count: 1, first } => {
                writeln!(to, "the only line in the log is not the logger's: {}", printable(first))
            }
            Self::OtherLines { count, first } => {
                writeln!(to, "the {count} lines in the log are not the logger's; the first is: {}", printable(first))
            }
            Self::Unidentified { count } => writeln!(
                to,
                "{} of this run without a sequence number: verify cannot tell which records were logged",
                counted(*count, "line")
            ),
            Self::OtherRecords { count: 1 } => writeln!(to, "the log has 1 line of the logger, about another record"),
            Self::OtherRecords { count } => {
                writeln!(to, "the log has {count} lines of the logger, about other records")
            }
        }
    }
}

#[derive(Deserialize)]
struct PlatformEvent {
    r#type: String,
}

/// Whether Lambda itself wrote the line, in its text or JSON format.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html>
fn is_platforms(line: &str) -> bool {
    const BEGINNINGS: [&str; 8] = [
        "START RequestId:",
        "END RequestId:",
        "REPORT RequestId:",
        "INIT_START ",
        "INIT_REPORT ",
        "EXTENSION\t",
        "TELEMETRY\t",
        "XRAY TraceId:",
    ];
    BEGINNINGS.iter().any(|beginning| line.starts_with(beginning))
        || serde_json::from_str::<PlatformEvent>(line).is_ok_and(|event| event.r#type.starts_with("platform."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OURS: &str = r#"{"level":"INFO","v":1,"requestId":"3f1c","sequenceNumber":"4959","partitionKey":"k"}"#;
    const PLATFORM: [&str; 3] = [
        "START RequestId: 3f1c Version: $LATEST\n",
        "REPORT RequestId: 3f1c\tDuration: 1.00 ms",
        r#"{"time":"2026-11-28T12:00:00Z","type":"platform.report","record":{}}"#,
    ];

    fn survey<'a>(lines: impl IntoIterator<Item = &'a str>) -> LogContents {
        let mut seen = LogSurvey::default();
        lines.into_iter().for_each(|line| seen.count(line));
        seen.contents()
    }

    fn text(survey: &LogContents) -> String {
        let mut text = Vec::new();
        survey.text(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn other_lines_are_shown_and_the_platforms_lines_are_ignored() {
        assert_eq!(survey(PLATFORM), LogContents::NoLines);
        let other = survey(PLATFORM.into_iter().chain(["hello \u{1b}[31m\n", "world"]));
        assert_eq!(other, LogContents::OtherLines { count: 2, first: "hello \u{1b}[31m".into() });
        assert_eq!(text(&other), "the 2 lines in the log are not the logger's; the first is: hello \\u{1b}[31m\n");
        assert_eq!(survey([OURS, "other"]), LogContents::OtherRecords { count: 1 });
        let json = serde_json::to_value(survey(["x"])).unwrap();
        assert_eq!(json, serde_json::json!({ "kind": "otherLines", "count": 1, "first": "x" }));
    }

    proptest! {
        #[test]
        fn lines_of_another_function_are_counted_as_other_lines(lines in prop::collection::vec("[a-z{}\"é ]{1,200}", 1..20)) {
            let written = lines.iter().filter(|line| !line.trim_end().is_empty()).count() as u64;
            let survey = survey(lines.iter().map(String::as_str).flat_map(|line| [PLATFORM[0], line, PLATFORM[2]]));
            match &survey {
                LogContents::OtherLines { count, first } => {
                    prop_assert_eq!(*count, written);
                    prop_assert!(first.chars().count() <= SAMPLE_CHARS + 1);
                }
                LogContents::NoLines => prop_assert_eq!(written, 0),
                _ => prop_assert!(false, "{:?}", survey),
            }
        }
    }
}
