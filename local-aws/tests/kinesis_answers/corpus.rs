//! The requests: every operation with every member wrong in every way, hostile bodies, and long random sequences that create,
//! reshard, tag, encrypt, consume, put, read and delete.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde::Deserialize;
use serde_json::{Value, json};

const ARN: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/";
const MAX: &str = "340282366920938463463374607431768211455";

pub enum Body {
    Json(Value),
    Cbor(Value),
    Raw(&'static str, Vec<u8>),
    /// No request: so many milliseconds pass.
    Wait(u64),
}

pub struct Request {
    pub operation: &'static str,
    pub body: Body,
}

#[derive(Deserialize)]
struct Model {
    operations: BTreeMap<String, String>,
    shapes: BTreeMap<String, Shape>,
}

#[derive(Deserialize)]
struct Shape {
    r#type: String,
    min: Option<usize>,
    max: Option<usize>,
    #[serde(default)]
    r#enum: Vec<String>,
    #[serde(default)]
    members: Vec<(String, String)>,
    #[serde(default)]
    required: Vec<String>,
    member: Option<String>,
    value: Option<String>,
}

impl Model {
    fn valid(&self, name: &str) -> Value {
        let shape = &self.shapes[name];
        match name {
            "StreamARN" | "ResourceARN" => return json!(format!("{ARN}none")),
            "ConsumerARN" => return json!(format!("{ARN}none/consumer/c:1")),
            "StreamId" => return json!("abcdefghij0123456789-abc"),
            "HashKey" | "SequenceNumber" => return json!("7"),
            _ => {}
        }
        match shape.r#type.as_str() {
            "string" if !shape.r#enum.is_empty() => json!(shape.r#enum[0]),
            "string" => json!("none"),
            "blob" => json!(""),
            "boolean" => json!(true),
            "structure" => shape
                .required
                .iter()
                .map(|name| {
                    let (_, of) = shape.members.iter().find(|(member, _)| member == name).unwrap();
                    (name.clone(), self.valid(of))
                })
                .collect(),
            "list" => json!([self.valid(shape.member.as_ref().unwrap())]),
            "map" => json!({ "k": self.valid(shape.value.as_ref().unwrap()) }),
            _ => json!(shape.min.unwrap_or(1)),
        }
    }
}

pub fn requests() -> Vec<Request> {
    let mut requests = wrong_members();
    requests.extend(hostile());
    for seed in 0..12 {
        requests.extend(random(seed, 260));
    }
    requests
}

