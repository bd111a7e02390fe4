//! Tests of `ops-cli show`: a record's layers, its shard, its lines, and the lines in the log.
#![allow(clippy::unwrap_used)]

mod common;

use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use common::path_of_records::{earlier, set_environment, unused};
use common::{Endpoint, Run, eventually};
use serde_json::{Value, json};

/// Publishes records, and returns the position of the last.
fn publish(endpoint: &Endpoint, args: &[&str], input: &str) -> (String, String) {
    let mut command = endpoint.ops(["--output", "json", "publish"].iter().chain(args));
    let receipts = Run::with_stdin(&mut command, input.as_bytes()).ok().json();
    let last = receipts.last().unwrap();
    (last["shardId"].as_str().unwrap().to_owned(), last["sequenceNumber"].as_str().unwrap().to_owned())
}

/// The report about a record once its lines are in the log.
fn logged(endpoint: &Endpoint, position: &str) -> Value {
    eventually("the record's lines", || {
        let run = endpoint.run(["--output", "json", "show", position]);
        (run.code == 0).then(|| run.json().remove(0))
    })
}

#[test]
fn a_record_is_explained_and_its_line_is_found_once() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--shards", "2", "--log-format", "text"]);
    let (shard, number) = publish(&endpoint, &["--key", "user \"1\""], "{\"a\":1}\n");
    let position = format!("{shard}:{number}");
    let report = logged(&endpoint, &position);
    assert_eq!((&report["shardId"], &report["sequenceNumber"]), (&json!(shard), &json!(number)), "{report}");
    assert_eq!(
        (&report["partitionKey"], &report["bytes"], &report["dataBytes"]),
        (&json!("user \"1\""), &json!(15), &json!(7))
    );
    assert_eq!(report["data"], json!({ "layer": "data", "syntax": "json", "bytes": 7 }));
    assert_eq!((&report["hashKey"]["shardId"], &report["hashKey"]["isInRecordsShard"]), (&json!(shard), &json!(true)));
    assert_eq!(report["settings"], "those of the function test-dev");
    let [line] = &report["lines"].as_array().unwrap()[..] else { panic!("{report}") };
    assert_eq!(line["logged"], 1);
    let line = line["line"].as_str().unwrap();
    assert!(line.contains(&number) && line.ends_with(r#"data={"a":1}"#), "{line}");

    // The line leads to the same record, and so does the shard's number.
    let mut from_line = endpoint.ops(["--output", "json", "show"]);
    assert_eq!(Run::with_stdin(&mut from_line, line.as_bytes()).ok().json().remove(0)["lines"], report["lines"]);
    let number_of_shard = shard.trim_start_matches("shardId-").trim_start_matches('0');
    let short = format!("{}:{number}", if number_of_shard.is_empty() { "0" } else { number_of_shard });
    let text = endpoint.run(["show", &short]).ok().stdout;
    for part in [position.as_str(), "json, 7 bytes", "once in the log", "the MD5 of the key\nshard      shardId-", line]
    {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

#[test]
fn every_layer_of_an_aggregate_is_shown() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let (shard, number) =
        publish(&endpoint, &["--key", "k", "--aggregate", "--compress", "gzip"], "{\"a\":1}\nhello\nhello\n");
    let position = format!("{shard}:{number}");
    let report = logged(&endpoint, &position);
    let lines = report["lines"].as_array().unwrap();
    assert_eq!(lines.iter().map(|line| line["logged"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 1, 1], "{report}");
    let records = &report["data"]["records"];
    assert_eq!((&report["data"]["layer"], records.as_array().unwrap().len()), (&json!("aggregate"), 3), "{report}");
    assert_eq!((&records[1]["partitionKey"], &records[1]["inside"]["format"]), (&json!("k"), &json!("gzip")));
    assert_eq!(records[1]["inside"]["inside"], json!({ "layer": "data", "syntax": "text", "bytes": 5 }));

    let one = logged(&endpoint, &format!("{position}:1"));
    assert_eq!((one["lines"].as_array().unwrap().len(), &one["lines"][0]), (1, &lines[1]));
    assert_eq!((one["data"]["records"].as_array().unwrap().len(), &one["data"]["count"]), (1, &json!(3)));
    let text = endpoint.run(["show", &format!("{position}:1")]).ok().stdout;
    assert!(text.contains("aggregate with 3 sub-records, of which number 1 is shown, "), "{text}");
    endpoint.run(["show", &format!("{position}:3")]).failed(1, "no sub-record 3", "leave out the last part");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_made_with_the_functions_settings_and_counted() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    set_environment(&endpoint, &[("LOGGER_REDACT", "password")]).await;
    let (shard, number) = publish(&endpoint, &["--key", "k"], "{\"password\":\"hunter2\"}\n");
    let position = format!("{shard}:{number}");
    let report = logged(&endpoint, &position);
    let line = report["lines"][0]["line"].as_str().unwrap();
    assert!(line.contains("[redacted]") && !report.to_string().contains("hunter2"), "{report}");

    // $LATEST gets other settings. The alias does not run it.
    let config = endpoint.sdk_config().await;
    let without_data = aws_sdk_lambda::types::Environment::builder().variables("LOGGER_DATA", "none").build();
    let lambda = aws_sdk_lambda::Client::new(&config);
    lambda.update_function_configuration().function_name("test-dev").environment(without_data).send().await.unwrap();
    assert_eq!(logged(&endpoint, &position)["lines"][0]["line"].as_str(), Some(line));

    // The same line again, and one that the function would not write.
    let logs = Logs::new(&config);
    let group = "/aws/lambda/test-dev";
    logs.create_log_stream().log_group_name(group).log_stream_name("more").send().await.unwrap();
    let now = jiff::Timestamp::now().as_millisecond();
    let event = |text: &str| InputLogEvent::builder().timestamp(now).message(text).build().unwrap();
    let other = line.replace("[redacted]", "other");
    let events = vec![event(line), event(&other)];
    let put = logs.put_log_events().log_group_name(group).log_stream_name("more").set_log_events(Some(events));
    put.send().await.unwrap();
    let report = logged(&endpoint, &position);
    assert_eq!((&report["lines"][0]["logged"], &report["otherLines"]), (&json!(2), &json!([other])), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_not_there_or_not_logged_is_named_with_the_reason() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--shards", "2"]);
    let (shard, number) = publish(&endpoint, &["--key", "k"], "hello\n");
    let show = |position: &str| endpoint.run(["show", position]);
    show(&format!("{shard}:{}", earlier(&number, 25))).failed(1, "is past the retention", "may still be in the log");
    show(&format!("{shard}:{}", earlier(&number, 23))).failed(1, "has never had a record", "check the shard");
    show(&format!("{shard}:{}", unused(&number))).failed(1, "has never had a record", "check the shard");
    let other = if shard.ends_with('0') { 1 } else { 0 };
    show(&format!("{other}:{number}")).failed(1, "has never had a record", "check the shard");
    show(&format!("7:{number}")).failed(1, "has never had a record", "check the shard");
    let wrong = show("orders:1");
    assert!(wrong.code == 2 && wrong.stderr.contains("\"orders\" is not a shard"), "{}", wrong.stderr);
    let from = |line: &str| Run::with_stdin(&mut endpoint.ops(["show"]), line.as_bytes());
    from("START RequestId: 1 Version: $LATEST\n").failed(2, "not the log line of a record", "as `ops-cli tail");
    from("\n").failed(2, "stdin has no line", "give a position");
    assert!(from("one\ntwo\n").stderr.contains("stdin has more lines, which are ignored"));

    logged(&endpoint, &format!("{shard}:{number}"));
    set_environment(&endpoint, &[("LOGGER_MAX_DATA_BYTES", "3")]).await;
    let run = show(&format!("{shard}:{number}")).failed(1, "no line for the record", "--within 6h");
    assert!(run.stdout.contains("not in the log") && run.stdout.contains("other line in the log"), "{}", run.stdout);
    let run = endpoint.run(["--log-group", "/aws/lambda/tset-dev", "show", &format!("{shard}:{number}")]);
    let run = run.failed(1, "there is no log group /aws/lambda/tset-dev", "similar names: /aws/lambda/test-dev");
    assert!(run.stdout.contains("size       6 bytes"), "the record is explained nevertheless: {}", run.stdout);
}
