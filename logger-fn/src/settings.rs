//! Environment variables, read once and validated.
//!
//! Lambda sets them: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>.
//! `RUST_LOG` is not among them: a variable left over from a debugging session must not hide records.

use std::ffi::OsString;
use std::fmt::Display;
use std::str::FromStr;

use kinesis_event_logger_core::{Level, LineFormat};
use thiserror::Error;

const LOG_FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";
const LOG_LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";

/// What `lambda_runtime` panics without.
const OF_THE_RUNTIME: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// How the function was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How lines are written.
    pub format: LineFormat,
    /// The lowest level that is written.
    pub level: Level,
}

impl Default for Settings {
    fn default() -> Self {
        Self { format: LineFormat::Text, level: Level::Info }
    }
}

/// Everything that is wrong with the environment, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", wrong.join("; "))]
pub struct SettingsError {
    wrong: Vec<String>,
    /// What could be read all the same: how the error itself is to be written.
    pub readable: Settings,
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
        };
        let missing: Vec<_> = OF_THE_RUNTIME.into_iter().filter(|name| get(name).is_none()).collect();
        if !missing.is_empty() {
            wrong.push(format!(
                "{} not set: this program is run by AWS Lambda, or by an endpoint that acts as it does",
                missing.join(", ")
            ));
        }
        if wrong.is_empty() { Ok(settings) } else { Err(SettingsError { wrong, readable: settings }) }
    }

    /// Whether lines of `level` are written.
    pub fn writes(&self, level: Level) -> bool {
        level >= self.level
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
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let set = |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| value.into());
        let of_the_runtime = |name: &str| OF_THE_RUNTIME.contains(&name).then(|| "1".into());
        Settings::read(|name| set(name).or_else(|| of_the_runtime(name))).map_err(|error| error.to_string())
    }

    #[test]
    fn unset_and_empty_variables_are_the_defaults() {
        assert_eq!(read(&[]), Ok(Settings::default()));
        assert_eq!(read(&[(LOG_FORMAT, ""), (LOG_LEVEL, "")]), Ok(Settings::default()));
    }

    #[test]
    fn lambdas_own_values_are_read() {
        let settings = read(&[(LOG_FORMAT, "JSON"), (LOG_LEVEL, "FATAL")]);
        assert_eq!(settings, Ok(Settings { format: LineFormat::Json, level: Level::Fatal }));
        let settings = read(&[(LOG_FORMAT, "Text"), (LOG_LEVEL, "debug")]);
        assert_eq!(settings, Ok(Settings { format: LineFormat::Text, level: Level::Debug }));
    }

    #[test]
    fn every_wrong_value_is_named_with_what_it_takes() {
        assert_eq!(
            read(&[(LOG_FORMAT, "xml"), (LOG_LEVEL, "loud")]),
            Err("AWS_LAMBDA_LOG_FORMAT is \"xml\": it takes Text or JSON; \
                 AWS_LAMBDA_LOG_LEVEL is \"loud\": it takes TRACE, DEBUG, INFO, WARN, ERROR or FATAL"
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
