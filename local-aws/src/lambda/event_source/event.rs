//! The event that a function receives for a batch. `core` writes it. This module adds the sequence numbers of records.

use bytes::Bytes;
use kinesis_event_logger_core::event::{EventSource, EventWriter, NewRecord};

use super::record::Record;
use super::window::Window;
use crate::kinesis::{RecordRef, SequenceText, ShardSequence};

pub use kinesis_event_logger_core::event::MAX_EVENT_BYTES;

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
    /// The event of these records.
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

    /// The bytes that a record needs in an event, with its comma. Never too low.
    pub fn size(&self, record: RecordRef<'_>) -> usize {
        // Every sequence number has this length. Computing the record's own would take longer than everything else here.
        const SEQUENCE_NUMBER: &str = "49590338271490256608559692538361571095921575989136588898";
        self.source().record_bytes(&new_record(record, SEQUENCE_NUMBER))
    }

    fn bytes(&self, records: &[Record]) -> Vec<u8> {
        let size = records.iter().map(|record| self.size(record.as_ref())).sum();
        let mut writer = EventWriter::new(&self.source(), size);
        for record in records {
            let record = record.as_ref();
            writer.push(&new_record(record, self.sequence_number(record).as_str()));
        }
        writer.finish()
    }

    fn source(&self) -> EventSource<'_> {
        let Self { region, event_source_arn: arn, shard_id, role_arn, .. } = *self;
        EventSource { region, arn, shard_id, role_arn }
    }
}

fn new_record<'a>(record: RecordRef<'a>, sequence_number: &'a str) -> NewRecord<'a> {
    let RecordRef { arrival: arrival_ms, partition_key, data, .. } = record;
    NewRecord { partition_key: Some(partition_key), sequence_number, arrival_ms, data }
}

#[cfg(test)]
impl EventFields<'static> {
    /// The values of AWS's documented event, for tests.
    pub const EXAMPLE: Self = Self {
        region: "us-east-2",
        event_source_arn: "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
        shard_id: "shardId-000000000006",
        sequence: ShardSequence { created_seconds: 1_542_776_258, index: 6 },
        role_arn: "arn:aws:iam::123456789012:role/lambda-role",
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: EventFields<'static> = EventFields::EXAMPLE;

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
}
