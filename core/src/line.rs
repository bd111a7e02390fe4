//! A record as exactly one log line, in the two formats a Lambda function can be set to.
//!
//! JSON, with missing fields left out:
//! `{"timestamp":"2026-11-23T16:56:00.123Z","level":"INFO","v":1,"requestId":"…","stream":"…","shard":"shardId-…",`
//! `"sequenceNumber":"…","partitionKey":"…","arrival":"…Z","lagMs":12,"type":"json","data":{…}}`.
//! `type` is `json`, `text` (`data` is a string), `binary` or `cbor` (`bytes` is the length, `data` base64) or `undecodable`
//! (`error` says why, `data` is what was there). JSON data is embedded as it was written, but for the whitespace around
//! it, line breaks and tabs between its tokens (spaces here), and control characters in its strings (escapes here). `timestamp` and `level` are where Lambda looks for them:
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>.
//!
//! Fields that only some records have: `subSequenceNumber` and `explicitHashKey` (from an aggregate); `owner`, `logGroup`,
//! `logStream`, `logEventId`, `logEventTime` (a CloudWatch Logs event); `table`, `operation` (a DynamoDB change);
//! `redacted` (how many values were replaced, in the data and in these fields; with `redactedWhole`, the reason, all of the data was); `truncated` (the
//! data, or a name, was cut); `sha256`, which with `bytes` tells what was cut off or not shown.
//!
//! Text, the same fields separated by spaces, always in this order, missing ones `-`:
//! `2026-11-23T16:56:00.123Z INFO REQUEST-ID stream=… shard=… seq=… key="…" arrival=… lagMs=12 data={"a":1}`.
//! Text data is a JSON string literal, binary `base64:LENGTH:BASE64`, undecodable `undecodable:"…"`. What is wrong with a
//! record stands before its data as `error="…"`, and so do the fields that only some records have, by the same names.

mod fields;
mod shown;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::escape::{push_string, push_word};
use crate::record::{Data, Record};
use crate::redact::Redactor;
use crate::timestamp::push_rfc3339;

use fields::Fields;
use shown::Shown;

/// The version of the JSON line, its field `v`: raised when a field changes its meaning or goes away.
pub const LINE_VERSION: u32 = 1;

/// How lines are written. `AWS_LAMBDA_LOG_FORMAT` holds one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineFormat {
    /// Fields separated by spaces.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// A text that names no line format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("takes Text or JSON")]
pub struct UnknownLineFormat;

impl FromStr for LineFormat {
    type Err = UnknownLineFormat;

    /// Lambda writes `Text` and `JSON`; case does not matter here.
    fn from_str(text: &str) -> Result<Self, UnknownLineFormat> {
        match text {
            _ if text.eq_ignore_ascii_case("text") => Ok(Self::Text),
            _ if text.eq_ignore_ascii_case("json") => Ok(Self::Json),
            _ => Err(UnknownLineFormat),
        }
    }
}

/// How grave a line is: Lambda's six levels, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "Lambda's own names, which say what they are")]
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

    /// The name as Lambda writes it.
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

/// A text that names no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("takes TRACE, DEBUG, INFO, WARN, ERROR or FATAL")]
pub struct UnknownLevel;

impl FromStr for Level {
    type Err = UnknownLevel;

    /// Case does not matter.
    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(text)).ok_or(UnknownLevel)
    }
}

impl Record<'_> {
    /// The level of the record's line.
    pub fn level(&self) -> Level {
        match (&self.error, self.data) {
            (None, Data::Payload(_)) => Level::Info,
            _ => Level::Warn,
        }
    }
}

/// What of the data is shown on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataShown {
    /// The data, as far as it fits.
    #[default]
    Full,
    /// Its length and its SHA-256.
    Hash,
    /// Its length.
    None,
}

/// A text that names no way to show data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("takes full, hash or none")]
pub struct UnknownDataShown;

impl FromStr for DataShown {
    type Err = UnknownDataShown;

