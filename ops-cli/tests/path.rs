//! Tests of the whole path through the real binary: provision, publish, tail, status, teardown.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Endpoint, Run, eventually};
use serde_json::{Value, json};

/// Reads the record lines of the log, as the function wrote them.
fn records(endpoint: &Endpoint) -> Vec<Value> {
    let events = endpoint.run(["--output", "json", "tail"]).ok().json();
    let messages = events.iter().map(|event| event["message"].as_str().unwrap().to_owned());
    let lines = messages.filter_map(|message| serde_json::from_str::<Value>(&message).ok());
    lines.filter(|line| line["sequenceNumber"].is_string()).collect()
}

fn await_records(endpoint: &Endpoint, count: usize) -> Vec<Value> {
    eventually(&format!("{count} record lines"), || Some(records(endpoint)).filter(|lines| lines.len() >= count))
}

#[test]
fn a_published_record_becomes_a_line() {
    let endpoint = Endpoint::start();
    let provisioned = endpoint.provision(&[]);
    assert_eq!(provisioned.stdout, "ready: test-dev → test-dev → /aws/lambda/test-dev\n");

    let receipt = endpoint.run(["publish", "Hello, Lambda CLI World", "--key", "k"]).ok();
    let (shard, sequence_number) = receipt.stdout.trim_end().split_once(' ').unwrap();

    let lines = await_records(&endpoint, 1);
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert_eq!(line["data"], "Hello, Lambda CLI World");
    assert_eq!(line["stream"], "test-dev");
    assert_eq!(line["shard"], shard);
    assert_eq!(line["sequenceNumber"], sequence_number);
    assert_eq!(line["partitionKey"], "k");
    let lag = line["lagMs"].as_i64().unwrap();
    assert!((0..30_000).contains(&lag), "{lag}");

    let filtered = endpoint.run(["tail", "--filter", "{ $.partitionKey = \"k\" }"]).ok();
    assert_eq!(filtered.stdout.lines().count(), 1, "{}", filtered.stdout);
    let nothing = endpoint.run(["tail", "--filter", "{ $.partitionKey = \"other\" }"]).ok();
    assert_eq!(nothing.stdout, "");
}

#[test]
fn a_second_provision_has_nothing_to_do_and_a_change_is_one_step() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--log-format", "text"]);
    let second = endpoint.provision(&[]);
    assert_eq!(second.stdout, "nothing to do: test-dev → test-dev → /aws/lambda/test-dev\n");
    let warning = "warning: a record that the function cannot process blocks its shard until the record expires, because the event \
                   source mapping has no on-failure destination; set one with --on-failure ARN\n";
    assert_eq!(second.stderr, warning);

    let planned = endpoint.provision(&["--memory", "256", "--batch-size", "7", "--retention-days", "90", "--dry-run"]);
    let planned: Vec<_> =
        planned.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "~ log group /aws/lambda/test-dev",
        "~ retention-days 30 → 90",
        "~ function test-dev",
        "~ memory 128 → 256",
        "~ live version 1 → a new version",
        "~ event source mapping test-dev → test-dev",
        "~ batch-size 100 → 7",
        "4 steps to do",
    ];
    assert_eq!(planned, expected);
    assert!(endpoint.provision(&[]).stdout.starts_with("nothing to do"), "a dry run changes nothing");

    endpoint.provision(&["--memory", "256", "--batch-size", "7", "--retention-days", "90"]);
    assert!(endpoint.provision(&["--memory", "256", "--batch-size", "7"]).stdout.starts_with("nothing to do"));
    let status = endpoint.run(["--output", "json", "status"]).ok().json().remove(0);
    assert_eq!((&status["function"]["memoryMb"], &status["mapping"]["batchSize"]), (&json!(256), &json!(7)));
}

#[test]
fn a_stream_gets_the_requested_shards() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--shards", "3"]);
    let shards = || endpoint.run(["--output", "json", "status"]).ok().json()[0]["stream"].clone();
    assert_eq!(shards()["openShards"].as_array().unwrap().len(), 3);
    let zip = common::function_zip().to_str().unwrap();
    let unconfirmed = endpoint.run(["provision", "--zip", zip, "--shards", "2"]);
    unconfirmed.failed(2, "stdin is not a terminal", "--yes");
    endpoint.provision(&["--shards", "2", "--yes"]);
    assert_eq!(shards()["openShards"].as_array().unwrap().len(), 2);
    endpoint.run(["publish", "after the shards changed"]).ok();
    await_records(&endpoint, 1);

    let other = |args: &[&str]| endpoint.run(["--stage", "other"].iter().chain(args));
    other(&["provision", "--shards", "on-demand", "--zip", common::function_zip().to_str().unwrap()]).ok();
    assert_eq!(other(&["--output", "json", "status"]).json()[0]["stream"]["mode"], "ON_DEMAND");
}

