//! The built function, run as Lambda runs it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod support;

use serde_json::{Value, json};

use crate::support::Function;

const JSON: (&str, &str) = ("AWS_LAMBDA_LOG_FORMAT", "JSON");

fn record(sequence_number: u64, data: &[u8]) -> Value {
    json!({
        "kinesis": {
            "kinesisSchemaVersion": "1.0", "partitionKey": "key", "sequenceNumber": sequence_number.to_string(),
            "data": base64_simd::STANDARD.encode_to_string(data), "approximateArrivalTimestamp": 1545084650.987,
        },
        "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventName": "aws:kinesis:record",
        "eventID": format!("shardId-000000000006:{sequence_number}"), "awsRegion": "us-east-2",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
        "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
    })
}

fn event(records: impl IntoIterator<Item = Value>) -> String {
    json!({"Records": records.into_iter().collect::<Vec<_>>()}).to_string()
}

fn json_line(function: &mut Function) -> Value {
    let line = function.line();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"))
}

#[test]
fn text_lines_and_an_answer_that_says_all_is_well() {
    let mut function = Function::start(&[]);
    let answer = function.invoke("request-1", event([record(1, b"Hello, Lambda CLI World"), record(2, b"{\"a\": 1}")]));
    assert_eq!(answer.path, "/2018-06-01/runtime/invocation/request-1/response");
    assert_eq!(answer.body, r#"{"batchItemFailures":[]}"#);
    assert_eq!(answer.header("lambda-runtime-invocation-id"), Some("invocation-of-request-1"));

    let fields = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let first = fields(&function.line());
    assert_eq!(
        first[1..7],
        ["INFO", "request-1", "stream=lambda-stream", "shard=shardId-000000000006", "seq=1", "key=\"key\""]
    );
    assert_eq!(first[7], "arrival=2018-12-17T22:10:50.987Z");
    assert_eq!(first[9..].join(" "), r#"data="Hello, Lambda CLI World""#);
    assert_eq!(fields(&function.line())[9..].join(" "), r#"data={"a": 1}"#);
}

#[test]
fn json_lines_carry_what_lambda_and_people_look_for() {
    let mut function = Function::start(&[JSON, ("AWS_LAMBDA_LOG_LEVEL", "INFO"), ("RUST_LOG", "off")]);
    function.invoke("request-1", event([record(7, b"{\"price\": 1.50}")]));
    let line = function.line();
    assert!(line.ends_with(r#""type":"json","data":{"price": 1.50}}"#), "{line}");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&line["level"], &line["requestId"], &line["sequenceNumber"]),
        (&json!("INFO"), &json!("request-1"), &json!("7"))
    );
    let lag_ms = line["lagMs"].as_i64().unwrap();
    let year = line["timestamp"].as_str().unwrap()[..4].parse::<u32>().unwrap();
    assert!(year >= 2026 && lag_ms > 0, "{line}");
}

#[test]
fn hostile_records_are_each_one_line_and_never_fail_the_batch() {
    let hostile: &[&[u8]] = &[
        b"",
        b"\n",
        b"a\r\nb\0\x1b[31m",
        "\u{2028}\u{202e}".as_bytes(),
        b"\xff\xfe",
        b"{\"a\":\"\\ud800\"}",
        b"{\"n\":1e999}",
        b"[1,\n2]",
        &b"[".repeat(300_000),
        &b"{\"a\":".repeat(1000),
        &vec![b'x'; 1024 * 1024],
    ];
    let mut records: Vec<Value> = (0..).zip(hostile).map(|(number, data)| record(number, data)).collect();
    records.extend([
        json!(null),
        json!(7),
        json!({}),
        json!({"kinesis": {"data": "not base64"}}),
        json!({"kinesis": {"data": null}}),
    ]);
    let count = records.len();
    let event = event(records).replacen("\"key\"", "\"\\ud800\\n\"", 1);

    for format in ["Text", "JSON"] {
        let mut function = Function::start(&[("AWS_LAMBDA_LOG_FORMAT", format)]);
        // The log is larger than a pipe holds: the answer comes only once it is read.
        function.send("request-1", event.as_str());
        let lines: Vec<String> = (0..count).map(|_| function.line()).collect();
        assert_eq!(function.post().body, r#"{"batchItemFailures":[]}"#);
        assert_eq!(function.end(true).1, "", "more lines than records");
        let bad = count - 5;
        for (number, line) in lines.iter().enumerate() {
            let level = if number < bad { "INFO" } else { "WARN" };
            assert!(!line.contains(char::is_control) && line[..60].contains(level), "{number}: {line:.200}");
            if format == "JSON" {
                serde_json::from_str::<Value>(line).unwrap();
            }
        }
    }
}

#[test]
fn what_is_no_kinesis_event_fails_by_name_and_the_next_event_is_served() {
    let mut function = Function::start(&[JSON]);
    let sqs = function.invoke("request-1", r#"{"Records":[{"eventSource":"aws:sqs","body":"x"}]}"#);
    assert_eq!(sqs.path, "/2018-06-01/runtime/invocation/request-1/error");
    assert_eq!(sqs.header("lambda-runtime-invocation-id"), Some("invocation-of-request-1"));
    let error: Value = serde_json::from_str(&sqs.body).unwrap();
    let message = "not a Kinesis event: its records come from \"aws:sqs\", not \"aws:kinesis\"";
    assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!("NotAKinesisEvent"), &json!(message)));
    let line = json_line(&mut function);
    assert_eq!((&line["level"], &line["message"]), (&json!("ERROR"), &json!(message)));
    assert!(line["timestamp"].is_string());

    let not_json = function.invoke("request-2", "{\"Records\":[");
    assert_eq!(not_json.path, "/2018-06-01/runtime/invocation/request-2/error");
    assert_eq!(json_line(&mut function)["level"], "ERROR");

    assert_eq!(function.invoke("request-3", event([record(1, b"x")])).body, r#"{"batchItemFailures":[]}"#);
    assert_eq!(json_line(&mut function)["requestId"], "request-3");
}

#[test]
fn a_level_above_info_hides_records_and_says_so_once() {
    let mut function = Function::start(&[JSON, ("AWS_LAMBDA_LOG_LEVEL", "WARN")]);
    for request in ["request-1", "request-2"] {
        function.invoke(request, event([record(1, b"x"), json!(null)]));
    }
    let said = json_line(&mut function);
    assert_eq!(said["level"], "WARN");
    assert_eq!(said["message"], "AWS_LAMBDA_LOG_LEVEL is WARN: the lines of records, at INFO, are not written");
    for request in ["request-1", "request-2"] {
        let line = json_line(&mut function);
        assert_eq!((&line["requestId"], &line["type"]), (&json!(request), &json!("undecodable")));
    }
    assert_eq!(function.end(true).1, "");
}

#[test]
fn the_lowest_level_does_not_print_events_again() {
    let mut function = Function::start(&[("AWS_LAMBDA_LOG_LEVEL", "TRACE")]);
    function.invoke("request-1", event([record(1, b"once")]));
    assert!(function.line().ends_with(r#"data="once""#));
    assert_eq!(function.end(true).1, "");
}

#[test]
fn settings_that_do_not_parse_end_the_start_with_each_named() {
    let mut function = Function::start(&[JSON, ("AWS_LAMBDA_LOG_LEVEL", "loud")]);
    let post = function.post();
    assert_eq!(post.path, "/2018-06-01/runtime/init/error");
    assert_eq!(post.header("lambda-runtime-function-error-type"), Some("InvalidSettings"));
    let reason = "AWS_LAMBDA_LOG_LEVEL is \"loud\": it takes TRACE, DEBUG, INFO, WARN, ERROR or FATAL";
    let error: Value = serde_json::from_str(&post.body).unwrap();
    assert_eq!(error["errorMessage"], reason);
    let line = json_line(&mut function);
    assert_eq!((&line["level"], &line["message"]), (&json!("ERROR"), &json!(format!("cannot start: {reason}"))));
    let (status, log) = function.end(false);
    assert_eq!((status.code(), log.as_str()), (Some(1), ""));
}

#[test]
fn a_log_that_cannot_be_written_fails_the_batch_so_that_it_is_sent_again() {
    let mut function = Function::start(&[]);
    function.close_log();
    let answer = function.invoke("request-1", event([record(1, b"x")]));
    assert_eq!(answer.path, "/2018-06-01/runtime/invocation/request-1/error");
    let error: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(error["errorType"], "WriteFailed");
}

#[test]
fn outside_lambda_it_says_where_it_belongs() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_bootstrap")).env_clear().output().unwrap();
    let log = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(log.contains("this program is run by AWS Lambda") && log.lines().count() == 1, "{log}");
    assert!(output.stderr.is_empty());
}
