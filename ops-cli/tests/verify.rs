//! Proof that what was published was logged; and that what was not is found out.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::path::Path;

use common::{Endpoint, Run};
use serde_json::{Value, json};

#[test]
fn on_a_bad_day_everything_is_found_in_either_form_of_the_log() {
    for format in ["json", "text"] {
        let endpoint = Endpoint::start();
        endpoint.provision(&["--shards", "2", "--log-format", format]);
        endpoint.fault(&json!({ "operation": "PutRecords", "kind": "throttledEntries", "probability": 0.05 }));
        endpoint.fault(&json!({ "operation": "PutRecords", "kind": "serverError", "probability": 0.1, "seed": 5 }));
        endpoint.fault(&json!({ "operation": "PutRecords", "kind": "droppedAnswer", "probability": 0.05, "seed": 6 }));
        endpoint.fault(&json!({ "operation": "*", "kind": "latency", "milliseconds": 20, "probability": 0.1 }));
        // Text is the harder one to read, and aggregates have more on the line.
        let aggregate = (format == "text").then_some("--aggregate");
        let verify = ["--output", "json", "verify", "--count", "500"];
        let report = endpoint.run(verify.into_iter().chain(aggregate)).ok().json().remove(0);
        assert_eq!((&report["published"], &report["logged"]), (&json!(500), &json!(500)), "{report}");
        assert_eq!((&report["missingCount"], &report["outOfOrder"]), (&json!(0), &json!(0)), "{report}");
        let counted: u64 =
            report["histogram"].as_array().unwrap().iter().map(|row| row["count"].as_u64().unwrap()).sum();
        assert_eq!(counted, 500);
    }
}

#[test]
fn what_is_compressed_and_aggregated_comes_out_as_the_lines_it_was() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--shards", "2"]);
    let mut logged = 0;
    for (n, how) in [&["--compress", "gzip"][..], &["--aggregate", "--compress", "zstd"]].into_iter().enumerate() {
        let receipts =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("verify-compressed-{n}-{}", std::process::id()));
        std::fs::remove_file(&receipts).ok();
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
fn a_record_that_was_not_logged_is_named() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let receipts = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("verify-{}", std::process::id()));
    std::fs::remove_file(&receipts).ok();
    let file = receipts.to_str().unwrap();
    Run::with_stdin(&mut endpoint.ops(["publish", "--receipts", file]), b"one\ntwo\nthree\n").ok();
    let text = endpoint.run(["verify", "--receipts", file]).ok().stdout;
    assert!(text.starts_with("3 published, 3 logged: 0 missing"), "{text}");
    assert!(text.contains('█'), "{text}");

    // A receipt of a record that nobody logged.
    let lost = std::fs::read_to_string(&receipts).unwrap().lines().next().unwrap().to_owned();
    let mut lost: Value = serde_json::from_str(&lost).unwrap();
    (lost["offset"], lost["sequenceNumber"]) = (json!(3), json!("495900000"));
    let mut all = std::fs::OpenOptions::new().append(true).open(&receipts).unwrap();
    writeln!(all, "{lost}").unwrap();
    let run = endpoint.run(["verify", "--receipts", file, "--timeout", "1s"]);
    let run = run.failed(1, "1 records have no log line", "--timeout");
    assert!(run.stdout.contains("missing: record 3, shardId-000000000000 495900000"), "{}", run.stdout);
}
