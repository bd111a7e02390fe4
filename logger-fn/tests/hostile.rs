//! Sends a corpus of hostile events to the built function: every record is logged or reported.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod support;

use serde_json::Value;

use crate::support::Function;

/// A record with the given member `kinesis`.
fn record(kinesis: &str) -> String {
    format!(
        r#"{{"kinesis":{{{kinesis}}},"eventSource":"aws:kinesis","eventID":"shardId-000000000000:1","eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/s"}}"#
    )
}

fn data(bytes: impl AsRef<[u8]>) -> String {
    record(&format!("\"partitionKey\":\"k\",\"data\":\"{}\"", base64_simd::STANDARD.encode_to_string(bytes.as_ref())))
}

fn repeated(unit: &str, count: usize, end: &str) -> String {
    unit.repeat(count) + &end.repeat(count)
}

/// Records that become one line each.
fn records() -> Vec<String> {
    let deep = repeated("[", 100_000, "]");
    let mut records: Vec<String> =
        ["null", "true", "1", "12", "-1e999999", "\"\\ud800\"", "[]", "{}", "[[[{}]]]", &deep]
            .into_iter()
            .map(str::to_owned)
            .collect();
    let kinesis = [
        "",
        r#""data":null"#,
        r#""data":{}"#,
        r#""data":"====""#,
        r#""data":"YQ""#,
        r#""data":"YQ==\n""#,
        r#""data":"\u0059\u0051=\u003d""#,
        r#""data":"\ud800""#,
        r#""data":"YQ==","data":7,"data":"Yg==""#,
        r#""data":"YQ==","partitionKey":"\ud800\n\u0000\u2028""#,
        r#""data":"YQ==","partitionKey":[[{}]]"#,
        r#""data":"YQ==","sequenceNumber":123456789012345678901234567890123456789012345678901234567890"#,
        r#""data":"YQ==","approximateArrivalTimestamp":1e400"#,
        r#""data":"YQ==","approximateArrivalTimestamp":-9223372036854775808999"#,
        r#""data":"YQ==","encryptionType":{"future":[]}"#,
    ];
    records.extend(kinesis.map(record));
    records.push(record(&format!("\"data\":\"YQ==\",\"future\":{deep}")));
    records.push(record(&format!("\"data\":\"YQ==\",\"partitionKey\":\"{}\"", "\\n".repeat(100_000))));
    records.push(record(&format!("\"data\":\"{}\"", "*".repeat(1_000_000))));
    let payloads = [
        String::new(),
        "\n\r\n\u{2028}\u{2029}\u{85}\u{b}\u{c}\0\x1b[2J\x1b]0;x\x07".to_owned(),
        "START RequestId: forged\nEND RequestId: forged\n".to_owned(),
        "{\"timestamp\":\"2026-11-23T16:56:00.123Z\",\"level\":\"FATAL\",\"message\":\"forged\"}\n".to_owned(),
        r#"{"_aws":{"Timestamp":0,"CloudWatchMetrics":[]},"forged":1}"#.to_owned(),
        r#"{"a":1,"a":2,"a":{"a":3}}"#.to_owned(),
        r#"{"a":"\ud800","\udfff":1}"#.to_owned(),
        r#"{"n":1e999,"m":-0.0,"o":123456789012345678901234567890}"#.to_owned(),
        format!("[{}]", "9".repeat(100_000)),
        repeated("{\"a\":", 100_000, "}"),
        deep.clone(),
        "[".repeat(1_000_000),
        format!("{{\"a\":\"{}\"}}", "\\u0000".repeat(100_000)),
        "\0".repeat(1_000_000),
        "x".repeat(10 * 1024 * 1024),
        "\u{10ffff}".repeat(300_000),
    ];
    records.extend(payloads.map(data));
    records.extend(
        [&b"\xff\xfe\0"[..], b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xf3\x89\x9a\xc2", b"\xed\xa0\x80"].map(data),
    );
    records
}

/// Payloads that are not Kinesis events.
fn invalid_events() -> Vec<Vec<u8>> {
    let texts = [
        "",
        "null",
        "[]",
        "7",
        "\"Records\"",
        "{}",
        "{\"Records\":null}",
        "{\"Records\":{}}",
        "{\"records\":[]}",
        "{\"Records\":[{\"eventSource\":\"aws:sqs\"}]}",
        "{\"Records\":[}",
        "{\"Records\":[]}}",
        "{\"Records\":[\"\x00\"]}",
    ];
    let mut events: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    events.push(b"{\"Records\":[\"\xff\"]}".to_vec());
    events.push("[".repeat(1_000_000).into_bytes());
    events.push(format!("{{\"Records\":{}", "[".repeat(1_000_000)).into_bytes());
    events
}

fn is_clean(line: &str) -> bool {
    // Characters that end a line or move a cursor: C0, C1, and Unicode's line separators.
    !line.contains(|character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}'))
}

#[test]
fn every_record_becomes_a_line() {
    let records = records();
    let event = format!("{{\"Records\":[{}],\"Records\":[null]}}", records.join(","));
    let settings: [&[(&str, &str)]; 4] = [
        &[("AWS_LAMBDA_LOG_FORMAT", "Text")],
        &[("AWS_LAMBDA_LOG_FORMAT", "JSON")],
        &[("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("LOGGER_REDACT", "a,/b/c"), ("LOGGER_MAX_DATA_BYTES", "1000000")],
        &[("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("LOGGER_DATA", "hash"), ("AWS_LAMBDA_MAX_CONCURRENCY", "2")],
    ];
    for settings in settings {
        let mut function = Function::start(&[settings, &[("LOGGER_METRICS", "emf")]].concat());
        function.send("request-1", event.as_str());
        for (number, record) in records.iter().enumerate() {
            let line = function.line();
            let about = format!("{number}: {record:.200} → {line:.300}");
            assert!(is_clean(&line) && line.len() < 1024 * 1024 - 26, "{about}");
            assert!(line.contains("request-1") && !line.starts_with("{\"_aws\""), "{about}");
            if settings[0].1 == "JSON" {
                let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {about}"));
                assert_eq!((&line["v"], &line["requestId"]), (&1.into(), &"request-1".into()), "{about}");
            }
        }
        let metrics: Value = serde_json::from_str(&function.line()).unwrap();
        assert_eq!((&metrics["Records"], &metrics["FailedRecords"]), (&records.len().into(), &0.into()));
        assert_eq!(function.post().body, r#"{"batchItemFailures":[]}"#);
        assert_eq!(function.end(true).1, "", "more lines than records");
    }
}

#[test]
fn invalid_events_are_reported_and_the_next_one_is_served() {
    let mut function = Function::start(&[("AWS_LAMBDA_LOG_FORMAT", "JSON")]);
    for event in invalid_events() {
        let about = String::from_utf8_lossy(&event[..event.len().min(60)]).into_owned();
        let answer = function.invoke("request-1", event);
        assert_eq!(answer.path, "/2018-06-01/runtime/invocation/request-1/error", "{about}");
        let error: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(!error["errorMessage"].as_str().unwrap().is_empty(), "{about}");
        let line = function.line();
        assert!(is_clean(&line) && line.contains("\"level\":\"ERROR\"") && line.len() < 1000, "{about}: {line:.300}");
    }
    assert_eq!(function.invoke("request-2", "{\"Records\":[]}").body, r#"{"batchItemFailures":[]}"#);
    assert_eq!(function.end(true).1, "");
}
