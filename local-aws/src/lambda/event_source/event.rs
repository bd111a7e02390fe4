//! The event that a function receives for a batch. It is written into one buffer: base64, decimal sequence numbers and
//! fractional seconds exist only here.

use bytes::Bytes;

use super::record::Record;
use super::window::Window;
use crate::kinesis::{RecordRef, SequenceText, ShardSequence};

/// The most bytes of an event. A batch ends before the record that would exceed it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html>
pub const MAX_EVENT_BYTES: usize = kinesis_event_logger_core::limits::INVOCATION_PAYLOAD_BYTES;

const BEGIN: &str = r#"{"Records":["#;
const END: &str = "]}";

/// The values that all records of an event share.
pub struct EventFields<'a> {
    pub region: &'a str,
    pub event_source_arn: &'a str,
    pub shard_id: &'a str,
    pub sequence: ShardSequence,
    /// The function's execution role.
    pub role_arn: &'a str,
}

impl EventFields<'_> {
    /// The event of these records. The order of keys is AWS's.
    pub fn event(&self, records: &[Record]) -> Bytes {
        self.bytes(records).into()
    }

    /// The event of these records in a tumbling window.
    pub fn window_event(&self, records: &[Record], window: &Window, is_final: bool) -> Bytes {
        let mut event = self.bytes(records);
        event.pop();
        event.extend_from_slice(window.members(self.shard_id, self.event_source_arn, is_final).as_bytes());
        event.push(b'}');
        event.into()
    }

    /// The sequence number of a record, in decimal.
    pub fn sequence_number(&self, record: RecordRef<'_>) -> SequenceText {
        self.sequence.number(record.counter, record.arrival / 1000)
    }

    fn bytes(&self, records: &[Record]) -> Vec<u8> {
        let size: usize = records.iter().map(|record| self.size(record.as_ref())).sum();
        let mut event = Vec::with_capacity(BEGIN.len() + size + END.len());
        event.extend_from_slice(BEGIN.as_bytes());
        let begin_id = format!(r#"}},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"{}:"#, self.shard_id);
        let after_id = format!(
            r#"","eventName":"aws:kinesis:record","invokeIdentityArn":"{}","awsRegion":"{}","eventSourceARN":"{}"}}"#,
            self.role_arn, self.region, self.event_source_arn
        );
        for (index, record) in records.iter().enumerate() {
            if index > 0 {
                event.push(b',');
            }
            self.write(&mut event, record.as_ref(), &begin_id, &after_id);
        }
        event.extend_from_slice(END.as_bytes());
        event
    }

    /// Writes one record. `begin_id` and `after_id` are the text around the second sequence number.
    fn write(&self, event: &mut Vec<u8>, record: RecordRef<'_>, begin_id: &str, after_id: &str) {
        let number = self.sequence_number(record);
        event.extend_from_slice(br#"{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"#);
        write_json_string(event, record.partition_key);
        event.extend_from_slice(br#","sequenceNumber":""#);
        event.extend_from_slice(number.as_str().as_bytes());
        event.extend_from_slice(br#"","data":""#);
        base64_simd::STANDARD.encode_append(record.data, event);
        event.extend_from_slice(br#"","approximateArrivalTimestamp":"#);
        event.extend_from_slice(seconds(record.arrival).as_bytes());
        event.extend_from_slice(begin_id.as_bytes());
        event.extend_from_slice(number.as_str().as_bytes());
        event.extend_from_slice(after_id.as_bytes());
    }

    /// The bytes that a record needs in an event, with its comma. Never too low.
    pub fn size(&self, record: RecordRef<'_>) -> usize {
        const FIXED: usize = 330;
        const SEQUENCE_NUMBER: usize = 56;
        FIXED
            + self.shard_id.len()
            + self.role_arn.len()
            + self.region.len()
            + self.event_source_arn.len()
            + 2 * SEQUENCE_NUMBER
            + json_string_length(record.partition_key)
            + record.data.len().div_ceil(3) * 4
    }
}

/// Formats milliseconds as seconds, with only the digits of the fraction that are needed.
pub fn seconds(milliseconds: u64) -> String {
    (milliseconds as f64 / 1000.0).to_string()
}

/// Whether a text needs no escapes in JSON.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
}

fn write_json_string(json: &mut Vec<u8>, text: &str) {
    if is_plain(text) {
        json.push(b'"');
        json.extend_from_slice(text.as_bytes());
        json.push(b'"');
    } else {
        json.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    }
}

fn json_string_length(text: &str) -> usize {
    if is_plain(text) { text.len() + 2 } else { serde_json::Value::from(text).to_string().len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: EventFields<'static> = EventFields {
        region: "us-east-2",
        event_source_arn: "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
        shard_id: "shardId-000000000006",
        sequence: ShardSequence { created_seconds: 1_542_776_258, index: 6 },
        role_arn: "arn:aws:iam::123456789012:role/lambda-role",
    };

    fn record(partition_key: &str, data: &[u8]) -> Record {
        Record::new(RecordRef { counter: 1_734_642_199, arrival: 1_545_084_650_987, partition_key, data })
    }

    #[test]
    fn an_event_is_awss_byte_for_byte() {
        let expected = r#"{"Records":[{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"1","sequenceNumber":"49590338271490256608559692538361571095921575989136588898","data":"SGVsbG8=","approximateArrivalTimestamp":1545084650.987},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000006:49590338271490256608559692538361571095921575989136588898","eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::123456789012:role/lambda-role","awsRegion":"us-east-2","eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"}]}"#;
        assert_eq!(FIELDS.event(&[record("1", b"Hello")]), expected);
    }

    #[test]
    fn a_window_event_has_the_members_of_the_window_beside_the_records() {
        let window = Window::new(0, 60_000).with_state_of(br#"{"state":{"n":1}}"#).unwrap();
        for records in [&[][..], &[record("1", b"Hello")]] {
            let event: serde_json::Value =
                serde_json::from_slice(&FIELDS.window_event(records, &window, records.is_empty())).unwrap();
            assert_eq!(event["Records"].as_array().unwrap().len(), records.len());
            assert_eq!((&event["state"]["n"], &event["shardId"]), (&1.into(), &FIELDS.shard_id.into()));
            assert_eq!(event["isFinalInvokeForWindow"], records.is_empty());
        }
    }

    #[test]
    fn any_partition_key_makes_valid_json() {
        let keys = ["\"\\\n\u{0}", "ü\u{2028}", "plain", "\u{7f}"];
        let records: Vec<Record> = keys.iter().map(|key| record(key, b"")).collect();
        let event: serde_json::Value = serde_json::from_slice(&FIELDS.event(&records)).unwrap();
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(event["Records"][index]["kinesis"]["partitionKey"], *key);
        }
    }

    #[test]
    fn the_size_is_never_less_than_what_is_written() {
        let records = [record("1", b"Hello"), record("\u{1}key", &[0; 751])];
        let size: usize = records.iter().map(|record| FIELDS.size(record.as_ref())).sum();
        let written = FIELDS.event(&records).len();
        assert!(written <= BEGIN.len() + END.len() + size && written + 100 > size, "{written} of {size}");
    }
}
