//! CloudWatch Logs subscriptions: an envelope of log events
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html>).
//!
//! Each log event becomes one record. Its data is the event's message, or the event itself if it has no message.
//!
//! ```
//! use kinesis_event_logger_core::shape::cloudwatch_logs::Envelope;
//!
//! let json = r#"{"messageType":"DATA_MESSAGE","logGroup":"/app","logEvents":[{"id":"1","timestamp":1545084650987,"message":"ready"}]}"#;
//! let envelope = Envelope::read(json).unwrap();
//! let event = envelope.log_events().next().unwrap();
//! assert_eq!((envelope.log_group.as_deref(), event.message.as_deref()), (Some("/app"), Ok("ready")));
//! ```

use std::borrow::Cow;

use super::{EachPart, Field, FieldValue, Origin, Part, Shape};
use crate::decode::classify;
use crate::json::{JsonKind, Value};
use crate::timestamp::WRITABLE_MS;

pub(super) const SHAPE: Shape = Shape {
    name: "cloudwatch_logs",
    marker: "logEvents",
    fields: &["owner", "logGroup", "logStream", "logEventId", "logEventTime"],
    read: read_parts,
    redaction_roots: &[],
};

fn read_parts(json: &str, each: &mut EachPart<'_>) -> bool {
    let Some(envelope) = Envelope::read(json) else { return false };
    for (index, event) in envelope.log_events().enumerate() {
        let index = index.to_string();
        let event_path = ["logEvents", &index];
        let id_path = ["logEvents", &index, "id"];
        let timestamp_path = ["logEvents", &index, "timestamp"];
        let message_path = ["logEvents", &index, "message"];
        let fields = [
            Field::text("owner", envelope.owner.as_deref(), &["owner"]),
            Field::text("logGroup", envelope.log_group.as_deref(), &["logGroup"]),
            Field::text("logStream", envelope.log_stream.as_deref(), &["logStream"]),
            Field::text("logEventId", event.id.as_deref(), &id_path),
            Field { name: "logEventTime", value: event.timestamp_ms.map(FieldValue::Time), path: &timestamp_path },
        ];
        let origin = Origin { shape: SHAPE.name, fields: &fields, data_paths: &[&event_path[..], &message_path[..]] };
        let (data, error) = match &event.message {
            Ok(message) => (message.as_ref(), None),
            Err(event) => (*event, Some("the log event has no message")),
        };
        if each(Part { origin, data: classify(data.as_bytes()), error }).is_break() {
            break;
        }
    }
    true
}

/// An envelope with at least one log event.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Envelope<'a> {
    /// The account that owns the log group.
    pub owner: Option<Cow<'a, str>>,
    /// The log group.
    pub log_group: Option<Cow<'a, str>>,
    /// The log stream.
    pub log_stream: Option<Cow<'a, str>>,
    log_events: Value<'a>,
}

/// One log event.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogEvent<'a> {
    /// The event's id.
    pub id: Option<Cow<'a, str>>,
    /// The event's time, in epoch milliseconds.
    pub timestamp_ms: Option<i64>,
    /// The message, or the event's JSON if it has no message.
    pub message: Result<Cow<'a, str>, &'a str>,
}

impl<'a> Envelope<'a> {
    /// Reads an envelope from valid JSON. Returns `None` if the JSON is not an envelope or has no log event.
    pub fn read(json: &'a str) -> Option<Self> {
        let (mut message_type, mut log_events) = (None, None);
        let (mut owner, mut log_group, mut log_stream) = (None, None, None);
        for (key, value) in Value::new(json).members() {
            match key.as_ref() {
                "messageType" => message_type = value.string(),
                "owner" => owner = value.string(),
                "logGroup" => log_group = value.string(),
                "logStream" => log_stream = value.string(),
                "logEvents" => log_events = Some(value),
                _ => {}
            }
        }
        let log_events = log_events.filter(|events| events.elements().next().is_some())?;
        matches!(message_type?.as_ref(), "DATA_MESSAGE" | "CONTROL_MESSAGE").then_some(())?;
        Some(Self { owner, log_group, log_stream, log_events })
    }

    /// Returns the log events in order, including those that lack a part.
    pub fn log_events(&self) -> impl Iterator<Item = LogEvent<'a>> + use<'a> {
        self.log_events.elements().map(LogEvent::read)
    }
}

impl<'a> LogEvent<'a> {
    fn read(event: Value<'a>) -> Self {
        let mut read = Self { id: None, timestamp_ms: None, message: Err(event.text()) };
        for (key, value) in event.members() {
            match key.as_ref() {
                "id" => read.id = value.string(),
                "timestamp" if value.kind() == JsonKind::Number => {
                    read.timestamp_ms = value.text().parse().ok().filter(|ms| WRITABLE_MS.contains(ms));
                }
                "message" => read.message = value.string().ok_or_else(|| event.text()),
                _ => {}
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_contains_each_of_its_log_events() {
        let json = r#"{"messageType":"DATA_MESSAGE","owner":"123456789012","logGroup":"g","logStream":"s","subscriptionFilters":["f"],
            "logEvents":[{"id":"1","timestamp":1545084650987,"message":"one\ntwo"},{"id":2,"message":7},null]}"#;
        let envelope = Envelope::read(json).unwrap();
        assert_eq!(envelope.owner.as_deref(), Some("123456789012"));
        assert_eq!((envelope.log_group.as_deref(), envelope.log_stream.as_deref()), (Some("g"), Some("s")));
        let events: Vec<_> = envelope.log_events().collect();
        assert_eq!((events[0].id.as_deref(), events[0].timestamp_ms), (Some("1"), Some(1_545_084_650_987)));
        assert_eq!(events[0].message.as_deref(), Ok("one\ntwo"));
        assert_eq!(events[1].message, Err(r#"{"id":2,"message":7}"#));
        assert_eq!(events[2].message, Err("null"));
    }

    #[test]
    fn each_log_event_becomes_a_record_with_its_own_paths() {
        let json = r#"{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1","message":"a"},{"id":"2","message":"b"}]}"#;
        let mut seen = Vec::new();
        assert!(read_parts(json, &mut |part| {
            let id = part.origin.fields.iter().find(|field| field.name == "logEventId").unwrap();
            seen.push((
                part.origin.text("logEventId").map(str::to_owned),
                id.path.join("/"),
                part.origin.data_paths[1].join("/"),
            ));
            std::ops::ControlFlow::Continue(())
        }));
        let expected = |id: &str, index: usize| {
            (Some(id.to_owned()), format!("logEvents/{index}/id"), format!("logEvents/{index}/message"))
        };
        assert_eq!(seen, [expected("1", 0), expected("2", 1)]);
    }
}
