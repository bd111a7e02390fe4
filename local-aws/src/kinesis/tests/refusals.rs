//! Rejected requests, with AWS's messages and order of checks. The messages about types, violations, shards and tags
//! are recorded.

use proptest::prelude::*;

use super::*;
use crate::validation;

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

fn violation(value: &str, member: &str, constraint: &str) -> String {
    format!("Value '{value}' at '{member}' failed to satisfy constraint: Member must {constraint}")
}

fn code_and_text(code: &str, text: impl Into<String>) -> (String, String) {
    (code.to_owned(), text.into())
}

#[tokio::test]
async fn violations_are_reported_together() {
    let bench = Bench::new();
    let empty = json!({
        "StreamName": "", "PartitionKey": "", "Data": "", "ExplicitHashKey": "", "SequenceNumberForOrdering": "",
    });
    let name = "satisfy regular expression pattern: [a-zA-Z0-9_.-]+";
    let expected = [
        violation("", "sequenceNumberForOrdering", r"satisfy regular expression pattern: ^(0|([1-9]\d{0,128}))$"),
        violation("", "partitionKey", "have length greater than or equal to 1"),
        violation("", "explicitHashKey", r"satisfy regular expression pattern: ^(0|([1-9]\d{0,38}))$"),
        violation("", "streamName", name),
        violation("", "streamName", "have length greater than or equal to 1"),
    ];
    let expected = format!("5 validation errors detected: {}", expected.join("; "));
    assert_eq!(bench.try_call("PutRecord", empty).await, Err(code_and_text("ValidationException", expected)));

    let long = "a".repeat(129);
    let split = json!({ "StreamName": long, "ShardToSplit": long, "NewStartingHashKey": "0" });
    let expected = [
        violation(&long, "streamName", "have length less than or equal to 128"),
        violation(&long, "shardToSplit", "have length less than or equal to 128"),
    ];
    let expected = format!("2 validation errors detected: {}", expected.join("; "));
    assert_eq!(bench.try_call("SplitShard", split).await, Err(code_and_text("ValidationException", expected)));

    // At most ten are reported.
    let entries: Vec<_> = (0..501).map(|_| json!({ "PartitionKey": "", "Data": "" })).collect();
    let (_, text) = bench.try_call("PutRecords", json!({ "StreamName": "", "Records": entries })).await.unwrap_err();
    let entry = "com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry@c965e310, ";
    assert!(text.starts_with(&format!("10 validation errors detected: Value '[{entry}{entry}")), "{text}");
    let last = violation("", "records.9.member.partitionKey", "have length greater than or equal to 1");
    assert!(text.ends_with(&last), "{text}");

    let tags = json!({ "StreamName": "none", "Tags": { "a": "1", (long.as_str()): "3" } });
    let expected = format!(
        "1 validation error detected: Value '{{a=1, {long}=3}}' at 'tags' failed to satisfy constraint: Map keys must satisfy \
         constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]"
    );
    assert_eq!(bench.try_call("AddTagsToStream", tags).await, Err(code_and_text("ValidationException", expected)));
}

#[tokio::test]
async fn types_are_checked_before_constraints_and_constraints_before_the_stream() {
    let bench = Bench::new();
    let refusal = async |operation: &str, input: Value| bench.try_call(operation, input).await.unwrap_err();
    let put = |name: &str, key: &str, data: &str, hash_key: &str| json!({ "StreamName": name, "PartitionKey": key, "Data": data, "ExplicitHashKey": hash_key });
    let too_large = (u128::MAX).to_string().replacen('3', "9", 1);
    let length =
        "'23456' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 5";
    let stages = [
        (put("none", "", "23456", &too_large), "SerializationException"),
        (put("none", "", "", &too_large), "ValidationException"),
        (put("none", "k", "", &too_large), "ResourceNotFoundException"),
        (put("s", "k", "", &too_large), "InvalidArgumentException"),
    ];
    bench.create(1).await;
    for (input, code) in stages {
        let batch = json!({ "StreamName": input["StreamName"], "Records": [input.clone()] });
        assert_eq!(refusal("PutRecord", input.clone()).await.0, code, "{input}");
        assert_eq!(refusal("PutRecords", batch).await.0, code, "{input}");
    }
    assert_eq!(refusal("PutRecord", put("none", "", "23456", "0")).await.1, length);
    for (tags, name, code) in [
        (json!({ "k": 7, "a;b": "" }), "", "SerializationException"),
        (json!({ "": "" }), "none", "ValidationException"),
        (json!({ "a;b": "" }), "none", "ResourceNotFoundException"),
        (json!({ "a;b": "" }), "s", "InvalidArgumentException"),
    ] {
        assert_eq!(refusal("AddTagsToStream", json!({ "StreamName": name, "Tags": tags })).await.0, code, "{tags}");
    }
    let unnamed = refusal("DescribeStream", json!({})).await;
    assert_eq!(unnamed, code_and_text("InvalidArgumentException", "Either StreamName or StreamARN must be provided."));
    let many = json!({ "StreamName": "t", "ShardCount": 1e11 });
    assert_eq!(refusal("CreateStream", many).await.0, "LimitExceededException");
}

