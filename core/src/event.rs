//! Reads and writes the event that Lambda sends for a Kinesis batch.
//!
//! ```
//! use kinesis_event_logger_core::Event;
//!
//! let event = Event::parse(r#"{"Records":[{"kinesis":{"partitionKey":"user-1","data":"SGVsbG8="}}, {"kinesis":{}}]}"#)?;
//! let records: Vec<_> = event.records().collect();
//! assert_eq!(records[0].partition_key.as_deref(), Some("user-1"));
//! assert_eq!(records[1].problem.as_ref().unwrap().to_string(), "kinesis.data is missing");
//! # Ok::<_, kinesis_event_logger_core::event::EventError>(())
//! ```
//!
//! Records borrow from the event's bytes. A problem with one record does not affect the others.
//!
//! The format is <https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html>. EventBridge Pipes sends a plain array of
//! records instead, each without the object `kinesis` around its fields:
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-kinesis.html>. Other fields (a tumbling window's
//! `window` and `state`, `encryptionType`, any future field) may have any value. If a record has duplicate keys, the last
//! counts, as in most JSON parsers. If there are several `Records`, the first counts.

mod error;
mod record;
mod template;
mod writer;

use crate::json::Reader;

use error::{error_of, foreign_source};
use record::{Fields, Form};
use template::Template;

pub use crate::json::JsonKind;
pub use error::EventError;
pub use record::{EventRecord, RecordProblem};
pub use writer::{EventSource, EventWriter, MAX_EVENT_BYTES, NewRecord, epoch_seconds};

/// A Kinesis event, as Lambda or EventBridge Pipes sends it.
///
/// [`parse`](Self::parse) reads the event once, validates that it is JSON, and finds each record's fields.
/// [`records`](Self::records) interprets the fields.
///
/// ```
/// use kinesis_event_logger_core::Event;
///
/// let event = Event::parse(
///     r#"{"Records":[{"kinesis":{"partitionKey":"1","sequenceNumber":"49590338271490256608559692538361571095921575989136588898",
///     "data":"SGVsbG8=","approximateArrivalTimestamp":1545084650.987},"eventSource":"aws:kinesis",
///     "eventID":"shardId-000000000006:49590338271490256608559692538361571095921575989136588898",
///     "eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"}, null]}"#,
/// )?;
/// let records: Vec<_> = event.records().collect();
/// assert_eq!(records[0].stream.as_deref(), Some("lambda-stream"));
/// assert_eq!(records[0].arrival_ms, Some(1_545_084_650_987));
/// assert_eq!(records[1].problem.as_ref().unwrap().to_string(), "the record is null, not an object");
/// # Ok::<_, kinesis_event_logger_core::event::EventError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Event<'a> {
    records: Vec<Fields<'a>>,
    has_window: bool,
}

impl<'a> Event<'a> {
    /// Parses an event from its bytes.
    ///
    /// # Errors
    /// Returns an [`EventError`] if this is not a Kinesis event. A problem with a record is not an error here.
    pub fn parse<B: AsRef<[u8]> + ?Sized>(event: &'a B) -> Result<Self, EventError> {
        let text = simdutf8::compat::from_utf8(event.as_ref())
            .map_err(|error| EventError::NotUtf8 { byte: error.valid_up_to() })?;
        let event = read(text).ok_or_else(|| error_of(text))?;
        match foreign_source(&event.records) {
            Some(event_source) => Err(EventError::OtherSource { event_source }),
            None => Ok(event),
        }
    }

    /// Whether the batch belongs to a tumbling window, whose `state` Lambda then expects in the function's response
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html>).
    pub fn has_window(&self) -> bool {
        self.has_window
    }

    /// Returns every record in order, including those with a problem.
    pub fn records(&self) -> impl ExactSizeIterator<Item = EventRecord<'a>> + use<'a, '_> {
        self.records.iter().map(EventRecord::new)
    }
}

/// Reads an event. Returns `None` if the text is not JSON, or is neither an object with an array `Records` nor an array of
/// records.
fn read(text: &str) -> Option<Event<'_>> {
    let mut reader = Reader::new(text);
    let event = match reader.kind()? {
        JsonKind::Array => {
            let records = elements(&mut reader, Form::Flat)?;
            records.iter().any(Fields::has_source).then_some(Event { records, has_window: false })
        }
        _ => object(&mut reader)?,
    };
    event.filter(|_| reader.is_at_end())
}

/// Reads an object that has an array `Records`. The inner value is `None` if it has none.
fn object<'a>(reader: &mut Reader<'a>) -> Option<Option<Event<'a>>> {
    let (mut records, mut has_window) = (None, false);
    reader.enter(JsonKind::Object)?;
    let mut first = true;
    while reader.more(JsonKind::Object, first)? {
        first = false;
        let key = reader.key()?;
        has_window |= key == "window";
        if key == "Records" && records.is_none() {
            records = Some(elements(reader, Form::Nested)?);
        } else {
            reader.value()?;
        }
    }
    Some(records.map(|records| Event { records, has_window }))
}

fn elements<'a>(reader: &mut Reader<'a>, form: Form) -> Option<Vec<Fields<'a>>> {
    let mut elements = Vec::new();
    let mut template: Option<Template<'a>> = None;
    reader.enter(JsonKind::Array)?;
    while reader.more(JsonKind::Array, elements.is_empty())? {
        let kind = reader.kind()?;
        let text = reader.rest();
        let fields = match template.as_ref().and_then(|template| template.read(text)) {
            Some(fields) => {
                reader.skip(fields.raw.len());
                fields
            }
            None => {
                let fields = Fields::read(reader, form)?;
                // Only an object has an end of its own: the number 1 may be the beginning of another number.
                template = (kind == JsonKind::Object).then(|| Template::new(fields.clone(), text));
                fields
            }
        };
        elements.push(fields);
    }
    Some(elements)
}

#[cfg(test)]
mod tests;
