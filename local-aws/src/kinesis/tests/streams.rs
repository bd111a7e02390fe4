//! Streams, shards, consumers and settings.

use super::*;

const HALF: u128 = u128::MAX / 2 + 1;

async fn split(bench: &Bench, shard: &str, at: u128) {
    let input = json!({ "StreamName": "s", "ShardToSplit": format!("shardId-0000000000{shard}"), "NewStartingHashKey": at.to_string() });
    bench.call("SplitShard", input).await;
    bench.is_active().await;
}

#[tokio::test]
async fn a_split_and_a_merge_keep_records_and_filters_select_shards_by_time() {
    let bench = Bench::new();
    bench.create(1).await;
    bench.put("a", "parent").await;
    let before = super::super::now() as f64 / 1000.0;
    tokio::time::sleep(Duration::from_millis(3)).await;
    split(&bench, "00", HALF).await;
    let put = async |hash_key: u128, data: &str| {
        let input = json!({ "StreamName": "s", "PartitionKey": "k", "ExplicitHashKey": hash_key.to_string(), "Data": base64(data) });
        bench.call("PutRecord", input).await["ShardId"].clone()
    };
    assert_eq!(put(HALF - 1, "low").await, "shardId-000000000001");
    assert_eq!(put(HALF, "high").await, "shardId-000000000002");
    let refused =
        json!({ "StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": HALF.to_string() });
    assert_eq!(bench.refused("SplitShard", refused).await, "InvalidArgumentException");
    let merge = json!({ "StreamName": "s", "ShardToMerge": "shardId-000000000001", "AdjacentShardToMerge": "shardId-000000000002" });
    bench.call("MergeShards", merge).await;
    bench.is_active().await;
    assert_eq!(put(0, "merged").await, "shardId-000000000003");
    for (shard, data) in [("00", "parent"), ("01", "low"), ("02", "high"), ("03", "merged")] {
        assert_eq!(bench.all(shard).await, [data]);
    }
    let page = json!({ "ShardIterator": bench.iterator("01", "TRIM_HORIZON", json!({})).await });
    let page = bench.call("GetRecords", page).await;
    assert_eq!(page["NextShardIterator"], Value::Null);
    assert_eq!(page["ChildShards"][0]["ParentShards"], json!(["shardId-000000000001", "shardId-000000000002"]));
    let filter = |kind: &str| json!({ "Type": kind });
    assert_eq!(bench.shards(Value::Null).await, ["00", "01", "02", "03"]);
    assert_eq!(bench.shards(filter("AT_LATEST")).await, ["03"]);
    assert_eq!(bench.shards(filter("AT_TRIM_HORIZON")).await, ["00"]);
    assert_eq!(bench.shards(filter("FROM_TRIM_HORIZON")).await, ["00", "01", "02", "03"]);
    assert_eq!(
        bench.shards(json!({ "Type": "AFTER_SHARD_ID", "ShardId": "shardId-000000000001" })).await,
        ["02", "03"]
    );
    let now = super::super::now() as f64 / 1000.0;
    assert_eq!(bench.shards(json!({ "Type": "AT_TIMESTAMP", "Timestamp": before })).await, ["00"]);
    assert_eq!(bench.shards(json!({ "Type": "AT_TIMESTAMP", "Timestamp": now })).await, ["03"]);
    assert_eq!(bench.shards(json!({ "Type": "FROM_TIMESTAMP", "Timestamp": now })).await, ["03"]);
    assert_eq!(
        bench.refused("ListShards", json!({ "StreamName": "s", "ShardFilter": filter("AT_TIMESTAMP") })).await,
        "InvalidArgumentException"
    );
}

