//! Checks the lines: golden files for every kind of record in both formats, and properties of the line of any record.
//!
//! After an intended change, `UPDATE_GOLDEN=1 cargo test -p kinesis-event-logger-core --test lines` rewrites the files.
//! Read the difference.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::convert::Infallible;
use std::path::Path;

use kinesis_event_logger_core::decode::classify;
use kinesis_event_logger_core::line::{DataMode, Envelope, Level, MAX_NAME_BYTES, append_message};
use kinesis_event_logger_core::{
    Data, Decoder, Event, LineFormat, LineOptions, LineWriter, Payload, Position, Record, Redactor,
};
use proptest::prelude::*;
use serde_json::Value;

/// 2018-12-17T22:10:51.000Z, 13 ms after the first record's arrival and before the second's.
const NOW_MS: i64 = 1_545_084_651_000;
const REQUEST_ID: &str = "c9e64f6b-3c6c-4a36-9ad3-9d2a1a4e7a5f";

fn lines_of_the_golden_event(format: LineFormat, options: &LineOptions) -> String {
    let writer = LineWriter::with_options(format, REQUEST_ID, NOW_MS, options);
    let (mut lines, mut decoder) = (Vec::new(), Decoder::new());
    for source in Event::parse(include_str!("golden/event.json")).unwrap().records() {
        let Ok(()) = decoder.decode(&source, |record| {
            writer.append(record, &mut lines);
            Ok::<_, Infallible>(())
        });
    }
    append_message(format, NOW_MS, Level::Warn, "set \"X\"\nto y", &mut lines);
    String::from_utf8(lines).unwrap()
}

fn assert_golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    for (number, (actual, golden)) in actual.lines().zip(golden.lines()).enumerate() {
        assert_eq!(actual, golden, "{name}, line {}", number + 1);
    }
    assert_eq!(actual.lines().count(), golden.lines().count(), "{name}");
}

/// Lines in JSON format. Each is checked to be JSON.
fn json_lines_of_the_golden_event(options: &LineOptions) -> String {
    let lines = lines_of_the_golden_event(LineFormat::Json, options);
    for line in lines.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    lines
}

#[test]
fn text_lines_equal_the_golden_file() {
    assert_golden("lines.txt", &lines_of_the_golden_event(LineFormat::Text, &LineOptions::DEFAULT));
}

#[test]
fn json_lines_equal_the_golden_file() {
    assert_golden("lines.jsonl", &json_lines_of_the_golden_event(&LineOptions::DEFAULT));
}

#[test]
fn redacted_lines_equal_the_golden_file() {
    let options = LineOptions { redactor: Redactor::new(["password", "/id"]).unwrap(), ..LineOptions::DEFAULT };
    let json = json_lines_of_the_golden_event(&options);
    let text = lines_of_the_golden_event(LineFormat::Text, &options);
    assert!(!json.contains("hunter2") && !text.contains("hunter2"));
    assert_golden("redacted.jsonl", &json);
    assert_golden("redacted.txt", &text);
}

#[test]
fn truncated_lines_equal_the_golden_file() {
    let options = LineOptions { max_data_bytes: 10, ..LineOptions::DEFAULT };
    assert_golden("cut.jsonl", &json_lines_of_the_golden_event(&options));
    assert_golden("cut.txt", &lines_of_the_golden_event(LineFormat::Text, &options));
}

#[test]
fn lines_without_data_equal_the_golden_file() {
    let options = LineOptions { data: DataMode::Hash, ..LineOptions::DEFAULT };
    assert_golden("hash.jsonl", &json_lines_of_the_golden_event(&options));
    assert_golden("hash.txt", &lines_of_the_golden_event(LineFormat::Text, &options));
    let none = json_lines_of_the_golden_event(&LineOptions { data: DataMode::None, ..LineOptions::DEFAULT });
    assert!(!none.contains("\"data\"") && !none.contains("sha256"));
}

fn envelope(envelope: &str) -> LineOptions {
    LineOptions { envelope: envelope.parse().unwrap(), ..LineOptions::DEFAULT }
}

#[test]
fn lines_with_a_smaller_envelope_equal_the_golden_files() {
    for preset in ["compact", "data"] {
        let options = envelope(preset);
        assert_golden(&format!("{preset}.jsonl"), &json_lines_of_the_golden_event(&options));
        assert_golden(&format!("{preset}.txt"), &lines_of_the_golden_event(LineFormat::Text, &options));
    }
}

#[test]
fn every_field_before_the_data_can_be_chosen() {
    let about_data = ["error", "redacted", "redactedWhole", "bytes", "sha256", "truncated", "data"];
    let lines = json_lines_of_the_golden_event(&LineOptions::DEFAULT);
    for line in lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let names = line.as_object().unwrap().keys().map(String::as_str);
        for name in names.filter(|name| !about_data.contains(name) && *name != "message") {
            assert!(name.parse::<Envelope>().is_ok(), "{name}");
        }
    }
}

