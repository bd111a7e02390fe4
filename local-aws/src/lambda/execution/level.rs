//! Which of a function's log events its application log level lets pass, in the JSON format.
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::lambda::configuration::Format;

/// From the most detail to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Level {
    /// Understands the names that Lambda's runtimes write (Python's WARNING and CRITICAL, .NET's Information), and
    /// those of common loggers and of syslog, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "TRACE" | "VERBOSE" | "SILLY" | "FINEST" => Self::Trace,
            "DEBUG" | "FINE" | "FINER" => Self::Debug,
            "INFO" | "INFORMATION" | "INFORMATIONAL" | "NOTICE" => Self::Info,
            "WARN" | "WARNING" => Self::Warn,
            "ERROR" | "ERR" | "SEVERE" => Self::Error,
            "FATAL" | "CRITICAL" | "CRIT" | "ALERT" | "EMERG" | "EMERGENCY" | "PANIC" => Self::Fatal,
            _ => return None,
        })
    }

    /// The level by its number in a frame's type: 1 to 6.
    pub fn of_frame(number: u8) -> Option<Self> {
        let levels = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];
        levels.get(usize::from(number).checked_sub(1)?).copied()
    }
}

/// The least level that is shown; none where everything is.
#[derive(Debug, Clone, Copy)]
pub struct Least(Option<Level>);

#[derive(Deserialize)]
struct Levelled {
    level: String,
    #[serde(alias = "time")]
    timestamp: Value,
}

impl Least {
    /// Only events in the JSON format have levels.
    pub fn of(format: &Format) -> Self {
        match format {
            Format::Json { application_level, .. } => Self(Level::named(application_level)),
            Format::Text => Self(None),
        }
    }

    /// Whether a line of raw output is shown: one that does not say its level, or not its time in RFC 3339, counts as
    /// INFO.
    pub fn shows(self, line: &str) -> bool {
        self.0.is_none_or(|least| stated(line).unwrap_or(Level::Info) >= least)
    }

    /// Whether a record is shown that a runtime has handed over with this level; without one it is like raw output.
    pub fn shows_record(self, level: Option<Level>, text: &str) -> bool {
        match (self.0, level) {
            (Some(least), Some(level)) => level >= least,
            _ => self.shows(text),
        }
    }
}

fn stated(line: &str) -> Option<Level> {
    let Levelled { level, timestamp } = serde_json::from_str(line).ok()?;
    timestamp.as_str()?.parse::<Timestamp>().ok()?;
    Level::named(&level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least(level: &str) -> Least {
        let (application_level, system_level) = (level.to_owned(), "INFO".to_owned());
        Least::of(&Format::Json { application_level, system_level })
    }

    fn shows(level: &str, line: &str) -> bool {
        least(level).shows(line)
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

    #[test]
    fn the_names_that_runtimes_write_are_levels() {
        for (name, highest) in [
            ("TRACE", "TRACE"),
            ("Trace", "TRACE"),
            ("Debug", "DEBUG"),
            ("Information", "INFO"),
            ("WARNING", "WARN"),
            ("Warning", "WARN"),
            ("ERROR", "ERROR"),
            ("CRITICAL", "FATAL"),
            ("Critical", "FATAL"),
            ("fatal", "FATAL"),
        ] {
            let line = format!(r#"{{"level":"{name}","timestamp":"2024-11-02T16:51:31Z"}}"#);
            let levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
            let shown: Vec<&str> = levels.into_iter().filter(|least| shows(least, &line)).collect();
            assert_eq!(shown.last(), Some(&highest), "{name}");
        }
    }

    #[test]
    fn a_records_level_counts_more_than_its_text() {
        let error = r#"{"level":"ERROR","timestamp":"2024-11-02T16:51:31Z"}"#;
        assert!(!least("WARN").shows_record(Some(Level::Info), error));
        assert!(least("WARN").shows_record(Some(Level::Warn), "plain"));
        assert!(least("WARN").shows_record(None, error) && !least("WARN").shows_record(None, "plain"));
        assert!(Least::of(&Format::Text).shows_record(Some(Level::Trace), "plain"));
    }
}
