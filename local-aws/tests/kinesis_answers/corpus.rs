//! The requests: every operation with every member invalid in every way, hostile bodies, random sequences, and requests
//! about a stream that changes.

use serde_json::{Value, json};

pub use super::model::ARN;
use super::model::Model;
use super::random;

pub enum Body {
    Json(Value),
    Cbor(Value),
    Raw(&'static str, Vec<u8>),
    /// Waits for some milliseconds instead of sending a request.
    Wait(u64),
}

pub struct Request {
    pub operation: &'static str,
    pub body: Body,
}

pub fn requests() -> Vec<Request> {
    let mut requests = wrong_members();
    requests.extend(hostile());
    for seed in 0..12 {
        requests.extend(random::requests(seed, 260));
    }
    requests
}

fn wrong_members() -> Vec<Request> {
    let model = Model::read();
    let mut requests = Vec::new();
    let mut add = |operation: &'static str, input: Value| {
        for is_cbor in [false, true] {
            let body = if is_cbor { Body::Cbor(input.clone()) } else { Body::Json(input.clone()) };
            requests.push(Request { operation, body });
            if operation == "CreateStream" {
                let name = input["StreamName"].as_str().unwrap_or("none");
                requests.push(Request {
                    operation: "DescribeStreamSummary",
                    body: Body::Json(json!({ "StreamName": name })),
                });
                requests.push(Request { operation: "DeleteStream", body: Body::Json(json!({ "StreamName": name })) });
            }
        }
    };
    for (operation, input) in &model.operations {
        let operation: &'static str = operation.clone().leak();
        add(operation, json!({}));
        add(operation, model.valid(input));
        for (member, shape) in &model.shapes[input].members {
            let valid = model.valid(input);
            let long = model.shapes[shape].max.filter(|max| *max < 5000).unwrap_or(300) + 1;
            let wrong = [
                Value::Null,
                json!(23),
                json!(1.5),
                json!(-1),
                json!(1e30),
                json!(true),
                json!(""),
                json!("x"),
                json!("x".repeat(long)),
                json!("é\t %"),
                json!([]),
                json!({}),
                json!(["x"]),
                json!({ "a": "1" }),
                json!({ "a": 1 }),
                model.valid(shape),
            ];
            for value in wrong {
                let mut input = valid.clone();
                input[member] = value;
                add(operation, input);
            }
            let mut missing = valid;
            missing.as_object_mut().unwrap().remove(member);
            missing["Unknown"] = json!({ "a": [1] });
            add(operation, missing);
        }
    }
    requests
}

fn hostile() -> Vec<Request> {
    const JSON: &str = "application/x-amz-json-1.1";
    const CBOR: &str = "application/x-amz-cbor-1.1";
    let mut requests = Vec::new();
    let deep = [b"[".repeat(3000), b"]".repeat(3000)].concat();
    let bodies: Vec<(&'static str, Vec<u8>)> = vec![
        (JSON, b"".to_vec()),
        (JSON, b"{".to_vec()),
        (JSON, b"[]".to_vec()),
        (JSON, b"null".to_vec()),
        (JSON, b"7".to_vec()),
        (JSON, b"\"text\"".to_vec()),
        (JSON, b"\xEF\xBB\xBF{}".to_vec()),
        (JSON, b"{\"StreamName\":\"\xFF\"}".to_vec()),
        (JSON, b"{\"StreamName\":\"a\",\"StreamName\":\"b\"}".to_vec()),
        (JSON, b"{\"StreamName\":\"\\ud800\"}".to_vec()),
        (JSON, b"{\"Limit\":1e999}".to_vec()),
        (JSON, b"{\"Limit\":18446744073709551616}".to_vec()),
        (JSON, deep.clone()),
        (JSON, b"{}{}".to_vec()),
        (JSON, b"{'StreamName':'a'}".to_vec()),
        (JSON, b"{\"streamname\":\"a\"}".to_vec()),
        (CBOR, b"".to_vec()),
        (CBOR, vec![0xA0]),
        (CBOR, vec![0xFF]),
        (CBOR, vec![0xA1, 0x61]),
        (CBOR, vec![0x80]),
        (CBOR, vec![0xF6]),
        (CBOR, vec![0xBF, 0xFF]),
        (CBOR, vec![0xA1, 0x01, 0x02]),
        (CBOR, vec![0x1B, 255, 255, 255, 255, 255, 255, 255, 255]),
        (CBOR, [vec![0x81; 2000], vec![0x00]].concat()),
        (CBOR, vec![0x9B, 0x7F, 255, 255, 255, 255, 255, 255, 255]),
        ("application/json", b"{}".to_vec()),
        ("text/plain", b"{}".to_vec()),
        ("application/x-amz-json-1.0", b"{}".to_vec()),
        ("application/x-www-form-urlencoded", b"Action=ListStreams".to_vec()),
    ];
    for operation in [
        "ListStreams",
        "DescribeStream",
        "PutRecord",
        "PutRecords",
        "GetRecords",
        "CreateStream",
        "NoSuchOperation",
        "",
    ] {
        for (content_type, bytes) in &bodies {
            requests.push(Request { operation, body: Body::Raw(content_type, bytes.clone()) });
        }
    }
    requests
}