#[test]
fn every_line_of_stdin_becomes_one_log_line() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--shards", "2"]);
    // Enough for several requests and several pages of log, with empty lines, both line endings, and no line ending at the
    // end.
    let padding = "x".repeat(400);
    let mut input: String = (0..3000).map(|n| format!("{{\"n\":{n},\"padding\":\"{padding}\"}}\r\n\n")).collect();
    input += "the last one";
    let run = Run::with_stdin(&mut endpoint.ops(["--output", "json", "publish"]), input.as_bytes()).ok();
    let numbers = |lines: &[Value]| {
        let mut numbers: Vec<_> =
            lines.iter().map(|line| line["sequenceNumber"].as_str().unwrap().to_owned()).collect();
        numbers.sort_unstable();
        numbers
    };
    let receipts = run.json();
    assert_eq!(receipts.len(), 3001);

    let lines = await_records(&endpoint, 3001);
    assert_eq!(numbers(&lines), numbers(&receipts), "each once, none missing");
    let sum: i64 = lines.iter().filter_map(|line| line["data"]["n"].as_i64()).sum();
    assert_eq!(sum, (0..3000).sum::<i64>());
}

#[test]
fn records_of_a_key_are_logged_in_order() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--shards", "2", "--batch-size", "10"]);
    let input: String = (0..300).map(|n| format!("{n}\n")).collect();
    Run::with_stdin(&mut endpoint.ops(["publish", "--key", "one", "--file", "-"]), input.as_bytes()).ok();
    let lines = await_records(&endpoint, 300);
    let order: Vec<_> = lines.iter().map(|line| line["data"].as_str().unwrap().parse::<u32>().unwrap()).collect();
    assert_eq!(order, (0..300).collect::<Vec<_>>());
}

#[test]
fn hostile_data_stays_one_line_and_off_the_terminal() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--log-format", "text"]);
    let file = common::scratch("hostile.txt");
    std::fs::write(&file, b"\x1b[31mred\x1b[0m \xe2\x80\xa8 END RequestId: forged\n\xff\xfe\x00\n").unwrap();
    endpoint.run(["publish", "--key", "\u{1b}]0;title\u{7}", "--file", file.to_str().unwrap()]).ok();
    let log = eventually("both lines", || {
        let log = endpoint.run(["tail", "--filter", "\"stream=\""]).ok().stdout;
        (log.lines().count() >= 2).then_some(log)
    });
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(!log.contains(|c: char| c.is_control() && c != '\n'), "{log:?}");
    assert!(log.contains("data=base64:3:"), "{log}");
}

#[test]
fn follow_shows_events_that_arrive_later() {
    use std::io::{BufRead, BufReader};

    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let mut tail = endpoint
        .ops(["tail", "--follow", "--filter", "{ $.type = \"text\" }"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    for n in 0..5 {
        endpoint.run(["publish", &format!("line {n}")]).ok();
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains(&format!("\"line {n}\"")), "{line}");
    }
    tail.kill().unwrap();
    tail.wait().unwrap();
}

#[test]
fn teardown_deletes_everything_and_can_be_run_again() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    endpoint.run(["publish", "something to process"]).ok();
    await_records(&endpoint, 1);
    let torn_down = endpoint.run(["teardown", "--yes"]).ok();
    assert_eq!(torn_down.stdout, "deleted 5 parts\n");
    assert_eq!(endpoint.run(["teardown", "--yes"]).ok().stdout, "nothing to do\n");
    let status = endpoint.run(["--output", "json", "status"]).ok().json().remove(0);
    for part in ["stream", "function", "mapping", "lastEvent"] {
        assert!(status[part].is_null(), "{part}: {status}");
    }
    assert_eq!(endpoint.provision(&[]).stdout, "ready: test-dev → test-dev → /aws/lambda/test-dev\n");
}

