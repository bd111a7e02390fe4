//! Environment variables, read once and validated.
//!
//! Lambda sets them: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>.
//! `RUST_LOG` is not among them: a variable left over from a debugging session must not hide records.

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

/// What `lambda_runtime` panics without.
const OF_THE_RUNTIME: [&str; 4] =
    ["AWS_LAMBDA_RUNTIME_API", FUNCTION_NAME, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION"];

/// How the function was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How lines are written.
    pub format: LineFormat,
    /// The lowest level that is written.
    pub level: Level,
    /// What of the data is on the lines.
    pub lines: LineOptions,
    /// What metrics carry as their dimension.
    pub function_name: String,
    /// How many invocations may run at once in this process.
    pub max_concurrency: u32,
    /// How long before its deadline an invocation is answered, in milliseconds.
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

/// Everything that is wrong with the environment, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", wrong.join("; "))]
pub struct SettingsError {
    wrong: Vec<String>,
    /// How the error itself is to be written.
    pub format: LineFormat,
}

impl Settings {
    /// Reads the settings from variables that `get` looks up. An empty variable counts as unset.
    ///
    /// # Errors
    /// [`SettingsError`], which names every variable that is wrong, its value and what it takes.
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
            max_concurrency: parse(&get, MAX_CONCURRENCY, Whole(defaults.max_concurrency), &mut wrong).0.max(1),
            deadline_margin_ms: parse(&get, DEADLINE_MARGIN, Whole(defaults.deadline_margin_ms), &mut wrong).0,
            metrics: parse(&get, METRICS, defaults.metrics, &mut wrong),
            sample: parse(&get, SAMPLE, defaults.sample, &mut wrong),
        };
        let missing: Vec<_> = OF_THE_RUNTIME.into_iter().filter(|name| get(name).is_none()).collect();
        if !missing.is_empty() {
            wrong.push(format!(
                "{} not set: this program is run by AWS Lambda, or by an endpoint that acts as it does",
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

/// A number that says what it takes when it cannot be read.
#[derive(Clone, Copy)]
struct Whole(u32);

impl FromStr for Whole {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        text.trim().parse().map(Self).map_err(|_| "takes a whole number from 0 to 4294967295")
    }
}

/// A number of bytes that a log event has room for.
struct DataBytes(usize);

impl FromStr for DataBytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = text.trim().parse().ok().filter(|&bytes| bytes <= LARGEST_DATA_BYTES);
        bytes.map(Self).ok_or_else(|| format!("takes a whole number of bytes from 0 to {LARGEST_DATA_BYTES}"))
    }
}

/// Rules with commas between them, or as a JSON list of strings for names that hold a comma.
struct Rules(Redactor);

impl FromStr for Rules {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let takes = "takes JSON pointers and key names with commas between them, or as a JSON list of strings";
        let rules: Vec<String> = match text.trim_start().starts_with('[') {
            true => serde_json::from_str(text).map_err(|error| format!("{takes}: {error}"))?,
            false => text.split(',').map(|rule| rule.trim().to_owned()).collect(),
        };
        Redactor::new(rules).map(Self).map_err(|error| format!("{takes}: {error}"))
    }
}

fn parse<T: FromStr<Err: Display>>(
    get: impl Fn(&str) -> Option<OsString>,
    name: &str,
    default: T,
    wrong: &mut Vec<String>,
) -> T {
    let Some(value) = get(name).filter(|value| !value.is_empty()) else { return default };
    value.to_string_lossy().parse().unwrap_or_else(|takes| {
        wrong.push(format!("{name} is {value:?}: it {takes}"));
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
        let of_the_runtime = |name: &str| OF_THE_RUNTIME.contains(&name).then(|| "1".into());
        Settings::read(|name| set(name).or_else(|| of_the_runtime(name))).map_err(|error| error.to_string())
    }

    #[test]
    fn unset_and_empty_variables_are_the_defaults() {
        assert_eq!(read(&[]), Ok(defaults()));
        assert_eq!(read(&[(LOG_FORMAT, ""), (LOG_LEVEL, ""), (SAMPLE, "")]), Ok(defaults()));
    }

    #[test]
    fn lambdas_own_values_are_read() {
        let settings = read(&[(LOG_FORMAT, "JSON"), (LOG_LEVEL, "FATAL")]);
        assert_eq!(settings, Ok(Settings { format: LineFormat::Json, level: Level::Fatal, ..defaults() }));
        let settings = read(&[(LOG_FORMAT, "Text"), (LOG_LEVEL, "debug")]);
        assert_eq!(settings, Ok(Settings { format: LineFormat::Text, level: Level::Debug, ..defaults() }));
    }

    #[test]
    fn our_own_values_are_read() {
        let settings = read(&[(METRICS, "EMF"), (SAMPLE, "0.25"), (DEADLINE_MARGIN, "50"), (MAX_CONCURRENCY, "16")]);
        let sample = "0.25".parse().unwrap();
        let expected =
            Settings { metrics: Metrics::Emf, sample, deadline_margin_ms: 50, max_concurrency: 16, ..defaults() };
        assert_eq!(settings, Ok(expected));
    }

    #[test]
    fn what_of_the_data_is_shown_is_read() {
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
    fn every_wrong_value_is_named_with_what_it_takes() {
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
            Err("AWS_LAMBDA_LOG_FORMAT is \"xml\": it takes Text or JSON; \
                 AWS_LAMBDA_LOG_LEVEL is \"loud\": it takes TRACE, DEBUG, INFO, WARN, ERROR or FATAL; \
                 LOGGER_DATA is \"some\": it takes full, hash or none; \
                 LOGGER_MAX_DATA_BYTES is \"1000001\": it takes a whole number of bytes from 0 to 1000000; \
                 LOGGER_REDACT is \"/a~b\": it takes JSON pointers and key names with commas between them, or as a JSON list \
                 of strings: \"/a~b\" is not a JSON pointer: ~ must be followed by 0 or 1 (RFC 6901); \
                 AWS_LAMBDA_MAX_CONCURRENCY is \"many\": it takes a whole number from 0 to 4294967295; \
                 LOGGER_DEADLINE_MARGIN_MS is \"-1\": it takes a whole number from 0 to 4294967295; \
                 LOGGER_METRICS is \"statsd\": it takes emf or off; \
                 LOGGER_SAMPLE is \"2\": it takes a number from 0 to 1"
                .to_owned())
        );
    }

    #[test]
    fn outside_lambda_it_says_where_it_belongs() {
        let error = Settings::read(|_| None).unwrap_err().to_string();
        assert!(error.starts_with("AWS_LAMBDA_RUNTIME_API, AWS_LAMBDA_FUNCTION_NAME"), "{error}");
        assert!(
            error.ends_with("this program is run by AWS Lambda, or by an endpoint that acts as it does"),
            "{error}"
        );
    }

    #[test]
    fn levels_below_the_set_one_are_not_written() {
        let settings = Settings { level: Level::Warn, ..Settings::default() };
        assert!(settings.writes(Level::Error) && settings.writes(Level::Warn) && !settings.writes(Level::Info));
    }
}
