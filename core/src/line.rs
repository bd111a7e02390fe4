//! A record as exactly one log line, in the two formats a Lambda function can be set to.
//!
//! JSON, with missing fields left out:
//! `{"timestamp":"2026-11-23T16:56:00.123Z","level":"INFO","v":1,"requestId":"…","stream":"…","shard":"shardId-…",`
//! `"sequenceNumber":"…","partitionKey":"…","arrival":"…Z","lagMs":12,"type":"json","data":{…}}`.
//! `type` is `json`, `text` (`data` is a string), `binary` (`bytes` is the length, `data` base64) or `undecodable`
//! (`error` says why, `data` is what was there). JSON data is embedded as it was written, but for the whitespace around
//! it, line breaks and tabs between its tokens (spaces here), and control characters in its strings (escapes here). `timestamp` and `level` are where Lambda looks for them:
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>.
//!
//! Text, the same fields separated by spaces, always in this order, missing ones `-`:
//! `2026-11-23T16:56:00.123Z INFO REQUEST-ID stream=… shard=… seq=… key="…" arrival=… lagMs=12 data={"a":1}`.
//! Text data is a JSON string literal, binary `base64:LENGTH:BASE64`, undecodable `undecodable:"…"`. What is wrong with a
//! record stands before its data as `error="…"`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::decode::Payload;
use crate::escape::{push_json, push_string, push_word};
use crate::record::{Data, Record};
use crate::timestamp::push_rfc3339;

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

/// Writes the lines of one batch.
///
/// ```
/// use kinesis_event_logger_core::{Data, LineFormat, LineWriter, Payload, Record};
///
/// let writer = LineWriter::new(LineFormat::Json, "3f1c", 1_795_452_960_123);
/// let record = Record {
///     stream: Some("orders"),
///     shard_id: None,
///     sequence_number: None,
///     partition_key: Some("a\nb"),
///     arrival_ms: Some(1_795_452_960_111),
///     error: None,
///     data: Data::Payload(Payload::Json("{\"n\": 1}\n")),
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
pub struct LineWriter {
    format: LineFormat,
    now_ms: i64,
    /// How the lines of this batch begin, by level: the same for each, so written once.
    info: Vec<u8>,
    warn: Vec<u8>,
}

impl LineWriter {
    /// A writer for the batch of one invocation: its request id, and the instant its lines are stamped with, in epoch
    /// milliseconds.
    pub fn new(format: LineFormat, request_id: &str, now_ms: i64) -> Self {
        let beginning = |level| {
            let mut out = Vec::new();
            push_beginning(&mut out, format, now_ms, level, request_id);
            out
        };
        Self { format, now_ms, info: beginning(Level::Info), warn: beginning(Level::Warn) }
    }

    /// Appends the record's line to `out`: one `\n`, at its end, whatever the record holds.
    pub fn append(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(if record.level() == Level::Info { &self.info } else { &self.warn });
        match self.format {
            LineFormat::Text => self.append_text(record, out),
            LineFormat::Json => self.append_json(record, out),
        }
    }

    /// How long the record was under way, in milliseconds: negative where the clocks of Kinesis and this host disagree.
    fn lag_ms(&self, arrival_ms: i64) -> i64 {
        self.now_ms.saturating_sub(arrival_ms)
    }

    fn append_json(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        let fields = [
            (",\"stream\":", record.stream),
            (",\"shard\":", record.shard_id),
            (",\"sequenceNumber\":", record.sequence_number),
            (",\"partitionKey\":", record.partition_key),
        ];
        for (key, value) in fields.into_iter().filter_map(|(key, value)| Some((key, value?))) {
            push(out, key);
            push_string(out, value);
        }
        if let Some(arrival_ms) = record.arrival_ms {
            push(out, ",\"arrival\":\"");
            push_rfc3339(out, arrival_ms);
            push(out, "\",\"lagMs\":");
            push_integer(out, self.lag_ms(arrival_ms));
        }
        push(
            out,
            match record.data {
                Data::Payload(Payload::Json(_)) => ",\"type\":\"json\"",
                Data::Payload(Payload::Text(_)) => ",\"type\":\"text\"",
                Data::Payload(Payload::Binary(_)) => ",\"type\":\"binary\"",
                Data::Undecodable(_) => ",\"type\":\"undecodable\"",
            },
        );
        if let Some(error) = &record.error {
            push(out, ",\"error\":");
            push_string(out, error);
        }
        if let Data::Payload(Payload::Binary(bytes)) = record.data {
            push(out, ",\"bytes\":");
            push_length(out, bytes.len());
        }
        push(out, ",\"data\":");
        match record.data {
            Data::Payload(Payload::Json(json)) => push_json(out, json.trim_ascii()),
            Data::Payload(Payload::Text(text)) | Data::Undecodable(text) => push_string(out, text),
            Data::Payload(Payload::Binary(bytes)) => {
                push(out, "\"");
                push_base64(out, bytes);
                push(out, "\"");
            }
        }
        push(out, "}\n");
    }

    fn append_text(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        let words = [(" stream=", record.stream), (" shard=", record.shard_id), (" seq=", record.sequence_number)];
        for (key, value) in words {
            push(out, key);
            push_or_dash(out, value, push_word);
        }
        push(out, " key=");
        push_or_dash(out, record.partition_key, push_string);
        push(out, " arrival=");
        push_or_dash(out, record.arrival_ms, push_rfc3339);
        push(out, " lagMs=");
        push_or_dash(out, record.arrival_ms.map(|arrival_ms| self.lag_ms(arrival_ms)), push_integer);
        if let Some(error) = &record.error {
            push(out, " error=");
            push_string(out, error);
        }
        push(out, " data=");
        match record.data {
            Data::Payload(Payload::Json(json)) => push_json(out, json.trim_ascii()),
            Data::Payload(Payload::Text(text)) => push_string(out, text),
            Data::Payload(Payload::Binary(bytes)) => {
                push(out, "base64:");
                push_length(out, bytes.len());
                push(out, ":");
                push_base64(out, bytes);
            }
            Data::Undecodable(found) => {
                push(out, "undecodable:");
                push_string(out, found);
            }
        }
        push(out, "\n");
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

fn push_or_dash<T>(out: &mut Vec<u8>, value: Option<T>, push_value: impl Fn(&mut Vec<u8>, T)) {
    match value {
        Some(value) => push_value(out, value),
        None => out.push(b'-'),
    }
}

fn push_integer(out: &mut Vec<u8>, value: i64) {
    push(out, itoa::Buffer::new().format(value));
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    push(out, itoa::Buffer::new().format(length));
}

fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    // The encoder reserves exactly what it needs, which would make a growing buffer move with every record.
    out.reserve(base64_simd::STANDARD.encoded_length(bytes.len()));
    base64_simd::STANDARD.encode_append(bytes, out);
}
