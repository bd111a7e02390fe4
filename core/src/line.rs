//! Writes a record as exactly one log line, in the two formats that a Lambda function can have.
//!
//! ```
//! use kinesis_event_logger_core::{Data, LineFormat, LineWriter, Payload, Position, Record};
//!
//! let writer = LineWriter::new(LineFormat::Text, "3f1c", 1_795_452_960_123);
//! let position = Position { stream: Some("orders"), partition_key: Some("user-1"), ..Position::default() };
//! let mut lines = Vec::new();
//! writer.append(&Record::new(position, Data::Payload(Payload::Json(r#"{"a":1}"#))), &mut lines);
//! assert_eq!(
//!     String::from_utf8(lines).unwrap(),
//!     "2026-11-23T16:56:00.123Z INFO 3f1c stream=orders shard=- seq=- key=\"user-1\" arrival=- lagMs=- data={\"a\":1}\n"
//! );
//! ```
//!
//! # JSON
//! `{"timestamp":"2026-11-23T16:56:00.123Z","level":"INFO","v":1,"requestId":"…","stream":"…","shard":"shardId-…",`
//! `"sequenceNumber":"…","partitionKey":"…","arrival":"…Z","lagMs":12,"type":"json","data":{…}}`
//!
//! Missing fields are omitted. `type` is `json`, `text` (`data` is a string), `binary` or `cbor` (`bytes` is the length,
//! `data` is base64), or `undecodable` (`error` is the reason, `data` is the text in place of the data). JSON data is
//! embedded as it was written, except that whitespace around it is removed, line breaks and tabs between its tokens become
//! spaces, and control characters in its strings become escapes. `timestamp` and `level` are the fields that Lambda reads:
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>.
//!
//! Only some records have these fields: `subSequenceNumber` and `explicitHashKey` (from an aggregate); the fields of the
//! record's [shape](crate::shape); `redacted` (the number of values that were replaced in the data and in the line's
//! fields) and `redactedWhole` (the reason why all of the data was replaced); `truncated` (the data or a name was
//! truncated); `bytes` and `sha256` (of data that is truncated or not shown).
//!
//! # Text
//! `2026-11-23T16:56:00.123Z INFO REQUEST-ID stream=… shard=… seq=… key="…" arrival=… lagMs=12 data={"a":1}`
//!
//! The same fields are separated by spaces, always in this order, and `-` marks a missing one. Text data is a JSON string
//! literal, binary data is `base64:LENGTH:BASE64`, and undecodable data is `undecodable:"…"`. `error="…"` and the fields that
//! only some records have are before `data`, by the same names as in JSON.

mod data;
mod fields;
mod names;
mod options;
mod parse;

use crate::decode::{Data, Record};
use crate::escape::push_word;
use crate::timestamp::push_rfc3339;

use data::LineData;
use fields::FieldWriter;
use names::FieldName;

pub use crate::escape::{is_escaped, push_json_string};
pub use crate::timestamp::rfc3339;
pub use options::{DataMode, InvalidDataMode, InvalidLevel, InvalidLineFormat, Level, LineFormat, LineOptions};
pub use parse::{ParseError, ParsedLine, parse};

/// The version of the JSON line, its field `v`. It is incremented when a field changes its meaning or is removed.
pub const LINE_VERSION: u32 = 1;

/// The largest number of bytes of a name (a partition key, a sequence number, …) on the line. Every valid name fits: the
/// longest is a partition key of 256 characters. A longer name comes from an event that Lambda did not create.
pub const MAX_NAME_BYTES: usize = 1024;

impl Record<'_> {
    /// Returns the level of the record's line.
    pub fn level(&self) -> Level {
        match (&self.error, self.data) {
            (None, Data::Payload(_)) => Level::Info,
            _ => Level::Warn,
        }
    }
}

/// A summary of a line that was written, for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineSummary {
    /// The number of values that were replaced. It is 1 if all of the data was.
    pub redacted: usize,
    /// Whether the data, or a name longer than [`MAX_NAME_BYTES`], was truncated.
    pub truncated: bool,
}

/// Writes the lines of one batch.
///
/// ```
/// use kinesis_event_logger_core::{Data, LineFormat, LineWriter, Payload, Position, Record};
///
/// let writer = LineWriter::new(LineFormat::Json, "3f1c", 1_795_452_960_123);
/// let position = Position {
///     stream: Some("orders"),
///     partition_key: Some("a\nb"),
///     arrival_ms: Some(1_795_452_960_111),
///     ..Position::default()
/// };
/// let mut lines = Vec::new();
/// writer.append(&Record::new(position, Data::Payload(Payload::Json("{\"n\": 1}\n"))), &mut lines);
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
    /// The beginnings of the batch's lines of each level. All lines of a level begin alike.
    info: Vec<u8>,
    warn: Vec<u8>,
}