#[tokio::test]
async fn shards_are_named_by_number_and_unknown_ones_are_not_found() {
    let bench = Bench::new();
    bench.create(2).await;
    let iterator =
        |name: &str, shard: &str| json!({ "StreamName": name, "ShardId": shard, "ShardIteratorType": "LATEST" });
    for shard in ["shardId-000000000001", "shardId-1", "1", "-1", "any-01"] {
        bench.call("GetShardIterator", iterator("s", shard)).await;
    }
    let split =
        |name: &str, shard: &str| json!({ "StreamName": name, "ShardToSplit": shard, "NewStartingHashKey": "7" });
    let merge =
        |name: &str, shard: &str| json!({ "StreamName": name, "ShardToMerge": "0", "AdjacentShardToMerge": shard });
    let refusal = async |operation: &str, input: Value| bench.try_call(operation, input).await.unwrap_err();
    let not_found = |text: String| code_and_text("ResourceNotFoundException", text);
    for shard in ["ABKLFD8", "2147483648", "shardId-002147483648", "2.14E4"] {
        let text = format!("Could not find shard {shard} in stream none under account 000000000000.");
        for (operation, input) in [
            ("GetShardIterator", iterator("none", shard)),
            ("SplitShard", split("none", shard)),
            ("MergeShards", merge("none", shard)),
        ] {
            assert_eq!(refusal(operation, input).await, not_found(text.clone()), "{operation} {shard}");
        }
    }
    for (operation, input) in [("SplitShard", split("none", "5")), ("MergeShards", merge("none", "5"))] {
        let text = "Stream none under account 000000000000 not found.".to_owned();
        assert_eq!(refusal(operation, input).await, not_found(text));
    }
    for (operation, input) in [("SplitShard", split("s", "5")), ("MergeShards", merge("s", "5"))] {
        let text = "Could not find shard shardId-000000000005 in stream s under account 000000000000.".to_owned();
        assert_eq!(refusal(operation, input).await, not_found(text));
    }
    let text = "Shard shardId-000000000005 in stream s under account 000000000000 does not exist".to_owned();
    assert_eq!(refusal("GetShardIterator", iterator("s", "5")).await, not_found(text));
    bench.call("SplitShard", split("s", "0")).await;
    bench.is_active().await;
    assert_eq!(refusal("SplitShard", split("s", "0")).await.0, "InvalidArgumentException");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let bench = Bench::new();
    bench.create(1).await;
    let registered = bench.call("RegisterStreamConsumer", json!({ "StreamARN": STREAM, "ConsumerName": "c" })).await;
    let iterator = bench.iterator("00", "TRIM_HORIZON", json!({})).await;
    let entry = json!({ "PartitionKey": "k", "Data": "" });
    let requests = [
        ("PutRecord", json!({ "StreamName": "s", "PartitionKey": "k", "Data": "" })),
        ("PutRecords", json!({ "StreamName": "s", "Records": [entry] })),
        ("GetRecords", json!({ "ShardIterator": iterator })),
        ("GetShardIterator", json!({ "StreamName": "s", "ShardId": "0", "ShardIteratorType": "LATEST" })),
        (
            "SubscribeToShard",
            json!({ "ConsumerARN": registered["Consumer"]["ConsumerARN"], "ShardId": "0", "StartingPosition": { "Type": "LATEST" } }),
        ),
    ];
    let text = "The request was rejected because the DryRun parameter was specified.";
    for (operation, mut input) in requests {
        for dry_run in [json!(true), json!("true")] {
            input["DryRun"] = dry_run;
            let refused = bench.try_call(operation, input.clone()).await.map(drop);
            assert_eq!(refused, Err(code_and_text("DryRunOperationException", text)), "{operation}");
        }
        // A request that would have failed fails in the same way.
        input["DryRun"] = json!(7);
        assert_eq!(bench.refused(operation, input).await, "SerializationException", "{operation}");
    }
    let missing = json!({ "StreamName": "none", "PartitionKey": "k", "Data": "", "DryRun": true });
    assert_eq!(bench.refused("PutRecord", missing).await, "ResourceNotFoundException");
    let none = json!({ "ShardIterator": "AAAA", "DryRun": true });
    assert_eq!(bench.refused("GetRecords", none).await, "InvalidArgumentException");
    assert_eq!(bench.all("00").await, [""; 0]);
    let put = json!({ "StreamName": "s", "PartitionKey": "k", "Data": "", "DryRun": false });
    bench.call("PutRecord", put).await;
    assert_eq!(bench.all("00").await, [""]);
}

