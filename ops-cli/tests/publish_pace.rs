//! The speed of `publish` while shards refuse records, and the order in which records arrive.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use common::Run;
use common::publishing::{endpoint, fault, file, lines, numbered, on_stream, path, text};
use serde_json::{Value, json};

/// Asserts that the first occurrences of each key's records on the stream are in the order of the input.
#[track_caller]
fn check_order(records: &[(String, String)], count: u64) {
    let mut last = BTreeMap::<&str, i64>::new();
    let mut seen = 0;
    for (key, data) in records {
        let n = serde_json::from_str::<Value>(data).unwrap()["n"].as_i64().unwrap();
        let before = last.insert(key, n).unwrap_or(-1);
        assert!(before < n, "{key}: {n} after {before}");
        seen += 1;
    }
    assert_eq!(seen, count);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_keeps_the_order_of_the_input_without_ordered() {
    for (shards, count, keys) in [(1, 20_000, 1), (2, 20_000, 7), (4, 20_000, 1000)] {
        let (endpoint, client) = endpoint(shards).await;
        let input = file(&format!("order-{shards}"), numbered(count, keys));
        let more: [&[&str]; 2] = [&[], &["--aggregate"]];
        for how in more {
            let publish = ["publish", "--quiet", "--file", text(&input), "--key-field", "/k"];
            endpoint.run(publish.iter().chain(how)).ok();
            check_order(&on_stream(&client).await, count);
            // Each run needs a new stream, because the records of two runs are not in order with each other.
            client.delete_stream().stream_name("test-dev").send().await.unwrap();
            recreate(&client, shards).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_lines_with_one_key_arrive_in_order_every_time() {
    let (endpoint, client) = endpoint(1).await;
    for run in 0..10 {
        // Two writes, so that the first request is in flight when the rest is read.
        let input = format!("{}\n{}", run * 10, (1..5).map(|n| format!("{}\n", run * 10 + n)).collect::<String>());
        Run::with_stdin(&mut endpoint.ops(["publish", "--quiet", "--key", "k"]), input.as_bytes()).ok();
    }
    let numbers: Vec<u32> = on_stream(&client).await.iter().map(|(_, data)| data.parse().unwrap()).collect();
    assert_eq!(numbers.len(), 50);
    assert!(numbers.is_sorted(), "{numbers:?}");
}

async fn recreate(client: &Client, shards: i32) {
    while client.create_stream().stream_name("test-dev").shard_count(shards).send().await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    common::publishing::active(client).await;
}

/// Asserts that a run acknowledged every record, and returns its summary.
#[track_caller]
fn whole(run: Run, count: u64) -> Value {
    let summary = run.ok().json().remove(0);
    assert_eq!((&summary["acknowledged"], &summary["deadLettered"]), (&json!(count), &json!(0)), "{summary}");
    summary
}

fn rate(summary: &Value) -> f64 {
    summary["acknowledged"].as_f64().unwrap() / summary["seconds"].as_f64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn random_refusals_hardly_slow_a_run() {
    for (probability, least) in [(0.01, 8000.0), (0.1, 4000.0), (0.3, 2000.0)] {
        let (endpoint, _client) = endpoint(1).await;
        fault(&endpoint, "throttledEntries", json!({ "probability": probability }));
        let input = file("random-refusals", numbered(20_000, 100));
        let receipts = path("random-refusals-receipts");
        let publish = ["--output", "json", "publish", "--file", text(&input), "--receipts", text(&receipts)];
        let summary = whole(endpoint.run(publish), 20_000);
        assert!(rate(&summary) > least, "{probability}: {summary}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_record_is_abandoned_because_of_our_own_pace() {
    let (endpoint, _client) = endpoint(1).await;
    fault(&endpoint, "failedEntries", json!({ "probability": 0.3, "seed": 1 }));
    fault(&endpoint, "throttledEntries", json!({ "probability": 0.2, "seed": 2 }));
    fault(&endpoint, "droppedAnswer", json!({ "probability": 0.05, "seed": 3 }));
    let input = file("own-pace", numbered(5000, 100));
    let receipts = path("own-pace-receipts");
    let publish = ["--output", "json", "publish", "--file", text(&input), "--receipts", text(&receipts)];
    let summary = whole(endpoint.run(publish), 5000);
    assert!(rate(&summary) > 2000.0, "{summary}");
    endpoint.faults("DELETE", "");

    // Records wait far longer in the queue than the deadline.
    fault(&endpoint, "shardLimit", json!({ "recordsPerSecond": 500 }));
    let receipts = path("own-pace-limit-receipts");
    let publish = ["--output", "json", "publish", "--file", text(&input), "--receipts", text(&receipts)];
    let summary = whole(endpoint.run(publish.iter().chain(&["--deadline", "1"])), 5000);
    assert!(summary["seconds"].as_f64().unwrap() > 5.0, "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_its_shard_never_accepts_is_abandoned_at_the_deadline() {
    let (endpoint, _client) = endpoint(1).await;
    fault(&endpoint, "throttledEntries", json!({ "probability": 1.0 }));
    let (input, dead) = (file("never", "one\ntwo\n"), path("never-dead"));
    let begun = Instant::now();
    let publish = ["publish", "--file", text(&input), "--deadline", "2", "--dead-letter", text(&dead)];
    assert_eq!(endpoint.run(publish).code, 1);
    assert!((2..20).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    let letters = lines(&dead);
    assert_eq!(letters.len(), 2);
    assert!(letters[0]["reason"].as_str().unwrap().starts_with("ProvisionedThroughputExceededException"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_is_shared_with_another_producer() {
    let (endpoint, client) = endpoint(1).await;
    fault(&endpoint, "shardLimit", json!({ "recordsPerSecond": 1000 }));
    let is_done = Arc::new(AtomicBool::new(false));
    let other = tokio::spawn(offer(client, 150, Duration::from_millis(100), Arc::clone(&is_done)));
    let input = file("shared", numbered(4000, 100));
    let receipts = path("shared-receipts");
    let publish = ["--output", "json", "publish", "--file", text(&input), "--receipts", text(&receipts)];
    let publish = publish.map(str::to_owned);
    let run = tokio::task::spawn_blocking(move || endpoint.run(publish)).await.unwrap();
    is_done.store(true, Ordering::Relaxed);
    let (accepted, offered) = other.await.unwrap();
    let summary = whole(run, 4000);
    assert!(rate(&summary) > 200.0, "{summary}; the other: {accepted} of {offered}");
    assert!(accepted > offered / 20, "{summary}; the other: {accepted} of {offered}");
}

/// Puts records without retries. Returns how many were accepted, and how many were sent.
async fn offer(client: Client, records: usize, every: Duration, is_done: Arc<AtomicBool>) -> (usize, usize) {
    let (mut accepted, mut offered) = (0, 0);
    let mut tick = tokio::time::interval(every);
    let entry = PutRecordsRequestEntry::builder().partition_key("other").data(Blob::new("{\"n\":0}")).build().unwrap();
    while !is_done.load(Ordering::Relaxed) {
        tick.tick().await;
        let put = client.put_records().stream_name("test-dev").set_records(Some(vec![entry.clone(); records]));
        let Ok(answer) = put.send().await else { break };
        offered += records;
        accepted += records - answer.failed_record_count.unwrap_or(0) as usize;
    }
    (accepted, offered)
}
