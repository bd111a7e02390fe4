//! Records: put, read and pushed.

use ciborium::Value as Cbor;

use super::*;

#[tokio::test]
async fn records_are_read_in_order_from_every_position() {
    let bench = Bench::new();
    bench.create(1).await;
    let latest = bench.iterator("00", "LATEST", json!({})).await;
    let first = bench.put("k", "one").await;
    let batch = json!([{ "PartitionKey": "k", "Data": base64("two") }, { "PartitionKey": "\u{e9}", "ExplicitHashKey": "7", "Data": "" }]);
    let second = bench.call("PutRecords", json!({ "StreamARN": STREAM, "Records": batch })).await;
    assert_eq!((&second["FailedRecordCount"], second["Records"].as_array().unwrap().len()), (&json!(0), 2));
    assert_eq!(bench.data(latest).await, ["one", "two", ""]);
    assert_eq!(bench.all("00").await, ["one", "two", ""]);
    let at = |number: &Value| json!({ "StartingSequenceNumber": number });
    let number = &second["Records"][0]["SequenceNumber"];
    assert_eq!(bench.data(bench.iterator("00", "AT_SEQUENCE_NUMBER", at(number)).await).await, ["two", ""]);
    assert_eq!(bench.data(bench.iterator("00", "AFTER_SEQUENCE_NUMBER", at(number)).await).await, [""]);
    let page = bench
        .call(
            "GetRecords",
            json!({ "Limit": 1, "ShardIterator": bench.iterator("00", "TRIM_HORIZON", json!({})).await }),
        )
        .await;
    let record = &page["Records"][0];
    assert_eq!((&record["SequenceNumber"], &record["PartitionKey"]), (&first["SequenceNumber"], &json!("k")));
    assert!(page["MillisBehindLatest"].as_u64().unwrap() > 0);
    let arrival = record["ApproximateArrivalTimestamp"].as_f64().unwrap();
    let timestamp = |seconds: f64| json!({ "Timestamp": seconds });
    assert_eq!(bench.data(bench.iterator("00", "AT_TIMESTAMP", timestamp(arrival)).await).await, ["one", "two", ""]);
    let later = bench.iterator("00", "AT_TIMESTAMP", timestamp(super::super::now() as f64 / 1000.0)).await;
    bench.put("k", "three").await;
    assert_eq!(bench.data(later).await.last().unwrap(), "three");
}

#[tokio::test]
async fn invalid_requests_get_awss_messages() {
    let bench = Bench::new();
    bench.create(1).await;
    let message = async |operation: &str, input: Value| bench.try_call(operation, input).await.unwrap_err();
    let put = |more: Value| {
        let mut input = json!({ "StreamName": "s", "PartitionKey": "k", "Data": "" });
        input.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        input
    };
    assert_eq!(
        message("PutRecord", put(json!({ "StreamName": "none" }))).await,
        ("ResourceNotFoundException".into(), "Stream none under account 000000000000 not found.".into())
    );
    let code = async |input: Value| bench.refused("PutRecord", put(input)).await;
    for input in [
        json!({ "PartitionKey": "" }),
        json!({ "PartitionKey": "x".repeat(257) }),
        json!({ "PartitionKey": null }),
        json!({ "Data": null }),
    ] {
        assert_eq!(code(input.clone()).await, "ValidationException", "{input}");
    }
    for input in [json!({ "Data": "a" }), json!({ "Data": 7 }), json!({ "PartitionKey": 7 })] {
        assert_eq!(code(input.clone()).await, "SerializationException", "{input}");
    }
    for hash_key in ["+5", "-1", "0x10", "007", ""] {
        assert_eq!(code(json!({ "ExplicitHashKey": hash_key })).await, "ValidationException", "{hash_key}");
    }
    let above = json!({ "ExplicitHashKey": "340282366920938463463374607431768211456" });
    assert_eq!(code(above).await, "InvalidArgumentException");
    assert_eq!(bench.refused("PutRecords", json!({ "StreamName": "s", "Records": [] })).await, "ValidationException");
    let large = base64(&"x".repeat(1 << 20));
    assert_eq!(code(json!({ "Data": large })).await, "ValidationException");
    let half: Vec<_> =
        (0..11).map(|_| json!({ "PartitionKey": "k", "Data": base64(&"x".repeat(1_000_000)) })).collect();
    assert_eq!(
        bench.refused("PutRecords", json!({ "StreamName": "s", "Records": half })).await,
        "InvalidArgumentException"
    );
    // One entry that is not base64 fails the whole request.
    let mixed = json!([{ "PartitionKey": "k", "Data": base64("good") }, { "PartitionKey": "k", "Data": "bad!" }]);
    assert_eq!(
        bench.refused("PutRecords", json!({ "StreamName": "s", "Records": mixed })).await,
        "SerializationException"
    );
    assert_eq!(bench.all("00").await, [""; 0]);
    assert_eq!(bench.refused("GetRecords", json!({ "ShardIterator": "AAAA" })).await, "InvalidArgumentException");
    let expired = super::super::iterator::ShardIterator {
        created: super::super::now() - 300_001,
        incarnation: 1,
        shard_index: 0,
        next: 0,
        stream_name: "s".into(),
    };
    assert_eq!(
        bench.refused("GetRecords", json!({ "ShardIterator": expired.encode() })).await,
        "ExpiredIteratorException"
    );
    let iterator = |kind: &str, more: Value| {
        let mut input = json!({ "StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": kind });
        input.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        input
    };
    for input in [
        iterator("AT_SEQUENCE_NUMBER", json!({})),
        iterator("LATEST", json!({ "StartingSequenceNumber": "1" })),
        iterator("AT_SEQUENCE_NUMBER", json!({ "StartingSequenceNumber": "1" })),
        iterator("AT_TIMESTAMP", json!({})),
        iterator("AT_TIMESTAMP", json!({ "Timestamp": 1e11 })),
    ] {
        assert_eq!(bench.refused("GetShardIterator", input.clone()).await, "InvalidArgumentException", "{input}");
    }
    let missing = iterator("LATEST", json!({ "ShardId": "shardId-000000000007" }));
    assert_eq!(bench.refused("GetShardIterator", missing).await, "ResourceNotFoundException");
}

