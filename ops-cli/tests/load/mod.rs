//! Puts load on an endpoint that is killed or watched meanwhile, records every acknowledgement, and then compares the stored
//! data with them. Used by `durable.rs` and `soak.rs`.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout, reason = "each test file uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, PutRecordsResultEntry, ShardIteratorType};

use crate::common::{self, Endpoint};

/// Tasks that put log events, each to its own stream.
pub const LOG_WRITERS: usize = 2;
pub const GROUP: &str = "acknowledged";
/// Tasks that put records, each with its own partition key, on one stream.
pub const RECORD_WRITERS: usize = 2;
pub const STREAM: &str = "test-dev";
/// The log group of the real function.
pub const FUNCTION_GROUP: &str = "/aws/lambda/test-dev";

/// An endpoint on a data directory, which has the same address after every restart.
pub struct RestartableEndpoint {
    pub dir: tempfile::TempDir,
    port: String,
    credentials: local_aws::Credentials,
    memory_limit: String,
    pub endpoint: Endpoint,
}

impl RestartableEndpoint {
    pub fn start(memory_limit: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let credentials = local_aws::Credentials {
            access_key_id: "durable".into(),
            secret_access_key: "durable".into(),
            session_token: None,
        };
        let port = free_port();
        let endpoint = start(dir.path(), &port, memory_limit, &credentials);
        Self { dir, port, credentials, memory_limit: memory_limit.to_owned(), endpoint }
    }

    pub fn kill(&mut self) {
        assert_eq!(self.endpoint.stop("-KILL"), None, "it ended by the signal and not by itself");
        self.endpoint = start(self.dir.path(), &self.port, &self.memory_limit, &self.credentials);
    }
}

/// A port outside the range of ephemeral ports. A client that tries to connect while the endpoint is down could otherwise be
/// assigned that port, connect to itself, and block the endpoint.
pub fn free_port() -> String {
    let mut ports = std::iter::repeat_with(|| fastrand::u16(20_000..32_000));
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).unwrap().to_string()
}

fn start(dir: &Path, port: &str, memory_limit: &str, credentials: &local_aws::Credentials) -> Endpoint {
    let mut command: Command = common::ops_cli();
    local(&mut command, dir, port, memory_limit);
    command.args(["--access-key-id", &credentials.access_key_id]);
    command.args(["--secret-access-key", &credentials.secret_access_key]);
    Endpoint::of(&mut command)
}

pub fn local(command: &mut Command, dir: &Path, port: &str, memory_limit: &str) {
    let dir = dir.to_str().unwrap();
    command.args(["--output", "json", "local", "--port", port, "--data-dir", dir, "--memory-limit", memory_limit]);
}

/// The numbers of the records that were sent and acknowledged, by stream.
pub struct Sent {
    stop: AtomicBool,
    next: AtomicU64,
    /// The bytes of each message or record.
    bytes: usize,
    /// The pause of a writer after each put.
    rest: Duration,
}

