//! Publishing on a bad day: whatever fails, nothing is lost, and what is told about it is true.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::{Shard, ShardIteratorType, StreamStatus};
use common::{Endpoint, Run, eventually};
use kinesis_event_logger_core::{Aggregate, hash_key};
use serde_json::{Value, json};

fn path(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("publish-{name}-{}", std::process::id()));
    std::fs::remove_file(&path).ok();
    path
}

fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = path(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    let content = std::fs::read_to_string(path).unwrap();
    content.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn line_count(path: &Path) -> usize {
    std::fs::read(path).map_or(0, |content| content.iter().filter(|byte| **byte == b'\n').count())
}

fn has(path: &Path, what: &str) -> Option<()> {
    std::fs::read_to_string(path).is_ok_and(|content| content.contains(what)).then_some(())
}

/// An endpoint with the stream test-dev.
async fn endpoint(shards: i32) -> (Endpoint, Client) {
    let endpoint = Endpoint::start();
    let client = Client::new(&endpoint.sdk_config().await);
    client.create_stream().stream_name("test-dev").shard_count(shards).send().await.unwrap();
    active(&client).await;
    (endpoint, client)
}

async fn active(client: &Client) {
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
fn fault(endpoint: &Endpoint, kind: &str, more: Value) {
    let mut fault = json!({ "operation": "PutRecords", "kind": kind });
    fault.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    endpoint.fault(&fault);
}

/// Every record on the stream, shard by shard in the order they were made: parents before children. Aggregates are taken
/// apart as by the KCL, which drops what is in an aggregate on another shard than its own.
async fn on_stream(client: &Client) -> Vec<(String, String)> {
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

fn takes(shard: &Shard, key: &str) -> bool {
    let range = shard.hash_key_range.as_ref().unwrap();
    let (first, last) = (range.starting_hash_key.parse().unwrap(), range.ending_hash_key.parse().unwrap());
    (first..=last).contains(&hash_key(key))
}

/// `count` lines, `{"n":…,"k":…}`, of so many keys.
fn numbered(count: u64, keys: u64) -> String {
    (0..count).map(|n| format!("{{\"n\":{n},\"k\":\"key-{}\"}}\n", n % keys)).collect()
}

fn number(data: &str) -> u64 {
    serde_json::from_str::<Value>(data).unwrap()["n"].as_u64().unwrap()
}

/// Records of the fault-injecting run: with shards that take 1,000 a second each they take most of a minute.
fn records_of_the_bad_day() -> u64 {
    std::env::var("PUBLISH_TEST_RECORDS").map_or(200_000, |count| count.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_bad_day_nothing_is_lost_and_each_key_keeps_its_order() {
    bad_day("bad-day", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_bad_day_aggregates_lose_nothing_and_hold_records_of_one_shard() {
    // Aggregates would be done before the stream is resharded.
    let rate = (records_of_the_bad_day() / 5).to_string();
    bad_day("bad-day-aggregates", &["--aggregate", "--rate", &rate]).await;
}

async fn bad_day(name: &str, more: &[&str]) {
    let (endpoint, client) = endpoint(4).await;
    let count = records_of_the_bad_day();
    let input = file(name, numbered(count, 4999));
    let receipts = path(&format!("{name}-receipts"));
    fault(&endpoint, "failedEntries", json!({ "probability": 0.05, "seed": 1 }));
    fault(&endpoint, "serverError", json!({ "probability": 0.02, "seed": 2 }));
    fault(&endpoint, "droppedAnswer", json!({ "probability": 0.01, "seed": 3 }));
    fault(&endpoint, "shardLimit", json!({ "recordsPerSecond": 1000 }));

    let args = ["publish", "--file", text(&input), "--key-field", "/k", "--ordered", "--receipts", text(&receipts)];
    let publish = endpoint.ops(args.iter().chain(more)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("receipts of the first shard", || has(&receipts, "shardId-000000000000"));
    reshard(&client, &receipts).await;
    let output = publish.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains(&format!("{count} records read = {count} acknowledged + 0 dead-lettered")), "{stderr}");

    let receipts = lines(&receipts);
    let offsets: BTreeSet<_> = receipts.iter().map(|receipt| receipt["offset"].as_u64().unwrap()).collect();
    assert_eq!((receipts.len() as u64, offsets.len() as u64), (count, count), "a receipt for each");
    let shards: BTreeSet<_> = receipts.iter().map(|receipt| receipt["shardId"].as_str().unwrap()).collect();
    assert_eq!(shards.len(), 7, "records went to old and new shards: {shards:?}");

    let records = on_stream(&client).await;
    let mut times = BTreeMap::<u64, usize>::new();
    let mut last = BTreeMap::<&str, u64>::new();
    for (key, data) in &records {
        let n = number(data);
        let seen = times.entry(n).or_default();
        *seen += 1;
        if *seen == 1
            && let Some(before) = last.insert(key, n)
        {
            assert!(before < n, "{key}: {n} after {before}");
        }
    }
    assert_eq!(times.len() as u64, count, "nothing is lost");
    for receipt in receipts.iter().filter(|receipt| receipt["mayRepeat"].is_null()) {
        assert_eq!(times[&receipt["offset"].as_u64().unwrap()], 1, "only what may repeat does: {receipt}");
    }
    if more.is_empty() {
        let repeats = times.values().map(|seen| seen - 1).sum::<usize>() as u64;
        let lost = struck(&endpoint, "droppedAnswer");
        assert!(repeats <= 500 * lost, "{repeats} records again, after {lost} lost answers to requests of 500 at most");
    }
    let inside = receipts.iter().filter(|receipt| receipt["subSequenceNumber"].is_number()).count();
    assert_eq!(inside > receipts.len() / 2, !more.is_empty(), "{inside} receipts of aggregates");
}

/// How often the endpoint met a fault of this kind.
fn struck(endpoint: &Endpoint, kind: &str) -> u64 {
    let faults: Vec<Value> = serde_json::from_str(&endpoint.faults("GET", "")).unwrap();
    faults.iter().find(|fault| fault["kind"] == kind).unwrap()["struck"].as_u64().unwrap()
}

/// One split and one merge, of the halves, while records are put.
async fn reshard(client: &Client, receipts: &Path) {
    let middle = (u128::MAX / 8).to_string();
    let split = client.split_shard().stream_name("test-dev").shard_to_split("shardId-000000000000");
    split.new_starting_hash_key(middle).send().await.unwrap();
    active(client).await;
    eventually("receipts of both children", || has(receipts, "shardId-000000000005"));
    let merge = client.merge_shards().stream_name("test-dev").shard_to_merge("shardId-000000000004");
    merge.adjacent_shard_to_merge("shardId-000000000005").send().await.unwrap();
    active(client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_is_resumed_without_losing_or_repeating() {
    interrupted_and_resumed("-INT", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_run_of_aggregates_is_resumed_without_losing_or_repeating() {
    interrupted_and_resumed("-TERM", &["--aggregate", "--ordered", "--key-field", "/k"]).await;
}

async fn interrupted_and_resumed(signal: &str, how: &[&str]) {
    let (endpoint, client) = endpoint(2).await;
    let count = 20_000;
    let input = file(&format!("resume{signal}"), numbered(count, 50));
    let receipts = path(&format!("resume{signal}-receipts"));
    let publish = ["publish", "--file", text(&input)];
    let publish: Vec<_> = publish.iter().chain(how).collect();
    let mut first = endpoint
        .ops(publish.iter().chain(&[&"--rate", &"4000", &"--receipts", &text(&receipts)]))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("the first receipts", || (line_count(&receipts) > 1000).then_some(()));
    std::process::Command::new("kill").args([signal, &first.id().to_string()]).status().unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(130));
    let mut stderr = String::new();
    first.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(stderr.contains(&format!("--resume {}", text(&receipts))), "{stderr}");
    let done = line_count(&receipts) as u64;
    assert!((1000..count).contains(&done), "{done}");
    assert_eq!(on_stream(&client).await.len() as u64, done, "what is on the stream has a receipt");

    let second = endpoint.run([&"--output", &"json"].iter().chain(&publish).chain(&[&"--resume", &text(&receipts)]));
    let summary = second.ok().json().remove(0);
    assert_eq!((summary["skipped"].as_u64(), summary["acknowledged"].as_u64()), (Some(done), Some(count - done)));
    let mut numbers: Vec<_> = on_stream(&client).await.iter().map(|(_, data)| number(data)).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..count).collect::<Vec<_>>());
    assert_eq!(line_count(&receipts) as u64, count);
}

#[tokio::test(flavor = "multi_thread")]
async fn input_errors_go_to_the_dead_letters_or_stop_at_once() {
    let (endpoint, client) = endpoint(1).await;
    let mut content = b"{\"k\":\"a\"}\n{\"k\":\n{}\n".to_vec();
    content.extend(vec![b'x'; 1_100_000]);
    content.extend(b"\n{\"k\":\"last\"}\n");
    let input = file("errors", &content);
    let dead = path("errors-dead");
    let publish = ["publish", "--file", text(&input), "--key-field", "/k", "--dead-letter", text(&dead)];
    let run = endpoint.run(publish).failed(1, "3 of 5 records were not published", text(&dead));
    assert_eq!(run.stdout.lines().count(), 2);
    assert!(run.stderr.contains("5 records read = 2 acknowledged + 3 dead-lettered"), "{}", run.stderr);
    let letters = lines(&dead);
    let places: Vec<_> = letters.iter().map(|letter| (&letter["offset"], &letter["line"])).collect();
    assert_eq!(places, [(&json!(1), &json!(2)), (&json!(2), &json!(3)), (&json!(3), &json!(4))]);
    for (letter, reason) in letters.iter().zip(["is not valid JSON", "has no field /k", "is too large"]) {
        assert!(letter["reason"].as_str().unwrap().starts_with(reason), "{}", letter["reason"]);
    }

    endpoint.run(publish.iter().chain(&["--strict"])).failed(2, "line 2 of", "--dead-letter");
    assert_eq!(on_stream(&client).await.len(), 3, "what came before the error was published");
    assert_eq!(endpoint.run(["publish", "--hash-key", "x", "data"]).code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_is_dead_lettered_and_can_be_sent_again() {
    let (endpoint, client) = endpoint(1).await;
    fault(&endpoint, "failedEntries", json!({ "probability": 1.0 }));
    let input = file("given-up", "one\ntwo\n");
    let dead = path("given-up-dead");
    let publish = ["publish", "--file", text(&input), "--key", "k", "--deadline", "1", "--dead-letter", text(&dead)];
    endpoint.run(publish).failed(1, "2 of 2 records were not published", text(&dead));
    assert!(lines(&dead)[0]["reason"].as_str().unwrap().contains("InternalFailure"));

    endpoint.faults("DELETE", "");
    endpoint.run(["publish", "--entries", "--file", text(&dead)]).ok();
    let mut records = on_stream(&client).await;
    records.sort();
    assert_eq!(records, [("k".into(), "one".into()), ("k".into(), "two".into())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_requests_and_shards_and_sends_nothing() {
    let (endpoint, client) = endpoint(2).await;
    let input = file("dry", numbered(1200, 1200));
    let run = endpoint.run(["--output", "json", "publish", "--dry-run", "--file", text(&input), "--key-field", "/k"]);
    let plan = run.ok().json().remove(0);
    assert_eq!((&plan["records"], &plan["requests"], &plan["entries"]), (&json!(1200), &json!(3), &json!(1200)));
    let how = ["--file", text(&input), "--key-field", "/k", "--aggregate"];
    let aggregated =
        endpoint.run(["--output", "json", "publish", "--dry-run"].iter().chain(&how)).ok().json().remove(0);
    assert_eq!((&aggregated["records"], &aggregated["requests"]), (&json!(1200), &json!(1)));
    assert_eq!(
        (&aggregated["entries"], &aggregated["bytes"]),
        (&json!(2), &plan["bytes"]),
        "one a shard: {aggregated}"
    );
    let shards: u64 = plan["shards"].as_array().unwrap().iter().map(|shard| shard["records"].as_u64().unwrap()).sum();
    assert_eq!(shards, 1200);
    assert!(on_stream(&client).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_input_is_aggregated_and_not_held_back() {
    let (endpoint, client) = endpoint(1).await;
    let receipts = path("slow");
    let mut publish = endpoint.ops(["publish", "--aggregate", "--quiet", "--receipts", text(&receipts)]);
    let mut publish = publish.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = publish.stdin.take().unwrap();
    // What is unfinished holds back nothing.
    stdin.write_all(b"one\ntwo\nthree\nunfin").unwrap();
    eventually("the receipts of what was written", || (line_count(&receipts) == 3).then_some(()));
    assert!(lines(&receipts).iter().all(|receipt| receipt["subSequenceNumber"].is_number()));
    stdin.write_all(b"ished").unwrap();
    drop(stdin);
    assert_eq!(publish.wait().unwrap().code(), Some(0));
    let data: Vec<_> = on_stream(&client).await.into_iter().map(|(_, data)| data).collect();
    assert_eq!(data, ["one", "two", "three", "unfinished"]);
}

/// Beside the program itself, of which a development build has twice as much in memory as a release: with that, 64 MiB.
const MOST_RESIDENT_KIB: u64 = 48 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_small_whatever_the_input() {
    let (endpoint, client) = endpoint(1).await;
    // 120 MB of records of 600 KB, from two files.
    let highest = most_resident(&endpoint, 600_000, 100);
    assert!((1..MOST_RESIDENT_KIB).contains(&highest), "{highest} KiB resident");
    // The largest that a stream can be set to take.
    let arn = client.describe_stream_summary().stream_name("test-dev").send().await.unwrap();
    let arn = arn.stream_description_summary.unwrap().stream_arn;
    client.update_max_record_size().stream_arn(arn).max_record_size_in_kib(10_240).send().await.unwrap();
    active(&client).await;
    let highest = most_resident(&endpoint, 10 * 1024 * 1024 - 100, 3);
    assert!((1..MOST_RESIDENT_KIB).contains(&highest), "{highest} KiB resident");
}

/// KiB that `publish` has resident at most, its program aside, with twice so many lines of this length.
fn most_resident(endpoint: &Endpoint, length: usize, lines: usize) -> u64 {
    let line = format!("{}\n", "x".repeat(length));
    let input = file("large", line.repeat(lines));
    let mut child = endpoint
        .ops(["publish", "--quiet", "--file", text(&input), "--file", text(&input)])
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut highest = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let kib = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse().ok()
        };
        highest = highest.max(kib("VmHWM:").zip(kib("RssFile:")).map_or(0, |(most, program)| most - program));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    std::fs::remove_file(input).unwrap();
    highest
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_another_run_are_not_overwritten() {
    let (endpoint, _client) = endpoint(1).await;
    let receipts = path("twice");
    endpoint.run(["publish", "x", "--receipts", text(&receipts)]).ok();
    endpoint.run(["publish", "x", "--receipts", text(&receipts)]).failed(2, "holds receipts already", "--resume");
    let run = Run::with_stdin(&mut endpoint.ops(["publish", "--quiet", "--file", "-"]), b"a\nb\n").ok();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
}
