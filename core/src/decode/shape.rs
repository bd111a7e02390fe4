//! What decoded bytes are: a name for each shape that travels in Kinesis records.

use std::borrow::Cow;

use crate::json::{self, JsonKind, Value};
use crate::record::{Change, LogEvent};
use crate::timestamp::WRITABLE_MS;

use super::Payload;

/// What a record's bytes are. Whatever they are, [`Shape::of`] finds exactly one of these.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Shape<'a> {
    /// Log events that a CloudWatch Logs subscription sent; there is at least one.
    LogEvents(Envelope<'a>),
    /// A change of a DynamoDB table.
    Change(&'a str, Change<'a>),
    /// Anything else.
    Other(Payload<'a>),
}

/// What a CloudWatch Logs subscription puts around log events
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html>).
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope<'a> {
    owner: Option<Cow<'a, str>>,
    log_group: Option<Cow<'a, str>>,
    log_stream: Option<Cow<'a, str>>,
    log_events: Value<'a>,
}

/// One log event and its message. What has no message is shown as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvelopeEvent<'a> {
    index: usize,
    id: Option<Cow<'a, str>>,
    timestamp_ms: Option<i64>,
    /// The message.
    pub message: Result<Cow<'a, str>, &'a str>,
}

impl<'a> Shape<'a> {
    /// Tells what bytes are.
    ///
    /// ```
    /// use kinesis_event_logger_core::{Payload, Shape};
    ///
    /// let change = br#"{"tableName":"orders","eventName":"INSERT","dynamodb":{"Keys":{"id":{"S":"7"}}}}"#;
    /// let Shape::Change(_, change) = Shape::of(change) else { panic!() };
    /// assert_eq!((change.table.as_deref(), change.keys), (Some("orders"), Some(r#"{"id":{"S":"7"}}"#)));
    /// assert_eq!(Shape::of(b"hello"), Shape::Other(Payload::Text("hello")));
    /// ```
    pub fn of(bytes: &'a [u8]) -> Self {
        match payload(bytes) {
            (Payload::Json(text), json::Container { log_events: true, .. })
                if let Some(envelope) = Envelope::read(text) =>
            {
                Self::LogEvents(envelope)
            }
            (Payload::Json(text), json::Container { dynamodb: true, .. }) if let Some(change) = read_change(text) => {
                Self::Change(text, change)
            }
            (other, _) => Self::Other(other),
        }
    }
}

/// What bytes are by their syntax, and what was seen of JSON on the way.
pub(super) fn payload(bytes: &[u8]) -> (Payload<'_>, json::Container) {
    let payload = match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => {
            let (_, json) = json::split_mark(text);
            match json::container(json) {
                Some(seen) => return (Payload::Json(json), seen),
                None => Payload::Text(text),
            }
        }
        Err(_) if is_cbor(bytes) => Payload::Cbor(bytes),
        Err(_) => Payload::Binary(bytes),
    };
    (payload, json::Container::default())
}

/// Whether bytes are one map or array, perhaps tagged. Single numbers and strings would make CBOR of almost anything.
fn is_cbor(bytes: &[u8]) -> bool {
    const SELF_DESCRIBED: [u8; 3] = [0xD9, 0xD9, 0xF7];
    let item = bytes.strip_prefix(&SELF_DESCRIBED).unwrap_or(bytes);
    let mut decoder = minicbor::Decoder::new(item);
    matches!(item, [0x80..=0xBF, _, ..]) && decoder.skip().is_ok() && decoder.position() == item.len()
}

impl<'a> Envelope<'a> {
    /// Reads an envelope from valid JSON; `None` if it is none, or has no log event that could be a line.
    fn read(text: &'a str) -> Option<Self> {
        let (mut message_type, mut log_events) = (None, None);
        let (mut owner, mut log_group, mut log_stream) = (None, None, None);
        for (key, value) in Value::new(text).members() {
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

    /// The log events in order. Each is given, whatever is wrong with it.
    pub fn events(&self) -> impl Iterator<Item = EnvelopeEvent<'a>> + use<'a> {
        self.log_events.elements().enumerate().map(|(index, event)| EnvelopeEvent::read(index, event))
    }

    /// Where one of its log events was written.
    pub fn place<'e>(&'e self, event: &'e EnvelopeEvent<'_>) -> LogEvent<'e> {
        LogEvent {
            owner: self.owner.as_deref(),
            log_group: self.log_group.as_deref(),
            log_stream: self.log_stream.as_deref(),
            index: event.index,
            id: event.id.as_deref(),
            timestamp_ms: event.timestamp_ms,
        }
    }
}

