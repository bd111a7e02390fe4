//! Reads and validates the function's settings, the environment variables of `logger-fn`.
//!
//! ```
//! use kinesis_event_logger_core::settings;
//!
//! assert_eq!(settings::check([("LOGGER_SAMPLE", "0.5")]), Ok(()));
//! let error = settings::check([("LOGGER_REDACTS", "password"), ("LOGGER_DATA", "some")]).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "LOGGER_REDACTS is not a setting of the function (similar names: LOGGER_REDACT); \
//!      LOGGER_DATA is \"some\": a data mode is full, hash or none"
//! );
//! ```
//!
//! Lambda sets the `AWS_LAMBDA_*` variables: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>.
//! `RUST_LOG` is ignored, because a variable left over from a debugging session must not hide records.

mod sample;

use std::ffi::OsString;
use std::fmt::Display;
use std::str::FromStr;

use thiserror::Error;

use crate::limits;
use crate::line::{Level, LineFormat, LineOptions};
use crate::redact::Redactor;
use crate::similar::similar;

pub use sample::{InvalidShare, Sample};

const LOG_FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";
const LOG_LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";
const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";
const DEADLINE_MARGIN: &str = "LOGGER_DEADLINE_MARGIN_MS";
const DATA: &str = "LOGGER_DATA";
const FIELDS: &str = "LOGGER_FIELDS";
const MAX_DATA_BYTES: &str = "LOGGER_MAX_DATA_BYTES";
const METRICS: &str = "LOGGER_METRICS";
const REDACT: &str = "LOGGER_REDACT";
const SAMPLE: &str = "LOGGER_SAMPLE";
const SPLIT: &str = "LOGGER_SPLIT";

/// The prefix of our own variables. Lambda reserves the prefix of its own.
const PREFIX: &str = "LOGGER_";

/// The variables that users set.
pub const VARIABLES: [&str; 8] = [DATA, DEADLINE_MARGIN, FIELDS, MAX_DATA_BYTES, METRICS, REDACT, SAMPLE, SPLIT];

/// The largest value of `LOGGER_MAX_DATA_BYTES`: the size of a log event, less 48,576 bytes for the fields before the data.
const LARGEST_DATA_BYTES: usize = limits::PUT_LOG_EVENTS_BYTES - 48_576;

/// The variables that `lambda_runtime` requires. Their values do not change the lines.
pub const RUNTIME_VARIABLES: [&str; 4] =
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
    /// Whether data that holds several values becomes several lines.
    pub split: Split,
    /// Whether each invocation writes metrics.
    pub metrics: Metrics,
    /// The share of partition keys whose records are logged.
    pub sample: Sample,
}

/// Whether each invocation writes metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Metrics {
    /// No metrics.
    #[default]
    Off,
    /// One line in the embedded metric format, from which CloudWatch creates metrics.
    Emf,
}

/// The error for a text that is not a metrics format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a metrics format is emf or off")]
pub struct InvalidMetrics;

impl FromStr for Metrics {
    type Err = InvalidMetrics;

    /// Parses `emf` or `off`, in any case.
    fn from_str(text: &str) -> Result<Self, InvalidMetrics> {
        match text {
            _ if text.eq_ignore_ascii_case("emf") => Ok(Self::Emf),
            _ if text.eq_ignore_ascii_case("off") => Ok(Self::Off),
            _ => Err(InvalidMetrics),
        }
    }
}

/// Whether data that holds several values becomes several lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Split {
    /// One line.
    #[default]
    Off,
    /// One line for each JSON object or array.
    Json,
}

/// The error for a text that is not a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("data is split by json or off")]
pub struct InvalidSplit;

impl FromStr for Split {
    type Err = InvalidSplit;

    /// Parses `json` or `off`, in any case.
    fn from_str(text: &str) -> Result<Self, InvalidSplit> {
        match text {
            _ if text.eq_ignore_ascii_case("json") => Ok(Self::Json),
            _ if text.eq_ignore_ascii_case("off") => Ok(Self::Off),
            _ => Err(InvalidSplit),
        }
    }
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
            split: Split::Off,
            metrics: Metrics::Off,
            sample: Sample::ALL,
        }
    }
}

