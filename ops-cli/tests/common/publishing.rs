//! Helpers of the tests of `publish`: a stream, files, faults, and the records on the stream.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::{Shard, ShardIteratorType, StreamStatus};
use kinesis_event_logger_core::decode::Aggregate;
use kinesis_event_logger_core::route::hash_key;
use serde_json::{Value, json};

use super::{Endpoint, scratch};

pub fn path(name: &str) -> PathBuf {
    scratch(&format!("publish-{name}"))
}

pub fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = path(name);
    std::fs::write(&path, content).unwrap();
    path
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub fn lines(path: &Path) -> Vec<Value> {
    let content = std::fs::read_to_string(path).unwrap();
    content.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn line_count(path: &Path) -> usize {
    std::fs::read(path).map_or(0, |content| content.iter().filter(|byte| **byte == b'\n').count())
}

pub fn has(path: &Path, what: &str) -> Option<()> {
    std::fs::read_to_string(path).is_ok_and(|content| content.contains(what)).then_some(())
}

/// Starts an endpoint with the stream test-dev.
pub async fn endpoint(shards: i32) -> (Endpoint, Client) {
    let endpoint = Endpoint::start();
    let client = Client::new(&endpoint.sdk_config().await);
    client.create_stream().stream_name("test-dev").shard_count(shards).send().await.unwrap();
    active(&client).await;
    (endpoint, client)
}

pub async fn active(client: &Client) {
    for _ in 0..1000 {
        let summary = client.describe_stream_summary().stream_name("test-dev").send().await.unwrap();
        if summary.stream_description_summary.unwrap().stream_status == StreamStatus::Active {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the stream does not become active");
}

/// Sets a fault of PutRecords.
pub fn fault(endpoint: &Endpoint, kind: &str, more: Value) {
    let mut fault = json!({ "operation": "PutRecords", "kind": kind });
    fault.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    endpoint.fault(&fault);
}

/// Reads every record on the stream, shard by shard in the order of their creation, parents before children. Deaggregates
/// like the KCL, which drops the records of an aggregate that is on another shard than theirs.
pub async fn on_stream(client: &Client) -> Vec<(String, String)> {
    let mut shards: Vec<_> =
        client.list_shards().stream_name("test-dev").send().await.unwrap().shards.unwrap_or_default();
    shards.sort_by(|a, b| a.shard_id.cmp(&b.shard_id));
    let mut records = Vec::new();
    for shard in shards {
        let iterator = client.get_shard_iterator().stream_name("test-dev").shard_id(&shard.shard_id);
        let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
        let mut iterator = iterator.shard_iterator;
        while let Some(at) = iterator {
            let page = client.get_records().shard_iterator(at).send().await.unwrap();
            let is_last = page.records.is_empty() && page.millis_behind_latest == Some(0);
            for record in page.records {
                let (data, mut is_aggregate) = (record.data.into_inner(), false);
                for inside in Aggregate::parse(&data).iter().flat_map(Aggregate::records) {
                    is_aggregate = true;
                    let key = inside.partition_key.unwrap();
                    if takes(&shard, key) {
                        records.push((key.to_owned(), String::from_utf8(inside.data.to_vec()).unwrap()));
                    }
                }
                if !is_aggregate {
                    records.push((record.partition_key.unwrap(), String::from_utf8(data).unwrap()));
                }
            }
            iterator = page.next_shard_iterator.filter(|_| !is_last);
        }
    }
    records
}

pub fn takes(shard: &Shard, key: &str) -> bool {
    let range = shard.hash_key_range.as_ref().unwrap();
    let (first, last) = (range.starting_hash_key.parse().unwrap(), range.ending_hash_key.parse().unwrap());
    (first..=last).contains(&hash_key(key))
}

/// Returns `count` lines `{"n":…,"k":…}` with this many keys.
pub fn numbered(count: u64, keys: u64) -> String {
    (0..count).map(|n| format!("{{\"n\":{n},\"k\":\"key-{}\"}}\n", n % keys)).collect()
}
