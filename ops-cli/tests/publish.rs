//! Publishing under faults: no record is lost, and the summary is correct.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_kinesis::Client;
use common::publishing::{active, endpoint, fault, file, has, line_count, lines, numbered, on_stream, path, text};
use common::{Endpoint, Run, eventually};
use serde_json::{Value, json};

fn number(data: &str) -> u64 {
    serde_json::from_str::<Value>(data).unwrap()["n"].as_u64().unwrap()
}

/// The records of the fault-injecting run. With shards that accept 1,000 records/s each, they take most of a minute.
fn records_of_the_bad_day() -> u64 {
    std::env::var("PUBLISH_TEST_RECORDS").map_or(200_000, |count| count.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_bad_day_nothing_is_lost_and_each_key_keeps_its_order() {
    bad_day("bad-day", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_bad_day_no_aggregate_is_lost_or_spans_shards() {
    // Without a limit, aggregates would be finished before the stream is resharded.
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

/// Returns how often the endpoint injected a fault of this kind.
fn struck(endpoint: &Endpoint, kind: &str) -> u64 {
    let faults: Vec<Value> = serde_json::from_str(&endpoint.faults("GET", "")).unwrap();
    faults.iter().find(|fault| fault["kind"] == kind).unwrap()["struck"].as_u64().unwrap()
}

/// Splits the stream's shard and merges the halves while records are put.
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
    send(&first, signal);
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
async fn abandoned_records_are_dead_lettered_and_can_be_resent() {
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
async fn slow_input_is_aggregated_and_not_delayed() {
    let (endpoint, client) = endpoint(1).await;
    let receipts = path("slow");
    let mut publish = endpoint.ops(["publish", "--aggregate", "--quiet", "--receipts", text(&receipts)]);
    let mut publish = publish.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = publish.stdin.take().unwrap();
    // The unfinished line does not delay the complete ones.
    stdin.write_all(b"one\ntwo\nthree\nunfin").unwrap();
    eventually("the receipts of what was written", || (line_count(&receipts) == 3).then_some(()));
    assert!(lines(&receipts).iter().all(|receipt| receipt["subSequenceNumber"].is_number()));
    stdin.write_all(b"ished").unwrap();
    drop(stdin);
    assert_eq!(publish.wait().unwrap().code(), Some(0));
    let data: Vec<_> = on_stream(&client).await.into_iter().map(|(_, data)| data).collect();
    assert_eq!(data, ["one", "two", "three", "unfinished"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_another_run_are_not_overwritten() {
    let (endpoint, _client) = endpoint(1).await;
    let receipts = path("twice");
    endpoint.run(["publish", "x", "--receipts", text(&receipts)]).ok();
    endpoint.run(["publish", "x", "--receipts", text(&receipts)]).failed(2, "already contains receipts", "--resume");
    let run = Run::with_stdin(&mut endpoint.ops(["publish", "--quiet", "--file", "-"]), b"a\nb\n").ok();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
}

/// Sends a signal to a process that was started.
fn send(process: &Child, signal: &str) {
    Command::new("kill").args([signal, &process.id().to_string()]).status().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn second_interrupt_aborts_and_prints_the_summary() {
    let (endpoint, _client) = endpoint(1).await;
    fault(&endpoint, "latency", json!({ "milliseconds": 20_000 }));
    let (input, dead) = (file("twice-interrupted", numbered(3000, 7)), path("twice-interrupted-dead"));
    let mut publish = endpoint.ops(["publish", "--quiet", "--file", text(&input), "--dead-letter", text(&dead)]);
    let publish = publish.stderr(Stdio::piped()).spawn().unwrap();
    eventually("a request under way", || (struck(&endpoint, "latency") > 0).then_some(()));
    let begun = Instant::now();
    send(&publish, "-INT");
    // The first interrupt is handled before the second one is sent: records that were never sent get no dead letter.
    tokio::time::sleep(Duration::from_millis(200)).await;
    send(&publish, "-INT");
    let output = publish.wait_with_output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    let letters = lines(&dead);
    assert!(!letters.is_empty() && letters.len().is_multiple_of(500), "{}", letters.len());
    assert!(letters.iter().all(|letter| letter["mayBePut"] == true), "{}", letters[0]);
    assert!(stderr.contains("except for dead letters"), "{stderr}");
    assert!(stderr.contains("waiting for the answers to ") && stderr.contains("interrupt again"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_the_retries() {
    for (kind, is_in_doubt) in [("failedEntries", false), ("throttled", false), ("droppedAnswer", true)] {
        let (endpoint, _client) = endpoint(1).await;
        fault(&endpoint, kind, json!({ "probability": 1.0 }));
        let (input, dead) = (file(&format!("ended-{kind}"), numbered(3, 7)), path(&format!("ended-{kind}-dead")));
        let mut publish = endpoint.ops(["publish", "--file", text(&input), "--dead-letter", text(&dead)]);
        let publish = publish.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        eventually("a request that fails", || (struck(&endpoint, kind) > 0).then_some(()));
        let begun = Instant::now();
        send(&publish, "-TERM");
        let output = publish.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(130), "{kind}: {stderr}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{kind}: {:?}", begun.elapsed());
        // A record that is known not to be on the stream is unread, and one whose answer was lost is a dead letter.
        let expected = if is_in_doubt { "3 records read = 0 acknowledged + 3 dead-lettered" } else { "0 records read" };
        assert!(stderr.contains(expected), "{kind}: {stderr}");
        let letters = lines(&dead);
        assert_eq!(letters.len(), if is_in_doubt { 3 } else { 0 }, "{kind}");
        assert!(letters.iter().all(|letter| letter["mayBePut"] == true), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_throttles_requests_is_asked_more_and_more_rarely() {
    let (endpoint, _client) = endpoint(1).await;
    fault(&endpoint, "throttled", json!({ "probability": 1.0 }));
    let run = endpoint.run(["publish", "x", "--deadline", "3"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    // The pauses double from 10 ms.
    let requests = struck(&endpoint, "throttled");
    assert!((4..=14).contains(&requests), "{requests} requests in 3 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_of_receipts_or_dead_letters_ends_the_run_with_its_summary() {
    let (endpoint, client) = endpoint(1).await;
    let input = file("full", numbered(5000, 7));
    let run = endpoint.run(["publish", "--file", text(&input), "--receipts", "/dev/full"]);
    let run = run.failed(1, "could not write /dev/full: No space left on device", "--resume /dev/full");
    assert!(run.stderr.contains("acknowledged last have no receipt"), "{}", run.stderr);
    let put = on_stream(&client).await.len();
    assert!(
        run.stderr.contains(&format!("{put} records read = {put} acknowledged + 0 dead-lettered")),
        "{}",
        run.stderr
    );
    assert!(put < 5000, "it stopped: {put}");

    let errors = Run::with_stdin(&mut endpoint.ops(["publish", "--base64", "--dead-letter", "/dev/full"]), b"%\n%\n");
    let errors = errors.failed(1, "could not write /dev/full", "--receipts");
    assert!(errors.stderr.contains("not published: line 1 of stdin is not valid base64"), "{}", errors.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failure_after_a_long_silence_does_not_end_the_run() {
    let (endpoint, client) = endpoint(1).await;
    let mut publish = endpoint.ops(["publish", "--quiet", "--deadline", "1"]);
    let mut publish = publish.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = publish.stdin.take().unwrap();
    // Longer than the deadline.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    fault(&endpoint, "serverError", json!({ "probability": 1.0 }));
    stdin.write_all(b"late\n").unwrap();
    eventually("a request that fails", || (struck(&endpoint, "serverError") > 0).then_some(()));
    endpoint.faults("DELETE", "");
    drop(stdin);
    let output = publish.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(on_stream(&client).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_ends_before_its_receipts_is_rejected() {
    let (endpoint, _client) = endpoint(1).await;
    let (input, receipts) = (file("longer", numbered(10, 2)), path("longer-receipts"));
    endpoint.run(["publish", "--file", text(&input), "--receipts", text(&receipts)]).ok();
    endpoint.run(["publish", "--file", text(&input), "--resume", text(&receipts)]).ok();
    let other = file("shorter", numbered(9, 2));
    let run = endpoint.run(["publish", "--file", text(&other), "--resume", text(&receipts)]);
    run.failed(2, "for an input of at least 10 records, and this one has 9", "the same input");
}
