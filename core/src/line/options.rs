//! The options of a line: format, level, and how much of the data it shows.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::redact::Redactor;

use super::Envelope;

/// The format of lines, as in `AWS_LAMBDA_LOG_FORMAT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineFormat {
    /// Fields separated by spaces.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// The error for a text that is not a line format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a line format is Text or JSON")]
pub struct InvalidLineFormat;

impl FromStr for LineFormat {
    type Err = InvalidLineFormat;

    /// Parses `Text` or `JSON`, as Lambda writes them, in any case.
    fn from_str(text: &str) -> Result<Self, InvalidLineFormat> {
        match text {
            _ if text.eq_ignore_ascii_case("text") => Ok(Self::Text),
            _ if text.eq_ignore_ascii_case("json") => Ok(Self::Json),
            _ => Err(InvalidLineFormat),
        }
    }
}

/// The level of a line: one of Lambda's six levels, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names of Lambda's levels explain themselves")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Level {
    const ALL: [Self; 6] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// Returns the name as Lambda writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The error for a text that is not a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a level is TRACE, DEBUG, INFO, WARN, ERROR or FATAL")]
pub struct InvalidLevel;

impl FromStr for Level {
    type Err = InvalidLevel;

    /// Parses a level's name, in any case.
    fn from_str(text: &str) -> Result<Self, InvalidLevel> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(text)).ok_or(InvalidLevel)
    }
}

/// The form of data on lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataMode {
    /// The data, up to [`LineOptions::max_data_bytes`].
    #[default]
    Full,
    /// Only the data's length and SHA-256.
    Hash,
    /// Only the data's length.
    None,
}

/// The error for a text that is not a data mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a data mode is full, hash or none")]
pub struct InvalidDataMode;

impl FromStr for DataMode {
    type Err = InvalidDataMode;

    /// Parses `full`, `hash` or `none`, in any case.
    fn from_str(text: &str) -> Result<Self, InvalidDataMode> {
        match text {
            _ if text.eq_ignore_ascii_case("full") => Ok(Self::Full),
            _ if text.eq_ignore_ascii_case("hash") => Ok(Self::Hash),
            _ if text.eq_ignore_ascii_case("none") => Ok(Self::None),
            _ => Err(InvalidDataMode),
        }
    }
}

/// The options of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineOptions {
    /// The fields before the data.
    pub envelope: Envelope,
    /// The form of data on lines.
    pub data: DataMode,
    /// The largest number of bytes that the data may have on the line, including escapes and base64, without quotes.
    /// Longer data is truncated after a whole character, and the line contains the full length and the SHA-256 of all of
    /// it. Truncated JSON is shown as text.
    pub max_data_bytes: usize,
    /// The rules for values that must not be shown. They are applied first: a SHA-256 is that of the redacted data, because
    /// the hash of a short secret can be found by trying.
    pub redactor: Redactor,
}

impl LineOptions {
    /// Shows all of the data, and redacts nothing.
    pub const DEFAULT: Self =
        Self { envelope: Envelope::FULL, data: DataMode::Full, max_data_bytes: usize::MAX, redactor: Redactor::NONE };
}

impl Default for LineOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}
