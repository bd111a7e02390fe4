//! Long-running commands survive transient failures (throttling, unreachable endpoints, truncated answers) and services that
//! behave like other emulators.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use common::proxy::{Answer, Proxy, Request};
use common::running::Running;
use common::{Endpoint, Run, eventually, ops_cli, scratch};
use jiff::Timestamp;
use serde_json::{Value, json};

const GROUP: &str = "/aws/lambda/test-dev";
const STREAM: &str = "stream";

/// Returns a client, and creates the log group of `test-dev`.
async fn log_group(endpoint: &Endpoint) -> Logs {
    let logs = Logs::new(&endpoint.sdk_config().await);
    create_group(&logs).await;
    logs
}

async fn create_group(logs: &Logs) {
    logs.create_log_group().log_group_name(GROUP).send().await.unwrap();
    logs.create_log_stream().log_group_name(GROUP).log_stream_name(STREAM).send().await.unwrap();
}

async fn put(logs: &Logs, messages: &[&str]) {
    put_at(logs, Timestamp::now(), messages).await;
}

async fn put_at(logs: &Logs, time: Timestamp, messages: &[&str]) {
    let event = |message: &&str| InputLogEvent::builder().timestamp(time.as_millisecond()).message(*message).build();
    let events = messages.iter().map(|message| event(message).unwrap()).collect();
    let request = logs.put_log_events().log_group_name(GROUP).log_stream_name(STREAM);
    request.set_log_events(Some(events)).send().await.unwrap();
}

