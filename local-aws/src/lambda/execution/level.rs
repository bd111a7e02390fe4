//! Which of a function's own lines its application log level lets pass, in the JSON format.
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::lambda::logging::Format;

/// From the most detail to the least.
const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const INFO: usize = 2;

/// The least level that is shown, as its place in the list.
#[derive(Debug, Clone, Copy)]
pub struct Least(usize);

#[derive(Deserialize)]
struct Levelled {
    level: String,
    #[serde(alias = "time")]
    timestamp: Value,
}

impl Least {
    /// Only lines in the JSON format have levels.
    pub fn of(format: &Format) -> Self {
        match format {
            Format::Json { application_level, .. } => Self(place(application_level).unwrap_or_default()),
            Format::Text => Self(0),
        }
    }

    /// Whether a line is shown: one that does not say its level, or not its time in RFC 3339, counts as INFO.
    pub fn shows(self, line: &str) -> bool {
        self.0 == 0 || level(line).unwrap_or(INFO) >= self.0
    }
}

fn level(line: &str) -> Option<usize> {
    let Levelled { level, timestamp } = serde_json::from_str(line).ok()?;
    timestamp.as_str()?.parse::<Timestamp>().ok()?;
    place(&level)
}

fn place(level: &str) -> Option<usize> {
    LEVELS.iter().position(|name| name.eq_ignore_ascii_case(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(least: &str, line: &str) -> bool {
        let (application_level, system_level) = (least.to_owned(), "INFO".to_owned());
        Least::of(&Format::Json { application_level, system_level }).shows(line)
    }

    #[test]
    fn a_line_says_its_level_or_counts_as_info() {
        let debug = r#"{"level":"debug","msg":"m","timestamp":"2024-11-02T16:51:31.587199Z"}"#;
        assert_eq!(["TRACE", "DEBUG", "INFO"].map(|least| shows(least, debug)), [true, true, false]);
        let error = r#"{"time":"2024-11-02T16:51:31Z","level":"ERROR"}"#;
        assert_eq!(["WARN", "ERROR", "FATAL"].map(|least| shows(least, error)), [true, true, false]);
        for info in ["plain", "{}", r#"{"level":"ERROR"}"#, r#"{"level":"LOUD","timestamp":"2024-11-02T16:51:31Z"}"#] {
            assert_eq!(["INFO", "WARN"].map(|least| shows(least, info)), [true, false], "{info}");
        }
        assert!(Least::of(&Format::Text).shows(debug));
    }
}