#[tokio::test]
async fn the_java_sdks_cbor_has_bytes_and_milliseconds() {
    let bench = Bench::new();
    bench.create(1).await;
    let text = |name: &str, value: &str| (Cbor::from(name), Cbor::from(value));
    let cbor = |members: Vec<(Cbor, Cbor)>| Encoding::Cbor.body(&Cbor::Map(members)).unwrap();
    let data = (Cbor::from("Data"), Cbor::Bytes(vec![0, 255]));
    let put = cbor(vec![text("StreamName", "s"), text("PartitionKey", "k"), data]);
    let before = super::super::now();
    bench.request(Encoding::Cbor, "PutRecord", put).await.unwrap();
    let at = (Cbor::from("Timestamp"), Cbor::Tag(1, Box::new(before.into())));
    let input = vec![
        text("StreamName", "s"),
        text("ShardId", "shardId-000000000000"),
        text("ShardIteratorType", "AT_TIMESTAMP"),
        at,
    ];
    let iterator = bench.request(Encoding::Cbor, "GetShardIterator", cbor(input)).await.unwrap();
    let iterator = Encoding::Cbor.read_value(&iterator).unwrap()["ShardIterator"].as_str().unwrap().to_owned();
    let page = bench.request(Encoding::Cbor, "GetRecords", cbor(vec![text("ShardIterator", &iterator)])).await.unwrap();
    let page: Cbor = ciborium::from_reader(&page[..]).unwrap();
    let member = |value: &Cbor, name: &str| {
        let found = value.as_map().unwrap().iter().find(|(key, _)| key.as_text() == Some(name));
        found.map(|(_, value)| value.clone()).unwrap()
    };
    let record = member(&page, "Records").as_array().unwrap()[0].clone();
    assert_eq!(member(&record, "Data"), Cbor::Bytes(vec![0, 255]));
    let Cbor::Tag(1, arrival) = member(&record, "ApproximateArrivalTimestamp") else { panic!("{record:?}") };
    assert!(u64::try_from(arrival.into_integer().unwrap()).unwrap() >= before);
}

