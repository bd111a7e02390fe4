//! When a run ends.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::json;

use super::common::running::Running;
use super::{Fixture, assert_shown_once, numbered};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_after_a_count_an_idle_time_or_a_timeout() {
    let fixture = Fixture::new(2).await;
    let put = numbered("record", 0..100);
    fixture.put(&put).await;
    let run = fixture.consume(&["--count", "30", "-f"]).ok();
    assert_eq!(run.stdout.lines().count(), 30);
    assert_shown_once(fixture.consume(&["--idle-exit", "1s"]).ok().stdout.lines(), &put);
    fixture.consume(&["--count", "101", "-f", "--timeout", "2s"]).failed(
        1,
        "100 of the 101 records of --count were shown within 2s",
        "--timeout",
    );
    assert_eq!(fixture.consume(&["--count", "101"]).ok().stdout.lines().count(), 100, "there are no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_idle_time_begins_once_everything_was_read_and_a_timeout_before_that_fails() {
    let fixture = Fixture::new(2).await;
    let put = numbered("record", 0..100);
    fixture.put(&put).await;
    let slow = |milliseconds: u64| {
        let fault =
            json!({ "operation": "GetRecords", "kind": "latency", "milliseconds": milliseconds, "probability": 1 });
        fixture.endpoint.faults("DELETE", "");
        fixture.endpoint.fault(&fault);
    };
    slow(1500);
    assert_shown_once(fixture.consume(&["--idle-exit", "300ms"]).ok().stdout.lines(), &put);
    slow(20_000);
    let run = fixture.consume(&["--timeout", "500ms"]);
    run.failed(1, "not everything was read within 500ms: 0 records shown", "--timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_could_show_nothing_is_rejected() {
    let fixture = Fixture::new(1).await;
    fixture.consume(&["--from", "latest", "--count", "3"]).failed(2, "--from latest without --follow", "--idle-exit");
    fixture.consume(&["--idle-exit", "0s"]).failed(2, "--idle-exit 0s is not a time to wait", "for example 5s");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_exits_with_130_and_a_summary() {
    let fixture = Fixture::new(1).await;
    fixture.put(&numbered("record", 0..3)).await;
    for signal in ["-INT", "-TERM"] {
        let mut consume = Running::start(&mut fixture.endpoint.ops(["consume", "-f"]));
        consume.stdout.has("record 000002");
        consume.signal(signal);
        assert_eq!(consume.ended(), 130);
        let notices = consume.stderr.lines();
        assert_eq!(notices.len(), 1, "{notices:?}");
        assert!(notices[0].starts_with("interrupted: 3 records (42 B) shown in "), "{notices:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_pipe_ends_the_run_quietly_also_at_the_tip() {
    let fixture = Fixture::new(1).await;
    fixture.put(&numbered("record", 0..5000)).await;
    let mut consume = fixture.endpoint.ops(["consume", "-f"]);
    let mut child = consume.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for _ in 0..5000 {
        line.clear();
        stdout.read_line(&mut line).unwrap();
    }
    assert_eq!(line, "record 004999\n");
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_record_is_written_at_once() {
    let fixture = Fixture::new(2).await;
    let consume = Running::start(&mut fixture.endpoint.ops(["consume", "-f", "--from", "trim-horizon"]));
    for n in 0..5 {
        let record = numbered("record", n..n + 1);
        fixture.put(&record).await;
        consume.stdout.has(&record[0]);
    }
}
