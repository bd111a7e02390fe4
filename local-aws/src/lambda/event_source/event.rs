//! The event a function gets for a batch, written straight into one buffer: the data stays the base64 it is stored as.

use bytes::Bytes;

use super::window::Window;
use crate::kinesis::Record;

/// Bytes of an event. A batch ends before the record that would exceed it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html>
pub const MAX_EVENT_BYTES: usize = kinesis_event_logger_core::limits::INVOCATION_PAYLOAD_BYTES;

const ENVELOPE: &str = r#"{"Records":[]}"#;

/// What all records of a batch have in common.
pub struct Source<'a> {
    pub region: &'a str,
    pub event_source_arn: &'a str,
    pub shard_id: &'a str,
    /// The function's execution role.
    pub role_arn: &'a str,
}

impl Source<'_> {
    /// The event of these records. The order of keys is AWS's.
    pub fn event(&self, records: &[Record]) -> Bytes {
        self.text(records).into()
    }

    fn text(&self, records: &[Record]) -> String {
        let size: usize = records.iter().map(|record| self.size(record)).sum();
        let mut event = String::with_capacity(ENVELOPE.len() + size);
        event.push_str(r#"{"Records":["#);
        for (index, record) in records.iter().enumerate() {
            if index > 0 {
                event.push(',');
            }
            self.push(&mut event, record);
        }
        event.push_str("]}");
        event
    }

    /// The event of these records in a tumbling window.
    pub fn window_event(&self, records: &[Record], window: &Window, is_final: bool) -> Bytes {
        let mut event = self.text(records);
        event.pop();
        event.push_str(&window.members(self.shard_id, self.event_source_arn, is_final));
        event.push('}');
        event.into()
    }

    fn push(&self, event: &mut String, record: &Record) {
        let key = json_string(&record.partition_key);
        let arrival = record.arrival.to_string();
        for part in [
            r#"{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"#,
            &key,
            r#","sequenceNumber":""#,
            &record.sequence_number,
            r#"","data":""#,
            &record.data,
            r#"","approximateArrivalTimestamp":"#,
            &arrival,
            r#"},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":""#,
            self.shard_id,
            ":",
            &record.sequence_number,
            r#"","eventName":"aws:kinesis:record","invokeIdentityArn":""#,
            self.role_arn,
            r#"","awsRegion":""#,
            self.region,
            r#"","eventSourceARN":""#,
            self.event_source_arn,
            r#""}"#,
        ] {
            event.push_str(part);
        }
    }

    /// Bytes that a record takes in an event, with its comma; never less than it does take.
    pub fn size(&self, record: &Record) -> usize {
        const FIXED: usize = 330;
        FIXED
            + self.shard_id.len()
            + self.role_arn.len()
            + self.region.len()
            + self.event_source_arn.len()
            + 2 * record.sequence_number.len()
            + json_string(&record.partition_key).len()
            + record.data.len()
    }
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Source<'static> = Source {
        region: "us-east-2",
        event_source_arn: "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
        shard_id: "shardId-000000000006",
        role_arn: "arn:aws:iam::123456789012:role/lambda-role",
    };

    fn record(partition_key: &str, data: &str) -> Record {
        Record {
            sequence_number: "49590338271490256608559692538361571095921575989136588898".into(),
            partition_key: partition_key.into(),
            data: data.into(),
            arrival: 1_545_084_650.987,
        }
    }

    #[test]
    fn an_event_is_awss_byte_for_byte() {
        let expected = r#"{"Records":[{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"1","sequenceNumber":"49590338271490256608559692538361571095921575989136588898","data":"SGVsbG8=","approximateArrivalTimestamp":1545084650.987},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000006:49590338271490256608559692538361571095921575989136588898","eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::123456789012:role/lambda-role","awsRegion":"us-east-2","eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"}]}"#;
        assert_eq!(SOURCE.event(&[record("1", "SGVsbG8=")]), expected);
    }

    #[test]
    fn a_window_stands_beside_the_records() {
        let window = Window::new(0, 60_000).answered(br#"{"state":{"n":1}}"#).unwrap();
        for records in [&[][..], &[record("1", "SGVsbG8=")]] {
            let event: serde_json::Value =
                serde_json::from_slice(&SOURCE.window_event(records, &window, records.is_empty())).unwrap();
            assert_eq!(event["Records"].as_array().unwrap().len(), records.len());
            assert_eq!((&event["state"]["n"], &event["shardId"]), (&1.into(), &SOURCE.shard_id.into()));
            assert_eq!(event["isFinalInvokeForWindow"], records.is_empty());
        }
    }

    #[test]
    fn any_partition_key_makes_valid_json() {
        let keys = ["\"\\\n\u{0}", "ü\u{2028}", "plain"];
        let records: Vec<Record> = keys.iter().map(|key| record(key, "")).collect();
        let event: serde_json::Value = serde_json::from_slice(&SOURCE.event(&records)).unwrap();
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(event["Records"][index]["kinesis"]["partitionKey"], *key);
        }
    }

    #[test]
    fn the_size_is_never_less_than_what_is_written() {
        let mut long = record("\u{1}key", &"A".repeat(1000));
        long.arrival = 1_545_084_650.123_456_7;
        let records = [record("1", "SGVsbG8="), long];
        let size: usize = records.iter().map(|record| SOURCE.size(record)).sum();
        let written = SOURCE.event(&records).len();
        assert!(written <= ENVELOPE.len() + size && written + 100 > size, "{written} of {size}");
    }
}
