//! Reads and validates the environment variables.
//!
//! Lambda sets them: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>.
//! `RUST_LOG` is ignored, because a variable left over from a debugging session must not hide records.

use std::ffi::OsString;
use std::fmt::Display;
use std::str::FromStr;

use kinesis_event_logger_core::limits;
use kinesis_event_logger_core::line::{Level, LineFormat, LineOptions};
use kinesis_event_logger_core::redact::Redactor;
use thiserror::Error;

use crate::metrics::Metrics;
use crate::sample::Sample;

const LOG_FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";
const LOG_LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";
const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";
const DEADLINE_MARGIN: &str = "LOGGER_DEADLINE_MARGIN_MS";
const DATA: &str = "LOGGER_DATA";
const MAX_DATA_BYTES: &str = "LOGGER_MAX_DATA_BYTES";
const METRICS: &str = "LOGGER_METRICS";
const REDACT: &str = "LOGGER_REDACT";
const SAMPLE: &str = "LOGGER_SAMPLE";

/// The largest value of `LOGGER_MAX_DATA_BYTES`: the size of a log event, less 48,576 bytes for the fields before the data.
const LARGEST_DATA_BYTES: usize = limits::PUT_LOG_EVENTS_BYTES - 48_576;

/// The variables that `lambda_runtime` requires.
const RUNTIME_VARIABLES: [&str; 4] =
    ["AWS_LAMBDA_RUNTIME_API", FUNCTION_NAME, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION"];

/// The function's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The format of lines.
    pub format: LineFormat,
    /// The lowest level that is written.
    pub level: Level,
    /// The options of lines.
    pub lines: LineOptions,
    /// The dimension of the metrics.
    pub function_name: String,
    /// The number of invocations that may run concurrently in this process.
    pub max_concurrency: u32,
    /// The time before its deadline at which an invocation is answered, in milliseconds.
    pub deadline_margin_ms: u32,
    pub metrics: Metrics,
    pub sample: Sample,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            format: LineFormat::Text,
            level: Level::Info,
            lines: LineOptions { max_data_bytes: 256 * 1024, ..LineOptions::DEFAULT },
            function_name: String::new(),
            max_concurrency: 1,
            deadline_margin_ms: 500,
            metrics: Metrics::Off,
            sample: Sample::ALL,
        }
    }
}

/// Every invalid variable, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", wrong.join("; "))]
pub struct SettingsError {
    wrong: Vec<String>,
    /// The format in which the error is logged.
    pub format: LineFormat,
}

impl Settings {
    /// Reads the settings from variables that `get` looks up. An empty variable counts as unset.
    ///
    /// # Errors
    /// Returns a [`SettingsError`] that names every invalid variable, its value, and what is accepted.
    pub fn read(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, SettingsError> {
        let mut wrong = Vec::new();
        let defaults = Self::default();
        let settings = Self {
            format: parse(&get, LOG_FORMAT, defaults.format, &mut wrong),
            level: parse(&get, LOG_LEVEL, defaults.level, &mut wrong),
            lines: LineOptions {
                data: parse(&get, DATA, defaults.lines.data, &mut wrong),
                max_data_bytes: parse(&get, MAX_DATA_BYTES, DataBytes(defaults.lines.max_data_bytes), &mut wrong).0,
                redactor: parse(&get, REDACT, Rules(defaults.lines.redactor), &mut wrong).0,
            },
            function_name: get(FUNCTION_NAME).unwrap_or_default().to_string_lossy().into_owned(),
            max_concurrency: parse(&get, MAX_CONCURRENCY, WholeNumber(defaults.max_concurrency), &mut wrong).0.max(1),
            deadline_margin_ms: parse(&get, DEADLINE_MARGIN, WholeNumber(defaults.deadline_margin_ms), &mut wrong).0,
            metrics: parse(&get, METRICS, defaults.metrics, &mut wrong),
            sample: parse(&get, SAMPLE, defaults.sample, &mut wrong),
        };
        let missing: Vec<_> = RUNTIME_VARIABLES.into_iter().filter(|name| get(name).is_none()).collect();
        if !missing.is_empty() {
            wrong.push(format!(
                "{} not set: this program runs in AWS Lambda, or in an endpoint that emulates it",
                missing.join(", ")
            ));
        }
        if wrong.is_empty() { Ok(settings) } else { Err(SettingsError { wrong, format: settings.format }) }
    }

    /// Whether lines of `level` are written.
    pub fn writes(&self, level: Level) -> bool {
        level >= self.level
    }
}

/// A whole number, whose error says what is accepted.
#[derive(Clone, Copy)]
struct WholeNumber(u32);

impl FromStr for WholeNumber {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        text.trim().parse().map(Self).map_err(|_| "the value must be a whole number from 0 to 4294967295")
    }
}

/// A number of bytes that fits into a log event.
struct DataBytes(usize);

impl FromStr for DataBytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = text.trim().parse().ok().filter(|&bytes| bytes <= LARGEST_DATA_BYTES);
        bytes
            .map(Self)
            .ok_or_else(|| format!("the value must be a whole number of bytes from 0 to {LARGEST_DATA_BYTES}"))
    }
}

/// Rules separated by commas, or as a JSON list of strings for names that contain a comma.
struct Rules(Redactor);

impl FromStr for Rules {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "rules are JSON pointers and key names, separated by commas or as a JSON list of strings";
        let rules: Vec<String> = match text.trim_start().starts_with('[') {
            true => serde_json::from_str(text).map_err(|error| format!("{expected}: {error}"))?,
            false => text.split(',').map(|rule| rule.trim().to_owned()).collect(),
        };
        Redactor::new(rules).map(Self).map_err(|error| format!("{expected}: {error}"))
    }
}