#[tokio::test]
async fn a_subscription_pushes_new_records_and_ends_with_its_shard() {
    let bench = Bench::new();
    bench.create(1).await;
    let registered = bench.call("RegisterStreamConsumer", json!({ "StreamARN": STREAM, "ConsumerName": "c" })).await;
    let consumer = registered["Consumer"]["ConsumerARN"].clone();
    bench.put("k", "before").await;
    let input = json!({ "ConsumerARN": consumer, "ShardId": "shardId-000000000000", "StartingPosition": { "Type": "TRIM_HORIZON" } });
    let subscription = bench.request(Encoding::Json, "SubscribeToShard", input.to_string().into_bytes());
    let change = async {
        bench.put("k", "after").await;
        let half = (u128::MAX / 2 + 1).to_string();
        let split = json!({ "StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": half });
        bench.call("SplitShard", split).await;
    };
    let (pushed, ()) = tokio::join!(subscription, change);
    let pushed = String::from_utf8_lossy(&pushed.unwrap()).into_owned();
    let place = |text: &str| pushed.find(text).unwrap_or_else(|| panic!("no {text} in {pushed}"));
    assert!(place("initial-response") < place(&base64("before")));
    assert!(place(&base64("before")) < place(&base64("after")));
    assert!(place(&base64("after")) <= place("ChildShards"));
    assert!(place("shardId-000000000001") < place("shardId-000000000002"));
}

#[tokio::test]
async fn records_of_an_encrypted_stream_have_its_encryption_type() {
    let bench = Bench::new();
    bench.create(1).await;
    bench.put("k", "plain").await;
    bench
        .call(
            "StartStreamEncryption",
            json!({ "StreamName": "s", "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis" }),
        )
        .await;
    bench.is_active().await;
    assert_eq!(bench.put("k", "secret").await["EncryptionType"], "KMS");
    let iterator = bench.iterator("00", "TRIM_HORIZON", json!({})).await;
    let page = bench.call("GetRecords", json!({ "ShardIterator": iterator })).await;
    assert_eq!(
        [&page["Records"][0]["EncryptionType"], &page["Records"][1]["EncryptionType"]],
        [&Value::Null, &json!("KMS")]
    );
    assert_eq!(bench.summary().await["KeyId"], "alias/aws/kinesis");
}

#[tokio::test]
async fn puts_during_a_deletion_succeed_or_fail_cleanly() {
    let bench = Bench::new();
    bench.create(2).await;
    let put = async |key: usize| {
        let mut refused = None;
        while refused.is_none() {
            let put = json!({ "StreamName": "s", "PartitionKey": key.to_string(), "Data": "" });
            refused = bench.try_call("PutRecord", put).await.err();
            tokio::task::yield_now().await;
        }
        refused.unwrap().0
    };
    let delete = async { bench.call("DeleteStream", json!({ "StreamName": "s" })).await };
    let (one, two, _) = tokio::join!(put(1), put(2), delete);
    assert_eq!([one, two], ["ResourceNotFoundException", "ResourceNotFoundException"]);
    eventually(async || bench.kinesis.stream(STREAM).await.is_none()).await;
    bench.create(1).await;
    assert_eq!(bench.all("00").await, [""; 0]);
}

#[tokio::test]
async fn with_limits_a_shard_rejects_records_above_them() {
    let bench = Bench::with(&Config { shard_limits: true, ..Config::default() }, Store::default());
    bench.create(1).await;
    let entry = json!({ "PartitionKey": "k", "Data": "" });
    let batch = json!({ "StreamName": "s", "Records": vec![entry; 500] });
    let mut refused = Value::Null;
    for _ in 0..10 {
        let answer = bench.call("PutRecords", batch.clone()).await;
        if answer["FailedRecordCount"] != 0 {
            refused = answer["Records"]
                .as_array()
                .unwrap()
                .iter()
                .find(|record| record["ErrorCode"].is_string())
                .unwrap()
                .clone();
        }
    }
    let message = "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000.";
    assert_eq!(refused, json!({ "ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": message }));
    let put = json!({ "StreamName": "s", "PartitionKey": "k", "Data": base64(&"x".repeat(1_000_000)) });
    bench.try_call("PutRecord", put.clone()).await.ok();
    let whole = bench.try_call("PutRecord", put).await.unwrap_err();
    assert_eq!(whole, ("ProvisionedThroughputExceededException".to_owned(), message.to_owned()));
    let input = json!({ "ShardIterator": bench.iterator("00", "LATEST", json!({})).await });
    let mut reads = Vec::new();
    for _ in 0..20 {
        reads.push(bench.try_call("GetRecords", input.clone()).await.err());
    }
    assert!(reads.contains(&Some(whole)) && reads.contains(&None));
}

