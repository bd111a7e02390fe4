//! The event Lambda sends for a Kinesis batch, borrowed from its bytes and read leniently, record by record.
//!
//! Shape: <https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html>. EventBridge Pipes sends a plain array of records
//! instead, each without the object `kinesis` around its fields:
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-kinesis.html>. Fields that are not read here (a tumbling
//! window's `window` and `state`, `encryptionType`, whatever the future adds) may hold anything. Of duplicate keys in a
//! record the last counts, as in most JSON readers; of more than one `Records` the first, so that what follows it need
//! not be read.

mod layout;
mod refusal;
mod source_record;

use crate::json::{JsonKind, Reader};

use layout::Layout;
use refusal::{foreign_source, refusal};
use source_record::{Fields, Form};

pub use refusal::EventError;
pub use source_record::{Problem, SourceRecord};

/// A Kinesis event, as Lambda or EventBridge Pipes sends it. Making one reads it once, from end to end: it is JSON, and where each record's fields are is known. They
/// are judged when the record's turn comes.
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
/// # Ok::<_, kinesis_event_logger_core::EventError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Event<'a> {
    records: Vec<Fields<'a>>,
}

impl<'a> Event<'a> {
    /// Reads an event from its bytes.
    ///
    /// # Errors
    /// [`EventError`] when this is not a Kinesis event, saying what it is. Nothing in one record is an error here.
    pub fn parse<B: AsRef<[u8]> + ?Sized>(event: &'a B) -> Result<Self, EventError> {
        let text = simdutf8::compat::from_utf8(event.as_ref())
            .map_err(|error| EventError::NotUtf8 { byte: error.valid_up_to() })?;
        let records = match records(text) {
            Some(records) => records,
            None => return Err(refusal(text)),
        };
        match foreign_source(&records) {
            Some(event_source) => Err(EventError::OtherSource { event_source }),
            None => Ok(Self { records }),
        }
    }

    /// The records in order. Each is yielded, whatever is wrong with it.
    pub fn records(&self) -> impl ExactSizeIterator<Item = SourceRecord<'a>> + use<'a, '_> {
        self.records.iter().map(SourceRecord::new)
    }
}

/// The records of an event; `None` if it is neither an object with a list `Records` nor a list of records, or not JSON.
fn records(text: &str) -> Option<Vec<Fields<'_>>> {
    let mut reader = Reader::new(text);
    let records = match reader.kind()? {
        JsonKind::Array => {
            Some(elements(&mut reader, Form::Flat)?).filter(|records| records.iter().any(Fields::has_source))
        }
        _ => member_records(&mut reader)?,
    };
    records.filter(|_| reader.is_at_the_end())
}

/// The list `Records` of the object that comes next, if there is one.
fn member_records<'a>(reader: &mut Reader<'a>) -> Option<Option<Vec<Fields<'a>>>> {
    let mut records = None;
    reader.enter(JsonKind::Object)?;
    let mut first = true;
    while reader.more(JsonKind::Object, first)? {
        first = false;
        if reader.key()? == "Records" && records.is_none() {
            records = Some(elements(reader, Form::Nested)?);
        } else {
            reader.value()?;
        }
    }
    Some(records)
}

fn elements<'a>(reader: &mut Reader<'a>, form: Form) -> Option<Vec<Fields<'a>>> {
    let mut elements = Vec::new();
    let mut layout: Option<Layout<'a>> = None;
    reader.enter(JsonKind::Array)?;
    while reader.more(JsonKind::Array, elements.is_empty())? {
        let kind = reader.kind()?;
        let text = reader.ahead();
        let fields = match layout.as_ref().and_then(|layout| layout.read(text)) {
            Some(fields) => {
                reader.pass(fields.raw.len());
                fields
            }
            None => {
                let fields = Fields::read(reader, form)?;
                // Only an object tells where it ends: the number 1 is the beginning of another.
                layout = (kind == JsonKind::Object).then(|| Layout::of(fields.clone(), text));
                fields
            }
        };
        elements.push(fields);
    }
    Some(elements)
}

#[cfg(test)]
mod tests;
