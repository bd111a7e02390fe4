//! Measures an event source mapping: the latency from a put to its line, and the invocations and records per second.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use tokio::time::MissedTickBehavior;

use crate::server::{Peer, Server};
use crate::setup::{self, Function};
use crate::support::{head, milliseconds, percentile, row};

/// Puts per second, and the number of records.
const RATE: u64 = 100;
const RECORDS: usize = 1000;
/// Records before the measurement, which start the function and fill every cache.
const WARMING: usize = 50;

pub async fn latency_table(logger: &Path, peers: &[Peer]) {
    head(["put → function → line, at 100 records/s", "p50", "p99"]);
    row(["goal", "≤ 5 ms", "≤ 25 ms"]);
    latency("**ops-cli local**, logger-fn", &Server::ours(&[]), &Function::logger(logger)).await;
    latency("**ops-cli local**, a Python function", &Server::ours(&[]), &Function::python()).await;
    for peer in peers.iter().filter(|peer| peer.name == "ministack") {
        let server = Server::of(peer);
        server.first_answer().await;
        latency("ministack, the same Python function", &server, &Function::python()).await;
    }
}

async fn latency(name: &str, server: &Server, function: &Function) {
    let arn = setup::stream(server, "latency", 1).await;
    setup::function(server, "latency", function).await;
    setup::mapping(server, &arn, "latency", 1).await;
    let putting = tokio::spawn(put_steadily(aws_sdk_kinesis::Client::new(&server.config().await)));
    let seen = lines_seen(server).await;
    let put = putting.await.unwrap();
    let latencies: Vec<_> = (WARMING..put.len()).map(|n| milliseconds(seen[&n] - put[n])).collect();
    row([name, &format!("{:.1} ms", percentile(&latencies, 0.50)), &format!("{:.1} ms", percentile(&latencies, 0.99))]);
}

/// Puts records at a constant rate, and returns the start of each put.
async fn put_steadily(kinesis: aws_sdk_kinesis::Client) -> Vec<Instant> {
    let mut ticks = tokio::time::interval(Duration::from_millis(1000 / RATE));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut put = Vec::new();
    for n in 0..WARMING + RECORDS {
        ticks.tick().await;
        put.push(Instant::now());
        let record = kinesis.put_record().stream_name("latency").partition_key("k");
        // The answer is not awaited, so that a slow one does not lower the rate.
        tokio::spawn(record.data(Blob::new(format!("marked {n} end"))).send());
    }
    put
}

/// Returns the time at which the line of each record was first read.
async fn lines_seen(server: &Server) -> HashMap<usize, Instant> {
    let mut seen = HashMap::new();
    setup::eventually("the lines", async || {
        for event in recent(server, "latency", Duration::from_secs(3), "marked").await {
            let message = event.message.unwrap_or_default();
            let number = message.split_once("marked ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
            if let Some(number) = number {
                seen.entry(number).or_insert_with(Instant::now);
            }
        }
        (seen.len() == WARMING + RECORDS).then_some(())
    })
    .await;
    seen
}

/// Returns the recent events of the function's log that contain a word.
async fn recent(server: &Server, function: &str, within: Duration, word: &str) -> Vec<FilteredLogEvent> {
    let logs = aws_sdk_cloudwatchlogs::Client::new(&server.config().await);
    let since = jiff::Timestamp::now().as_millisecond() - i64::try_from(within.as_millis()).unwrap();
    let query = logs.filter_log_events().log_group_name(format!("/aws/lambda/{function}"));
    let mut pages = query.filter_pattern(format!("\"{word}\"")).start_time(since).into_paginator().send();
    let mut events = Vec::new();
    // The log group does not exist before the first line.
    while let Some(Ok(page)) = pages.next().await {
        events.extend(page.events.unwrap_or_default());
    }
    events
}

pub async fn throughput_table(logger: &Path) {
    head(["event source mapping, 4 shards, logger-fn", "goal", "measured"]);
    let invocations = throughput(logger, 20_000, 100, 1).await;
    row(["batches of 1, invocations/s", "≥ 2,000", &format!("{invocations:.0}")]);
    let small = throughput(logger, 400_000, 100, 1000).await;
    row(["batches of 1,000, records/s of 100 bytes", "≥ 100,000", &format!("{small:.0}")]);
    let large = throughput(logger, 200_000, 1024, 1000).await;
    row(["batches of 1,000, records/s of 1 KiB", "≥ 100,000", &format!("{large:.0}")]);
}

/// Measures records per second, from the creation of a mapping on a full stream until the last line is readable.
async fn throughput(logger: &Path, records: usize, bytes: usize, batch_size: i32) -> f64 {
    let server = Server::ours(&[]);
    let arn = setup::stream(&server, "throughput", 4).await;
    setup::function(&server, "throughput", &Function::logger(logger)).await;
    let entry = |data: String| PutRecordsRequestEntry::builder().data(Blob::new(data));
    let data = format!(r#"{{"pad":"{}"}}"#, "x".repeat(bytes - 10));
    let filling = (0..records).map(|n| entry(data.clone()).partition_key(format!("key-{n}")).build().unwrap());
    let lasts = (0..4_u128).map(|quarter| {
        let hash_key = (u128::MAX / 8 * (2 * quarter + 1)).to_string();
        entry("the last of its shard".into()).partition_key("k").explicit_hash_key(hash_key).build().unwrap()
    });
    setup::put(&server, "throughput", filling.chain(lasts)).await;

    let begun = Instant::now();
    setup::mapping(&server, &arn, "throughput", batch_size).await;
    setup::eventually("the last lines", async || {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let found = recent(&server, "throughput", Duration::from_secs(60), "the last of its shard").await;
        (found.len() == 4).then_some(())
    })
    .await;
    records as f64 / begun.elapsed().as_secs_f64()
}
