//! Writes the event that Lambda sends for a batch of one shard.

use crate::limits::INVOCATION_PAYLOAD_BYTES;

/// The most bytes of an event. A batch ends before the record that would exceed it
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html>).
pub const MAX_EVENT_BYTES: usize = INVOCATION_PAYLOAD_BYTES;

const BEGIN: &str = r#"{"Records":["#;
const END: &str = "]}";

/// The values that all records of an event share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventSource<'a> {
    /// The region of the stream.
    pub region: &'a str,
    /// The ARN of the stream.
    pub arn: &'a str,
    /// The id of the shard.
    pub shard_id: &'a str,
    /// The ARN of the function's execution role.
    pub role_arn: &'a str,
}

/// A record to write into an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewRecord<'a> {
    /// The partition key. Records of streams that distribute records themselves do not have one.
    pub partition_key: Option<&'a str>,
    /// The sequence number in decimal.
    pub sequence_number: &'a str,
    /// The time at which Kinesis accepted the record, in epoch milliseconds.
    pub arrival_ms: u64,
    /// The data as it was put.
    pub data: &'a [u8],
}

/// Writes an event record by record. The order of its keys is AWS's.
///
/// ```
/// use kinesis_event_logger_core::event::{Event, EventSource, EventWriter, NewRecord};
///
/// let source = EventSource {
///     region: "us-east-2",
///     arn: "arn:aws:kinesis:us-east-2:123456789012:stream/orders",
///     shard_id: "shardId-000000000006",
///     role_arn: "arn:aws:iam::123456789012:role/lambda-role",
/// };
/// let mut writer = EventWriter::new(&source, 0);
/// writer.push(&NewRecord { partition_key: Some("1"), sequence_number: "4959", arrival_ms: 1_545_084_650_987, data: b"Hello" });
/// let event = writer.finish();
/// let event = Event::parse(&event)?;
/// let record = event.records().next().unwrap();
/// assert_eq!((record.stream.as_deref(), record.arrival_ms), (Some("orders"), Some(1_545_084_650_987)));
/// # Ok::<_, kinesis_event_logger_core::event::EventError>(())
/// ```
#[derive(Debug, Clone)]
pub struct EventWriter {
    event: Vec<u8>,
    is_empty: bool,
    /// The text between the arrival time and the second sequence number.
    before_id: String,
    /// The text after the second sequence number.
    after_id: String,
}

impl EventSource<'_> {
    /// Returns the bytes that a record adds to an event, including its comma. It never adds more.
    pub fn record_bytes(&self, record: &NewRecord<'_>) -> usize {
        const FIXED: usize = 330;
        FIXED
            + self.shard_id.len()
            + self.role_arn.len()
            + self.region.len()
            + self.arn.len()
            + 2 * record.sequence_number.len()
            + record.partition_key.map_or(0, json_string_bytes)
            + record.data.len().div_ceil(3) * 4
    }
}

