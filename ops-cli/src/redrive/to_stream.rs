//! Publishes the records of failed batches again, with their partition keys.

use std::sync::Arc;
use std::time::Duration;

use kinesis_event_logger_core::decode::Aggregate;
use kinesis_event_logger_core::route::{hash_key, parse_hash_key};
use tokio::sync::mpsc;

use super::batches::{Batches, NumberedRecord, name, position};
use super::summary::Summary;
use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::publish::accounting::progress::Progress;
use crate::publish::accounting::receipts::Receipts;
use crate::publish::input::read_ahead::Chunk;
use crate::publish::input::record::{InputPosition, Key, Record};
use crate::publish::scheduling::batch::Packing;
use crate::publish::scheduling::shards::ShardMap;
use crate::publish::sending::run::SendOptions;
use crate::publish::{self, Options, RunReport};
use crate::stream;

/// The time for which a record is retried.
const DEADLINE: Duration = Duration::from_secs(60);

/// Publishes the records of all batches. Returns the error that ended the run early, if any.
pub async fn run(aws: &Aws, stream: &str, batches: Batches, receipts: Receipts) -> Result<(Summary, Option<Error>)> {
    let max_bytes = stream::record_limit(aws, stream).await?;
    let shards = ShardMap::fetch(&aws.kinesis(), stream, &aws.retry).await?;
    let names: Arc<[String]> = batches.batches.iter().map(name).collect();
    let send = SendOptions {
        deadline: DEADLINE,
        packing: Packing::new(true, false, max_bytes),
        strict: false,
        rate: None,
        rate_bytes: None,
    };
    let options = Options { send, receipts, dead_letters: None, progress: Progress::silent() };
    let mut producer = None;
    let start = || {
        let (chunks, taken) = mpsc::channel(1);
        producer = Some(tokio::spawn(produce(batches, shards, chunks)));
        taken
    };
    let RunReport { summary: published, error, .. } = publish::run_chunks(aws, stream, names, start, options).await?;
    let produced = producer.ok_or_else(|| Error::failed("the records were not read"))?.await;
    let (mut summary, unread) = produced.map_err(|error| Error::failed(format!("the reading task failed: {error}")))?;
    summary.redriven = published.acknowledged;
    summary.failed = published.dead_lettered;
    Ok((summary, error.or(unread)))
}

/// Sends the records of each batch in chunks, until all are sent or the receiver is dropped.
async fn produce(mut batches: Batches, shards: ShardMap, chunks: mpsc::Sender<Chunk>) -> (Summary, Option<Error>) {
    let mut summary = Summary::default();
    let error = loop {
        let ready = match batches.next(&mut summary).await {
            Ok(Some(ready)) => ready,
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        let mut chunk = Chunk::default();
        for NumberedRecord { offset, record } in &ready.records {
            let place = InputPosition { offset: *offset, input: ready.index, line: 0 };
            let key: Key = record.partition_key.clone().unwrap_or_else(|| record.sequence_number.clone()).into();
            let data = record.data.as_ref();
            let explicit = explicit_hash_key(&shards, &ready.batch.shard_id, &key, data);
            let source = position(&ready.batch, record);
            chunk.items.push(Ok(Record::new(place, data.to_vec(), &key, explicit).sending_again(&source)));
        }
        if chunks.send(chunk).await.is_err() {
            break None;
        }
    };
    batches.count_unreached(&mut summary);
    (summary, error)
}

/// Returns an explicit hash key for a record whose partition key does not lead to its shard. Kinesis does not return the
/// explicit hash key with which a record was put, and consumers drop aggregated records on another shard than their own.
fn explicit_hash_key(shards: &ShardMap, shard_id: &str, key: &Key, data: &[u8]) -> Option<u128> {
    let is_in_shard = |hash_key: u128| shards.takes(shard_id, std::iter::once(hash_key));
    if is_in_shard(key.hash_key) != Some(false) {
        return None;
    }
    let of_sub_record = Aggregate::parse(data).and_then(|aggregate| {
        let record = aggregate.records().next()?;
        match record.explicit_hash_key {
            Some(explicit) => parse_hash_key(explicit).ok(),
            None => record.partition_key.map(hash_key),
        }
    });
    of_sub_record.filter(|hash_key| is_in_shard(*hash_key) == Some(true)).or_else(|| shards.first_hash_key_of(shard_id))
}

#[cfg(test)]
mod tests {
    use kinesis_event_logger_core::AggregateBuilder;

    use super::*;

    #[test]
    fn a_record_returns_to_its_shard() {
        let shards = ShardMap::even(2);
        let (first, second) = ("shardId-000000000000", "shardId-000000000001");
        // Their MD5 begins with 0c and 92.
        let (a, b): (Key, Key) = ("a".into(), "b".into());
        assert!(a.hash_key < u128::MAX / 2 && b.hash_key > u128::MAX / 2);
        assert_eq!(explicit_hash_key(&shards, first, &a, b""), None);
        assert_eq!(explicit_hash_key(&shards, second, &a, b""), Some(u128::MAX / 2));
        assert_eq!(explicit_hash_key(&shards, "shardId-000000000007", &a, b""), None);
        let mut aggregate = AggregateBuilder::new(1024);
        aggregate.add("b", None, b"one").unwrap();
        assert_eq!(explicit_hash_key(&shards, second, &a, &aggregate.build()), Some(b.hash_key));
    }
}