/// The error for invalid variables: all of them, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", wrong.join("; "))]
pub struct SettingsError {
    /// One message for each.
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
        let settings = Self::parse(&get, &mut wrong);
        let missing: Vec<_> = RUNTIME_VARIABLES.into_iter().filter(|name| get(name).is_none()).collect();
        if !missing.is_empty() {
            wrong.push(format!(
                "{} not set: this program runs in AWS Lambda, or in an endpoint that emulates it",
                missing.join(", ")
            ));
        }
        if wrong.is_empty() { Ok(settings) } else { Err(SettingsError { wrong, format: settings.format }) }
    }

    /// Parses every variable. Appends an error to `wrong` for each that is invalid.
    fn parse(get: impl Fn(&str) -> Option<OsString>, wrong: &mut Vec<String>) -> Self {
        let defaults = Self::default();
        let settings = Self {
            format: parse(&get, LOG_FORMAT, defaults.format, wrong),
            level: parse(&get, LOG_LEVEL, defaults.level, wrong),
            lines: LineOptions {
                envelope: parse(&get, FIELDS, defaults.lines.envelope, wrong),
                data: parse(&get, DATA, defaults.lines.data, wrong),
                max_data_bytes: parse(&get, MAX_DATA_BYTES, DataBytes(defaults.lines.max_data_bytes), wrong).0,
                redactor: parse(&get, REDACT, Rules(defaults.lines.redactor), wrong).0,
            },
            function_name: get(FUNCTION_NAME).unwrap_or_default().to_string_lossy().into_owned(),
            max_concurrency: parse(&get, MAX_CONCURRENCY, WholeNumber(defaults.max_concurrency), wrong).0.max(1),
            deadline_margin_ms: parse(&get, DEADLINE_MARGIN, WholeNumber(defaults.deadline_margin_ms), wrong).0,
            split: parse(&get, SPLIT, defaults.split, wrong),
            metrics: parse(&get, METRICS, defaults.metrics, wrong),
            sample: parse(&get, SAMPLE, defaults.sample, wrong),
        };
        // No record is dropped silently: a line that is the data alone has the level that its producer wrote.
        if settings.lines.envelope.is_empty() && settings.format == LineFormat::Json && settings.level > Level::Trace {
            wrong.push(format!(
                "{FIELDS} is \"data\": in the log format JSON, Lambda reads the level of the record's own data and drops the \
                 record if that is below {LOG_LEVEL}; set the log format to Text, or the level to TRACE"
            ));
        }
        settings
    }

    /// Whether lines of `level` are written.
    pub fn writes(&self, level: Level) -> bool {
        level >= self.level
    }
}

/// Checks variables that a user wants to set, before the function has them. `AWS_LAMBDA_LOG_FORMAT` and
/// `AWS_LAMBDA_LOG_LEVEL` count, too, because they must suit the settings. Other variables are ignored.
///
/// # Errors
/// Returns a [`SettingsError`] that names every invalid value, and every `LOGGER_*` variable that is not one of
/// [`VARIABLES`].
pub fn check<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), SettingsError> {
    let variables: Vec<_> = variables.into_iter().collect();
    let is_unknown = |name: &str| name.starts_with(PREFIX) && !VARIABLES.contains(&name);
    let unknown = variables.iter().filter(|(name, _)| is_unknown(name)).map(|(name, _)| {
        let hint = match similar(name, VARIABLES).as_slice() {
            [] => format!("the settings are {}", VARIABLES.join(", ")),
            names => format!("similar names: {}", names.join(", ")),
        };
        format!("{name} is not a setting of the function ({hint})")
    });
    let mut wrong: Vec<String> = unknown.collect();
    let value_of =
        |wanted: &str| variables.iter().rev().find(|(name, _)| *name == wanted).map(|(_, value)| value.into());
    let Settings { format, .. } = Settings::parse(value_of, &mut wrong);
    if wrong.is_empty() { Ok(()) } else { Err(SettingsError { wrong, format }) }
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
mod tests;