impl EventWriter {
    /// Creates an event without records. `record_bytes` is the expected sum of its
    /// [`record_bytes`](EventSource::record_bytes).
    pub fn new(source: &EventSource<'_>, record_bytes: usize) -> Self {
        let mut event = Vec::with_capacity(BEGIN.len() + record_bytes + END.len());
        event.extend_from_slice(BEGIN.as_bytes());
        let EventSource { region, arn, shard_id, role_arn } = source;
        let before_id = format!(r#"}},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"{shard_id}:"#);
        let after_id = format!(
            r#"","eventName":"aws:kinesis:record","invokeIdentityArn":"{role_arn}","awsRegion":"{region}","eventSourceARN":"{arn}"}}"#
        );
        Self { event, is_empty: true, before_id, after_id }
    }

    /// Appends a record.
    pub fn push(&mut self, record: &NewRecord<'_>) {
        let event = &mut self.event;
        if !std::mem::take(&mut self.is_empty) {
            event.push(b',');
        }
        event.extend_from_slice(br#"{"kinesis":{"kinesisSchemaVersion":"1.0""#);
        if let Some(partition_key) = record.partition_key {
            event.extend_from_slice(br#","partitionKey":"#);
            push_json_string(event, partition_key);
        }
        event.extend_from_slice(br#","sequenceNumber":""#);
        event.extend_from_slice(record.sequence_number.as_bytes());
        event.extend_from_slice(br#"","data":""#);
        base64_simd::STANDARD.encode_append(record.data, event);
        event.extend_from_slice(br#"","approximateArrivalTimestamp":"#);
        event.extend_from_slice(epoch_seconds(record.arrival_ms).as_bytes());
        event.extend_from_slice(self.before_id.as_bytes());
        event.extend_from_slice(record.sequence_number.as_bytes());
        event.extend_from_slice(self.after_id.as_bytes());
    }

    /// Returns the event.
    pub fn finish(mut self) -> Vec<u8> {
        self.event.extend_from_slice(END.as_bytes());
        self.event
    }
}

/// Returns milliseconds as seconds, with as many digits of the fraction as are needed.
pub fn epoch_seconds(milliseconds: u64) -> String {
    (milliseconds as f64 / 1000.0).to_string()
}

/// Whether a text is the same in JSON, except for the quotes.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
}

fn push_json_string(json: &mut Vec<u8>, text: &str) {
    if is_plain(text) {
        json.push(b'"');
        json.extend_from_slice(text.as_bytes());
        json.push(b'"');
    } else {
        json.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    }
}

fn json_string_bytes(text: &str) -> usize {
    if is_plain(text) { text.len() + 2 } else { serde_json::Value::from(text).to_string().len() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::Decoder;
    use crate::event::Event;

    const SOURCE: EventSource<'static> = EventSource {
        region: "us-east-2",
        arn: "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
        shard_id: "shardId-000000000006",
        role_arn: "arn:aws:iam::123456789012:role/lambda-role",
    };
    const SEQUENCE_NUMBER: &str = "49590338271490256608559692538361571095921575989136588898";

    fn record<'a>(partition_key: &'a str, data: &'a [u8]) -> NewRecord<'a> {
        NewRecord {
            partition_key: Some(partition_key),
            sequence_number: SEQUENCE_NUMBER,
            arrival_ms: 1_545_084_650_987,
            data,
        }
    }

    fn event(records: &[NewRecord<'_>]) -> Vec<u8> {
        let mut writer = EventWriter::new(&SOURCE, 0);
        records.iter().for_each(|record| writer.push(record));
        writer.finish()
    }

    #[test]
    fn an_event_is_awss_byte_for_byte() {
        let expected = r#"{"Records":[{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"1","sequenceNumber":"49590338271490256608559692538361571095921575989136588898","data":"SGVsbG8=","approximateArrivalTimestamp":1545084650.987},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000006:49590338271490256608559692538361571095921575989136588898","eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::123456789012:role/lambda-role","awsRegion":"us-east-2","eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"}]}"#;
        assert_eq!(String::from_utf8(event(&[record("1", b"Hello")])).unwrap(), expected);
        assert_eq!(event(&[]), br#"{"Records":[]}"#);
    }

    proptest! {
        #[test]
        fn an_event_is_read_as_it_was_written(
            records in prop::collection::vec((any::<Option<String>>(), prop::collection::vec(any::<u8>(), 0..50), 0..9_999_999_999_999_u64), 0..5)
        ) {
            let records: Vec<_> = records.iter().map(|(partition_key, data, arrival_ms)| NewRecord {
                partition_key: partition_key.as_deref(),
                sequence_number: SEQUENCE_NUMBER,
                arrival_ms: *arrival_ms,
                data,
            }).collect();
            let written = event(&records);
            let size: usize = records.iter().map(|record| SOURCE.record_bytes(record)).sum();
            prop_assert!(written.len() <= BEGIN.len() + END.len() + size);
            let parsed = Event::parse(&written).unwrap();
            for (read, record) in parsed.records().zip(&records) {
                prop_assert_eq!(&read.problem, &None);
                prop_assert_eq!(read.partition_key.as_deref(), record.partition_key);
                prop_assert_eq!(read.arrival_ms, Some(record.arrival_ms.cast_signed()));
                let mut count = 0;
                let _ = Decoder::new().decode(&read, |_| { count += 1; Ok::<_, std::convert::Infallible>(()) });
                prop_assert!(count > 0);
            }
            prop_assert_eq!(parsed.records().len(), records.len());
        }
    }
}