#[tokio::test]
async fn with_limits_a_consumer_is_pushed_two_mebibytes_a_second() {
    let bench = Bench::with(&Config { shard_limits: true, ..Config::default() }, Store::default());
    bench.create(3).await;
    let registered = bench.call("RegisterStreamConsumer", json!({ "StreamARN": STREAM, "ConsumerName": "c" })).await;
    let update = json!({ "StreamARN": STREAM, "MaxRecordSizeInKiB": 10240 });
    bench.call("UpdateMaxRecordSize", update).await;
    bench.is_active().await;
    let put =
        json!({ "StreamName": "s", "PartitionKey": "k", "ExplicitHashKey": "0", "Data": base64(&"x".repeat(4 << 20)) });
    bench.call("PutRecord", put).await;
    let split = json!({ "StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "100" });
    bench.call("SplitShard", split).await;
    bench.is_active().await;
    let subscribe = json!({ "ConsumerARN": registered["Consumer"]["ConsumerARN"], "ShardId": "shardId-000000000000", "StartingPosition": { "Type": "TRIM_HORIZON" } });
    let started = std::time::Instant::now();
    bench.request(Encoding::Json, "SubscribeToShard", subscribe.to_string().into_bytes()).await.unwrap();
    // The record is pushed at once. The end of the shard is pushed when the allowance is not negative any more.
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_iterator_is_valid_for_its_stream_only() {
    let bench = Bench::new();
    bench.create(1).await;
    bench.call("CreateStream", json!({ "StreamName": "t", "ShardCount": 1 })).await;
    let iterator = bench.iterator("00", "LATEST", json!({})).await;
    bench.call("GetRecords", json!({ "ShardIterator": iterator, "StreamARN": STREAM })).await;
    let other = json!({ "ShardIterator": iterator, "StreamARN": STREAM.replace("/s", "/t") });
    assert_eq!(bench.refused("GetRecords", other).await, "InvalidArgumentException");
}

#[tokio::test]
async fn an_entrys_error_names_its_position() {
    let bench = Bench::new();
    bench.create(1).await;
    let refusal = async |operation: &str, input: Value| bench.try_call(operation, input).await.unwrap_err().1;
    let records = json!([{ "PartitionKey": "k", "Data": "" }, { "PartitionKey": "", "Data": "" }]);
    let message = refusal("PutRecords", json!({ "StreamName": "s", "Records": records })).await;
    assert!(message.contains("Value '' at 'records.2.member.partitionKey'"), "{message}");
    let message = refusal("PutRecord", json!({ "StreamName": "s", "PartitionKey": "", "Data": "" })).await;
    assert!(message.contains("Value '' at 'partitionKey'"), "{message}");
    let message = refusal("PutRecord", json!({ "StreamName": "no stream", "PartitionKey": "k", "Data": "" })).await;
    assert!(message.contains("Value 'no stream' at 'streamName' failed"), "{message}");
}

#[tokio::test]
async fn a_later_subscription_replaces_the_first_but_with_limits_not_at_once() {
    for shard_limits in [false, true] {
        let bench = Bench::with(&Config { shard_limits, ..Config::default() }, Store::default());
        bench.create(1).await;
        let registered =
            bench.call("RegisterStreamConsumer", json!({ "StreamARN": STREAM, "ConsumerName": "c" })).await;
        let input = json!({ "ConsumerARN": registered["Consumer"]["ConsumerARN"], "ShardId": "shardId-000000000000", "StartingPosition": { "Type": "LATEST" } });
        let subscribe = async || {
            let request = Request::post("/").header("content-type", "application/x-amz-json-1.1");
            let request = request.body(Bytes::from(input.to_string())).unwrap();
            bench.kinesis.handle("SubscribeToShard", request).await
        };
        let first = subscribe().await.unwrap();
        let second = subscribe().await;
        assert_eq!(
            second.as_ref().err().map(|error| error.code.as_ref()),
            shard_limits.then_some("ResourceInUseException")
        );
        if let Ok(second) = second {
            let pushed = to_bytes(first.into_body(), usize::MAX).await.unwrap();
            let pushed = String::from_utf8_lossy(&pushed);
            let consumer = registered["Consumer"]["ConsumerARN"].as_str().unwrap();
            assert!(pushed.contains("ResourceInUseException") && pushed.contains(consumer), "{pushed}");
            bench.call("DeregisterStreamConsumer", json!({ "StreamARN": STREAM, "ConsumerName": "c" })).await;
            let pushed = to_bytes(second.into_body(), usize::MAX).await.unwrap();
            assert!(!String::from_utf8_lossy(&pushed).contains("ResourceInUseException"));
        }
    }
}