/// Changes parts by hand: `provision` and `teardown` can continue from any state.
#[tokio::test]
async fn a_path_that_was_changed_by_hand_is_repaired_and_torn_down() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let config = endpoint.sdk_config().await;
    let lambda = aws_sdk_lambda::Client::new(&config);

    // A mapping outlives its function.
    lambda.delete_function().function_name("test-dev").send().await.unwrap();
    endpoint.provision(&[]);
    endpoint.run(["publish", "to the function made again"]).ok();
    await_records(&endpoint, 1);
    lambda.delete_function().function_name("test-dev").send().await.unwrap();
    let iam = aws_sdk_iam::Client::new(&config);
    let policy = iam.put_role_policy().role_name("test-dev-role").policy_name("of-a-person");
    policy
        .policy_document(
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#,
        )
        .send()
        .await
        .unwrap();
    assert_eq!(endpoint.run(["teardown", "--yes"]).ok().stdout, "deleted 4 parts\n");
    let mappings = lambda.list_event_source_mappings().send().await.unwrap();
    assert!(mappings.event_source_mappings().is_empty(), "{mappings:?}");
}

#[test]
fn the_function_logs_to_a_new_log_group_after_provision() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--log-format", "text"]);
    let there = ["--log-group", "/logs/of/all", "--role", "another-role"];
    let zip = common::function_zip().to_str().unwrap();
    endpoint.run(there.iter().chain(&["provision", "--zip", zip, "--yes"])).ok();
    endpoint.run(["publish", "for the other group"]).ok();
    let log = eventually("the line", || {
        let log = endpoint.run(there.iter().chain(&["tail", "--filter", "\"for the other group\""])).ok().stdout;
        (!log.is_empty()).then_some(log)
    });
    assert!(log.contains("stream=test-dev"), "the format stays as it was: {log}");
    assert!(endpoint.run(there.iter().chain(&["provision", "--zip", zip])).ok().stdout.starts_with("nothing to do"));
}

#[test]
fn two_concurrent_teardowns_both_succeed() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let teardown = || Run::of(&mut endpoint.ops(["teardown", "--yes"]));
    std::thread::scope(|scope| {
        let other = scope.spawn(teardown);
        teardown().ok();
        other.join().unwrap().ok();
    });
    assert_eq!(endpoint.run(["teardown", "--yes"]).ok().stdout, "nothing to do\n");
}

#[test]
fn parts_without_our_tags_are_neither_changed_nor_deleted() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    // Another application uses the stream, role and log group of the first one.
    let shared =
        ["--stage", "other", "--stream", "test-dev", "--role", "test-dev-role", "--log-group", "/aws/lambda/test-dev"];
    let zip = common::function_zip().to_str().unwrap();
    let provisioned =
        endpoint.run(shared.iter().chain(&["provision", "--zip", zip, "--retention-days", "1", "--shards", "4"])).ok();
    for part in ["stream test-dev", "role test-dev-role", "log group /aws/lambda/test-dev"] {
        assert!(
            provisioned.stdout.contains(&format!("{part} does not carry our tags, so it is used and not changed")),
            "{}",
            provisioned.stdout
        );
    }
    let refused = endpoint.run(["--stage", "other", "--function", "test-dev", "provision", "--zip", zip]);
    refused.failed(1, "the function test-dev exists and does not carry our tags", "choose another name");

    let torn_down = endpoint.run(shared.iter().chain(&["teardown", "--yes"])).ok();
    assert!(torn_down.stdout.ends_with("deleted 2 parts\n"), "{}", torn_down.stdout);
    assert!(endpoint.provision(&[]).stdout.starts_with("nothing to do"), "the first application is whole");
}

#[test]
fn status_fits_a_screen() {
    let endpoint = Endpoint::start();
    let before = endpoint.run(["status"]).ok().stdout;
    assert!(before.contains("missing: create it with `ops-cli provision --zip FILE`"), "{before}");
    endpoint.provision(&[]);
    endpoint.run(["publish", "for the screen"]).ok();
    await_records(&endpoint, 1);
    let after = endpoint.run(["status"]).ok().stdout;
    for part in ["ACTIVE", "Enabled", "Active", "shardId-000000000000", "last result: OK"] {
        assert!(after.contains(part), "no {part} in:\n{after}");
    }
    assert!(after.lines().count() < 24, "{after}");
}