#[test]
fn a_line_has_the_chosen_fields_in_their_order() {
    let options = envelope("partitionKey,logGroup,v,requestId,arrival");
    let (json, text) =
        (json_lines_of_the_golden_event(&options), lines_of_the_golden_event(LineFormat::Text, &options));
    let json = json.lines().find(|line| line.contains("/aws/lambda/shop")).unwrap();
    let expected = concat!(
        r#"{"partitionKey":"envelope","logGroup":"/aws/lambda/shop","v":1,"#,
        r#""requestId":"c9e64f6b-3c6c-4a36-9ad3-9d2a1a4e7a5f","arrival":"2018-12-17T22:10:50.987Z","data":{"level":"#
    );
    assert!(json.starts_with(expected), "{json}");
    let text = text.lines().find(|line| line.contains("/aws/lambda/shop")).unwrap();
    let expected = "key=\"envelope\" logGroup=/aws/lambda/shop c9e64f6b-3c6c-4a36-9ad3-9d2a1a4e7a5f arrival=2018-12-17T22:10:50.987Z data={";
    assert!(text.starts_with(expected), "{text}");
}

/// Lambda takes a JSON line without timestamp and level for one at level INFO.
#[test]
fn lines_at_level_warn_say_so_with_every_envelope() {
    for fields in ["full", "compact", "data", "partitionKey", "partitionKey,level"] {
        let lines = json_lines_of_the_golden_event(&envelope(fields));
        let warnings = lines.lines().filter(|line| line.contains("\"error\":"));
        assert_eq!(warnings.clone().count(), 6);
        for line in warnings {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!((&line["level"], line["timestamp"].is_string()), (&Value::from("WARN"), true), "{line}");
        }
    }
}

