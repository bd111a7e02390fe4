//! Long random sequences that create, reshard, tag, encrypt, consume, put, read and delete.

use fastrand::Rng;
use serde_json::{Value, json};

use super::corpus::{ARN, Body, Request};

const MAX: &str = "340282366920938463463374607431768211455";

struct Random {
    rng: Rng,
    prefix: String,
}

impl Random {
    fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        self.rng.choice(choices).unwrap().clone()
    }

    fn one_in(&mut self, count: u8) -> bool {
        self.rng.u8(..).is_multiple_of(count)
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

    /// Adds the stream to a request's members by its name, its ARN or both.
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
                if !self.one_in(4) {
                    input["ShardCount"] = self.pick(&[1, 1, 2, 3, 4, 100_001]).into();
                }
                if self.one_in(4) {
                    input["StreamModeDetails"] = json!({ "StreamMode": self.pick(&["ON_DEMAND", "PROVISIONED"]) });
                    if input["StreamModeDetails"]["StreamMode"] == "PROVISIONED" && input["ShardCount"].is_null() {
                        input["ShardCount"] = 2.into();
                    }
                }
                if self.one_in(3) {
                    input["Tags"] = self.tags();
                }
                if self.one_in(4) {
                    input["MaxRecordSizeInKiB"] = self.pick(&[1024, 2048, 10240, 10]).into();
                }
                if self.one_in(6) {
                    input["WarmThroughputMiBps"] = self.pick(&[0, 10]).into();
                }
                if self.one_in(6) {
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
                if self.one_in(3) {
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
                if self.one_in(4) {
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
                if self.one_in(3) {
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
                if self.one_in(4) {
                    input["ExclusiveStartShardId"] = self.shard().into();
                }
                if self.one_in(3) {
                    let mut filter = json!({ "Type": self.pick(&["AFTER_SHARD_ID", "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON", "AT_LATEST", "AT_TIMESTAMP", "FROM_TIMESTAMP"]) });
                    if self.rng.bool() {
                        filter["ShardId"] = self.shard().into();
                    }
                    if self.rng.bool() {
                        filter["Timestamp"] = self.pick(&[json!(0), json!("$now"), json!(4e9)]);
                    }
                    input["ShardFilter"] = filter;
                }
                if self.one_in(6) {
                    input["NextToken"] = self.pick(&["$token", "none"]).into();
                    return ("ListShards", input);
                }
                ("ListShards", self.stream(input))
            }
            47..51 => {
                let mut input = self.entry();
                if self.one_in(5) {
                    input["SequenceNumberForOrdering"] = self.pick(&["$number", "7", "0"]).into();
                }
                if self.one_in(12) {
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

/// Generates a sequence of requests about two streams. The same seed gives the same sequence.
pub fn requests(seed: u64, count: usize) -> Vec<Request> {
    let mut random = Random { rng: Rng::with_seed(seed), prefix: format!("s{seed}") };
    let mut requests = Vec::new();
    for letter in ["a", "b"] {
        let input = json!({ "StreamName": format!("s{seed}-{letter}"), "ShardCount": 2 });
        requests.push(Request { operation: "CreateStream", body: Body::Json(input) });
    }
    for _ in 0..count {
        let (operation, input) = random.request();
        let body = if random.one_in(3) { Body::Cbor(input) } else { Body::Json(input) };
        requests.push(Request { operation, body });
    }
    requests
}