#[tokio::test]
async fn shards_created_by_a_new_count_have_parents() {
    let bench = Bench::new();
    bench.create(2).await;
    let update = json!({ "StreamARN": STREAM, "TargetShardCount": 3, "ScalingType": "UNIFORM_SCALING" });
    let answer = bench.call("UpdateShardCount", update).await;
    assert_eq!((&answer["StreamARN"], &answer["CurrentShardCount"]), (&json!(STREAM), &json!(2)));
    bench.is_active().await;
    let shards =
        bench.call("ListShards", json!({ "StreamName": "s", "ExclusiveStartShardId": "shardId-000000000001" })).await;
    let parents =
        |index: usize| [&shards["Shards"][index]["ParentShardId"], &shards["Shards"][index]["AdjacentParentShardId"]];
    let (zero, one) = (json!("shardId-000000000000"), json!("shardId-000000000001"));
    assert_eq!([parents(0), parents(1), parents(2)], [[&zero, &Value::Null], [&zero, &one], [&one, &Value::Null]]);
    let read = bench.kinesis.stream(STREAM).await.unwrap();
    assert_eq!(read.shards[3].parents, ["shardId-000000000000", "shardId-000000000001"]);
}

#[tokio::test]
async fn listings_are_paginated() {
    let bench = Bench::new();
    bench.create(3).await;
    let first = bench.call("ListShards", json!({ "StreamName": "s", "MaxResults": 2 })).await;
    let rest = bench.call("ListShards", json!({ "NextToken": first["NextToken"] })).await;
    assert_eq!(
        (first["Shards"].as_array().unwrap().len(), &rest["Shards"][0]["ShardId"]),
        (2, &json!("shardId-000000000002"))
    );
    let both = json!({ "NextToken": first["NextToken"], "StreamName": "s" });
    assert_eq!(bench.refused("ListShards", both).await, "InvalidArgumentException");
    let described = bench
        .call(
            "DescribeStream",
            json!({ "StreamARN": STREAM, "Limit": 1, "ExclusiveStartShardId": "shardId-000000000000" }),
        )
        .await;
    let described = &described["StreamDescription"];
    assert_eq!(
        (&described["HasMoreShards"], &described["Shards"][0]["ShardId"]),
        (&json!(true), &json!("shardId-000000000001"))
    );
    bench.call("CreateStream", json!({ "StreamName": "t", "ShardCount": 1 })).await;
    let streams = bench.call("ListStreams", json!({ "Limit": 1 })).await;
    assert_eq!((&streams["StreamNames"], &streams["HasMoreStreams"]), (&json!(["s"]), &json!(true)));
    assert_eq!(streams["StreamSummaries"][0]["StreamARN"], STREAM);
    let rest = bench.call("ListStreams", json!({ "NextToken": streams["NextToken"] })).await;
    assert_eq!((&rest["StreamNames"], &rest["HasMoreStreams"]), (&json!(["t"]), &json!(false)));
}

#[tokio::test]
async fn an_on_demand_stream_is_counted_and_can_distribute_its_records() {
    let bench = Bench::new();
    let input = json!({ "StreamName": "s", "StreamModeDetails": { "StreamMode": "ON_DEMAND" }, "MaxRecordSizeInKiB": 2048, "Tags": { "a": "b" } });
    bench.call("CreateStream", input).await;
    bench.is_active().await;
    let summary = bench.summary().await;
    assert_eq!((&summary["OpenShardCount"], &summary["MaxRecordSizeInKiB"]), (&json!(4), &json!(2048)));
    assert_eq!(
        (&summary["StreamModeDetails"]["StreamMode"], &summary["RecordDistributionStrategy"]),
        (&json!("ON_DEMAND"), &json!("USER_PARTITION_KEY"))
    );
    let limits = bench.call("DescribeLimits", json!({})).await;
    assert_eq!((&limits["OnDemandStreamCount"], &limits["OnDemandStreamCountLimit"]), (&json!(1), &json!(50)));
    let put = json!({ "StreamName": "s", "Data": base64("x") });
    assert_eq!(bench.refused("PutRecord", put.clone()).await, "ValidationException");
    bench
        .call(
            "UpdateStreamRecordDistributionStrategy",
            json!({ "StreamARN": STREAM, "RecordDistributionStrategy": "AUTO" }),
        )
        .await;
    for _ in 0..4 {
        bench.call("PutRecord", put.clone()).await;
    }
    for shard in ["00", "01", "02", "03"] {
        assert_eq!(bench.all(shard).await, ["x"]);
    }
    assert_eq!(bench.summary().await["RecordDistributionStrategy"], "AUTO");
    bench.call("CreateStream", json!({ "StreamName": "neither" })).await;
    let neither = bench.call("DescribeStreamSummary", json!({ "StreamName": "neither" })).await;
    assert_eq!(neither["StreamDescriptionSummary"]["StreamModeDetails"]["StreamMode"], "ON_DEMAND");
    let provisioned = json!({ "StreamName": "p", "ShardCount": 1, "RecordDistributionStrategy": "AUTO" });
    assert_eq!(bench.refused("CreateStream", provisioned).await, "InvalidArgumentException");
}

