//! Tests of `ops-cli verify`: it finds every line, and reports the records without one.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use common::{Endpoint, Run, scratch};
use serde_json::{Value, json};

#[test]
fn every_record_is_found_in_both_log_formats_despite_faults() {
    for format in ["json", "text"] {
        let endpoint = Endpoint::start();
        endpoint.provision(&["--shards", "2", "--log-format", format]);
        for fault in [
            json!({ "operation": "PutRecords", "kind": "throttledEntries", "probability": 0.05 }),
            json!({ "operation": "PutRecords", "kind": "failedEntries", "probability": 0.05 }),
            json!({ "operation": "PutRecords", "kind": "shardLimit", "recordsPerSecond": 1000 }),
            json!({ "operation": "PutRecords", "kind": "serverError", "probability": 0.1, "seed": 5 }),
            json!({ "operation": "PutRecords", "kind": "droppedAnswer", "probability": 0.05, "seed": 6 }),
            json!({ "operation": "*", "kind": "latency", "milliseconds": 20, "probability": 0.1 }),
            json!({ "operation": "Invoke", "kind": "functionCrash", "milliseconds": 1, "probability": 0.3, "seed": 3 }),
        ] {
            endpoint.fault(&fault);
        }
        // Text is harder to parse, and lines of aggregated records have more fields.
        let aggregate = (format == "text").then_some("--aggregate");
        let verify = ["--output", "json", "verify", "--count", "500"];
        let report = endpoint.run(verify.into_iter().chain(aggregate)).ok().json().remove(0);
        assert_eq!((&report["published"], &report["logged"]), (&json!(500), &json!(500)), "{report}");
        assert_eq!((&report["missingCount"], &report["outOfOrder"]), (&json!(0), &json!(0)), "{report}");
        let counted: u64 =
            report["histogram"].as_array().unwrap().iter().map(|row| row["count"].as_u64().unwrap()).sum();
        assert_eq!(counted, 500);
        let faults: Vec<Value> = serde_json::from_str(&endpoint.faults("GET", "")).unwrap();
        let crash = faults.iter().find(|fault| fault["kind"] == "functionCrash").unwrap();
        assert!(crash["struck"].as_u64() > Some(0), "{crash}");
    }
}

#[test]
fn a_record_published_twice_after_a_lost_answer_is_reported() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    endpoint.fault(&json!({ "operation": "PutRecords", "kind": "droppedAnswer", "probability": 0.3, "seed": 7 }));
    let report = endpoint.run(["--output", "json", "verify", "--count", "400"]).ok().json().remove(0);
    assert_eq!((&report["logged"], &report["missingCount"]), (&json!(400), &json!(0)), "{report}");
    let faults: Vec<Value> = serde_json::from_str(&endpoint.faults("GET", "")).unwrap();
    assert!(faults[0]["struck"].as_u64() > Some(0), "{faults:?}");
    assert!(report["duplicates"].as_u64() > Some(0), "{report}");
}

/// Imitates a batch that failed after its lines were written.
#[tokio::test(flavor = "multi_thread")]
async fn lines_repeated_after_the_last_record_are_counted() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let receipts = scratch("verify-again");
    let file = receipts.to_str().unwrap();
    endpoint.run(["publish", "x", "--receipts", file]).ok();
    let once = endpoint.run(["--output", "json", "verify", "--receipts", file]).ok().json().remove(0);
    assert_eq!(once["duplicates"], 0, "{once}");

    let receipt: Value = serde_json::from_slice(&std::fs::read(&receipts).unwrap()).unwrap();
    let line = json!({ "level": "INFO", "v": 1, "requestId": "r", "sequenceNumber": receipt["sequenceNumber"], "partitionKey": "k" }).to_string();
    let logs = aws_sdk_cloudwatchlogs::Client::new(&endpoint.sdk_config().await);
    let (group, stream) = ("/aws/lambda/test-dev", "again");
    logs.create_log_stream().log_group_name(group).log_stream_name(stream).send().await.unwrap();
    let mut verify = endpoint.ops(["--output", "json", "verify", "--receipts", file, "--settle", "1s"]);
    let mut verify = verify.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut put = 0;
    // Far more lines than can exist when the record is first found.
    while verify.try_wait().unwrap().is_none() {
        let event = InputLogEvent::builder().timestamp(jiff::Timestamp::now().as_millisecond()).message(&line);
        let event = event.build().unwrap();
        let put_events = logs.put_log_events().log_group_name(group).log_stream_name(stream);
        put_events.log_events(event).send().await.unwrap();
        put += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let report: Value = serde_json::from_reader(verify.stdout.take().unwrap()).unwrap();
    assert!(report["duplicates"].as_u64() > Some(put / 2), "{report} of {put}");
}

