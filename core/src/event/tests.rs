use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::json::Value;

const RECORDED: &str = r#"{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"1","sequenceNumber":"4959","data":"SGVsbG8=",
    "approximateArrivalTimestamp":1545084650.987},"eventSource":"aws:kinesis","eventVersion":"1.0",
    "eventID":"shardId-000000000006:4959","eventName":"aws:kinesis:record",
    "invokeIdentityArn":"arn:aws:iam::123456789012:role/lambda-role","awsRegion":"us-east-2",
    "eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"}"#;

fn records(records: &str) -> Vec<(EventRecord<'static>, Option<String>)> {
    let event = format!("{{\"Records\":[{records}]}}").leak();
    let event = Event::parse(event).unwrap();
    event.records().map(|record| (record.clone(), record.problem.map(|problem| problem.to_string()))).collect()
}

fn problem(record: &str) -> String {
    records(record).remove(0).1.expect("a problem")
}

fn error(event: impl AsRef<[u8]>) -> String {
    Event::parse(&event).unwrap_err().to_string()
}

#[test]
fn a_recorded_record_is_parsed_and_borrowed() {
    let (record, problem) = records(RECORDED).remove(0);
    assert_eq!(problem, None);
    assert_eq!(record.stream.as_deref(), Some("lambda-stream"));
    assert_eq!(record.shard_id.as_deref(), Some("shardId-000000000006"));
    assert_eq!(record.sequence_number.as_deref(), Some("4959"));
    assert_eq!(record.partition_key.as_deref(), Some("1"));
    assert_eq!(record.arrival_ms, Some(1_545_084_650_987));
    assert_eq!(record.data.as_deref(), Some("SGVsbG8="));
    assert_eq!(record.raw, RECORDED);
    assert!(matches!(record.data, Some(Cow::Borrowed(_))) && matches!(record.stream, Some(Cow::Borrowed(_))));
}

#[test]
fn errors_describe_payloads_that_are_not_kinesis_events() {
    assert_eq!(error(b"{\"Records\":[\xff]}"), "the payload is not a Kinesis event: it is not UTF-8 at byte 12");
    assert_eq!(
        error("{\"a\":\n tru }"),
        "the payload is not a Kinesis event: it is not JSON at byte 10: expected ident"
    );
    assert_eq!(error(""), "the payload is not a Kinesis event: it is not JSON at byte 0: EOF while parsing a value");
    assert_eq!(error("{} {}"), "the payload is not a Kinesis event: it is not JSON at byte 3: trailing characters");
    assert_eq!(error(" [1]"), "the payload is not a Kinesis event: it is an array, not an object");
    assert_eq!(error("null"), "the payload is not a Kinesis event: it is null, not an object");
    assert_eq!(
        error("{}"),
        "the payload is not a Kinesis event: it is an object without \"Records\", with no keys at all"
    );
    assert_eq!(
        error(r#"{"records":[],"a\nb":1}"#),
        "the payload is not a Kinesis event: it is an object without \"Records\", with \"records\", \"a\\nb\""
    );
    let many = (0..11).map(|key| format!("\"{key}\":0")).collect::<Vec<_>>().join(",");
    assert!(error(format!("{{{many}}}")).ends_with("\"6\", \"7\" and 3 more"));
    assert_eq!(
        error(r#"{"Records":{}}"#),
        "the payload is not a Kinesis event: \"Records\" is an object, not an array"
    );
}

#[test]
fn events_of_other_services_are_rejected_by_their_source() {
    let sqs = r#"{"Records":[{"messageId":"1","body":"x","eventSource":"aws:sqs"}]}"#;
    assert_eq!(
        error(sqs),
        "the payload is not a Kinesis event: its records come from \"aws:sqs\", not \"aws:kinesis\""
    );
    let sns = r#"{"Records":[{"EventSource":"aws:sns","Sns":{}}]}"#;
    assert_eq!(
        error(sns),
        "the payload is not a Kinesis event: its records come from \"aws:sns\", not \"aws:kinesis\""
    );
    let mixed = format!("{{\"eventSource\":\"aws:sqs\"}},{RECORDED}");
    let problems: Vec<_> = records(&mixed).into_iter().map(|(_, problem)| problem).collect();
    assert_eq!(problems, [Some("kinesis is missing".to_owned()), None]);
}

#[test]
fn empty_and_tumbling_window_events_are_kinesis_events() {
    assert!(records("").is_empty());
    let window = format!(
        r#"{{"window":{{"start":"2020-12-09T07:04:00Z","end":"2020-12-09T07:06:00Z"}},"state":{{"Records":1}},
        "shardId":"shardId-000000000006","eventSourceARN":"arn","isFinalInvokeForWindow":false,
        "isWindowTerminatedEarly":false,"Records":[{RECORDED}]}}"#
    );
    assert_eq!(Event::parse(&window).unwrap().records().count(), 1);
    assert!(Event::parse(&window).unwrap().has_window() && !Event::parse("{\"Records\":[]}").unwrap().has_window());
}