#[tokio::test]
async fn consumers_are_active_at_once_and_protect_their_stream_from_deletion() {
    let bench = Bench::new();
    bench.create(1).await;
    let register = json!({ "StreamARN": STREAM, "ConsumerName": "c", "Tags": { "a": "b" } });
    let consumer = bench.call("RegisterStreamConsumer", register.clone()).await["Consumer"].clone();
    assert_eq!(consumer["ConsumerStatus"], "CREATING");
    let described = bench.call("DescribeStreamConsumer", json!({ "ConsumerARN": consumer["ConsumerARN"] })).await;
    let described = &described["ConsumerDescription"];
    assert_eq!((&described["ConsumerStatus"], &described["StreamARN"]), (&json!("ACTIVE"), &json!(STREAM)));
    let tags = bench.call("ListTagsForResource", json!({ "ResourceARN": consumer["ConsumerARN"] })).await;
    assert_eq!(tags["Tags"], json!([{ "Key": "a", "Value": "b" }]));
    assert_eq!(bench.refused("RegisterStreamConsumer", register).await, "ResourceInUseException");
    assert_eq!(bench.refused("DeleteStream", json!({ "StreamName": "s" })).await, "ResourceInUseException");
    bench.call("RegisterStreamConsumer", json!({ "StreamARN": STREAM, "ConsumerName": "d" })).await;
    let first = bench.call("ListStreamConsumers", json!({ "StreamARN": STREAM, "MaxResults": 1 })).await;
    let rest = bench.call("ListStreamConsumers", json!({ "StreamARN": STREAM, "NextToken": first["NextToken"] })).await;
    assert_eq!([&first["Consumers"][0]["ConsumerName"], &rest["Consumers"][0]["ConsumerName"]], ["c", "d"]);
    bench.call("DeregisterStreamConsumer", json!({ "StreamARN": STREAM, "ConsumerName": "d" })).await;
    bench.call("DeleteStream", json!({ "StreamName": "s", "EnforceConsumerDeletion": true })).await;
    assert!(!bench.kinesis.has_consumer(consumer["ConsumerARN"].as_str().unwrap()).await);
}

