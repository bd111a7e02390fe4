#![no_main]
//! Parses any message between a magic number and its MD5. An aggregate that parses is built again and parses to the same. Beside
//! aggregates of other lengths, it is decoded to the same as alone.

use std::convert::Infallible;

use kinesis_event_logger_core::decode::{AGGREGATE_MAGIC, Aggregate, AggregateBuilder, AheadRecord, ReadAhead};
use kinesis_event_logger_core::event::{Event, EventSource, EventWriter, NewRecord};
use kinesis_event_logger_core::Decoder;
use libfuzzer_sys::fuzz_target;
use md5::{Digest, Md5};

fuzz_target!(|message: &[u8]| {
    let aggregate_of = |message: &[u8]| [&AGGREGATE_MAGIC, message, &Md5::digest(message)[..]].concat();
    let data = aggregate_of(message);
    let lengths = [message.len(), message.len() / 2, 1, message.len().saturating_sub(9)];
    compare(&lengths.map(|length| aggregate_of(&message[..length.min(message.len())])));
    let Some(aggregate) = Aggregate::parse(&data) else { return };
    let mut builder = AggregateBuilder::new(usize::MAX);
    let whole: Vec<_> = aggregate.records().filter(|record| record.problem.is_none()).collect();
    for record in &whole {
        builder.add(record.partition_key.expect("no problem"), record.explicit_hash_key, record.data).expect("room");
    }
    if whole.is_empty() {
        return;
    }
    let built = builder.build();
    let again = Aggregate::parse(&built).expect("an aggregate");
    let keys = |key: Option<&str>| key.filter(|key| !key.is_empty()).map(str::to_owned);
    for (first, second) in whole.iter().zip(again.records()) {
        assert_eq!((first.partition_key, first.data), (second.partition_key, second.data));
        assert_eq!(keys(first.explicit_hash_key), keys(second.explicit_hash_key));
    }
    assert_eq!(again.records().count(), whole.len());
});

/// Decodes records read ahead and records alone.
fn compare(records: &[Vec<u8>]) {
    let source = EventSource { region: "r", arn: "arn:aws:kinesis:r:1:stream/s", shard_id: "shardId-0", role_arn: "role" };
    let mut writer = EventWriter::new(&source, 0);
    for data in records {
        writer.push(&NewRecord { partition_key: Some("k"), sequence_number: "1", data, arrival_ms: 1 });
    }
    let text = writer.finish();
    let event = Event::parse(&text).expect("an event");
    let mut decoder = Decoder::new();
    let mut decoded = |record: &AheadRecord<'_, '_>| {
        let mut seen = Vec::new();
        let Ok(()) = decoder.decode_ahead(record, |record| {
            seen.push(format!("{record:?}"));
            Ok::<_, Infallible>(())
        });
        seen
    };
    let mut read = ReadAhead::new(event.records());
    for record in event.records() {
        let ahead = read.next().expect("as many records");
        assert_eq!(decoded(&ahead), decoded(&(&record).into()));
    }
}
