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
//! These are the fields of [`Envelope::FULL`]. Missing fields are omitted. `type` is `json`, `text` (`data` is a string), `binary` or `cbor` (`bytes` is the length,
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
//! # Envelopes
//! [`LineOptions::envelope`] chooses the fields before the data. A line whose data shows its type omits `type` if it is not
//! chosen. A line without any field is the data alone: with [`Envelope::DATA`], every record that has no error and is
//! shown completely. Lines at level `WARN` always have a timestamp and a level, because Lambda takes a JSON line without
//! them for `INFO`.
//!
//! # Text
//! `2026-11-23T16:56:00.123Z INFO REQUEST-ID stream=… shard=… seq=… key="…" arrival=… lagMs=12 data={"a":1}`
//!
//! The same fields are separated by spaces, and `-` marks a missing one. Text data is a JSON string
//! literal, binary data is `base64:LENGTH:BASE64`, and undecodable data is `undecodable:"…"`. `error="…"` and the fields that
//! only some records have are before `data`, by the same names as in JSON.

mod data;
mod envelope;
mod fields;
mod names;
mod options;
mod parse;

use crate::decode::{Data, Record};
use crate::timestamp::push_rfc3339;

use data::LineData;
use envelope::EnvelopeField;
use fields::{BatchValues, FieldWriter};

pub use crate::escape::{is_escaped, push_json_string};
pub use crate::timestamp::rfc3339;
pub use envelope::{Envelope, EnvelopeError};
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
    request_id: String,
    options: &'o LineOptions,
    info: Beginning<'o>,
    warn: Beginning<'o>,
}

/// The beginning of a batch's lines of one level, which is the same on all of them, and the fields that follow.
#[derive(Debug, Clone)]
struct Beginning<'o> {
    text: Vec<u8>,
    fields: &'o [EnvelopeField],
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
            let mut text = Vec::new();
            let mut writer = FieldWriter::new(&mut text, format);
            let fields = options.envelope.fields(level);
            let batch = BatchValues { now_ms, level, request_id };
            let shared = fields.iter().take_while(|&&field| writer.batch_field(field, batch)).count();
            Beginning { text, fields: &fields[shared..] }
        };
        let (info, warn) = (beginning(Level::Info), beginning(Level::Warn));
        Self { format, now_ms, request_id: request_id.to_owned(), options, info, warn }
    }

    /// Appends the record's line to `out`. Its only `\n` is at its end, whatever the record contains.
    pub fn append(&self, record: &Record<'_>, out: &mut Vec<u8>) -> LineSummary {
        let data = LineData::new(record, self.options);
        let level = record.level();
        let beginning = if level == Level::Info { &self.info } else { &self.warn };
        let mut writer = FieldWriter::new(out, self.format);
        (writer.truncated, writer.redacted) = (data.truncated, data.redacted);
        writer.out.extend_from_slice(&beginning.text);
        let batch = BatchValues { now_ms: self.now_ms, level, request_id: &self.request_id };
        for &field in beginning.fields {
            writer.field(field, record, data.data_type, batch, &self.options.redactor);
        }
        writer.data(record.error.as_deref(), &data);
        LineSummary { redacted: writer.redacted, truncated: writer.truncated }
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
            push(out, names::MESSAGE.text_key);
            push_json_string(out, message);
            push(out, "\n");
        }
        LineFormat::Json => {
            let mut writer = FieldWriter::new(out, format);
            let batch = BatchValues { now_ms, level, request_id: "" };
            writer.batch_field(EnvelopeField::Timestamp, batch);
            writer.batch_field(EnvelopeField::Level, batch);
            push(out, names::MESSAGE.json_key);
            push_json_string(out, message);
            push(out, "}\n");
        }
    }
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn push_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    push(out, itoa::Buffer::new().format(value));
}