#[tokio::test]
async fn retention_is_limited_to_a_year_and_tags_to_fifty() {
    let bench = Bench::new();
    bench.create(1).await;
    let hours = |hours: u32| json!({ "StreamName": "s", "RetentionPeriodHours": hours });
    bench.call("IncreaseStreamRetentionPeriod", hours(8760)).await;
    for (operation, wrong) in [
        ("IncreaseStreamRetentionPeriod", 8761),
        ("IncreaseStreamRetentionPeriod", 24),
        ("DecreaseStreamRetentionPeriod", 23),
    ] {
        assert_eq!(bench.refused(operation, hours(wrong)).await, "InvalidArgumentException");
    }
    assert_eq!(bench.summary().await["RetentionPeriodHours"], 8760);
    let tags = |range: std::ops::Range<u32>| -> Value {
        let tags: serde_json::Map<_, _> = range.map(|tag| (format!("k:{tag}"), json!("v"))).collect();
        json!({ "StreamARN": STREAM, "Tags": tags })
    };
    bench.call("AddTagsToStream", tags(0..50)).await;
    assert_eq!(bench.refused("AddTagsToStream", tags(50..51)).await, "InvalidArgumentException");
    // Not even a new resource has more.
    for (operation, mut input) in [
        ("CreateStream", json!({ "StreamName": "t", "ShardCount": 1 })),
        ("RegisterStreamConsumer", json!({ "StreamARN": STREAM, "ConsumerName": "c" })),
    ] {
        input["Tags"] = tags(0..51)["Tags"].clone();
        let (code, message) = bench.try_call(operation, input.clone()).await.unwrap_err();
        assert_eq!(code, "InvalidArgumentException", "{operation}");
        assert!(
            message.ends_with("because a given stream cannot have more than 50 tags associated with it."),
            "{message}"
        );
        input["Tags"] = tags(0..50)["Tags"].clone();
        bench.call(operation, input).await;
    }
    bench.call("RemoveTagsFromStream", json!({ "StreamName": "s", "TagKeys": ["k:0"] })).await;
    bench.call("TagResource", json!({ "ResourceARN": STREAM, "Tags": { "new": "" } })).await;
    let listed = bench.call("ListTagsForResource", json!({ "ResourceARN": STREAM })).await;
    assert_eq!(listed["Tags"].as_array().unwrap().len(), 50);
    let missing = json!({ "ResourceARN": format!("{STREAM}2") });
    assert_eq!(bench.refused("ListTagsForResource", missing).await, "ResourceNotFoundException");
    assert_eq!(bench.refused("NoSuchOperation", json!({})).await, "UnknownOperationException");
    let get = Request::get("/").header("content-type", "application/x-amz-json-1.1").body(Bytes::new()).unwrap();
    assert_eq!(bench.kinesis.handle("ListStreams", get).await.unwrap_err().status, 404);
}

#[tokio::test]
async fn arns_must_have_this_account_and_region_and_the_named_stream() {
    let bench = Bench::new();
    bench.create(1).await;
    let others =
        [STREAM.replace("us-east-1", "eu-west-1"), STREAM.replace(":0000", ":1111"), STREAM.replace("/s", "/t")];
    for operation in ["DescribeStream", "DescribeStreamSummary", "ListShards", "ListTagsForStream", "DeleteStream"] {
        for arn in &others {
            assert_eq!(
                bench.refused(operation, json!({ "StreamARN": arn })).await,
                "ResourceNotFoundException",
                "{arn}"
            );
        }
        assert_eq!(bench.refused(operation, json!({ "StreamARN": "s" })).await, "ValidationException");
        let both = json!({ "StreamName": "t", "StreamARN": STREAM });
        assert_eq!(bench.refused(operation, both).await, "InvalidArgumentException");
    }
    let put = json!({ "StreamARN": others[1], "PartitionKey": "k", "Data": "" });
    let missing = "Stream s under account 111100000000 not found.".to_owned();
    assert_eq!(bench.try_call("PutRecord", put).await, Err(("ResourceNotFoundException".to_owned(), missing)));
}

