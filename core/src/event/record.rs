//! One record of an event, and the problem with it.

use std::borrow::Cow;
use std::ops::Range;

use thiserror::Error;

use super::error::excerpt;
use crate::decode::Position;
use crate::json::{JsonKind, Reader, Value};
use crate::timestamp::WRITABLE_MS;

/// The problem with one record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordProblem {
    /// A required field is missing.
    #[error("{field} is missing")]
    Missing {
        /// The field's path, for instance `kinesis.data`.
        field: &'static str,
    },
    /// A field has the wrong JSON type.
    #[error("{field} is {found}, not {expected}")]
    WrongType {
        /// The field's path. The path of the record itself is `the record`.
        field: &'static str,
        /// The field's type.
        found: JsonKind,
        /// The type that it should have.
        expected: JsonKind,
    },
    /// A time that is not epoch seconds in the years 0 to 9999.
    #[error("{field} is {found:?}, not a time in epoch seconds")]
    NotATime {
        /// The field's path.
        field: &'static str,
        /// The beginning of the field's value.
        found: String,
    },
}

/// One record of an event. Fields that could not be read are `None`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EventRecord<'a> {
    /// The stream's name, from `eventSourceARN`.
    pub stream: Option<Cow<'a, str>>,
    /// The shard's id, from `eventID`.
    pub shard_id: Option<Cow<'a, str>>,
    /// `kinesis.sequenceNumber`, or else the sequence number in `eventID`.
    pub sequence_number: Option<Cow<'a, str>>,
    /// `kinesis.partitionKey`. Records of streams that distribute records themselves do not have one.
    pub partition_key: Option<Cow<'a, str>>,
    /// `kinesis.approximateArrivalTimestamp` in epoch milliseconds, within the years 0 to 9999.
    pub arrival_ms: Option<i64>,
    /// `kinesis.data`, in base64.
    pub data: Option<Cow<'a, str>>,
    /// The record's JSON, as it is written in the event.
    pub raw: &'a str,
    /// The path of the data in the record: `kinesis.data`, or `data` in an event of EventBridge Pipes.
    pub data_path: &'static str,
    /// The most serious problem: if there is no data, the reason for that.
    pub problem: Option<RecordProblem>,
}

/// The location of the fields that Kinesis gave a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Form {
    /// The member `kinesis`, as Lambda writes it.
    #[default]
    Nested,
    /// The record itself, as EventBridge Pipes writes it.
    Flat,
}

impl Form {
    /// Returns the path of the field whose path in a nested record is `nested`.
    fn path(self, nested: &'static str) -> &'static str {
        match self {
            Self::Nested => nested,
            Self::Flat => nested.strip_prefix("kinesis.").unwrap_or(nested),
        }
    }
}

/// A record's fields before they are interpreted.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields<'a> {
    form: Form,
    /// The record as it is written.
    pub(super) raw: &'a str,
    kinesis: Option<Value<'a>>,
    pub(super) event_id: Option<Value<'a>>,
    /// The stream in `eventSourceARN`. It is interpreted once, because it is the same for all records of a batch.
    stream: Option<Result<Cow<'a, str>, RecordProblem>>,
    pub(super) sequence_number: Option<Value<'a>>,
    pub(super) partition_key: Option<Value<'a>>,
    pub(super) arrival: Option<Value<'a>>,
    pub(super) data: Option<Value<'a>>,
    /// The data's text, if it is a string without escapes. The data is most of the record, and this avoids reading it twice.
    pub(super) encoded: Option<&'a str>,
}