/// Requests about a stream while it is created, changed or deleted.
pub fn during_changes() -> Vec<Request> {
    let stream = json!({ "StreamName": "r" });
    let with = |more: Value| {
        let mut input = stream.clone();
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let changes = [
        ("CreateStream", with(json!({ "ShardCount": 2, "Tags": { "a": "b" } }))),
        ("SplitShard", with(json!({ "ShardToSplit": "0", "NewStartingHashKey": "100" }))),
        ("MergeShards", with(json!({ "ShardToMerge": "2", "AdjacentShardToMerge": "3" }))),
        ("UpdateShardCount", with(json!({ "TargetShardCount": 3, "ScalingType": "UNIFORM_SCALING" }))),
        ("StartStreamEncryption", with(json!({ "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis" }))),
        ("StopStreamEncryption", with(json!({ "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis" }))),
        ("RegisterStreamConsumer", json!({ "StreamARN": format!("{ARN}r"), "ConsumerName": "c" })),
        ("DeregisterStreamConsumer", json!({ "StreamARN": format!("{ARN}r"), "ConsumerName": "c" })),
        ("DeleteStream", stream.clone()),
    ];
    let arn = json!({ "StreamARN": format!("{ARN}r") });
    let looks = [
        ("DescribeStream", stream.clone()),
        ("DescribeStreamSummary", stream.clone()),
        ("ListStreams", json!({})),
        ("ListShards", stream.clone()),
        ("ListStreamConsumers", arn.clone()),
        ("DescribeLimits", json!({})),
        ("PutRecord", with(json!({ "PartitionKey": "k", "Data": "" }))),
        ("PutRecords", with(json!({ "Records": [{ "PartitionKey": "k", "Data": "" }] }))),
        ("GetShardIterator", with(json!({ "ShardId": "0", "ShardIteratorType": "TRIM_HORIZON" }))),
        ("GetRecords", json!({ "ShardIterator": "$iterator" })),
        ("CreateStream", with(json!({ "ShardCount": 1 }))),
        (
            "SplitShard",
            with(json!({ "ShardToSplit": "1", "NewStartingHashKey": "170141183460469231731687303715884105800" })),
        ),
        ("MergeShards", with(json!({ "ShardToMerge": "0", "AdjacentShardToMerge": "1" }))),
        ("UpdateShardCount", with(json!({ "TargetShardCount": 5, "ScalingType": "UNIFORM_SCALING" }))),
        ("StartStreamEncryption", with(json!({ "EncryptionType": "KMS", "KeyId": "k" }))),
        ("StopStreamEncryption", with(json!({ "EncryptionType": "KMS", "KeyId": "k" }))),
        ("UpdateMaxRecordSize", json!({ "StreamARN": format!("{ARN}r"), "MaxRecordSizeInKiB": 1024 })),
        ("IncreaseStreamRetentionPeriod", with(json!({ "RetentionPeriodHours": 24 }))),
        ("EnableEnhancedMonitoring", with(json!({ "ShardLevelMetrics": ["IncomingBytes"] }))),
        ("AddTagsToStream", with(json!({ "Tags": { "c": "d" } }))),
        ("ListTagsForStream", stream.clone()),
    ];
    let mut requests = Vec::new();
    for (operation, input) in changes {
        requests.push(Request { operation, body: Body::Json(input) });
        // A request that changes something would itself be the pending change.
        let settles = ["RegisterStreamConsumer", "DeregisterStreamConsumer"].contains(&operation);
        for (operation, input) in
            looks.iter().filter(|(look, _)| !settles || look.starts_with("List") || look.starts_with("Describe"))
        {
            requests.push(Request { operation, body: Body::Json(input.clone()) });
        }
        requests.push(Request { operation: "", body: Body::Wait(6000) });
        for (operation, input) in &looks[..5] {
            requests.push(Request { operation, body: Body::Json(input.clone()) });
        }
    }
    requests
}