fn throttle(endpoint: &Endpoint, operation: &str) {
    endpoint.fault(&json!({ "operation": operation, "kind": "throttled" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_follows_through_throttling_and_shows_missed_events_once() {
    let endpoint = Endpoint::start();
    let logs = log_group(&endpoint).await;
    let tail = Running::start(&mut endpoint.ops(["tail", "--follow"]));
    put(&logs, &["before"]).await;
    tail.stdout.has("before");

    throttle(&endpoint, "FilterLogEvents");
    put(&logs, &["during 1", "during 2"]).await;
    tail.stderr.has("could not read the log group /aws/lambda/test-dev: ThrottlingException: Rate exceeded; retrying");
    endpoint.faults("DELETE", "");
    tail.stderr.has("could read the log group /aws/lambda/test-dev again after");
    put(&logs, &["after"]).await;
    tail.stdout.has("after");
    assert_eq!(tail.stdout.lines(), ["before", "during 1", "during 2", "after"]);
    assert_eq!(tail.stderr.lines().len(), 2, "each notice once: {:?}", tail.stderr.lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_follows_through_a_restart_of_the_endpoint() {
    let folder = scratch("reads-restart");
    let port = free_port();
    let options = ["--data-dir", folder.to_str().unwrap(), "--access-key-id", "reads", "--secret-access-key", "reads"];
    let start = || Endpoint::of(ops_cli().args(["--output", "json", "local", "--port", port.as_str()]).args(options));
    let mut endpoint = start();
    let logs = log_group(&endpoint).await;
    let tail = Running::start(&mut endpoint.ops(["tail", "--follow"]));
    put(&logs, &["before"]).await;
    tail.stdout.has("before");

    endpoint.stop("-INT");
    tail.stderr.has("Connection refused");
    let endpoint = start();
    let logs = Logs::new(&endpoint.sdk_config().await);
    put(&logs, &["after"]).await;
    tail.stdout.has("after");
    tail.stderr.has("again after");
    assert_eq!(tail.stdout.lines(), ["before", "after"]);
    assert_eq!(tail.stderr.count("Connection refused"), 1, "{:?}", tail.stderr.lines());
}

/// A port outside the range of ephemeral ports, which could block the endpoint when it restarts.
fn free_port() -> String {
    let mut ports = std::iter::repeat_with(|| fastrand::u16(20_000..32_000));
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_answer_is_requested_again() {
    let endpoint = Endpoint::start();
    let logs = log_group(&endpoint).await;
    put(&logs, &["one", "two", "three"]).await;
    let mut reads = 0;
    let proxy = Proxy::start(&endpoint, move |request| {
        reads += usize::from(request.operation == "FilterLogEvents");
        if (1..3).contains(&reads) { Answer::Half } else { Answer::Forward }
    });
    assert_eq!(proxy.run(&["tail"]).ok().stdout, "one\ntwo\nthree\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_error_ends_a_follower_at_once() {
    let body = r#"{"__type":"AccessDeniedException","message":"not authorized to perform logs:FilterLogEvents"}"#;
    let endpoint = Endpoint::start();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let proxy = Proxy::start(&endpoint, move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Answer::Reply(400, body)
    });
    proxy.run(&["tail", "--follow"]).failed(1, "could not read the log group", "permission");
    assert_eq!(requests.load(Ordering::Relaxed), 1);
}

#[test]
fn verify_continues_through_an_outage_and_always_reports() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    throttle(&endpoint, "FilterLogEvents");
    let json = ["--output", "json", "verify", "--count", "20"];
    let mut verify = Running::start(&mut endpoint.ops(json));
    verify.stderr.has("ThrottlingException: Rate exceeded; retrying");
    endpoint.faults("DELETE", "");
    assert_eq!(verify.ended(), 0, "{:?}", verify.stderr.lines());
    let report: Value = serde_json::from_str(&verify.stdout.lines()[0]).unwrap();
    assert_eq!((&report["published"], &report["logged"]), (&json!(20), &json!(20)), "{report}");

    throttle(&endpoint, "FilterLogEvents");
    let run = endpoint.run(json.iter().chain(&["--timeout", "2s"]));
    let run = run.failed(1, "could not read the log group /aws/lambda/test-dev: ThrottlingException", "--timeout");
    let report = run.json().remove(0);
    assert_eq!((&report["published"], &report["missingCount"]), (&json!(20), &json!(20)), "{report}");
}

#[test]
fn publish_reads_the_stream_through_throttling() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    for operation in ["DescribeStreamSummary", "ListShards"] {
        throttle(&endpoint, operation);
        let mut publish = Running::start(&mut endpoint.ops(["publish", operation]));
        publish.stderr.has("ThrottlingException: Rate exceeded; retrying for up to 60 s");
        endpoint.faults("DELETE", "");
        assert_eq!(publish.ended(), 0, "{:?}", publish.stderr.lines());
        assert_eq!(publish.stdout.lines().len(), 1);
    }
}

#[test]
fn provision_and_teardown_finish_while_requests_fail() {
    let endpoint = Endpoint::start();
    for fault in [
        json!({ "operation": "*", "kind": "throttled", "probability": 0.15, "seed": 1 }),
        json!({ "operation": "*", "kind": "serverError", "probability": 0.1, "seed": 2 }),
        // A resource whose creation was not answered is found by the next request.
        json!({ "operation": "*", "kind": "droppedAnswer", "probability": 0.15, "seed": 3 }),
    ] {
        endpoint.fault(&fault);
    }
    assert!(endpoint.provision(&[]).stdout.starts_with("ready: "));
    assert_eq!(endpoint.run(["teardown", "--yes"]).ok().stdout, "deleted 5 parts\n");
    assert_eq!(endpoint.run(["teardown", "--yes"]).ok().stdout, "nothing to do\n");
}

fn without_event_ids(request: &mut Request) -> Answer {
    if request.operation != "FilterLogEvents" {
        return Answer::Forward;
    }
    Answer::Change(|answer| {
        for event in answer["events"].as_array_mut().into_iter().flatten() {
            event.as_object_mut().unwrap().remove("eventId");
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn events_without_ids_are_all_shown_once() {
    let endpoint = Endpoint::start();
    let logs = log_group(&endpoint).await;
    let proxy = Proxy::start(&endpoint, without_event_ids);
    let time = Timestamp::now();
    put_at(&logs, time, &["same", "same", "other", "same"]).await;
    let tail = Running::start(&mut proxy.ops(&["--output", "json", "tail", "--follow"]));
    tail.stdout.has("other");
    // Each sweep reads these again, and an identical event arrives late.
    put_at(&logs, time, &["same"]).await;
    put(&logs, &["last"]).await;
    tail.stdout.has("last");
    assert_eq!((tail.stdout.count("same"), tail.stdout.lines().len()), (4, 6), "{:?}", tail.stdout.lines());
    assert_eq!(tail.stdout.count("eventId"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_waits_for_a_group_and_follows_it_when_it_is_created_again() {
    let endpoint = Endpoint::start();
    endpoint.run(["tail"]).failed(1, "there is no log group /aws/lambda/test-dev", "--follow");
    let tail = Running::start(&mut endpoint.ops(["tail", "--follow"]));
    tail.stderr.has("does not exist yet; waiting for it");
    let logs = log_group(&endpoint).await;
    put(&logs, &["first"]).await;
    tail.stdout.has("first");
    logs.delete_log_group().log_group_name(GROUP).send().await.unwrap();
    tail.stderr.has("was deleted; waiting");
    create_group(&logs).await;
    put(&logs, &["second"]).await;
    tail.stdout.has("second");
    assert_eq!(tail.stdout.lines(), ["first", "second"]);
    assert_eq!((tail.stderr.count("does not exist yet"), tail.stderr.count("exists now")), (1, 2));
}

/// The reader of the output ends, and no further event causes a failing write.
#[tokio::test(flavor = "multi_thread")]
async fn tail_ends_when_its_pipe_is_closed() {
    let endpoint = Endpoint::start();
    let logs = log_group(&endpoint).await;
    put(&logs, &["the only one"]).await;
    let mut child = endpoint.ops(["tail", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut stdout, &mut [0; 12]).unwrap();
    drop(stdout);
    let status = eventually("tail to end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}

#[test]
fn parts_whose_tags_are_ignored_are_tagged_again_and_torn_down() {
    let endpoint = Endpoint::start_with(&["--no-auth"]);
    let proxy = Proxy::start(&endpoint, |request| {
        let creates = ["CreateStream", "CreateLogGroup"].contains(&request.operation.as_str())
            || ["POST /2015-03-31/functions", "POST /2015-03-31/event-source-mappings"]
                .iter()
                .any(|path| request.operation.trim_end_matches('/') == *path);
        if creates {
            request.change(|body| {
                for name in ["Tags", "tags"] {
                    body.as_object_mut().unwrap().remove(name);
                }
            });
        } else if request.operation == "CreateRole" {
            let form = String::from_utf8(request.body.clone()).unwrap();
            let kept: Vec<_> = form.split('&').filter(|pair| !pair.starts_with("Tags.")).collect();
            request.body = kept.join("&").into_bytes();
        }
        Answer::Forward
    });
    let zip = common::function_zip().to_str().unwrap();
    let provisioned = proxy.run(&["provision", "--zip", zip]).ok();
    assert!(!provisioned.stderr.contains("does not carry our tags"), "{}", provisioned.stderr);
    assert!(proxy.run(&["provision", "--zip", zip]).ok().stdout.starts_with("nothing to do"));
    assert_eq!(proxy.run(&["teardown", "--yes"]).ok().stdout, "deleted 5 parts\n");
}

#[test]
fn a_step_that_the_service_ignores_is_named() {
    let endpoint = Endpoint::start();
    let proxy = Proxy::start(&endpoint, |request| match request.operation.as_str() {
        "PutRetentionPolicy" => Answer::Reply(200, ""),
        _ => Answer::Forward,
    });
    let zip = common::function_zip().to_str().unwrap();
    let run = proxy.run(&["provision", "--zip", zip, "--retention-days", "7"]).ok();
    assert!(
        run.stderr.contains("did not carry it out: change the log group /aws/lambda/test-dev: retention-days"),
        "{}",
        run.stderr
    );
}

/// One emulator always answers the deletion of a deleted mapping with an empty state.
#[test]
fn a_mapping_with_an_empty_state_is_deleted_when_it_is_not_listed() {
    let endpoint = Endpoint::start();
    let mut deleted = false;
    let proxy = Proxy::start(&endpoint, move |request| {
        if !request.operation.starts_with("DELETE /2015-03-31/event-source-mappings/") {
            return Answer::Forward;
        }
        if std::mem::replace(&mut deleted, true) {
            return Answer::Reply(200, r#"{"State":""}"#);
        }
        Answer::Change(|answer| answer["State"] = "".into())
    });
    endpoint.provision(&[]);
    assert_eq!(proxy.run(&["teardown", "--yes"]).ok().stdout, "deleted 5 parts\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_says_that_the_lines_of_another_function_do_not_look_like_ours() {
    let endpoint = Endpoint::start();
    let logs = log_group(&endpoint).await;
    put(&logs, &["START RequestId: 1 Version: $LATEST", "received an order", "received another"]).await;
    let receipts = scratch("reads-receipts");
    let receipt = json!({
        "offset": 0, "shardId": "shardId-000000000000", "sequenceNumber": "495900000", "attempts": 1, "mayRepeat": false,
        "time": Timestamp::now().as_millisecond(),
    });
    std::fs::write(&receipts, format!("{receipt}\n")).unwrap();
    let verify = ["verify", "--receipts", receipts.to_str().unwrap(), "--timeout", "1s"];
    let run = endpoint.run(verify).failed(1, "are not the logger's", "--function");
    assert!(
        run.stdout.contains("the 2 lines in the log are not the logger's; the first is: received an order"),
        "{run:?}"
    );
    assert!(!run.stdout.contains("missing: record"), "{run:?}");
    let report = endpoint.run(["--output", "json"].iter().chain(&verify)).json().remove(0);
    assert_eq!(report["log"], json!({ "kind": "otherLines", "count": 2, "first": "received an order" }), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn since_accepts_printed_times_and_reports_the_instant() {
    let endpoint = Endpoint::start();
    let logs = log_group(&endpoint).await;
    let minutes_ago = |minutes| Timestamp::now() - jiff::SignedDuration::from_mins(minutes);
    let (old, new) = (minutes_ago(120), minutes_ago(30));
    put_at(&logs, old, &["old"]).await;
    put_at(&logs, new, &["new"]).await;
    let printed = endpoint.run(["--output", "json", "tail", "--since", "1w"]).ok().json();
    assert_eq!(printed.len(), 2);
    // Three hours ahead of UTC.
    let local =
        |time: Timestamp| (time + jiff::SignedDuration::from_hours(3)).strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let since = minutes_ago(60);
    for (text, is_local) in [
        (printed[1]["timestamp"].to_string(), false),
        (new.to_string(), false),
        (local(since), true),
        (local(since).replace('T', " "), true),
        ("60min ago".to_owned(), false),
        ("-1h".to_owned(), false),
    ] {
        let run = Run::of(endpoint.ops(["tail", "--since", text.as_str()]).env("TZ", "XYZ-3")).ok();
        assert_eq!(run.stdout, "new\n", "{text}");
        assert_eq!(run.stderr.contains("is local time"), is_local, "{text}: {}", run.stderr);
        let instant = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        assert!(!is_local || run.stderr.contains(&instant), "no {instant} in {}", run.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_may_begin_with_a_hyphen() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    endpoint.run(["publish", "-heartbeat"]).ok();
    endpoint.run(["publish", "--key", "-1", "x"]).ok();
    let line = |filter: &'static str| {
        eventually(filter, || {
            let log = endpoint.run(["tail", "--filter", filter]).ok().stdout;
            (!log.is_empty()).then_some(log)
        })
    };
    assert!(line("\"-heartbeat\"").contains("-heartbeat"));
    assert!(line("{ $.partitionKey = \"-1\" }").contains("\"-1\""));
    let excluded = endpoint.run(["tail", "--filter", "-DEBUG"]).ok();
    assert!(excluded.stdout.contains("-heartbeat"), "{}", excluded.stdout);
    let run = endpoint.run(["publish", "--heartbeat"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("-- --heartbeat"), "{}", run.stderr);
    let help = endpoint.run(["publish", "-h"]).ok();
    assert!(help.stdout.contains("Usage:"));
}