#[tokio::test]
async fn with_limits_a_stream_accepts_one_dry_run_a_second() {
    let bench = Bench::with(&Config { shard_limits: true, ..Config::default() }, Store::default());
    bench.create(1).await;
    let put = json!({ "StreamName": "s", "PartitionKey": "k", "Data": "", "DryRun": true });
    assert_eq!(bench.refused("PutRecord", put.clone()).await, "DryRunOperationException");
    assert_eq!(bench.refused("PutRecord", put).await, "ProvisionedThroughputExceededException");
}

#[tokio::test]
async fn a_timestamp_that_is_too_large_is_shown_as_javas_largest_long() {
    let bench = Bench::new();
    bench.create(1).await;
    let iterator = json!({ "StreamName": "s", "ShardId": "0", "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1e20 });
    let (code, message) = bench.try_call("GetShardIterator", iterator).await.unwrap_err();
    assert_eq!(code, "InvalidArgumentException");
    assert!(message.contains("timestampInMillis: 9223372036854775807, currentTimestampInMillis: "), "{message}");
}

#[tokio::test]
async fn policies_belong_to_streams_and_consumers_that_exist() {
    let bench = Bench::new();
    bench.create(1).await;
    let policy = |arn: &str| json!({ "ResourceARN": arn, "Policy": POLICY });
    let others = [
        format!("{STREAM}2"),
        format!("{STREAM}/consumer/c:1"),
        STREAM.replace("us-east-1", "eu-west-1"),
        STREAM.replace("stream/", "channel/"),
    ];
    for arn in &others {
        for operation in ["PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy"] {
            let refused = bench.refused(operation, policy(arn)).await;
            assert_eq!(refused, "ResourceNotFoundException", "{operation} {arn}");
        }
    }
    let resource = json!({ "ResourceARN": STREAM });
    assert_eq!(bench.refused("DeleteResourcePolicy", resource.clone()).await, "ResourceNotFoundException");
    assert_eq!(bench.call("GetResourcePolicy", resource.clone()).await["Policy"], "{}");
    bench.call("PutResourcePolicy", policy(STREAM)).await;
    assert_eq!(bench.call("GetResourcePolicy", resource.clone()).await["Policy"], POLICY);
    bench.call("DeleteResourcePolicy", resource.clone()).await;
    assert_eq!(bench.call("GetResourcePolicy", resource.clone()).await["Policy"], "{}");
    assert_eq!(bench.refused("DeleteResourcePolicy", resource).await, "ResourceNotFoundException");
}

#[tokio::test]
async fn an_iterator_may_be_enclosed_in_double_quotes() {
    let bench = Bench::new();
    bench.create(1).await;
    let iterator = bench.iterator("00", "TRIM_HORIZON", json!({})).await;
    bench.put("k", "one").await;
    let page = bench.call("GetRecords", json!({ "ShardIterator": format!("\"{iterator}\"") })).await;
    assert_eq!(page["Records"].as_array().unwrap().len(), 1);
    assert_eq!(bench.refused("GetRecords", json!({ "ShardIterator": "\"" })).await, "InvalidArgumentException");
}

#[tokio::test]
async fn puts_on_an_unencrypted_stream_return_no_encryption_type() {
    let bench = Bench::new();
    bench.create(1).await;
    assert!(bench.put("k", "one").await.get("EncryptionType").is_none());
    let batch = json!({ "StreamName": "s", "Records": [{ "PartitionKey": "k", "Data": "" }] });
    assert!(bench.call("PutRecords", batch).await.get("EncryptionType").is_none());
}

#[tokio::test]
async fn a_sequence_number_for_ordering_may_be_any_that_a_shard_could_have_issued() {
    let bench = Bench::new();
    bench.create(1).await;
    let put = |number: &str| json!({ "StreamName": "s", "PartitionKey": "k", "Data": "", "SequenceNumberForOrdering": number });
    let parts = |counter: u64, put_seconds: u64, shard_index: u32| {
        let parts = kinesis_event_logger_core::route::SequenceParts {
            shard_created_seconds: 0,
            counter,
            put_seconds,
            shard_index,
        };
        parts.build().unwrap().to_string()
    };
    let now = super::super::now() / 1000;
    for number in [parts(0, 0, 0), parts(i64::MAX as u64, now, i32::MAX as u32)] {
        bench.call("PutRecord", put(&number)).await;
    }
    for number in [parts(1 << 63, 0, 0), parts(0, 0, 1 << 31), parts(0, now + 60, 0), "7".to_owned()] {
        let text = format!(
            "ExclusiveMinimumSequenceNumber {number} used in PutRecord on stream s under account 000000000000 is invalid."
        );
        assert_eq!(
            bench.try_call("PutRecord", put(&number)).await,
            Err(code_and_text("InvalidArgumentException", text))
        );
    }
}

fn member(values: &[Value]) -> impl Strategy<Value = Value> + use<> {
    prop::sample::select(values.to_vec())
}

/// Members of puts that are valid, invalid, of another type, or missing.
fn entry() -> impl Strategy<Value = Value> {
    let texts = [json!("k"), json!(""), json!("x".repeat(256)), json!("é".repeat(257)), json!(7), Value::Null];
    let data = [json!(""), json!("AAAA"), json!("AAA"), json!("AA=A"), json!("AAB="), json!([]), Value::Null];
    let hash_keys =
        [Value::Null, json!("0"), json!("00"), json!("+1"), json!("1".repeat(39)), json!("1".repeat(40)), json!(1)];
    (member(&texts), member(&data), member(&hash_keys))
        .prop_map(|(key, data, hash_key)| json!({ "PartitionKey": key, "Data": data, "ExplicitHashKey": hash_key }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Puts have their own fast parser. It must accept and reject the same requests as the model, with the same messages.
    #[test]
    fn a_put_succeeds_only_if_the_model_allows_it(
        entry in entry(),
        name in member(&[json!("s"), json!("none"), json!("a b"), Value::Null]),
        id in member(&[Value::Null, json!("abcdefghij0123456789-abc"), json!("x"), json!(7)]),
        ordering in member(&[Value::Null, json!("00"), json!("49590338271490256608559692538361571095921575989136588898")]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            bench.create(1).await;
            let records = json!({ "Records": [entry.clone(), entry.clone()], "StreamName": name, "StreamId": id });
            let mut record = entry;
            record["StreamName"] = name;
            record["StreamId"] = id;
            record["SequenceNumberForOrdering"] = ordering;
            for (operation, input) in [("PutRecord", record), ("PutRecords", records)] {
                let modelled = Encoding::Json.read_input(input.to_string().as_bytes()).unwrap();
                let modelled = validation::KINESIS.read(operation, modelled).err().map(|error| error.message);
                let answered = bench.try_call(operation, input.clone()).await;
                match modelled {
                    Some(text) => prop_assert_eq!(answered.unwrap_err().1, text),
                    None if input["StreamName"] == "s" => {
                        let code = answered.map_or_else(|(code, _)| code, |_| "none".to_owned());
                        let is_keyless = json!(input).to_string().contains(r#""PartitionKey":null"#);
                        prop_assert!(code == "none" || is_keyless || code == "InvalidArgumentException", "{} {}", code, input);
                    }
                    None => prop_assert!(answered.is_err()),
                }
            }
            Ok(())
        })?;
    }
}
