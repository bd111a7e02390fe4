//! Measures that cost grows linearly: the time for ten and a hundred times the load.

use std::path::Path;
use std::time::Instant;

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ShardIteratorType};

use crate::server::Server;
use crate::setup::{self, Function};
use crate::support::{head, median, row};

pub async fn table(logger: &Path) {
    head(["cost", "×1", "×10", "×100", "×10 : ×1", "×100 : ×10"]);
    row(["goal", "", "", "", "≤ 10", "≤ 10"]);
    measure("10, 100, 1,000 shards: made, mapped, a record on each to its line", 10, |n| shards(n, logger)).await;
    measure("1,000, 10,000, 100,000 records put", 1000, |n| records(n, Part::Write)).await;
    measure("1,000, 10,000, 100,000 records read", 1000, |n| records(n, Part::Read)).await;
    measure("10,000, 100,000, 1,000,000 log events put", 10_000, |n| log_events(n, Part::Write)).await;
    measure("10,000, 100,000, 1,000,000 log events filtered by a word", 10_000, |n| log_events(n, Part::Read)).await;
    measure("100 log events found by time among 10,000, 100,000, 1,000,000", 10_000, |n| log_events(n, Part::Window))
        .await;
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Write,
    Read,
    Window,
}

/// Measures the largest load once, and repeats short measurements.
async fn measure(what: &str, one: usize, seconds: impl AsyncFn(usize) -> f64) {
    let mut times = Vec::new();
    for (factor, runs) in [(1, 9), (10, 3), (100, 1)] {
        let mut figures = Vec::new();
        for _ in 0..runs {
            figures.push(seconds(one * factor).await);
        }
        times.push(median(&figures));
    }
    let time = |n: usize| format!("{:.1} ms", times[n] * 1000.0);
    let ratio = |n: usize| format!("{:.1}", times[n + 1] / times[n]);
    row([what, &time(0), &time(1), &time(2), &ratio(0), &ratio(1)]);
}

async fn shards(count: usize, logger: &Path) -> f64 {
    let server = Server::ours(&[]);
    setup::function(&server, "curve", &Function::logger(logger)).await;
    let begun = Instant::now();
    let arn = setup::stream(&server, "curve", i32::try_from(count).unwrap()).await;
    setup::mapping(&server, &arn, "curve", 100).await;
    let step = u128::MAX / count as u128;
    let entries = (0..count as u128).map(|shard| {
        let hash_key = (step * shard + step / 2).to_string();
        let data = Blob::new(format!("shard {shard}"));
        PutRecordsRequestEntry::builder().data(data).partition_key("k").explicit_hash_key(hash_key).build().unwrap()
    });
    setup::put(&server, "curve", entries).await;
    let logs = aws_sdk_cloudwatchlogs::Client::new(&server.config().await);
    setup::eventually("a line for each shard", async || {
        let query =
            logs.filter_log_events().log_group_name("/aws/lambda/curve").filter_pattern(r#""\"type\":\"text\"""#);
        let mut pages = query.into_paginator().send();
        let mut found = 0;
        while let Some(Ok(page)) = pages.next().await {
            found += page.events().len();
        }
        (found == count).then_some(())
    })
    .await;
    begun.elapsed().as_secs_f64()
}

async fn records(count: usize, part: Part) -> f64 {
    let server = Server::ours(&[]);
    setup::stream(&server, "curve", 1).await;
    let data = Blob::new([b'x'; 100]);
    let entries = (0..count).map(|n| {
        PutRecordsRequestEntry::builder().data(data.clone()).partition_key(format!("key-{n}")).build().unwrap()
    });
    let begun = Instant::now();
    setup::put(&server, "curve", entries).await;
    if part == Part::Write {
        return begun.elapsed().as_secs_f64();
    }
    let kinesis = aws_sdk_kinesis::Client::new(&server.config().await);
    let begun = Instant::now();
    let iterator = kinesis.get_shard_iterator().stream_name("curve").shard_id("shardId-000000000000");
    let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
    let (mut iterator, mut read) = (iterator.shard_iterator, 0);
    while read < count {
        let page = kinesis.get_records().set_shard_iterator(iterator).limit(1000).send().await.unwrap();
        read += page.records.len();
        iterator = page.next_shard_iterator;
    }
    begun.elapsed().as_secs_f64()
}

async fn log_events(count: usize, part: Part) -> f64 {
    const GROUP: &str = "curve";
    const REQUEST: usize = 10_000;
    let server = Server::ours(&[]);
    let logs = aws_sdk_cloudwatchlogs::Client::new(&server.config().await);
    logs.create_log_group().log_group_name(GROUP).send().await.unwrap();
    logs.create_log_stream().log_group_name(GROUP).log_stream_name("s").send().await.unwrap();
    // The timestamps are a millisecond apart, and the last one is now.
    let first = jiff::Timestamp::now().as_millisecond() - i64::try_from(count).unwrap();
    let event = |n: usize| {
        let message = format!("event {n} of a log that is searched {}", if n % 1000 == 7 { "rarely" } else { "often" });
        InputLogEvent::builder().timestamp(first + i64::try_from(n).unwrap()).message(message).build().unwrap()
    };
    let begun = Instant::now();
    for request in 0..count / REQUEST {
        let events = (request * REQUEST..(request + 1) * REQUEST).map(event).collect();
        let put = logs.put_log_events().log_group_name(GROUP).log_stream_name("s").set_log_events(Some(events));
        put.send().await.unwrap();
    }
    if part == Part::Write {
        return begun.elapsed().as_secs_f64();
    }
    let begun = Instant::now();
    let query = logs.filter_log_events().log_group_name(GROUP);
    let middle = first + i64::try_from(count / 2).unwrap();
    let (query, expected) = match part {
        Part::Window => (query.start_time(middle).end_time(middle + 99), 100),
        _ => (query.filter_pattern("rarely"), count / 1000),
    };
    let mut pages = query.into_paginator().send();
    let mut found = 0;
    while let Some(page) = pages.next().await {
        found += page.unwrap().events().len();
    }
    assert_eq!(found, expected);
    begun.elapsed().as_secs_f64()
}