    /// Case does not matter.
    fn from_str(text: &str) -> Result<Self, UnknownDataShown> {
        match text {
            _ if text.eq_ignore_ascii_case("full") => Ok(Self::Full),
            _ if text.eq_ignore_ascii_case("hash") => Ok(Self::Hash),
            _ if text.eq_ignore_ascii_case("none") => Ok(Self::None),
            _ => Err(UnknownDataShown),
        }
    }
}

/// How lines show data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineOptions {
    /// Whether the data is shown at all.
    pub data: DataShown,
    /// Bytes that the data may take on the line, its escapes and base64 counted and its quotes not. What is longer is
    /// cut at a character, with the full length and the SHA-256 of the whole; JSON that is cut is shown as text.
    pub max_data_bytes: usize,
    /// What must not be shown. It comes before everything else: a SHA-256 is that of the data after redaction, so that
    /// nobody can find a short secret by trying.
    pub redactor: Redactor,
}

impl LineOptions {
    /// All of the data, however long, with nothing redacted.
    pub const DEFAULT: Self = Self { data: DataShown::Full, max_data_bytes: usize::MAX, redactor: Redactor::NONE };
}

impl Default for LineOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What became of a record on its way to its line, for whoever counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Values that were replaced; 1 if all of the data was.
    pub redacted: usize,
    /// Whether the data, or a name longer than [`MAX_NAME_BYTES`], was cut.
    pub truncated: bool,
}

/// Bytes of a name (a partition key, a sequence number, …) that are shown. The longest that a service gives, a partition
/// key of 256 characters, fits; a longer one is from an event that Lambda did not make.
pub const MAX_NAME_BYTES: usize = 1024;

/// Writes the lines of one batch.
///
/// ```
/// use kinesis_event_logger_core::{Data, LineFormat, LineWriter, Payload, Record};
///
/// let writer = LineWriter::new(LineFormat::Json, "3f1c", 1_795_452_960_123);
/// let record = Record {
///     stream: Some("orders"),
///     partition_key: Some("a\nb"),
///     arrival_ms: Some(1_795_452_960_111),
///     ..Record::new(Data::Payload(Payload::Json("{\"n\": 1}\n")))
/// };
/// let mut lines = Vec::new();
/// writer.append(&record, &mut lines);
/// assert_eq!(
///     String::from_utf8(lines).unwrap(),
///     concat!(
///         r#"{"timestamp":"2026-11-23T16:56:00.123Z","level":"INFO","v":1,"requestId":"3f1c","stream":"orders","#,
///         r#""partitionKey":"a\nb","arrival":"2026-11-23T16:56:00.111Z","lagMs":12,"type":"json","data":{"n": 1}}"#,
///         "\n"
///     )
/// );
/// ```
#[derive(Debug, Clone)]
pub struct LineWriter<'o> {
    format: LineFormat,
    now_ms: i64,
    options: &'o LineOptions,
    /// How the lines of this batch begin, by level: the same for each, so written once.
    info: Vec<u8>,
    warn: Vec<u8>,
}

impl<'o> LineWriter<'o> {
    /// A writer for the batch of one invocation: its request id, and the instant its lines are stamped with, in epoch
    /// milliseconds.
    pub fn new(format: LineFormat, request_id: &str, now_ms: i64) -> Self {
        static DEFAULT: LineOptions = LineOptions::DEFAULT;
        Self::with_options(format, request_id, now_ms, &DEFAULT)
    }

