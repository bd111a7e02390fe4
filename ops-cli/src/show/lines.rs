//! Makes the lines of a record exactly as the function does. Pure.

use std::convert::Infallible;

use aws_sdk_kinesis::types::Record;
use kinesis_event_logger_core::event::{Event, EventSource, EventWriter, NewRecord};
use kinesis_event_logger_core::settings::{Settings, Split};
use kinesis_event_logger_core::{Decoder, LineWriter};

use crate::stream::fetch::arrival_ms;

/// A record as it was read from its shard.
pub struct FetchedRecord<'a> {
    pub record: &'a Record,
    pub stream: &'a str,
    pub shard_id: &'a str,
    /// Only the lines of this record of an aggregate are made.
    pub sub_sequence_number: Option<u64>,
}

/// The invocation that logs the record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Invocation {
    pub request_id: String,
    /// In epoch milliseconds.
    pub time: i64,
}

/// One line of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct MadeLine {
    pub sub_sequence_number: Option<u64>,
    /// The line without its line break.
    pub text: String,
    /// Why the function does not write the line, if it does not.
    pub unwritten: Option<&'static str>,
}

impl FetchedRecord<'_> {
    /// The arrival in epoch milliseconds.
    pub fn arrival_ms(&self) -> i64 {
        arrival_ms(self.record)
    }

    /// Makes the record's lines.
    pub fn lines(&self, settings: &Settings, invocation: &Invocation) -> Vec<MadeLine> {
        let mut made = of_record(&new_record(self.record), self.stream, self.shard_id, settings, invocation);
        made.retain(|line| self.sub_sequence_number.is_none_or(|wanted| line.sub_sequence_number == Some(wanted)));
        made
    }
}

/// Makes the lines of a record. The record goes through an event, so that every field is the one that the function reads.
pub fn of_record(
    record: &NewRecord<'_>,
    stream: &str,
    shard_id: &str,
    settings: &Settings,
    invocation: &Invocation,
) -> Vec<MadeLine> {
    let arn = format!("arn:aws:kinesis:us-east-1:000000000000:stream/{stream}");
    let source = EventSource { region: "us-east-1", arn: &arn, shard_id, role_arn: "" };
    let mut event = EventWriter::new(&source, 0);
    event.push(record);
    let event = event.finish();
    let Ok(event) = Event::parse(&event) else { return Vec::new() };
    let writer = LineWriter::with_options(settings.format, &invocation.request_id, invocation.time, &settings.lines);
    let mut made = Vec::new();
    let mut decoder = Decoder::new();
    decoder.set_split_json(settings.split == Split::Json);
    for record in event.records() {
        let Ok(()) = decoder.decode(&record, |record| {
            let mut line = Vec::new();
            writer.append(record, &mut line);
            made.push(MadeLine {
                sub_sequence_number: record.position.sub_sequence_number,
                text: String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned(),
                unwritten: unwritten(settings, record),
            });
            Ok::<_, Infallible>(())
        });
    }
    made
}

fn unwritten(settings: &Settings, record: &kinesis_event_logger_core::Record<'_>) -> Option<&'static str> {
    let key = record.position.partition_key.or(record.position.sequence_number);
    if key.is_some_and(|key| !settings.sample.includes(key)) {
        return Some("LOGGER_SAMPLE excludes its partition key");
    }
    (!settings.writes(record.level())).then_some("the function's log level excludes it")
}

/// A record of GetRecords as a record to write into an event.
pub fn new_record(record: &Record) -> NewRecord<'_> {
    NewRecord {
        partition_key: record.partition_key.as_deref(),
        sequence_number: &record.sequence_number,
        arrival_ms: arrival_ms(record).max(0).cast_unsigned(),
        data: record.data.as_ref(),
    }
}

#[cfg(test)]
pub mod tests {
    use aws_sdk_kinesis::primitives::{Blob, DateTime};
    use kinesis_event_logger_core::AggregateBuilder;

    use super::*;

    pub fn record(data: &[u8]) -> Record {
        Record::builder()
            .partition_key("k")
            .sequence_number("4959")
            .data(Blob::new(data))
            .approximate_arrival_timestamp(DateTime::from_millis(1_545_084_650_987))
            .build()
            .unwrap()
    }

    pub fn fetched(record: &Record) -> FetchedRecord<'_> {
        FetchedRecord { record, stream: "orders", shard_id: "shardId-000000000006", sub_sequence_number: None }
    }

    pub fn invocation() -> Invocation {
        Invocation { request_id: "3f1c".into(), time: 1_545_084_651_000 }
    }

    #[test]
    fn a_line_is_the_functions() {
        let record = record(b"Hello");
        let lines = fetched(&record).lines(&Settings::default(), &invocation());
        let expected = r#"2018-12-17T22:10:51.000Z INFO 3f1c stream=orders shard=shardId-000000000006 seq=4959 key="k" arrival=2018-12-17T22:10:50.987Z lagMs=13 data="Hello""#;
        assert_eq!(lines, [MadeLine { sub_sequence_number: None, text: expected.into(), unwritten: None }]);
    }

    #[test]
    fn settings_that_exclude_a_line_are_named() {
        let record = record(b"Hello");
        let settings = Settings { sample: "0".parse().unwrap(), ..Settings::default() };
        assert!(fetched(&record).lines(&settings, &invocation())[0].unwritten.unwrap().contains("LOGGER_SAMPLE"));
        let settings = Settings { level: "WARN".parse().unwrap(), ..Settings::default() };
        assert!(fetched(&record).lines(&settings, &invocation())[0].unwritten.unwrap().contains("log level"));
    }

    #[test]
    fn one_record_of_an_aggregate_can_be_selected() {
        let mut aggregate = AggregateBuilder::new(1024);
        aggregate.add("a", None, b"one").unwrap();
        aggregate.add("b", None, b"two").unwrap();
        let record = record(&aggregate.build());
        assert_eq!(fetched(&record).lines(&Settings::default(), &invocation()).len(), 2);
        let one = FetchedRecord { sub_sequence_number: Some(1), ..fetched(&record) };
        let lines = one.lines(&Settings::default(), &invocation());
        assert!(lines.len() == 1 && lines[0].text.contains("subSequenceNumber=1 key=\"b\""), "{lines:?}");
    }
}
