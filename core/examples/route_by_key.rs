//! A Lambda function that forwards the records of a Kinesis batch to another stream: it builds one aggregate per shard, ready
//! for `PutRecords`.
//!
//! The two shards of the other stream are constants here. `ListShards` returns the real ones.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use kinesis_event_logger_core::decode::AggregateError;
use kinesis_event_logger_core::route::{hash_key, shard_index};
use kinesis_event_logger_core::{AggregateBuilder, Data, Decoder, Event, Payload, Record};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::value::{RawValue, to_raw_value};

const HALF: u128 = u128::MAX / 2;
const SHARDS: [(&str, RangeInclusive<u128>); 2] =
    [("shardId-000000000000", 0..=HALF), ("shardId-000000000001", HALF + 1..=u128::MAX)];

/// Aggregates the records of a batch by their shard.
fn route(event: &RawValue) -> Result<BTreeMap<&'static str, AggregateBuilder>, Error> {
    let mut routed = BTreeMap::new();
    let mut decoder = Decoder::new();
    for source in Event::parse(event.get())?.records() {
        decoder.decode(&source, |record| add(&mut routed, record))?;
    }
    Ok(routed)
}

fn add(routed: &mut BTreeMap<&'static str, AggregateBuilder>, record: &Record<'_>) -> Result<(), AggregateError> {
    let data = match record.data {
        Data::Payload(Payload::Json(text) | Payload::Text(text)) => text.as_bytes(),
        Data::Payload(Payload::Binary(bytes) | Payload::Cbor(bytes)) => bytes,
        // There is no data to forward.
        Data::Undecodable(_) => return Ok(()),
    };
    let key = record.position.partition_key.unwrap_or_default();
    let Some(index) = shard_index(hash_key(key), &SHARDS, |(_, hash_keys)| hash_keys) else { return Ok(()) };
    let (shard, _) = SHARDS[index];
    // All records of a batch fit. A real function would put a full aggregate and start another.
    routed.entry(shard).or_insert_with(|| AggregateBuilder::new(6 * 1024 * 1024)).add(
        key,
        record.position.explicit_hash_key,
        data,
    )
}

async fn handler(event: LambdaEvent<Box<RawValue>>) -> Result<Box<RawValue>, Error> {
    let routed = route(&event.payload)?;
    // Here `PutRecords` would be called with `builder.build()`, under an explicit hash key of the shard's range.
    let counts: BTreeMap<_, _> = routed.iter().map(|(shard, builder)| (shard, builder.len())).collect();
    Ok(to_raw_value(&counts)?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}

#[cfg(test)]
mod tests {
    use kinesis_event_logger_core::decode::Aggregate;

    use super::*;

    #[test]
    fn records_go_where_their_keys_belong() {
        // MD5 of "a" begins with 0c, of "b" with 92.
        let event = r#"{"Records":[{"kinesis":{"partitionKey":"a","data":"b25l"}},{"kinesis":{"partitionKey":"b","data":"dHdv"}},
            {"kinesis":{"partitionKey":"a","data":"dGhyZWU="}},{"kinesis":{"partitionKey":"a","data":"*"}}]}"#;
        let mut routed = route(&RawValue::from_string(event.to_owned()).unwrap()).unwrap();
        let mut records = |shard| {
            let data = routed.get_mut(shard).unwrap().build();
            let aggregate = Aggregate::parse(&data).unwrap();
            aggregate.records().map(|record| String::from_utf8(record.data.to_vec()).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(records("shardId-000000000000"), ["one", "three"]);
        assert_eq!(records("shardId-000000000001"), ["two"]);
    }
}
