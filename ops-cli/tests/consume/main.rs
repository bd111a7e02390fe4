//! Tests of `ops-cli consume` against the real endpoint.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod bad_days;
mod fan_out;
mod positions;
mod resharding;
mod saving;
mod showing;
mod stopping;

use std::collections::BTreeMap;

use aws_sdk_kinesis::Client as Kinesis;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, PutRecordsResultEntry, ScalingType, StreamStatus};
use common::{Endpoint, Run};

const STREAM: &str = "test-dev";

/// An endpoint with a stream, and a client.
struct Fixture {
    endpoint: Endpoint,
    kinesis: Kinesis,
}

impl Fixture {
    async fn new(shards: i32) -> Self {
        Self::with(Endpoint::start(), shards).await
    }

    async fn with(endpoint: Endpoint, shards: i32) -> Self {
        let kinesis = Kinesis::new(&endpoint.sdk_config().await);
        let fixture = Self { endpoint, kinesis };
        fixture.kinesis.create_stream().stream_name(STREAM).shard_count(shards).send().await.unwrap();
        fixture.active().await;
        fixture
    }

    async fn active(&self) {
        loop {
            let described = self.kinesis.describe_stream_summary().stream_name(STREAM).send().await.unwrap();
            if described.stream_description_summary.unwrap().stream_status == StreamStatus::Active {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Puts records with these data, whose last word is the key, and returns their positions.
    async fn put(&self, data: &[String]) -> Vec<PutRecordsResultEntry> {
        let mut results = Vec::new();
        for data in data.chunks(500) {
            let entry = |data: &String| {
                let key = data.rsplit(' ').next().unwrap();
                let entry = PutRecordsRequestEntry::builder().partition_key(key);
                entry.data(Blob::new(data.as_bytes())).build().unwrap()
            };
            let entries = data.iter().map(entry).collect();
            let put = self.kinesis.put_records().stream_name(STREAM).set_records(Some(entries)).send().await.unwrap();
            assert_eq!(put.failed_record_count, Some(0));
            results.extend(put.records);
        }
        results
    }

    /// Puts one record.
    async fn put_one(&self, key: &str, data: &[u8]) {
        let put = self.kinesis.put_record().stream_name(STREAM).partition_key(key).data(Blob::new(data));
        put.send().await.unwrap();
    }

    async fn scale(&self, shards: i32) {
        let update = self.kinesis.update_shard_count().stream_name(STREAM).target_shard_count(shards);
        update.scaling_type(ScalingType::UniformScaling).send().await.unwrap();
        self.active().await;
    }

    /// Runs `consume` with these arguments.
    fn consume(&self, arguments: &[&str]) -> Run {
        self.endpoint.run(["consume"].iter().chain(arguments))
    }
}

fn numbered(what: &str, range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("{what} {n:06}")).collect()
}

/// Asserts that every text was shown as often as it was put.
#[track_caller]
fn assert_shown_once<S: AsRef<str>>(shown: impl IntoIterator<Item = S>, put: &[String]) {
    let mut counts = BTreeMap::<String, i64>::new();
    shown.into_iter().for_each(|text| *counts.entry(text.as_ref().to_owned()).or_default() += 1);
    put.iter().for_each(|text| *counts.entry(text.clone()).or_default() -= 1);
    counts.retain(|_, count| *count != 0);
    assert!(counts.is_empty(), "shown more (+) or less (-) often than put: {counts:?}");
}