impl<'a> Fields<'a> {
    /// Reads the next element of `Records`. Returns `None` if it is not JSON.
    pub(super) fn read(reader: &mut Reader<'a>, form: Form) -> Option<Self> {
        let mut fields = Self { form, ..Self::default() };
        let kind = reader.kind()?;
        let rest = reader.rest();
        if kind != JsonKind::Object {
            reader.value()?;
            fields.raw = reader.read_since(rest);
            return Some(fields);
        }
        reader.enter(kind)?;
        let mut first = true;
        while reader.more(kind, first)? {
            first = false;
            match reader.key()?.as_ref() {
                "kinesis" if form == Form::Nested => {
                    let (event_id, stream) = (fields.event_id, fields.stream);
                    fields = Self { form, event_id, stream, ..Self::default() };
                    fields.kinesis = Some(fields.read_kinesis(reader)?);
                }
                "eventID" => fields.event_id = Some(reader.value()?),
                "eventSourceARN" => {
                    let arn = text("eventSourceARN", Some(reader.value()?));
                    fields.stream = arn.transpose().map(|arn| arn.map(stream_name));
                }
                key if form == Form::Flat => fields.read_field(key, reader)?,
                _ => {
                    reader.value()?;
                }
            }
        }
        fields.raw = reader.read_since(rest);
        Some(fields)
    }

    /// Reads and returns the member `kinesis`.
    fn read_kinesis(&mut self, reader: &mut Reader<'a>) -> Option<Value<'a>> {
        let kind = reader.kind()?;
        let text = reader.rest();
        if kind != JsonKind::Object {
            return reader.value();
        }
        reader.enter(kind)?;
        let mut first = true;
        while reader.more(kind, first)? {
            first = false;
            let key = reader.key()?;
            self.read_field(&key, reader)?;
        }
        Some(Value::new(text))
    }

    /// Reads the value of a field that Kinesis gave the record.
    #[inline]
    fn read_field(&mut self, key: &str, reader: &mut Reader<'a>) -> Option<()> {
        match key {
            "sequenceNumber" => self.sequence_number = Some(reader.value()?),
            "partitionKey" => self.partition_key = Some(reader.value()?),
            "approximateArrivalTimestamp" => self.arrival = Some(reader.value()?),
            "data" => {
                let (data, encoded) = reader.long_string()?;
                (self.data, self.encoded) = (Some(data), encoded);
            }
            _ => {
                reader.value()?;
            }
        }
        Some(())
    }

    /// Whether this may be a record of Kinesis.
    pub(super) fn has_kinesis(&self) -> bool {
        self.kinesis.is_some()
    }

    /// Whether the record has an `eventSource`, as every record of a pipe does.
    pub(super) fn has_source(&self) -> bool {
        self.value().members().any(|(key, _)| key == "eventSource")
    }

    /// The record as a value.
    pub(super) fn value(&self) -> Value<'a> {
        Value::new(self.raw)
    }
}

impl<'a> EventRecord<'a> {
    /// Returns the record's position in its stream.
    pub fn position(&self) -> Position<'_> {
        Position {
            stream: self.stream.as_deref(),
            shard_id: self.shard_id.as_deref(),
            sequence_number: self.sequence_number.as_deref(),
            partition_key: self.partition_key.as_deref(),
            arrival_ms: self.arrival_ms,
            ..Position::default()
        }
    }

    pub(super) fn new(fields: &Fields<'a>) -> Self {
        let mut problems = Problems(None);
        let path = |nested| fields.form.path(nested);
        let data = problems.note(data(fields));
        let (shard_id, id_sequence) = split_event_id(problems.note(text("eventID", fields.event_id)));
        let sequence_number = problems.note(text(path("kinesis.sequenceNumber"), fields.sequence_number));
        Self {
            data,
            stream: problems.note(fields.stream.clone().transpose()),
            shard_id,
            sequence_number: sequence_number.or(id_sequence),
            partition_key: problems.note(text(path("kinesis.partitionKey"), fields.partition_key)),
            arrival_ms: problems.note(arrival_ms(path("kinesis.approximateArrivalTimestamp"), fields.arrival)),
            raw: fields.raw,
            data_path: path("kinesis.data"),
            problem: problems.0,
        }
    }
}

/// The first problem of a record.
struct Problems(Option<RecordProblem>);

impl Problems {
    fn note<T>(&mut self, field: Result<Option<T>, RecordProblem>) -> Option<T> {
        field.unwrap_or_else(|problem| {
            self.0.get_or_insert(problem);
            None
        })
    }
}