#[test]
fn compressed_and_aggregated_records_are_logged_as_their_originals() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--shards", "2"]);
    let mut logged = 0;
    for (n, how) in [&["--compress", "gzip"][..], &["--aggregate", "--compress", "zstd"]].into_iter().enumerate() {
        let receipts = scratch(&format!("verify-compressed-{n}"));
        let file = receipts.to_str().unwrap();
        let input: String = (0..50).map(|record| format!("run {n}, record {record}\n")).collect();
        Run::with_stdin(&mut endpoint.ops(["publish", "--receipts", file].iter().chain(how)), input.as_bytes()).ok();
        let report = endpoint.run(["--output", "json", "verify", "--receipts", file]).ok().json().remove(0);
        assert_eq!((&report["logged"], &report["duplicates"]), (&json!(50), &json!(0)), "{report}");
        logged += 50;
        let log = endpoint.run(["--output", "json", "tail", "--filter", "{ $.type = text }"]).ok().stdout;
        for line in input.lines() {
            assert!(log.contains(line), "no {line:?} in {log}");
        }
        assert_eq!(log.lines().count(), logged);
    }
}

#[test]
fn compact_lines_are_matched_and_data_alone_is_reported_as_undecidable() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--env", "LOGGER_FIELDS=compact"]);
    let report = endpoint.run(["--output", "json", "verify", "--count", "50"]).ok().json().remove(0);
    assert_eq!((&report["logged"], &report["duplicates"]), (&json!(50), &json!(0)), "{report}");
    assert!(!report["histogram"].as_array().unwrap().is_empty(), "{report}");
    let log = endpoint.run(["tail"]).ok().stdout;
    assert!(log.contains("verify-0"), "{log}");

    let endpoint = Endpoint::start();
    endpoint.provision(&["--log-format", "text", "--env", "LOGGER_FIELDS=data"]);
    let run = endpoint.run(["verify", "--count", "50"]);
    let run = run.failed(1, "cannot tell whether every record was logged", "LOGGER_FIELDS");
    assert!(run.stdout.contains("of this run without a sequence number"), "{}", run.stdout);
    assert!(!run.stdout.contains("missing: record"), "{}", run.stdout);
}

#[test]
fn a_record_without_a_line_is_named() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let receipts = scratch("verify-not-logged");
    let file = receipts.to_str().unwrap();
    Run::with_stdin(&mut endpoint.ops(["publish", "--receipts", file]), b"one\ntwo\nthree\n").ok();
    let text = endpoint.run(["verify", "--receipts", file]).ok().stdout;
    assert!(text.starts_with("3 published, 3 logged: 0 missing"), "{text}");
    assert!(text.contains('█'), "{text}");

    // A receipt of a record that was never logged.
    let lost = std::fs::read_to_string(&receipts).unwrap().lines().next().unwrap().to_owned();
    let mut lost: Value = serde_json::from_str(&lost).unwrap();
    (lost["offset"], lost["sequenceNumber"]) = (json!(3), json!("495900000"));
    let mut all = std::fs::OpenOptions::new().append(true).open(&receipts).unwrap();
    writeln!(all, "{lost}").unwrap();
    let run = endpoint.run(["verify", "--receipts", file, "--timeout", "1s"]);
    let run = run.failed(1, "1 record without a log line", "--timeout");
    assert!(run.stdout.contains("missing: record 3, shardId-000000000000 495900000"), "{}", run.stdout);
}
