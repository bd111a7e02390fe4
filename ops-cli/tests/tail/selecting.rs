//! The selection of groups and events.

use super::common::running::Running;
use super::{Fixture, GROUP, STREAM, ago};
use crate::common::proxy::{Answer, Proxy};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn groups_match_globs_and_their_events_are_in_the_order_of_time() {
    let fixture = Fixture::with_groups(&["/app/orders-a", "/app/orders-b", "/app/users"]).await;
    for (n, group) in ["/app/orders-b", "/app/users", "/app/orders-a", "/app/orders-b"].iter().enumerate() {
        fixture.put_to(group, STREAM, ago(10 - n as i64), &[&format!("line {n}")]).await;
    }
    let run = fixture.endpoint.run(["tail", "--group", "/app/orders-*"]).ok();
    assert_eq!(run.stdout, "line 0\nline 2\nline 3\n");
    let run = fixture.endpoint.run(["tail", "--group", "/app/users", "--group", "/app/*a"]).ok();
    assert_eq!(run.stdout, "line 1\nline 2\n");
    let run = fixture.endpoint.run(["--output", "json", "tail", "--group", "/app/users"]).ok();
    assert_eq!(run.json()[0]["logGroup"], "/app/users");
    fixture.endpoint.run(["tail", "--group", "/nothing/*"]).failed(1, "no log group matches /nothing/*", "star");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_streams_that_appear_later_are_followed() {
    let fixture = Fixture::with_groups(&["/app/a"]).await;
    let tail = Running::start(&mut fixture.endpoint.ops(["tail", "-f", "--group", "/app/*", "--reorder", "0"]));
    fixture.put_to("/app/a", STREAM, ago(0), &["first"]).await;
    tail.stdout.has("first");
    fixture.create("/app/a", "another stream").await;
    fixture.put_to("/app/a", "another stream", ago(0), &["of another stream"]).await;
    tail.stdout.has("of another stream");
    fixture.create("/app/b", STREAM).await;
    fixture.put_to("/app/b", STREAM, ago(0), &["of another group"]).await;
    tail.stdout.has("of another group");
    assert_eq!(tail.stderr.lines(), ["the log group /app/b exists now"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_group_is_answered_with_similar_names() {
    let fixture = Fixture::with_groups(&["/aws/lambda/orders-dev", "/aws/rds/x"]).await;
    let run = fixture.endpoint.run(["tail", "--group", "/aws/lambda/order-dev"]);
    run.failed(1, "there is no log group /aws/lambda/order-dev", "similar names: /aws/lambda/orders-dev; ");
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_and_a_stream_prefix_select_events() {
    let fixture = Fixture::new().await;
    fixture.create(GROUP, "other").await;
    fixture.put(&["an apple", "a pear", "an apple pie", "START RequestId: 1 Version: 1"]).await;
    fixture.put_to(GROUP, "other", ago(0), &["an apple tree"]).await;
    let shown = |args: &[&str]| fixture.endpoint.run(["tail"].iter().chain(args)).ok().stdout;
    assert_eq!(shown(&["--grep", "app.e", "--exclude", "pie$", "--log-stream", "str"]), "an apple\n");
    assert_eq!(shown(&["--filter", "apple", "--filter", "-pie", "--log-stream", "o"]), "an apple tree\n");
    assert_eq!(shown(&["--no-platform", "--log-stream", "str"]), "an apple\na pear\nan apple pie\n");
    let run = fixture.endpoint.run(["tail", "--grep", "("]);
    run.failed(2, "--grep ( is not a regular expression", "backslash");
    let run = fixture.endpoint.run(["tail", "--filter", "a", "--filter", "{ $.b = 1 }"]);
    run.failed(2, "cannot be combined", "--grep");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_lines_are_read_at_once_and_the_next_ones_follow() {
    let fixture = Fixture::new().await;
    let messages: Vec<String> = (0..300).map(|n| format!("line {n:03}")).collect();
    for (n, messages) in messages.chunks(100).enumerate() {
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        fixture.put_at(ago(7200 - n as i64), &messages).await;
    }
    let expected = messages[297..].join("\n") + "\n";
    assert_eq!(fixture.endpoint.run(["tail", "-n", "3"]).ok().stdout, expected);
    let run = fixture.endpoint.run(["tail", "-n", "2", "--grep", "line 0.5"]).ok();
    assert_eq!(run.stdout, "line 085\nline 095\n");
    assert_eq!(fixture.endpoint.run(["tail", "-n", "1000"]).ok().stdout.lines().count(), 300);

    let tail = Running::start(&mut fixture.endpoint.ops(["tail", "-n", "101", "-f"]));
    tail.stdout.has("line 299");
    fixture.put(&["the next"]).await;
    tail.stdout.has("the next");
    assert_eq!((tail.stdout.lines().len(), tail.stdout.lines()[0].as_str()), (102, "line 199"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_shows_no_older_line_of_the_same_millisecond() {
    let fixture = Fixture::new().await;
    let messages: Vec<String> = (0..3000).map(|n| format!("line {n:04}")).collect();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    fixture.put_at(ago(5), &messages[..2998]).await;
    let shown = |count: &str| fixture.endpoint.run(["tail", "-n", count, "--idle-exit", "1s"]).ok().stdout;
    assert_eq!(shown("3"), messages[2995..2998].join("\n") + "\n");
    fixture.put_at(ago(4), &messages[2998..]).await;
    assert_eq!(shown("3"), messages[2997..].join("\n") + "\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_lines_are_found_if_reading_backwards_is_rejected_or_ignored() {
    let fixture = Fixture::new().await;
    for n in 0..5 {
        fixture.put_at(ago(20_000 - n), &[&format!("line {n}")]).await;
    }
    let refusal = r#"{"__type":"InvalidParameterException","message":"startFromHead is not supported"}"#;
    let refusing = Proxy::start(&fixture.endpoint, move |request| {
        let is_backwards = String::from_utf8_lossy(&request.body).contains("\"startFromHead\":false");
        if is_backwards { Answer::Reply(400, refusal) } else { Answer::Forward }
    });
    assert_eq!(refusing.run(&["tail", "-n", "2"]).ok().stdout, "line 3\nline 4\n");

    let endpoint = crate::common::Endpoint::start_with(&["--no-auth"]);
    let logs = aws_sdk_cloudwatchlogs::Client::new(&endpoint.sdk_config().await);
    let ignored = Fixture { endpoint, logs };
    ignored.create(GROUP, STREAM).await;
    for n in 0..5 {
        ignored.put_at(ago(20_000 - n), &[&format!("line {n}")]).await;
    }
    let ignoring = Proxy::start(&ignored.endpoint, move |request| {
        if request.operation == "FilterLogEvents" {
            request.change(|body| {
                body.as_object_mut().unwrap().remove("startFromHead");
            });
        }
        Answer::Forward
    });
    for count in ["1", "2", "9"] {
        let expected = ignored.endpoint.run(["tail", "-n", count]).ok().stdout;
        assert_eq!(ignoring.run(&["tail", "-n", count]).ok().stdout, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_is_shown_as_a_whole() {
    let fixture = Fixture::new().await;
    let id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
    let of = |text: &str| text.replace("ID", id);
    let lines = [
        "before",
        &of("START RequestId: ID Version: $LATEST"),
        "a line that names nothing",
        &of("END RequestId: ID"),
        &of("REPORT RequestId: ID\tDuration: 1 ms"),
        "after",
    ];
    fixture.put(&lines).await;
    let run = fixture.endpoint.run(["tail", "--request", id]).ok();
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), lines[1..5]);
    let unknown = id.replace("8476", "8477");
    fixture.endpoint.run(["tail", "--request", &unknown]).failed(1, "no event names the request", "--since");
    for wrong in ["Hello", "-5", "", "8476a536e9f411e897392dfe598c3fcd"] {
        let run = fixture.endpoint.run(["tail", &format!("--request={wrong}")]);
        run.failed(2, &format!("--request {wrong:?} is not the ID of an invocation"), "it looks like 8476a536");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_time_ends_at_until() {
    let fixture = Fixture::new().await;
    for (seconds, message) in [(3000, "early"), (1800, "middle"), (600, "recent")] {
        fixture.put_at(ago(seconds), &[message]).await;
    }
    let shown =
        |since: &str, until: &str| fixture.endpoint.run(["tail", "--since", since, "--until", until]).ok().stdout;
    assert_eq!(shown("1h", "20m"), "early\nmiddle\n");
    assert_eq!(fixture.endpoint.run(["tail", "--until", "25m"]).ok().stdout, "middle\n", "ten minutes before the end");
    let run = fixture.endpoint.run(["tail", "--since", "5m", "--until", "10m"]);
    run.failed(2, "--until is before --since", "range");
    fixture.endpoint.run(["tail", "--until", "2099-01-01"]).failed(2, "is in the future", "yesterday");
    let run = fixture.endpoint.run(["tail", "--time-zone", "Europe/Nowhere"]);
    run.failed(2, "Europe/Nowhere is not a time zone", "Europe/Berlin");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_templates_and_statistics_are_printed() {
    let fixture = Fixture::new().await;
    let line = json!({"v": 1, "level": "INFO", "sequenceNumber": "1", "partitionKey": "k", "lagMs": 20, "data": {"user": {"id": "u1"}}});
    let report = "REPORT RequestId: 1\tDuration: 10.00 ms\tBilled Duration: 10 ms\tMemory Size: 128 MB\tMax Memory Used: 75 MB\tInit Duration: 5 ms";
    fixture.put(&[&line.to_string(), report]).await;
    let shown = |args: &[&str]| fixture.endpoint.run(["tail"].iter().chain(args)).ok();
    assert_eq!(shown(&["--fields", "key,data.user.id,nowhere", "--no-platform"]).stdout, "k\tu1\t-\n");
    assert_eq!(shown(&["--template", "{key}={data.user.id}", "--grep", "u1"]).stdout, "k=u1\n");
    let run = shown(&["--stats"]);
    assert!(run.stderr.contains("invocations  1, 0 failed, 0 faults, 1 cold start\n"), "{}", run.stderr);
    assert!(run.stderr.contains("memory       at most 75 of 128 MB\n"), "{}", run.stderr);
    let run = fixture.endpoint.run(["--output", "json", "tail", "--stats"]).ok();
    let stats: serde_json::Value = serde_json::from_str(run.stderr.trim()).unwrap();
    assert_eq!((&stats["records"], &stats["coldStarts"]), (&json!(1), &json!(1)));
}
