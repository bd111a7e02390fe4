//! Adverse conditions, each tested against the real endpoint, most with injected faults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::common::eventually;
use super::common::proxy::{Answer, Proxy};
use super::common::running::Running;
use super::{Fixture, GROUP, STREAM, ago};

/// Asserts that every message was shown as often as it was written.
#[track_caller]
fn assert_shown_once(shown: &[String], written: &[String]) {
    let count = |lines: &[String]| {
        let mut counts = BTreeMap::<String, usize>::new();
        lines.iter().for_each(|line| *counts.entry(line.clone()).or_default() += 1);
        counts
    };
    assert_eq!(count(shown), count(written));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_identical_lines_are_all_shown() {
    let fixture = Fixture::new().await;
    let lines = vec!["the same line"; 100_000];
    fixture.put_at(ago(5), &lines).await;
    let run = fixture.endpoint.run(["tail", "--idle-exit", "3s"]).ok();
    assert_eq!(run.stdout.lines().count(), 100_000);
    assert!(run.stdout.lines().all(|line| line == "the same line"));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_millisecond_split_across_polls_are_shown_once() {
    let fixture = Fixture::new().await;
    let tail = Running::start(&mut fixture.endpoint.ops(["tail", "-f"]));
    let time = ago(1);
    let written: Vec<String> = (0..40).map(|n| format!("line {n}")).collect();
    for message in &written {
        fixture.put_at(time, &[message]).await;
        if message.ends_with('0') {
            tail.stdout.has(message);
        }
    }
    fixture.put(&["the end"]).await;
    tail.stdout.has("the end");
    assert_shown_once(&tail.stdout.lines()[..40], &written);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_five_minutes_late_are_shown_and_marked() {
    let fixture = Fixture::new().await;
    fixture.put(&["on time"]).await;
    let tail = Running::start(&mut fixture.endpoint.ops(["--output", "json", "tail", "-f", "--since", "1h"]));
    tail.stdout.has("on time");
    fixture.put_at(ago(299), &["five minutes late"]).await;
    tail.stdout.has("five minutes late");
    assert_eq!((tail.stdout.count("\"late\":true"), tail.stdout.lines().len()), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_slows_a_follower_and_loses_nothing() {
    let fixture = Fixture::with_groups(&["/app/a", "/app/b", "/app/c"]).await;
    let tail = Running::start(&mut fixture.endpoint.ops(["tail", "-f", "--group", "/app/*"]));
    fixture.put_to("/app/a", STREAM, ago(0), &["before"]).await;
    tail.stdout.has("before");
    fixture
        .endpoint
        .fault(&json!({ "operation": "FilterLogEvents", "kind": "throttled", "probability": 0.7, "seed": 5 }));
    let written: Vec<String> = (0..60).map(|n| format!("line {n}")).collect();
    for (n, message) in written.iter().enumerate() {
        let group = ["/app/a", "/app/b", "/app/c"][n % 3];
        fixture.put_to(group, STREAM, ago(0), &[message]).await;
    }
    tail.stdout.has("line 59");
    fixture.endpoint.faults("DELETE", "");
    fixture.put_to("/app/a", STREAM, ago(0), &["after"]).await;
    tail.stdout.has("after");
    let shown = tail.stdout.lines();
    assert_shown_once(&shown[1..61], &written);
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_pages_with_tokens_are_not_the_end() {
    let fixture = Fixture::new().await;
    fixture.put_at(ago(5), &["the only event"]).await;
    let pages = AtomicUsize::new(0);
    let empty = r#"{"events":[],"searchedLogStreams":[],"nextToken":"TOKEN"}"#;
    let proxy = Proxy::start(&fixture.endpoint, move |request| {
        if request.operation != "FilterLogEvents" {
            return Answer::Forward;
        }
        // The fourth page is the endpoint's first, which does not accept this token.
        match pages.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::Reply(200, empty),
            1 => Answer::Reply(200, r#"{"events":[],"nextToken":"ANOTHER"}"#),
            2 => Answer::Reply(
                400,
                r#"{"__type":"InvalidParameterException","message":"The specified nextToken is invalid."}"#,
            ),
            _ => Answer::Forward,
        }
    });
    assert_eq!(proxy.run(&["tail"]).ok().stdout, "the only event\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_ends_when_its_tokens_repeat() {
    let fixture = Fixture::new().await;
    let proxy = Proxy::start(&fixture.endpoint, |request| match request.operation.as_str() {
        "FilterLogEvents" => Answer::Reply(200, r#"{"events":[],"nextToken":"again and again"}"#),
        _ => Answer::Forward,
    });
    let run = proxy.run(&["tail"]).ok();
    assert!(run.stderr.contains("the pages of the log group /aws/lambda/test-dev repeat"), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_tokens_without_an_end_is_announced_and_can_be_interrupted() {
    let fixture = Fixture::new().await;
    let pages = AtomicUsize::new(0);
    let proxy = Proxy::start(&fixture.endpoint, move |request| match request.operation.as_str() {
        "FilterLogEvents" => {
            let page = format!(r#"{{"events":[],"nextToken":"{}"}}"#, pages.fetch_add(1, Ordering::Relaxed));
            Answer::Reply(200, page.leak())
        }
        _ => Answer::Forward,
    });
    let mut tail = Running::start(&mut proxy.ops(&["tail"]));
    tail.stderr.has("200 pages in a row without an event; still searching (Ctrl-C stops)");
    tail.signal("-INT");
    assert_eq!(tail.ended(), 130);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_created_again_is_followed_without_ids_too() {
    let fixture = Fixture::new().await;
    let proxy = Proxy::start(&fixture.endpoint, |request| match request.operation.as_str() {
        "FilterLogEvents" => Answer::Change(|answer| {
            for event in answer["events"].as_array_mut().into_iter().flatten() {
                event.as_object_mut().unwrap().remove("eventId");
            }
        }),
        _ => Answer::Forward,
    });
    let tail = Running::start(&mut proxy.ops(&["tail", "-f"]));
    let time = ago(2);
    fixture.put_at(time, &["the same", "first"]).await;
    tail.stdout.has("first");
    fixture.logs.delete_log_group().log_group_name(GROUP).send().await.unwrap();
    tail.stderr.has("was deleted; waiting");
    fixture.create(GROUP, STREAM).await;
    fixture.put_at(time, &["the same", "second"]).await;
    tail.stdout.has("second");
    assert_eq!(tail.stdout.lines(), ["the same", "first", "the same", "second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_credentials_are_reported_with_the_command_and_the_run_resumes() {
    let fixture = Fixture::new().await;
    let is_expired = Arc::new(AtomicBool::new(false));
    let refused_lists = Arc::new(AtomicUsize::new(0));
    let (now, lists) = (Arc::clone(&is_expired), Arc::clone(&refused_lists));
    let proxy = Proxy::start(&fixture.endpoint, move |request| {
        let expired =
            r#"{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}"#;
        if !now.load(Ordering::Relaxed) {
            return Answer::Forward;
        }
        lists.fetch_add(usize::from(request.operation == "DescribeLogGroups"), Ordering::Relaxed);
        Answer::Reply(400, expired)
    });
    // With a glob, log groups are listed now and then, which fails as well.
    for (run, group) in [GROUP, "/aws/lambda/tes*"].into_iter().enumerate() {
        let (before, meanwhile) = (format!("before {run}"), format!("meanwhile {run}"));
        let tail = Running::start(&mut proxy.ops(&["tail", "-f", "--since", "1s", "--group", group]));
        fixture.put(&[&before]).await;
        tail.stdout.has(&before);
        is_expired.store(true, Ordering::Relaxed);
        tail.stderr.has("ExpiredTokenException");
        tail.stderr.has("export new ones, or use --profile");
        fixture.put(&[&meanwhile]).await;
        if group != GROUP {
            eventually("a refused list of log groups", || (refused_lists.load(Ordering::Relaxed) > 0).then_some(()));
        }
        is_expired.store(false, Ordering::Relaxed);
        tail.stdout.has(&meanwhile);
        assert_eq!(tail.stderr.count("ExpiredTokenException"), 1);
        tail.stderr.has("the credentials are valid again; resuming");
    }

    is_expired.store(true, Ordering::Relaxed);
    proxy.run(&["tail"]).failed(1, "ExpiredTokenException", "export new ones");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_pattern_is_printed_with_its_column() {
    let fixture = Fixture::new().await;
    let run = fixture.endpoint.run(["tail", "--filter", "{ $.a = }"]);
    run.failed(1, "InvalidParameterException", "column 9 of the pattern, at `}`");
}