#[test]
fn an_invalid_record_does_not_affect_the_others() {
    let bad = ["null", "1", "12", "1e5", "\"\\ud800\"", "[]", "{}", "{\"kinesis\":{\"data\":{}}}"].join(",");
    let read = records(&format!("{bad},{RECORDED}"));
    let problems: Vec<_> = read.iter().map(|(_, problem)| problem.as_deref()).collect();
    let expected = [
        Some("the record is null, not an object"),
        Some("the record is a number, not an object"),
        Some("the record is a number, not an object"),
        Some("the record is a number, not an object"),
        Some("the record is a string, not an object"),
        Some("the record is an array, not an object"),
        Some("kinesis is missing"),
        Some("kinesis.data is an object, not a string"),
        None,
    ];
    assert_eq!(problems, expected);
}

#[test]
fn problems_name_the_field() {
    assert_eq!(problem(r#"{"kinesis":null}"#), "kinesis is null, not an object");
    assert_eq!(problem(r#"{"kinesis":{}}"#), "kinesis.data is missing");
    assert_eq!(problem(r#"{"kinesis":{"data":7,"partitionKey":[]}}"#), "kinesis.data is a number, not a string");
    let with = |field: &str| problem(&format!(r#"{{"kinesis":{{"data":"",{field}}}}}"#));
    assert_eq!(with(r#""partitionKey":[]"#), "kinesis.partitionKey is an array, not a string");
    assert_eq!(with(r#""sequenceNumber":true"#), "kinesis.sequenceNumber is a boolean, not a string");
    let arrival = |value: &str| with(&format!("\"approximateArrivalTimestamp\":{value}"));
    assert_eq!(arrival("{}"), "kinesis.approximateArrivalTimestamp is an object, not a number");
    for not_a_time in ["1e300", "-1e300", "\"yesterday\"", "\"NaN\"", "\"inf\""] {
        assert!(arrival(not_a_time).ends_with("not a time in epoch seconds"), "{not_a_time}");
    }
    assert_eq!(problem(r#"{"kinesis":{"data":""},"eventID":{}}"#), "eventID is an object, not a string");
}

#[test]
fn valid_fields_are_parsed_leniently() {
    let (record, problem) = records(
        r#"{"kinesis":{"data":1,"data":"aGk\/","partitionKey":7,"approximateArrivalTimestamp":"1.545084650987E9","encryptionType":"NEW"},
        "eventID":"shardId-1:2","eventSourceARN":"arn:aws:kinesis:us-east-2:1:stream\/s\/consumer\/c:1","future":[{}]}"#,
    )
    .remove(0);
    assert_eq!(problem, None);
    assert_eq!(record.data.as_deref(), Some("aGk/"));
    assert_eq!(record.partition_key.as_deref(), Some("7"));
    assert_eq!(record.sequence_number.as_deref(), Some("2"));
    assert_eq!(record.stream.as_deref(), Some("s"));
    assert_eq!(record.arrival_ms, Some(1_545_084_650_987));
    let (record, problem) =
        records(r#"{"kinesis":{"data":"","partitionKey":null,"approximateArrivalTimestamp":null}}"#).remove(0);
    assert_eq!((problem, record.partition_key, record.arrival_ms), (None, None, None));
}

#[test]
fn json_that_some_parsers_reject_is_accepted() {
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    let odd = format!(r#"{{"\ud800":{{"a":"\udc00"}},"n":1e999,"x":{deep},"kinesis":{{"y":{deep},"data":"YQ=="}}}}"#);
    let (record, problem) = records(&odd).remove(0);
    assert_eq!((record.data.as_deref(), problem), (Some("YQ=="), None));
    assert_eq!(record.raw, odd);
    assert!(error(format!(r#"{{"Records":[{{"x":{}}}]}}"#, "[".repeat(200_000))).contains("not JSON"));
}

#[test]
fn one_of_duplicate_keys_counts() {
    let (record, _) =
        records(r#"{"kinesis":{"data":"YQ==","partitionKey":"a"},"eventID":"s:1","kinesis":{"data":"Yg=="}}"#)
            .remove(0);
    assert_eq!(
        (record.data.as_deref(), record.partition_key, record.shard_id.as_deref()),
        (Some("Yg=="), None, Some("s"))
    );
    let (_, problem) = records(r#"{"kinesis":{"data":"YQ=="},"kinesis":7}"#).remove(0);
    assert_eq!(problem.as_deref(), Some("kinesis is a number, not an object"));
    let event = Event::parse(r#"{"Records":[],"Records":[null]}"#).unwrap();
    assert_eq!(event.records().count(), 0);
}

#[test]
fn deeply_nested_events_are_parsed() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let event = format!(r#"{{"future":{deep},"Records":[{deep},{RECORDED}]}}"#);
    let problems: Vec<_> = Event::parse(&event).unwrap().records().map(|record| record.problem.is_some()).collect();
    assert_eq!(problems, [true, false]);
}

/// A record with escapes, odd types and white space in it, some of which are no JSON.
fn any_member() -> impl Strategy<Value = String> {
    let value = "null|1|-1e999|\"\\\\ud800\"|\"a\\\\/b\"|\"YQ==\"|\\[1, \\{\\}\\]|\\{\"data\":\"YQ==\",\"partitionKey\": [7]\\}|tru|\\{,\\}|\\[1 2\\]";
    let key = "\"(kinesis|eventID|kin\\\\u0065sis|data|\\\\ud800|x)\"|x";
    (key, "[ \n]?", value, "[ \n]?").prop_map(|(key, before, value, after)| format!("{key}:{before}{value}{after}"))
}

proptest! {
    #[test]
    fn any_bytes_are_an_event_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(event) = Event::parse(&bytes) {
            event.records().for_each(drop);
        }
    }

    #[test]
    fn every_element_of_records_is_returned(elements in prop::collection::vec("null|1|12|1e5|-1|\"x\"|\\[\\]|\\{\\}|\\{\"kinesis\":[1]\\}", 0..20)) {
        prop_assert_eq!(records(&elements.join(",")).len(), elements.len());
    }

    #[test]
    fn parse_accepts_what_serde_json_accepts(
        records in prop::collection::vec(prop::collection::vec(any_member(), 0..4), 0..4),
        after in ",?[ \\]}]?(,\"Records\":1)?",
    ) {
        let records: Vec<_> = records.iter().map(|members| format!("{{{}}}", members.join(","))).collect();
        let event = format!(r#"{{"Records":[{}]{after}}}"#, records.join(" , "));
        let raw: Result<&serde_json::value::RawValue, _> = serde_json::from_str(&event);
        match Event::parse(&event) {
            Ok(read) => {
                prop_assert!(raw.is_ok(), "{} is taken", event);
                let raws: Vec<_> = read.records().map(|record| record.raw).collect();
                prop_assert_eq!(raws, records);
            }
            Err(EventError::NotJson { .. }) => prop_assert!(raw.is_err(), "{} is refused", event),
            Err(other) => prop_assert!(false, "{}: {}", event, other),
        }
    }

    /// Records of a batch are read by the one before them.
    #[test]
    fn a_record_parsed_with_a_template_equals_the_record_alone(
        values in prop::collection::vec(prop::collection::vec("\"[ab:/]{0,9}\"|-?[019.e]{1,4}|\"\\\\?[nx\u{1}é]?\"|null|\"a|\\{\\}", 5), 1..6),
        closing in "\\}?,\"x\":\\[1\\]\\}?|\\}",
    ) {
        let record = |values: &Vec<String>| {
            let [data, key, number, arrival, id] = values.as_slice() else { unreachable!() };
            format!(
                r#"{{"eventID":{id},"kinesis":{{"data":{data},"partitionKey":{key},"sequenceNumber":{number},"approximateArrivalTimestamp":{arrival}}}{closing}"#
            )
        };
        let texts: Vec<_> = values.iter().map(record).collect();
        let event = |records: &str| format!(r#"{{"Records":[{records},{{"kinesis":1}}]}}"#);
        let alone: Vec<_> = texts.iter().map(|text| event(text)).collect();
        let alone: Result<Vec<_>, _> = alone.iter().map(Event::parse).collect();
        match (Event::parse(&event(&texts.join(","))), alone) {
            (Ok(together), Ok(alone)) => {
                let alone: Vec<_> = alone.iter().map(|event| event.records().next()).collect();
                let together: Vec<_> = together.records().take(alone.len()).map(Some).collect();
                prop_assert_eq!(together, alone);
            }
            (together, alone) => prop_assert_eq!(together.is_ok(), alone.is_ok(), "{:?}", texts),
        }
    }

    #[test]
    fn the_last_of_duplicate_members_counts(members in prop::collection::vec(any_member(), 0..5)) {
        let record = format!("{{{}}}", members.join(","));
        let Ok(event) = Event::parse(&format!(r#"{{"Records":[{record},{{"kinesis":1}}]}}"#)).map(|event| event.records().next().unwrap().problem.map(|problem| problem.to_string())) else { return Ok(()) };
        let kinesis = Value::new(&record).members().filter(|(key, _)| key == "kinesis").last();
        let problem = event.unwrap_or_default();
        match kinesis.map(|(_, value)| value.kind()) {
            None => prop_assert_eq!(problem, "kinesis is missing"),
            Some(JsonKind::Object) => prop_assert!(!problem.starts_with("kinesis is"), "{}", problem),
            Some(found) => prop_assert_eq!(problem, format!("kinesis is {found}, not an object")),
        }
    }
}

/// A record of EventBridge Pipes (its guide, "Amazon Kinesis stream as a source").
const PIPED: &str = r#"{"kinesisSchemaVersion":"1.0","partitionKey":"1","sequenceNumber":"4959","data":"SGVsbG8=",
    "approximateArrivalTimestamp":1545084650.987,"eventSource":"aws:kinesis","eventVersion":"1.0",
    "eventID":"shardId-000000000006:4959","eventName":"aws:kinesis:record",
    "invokeIdentityArn":"arn:aws:iam::123456789012:role/lambda-role","awsRegion":"us-east-2",
    "eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"}"#;

#[test]
fn an_eventbridge_pipes_array_has_the_same_records() {
    let second = PIPED.replace("4959", "4960").replace("SGVsbG8=", "YQ==");
    let array = format!("[{PIPED},{second}, null, {{\"data\":7,\"eventSource\":\"aws:kinesis\"}}]");
    let event = Event::parse(&array).unwrap();
    let records: Vec<_> = event.records().collect();
    let nested = self::records(RECORDED).remove(0).0;
    assert_eq!(records[0], EventRecord { raw: PIPED, data_path: "data", ..nested });
    assert_eq!((records[1].sequence_number.as_deref(), records[1].data.as_deref()), (Some("4960"), Some("YQ==")));
    let problems: Vec<_> = records[2..].iter().map(|record| record.problem.as_ref().unwrap().to_string()).collect();
    assert_eq!(problems, ["the record is null, not an object", "data is a number, not a string"]);
}

#[test]
fn an_array_of_another_service_is_rejected() {
    assert_eq!(error("[]"), "the payload is not a Kinesis event: it is an array, not an object");
    assert_eq!(error(r#"[{"data":"YQ=="}]"#), "the payload is not a Kinesis event: it is an array, not an object");
    assert_eq!(
        error(r#"[{"messageId":"1","eventSource":"aws:sqs"}]"#),
        "the payload is not a Kinesis event: its records come from \"aws:sqs\", not \"aws:kinesis\""
    );
    assert!(error(format!("[{PIPED}")).starts_with("the payload is not a Kinesis event: it is not JSON at byte "));
}