impl<'a> EnvelopeEvent<'a> {
    fn read(index: usize, event: Value<'a>) -> Self {
        let mut read = Self { index, id: None, timestamp_ms: None, message: Err(event.text()) };
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

/// Reads a change from valid JSON; `None` if it is none
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds_gettingstarted.html>).
fn read_change(text: &str) -> Option<Change<'_>> {
    let (mut change, mut dynamodb) = (Change::default(), None);
    for (key, value) in Value::new(text).members() {
        match key.as_ref() {
            "tableName" => change.table = value.string(),
            "eventName" => change.operation = value.string(),
            "dynamodb" => dynamodb = Some(value),
            _ => {}
        }
    }
    for (key, value) in dynamodb?.members() {
        let image = (value.kind() == JsonKind::Object).then(|| value.text());
        match key.as_ref() {
            "Keys" => change.keys = image,
            "NewImage" => change.new_image = image,
            "OldImage" => change.old_image = image,
            _ => {}
        }
    }
    (change.operation.is_some() && change.keys.is_some()).then_some(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_gives_each_of_its_events() {
        let text = r#"{"messageType":"DATA_MESSAGE","owner":"123456789012","logGroup":"g","logStream":"s","subscriptionFilters":["f"],
            "logEvents":[{"id":"1","timestamp":1545084650987,"message":"one\ntwo"},{"id":2,"message":7},null]}"#;
        let Shape::LogEvents(envelope) = Shape::of(text.as_bytes()) else { panic!("no envelope") };
        let events: Vec<_> = envelope.events().collect();
        assert_eq!(
            envelope.place(&events[0]),
            LogEvent {
                owner: Some("123456789012"),
                log_group: Some("g"),
                log_stream: Some("s"),
                index: 0,
                id: Some("1"),
                timestamp_ms: Some(1_545_084_650_987)
            }
        );
        assert_eq!(events[0].message.as_deref(), Ok("one\ntwo"));
        assert_eq!(events[1].message, Err(r#"{"id":2,"message":7}"#));
        assert_eq!(events[2].message, Err("null"));
    }

    #[test]
    fn what_is_almost_an_envelope_or_a_change_is_json() {
        for text in [
            r#"{"messageType":"DATA_MESSAGE","logEvents":[]}"#,
            r#"{"messageType":"OTHER","logEvents":[{"message":"x"}]}"#,
            r#"{"logEvents":[{"message":"x"}]}"#,
            r#"{"messageType":"DATA_MESSAGE","logEvents":{"message":"x"}}"#,
            r#"{"a":{"messageType":"DATA_MESSAGE","logEvents":[{"message":"x"}]}}"#,
            r#"[{"messageType":"DATA_MESSAGE"},"logEvents",[{"message":"x"}]]"#,
            r#"{"eventName":"INSERT","dynamodb":{}}"#,
            r#"{"eventName":"INSERT","dynamodb":7}"#,
            r#"{"dynamodb":{"Keys":{}}}"#,
        ] {
            assert_eq!(Shape::of(text.as_bytes()), Shape::Other(Payload::Json(text)), "{text}");
        }
    }

    #[test]
    fn a_change_is_read_by_its_parts() {
        // As DynamoDB's guide shows it, without what every record has.
        let text = r#"{"awsRegion":"us-east-1","eventID":"f","eventName":"MODIFY","userIdentity":null,"recordFormat":"application/json",
            "tableName":"Music","dynamodb":{"ApproximateCreationDateTime":1640276115947,"Keys":{"Artist":{"S":"a"}},
            "NewImage":{"Artist":{"S":"a"},"n":{"N":"1"}},"OldImage":{"Artist":{"S":"a"}},"SizeBytes":119},"eventSource":"aws:dynamodb"}"#;
        let Shape::Change(whole, change) = Shape::of(text.as_bytes()) else { panic!("no change") };
        assert_eq!(whole, text);
        assert_eq!((change.table.as_deref(), change.operation.as_deref()), (Some("Music"), Some("MODIFY")));
        assert_eq!((change.keys, change.old_image), (Some(r#"{"Artist":{"S":"a"}}"#), Some(r#"{"Artist":{"S":"a"}}"#)));
        assert_eq!(change.new_image, Some(r#"{"Artist":{"S":"a"},"n":{"N":"1"}}"#));
    }

    #[test]
    fn cbor_is_one_whole_map_or_array() {
        let cbor = |bytes: &[u8]| Shape::of(bytes) == Shape::Other(Payload::Cbor(bytes));
        // {"a": 1}, [_ 1, [2]], self-described {"a": h'ff'} (RFC 8949, appendix A and section 3.4.6).
        assert!(cbor(b"\xa1\x61a\x01"));
        assert!(cbor(b"\x9f\x01\x81\x02\xff"));
        assert!(cbor(b"\xd9\xd9\xf7\xa1\x61a\x41\xff"));
        for binary in
            [&b"\xff"[..], b"\x80", b"\xa1\x61a", b"\xa1\x61a\x01\x00", b"\x9f\x01", b"\x41\xff", b"\xf9\x3c\x00"]
        {
            assert_eq!(Shape::of(binary), Shape::Other(Payload::Binary(binary)));
        }
    }
}