fn wrong_members() -> Vec<Request> {
    let model: Model = serde_json::from_str(include_str!("../../models/kinesis.json")).unwrap();
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

/// Requests about a stream while it is created, changed and deleted.
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
        // A look that changes something would be the change under way.
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

struct Random {
    rng: Rng,
    prefix: String,
}

impl Random {
    fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        self.rng.choice(choices).unwrap().clone()
    }

    fn name(&mut self) -> String {
        let letter = self.pick(&["a", "a", "a", "b", "b", "absent"]);
        format!("{}-{letter}", self.prefix)
    }

    fn arn(&mut self) -> String {
        let arn = format!("{ARN}{}", self.name());
        match self.rng.u8(..) % 20 {
            0 => arn.replace("us-east-1", "eu-west-1"),
            1 => arn.replace("000000000000", "111111111111"),
            _ => arn,
        }
    }

    /// A request's members, and the stream by its name, its ARN or both.
    fn stream(&mut self, mut input: Value) -> Value {
        match self.rng.u8(..) % 12 {
            0..8 => input["StreamName"] = self.name().into(),
            8..11 => input["StreamARN"] = self.arn().into(),
            _ => {
                input["StreamName"] = self.name().into();
                input["StreamARN"] = self.arn().into();
            }
        }
        input
    }

    fn shard(&mut self) -> String {
        let index = self.rng.u32(0..9);
        match self.rng.u8(..) % 10 {
            0 => index.to_string(),
            1 => "no-shard".to_owned(),
            _ => format!("shardId-{index:012}"),
        }
    }

    fn hash_key(&mut self) -> String {
        match self.rng.u8(..) % 8 {
            0 => "0".to_owned(),
            1 => MAX.to_owned(),
            2 => format!("{MAX}0")[..39].replacen('3', "9", 1),
            _ => self.rng.u128(..).to_string(),
        }
    }

    fn tags(&mut self) -> Value {
        let count = self.rng.usize(1..5);
        let tags = (0..count).map(|_| {
            let key = self.pick(&["a", "b", "team:x", "aws:x", "a%b", "a;b", "größe", "c", "d"]);
            (key.to_owned(), json!(self.pick(&["", "v", "x y", "100%", "a,b"])))
        });
        tags.collect()
    }

    fn entry(&mut self) -> Value {
        let mut entry = json!({ "PartitionKey": self.pick(&["k", "l", "ü", "a longer key"]), "Data": self.pick(&["", "AAAA", "SGVsbG8="]) });
        if self.rng.bool() {
            entry["ExplicitHashKey"] = self.hash_key().into();
        }
        entry
    }

    fn position(&mut self) -> Value {
        let mut position = json!({ "Type": self.pick(&["TRIM_HORIZON", "LATEST", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "AT_TIMESTAMP"]) });
        if self.rng.bool() {
            position["SequenceNumber"] =
                self.pick(&["$number", "7", "49590338271490256608559692538361571095921575989136588898"]).into();
        }
        if self.rng.bool() {
            position["Timestamp"] = self.pick(&[json!(0), json!(1.5e9), json!("$now"), json!(4e9)]);
        }
        position
    }

    #[allow(clippy::too_many_lines, reason = "one arm for each operation")]
    fn request(&mut self) -> (&'static str, Value) {
        let metrics = ["ALL", "IncomingBytes", "OutgoingRecords", "IteratorAgeMilliseconds"];
        match self.rng.u8(..) % 60 {
            0..3 => {
                let mut input = json!({ "StreamName": self.name() });
                if self.rng.u8(..) % 4 > 0 {
                    input["ShardCount"] = self.pick(&[1, 1, 2, 3, 4, 100_001]).into();
                }
                if self.rng.u8(..) % 4 == 0 {
                    input["StreamModeDetails"] = json!({ "StreamMode": self.pick(&["ON_DEMAND", "PROVISIONED"]) });
                    if input["StreamModeDetails"]["StreamMode"] == "PROVISIONED" && input["ShardCount"].is_null() {
                        input["ShardCount"] = 2.into();
                    }
                }
                if self.rng.u8(..) % 3 == 0 {
                    input["Tags"] = self.tags();
                }
                if self.rng.u8(..) % 4 == 0 {
                    input["MaxRecordSizeInKiB"] = self.pick(&[1024, 2048, 10240, 10]).into();
                }
                if self.rng.u8(..) % 6 == 0 {
                    input["WarmThroughputMiBps"] = self.pick(&[0, 10]).into();
                }
                if self.rng.u8(..) % 6 == 0 {
                    input["RecordDistributionStrategy"] = self.pick(&["AUTO", "USER_PARTITION_KEY"]).into();
                }
                ("CreateStream", input)
            }
            3 => {
                let mut input = json!({});
                if self.rng.bool() {
                    input["EnforceConsumerDeletion"] = self.rng.bool().into();
                }
                ("DeleteStream", self.stream(input))
            }
            4..8 => {
                let input = json!({ "ShardToSplit": self.shard(), "NewStartingHashKey": self.hash_key() });
                ("SplitShard", self.stream(input))
            }
            8..11 => {
                let first = self.rng.u32(0..8);
                let input = json!({ "ShardToMerge": format!("shardId-{first:012}"), "AdjacentShardToMerge": if self.rng.bool() { format!("shardId-{:012}", first + 1) } else { self.shard() } });
                ("MergeShards", self.stream(input))
            }
            11..13 => {
                let input =
                    json!({ "TargetShardCount": self.pick(&[1, 2, 3, 5, 200_000]), "ScalingType": "UNIFORM_SCALING" });
                ("UpdateShardCount", self.stream(input))
            }
            13..15 => {
                let input = json!({ "EncryptionType": self.pick(&["KMS", "KMS", "NONE"]), "KeyId": self.pick(&["alias/aws/kinesis", "k"]) });
                (self.pick(&["StartStreamEncryption", "StopStreamEncryption"]), self.stream(input))
            }
            15..17 => {
                let mut input = json!({ "StreamARN": self.arn(), "ConsumerName": self.pick(&["c", "d", "e"]) });
                if self.rng.u8(..) % 3 == 0 {
                    input["Tags"] = self.tags();
                }
                ("RegisterStreamConsumer", input)
            }
            17..19 => {
                let operation =
                    self.pick(&["DescribeStreamConsumer", "DescribeStreamConsumer", "DeregisterStreamConsumer"]);
                let input = match self.rng.u8(..) % 5 {
                    0 => json!({ "ConsumerARN": "$consumer" }),
                    1 => json!({ "ConsumerName": "c" }),
                    2 => json!({ "ConsumerARN": format!("{}/consumer/c:1", self.arn()) }),
                    _ => json!({ "StreamARN": self.arn(), "ConsumerName": self.pick(&["c", "d", "e"]) }),
                };
                (operation, input)
            }
            19 => {
                let mut input = json!({ "StreamARN": self.arn() });
                if self.rng.bool() {
                    input["MaxResults"] = 1.into();
                }
                if self.rng.u8(..) % 4 == 0 {
                    input["NextToken"] = self.pick(&["$token", "none", "AAAA"]).into();
                }
                ("ListStreamConsumers", input)
            }
            20..23 => {
                let input = json!({ "Tags": self.tags() });
                ("AddTagsToStream", self.stream(input))
            }
            23 => {
                let input = json!({ "TagKeys": self.pick(&[vec!["a"], vec!["b", "c"], vec!["a%b"], vec!["none"]]) });
                ("RemoveTagsFromStream", self.stream(input))
            }
            24 => {
                let mut input = json!({});
                if self.rng.bool() {
                    input["Limit"] = self.pick(&[1, 2, 50]).into();
                }
                if self.rng.bool() {
                    input["ExclusiveStartTagKey"] = self.pick(&["a", "b", "zz"]).into();
                }
                ("ListTagsForStream", self.stream(input))
            }
            25..27 => {
                let arn = self.arn();
                let resource = self.pick(&[
                    arn.clone(),
                    arn.clone(),
                    "$consumer".to_owned(),
                    arn.replace("stream/", "channel/"),
                    format!("{arn}/consumer/c:1"),
                ]);
                match self.rng.u8(..) % 3 {
                    0 => ("TagResource", json!({ "ResourceARN": resource, "Tags": self.tags() })),
                    1 => ("UntagResource", json!({ "ResourceARN": resource, "TagKeys": ["a"] })),
                    _ => ("ListTagsForResource", json!({ "ResourceARN": resource })),
                }
            }
            27..29 => {
                let arn = self.arn();
                let resource =
                    self.pick(&[arn.clone(), arn.clone(), "$consumer".to_owned(), arn.replace("stream/", "channel/")]);
                match self.rng.u8(..) % 3 {
                    0 => (
                        "PutResourcePolicy",
                        json!({ "ResourceARN": resource, "Policy": self.pick(&["{}", r#"{"Version":"2012-10-17","Statement":[]}"#, "no JSON", "7", ""]) }),
                    ),
                    1 => ("GetResourcePolicy", json!({ "ResourceARN": resource })),
                    _ => ("DeleteResourcePolicy", json!({ "ResourceARN": resource })),
                }
            }
            29..31 => {
                let input = json!({ "RetentionPeriodHours": self.pick(&[1, 23, 24, 25, 48, 168, 169, 8760, 8761]) });
                (self.pick(&["IncreaseStreamRetentionPeriod", "DecreaseStreamRetentionPeriod"]), self.stream(input))
            }
            31..33 => {
                let count = self.rng.usize(1..4);
                let metrics: Vec<_> = (0..count).map(|_| self.pick(&metrics)).collect();
                let input = json!({ "ShardLevelMetrics": metrics });
                (self.pick(&["EnableEnhancedMonitoring", "DisableEnhancedMonitoring"]), self.stream(input))
            }
            33 => {
                let mut input = json!({ "StreamARN": self.arn(), "StreamModeDetails": { "StreamMode": self.pick(&["ON_DEMAND", "PROVISIONED"]) } });
                if self.rng.u8(..) % 3 == 0 {
                    input["WarmThroughputMiBps"] = 20.into();
                }
                ("UpdateStreamMode", input)
            }
            34 => {
                let input = json!({ "StreamARN": self.arn(), "MaxRecordSizeInKiB": self.pick(&[1023, 1024, 4096, 10240, 10241]) });
                ("UpdateMaxRecordSize", input)
            }
            35 => {
                let input = json!({ "WarmThroughputMiBps": self.pick(&[0, 5, 100]) });
                ("UpdateStreamWarmThroughput", self.stream(input))
            }
            36 => {
                let input = json!({ "StreamARN": self.arn(), "RecordDistributionStrategy": self.pick(&["AUTO", "USER_PARTITION_KEY"]) });
                ("UpdateStreamRecordDistributionStrategy", input)
            }
            37 => match self.rng.u8(..) % 3 {
                0 => ("DescribeAccountSettings", json!({})),
                1 => ("DescribeLimits", json!({})),
                _ => (
                    "UpdateAccountSettings",
                    json!({ "MinimumThroughputBillingCommitment": { "Status": self.pick(&["ENABLED", "DISABLED"]) } }),
                ),
            },
            38..41 => {
                let mut input = json!({});
                if self.rng.bool() {
                    input["Limit"] = self.pick(&[1, 2, 10_000]).into();
                }
                if self.rng.bool() {
                    input["ExclusiveStartShardId"] = self.shard().into();
                }
                ("DescribeStream", self.stream(input))
            }
            41..43 => ("DescribeStreamSummary", self.stream(json!({}))),
            43 => {
                let mut input = json!({});
                if self.rng.bool() {
                    input["Limit"] = self.pick(&[1, 2, 100]).into();
                }
                match self.rng.u8(..) % 5 {
                    0 => input["NextToken"] = self.pick(&["$token", "none"]).into(),
                    1 => input["ExclusiveStartStreamName"] = self.name().into(),
                    _ => {}
                }
                ("ListStreams", input)
            }
            44..47 => {
                let mut input = json!({});
                if self.rng.bool() {
                    input["MaxResults"] = self.pick(&[1, 2, 1000]).into();
                }
                if self.rng.u8(..) % 4 == 0 {
                    input["ExclusiveStartShardId"] = self.shard().into();
                }
                if self.rng.u8(..) % 3 == 0 {
                    let mut filter = json!({ "Type": self.pick(&["AFTER_SHARD_ID", "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON", "AT_LATEST", "AT_TIMESTAMP", "FROM_TIMESTAMP"]) });
                    if self.rng.bool() {
                        filter["ShardId"] = self.shard().into();
                    }
                    if self.rng.bool() {
                        filter["Timestamp"] = self.pick(&[json!(0), json!("$now"), json!(4e9)]);
                    }
                    input["ShardFilter"] = filter;
                }
                if self.rng.u8(..) % 6 == 0 {
                    input["NextToken"] = self.pick(&["$token", "none"]).into();
                    return ("ListShards", input);
                }
                ("ListShards", self.stream(input))
            }
            47..51 => {
                let mut input = self.entry();
                if self.rng.u8(..) % 5 == 0 {
                    input["SequenceNumberForOrdering"] = self.pick(&["$number", "7", "0"]).into();
                }
                if self.rng.u8(..) % 12 == 0 {
                    input["DryRun"] = true.into();
                }
                ("PutRecord", self.stream(input))
            }
            51..53 => {
                let count = self.rng.usize(1..5);
                let records: Vec<_> = (0..count).map(|_| self.entry()).collect();
                ("PutRecords", self.stream(json!({ "Records": records })))
            }
            53..57 => {
                let position = self.position();
                let mut input = json!({ "ShardId": self.shard(), "ShardIteratorType": position["Type"] });
                for (member, from) in [("StartingSequenceNumber", "SequenceNumber"), ("Timestamp", "Timestamp")] {
                    if !position[from].is_null() {
                        input[member] = position[from].clone();
                    }
                }
                ("GetShardIterator", self.stream(input))
            }
            57..59 => {
                let mut input = json!({ "ShardIterator": self.pick(&["$iterator", "$iterator", "$iterator", "none", "AAAAAAAAAAA="]) });
                if self.rng.bool() {
                    input["Limit"] = self.pick(&[1, 2, 10_000]).into();
                }
                ("GetRecords", input)
            }
            _ => {
                let mut input = json!({ "ConsumerARN": self.pick(&["$consumer".to_owned(), format!("{ARN}none/consumer/c:1")]), "ShardId": self.shard(), "StartingPosition": self.position() });
                input["DryRun"] = true.into();
                ("SubscribeToShard", input)
            }
        }
    }
}

fn random(seed: u64, count: usize) -> Vec<Request> {
    let mut random = Random { rng: Rng::with_seed(seed), prefix: format!("s{seed}") };
    let mut requests = Vec::new();
    for letter in ["a", "b"] {
        let input = json!({ "StreamName": format!("s{seed}-{letter}"), "ShardCount": 2 });
        requests.push(Request { operation: "CreateStream", body: Body::Json(input) });
    }
    for _ in 0..count {
        let (operation, input) = random.request();
        let body = if random.rng.u8(..).is_multiple_of(3) { Body::Cbor(input) } else { Body::Json(input) };
        requests.push(Request { operation, body });
    }
    requests
}
