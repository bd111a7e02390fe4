//! Runs the built function as Lambda runs it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Function, Post};

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

/// An event larger than a pipe's buffer: 200 records of 4 KiB. `first` is the first sequence number.
fn large_event(first: u64) -> String {
    event((first..200).map(|number| record(number, &[b'x'; 4096])))
}

/// The sequence numbers of complete text lines.
fn sequence_numbers<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<u64> {
    let number = |line: &str| {
        assert!(line.ends_with('"') && line.matches(" seq=").count() == 1, "{line}");
        line.split_once(" seq=").unwrap().1.split(' ').next().unwrap().parse().unwrap()
    };
    lines.into_iter().map(number).collect()
}

/// The sequence number from which Lambda must send the batch again.
fn first_failed(answer: &Post) -> u64 {
    assert!(answer.path.ends_with("/response"), "{answer:?}");
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["batchItemFailures"].as_array().unwrap().len(), 1, "{body}");
    body["batchItemFailures"][0]["itemIdentifier"].as_str().unwrap().parse().unwrap()
}

fn json_line(function: &mut Function) -> Value {
    let line = function.line();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"))
}

#[test]
fn a_batch_becomes_text_lines_and_an_answer_without_failures() {
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
fn an_answer_within_a_tumbling_window_has_a_state() {
    let function = Function::start(&[JSON]);
    for records in [vec![record(1, b"hello")], Vec::new()] {
        let window = json!({"start": "2020-12-09T07:04:00Z", "end": "2020-12-09T07:06:00Z"});
        let event =
            json!({"Records": records, "window": window, "state": {}, "isFinalInvokeForWindow": records.is_empty()});
        let answer = function.invoke("request-1", event.to_string());
        assert_eq!(answer.body, r#"{"state":{},"batchItemFailures":[]}"#);
    }
}

#[test]
fn the_records_of_an_eventbridge_pipe_are_logged() {
    let piped = |number: u64, data: &[u8]| {
        let mut record = record(number, data);
        let Value::Object(mut kinesis) = record["kinesis"].take() else { panic!("no object") };
        record.as_object_mut().unwrap().remove("kinesis");
        kinesis.append(record.as_object_mut().unwrap());
        Value::Object(kinesis)
    };
    let mut function = Function::start(&[JSON]);
    let event = Value::from(vec![piped(1, b"hello"), piped(2, b"\xEF\xBB\xBF{\"a\": 1}")]).to_string();
    assert_eq!(function.invoke("request-1", event).body, r#"{"batchItemFailures":[]}"#);
    let first = json_line(&mut function);
    for (key, value) in [
        ("stream", "lambda-stream"),
        ("shard", "shardId-000000000006"),
        ("sequenceNumber", "1"),
        ("partitionKey", "key"),
        ("arrival", "2018-12-17T22:10:50.987Z"),
        ("type", "text"),
        ("data", "hello"),
    ] {
        assert_eq!(first[key], value, "{first}");
    }
    let second = json_line(&mut function);
    assert_eq!((&second["type"], &second["data"]), (&json!("json"), &json!({"a": 1})));
}

#[test]
fn json_lines_have_the_fields_that_lambda_and_people_read() {
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
fn each_hostile_record_becomes_one_line_and_never_fails_the_batch() {
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
        // The log is larger than a pipe's buffer, so the function answers only once it is read.
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
fn an_event_of_another_service_fails_with_its_name_and_the_next_event_is_served() {
    let mut function = Function::start(&[JSON]);
    let sqs = function.invoke("request-1", r#"{"Records":[{"eventSource":"aws:sqs","body":"x"}]}"#);
    assert_eq!(sqs.path, "/2018-06-01/runtime/invocation/request-1/error");
    assert_eq!(sqs.header("lambda-runtime-invocation-id"), Some("invocation-of-request-1"));
    let error: Value = serde_json::from_str(&sqs.body).unwrap();
    let message = "the payload is not a Kinesis event: its records come from \"aws:sqs\", not \"aws:kinesis\"";
    assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!("NotAKinesisEvent"), &json!(message)));
    let line = json_line(&mut function);
    assert_eq!((&line["level"], &line["message"]), (&json!("ERROR"), &json!(format!("request-1: {message}"))));
    assert!(line["timestamp"].is_string());

    let not_json = function.invoke("request-2", "{\"Records\":[");
    assert_eq!(not_json.path, "/2018-06-01/runtime/invocation/request-2/error");
    assert_eq!(json_line(&mut function)["level"], "ERROR");

    assert_eq!(function.invoke("request-3", event([record(1, b"x")])).body, r#"{"batchItemFailures":[]}"#);
    assert_eq!(json_line(&mut function)["requestId"], "request-3");
}

#[test]
fn a_level_above_info_hides_records_and_is_reported_once() {
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
fn the_lowest_level_does_not_log_raw_events() {
    let mut function = Function::start(&[("AWS_LAMBDA_LOG_LEVEL", "TRACE")]);
    function.invoke("request-1", event([record(1, b"once")]));
    assert!(function.line().ends_with(r#"data="once""#));
    assert_eq!(function.end(true).1, "");
}

#[test]
fn invalid_settings_fail_the_initialization_and_are_all_named() {
    let mut function = Function::start(&[JSON, ("AWS_LAMBDA_LOG_LEVEL", "loud")]);
    let post = function.post();
    assert_eq!(post.path, "/2018-06-01/runtime/init/error");
    assert_eq!(post.header("lambda-runtime-function-error-type"), Some("InvalidSettings"));
    let reason = "AWS_LAMBDA_LOG_LEVEL is \"loud\": a level is TRACE, DEBUG, INFO, WARN, ERROR or FATAL";
    let error: Value = serde_json::from_str(&post.body).unwrap();
    assert_eq!(error["errorMessage"], reason);
    let line = json_line(&mut function);
    assert_eq!((&line["level"], &line["message"]), (&json!("ERROR"), &json!(format!("cannot start: {reason}"))));
    let (status, log) = function.end(false);
    assert_eq!((status.code(), log.as_str()), (Some(1), ""));
}

#[test]
fn a_closed_log_fails_the_batch() {
    let mut function = Function::start(&[]);
    function.close_log();
    let answer = function.invoke("request-1", event([record(1, b"x")]));
    assert_eq!(answer.path, "/2018-06-01/runtime/invocation/request-1/error");
    let error: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(error["errorType"], "WriteFailed");
}

#[test]
fn a_slow_log_reader_loses_and_repeats_no_record() {
    let mut function = Function::start(&[("LOGGER_DEADLINE_MARGIN_MS", "1000")]);
    function.send_with_time("request-1", large_event(0), Duration::from_secs(2));
    // The log is not read until the function has answered.
    let next = first_failed(&function.post());
    assert!(next > 0 && next < 200, "{next}");
    function.send("request-2", large_event(next));
    let mut lines: Vec<String> = (0..next).map(|_| function.line()).collect();
    let torn = function.line();
    let said = function.line();
    let why = format!(
        "{next} of 200 records are logged, Lambda will send the others again: stdout accepted no more data before the deadline"
    );
    assert!(said.contains(" WARN - message=") && said.contains(&why), "{said}");
    lines.extend((next..200).map(|_| function.line()));
    assert_eq!(sequence_numbers(lines.iter().map(String::as_str)), (0..200).collect::<Vec<_>>());
    assert!(torn.is_empty() || torn.contains("request-1") && !torn.ends_with('"'), "{torn}");
    assert_eq!(function.post().body, r#"{"batchItemFailures":[]}"#);
    assert_eq!(function.end(true).1, "");
}

#[test]
fn an_expired_deadline_logs_nothing_and_fails_the_batch() {
    let mut function = Function::start(&[]);
    function.send_with_time("request-1", large_event(0), Duration::ZERO);
    let answer = function.post();
    assert_eq!(answer.path, "/2018-06-01/runtime/invocation/request-1/error");
    let error: Value = serde_json::from_str(&answer.body).unwrap();
    let message = "none of the 200 records was logged: stdout accepted no more data before the deadline";
    assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!("DeadlineNear"), &json!(message)));
    assert!(function.line().contains(message));
    assert_eq!(function.end(true).1, "");
}

#[test]
fn after_an_interrupted_log_the_answer_names_the_first_record_not_in_it() {
    let mut function = Function::start(&[]);
    function.send("request-1", large_event(0));
    let lines: Vec<String> = (0..100).map(|_| function.line()).collect();
    function.close_log();
    let next = first_failed(&function.post());
    assert_eq!(sequence_numbers(lines.iter().map(String::as_str)), (0..100).collect::<Vec<_>>());
    assert!(next >= 100, "{next}");
}

#[test]
fn a_record_without_a_sequence_number_is_sent_again_with_the_one_before_it() {
    let mut function = Function::start(&[("LOGGER_DEADLINE_MARGIN_MS", "1000")]);
    let numberless = json!({"kinesis": {"data": "x".repeat(2048)}});
    let records = std::iter::once(record(7, b"x")).chain(std::iter::repeat_n(numberless, 200));
    function.send_with_time("request-1", event(records), Duration::from_secs(2));
    assert_eq!(first_failed(&function.post()), 7);
    assert!(function.line().contains(" seq=7 "));
}

#[test]
fn invocations_run_concurrently_and_every_line_is_whole() {
    let mut function = Function::start(&[("AWS_LAMBDA_MAX_CONCURRENCY", "4")]);
    let requests = ["request-1", "request-2", "request-3", "request-4"];
    for request in requests {
        function.send(request, large_event(0));
    }
    // The log is not read. Without concurrency, the function would not accept the second event before it answers the first.
    let mut taken: Vec<_> = requests.iter().map(|_| function.taken()).collect();
    taken.sort();
    assert_eq!(taken, requests);
    let lines: Vec<String> = (0..800).map(|_| function.line()).collect();
    let mut by_request = BTreeMap::<&str, Vec<&str>>::new();
    for line in &lines {
        by_request.entry(line.split(' ').nth(2).unwrap()).or_default().push(line);
    }
    assert_eq!(by_request.keys().copied().collect::<Vec<_>>(), requests);
    for lines in by_request.into_values() {
        assert_eq!(sequence_numbers(lines), (0..200).collect::<Vec<_>>());
    }
    for _ in requests {
        assert_eq!(function.post().body, r#"{"batchItemFailures":[]}"#);
    }
    assert_eq!(function.end(true).1, "");
}

#[test]
fn sigterm_finishes_the_invocation_in_progress() {
    for concurrency in ["1", "4"] {
        let mut function = Function::start(&[("AWS_LAMBDA_MAX_CONCURRENCY", concurrency)]);
        function.send("request-1", large_event(0));
        let mut lines = vec![function.line()];
        function.terminate();
        lines.extend((1..200).map(|_| function.line()));
        assert_eq!(sequence_numbers(lines.iter().map(String::as_str)), (0..200).collect::<Vec<_>>());
        assert_eq!(function.post().body, r#"{"batchItemFailures":[]}"#);
        let (status, log) = function.end(false);
        assert_eq!((status.code(), log.as_str()), (Some(0), ""));
    }
}

#[test]
fn each_invocation_writes_one_line_of_metrics() {
    let mut function = Function::start(&[JSON, ("LOGGER_METRICS", "emf")]);
    function.invoke("request-1", event([record(1, b"hello"), json!({"kinesis": {"data": "*"}})]));
    function.invoke("request-2", event([]));
    assert_eq!(
        [json_line(&mut function)["type"].clone(), json_line(&mut function)["type"].clone()],
        ["text", "undecodable"]
    );
    let metrics = json_line(&mut function);
    assert_eq!(metrics["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["FunctionName"]]));
    let numbers = ["Records", "FailedRecords", "DataBytes", "UndecodableRecords", "SampledOutRecords"];
    assert_eq!(numbers.map(|name| metrics[name].as_u64().unwrap()), [2, 0, 5, 1, 0]);
    assert!(metrics["MaxLag"].as_i64().unwrap() > 0);
    let texts = ["FunctionName", "requestId", "stream", "shard"];
    let expected = ["logger", "request-1", "lambda-stream", "shardId-000000000006"];
    assert_eq!(texts.map(|name| metrics[name].as_str().unwrap()), expected);
    let empty = json_line(&mut function);
    assert_eq!((&empty["requestId"], &empty["Records"]), (&json!("request-2"), &json!(0)));
    assert_eq!(function.end(true).1, "");
}

#[test]
fn metrics_are_written_at_every_level() {
    let mut function = Function::start(&[JSON, ("LOGGER_METRICS", "emf"), ("AWS_LAMBDA_LOG_LEVEL", "ERROR")]);
    function.invoke("request-1", event([record(1, b"hello")]));
    let metrics = loop {
        let line = json_line(&mut function);
        if line.get("_aws").is_some() {
            break line;
        }
    };
    assert_eq!((&metrics["level"], &metrics["Records"]), (&json!("ERROR"), &json!(1)));
    let written = metrics["timestamp"].as_str().unwrap();
    assert!(written.starts_with("20") && written.ends_with('Z') && written.len() == 24, "{written}");
    assert_eq!(function.end(true).1, "");
}

#[test]
fn redacted_values_are_not_logged() {
    let redact = ("LOGGER_REDACT", "password,/card/number");
    let mut function = Function::start(&[JSON, redact, ("LOGGER_MAX_DATA_BYTES", "100"), ("LOGGER_METRICS", "emf")]);
    let data: [&[u8]; 4] = [
        br#"{"user":"u","password":"hunter2","card":{"number":4111}}"#,
        br#"password=hunter2"#,
        &b"long ".repeat(100),
        b"\xff hunter2",
    ];
    function.invoke("request-1", event((1..).zip(data).map(|(number, data)| record(number, data))));
    let lines: Vec<String> = data.iter().map(|_| function.line()).collect();
    let log = lines.concat();
    assert!(!log.contains("hunter2") && !log.contains("4111") && !log.contains("aHVudGVyMg"), "{log}");
    assert!(
        lines[0].contains(r#""data":{"user":"u","password":"[redacted]","card":{"number":"[redacted]"}}"#),
        "{log}"
    );
    let metrics = json_line(&mut function);
    assert_eq!(metrics["RedactedRecords"], 4, "{log}");

    for (shown, sha256) in [("hash", true), ("none", false)] {
        let mut function = Function::start(&[JSON, ("LOGGER_DATA", shown)]);
        function.invoke("request-1", event([record(1, b"hunter2")]));
        let line = json_line(&mut function);
        assert_eq!(
            (line.get("data"), &line["bytes"], line.get("sha256").is_some()),
            (None, &json!(7), sha256),
            "{line}"
        );
    }
}

#[test]
fn lines_have_the_fields_that_are_chosen() {
    let hidden = br#"{"a":1,"password":"hunter2"}"#;
    for (fields, format, expected) in [
        (
            "compact",
            "JSON",
            r#"{"v":1,"sequenceNumber":"1","partitionKey":"key","lagMs":…,"redacted":1,"data":{"a":1,"password":"[redacted]"}}"#,
        ),
        ("compact", "Text", r#"seq=1 key="key" lagMs=… redacted=1 data={"a":1,"password":"[redacted]"}"#),
        ("data", "Text", r#"{"a":1,"password":"[redacted]"}"#),
        ("data", "JSON", r#"{"a":1,"password":"[redacted]"}"#),
        (
            "partitionKey,v,shard",
            "JSON",
            r#"{"partitionKey":"key","v":1,"shard":"shardId-000000000006","redacted":1,"data":{"a":1,"password":"[redacted]"}}"#,
        ),
    ] {
        let level = ("AWS_LAMBDA_LOG_LEVEL", if fields == "data" { "TRACE" } else { "INFO" });
        let variables =
            [("LOGGER_FIELDS", fields), ("AWS_LAMBDA_LOG_FORMAT", format), ("LOGGER_REDACT", "password"), level];
        let mut function = Function::start(&variables);
        function.invoke("request-1", event([record(1, hidden), record(2, b"password=hunter2")]));
        let (line, whole) = (function.line(), function.line());
        let (before, after) = expected.split_once('…').unwrap_or((expected, ""));
        assert!(line.starts_with(before) && line.ends_with(after), "{line}");
        assert!(whole.contains("[redacted]") && !whole.contains("hunter2"), "{whole}");
        assert_eq!(function.end(true).1, "");
    }
}

#[test]
fn data_with_several_json_values_is_split_and_each_value_redacted() {
    let several = b"{\"n\":0,\"password\":\"hunter2\"}\n{\"n\":1}\n[{\"password\":\"hunter2\"}]";
    let cut = &several[..several.len() - 1];
    for (redact, whole) in [("password", true), ("/password", true), ("other", false)] {
        let mut function = Function::start(&[JSON, ("LOGGER_SPLIT", "json"), ("LOGGER_REDACT", redact)]);
        function.invoke("request-1", event([record(1, several), record(2, cut), record(3, b"{}")]));
        let lines: Vec<Value> = (0..5).map(|_| json_line(&mut function)).collect();
        for (number, line) in lines[..3].iter().enumerate() {
            assert_eq!((&line["sequenceNumber"], &line["subSequenceNumber"]), (&json!("1"), &json!(number)), "{line}");
            assert_eq!(line["type"], "json", "{line}");
        }
        let is_hidden = lines[0]["data"]["password"] == "[redacted]";
        assert_eq!((is_hidden, &lines[1]["data"]), (whole, &json!({"n": 1})));
        // Data that is cut off is one line as without the setting, and redacted as a whole.
        assert_eq!((&lines[3]["type"], lines[3].get("subSequenceNumber")), (&json!("text"), None));
        assert_eq!(lines[3]["data"] == "[redacted]", whole, "{}", lines[3]);
        assert_eq!((&lines[4]["data"], lines[4].get("subSequenceNumber")), (&json!({}), None));
        assert_eq!(function.end(true).1, "");
    }
}

#[test]
fn an_aggregate_becomes_one_line_per_record_in_it() {
    // Built by AWS's own library: keys pk-a and pk-b, data hello and world.
    let aggregate = "84mawgoEcGstYQoEcGstYhoJCAAaBWhlbGxvGgkIARoFd29ybGRkyOI49Vm4v3rGmD9fHJq1";
    let mut function = Function::start(&[JSON, ("LOGGER_METRICS", "emf")]);
    let mut outer = record(7, b"");
    outer["kinesis"]["data"] = json!(aggregate);
    function.invoke("request-1", event([outer]));
    for (number, key, data) in [(0, "pk-a", "hello"), (1, "pk-b", "world")] {
        let line = json_line(&mut function);
        let place = (&line["sequenceNumber"], &line["subSequenceNumber"], &line["partitionKey"], &line["data"]);
        assert_eq!(place, (&json!("7"), &json!(number), &json!(key), &json!(data)));
    }
    let metrics = json_line(&mut function);
    assert_eq!((&metrics["Records"], &metrics["SubRecords"]), (&json!(1), &json!(2)));
}

#[test]
fn data_is_truncated_to_the_configured_size() {
    let mut function = Function::start(&[JSON, ("LOGGER_MAX_DATA_BYTES", "10"), ("LOGGER_METRICS", "emf")]);
    function.invoke("request-1", event([record(1, "äöüäöü".as_bytes())]));
    let line = json_line(&mut function);
    assert_eq!(
        (&line["data"], &line["bytes"], &line["truncated"]),
        (&json!("äöüäö"), &json!(12), &json!(true)),
        "{line}"
    );
    assert_eq!(line["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(json_line(&mut function)["TruncatedRecords"], 1);
}

#[test]
fn no_line_exceeds_the_size_of_a_log_event() {
    // Each control character has six bytes on the line.
    let data = [vec![0; 1024 * 1024], vec![b'x'; 4 * 1024 * 1024]];
    for max in ["", "1000000"] {
        let function = Function::start(&[JSON, ("LOGGER_MAX_DATA_BYTES", max)]);
        function.send("request-1", event((1..).zip(&data).map(|(number, data)| record(number, data))));
        let mut function = function;
        for _ in &data {
            let length = function.line().len();
            assert!(length > 200_000 && length < 1024 * 1024 - 26, "{length}");
        }
    }
}

#[test]
fn a_sample_excludes_whole_keys_and_reports_it() {
    let records: Vec<Value> = (0..100)
        .map(|number| {
            let mut record = record(number, b"x");
            record["kinesis"]["partitionKey"] = json!(format!("key-{}", number % 10));
            record
        })
        .collect();
    let function = Function::start(&[("LOGGER_SAMPLE", "0.5")]);
    let answer = function.invoke("request-1", event(records));
    assert_eq!(answer.body, r#"{"batchItemFailures":[]}"#);
    let (_, log) = function.end(true);
    let (said, lines): (Vec<_>, Vec<_>) = log.lines().partition(|line| line.contains(" - message="));
    let mut by_key = BTreeMap::<&str, usize>::new();
    for line in &lines {
        *by_key.entry(line.split(' ').nth(6).unwrap()).or_default() += 1;
    }
    assert!(!by_key.is_empty() && by_key.len() < 10 && by_key.values().all(|&count| count == 10), "{by_key:?}");
    assert_eq!(said.len(), 1);
    let out = 100 - lines.len();
    assert!(said[0].contains(&format!("LOGGER_SAMPLE leaves out {out} of 100 records of request-1")), "{said:?}");
}

#[test]
fn outside_lambda_it_says_where_it_belongs() {
    let output = support::bootstrap().env_clear().output().unwrap();
    let log = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(log.contains("this program runs in AWS Lambda") && log.lines().count() == 1, "{log}");
    assert!(output.stderr.is_empty());
}