impl<'o> LineWriter<'o> {
    /// Creates a writer for the batch of one invocation. `now_ms` is the timestamp of its lines, in epoch milliseconds.
    pub fn new(format: LineFormat, request_id: &str, now_ms: i64) -> Self {
        static DEFAULT: LineOptions = LineOptions::DEFAULT;
        Self::with_options(format, request_id, now_ms, &DEFAULT)
    }

    /// Creates a writer like [`new`](Self::new), with options.
    ///
    /// ```
    /// use kinesis_event_logger_core::{Data, LineFormat, LineOptions, LineWriter, Payload, Position, Record, Redactor};
    ///
    /// let options = LineOptions { redactor: Redactor::new(["password"])?, ..LineOptions::DEFAULT };
    /// let writer = LineWriter::with_options(LineFormat::Text, "3f1c", 0, &options);
    /// let mut lines = Vec::new();
    /// let data = Data::Payload(Payload::Json(r#"{"user":7,"password":"hunter2"}"#));
    /// let summary = writer.append(&Record::new(Position::default(), data), &mut lines);
    /// assert_eq!(summary.redacted, 1);
    /// assert!(lines.ends_with(br#" redacted=1 data={"user":7,"password":"[redacted]"}
    /// "#));
    /// # Ok::<_, kinesis_event_logger_core::redact::RuleError>(())
    /// ```
    pub fn with_options(format: LineFormat, request_id: &str, now_ms: i64, options: &'o LineOptions) -> Self {
        let beginning = |level| {
            let mut out = Vec::new();
            push_beginning(&mut out, format, now_ms, level, request_id);
            out
        };
        Self { format, now_ms, options, info: beginning(Level::Info), warn: beginning(Level::Warn) }
    }

    /// Appends the record's line to `out`. Its only `\n` is at its end, whatever the record contains.
    pub fn append(&self, record: &Record<'_>, out: &mut Vec<u8>) -> LineSummary {
        let data = LineData::new(record, self.options);
        out.extend_from_slice(if record.level() == Level::Info { &self.info } else { &self.warn });
        let mut fields = FieldWriter { out, format: self.format, truncated: data.truncated, redacted: data.redacted };
        fields.position(&record.position, self.now_ms);
        if let Some(origin) = &record.origin {
            fields.origin(origin, &self.options.redactor);
        }
        fields.data(record.error.as_deref(), &data);
        LineSummary { redacted: fields.redacted, truncated: fields.truncated }
    }
}

/// Appends a line about the program instead of a record: in JSON `{"timestamp":…,"level":…,"message":…}`, in text
/// `TIMESTAMP LEVEL - message="…"`.
pub fn append_message(format: LineFormat, now_ms: i64, level: Level, message: &str, out: &mut Vec<u8>) {
    match format {
        LineFormat::Text => {
            push_rfc3339(out, now_ms);
            push(out, " ");
            push(out, level.name());
            push(out, " -");
            push_key(out, format, names::MESSAGE);
            push_json_string(out, message);
            push(out, "\n");
        }
        LineFormat::Json => {
            push_json_beginning(out, now_ms, level);
            push_key(out, format, names::MESSAGE);
            push_json_string(out, message);
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
            push_key(out, format, names::same(names::VERSION));
            push_integer(out, LINE_VERSION.into());
            push_key(out, format, names::same(names::REQUEST_ID));
            push_json_string(out, request_id);
        }
    }
}

fn push_json_beginning(out: &mut Vec<u8>, now_ms: i64, level: Level) {
    push(out, "{\"");
    push(out, names::TIMESTAMP);
    push(out, "\":\"");
    push_rfc3339(out, now_ms);
    push(out, "\"");
    push_key(out, LineFormat::Json, names::same(names::LEVEL));
    push_json_string(out, level.name());
}

fn push_key(out: &mut Vec<u8>, format: LineFormat, name: FieldName) {
    let (before, name, after) = match format {
        LineFormat::Text => (" ", name.text, "="),
        LineFormat::Json => (",\"", name.json, "\":"),
    };
    push(out, before);
    push(out, name);
    push(out, after);
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn push_integer(out: &mut Vec<u8>, value: i64) {
    push(out, itoa::Buffer::new().format(value));
}