fn parse<T: FromStr<Err: Display>>(
    get: impl Fn(&str) -> Option<OsString>,
    name: &str,
    default: T,
    wrong: &mut Vec<String>,
) -> T {
    let Some(value) = get(name).filter(|value| !value.is_empty()) else { return default };
    value.to_string_lossy().parse().unwrap_or_else(|error| {
        wrong.push(format!("{name} is {value:?}: {error}"));
        default
    })
}

#[cfg(test)]
mod tests {
    use kinesis_event_logger_core::line::DataMode;

    use super::*;

    fn defaults() -> Settings {
        Settings { function_name: "1".to_owned(), ..Settings::default() }
    }

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let set = |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| value.into());
        let of_the_runtime = |name: &str| RUNTIME_VARIABLES.contains(&name).then(|| "1".into());
        Settings::read(|name| set(name).or_else(|| of_the_runtime(name))).map_err(|error| error.to_string())
    }

    #[test]
    fn unset_and_empty_variables_are_the_defaults() {
        assert_eq!(read(&[]), Ok(defaults()));
        assert_eq!(read(&[(LOG_FORMAT, ""), (LOG_LEVEL, ""), (SAMPLE, "")]), Ok(defaults()));
    }

    #[test]
    fn the_values_that_lambda_sets_are_parsed() {
        let settings = read(&[(LOG_FORMAT, "JSON"), (LOG_LEVEL, "FATAL")]);
        assert_eq!(settings, Ok(Settings { format: LineFormat::Json, level: Level::Fatal, ..defaults() }));
        let settings = read(&[(LOG_FORMAT, "Text"), (LOG_LEVEL, "debug")]);
        assert_eq!(settings, Ok(Settings { format: LineFormat::Text, level: Level::Debug, ..defaults() }));
    }

    #[test]
    fn the_values_of_our_own_variables_are_parsed() {
        let settings = read(&[(METRICS, "EMF"), (SAMPLE, "0.25"), (DEADLINE_MARGIN, "50"), (MAX_CONCURRENCY, "16")]);
        let sample = "0.25".parse().unwrap();
        let expected =
            Settings { metrics: Metrics::Emf, sample, deadline_margin_ms: 50, max_concurrency: 16, ..defaults() };
        assert_eq!(settings, Ok(expected));
    }

    #[test]
    fn data_options_are_parsed() {
        let shown = |redact| read(&[(DATA, "Hash"), (MAX_DATA_BYTES, "0"), (REDACT, redact)]).unwrap().lines;
        let expected = |rules: &[&str]| LineOptions {
            data: DataMode::Hash,
            max_data_bytes: 0,
            redactor: Redactor::new(rules).unwrap(),
        };
        assert_eq!(shown(" password, /card/number"), expected(&["password", "/card/number"]));
        assert_eq!(shown(r#"["a,b", "c"]"#), expected(&["a,b", "c"]));
        for wrong in ["a,,b", ",", "[\"a\"", "[1]", "[\"\"]", "/~2"] {
            assert!(read(&[(REDACT, wrong)]).unwrap_err().starts_with("LOGGER_REDACT is "), "{wrong}");
        }
    }

    #[test]
    fn every_invalid_value_is_reported_with_what_is_accepted() {
        assert_eq!(
            read(&[
                (LOG_FORMAT, "xml"),
                (LOG_LEVEL, "loud"),
                (MAX_CONCURRENCY, "many"),
                (DEADLINE_MARGIN, "-1"),
                (METRICS, "statsd"),
                (SAMPLE, "2"),
                (DATA, "some"),
                (MAX_DATA_BYTES, "1000001"),
                (REDACT, "/a~b")
            ]),
            Err("AWS_LAMBDA_LOG_FORMAT is \"xml\": a line format is Text or JSON; \
                 AWS_LAMBDA_LOG_LEVEL is \"loud\": a level is TRACE, DEBUG, INFO, WARN, ERROR or FATAL; \
                 LOGGER_DATA is \"some\": a data mode is full, hash or none; \
                 LOGGER_MAX_DATA_BYTES is \"1000001\": the value must be a whole number of bytes from 0 to 1000000; \
                 LOGGER_REDACT is \"/a~b\": rules are JSON pointers and key names, separated by commas or as a JSON list \
                 of strings: \"/a~b\" is not a JSON pointer: ~ must be followed by 0 or 1 (RFC 6901); \
                 AWS_LAMBDA_MAX_CONCURRENCY is \"many\": the value must be a whole number from 0 to 4294967295; \
                 LOGGER_DEADLINE_MARGIN_MS is \"-1\": the value must be a whole number from 0 to 4294967295; \
                 LOGGER_METRICS is \"statsd\": a metrics format is emf or off; \
                 LOGGER_SAMPLE is \"2\": a share is a number from 0 to 1"
                .to_owned())
        );
    }

    #[test]
    fn outside_lambda_the_error_says_where_the_program_runs() {
        let error = Settings::read(|_| None).unwrap_err().to_string();
        assert!(error.starts_with("AWS_LAMBDA_RUNTIME_API, AWS_LAMBDA_FUNCTION_NAME"), "{error}");
        assert!(error.ends_with("this program runs in AWS Lambda, or in an endpoint that emulates it"), "{error}");
    }

    #[test]
    fn levels_below_the_configured_one_are_not_written() {
        let settings = Settings { level: Level::Warn, ..Settings::default() };
        assert!(settings.writes(Level::Error) && settings.writes(Level::Warn) && !settings.writes(Level::Info));
    }
}