#[tokio::test]
async fn an_on_demand_stream_is_not_resharded_and_changes_by_its_arn() {
    let bench = Bench::new();
    bench.call("CreateStream", json!({ "StreamName": "s" })).await;
    bench.is_active().await;
    let split = json!({ "StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "100" });
    let merge = json!({ "StreamName": "s", "ShardToMerge": "shardId-000000000000", "AdjacentShardToMerge": "shardId-000000000001" });
    let update = json!({ "StreamARN": STREAM, "TargetShardCount": 8, "ScalingType": "UNIFORM_SCALING" });
    for (operation, input) in [("SplitShard", split), ("MergeShards", merge), ("UpdateShardCount", update)] {
        assert_eq!(bench.refused(operation, input).await, "ValidationException", "{operation}");
    }
    let warm = json!({ "StreamARN": STREAM, "WarmThroughputMiBps": 20 });
    assert_eq!(bench.call("UpdateStreamWarmThroughput", warm.clone()).await["WarmThroughput"]["TargetMiBps"], 20);
    assert_eq!(bench.summary().await["WarmThroughput"]["TargetMiBps"], 20);
    let mode = async |mode: &str, mibps: Value| {
        let input =
            json!({ "StreamARN": STREAM, "StreamModeDetails": { "StreamMode": mode }, "WarmThroughputMiBps": mibps });
        bench.call("UpdateStreamMode", input).await;
        bench.is_active().await;
        bench.summary().await["WarmThroughput"]["TargetMiBps"].clone()
    };
    assert_eq!(mode("PROVISIONED", Value::Null).await, Value::Null);
    assert_eq!(bench.refused("UpdateStreamWarmThroughput", warm).await, "ValidationException");
    assert_eq!(mode("ON_DEMAND", json!(30)).await, 30);
}

#[tokio::test]
async fn invalid_listings_get_awss_messages() {
    let bench = Bench::new();
    bench.create(2).await;
    let filter = |filter: Value| json!({ "StreamName": "s", "ShardFilter": filter });
    for wrong in [filter(json!({ "Type": "X" })), filter(json!({}))] {
        assert_eq!(bench.refused("ListShards", wrong).await, "ValidationException");
    }
    let page = bench.call("ListShards", json!({ "StreamName": "s", "MaxResults": 1 })).await;
    let both = json!({ "NextToken": page["NextToken"], "ExclusiveStartShardId": "shardId-000000000000" });
    assert_eq!(bench.refused("ListShards", both).await, "InvalidArgumentException");
    let (code, message) = bench.try_call("ListShards", json!({})).await.unwrap_err();
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("InvalidArgumentException", "Either NextToken or StreamName should be provided.")
    );
    let provisioned = json!({ "StreamName": "t", "StreamModeDetails": { "StreamMode": "PROVISIONED" } });
    assert_eq!(bench.refused("CreateStream", provisioned).await, "InvalidArgumentException");
    let mode = json!({ "StreamName": "t", "StreamModeDetails": { "StreamMode": "X" } });
    let metrics = json!({ "StreamName": "s", "ShardLevelMetrics": ["X"] });
    for (operation, input, member) in [
        ("CreateStream", mode, "streamModeDetails.streamMode"),
        ("EnableEnhancedMonitoring", metrics, "shardLevelMetrics"),
    ] {
        let (code, message) = bench.try_call(operation, input).await.unwrap_err();
        assert!(code == "ValidationException" && message.contains(member), "{code} {message}");
    }
    for operation in ["SplitShard", "MergeShards", "UpdateShardCount", "UpdateStreamWarmThroughput"] {
        assert_eq!(bench.refused(operation, json!({ "StreamName": "s" })).await, "ValidationException", "{operation}");
    }
    for (hours, code) in [(Value::Null, "ValidationException"), (json!("x"), "SerializationException")] {
        let input = json!({ "StreamName": "s", "RetentionPeriodHours": hours });
        assert_eq!(bench.refused("IncreaseStreamRetentionPeriod", input).await, code);
    }
}

#[tokio::test]
async fn a_missing_consumer_has_no_tags() {
    let bench = Bench::new();
    bench.create(1).await;
    let consumer = format!("{STREAM}/consumer/c:1");
    let tag = json!({ "ResourceARN": consumer, "Tags": { "k": "v" } });
    let untag = json!({ "ResourceARN": consumer, "TagKeys": ["k"] });
    for (operation, input) in
        [("TagResource", tag), ("UntagResource", untag), ("ListTagsForResource", json!({ "ResourceARN": consumer }))]
    {
        assert_eq!(bench.refused(operation, input).await, "ResourceNotFoundException", "{operation}");
    }
}

#[tokio::test]
async fn the_account_has_no_throughput_commitment() {
    let settings = Bench::new().call("DescribeAccountSettings", json!({})).await;
    assert_eq!(settings, json!({ "MinimumThroughputBillingCommitment": { "Status": "DISABLED" } }));
}
