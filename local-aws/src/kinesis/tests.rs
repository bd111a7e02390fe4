//! Tests of the operations: requests in, responses out.

mod durable;
mod records;
mod refusals;
mod streams;
mod upgrade;

use std::path::Path;
use std::time::Duration;

use axum::body::to_bytes;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::Kinesis;
use crate::encoding::Encoding;
use crate::faults::Faults;
use crate::store::{Budget, Store};
use crate::{Config, DEFAULT_MEMORY_LIMIT};

const STREAM: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/s";

/// Kinesis and its store.
struct Bench {
    kinesis: Kinesis,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        Self::with(&Config::default(), Store::default())
    }

    fn with(config: &Config, store: Store) -> Self {
        let kinesis = Kinesis::new(config, &store, &Budget::new(DEFAULT_MEMORY_LIMIT), &Faults::default());
        Self { kinesis, store }
    }

    /// Opens Kinesis on this data directory, as at a start.
    async fn open(dir: &Path) -> Self {
        let bench = Self::with(&Config::default(), Store::open(Some(dir)).unwrap());
        bench.kinesis.restore().await.unwrap();
        bench
    }

    async fn request(&self, encoding: Encoding, operation: &str, body: Vec<u8>) -> Result<Vec<u8>, (String, String)> {
        let content_type = match encoding {
            Encoding::Json => "application/x-amz-json-1.1",
            Encoding::Cbor => "application/x-amz-cbor-1.1",
        };
        let request = Request::post("/").header("content-type", content_type).body(Bytes::from(body)).unwrap();
        let answer = self.kinesis.handle(operation, request).await;
        let response = answer.map_err(|error| (error.code.into_owned(), error.message))?;
        assert!(response.status().is_success(), "{operation}: {}", response.status());
        Ok(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec())
    }

    async fn try_call(&self, operation: &str, input: Value) -> Result<Value, (String, String)> {
        let body = self.request(Encoding::Json, operation, input.to_string().into_bytes()).await?;
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn call(&self, operation: &str, input: Value) -> Value {
        self.try_call(operation, input).await.unwrap_or_else(|error| panic!("{operation}: {error:?}"))
    }

    async fn refused(&self, operation: &str, input: Value) -> String {
        match self.try_call(operation, input).await {
            Ok(answer) => panic!("{operation} answered {answer}"),
            Err((code, _)) => code,
        }
    }

    async fn summary(&self) -> Value {
        let mut answer = self.call("DescribeStreamSummary", json!({ "StreamName": "s" })).await;
        answer["StreamDescriptionSummary"].take()
    }

    async fn is_active(&self) {
        eventually(async || self.summary().await["StreamStatus"] == "ACTIVE").await;
    }

    async fn create(&self, shards: u32) {
        self.call("CreateStream", json!({ "StreamName": "s", "ShardCount": shards })).await;
        self.is_active().await;
    }

    async fn shards(&self, filter: Value) -> Vec<String> {
        let mut input = json!({ "StreamARN": STREAM });
        if !filter.is_null() {
            input["ShardFilter"] = filter;
        }
        let answer = self.call("ListShards", input).await;
        let id = |shard: &Value| shard["ShardId"].as_str().unwrap()[18..].to_owned();
        answer["Shards"].as_array().unwrap().iter().map(id).collect()
    }

    async fn put(&self, key: &str, data: &str) -> Value {
        self.call("PutRecord", json!({ "StreamName": "s", "PartitionKey": key, "Data": base64(data) })).await
    }

    async fn iterator(&self, shard: &str, kind: &str, more: Value) -> String {
        let mut input =
            json!({ "StreamName": "s", "ShardId": format!("shardId-0000000000{shard}"), "ShardIteratorType": kind });
        input.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        self.call("GetShardIterator", input).await["ShardIterator"].as_str().unwrap().to_owned()
    }

    /// Reads a shard to its tip and returns the data.
    async fn data(&self, mut iterator: String) -> Vec<String> {
        let mut data = Vec::new();
        loop {
            let page = self.call("GetRecords", json!({ "ShardIterator": iterator })).await;
            for record in page["Records"].as_array().unwrap() {
                let text = base64_simd::STANDARD.decode_to_vec(record["Data"].as_str().unwrap()).unwrap();
                data.push(String::from_utf8(text).unwrap());
            }
            match page["NextShardIterator"].as_str() {
                Some(next) if page["MillisBehindLatest"] != 0 => next.clone_into(&mut iterator),
                _ => return data,
            }
        }
    }

    async fn all(&self, shard: &str) -> Vec<String> {
        self.data(self.iterator(shard, "TRIM_HORIZON", json!({})).await).await
    }
}

fn base64(data: &str) -> String {
    base64_simd::STANDARD.encode_to_string(data)
}

async fn eventually(mut is_true: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_true().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the condition must become true");
}