impl Sent {
    pub fn take(&self, count: u64) -> std::ops::Range<u64> {
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        first..first + count
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Puts batches of numbered log events until it is stopped. Returns every batch, and whether it was acknowledged.
pub async fn put_events(config: aws_config::SdkConfig, sent: Arc<Sent>, stream: String) -> Vec<(Vec<u64>, bool)> {
    let logs = aws_sdk_cloudwatchlogs::Client::new(&config);
    let mut batches = vec![];
    while !sent.is_stopped() {
        let numbers: Vec<u64> = sent.take(fastrand::u64(1..20)).collect();
        let event = |number: &u64| {
            let message = format!("{number} {}", "x".repeat(sent.bytes));
            InputLogEvent::builder().timestamp(now()).message(message).build().unwrap()
        };
        let events = numbers.iter().map(event).collect();
        let put = logs.put_log_events().log_group_name(GROUP).log_stream_name(&stream);
        let answer = put.set_log_events(Some(events)).send().await;
        if answer.is_err() {
            pause().await;
        }
        batches.push((numbers, answer.is_ok()));
        tokio::time::sleep(sent.rest).await;
    }
    batches
}

/// Puts numbered records until it is stopped. Returns every put, with the locations of its records if it was acknowledged.
pub async fn put_records(
    config: aws_config::SdkConfig,
    sent: Arc<Sent>,
    key: String,
) -> Vec<(Vec<u64>, Option<Vec<Record>>)> {
    let kinesis = aws_sdk_kinesis::Client::new(&config);
    let mut puts = vec![];
    while !sent.is_stopped() {
        let numbers: Vec<u64> = sent.take(fastrand::u64(1..20)).collect();
        let entry = |number: &u64| {
            let data = Blob::new(format!("{number} {}", "x".repeat(sent.bytes)));
            PutRecordsRequestEntry::builder().partition_key(&key).data(data).build().unwrap()
        };
        let entries = numbers.iter().map(entry).collect();
        let answer = kinesis.put_records().stream_name(STREAM).set_records(Some(entries)).send().await;
        let placed = match answer {
            Ok(answer) => {
                assert_eq!(answer.failed_record_count(), Some(0));
                let of = |(number, entry): (&u64, &PutRecordsResultEntry)| Record {
                    number: *number,
                    shard: entry.shard_id().unwrap().to_owned(),
                    sequence: entry.sequence_number().unwrap().to_owned(),
                };
                Some(numbers.iter().zip(answer.records()).map(of).collect())
            }
            Err(_) => {
                pause().await;
                None
            }
        };
        puts.push((numbers, placed));
        tokio::time::sleep(sent.rest).await;
    }
    puts
}

/// The location of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    shard: String,
    /// Padded to 56 digits, so that texts sort like numbers.
    sequence: String,
    pub number: u64,
}

/// Reads all records of the stream, shard by shard in order.
pub async fn records(config: &aws_config::SdkConfig) -> Vec<Record> {
    let kinesis = aws_sdk_kinesis::Client::new(config);
    let mut records = vec![];
    for shard in kinesis.list_shards().stream_name(STREAM).send().await.unwrap().shards() {
        let shard = shard.shard_id();
        let start = kinesis.get_shard_iterator().stream_name(STREAM).shard_id(shard);
        let start = start.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
        let mut iterator = start.shard_iterator().unwrap().to_owned();
        loop {
            let page = kinesis.get_records().shard_iterator(iterator).send().await.unwrap();
            records.extend(page.records().iter().map(|record| Record {
                shard: shard.to_owned(),
                sequence: record.sequence_number().to_owned(),
                number: number(std::str::from_utf8(record.data().as_ref()).unwrap()),
            }));
            if page.records().is_empty() && page.millis_behind_latest() == Some(0) {
                break;
            }
            iterator = page.next_shard_iterator().unwrap().to_owned();
        }
    }
    records
}

/// Checks that each acknowledged record is at its reported location, once, and that each other record was sent and is stored
/// once.
pub fn check_records(puts: &[(Vec<u64>, Option<Vec<Record>>)], found: &[Record]) {
    assert!(found.is_sorted(), "records out of order");
    let places: BTreeMap<u64, &Record> = found.iter().map(|record| (record.number, record)).collect();
    assert_eq!(places.len(), found.len(), "a record is there twice");
    for record in puts.iter().filter_map(|(_, placed)| placed.as_ref()).flatten() {
        assert_eq!(places.get(&record.number), Some(&record), "an acknowledged record");
    }
    let sent: BTreeSet<u64> = puts.iter().flat_map(|(numbers, _)| numbers).copied().collect();
    assert!(places.keys().all(|number| sent.contains(number)), "a record that nobody sent");
}

/// Checks that the records of one writer are read in the order in which they were sent.
pub fn check_order(puts: &[(Vec<u64>, Option<Vec<Record>>)], found: &[Record]) {
    let sent: BTreeSet<u64> = puts.iter().flat_map(|(numbers, _)| numbers).copied().collect();
    let of_writer = found.iter().map(|record| record.number).filter(|number| sent.contains(number));
    assert!(of_writer.is_sorted(), "a key's records changed their order");
}

/// A line of the function: its log stream, which identifies the process, and its sequence number.
pub struct Line {
    process: String,
    shard: String,
    sequence: String,
}

/// Reads the lines of all records, in the order in which they were written.
pub async fn lines(config: &aws_config::SdkConfig) -> Vec<Line> {
    let logs = aws_sdk_cloudwatchlogs::Client::new(config);
    let mut lines = vec![];
    let mut pages = logs.filter_log_events().log_group_name(FUNCTION_GROUP).into_paginator().send();
    while let Some(page) = pages.next().await {
        for event in page.unwrap().events() {
            let line: serde_json::Value = serde_json::from_str(event.message().unwrap()).unwrap();
            // Lambda's own lines have no sequence number.
            let Some(sequence) = line["sequenceNumber"].as_str() else { continue };
            let (process, sequence) = (event.log_stream_name().unwrap().to_owned(), sequence.to_owned());
            lines.push(Line { process, shard: line["shard"].as_str().unwrap().to_owned(), sequence });
        }
    }
    lines
}

/// Waits until each record has a line.
pub async fn all_lines(config: &aws_config::SdkConfig, records: &[Record]) -> Vec<Line> {
    let begun = Instant::now();
    loop {
        let found = lines(config).await;
        let logged: BTreeSet<&str> = found.iter().map(|line| line.sequence.as_str()).collect();
        let missing = records.iter().filter(|record| !logged.contains(record.sequence.as_str()));
        match missing.clone().next() {
            None => return found,
            // A checkpoint has passed a record, so that no more lines will come.
            Some(record) if begun.elapsed() > Duration::from_secs(60) => {
                panic!("{} of {} records have no line, the first is {record:?}", missing.count(), records.len())
            }
            Some(_) => pause().await,
        }
    }
}

/// Checks that each line is of a stored record, that the first lines of a shard's records are in its order, and that no
/// process repeats a line, because only a kill causes redelivery. Returns the number of repeated lines.
pub fn check_lines(lines: &[Line], records: &[Record]) -> usize {
    let known: BTreeSet<&str> = records.iter().map(|record| record.sequence.as_str()).collect();
    let mut written: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut newest: BTreeMap<&str, &str> = BTreeMap::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for Line { process, shard, sequence } in lines {
        assert!(known.contains(sequence.as_str()), "a line of a record that is not there: {sequence}");
        assert!(written.insert((process, sequence)), "{process} wrote the line of {sequence} twice");
        if seen.insert(sequence) {
            let before = newest.insert(shard, sequence);
            assert!(before < Some(sequence), "{shard}: the line of {sequence} came after that of {before:?}");
        }
    }
    lines.len() - seen.len()
}

/// Sets a tag of a group to the number of the change. Returns the last acknowledged change and the last change.
pub async fn tag(config: aws_config::SdkConfig, sent: Arc<Sent>) -> (u64, u64) {
    let iam = aws_sdk_iam::Client::new(&config);
    let (mut acknowledged, mut number) = (0, 0);
    while !sent.is_stopped() {
        number += 1;
        let tag = aws_sdk_iam::types::Tag::builder().key("number").value(number.to_string()).build().unwrap();
        match iam.tag_role().role_name("role").tags(tag).send().await {
            Ok(_) => acknowledged = number,
            Err(_) => pause().await,
        }
    }
    (acknowledged, number)
}

/// Waits until the endpoint answers.
pub async fn is_serving(config: &aws_config::SdkConfig) {
    let logs = aws_sdk_cloudwatchlogs::Client::new(config);
    while logs.describe_log_groups().send().await.is_err() {
        pause().await;
    }
}

/// Pauses, because immediate retries while the endpoint is down would take CPU time from its start.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// Parses the number that a message or a record begins with.
pub fn number(text: &str) -> u64 {
    text.split(' ').next().unwrap().parse().unwrap()
}

/// Reads the numbers of the messages of a stream, in order.
pub async fn events(config: &aws_config::SdkConfig, stream: &str) -> Vec<u64> {
    let logs = aws_sdk_cloudwatchlogs::Client::new(config);
    let mut numbers = vec![];
    let mut token: Option<String> = None;
    loop {
        let get = logs.get_log_events().log_group_name(GROUP).log_stream_name(stream).start_from_head(true);
        let page = get.set_next_token(token.clone()).send().await.unwrap();
        numbers.extend(page.events().iter().filter_map(|event| event.message()).map(number));
        let next = page.next_forward_token().map(str::to_owned);
        if next == token {
            return numbers;
        }
        token = next;
    }
}

/// Checks that acknowledged batches are stored once and in order, and that each other batch is stored completely in its
/// position or not at all.
pub fn check_batches(stream: &str, batches: &[(Vec<u64>, bool)], found: &[u64]) {
    let mut left = found;
    for (numbers, is_acknowledged) in batches {
        match left.strip_prefix(numbers.as_slice()) {
            Some(rest) => left = rest,
            None => assert!(!is_acknowledged, "{stream}: {numbers:?} is not there, before {:?}", left.first()),
        }
    }
    assert!(left.is_empty(), "{stream}: {left:?} is there again, or out of order, or torn");
}

pub async fn prepare(config: &aws_config::SdkConfig) {
    let logs = aws_sdk_cloudwatchlogs::Client::new(config);
    logs.create_log_group().log_group_name(GROUP).send().await.unwrap();
    for number in 0..LOG_WRITERS {
        let stream = format!("writer-{number}");
        logs.create_log_stream().log_group_name(GROUP).log_stream_name(stream).send().await.unwrap();
    }
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let iam = aws_sdk_iam::Client::new(config);
    iam.create_role().role_name("role").assume_role_policy_document(trust).send().await.unwrap();
}

/// Puts records, log events and tags of a role during `work`. Then checks that everything acknowledged is stored, once and
/// in order, and that each record has a line. Prints figures. Returns the smallest number of acknowledged puts of a kind.
pub async fn run(
    endpoint: &mut RestartableEndpoint,
    bytes: usize,
    rest: Duration,
    work: impl AsyncFnOnce(&mut RestartableEndpoint, &aws_config::SdkConfig),
) -> u64 {
    let config = endpoint.endpoint.sdk_config().await;
    let config = config.into_builder().retry_config(aws_config::retry::RetryConfig::disabled()).build();
    endpoint.endpoint.provision(&["--shards", "2"]);
    prepare(&config).await;

    let sent = Arc::new(Sent { stop: AtomicBool::new(false), next: AtomicU64::new(0), bytes, rest });
    let streams = (0..LOG_WRITERS).map(|number| format!("writer-{number}"));
    let put = |stream: String| (stream.clone(), tokio::spawn(put_events(config.clone(), Arc::clone(&sent), stream)));
    let writers: Vec<_> = streams.map(put).collect();
    let put = |key: usize| tokio::spawn(put_records(config.clone(), Arc::clone(&sent), format!("key-{key}")));
    let publishers: Vec<_> = (0..RECORD_WRITERS).map(put).collect();
    let tags = tokio::spawn(tag(config.clone(), Arc::clone(&sent)));
    let begun = Instant::now();
    work(endpoint, &config).await;
    let working = begun.elapsed();
    sent.stop.store(true, Ordering::Relaxed);

    let mut acknowledged = 0;
    for (stream, writer) in writers {
        let batches = writer.await.unwrap();
        check_batches(&stream, &batches, &events(&config, &stream).await);
        acknowledged += batches.iter().filter(|(_, is_acknowledged)| *is_acknowledged).count() as u64;
    }
    let found = records(&config).await;
    let mut puts = vec![];
    for publisher in publishers {
        let of_one = publisher.await.unwrap();
        check_order(&of_one, &found);
        puts.extend(of_one);
    }
    check_records(&puts, &found);
    let lines = all_lines(&config, &found).await;
    let repeated = check_lines(&lines, &found);
    let (last, tried) = tags.await.unwrap();
    let role = aws_sdk_iam::Client::new(&config).get_role().role_name("role").send().await.unwrap();
    let value: u64 = role.role().unwrap().tags()[0].value().parse().unwrap();
    assert!((last..=tried).contains(&value), "the role's tag says {value}, acknowledged was {last}");
    let put = puts.iter().filter(|(_, placed)| placed.is_some()).count() as u64;
    println!("{} records are there, and {} lines, {repeated} of them written again", found.len(), lines.len());
    println!("the load ran for {working:.0?}, checking took {:.0?}", begun.elapsed() - working);
    println!("acknowledged: {put} puts of records, {acknowledged} of log events, {last} changes of a role");
    put.min(acknowledged).min(last)
}

/// Kills the endpoint at random moments.
pub async fn kill(
    endpoint: &mut RestartableEndpoint,
    config: &aws_config::SdkConfig,
    kills: u64,
    random: &mut fastrand::Rng,
) {
    for _ in 0..kills {
        // Some kills hit the start, most hit normal operation.
        if random.u8(0..5) > 0 {
            is_serving(config).await;
        }
        tokio::time::sleep(Duration::from_millis(random.u64(0..300))).await;
        tokio::task::block_in_place(|| endpoint.kill());
    }
}
