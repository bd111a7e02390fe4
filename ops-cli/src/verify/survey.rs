//! What a log has in it where no line of ours was found: the reason is seldom that every record is missing.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::line;
use crate::output::printable;

/// How much of a line is shown.
const SAMPLE_CHARS: usize = 120;

/// The lines that the function wrote, by whether they look like the logger's.
#[derive(Debug, Default)]
pub struct Seen {
    ours: u64,
    others: u64,
    first_other: Option<String>,
}

/// What the log has.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum Survey {
    /// The log group does not exist.
    NoGroup { log_group: String },
    /// The function wrote nothing: it was not invoked, or logs elsewhere.
    NoLines,
    /// The function writes lines, and none looks like the logger's.
    OtherLines { count: u64, first: String },
    /// There are lines of the logger, of other records.
    OtherRecords { count: u64 },
}

impl Seen {
    /// Counts a line of the log. Lambda's own lines say nothing about the function.
    pub fn line(&mut self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() || is_platforms(line) {
            return;
        }
        if line::parse(line).is_some() {
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

    pub fn survey(self) -> Survey {
        match self {
            Self { ours: count @ 1.., .. } => Survey::OtherRecords { count },
            Self { others: count, first_other: Some(first), .. } => Survey::OtherLines { count, first },
            _ => Survey::NoLines,
        }
    }
}

impl Survey {
    /// Writes it as a sentence.
    pub fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::NoGroup { log_group } => writeln!(to, "there is no log group {log_group}"),
            Self::NoLines => writeln!(to, "the function has logged nothing: it was not invoked, or it logs elsewhere"),
            Self::OtherLines { count: 1, first } => {
                writeln!(to, "the 1 line in the log does not look like ours: {}", printable(first))
            }
            Self::OtherLines { count, first } => {
                writeln!(to, "the {count} lines in the log do not look like ours; the first is: {}", printable(first))
            }
            Self::OtherRecords { count: 1 } => writeln!(to, "the log has 1 line of the logger, of another record"),
            Self::OtherRecords { count } => writeln!(to, "the log has {count} lines of the logger, of other records"),
        }
    }
}

#[derive(Deserialize)]
struct PlatformEvent {
    r#type: String,
}

/// Whether Lambda wrote the line, in either format.
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

    fn survey<'a>(lines: impl IntoIterator<Item = &'a str>) -> Survey {
        let mut seen = Seen::default();
        lines.into_iter().for_each(|line| seen.line(line));
        seen.survey()
    }

    fn text(survey: &Survey) -> String {
        let mut text = Vec::new();
        survey.text(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn other_lines_are_shown_and_the_platforms_are_not_counted() {
        assert_eq!(survey(PLATFORM), Survey::NoLines);
        let other = survey(PLATFORM.into_iter().chain(["hello \u{1b}[31m\n", "world"]));
        assert_eq!(other, Survey::OtherLines { count: 2, first: "hello \u{1b}[31m".into() });
        assert_eq!(text(&other), "the 2 lines in the log do not look like ours; the first is: hello \\u{1b}[31m\n");
        assert_eq!(survey([OURS, "other"]), Survey::OtherRecords { count: 1 });
        let json = serde_json::to_value(survey(["x"])).unwrap();
        assert_eq!(json, serde_json::json!({ "kind": "otherLines", "count": 1, "first": "x" }));
    }

    proptest! {
        /// Lines that are not the logger's are said to be so, whatever they are and whatever the platform writes between.
        #[test]
        fn lines_of_another_function_do_not_look_like_ours(lines in prop::collection::vec("[a-z{}\"é ]{1,200}", 1..20)) {
            let written = lines.iter().filter(|line| !line.trim_end().is_empty()).count() as u64;
            let survey = survey(lines.iter().map(String::as_str).flat_map(|line| [PLATFORM[0], line, PLATFORM[2]]));
            match &survey {
                Survey::OtherLines { count, first } => {
                    prop_assert_eq!(*count, written);
                    prop_assert!(first.chars().count() <= SAMPLE_CHARS + 1);
                }
                Survey::NoLines => prop_assert_eq!(written, 0),
                _ => prop_assert!(false, "{:?}", survey),
            }
        }
    }
}
