//! AWS's recorded messages, and the tables.

use kinesis_event_logger_core::limits;
use serde_json::{Number, json};

use super::model::Pattern;
use super::*;

fn refusal(operation: &str, input: Value) -> (String, String) {
    let input = serde_json::from_value(input).unwrap();
    let error = KINESIS.read(operation, input).unwrap_err();
    (error.code.into_owned(), error.message)
}

#[test]
fn every_pattern_compiles() {
    for model in [&KINESIS, &LAMBDA, &LOGS, &IAM, &STS] {
        for pattern in model.shapes.values().filter_map(|shape| shape.pattern.as_ref()) {
            assert!(pattern.compiled().is_some(), "{}", pattern.text);
        }
    }
}

#[test]
fn lookaheads_and_lookbehinds_exclude_texts() {
    let alias = Pattern::from(Box::from("(?!^[0-9]+$)([a-zA-Z0-9-_]+)"));
    let matches = ["live", "1a", "a-1_", "2024", "", "a.b"].map(|text| alias.matches(text));
    assert_eq!(matches, [true, true, true, false, false, false]);
    let qualifier = Pattern::from(Box::from(r"((?!^\d+$)^[0-9a-zA-Z-_]+$)"));
    assert_eq!(["live", "1", "$LATEST"].map(|text| qualifier.matches(text)), [true, false, false]);
    let pattern = |shape: &str| LAMBDA.shape(shape).pattern.as_ref().unwrap();
    let bucket = ["a.b-c_D", "a..b", "b.", "a b", "a/b"].map(|text| pattern("S3Bucket").matches(text));
    assert_eq!(bucket, [true, true, false, false, false]);
    let collection =
        ["c", "_c.d", "system.c", "systemc", "a$b", "-c"].map(|text| pattern("CollectionName").matches(text));
    assert_eq!(collection, [true, true, false, true, false, false]);
    let function = ["f", "f:live", "f:1", "f:1a"].map(|text| pattern("FunctionUrlFunctionName").matches(text));
    assert_eq!(function, [true, true, false, true]);
}

#[test]
fn a_value_of_another_type_is_named_by_its_java_class() {
    let number = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber";
    let (list, structure) =
        ("Start of list found where not expected", "Start of structure or map found where not expected.");
    let cases = [
        (
            "PutRecord",
            "PartitionKey",
            json!(true),
            "class java.lang.Boolean can not be converted to an String".to_owned(),
        ),
        ("PutRecord", "PartitionKey", json!(34.56), format!("{number} can not be converted to an String")),
        ("PutRecord", "PartitionKey", json!([]), list.to_owned()),
        ("PutRecord", "PartitionKey", json!({}), structure.to_owned()),
        ("PutRecord", "Data", json!(23), format!("{number} can not be converted to a Blob")),
        (
            "PutRecord",
            "Data",
            json!("=+/="),
            "'=+/=' can not be converted to a Blob: Invalid Base64 character: '='".to_owned(),
        ),
        (
            "PutRecord",
            "Data",
            json!("+/+="),
            "'+/+=' can not be converted to a Blob: Invalid last non-pad Base64 character dectected".to_owned(),
        ),
        ("PutRecord", "DryRun", json!("23"), "'23' can not be converted to an Boolean".to_owned()),
        ("PutRecord", "DryRun", json!(23), format!("{number} can not be converted to an Boolean")),
        ("GetRecords", "Limit", json!("23"), "class java.lang.String can not be converted to an Integer".to_owned()),
        ("GetRecords", "Limit", json!(true), "class java.lang.Boolean can not be converted to an Integer".to_owned()),
        (
            "GetShardIterator",
            "Timestamp",
            json!("now"),
            "class java.lang.String can not be converted to milliseconds since epoch".to_owned(),
        ),
        ("PutRecords", "Records", json!(23), "Expected list or null".to_owned()),
        ("PutRecords", "Records", json!({}), structure.to_owned()),
        ("PutRecords", "Records", json!(["23"]), "Expected null".to_owned()),
        ("PutRecords", "Records", json!([[]]), list.to_owned()),
        ("AddTagsToStream", "Tags", json!("23"), "Expected map or null".to_owned()),
        ("AddTagsToStream", "Tags", json!([]), list.to_owned()),
        ("AddTagsToStream", "Tags", json!({ "a": 1 }), format!("{number} can not be converted to an String")),
        ("RemoveTagsFromStream", "TagKeys", json!([{}]), structure.to_owned()),
    ];
    for (operation, member, value, text) in cases {
        let input = json!({ member: value });
        assert_eq!(refusal(operation, input.clone()), ("SerializationException".to_owned(), text), "{input}");
    }
    assert_eq!(refusal("ListStreams", json!([])).1, list);
}