    /// As [`new`](Self::new), for lines that do not show everything.
    ///
    /// ```
    /// use kinesis_event_logger_core::{Data, DataShown, LineFormat, LineOptions, LineWriter, Payload, Record, Redactor};
    ///
    /// let options = LineOptions { redactor: Redactor::new(["password"])?, ..LineOptions::DEFAULT };
    /// let writer = LineWriter::with_options(LineFormat::Text, "3f1c", 0, &options);
    /// let mut lines = Vec::new();
    /// let record = Record::new(Data::Payload(Payload::Json(r#"{"user":7,"password":"hunter2"}"#)));
    /// let outcome = writer.append(&record, &mut lines);
    /// assert_eq!(outcome.redacted, 1);
    /// assert!(lines.ends_with(br#" redacted=1 data={"user":7,"password":"[redacted]"}
    /// "#));
    /// # Ok::<_, kinesis_event_logger_core::RuleError>(())
    /// ```
    pub fn with_options(format: LineFormat, request_id: &str, now_ms: i64, options: &'o LineOptions) -> Self {
        let beginning = |level| {
            let mut out = Vec::new();
            push_beginning(&mut out, format, now_ms, level, request_id);
            out
        };
        Self { format, now_ms, options, info: beginning(Level::Info), warn: beginning(Level::Warn) }
    }

    /// Appends the record's line to `out`: one `\n`, at its end, whatever the record holds.
    pub fn append(&self, record: &Record<'_>, out: &mut Vec<u8>) -> Outcome {
        let shown = Shown::of(record, self.options);
        out.extend_from_slice(if record.level() == Level::Info { &self.info } else { &self.warn });
        let mut fields = Fields { out, format: self.format, truncated: shown.truncated, redacted: shown.redacted };
        self.append_place(record, &mut fields);
        if let Some(origin) = &record.origin {
            fields.origin(origin, &self.options.redactor);
        }
        fields.data(record.error.as_deref(), &shown);
        Outcome { redacted: fields.redacted, truncated: fields.truncated }
    }

    /// Where the record is, and when it came: what is missing is left out of JSON and `-` in text.
    fn append_place(&self, record: &Record<'_>, fields: &mut Fields<'_>) {
        fields.place("stream", "stream", record.stream);
        fields.place("shard", "shard", record.shard_id);
        fields.place("sequenceNumber", "seq", record.sequence_number);
        if let Some(number) = record.sub_sequence_number {
            fields.number("subSequenceNumber", number);
        }
        fields.partition_key(record.partition_key);
        fields.word("explicitHashKey", record.explicit_hash_key);
        // Negative where the clocks of Kinesis and this host disagree.
        fields.arrival(record.arrival_ms, |arrival_ms| self.now_ms.saturating_sub(arrival_ms));
    }
}

/// Appends a line that is about the program rather than a record: JSON `{"timestamp":…,"level":…,"message":…}`, or text
/// `TIMESTAMP LEVEL - message="…"`.
pub fn append_message(format: LineFormat, now_ms: i64, level: Level, message: &str, out: &mut Vec<u8>) {
    match format {
        LineFormat::Text => {
            push_rfc3339(out, now_ms);
            push(out, " ");
            push(out, level.name());
            push(out, " - message=");
            push_string(out, message);
            push(out, "\n");
        }
        LineFormat::Json => {
            push_json_beginning(out, now_ms, level);
            push(out, ",\"message\":");
            push_string(out, message);
            push(out, "}\n");
        }
    }
}

fn push_beginning(out: &mut Vec<u8>, format: LineFormat, now_ms: i64, level: Level, request_id: &str) {
    match format {
        LineFormat::Text => {
            push_rfc3339(out, now_ms);
            push(out, " ");
            push(out, level.name());
            push(out, " ");
            push_word(out, request_id);
        }
        LineFormat::Json => {
            push_json_beginning(out, now_ms, level);
            push(out, ",\"v\":");
            push_integer(out, LINE_VERSION.into());
            push(out, ",\"requestId\":");
            push_string(out, request_id);
        }
    }
}

fn push_json_beginning(out: &mut Vec<u8>, now_ms: i64, level: Level) {
    push(out, "{\"timestamp\":\"");
    push_rfc3339(out, now_ms);
    push(out, "\",\"level\":\"");
    push(out, level.name());
    push(out, "\"");
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn push_integer(out: &mut Vec<u8>, value: i64) {
    push(out, itoa::Buffer::new().format(value));
}
