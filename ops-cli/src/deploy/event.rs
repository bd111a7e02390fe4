//! Builds the event that Lambda would send for given data.

use kinesis_event_logger_core::event::{EventSource, EventWriter, MAX_EVENT_BYTES, NewRecord};
use kinesis_event_logger_core::names::{Location, Names};

use crate::error::{Error, Result};
use crate::output::counted;

/// The shard that the event names.
pub const SHARD: &str = "shardId-000000000000";

/// A record of the event.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRecord {
    pub partition_key: String,
    pub data: Vec<u8>,
}

/// An event, and the sequence numbers of its records.
pub struct BuiltEvent {
    pub bytes: Vec<u8>,
    pub sequence_numbers: Vec<String>,
}

/// Builds the event of these records of the path's stream, which arrive now, in epoch microseconds.
pub fn build(
    names: &Names,
    location: &Location,
    role_arn: &str,
    records: &[EventRecord],
    now_us: u64,
) -> Result<BuiltEvent> {
    let stream_arn = names.stream_arn(location);
    let source = EventSource { region: &location.region, arn: &stream_arn, shard_id: SHARD, role_arn };
    let sequence_numbers: Vec<String> = (0..records.len()).map(|index| sequence_number(now_us, index)).collect();
    let new_records: Vec<NewRecord<'_>> = records
        .iter()
        .zip(&sequence_numbers)
        .map(|(record, sequence_number)| NewRecord {
            partition_key: Some(&record.partition_key),
            sequence_number,
            arrival_ms: now_us / 1000,
            data: &record.data,
        })
        .collect();
    let size: usize = new_records.iter().map(|record| source.record_bytes(record)).sum();
    if size > MAX_EVENT_BYTES {
        let records = counted(records.len() as u64, "record");
        return Err(Error::usage(format!(
            "the event of {records} has {size} bytes, but Lambda sends at most {MAX_EVENT_BYTES}"
        ))
        .hint("give fewer records, or publish them with `ops-cli publish`"));
    }
    let mut writer = EventWriter::new(&source, size);
    new_records.iter().for_each(|record| writer.push(record));
    Ok(BuiltEvent { bytes: writer.finish(), sequence_numbers })
}

/// A sequence number that no stream has used: its form is Kinesis', and it contains the time.
fn sequence_number(now_us: u64, index: usize) -> String {
    format!("49{now_us:020}{index:034}")
}

#[cfg(test)]
mod tests {
    use kinesis_event_logger_core::event::Event;

    use super::*;

    #[test]
    fn the_event_has_every_record_once_with_its_own_sequence_number() {
        let names = Names::new("orders", "dev").unwrap();
        let location = Location { region: "eu-west-1".into(), account_id: "123456789012".into() };
        let record = |data: &str| EventRecord { partition_key: "key".into(), data: data.into() };
        let built =
            build(&names, &location, "arn:role", &[record("one"), record("two")], 1_764_374_400_000_000).unwrap();
        assert_eq!(built.sequence_numbers[0].len(), 56);
        assert_ne!(built.sequence_numbers[0], built.sequence_numbers[1]);
        let event = Event::parse(&built.bytes).unwrap();
        assert_eq!(event.records().count(), 2);
        assert_eq!(event.records().next().unwrap().stream.as_deref(), Some("orders-dev"));
    }

    #[test]
    fn an_event_over_lambdas_limit_is_an_error() {
        let names = Names::default();
        let location = Location { region: "eu-west-1".into(), account_id: "123456789012".into() };
        let large = EventRecord { partition_key: "key".into(), data: vec![b'x'; 3 << 20] };
        let error = build(&names, &location, "arn:role", &[large.clone(), large], 0).err().unwrap();
        assert!(error.message.contains("2 records"), "{}", error.message);
    }
}