#[test]
fn validated_input_contains_only_modelled_members_of_modelled_types() {
    let read = |operation: &str, input: Value| KINESIS.read(operation, serde_json::from_value(input).unwrap()).unwrap();
    let input = json!({ "Limit": 7.9, "ExclusiveStartStreamName": null, "Other": [1] });
    assert_eq!(read("ListStreams", input), json!({ "Limit": 7 }));
    assert_eq!(read("ListStreams", Value::Null), json!({}));
    let input = json!({ "StreamName": "s", "EnforceConsumerDeletion": "YES" });
    assert_eq!(read("DeleteStream", input), json!({ "StreamName": "s", "EnforceConsumerDeletion": true }));
    let bytes = Input::Structure(vec![
        ("PartitionKey".into(), Input::Text("k".into())),
        ("Data".into(), Input::Bytes(vec![0, 255])),
    ]);
    assert_eq!(KINESIS.read("PutRecord", bytes).unwrap(), json!({ "PartitionKey": "k", "Data": "AP8=" }));
    let text = Input::Structure(vec![("PartitionKey".into(), Input::Bytes(vec![1]))]);
    assert_eq!(KINESIS.read("PutRecord", text).unwrap_err().code, "SerializationException");
}

#[test]
fn elements_of_lists_are_reported_with_the_list() {
    let long = "a".repeat(129);
    let constraint = "Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]";
    let text = format!(
        "1 validation error detected: Value '[a, {long}, b]' at 'tagKeys' failed to satisfy constraint: {constraint}"
    );
    let input = json!({ "StreamName": "s", "TagKeys": ["a", long, "b"] });
    assert_eq!(refusal("RemoveTagsFromStream", input), ("ValidationException".to_owned(), text));
    let input = json!({ "StreamName": "s", "ShardLevelMetrics": ["X"] });
    let (_, text) = refusal("EnableEnhancedMonitoring", input);
    let start = "1 validation error detected: Value '[X]' at 'shardLevelMetrics' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [IncomingBytes, ";
    assert!(text.starts_with(start), "{text}");
    let (_, text) = refusal("PutRecords", json!({ "Records": [null] }));
    assert!(
        text.ends_with("Value null at 'records.1.member' failed to satisfy constraint: Member must not be null"),
        "{text}"
    );
}

#[test]
fn a_blob_is_measured_in_bytes() {
    let bytes = 10_485_761;
    let input = Input::Structure(vec![("Data".into(), Input::Bytes(vec![0; bytes]))]);
    let expected = format!(
        "1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim={bytes} cap={bytes}]' at 'data' failed to satisfy \
         constraint: Member must have length less than or equal to 10485760"
    );
    assert_eq!(KINESIS.read("PutRecord", input).unwrap_err().message, expected);
}

#[test]
fn the_limits_of_the_model_equal_those_of_core() {
    let limits = [
        ("Timeout", limits::FUNCTION_TIMEOUT_SECONDS),
        ("MemorySize", limits::FUNCTION_MEMORY_MIB),
        ("BatchSize", limits::MAPPING_BATCH_RECORDS),
        ("MaximumBatchingWindowInSeconds", limits::MAPPING_BATCHING_WINDOW_SECONDS),
        ("ParallelizationFactor", limits::MAPPING_PARALLELIZATION_FACTOR),
        ("MaximumRetryAttemptsEventSourceMapping", limits::MAPPING_RETRY_ATTEMPTS),
        ("TumblingWindowInSeconds", limits::MAPPING_TUMBLING_WINDOW_SECONDS),
    ];
    for (name, limit) in limits {
        let shape = LAMBDA.shape(name);
        let range = [&shape.min, &shape.max].map(|bound| bound.as_ref().and_then(Number::as_i64));
        assert_eq!(range, [Some(*limit.start()), Some(*limit.end())], "{name}");
    }
}
