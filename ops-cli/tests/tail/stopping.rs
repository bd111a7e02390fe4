//! The end of a run, and its exit code.

use std::time::{Duration, Instant};

use serde_json::json;

use super::common::running::Running;
use super::{Fixture, ago};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_after_a_count_a_match_or_an_idle_time() {
    let fixture = Fixture::new().await;
    fixture.put_at(ago(5), &["one", "two", "three"]).await;
    assert_eq!(fixture.endpoint.run(["tail", "-f", "--count", "2"]).ok().stdout, "one\ntwo\n");
    assert_eq!(fixture.endpoint.run(["tail", "--idle-exit", "500ms"]).ok().stdout, "one\ntwo\nthree\n");
    let mut tail =
        Running::start(&mut fixture.endpoint.ops(["tail", "--until-match", "is ready$", "--timeout", "60s"]));
    tail.stdout.has("three");
    fixture.put(&["it is ready", "what comes after"]).await;
    assert_eq!(tail.ended(), 0);
    assert_eq!(tail.stdout.lines().last().map(String::as_str), Some("it is ready"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_or_count_that_does_not_come_in_time_fails() {
    let fixture = Fixture::new().await;
    fixture.put(&["one"]).await;
    let run = fixture.endpoint.run(["tail", "--until-match", "ready", "--timeout", "1s"]);
    assert_eq!(run.stdout, "one\n");
    run.failed(1, "no event matched --until-match ready within 1s", "--timeout");
    let run = fixture.endpoint.run(["tail", "-f", "--count", "5", "--timeout", "500ms"]);
    run.failed(1, "1 of the 5 events of --count were shown within 500ms", "--timeout");
    fixture.endpoint.run(["tail", "-f", "--timeout", "500ms"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_idle_time_begins_once_everything_was_read() {
    let fixture = Fixture::new().await;
    fixture.put_at(ago(5), &["one", "two", "three"]).await;
    fixture
        .endpoint
        .fault(&json!({ "operation": "FilterLogEvents", "kind": "latency", "milliseconds": 1500, "probability": 1 }));
    assert_eq!(fixture.endpoint.run(["tail", "--idle-exit", "300ms"]).ok().stdout, "one\ntwo\nthree\n");
    fixture.endpoint.run(["tail", "--idle-exit", "0"]).failed(
        2,
        "--idle-exit 0 is not a time to wait",
        "for example 5s",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_its_timeout_cuts_off_fails() {
    let fixture = Fixture::new().await;
    fixture.put_at(ago(5), &["one", "two", "three"]).await;
    assert_eq!(fixture.endpoint.run(["tail", "--timeout", "30s"]).ok().stdout, "one\ntwo\nthree\n");
    fixture
        .endpoint
        .fault(&json!({ "operation": "FilterLogEvents", "kind": "latency", "milliseconds": 20_000, "probability": 1 }));
    let run = fixture.endpoint.run(["tail", "--timeout", "500ms"]);
    run.failed(1, "not everything was read within 500ms: 0 events shown", "--timeout");
    fixture.endpoint.faults("DELETE", "");
    fixture.endpoint.fault(&json!({ "operation": "FilterLogEvents", "kind": "throttled", "probability": 1 }));
    let run = fixture.endpoint.run(["tail", "--timeout", "2s"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("retrying for up to 2 s"), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_also_ends_the_last_lines() {
    let fixture = Fixture::new().await;
    fixture.put_at(ago(5), &["one", "two", "three"]).await;
    assert_eq!(fixture.endpoint.run(["tail", "-n", "3", "--count", "2"]).ok().stdout, "one\ntwo\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_with_130_and_a_line_on_stderr() {
    let fixture = Fixture::new().await;
    fixture.put(&["one"]).await;
    let mut child = fixture.endpoint.ops(["tail", "-f"]);
    let mut tail = Running::start(&mut child);
    tail.stdout.has("one");
    tail.signal("-INT");
    assert_eq!(tail.ended(), 130);
    let lines = tail.stderr.lines();
    assert!(lines.len() == 1 && lines[0].starts_with("interrupted: 1 event shown in "), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_is_written_at_once() {
    let fixture = Fixture::new().await;
    let tail = Running::start(&mut fixture.endpoint.ops(["tail", "-f"]));
    fixture.put(&["the first"]).await;
    tail.stdout.has("the first");
    let mut waits: Vec<Duration> = (0..7)
        .map(|n| {
            let message = format!("line {n}");
            let began = Instant::now();
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(fixture.put(&[&message]));
                tail.stdout.has(&message);
            });
            began.elapsed()
        })
        .collect();
    waits.sort();
    // The goal is 300 ms on an idle machine.
    assert!(waits[3] < Duration::from_millis(1500), "{waits:?}");
}