/// Whether a line must not contain a character: a control character, a line separator, or one that reorders text.
fn harmful(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn line(format: LineFormat, request_id: &str, record: &Record<'_>) -> String {
    let mut out = b"earlier line\n".to_vec();
    LineWriter::new(format, request_id, NOW_MS).append(record, &mut out);
    let line = String::from_utf8(out.split_off(b"earlier line\n".len())).unwrap();
    assert_eq!(out, b"earlier line\n");
    line
}

/// Text with many harmful characters.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        "[\\x00-\\x20\u{7f}-\u{a0}\u{2020}-\u{2070}\u{feff}\"\\\\=-]{0,10}",
        Just("\n2018-12-17T22:10:51.000Z ERROR".to_owned()),
        Just("\u{1b}[2J\r\n".to_owned()),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(Value::from),
        hostile().prop_map(Value::from),
    ];
    let container = |inner: BoxedStrategy<Value>| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((hostile(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    };
    container(leaf.prop_recursive(3, 20, 4, move |inner| container(inner.boxed())).boxed())
}

prop_compose! {
    fn names()(names in prop::collection::vec(prop::option::of(hostile()), 5), arrival_ms in any::<Option<i64>>())
        -> (Vec<Option<String>>, Option<i64>) {
        (names, arrival_ms)
    }
}

fn record<'a>((names, arrival_ms): &'a (Vec<Option<String>>, Option<i64>), data: Data<'a>) -> Record<'a> {
    let position = Position {
        stream: names[0].as_deref(),
        shard_id: names[1].as_deref(),
        sequence_number: names[2].as_deref(),
        partition_key: names[3].as_deref(),
        arrival_ms: *arrival_ms,
        ..Position::default()
    };
    Record { error: names[4].clone(), ..Record::new(position, data) }
}

/// Asserts that a JSON line has the values of its record.
fn assert_equals(line: &Value, record: &Record<'_>) {
    let text = |key: &str| line.get(key).map(|value| value.as_str().unwrap());
    assert_eq!(text("stream"), record.position.stream);
    assert_eq!(text("shard"), record.position.shard_id);
    assert_eq!(text("sequenceNumber"), record.position.sequence_number);
    assert_eq!(text("partitionKey"), record.position.partition_key);
    assert_eq!(text("error"), record.error.as_deref());
    assert_eq!(line.get("arrival").is_some(), record.position.arrival_ms.is_some());
    match record.data {
        Data::Payload(Payload::Json(json)) => {
            assert_eq!((text("type"), &line["data"]), (Some("json"), &serde_json::from_str::<Value>(json).unwrap()));
        }
        Data::Payload(Payload::Text(data)) => assert_eq!((text("type"), text("data")), (Some("text"), Some(data))),
        Data::Payload(payload @ (Payload::Binary(bytes) | Payload::Cbor(bytes))) => {
            let decoded = base64_simd::STANDARD.decode_to_vec(text("data").unwrap()).unwrap();
            let kind = if matches!(payload, Payload::Cbor(_)) { "cbor" } else { "binary" };
            assert_eq!((text("type"), &line["bytes"]), (Some(kind), &Value::from(bytes.len())));
            assert_eq!(decoded, bytes);
        }
        Data::Undecodable(data) => assert_eq!((text("type"), text("data")), (Some("undecodable"), Some(data))),
    }
}

/// Asserts that a record becomes one harmless line, and that in JSON format the line has the record's values.
fn assert_one_line(request_id: &str, record: &Record<'_>) {
    for format in [LineFormat::Text, LineFormat::Json] {
        let line = line(format, request_id, record);
        let inside = line.strip_suffix('\n').expect("a newline at the end");
        assert_eq!(inside.chars().find(|&character| harmful(character)), None, "{line}");
        if format == LineFormat::Json {
            let value: Value = serde_json::from_str(inside).unwrap();
            assert_eq!(value["requestId"], *request_id);
            assert_equals(&value, record);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_become_one_harmless_line(names in names(), request_id in hostile(), bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        assert_one_line(&request_id, &record(&names, Data::Payload(classify(&bytes))));
    }

    #[test]
    fn any_text_becomes_one_harmless_line(names in names(), request_id in hostile(), text in hostile(), decodable: bool) {
        let data = if decodable { Data::Payload(classify(text.as_bytes())) } else { Data::Undecodable(&text) };
        assert_one_line(&request_id, &record(&names, data));
    }

    #[test]
    fn json_keeps_its_value_on_the_line(names in names(), value in json(), pretty: bool) {
        let text = if pretty { format!("{value:#}\r\n") } else { value.to_string() };
        let payload = classify(text.as_bytes());
        prop_assert_eq!(payload, Payload::Json(&text));
        assert_one_line("r", &record(&names, Data::Payload(payload)));
    }

    #[test]
    fn a_text_line_has_its_fields_in_order(names in names(), text in hostile()) {
        let record = record(&names, Data::Payload(Payload::Text(&text)));
        let line = line(LineFormat::Text, REQUEST_ID, &record);
        let mut rest = line.as_str();
        for key in [" stream=", " shard=", " seq=", " key=", " arrival=", " lagMs=", " data="] {
            let (_, after) = rest.split_once(key).expect(key);
            rest = after;
        }
    }

    #[test]
    fn the_length_of_a_line_is_limited(
        names in names(), long in prop::collection::vec(any::<char>(), 0..3000), max_data_bytes in 0_usize..2000, json: bool,
    ) {
        let long = String::from_iter(long);
        let text = if json { serde_json::to_string(&[&long]).unwrap() } else { long.clone() };
        let options = LineOptions { max_data_bytes, ..LineOptions::DEFAULT };
        let mut record = record(&names, Data::Payload(classify(text.as_bytes())));
        record.position.partition_key = Some(&long);
        for format in [LineFormat::Text, LineFormat::Json] {
            let mut out = Vec::new();
            let summary = LineWriter::with_options(format, "r", NOW_MS, &options).append(&record, &mut out);
            let names: usize = names.0.iter().flatten().map(|name| 6 * name.len()).sum();
            prop_assert!(out.len() <= 600 + names + 6 * (MAX_NAME_BYTES + 3) + max_data_bytes);
            prop_assert!(summary.truncated || out.len() >= text.len());
            if format == LineFormat::Json {
                let line: Value = serde_json::from_slice(&out).unwrap();
                prop_assert_eq!(line.get("truncated").is_some(), summary.truncated);
            }
        }
    }

    #[test]
    fn any_record_is_one_harmless_line_with_any_envelope(
        names in names(), request_id in hostile(), text in hostile(), bytes in prop::collection::vec(any::<u8>(), 0..50), is_text: bool,
        fields in prop::sample::select(vec!["compact", "data", "partitionKey", "requestId,v", "lagMs,shard,type,stream"]),
    ) {
        let options = envelope(fields);
        let record = record(&names, Data::Payload(classify(if is_text { text.as_bytes() } else { &bytes })));
        for format in [LineFormat::Text, LineFormat::Json] {
            let mut out = Vec::new();
            LineWriter::with_options(format, &request_id, NOW_MS, &options).append(&record, &mut out);
            let line = String::from_utf8(out).unwrap();
            let inside = line.strip_suffix('\n').expect("a newline at the end");
            prop_assert!(!inside.contains(harmful), "{}", line);
            if format == LineFormat::Json {
                prop_assert!(serde_json::from_str::<Value>(inside).is_ok(), "{}", line);
            }
        }
    }

    #[test]
    fn a_message_becomes_one_harmless_line(message in hostile()) {
        for format in [LineFormat::Text, LineFormat::Json] {
            let mut out = Vec::new();
            append_message(format, NOW_MS, Level::Error, &message, &mut out);
            let line = String::from_utf8(out).unwrap();
            prop_assert!(!line.strip_suffix('\n').unwrap().contains(harmful));
        }
    }
}