/// Returns the data, or the outermost reason why there is none.
fn data<'a>(fields: &Fields<'a>) -> Result<Option<Cow<'a, str>>, RecordProblem> {
    let wrong = |field, found: Value<'_>, expected| RecordProblem::WrongType { field, found: found.kind(), expected };
    let record = fields.value();
    if record.kind() != JsonKind::Object {
        return Err(wrong("the record", record, JsonKind::Object));
    }
    if fields.form == Form::Nested {
        let kinesis = fields.kinesis.ok_or(RecordProblem::Missing { field: "kinesis" })?;
        if kinesis.kind() != JsonKind::Object {
            return Err(wrong("kinesis", kinesis, JsonKind::Object));
        }
    }
    let path = fields.form.path("kinesis.data");
    let data = fields.data.ok_or(RecordProblem::Missing { field: path })?;
    let encoded = fields.encoded.map(Cow::Borrowed).or_else(|| data.string());
    encoded.map(Some).ok_or_else(|| wrong(path, data, JsonKind::String))
}

/// Returns the text of a field that describes the record. Null counts as absent, and a number as its digits.
fn text<'a>(field: &'static str, value: Option<Value<'a>>) -> Result<Option<Cow<'a, str>>, RecordProblem> {
    let Some(value) = value else { return Ok(None) };
    match value.kind() {
        JsonKind::Null => Ok(None),
        JsonKind::String => Ok(value.string()),
        JsonKind::Number => Ok(Some(Cow::Borrowed(value.text()))),
        found => Err(RecordProblem::WrongType { field, found, expected: JsonKind::String }),
    }
}

/// Converts epoch seconds with a fraction, a number or a string, to the nearest millisecond.
fn arrival_ms(field: &'static str, value: Option<Value<'_>>) -> Result<Option<i64>, RecordProblem> {
    let Some(value) = value else { return Ok(None) };
    let seconds = match value.kind() {
        JsonKind::Null => return Ok(None),
        JsonKind::Number => Cow::Borrowed(value.text()),
        JsonKind::String => value.string().unwrap_or_default(),
        found => return Err(RecordProblem::WrongType { field, found, expected: JsonKind::Number }),
    };
    let ms = seconds.parse::<f64>().unwrap_or(f64::NAN) * 1000.0;
    let writable = *WRITABLE_MS.start() as f64..=*WRITABLE_MS.end() as f64;
    if writable.contains(&ms) {
        Ok(Some(ms.round() as i64))
    } else {
        Err(RecordProblem::NotATime { field, found: excerpt(&seconds).into_owned() })
    }
}

/// Splits `shardId-000000000006:4959…` into shard and sequence number.
fn split_event_id(event_id: Option<Cow<'_, str>>) -> (Option<Cow<'_, str>>, Option<Cow<'_, str>>) {
    let Some(id) = event_id else { return (None, None) };
    let Some(colon) = id.find(':') else { return (Some(id), None) };
    (Some(part(&id, 0..colon)), Some(part(&id, colon + 1..id.len())))
}

/// Returns the stream in `arn:aws:kinesis:REGION:ACCOUNT:stream/NAME` or in a consumer's ARN, which continues with
/// `/consumer/NAME:TIME`. Any other text is returned whole.
fn stream_name(arn: Cow<'_, str>) -> Cow<'_, str> {
    const BEFORE: &str = ":stream";
    let slashes = memchr::memchr_iter(b'/', arn.as_bytes());
    let start = slashes.clone().find(|&slash| arn[..slash].ends_with(BEFORE)).map_or(0, |slash| slash + 1);
    let consumer = slashes.skip_while(|&slash| slash < start).find(|&slash| arn[slash..].starts_with("/consumer/"));
    let end = consumer.unwrap_or(arn.len());
    part(&arn, start..end)
}

/// Returns a part of a text. It is borrowed if the text is borrowed.
fn part<'a>(text: &Cow<'a, str>, range: Range<usize>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
    }
}
