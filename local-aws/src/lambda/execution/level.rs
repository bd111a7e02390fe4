//! Filters a function's log events by its application log level, in the JSON format.
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>

use jiff::Timestamp;
use kinesis_event_logger_core::line::Level;
use serde::Deserialize;
use serde_json::Value;

use crate::lambda::configuration::Format;

/// Reads the names that Lambda's runtimes write (Python's WARNING and CRITICAL, .NET's Information), and those of common
/// loggers and of syslog, in any case.
fn named(name: &str) -> Option<Level> {
    Some(match name.to_ascii_uppercase().as_str() {
        "TRACE" | "VERBOSE" | "SILLY" | "FINEST" => Level::Trace,
        "DEBUG" | "FINE" | "FINER" => Level::Debug,
        "INFO" | "INFORMATION" | "INFORMATIONAL" | "NOTICE" => Level::Info,
        "WARN" | "WARNING" => Level::Warn,
        "ERROR" | "ERR" | "SEVERE" => Level::Error,
        "FATAL" | "CRITICAL" | "CRIT" | "ALERT" | "EMERG" | "EMERGENCY" | "PANIC" => Level::Fatal,
        _ => return None,
    })
}

/// The level by its number in a frame's type: 1 to 6.
pub fn from_frame(number: u8) -> Option<Level> {
    let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];
    levels.get(usize::from(number).checked_sub(1)?).copied()
}

/// The lowest level of log events that are stored; `None` stores all.
#[derive(Debug, Clone, Copy)]
pub struct LevelFilter(Option<Level>);

#[derive(Deserialize)]
struct LineWithLevel {
    level: String,
    #[serde(alias = "time")]
    timestamp: Value,
}

impl LevelFilter {
    /// Only events in the JSON format have levels.
    pub fn of(format: &Format) -> Self {
        match format {
            Format::Json { application_level, .. } => Self(named(application_level)),
            Format::Text => Self(None),
        }
    }

    /// Whether a line of raw output passes. A line without a level, or without its time in RFC 3339, counts as INFO.
    pub fn passes(self, line: &str) -> bool {
        self.0.is_none_or(|least| level_of(line).unwrap_or(Level::Info) >= least)
    }

    /// Whether a record passes to which a runtime gave this level. Without a level, it is like raw output.
    pub fn passes_record(self, level: Option<Level>, text: &str) -> bool {
        match (self.0, level) {
            (Some(least), Some(level)) => level >= least,
            _ => self.passes(text),
        }
    }
}

fn level_of(line: &str) -> Option<Level> {
    let LineWithLevel { level, timestamp } = serde_json::from_str(line).ok()?;
    timestamp.as_str()?.parse::<Timestamp>().ok()?;
    named(&level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(level: &str) -> LevelFilter {
        let (application_level, system_level) = (level.to_owned(), "INFO".to_owned());
        LevelFilter::of(&Format::Json { application_level, system_level })
    }

    fn shows(level: &str, line: &str) -> bool {
        filter(level).passes(line)
    }

    #[test]
    fn a_line_without_a_level_counts_as_info() {
        let debug = r#"{"level":"debug","msg":"m","timestamp":"2024-11-02T16:51:31.587199Z"}"#;
        assert_eq!(["TRACE", "DEBUG", "INFO"].map(|least| shows(least, debug)), [true, true, false]);
        let error = r#"{"time":"2024-11-02T16:51:31Z","level":"ERROR"}"#;
        assert_eq!(["WARN", "ERROR", "FATAL"].map(|least| shows(least, error)), [true, true, false]);
        for info in ["plain", "{}", r#"{"level":"ERROR"}"#, r#"{"level":"LOUD","timestamp":"2024-11-02T16:51:31Z"}"#] {
            assert_eq!(["INFO", "WARN"].map(|least| shows(least, info)), [true, false], "{info}");
        }
        assert!(LevelFilter::of(&Format::Text).passes(debug));
    }

    #[test]
    fn the_level_names_of_runtimes_are_recognized() {
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
    fn the_level_of_a_record_takes_precedence_over_its_text() {
        let error = r#"{"level":"ERROR","timestamp":"2024-11-02T16:51:31Z"}"#;
        assert!(!filter("WARN").passes_record(Some(Level::Info), error));
        assert!(filter("WARN").passes_record(Some(Level::Warn), "plain"));
        assert!(filter("WARN").passes_record(None, error) && !filter("WARN").passes_record(None, "plain"));
        assert!(LevelFilter::of(&Format::Text).passes_record(Some(Level::Trace), "plain"));
    }
}
