//! Data directories that earlier versions wrote.

use std::io::Cursor;

use zip::ZipArchive;

use super::*;
use crate::kinesis::shard::Span;
use crate::store::Keyspace;

/// Written by the last version whose documents had no version, with `--realistic`. The process was killed during changes:
///
/// - `orders`: a shard, split, encrypted and merged, with records before and after; a consumer, tags, a policy, a year of
///   retention.
/// - `demand`: on demand, distributes its records.
/// - `creating` with two shards, `updating` from two shards to three, and `closing`, which is being deleted.
const VERSION_1: &[u8] = include_bytes!("../../../tests/folders/kinesis-1.zip");

async fn open(dir: &Path) -> Bench {
    let store = Store::open(Some(dir)).unwrap();
    let bench = Bench::with(&Config::default(), store);
    bench.kinesis.restore().await.unwrap();
    bench
}

fn records(bench: &Bench, shard: &str) -> Vec<(String, String)> {
    let stream = bench.kinesis.find("orders").unwrap();
    // Ignores the retention, because the records are as old as the directory.
    let all = Span { from: 0, records: 10, bytes: 1 << 20, cutoff: 0 };
    let read = stream.shard(&format!("shardId-0000000000{shard}")).unwrap().read(all).unwrap();
    let text = |data: &[u8]| String::from_utf8(data.to_vec()).unwrap();
    read.items().iter().map(|item| (item.entry.partition_key.to_owned(), text(item.entry.data))).collect()
}

async fn description(bench: &Bench, name: &str) -> Value {
    bench.call("DescribeStream", json!({ "StreamName": name })).await["StreamDescription"].take()
}

async fn check(bench: &Bench) {
    let orders = description(bench, "orders").await;
    let shard = |index: usize, member: &str| orders["Shards"][index][member].clone();
    assert_eq!(orders["Shards"].as_array().unwrap().len(), 4);
    let range = |first: &str, last: Option<&str>| match last {
        Some(last) => json!({ "StartingSequenceNumber": first, "EndingSequenceNumber": last }),
        None => json!({ "StartingSequenceNumber": first }),
    };
    assert_eq!(
        shard(0, "SequenceNumberRange"),
        range(
            "49680655745985942163295406691832035602041332849549770754",
            Some("49680655745997092535894672003401594535358042538567008258")
        )
    );
    assert_eq!(
        shard(3, "SequenceNumberRange"),
        range("49680655747480092091596958442314928726308773345328365618", None)
    );
    // The earlier version returned this number, so clients may still have it.
    let shown = "49680655747480092091596958442314928726308773276608888882";
    let at = json!({
        "StreamName": "orders", "ShardId": "3", "ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": shown,
    });
    bench.call("GetShardIterator", at).await;
    assert_eq!(
        [shard(3, "ParentShardId"), shard(3, "AdjacentParentShardId"), shard(0, "ParentShardId")],
        [json!("shardId-000000000001"), json!("shardId-000000000002"), Value::Null]
    );
    let summary = bench.call("DescribeStreamSummary", json!({ "StreamName": "orders" })).await;
    let expected = json!({ "StreamDescriptionSummary": {
        "StreamName": "orders", "StreamARN": STREAM.replace("/s", "/orders"), "StreamStatus": "ACTIVE",
        "StreamModeDetails": { "StreamMode": "PROVISIONED" }, "StreamCreationTimestamp": orders["StreamCreationTimestamp"],
        "RetentionPeriodHours": 8760, "EnhancedMonitoring": [{ "ShardLevelMetrics": ["IncomingBytes"] }],
        "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis", "OpenShardCount": 1, "ConsumerCount": 1, "MaxRecordSizeInKiB": 2048,
    } });
    assert_eq!(summary, expected);
    let arn = STREAM.replace("/s", "/orders");
    let tags = bench.call("ListTagsForResource", json!({ "ResourceARN": arn })).await;
    assert_eq!(tags["Tags"], json!([{ "Key": "größe", "Value": "1" }, { "Key": "team", "Value": "a" }]));
    let policy = bench.call("GetResourcePolicy", json!({ "ResourceARN": arn })).await;
    assert_eq!(policy["Policy"], r#"{"Version":"2012-10-17","Statement":[]}"#);
    let consumers = bench.call("ListStreamConsumers", json!({ "StreamARN": arn })).await;
    let consumer = &consumers["Consumers"][0]["ConsumerARN"];
    assert!(bench.kinesis.has_consumer(consumer.as_str().unwrap()).await);
    let tags = bench.call("ListTagsForResource", json!({ "ResourceARN": consumer })).await;
    assert_eq!(tags["Tags"], json!([{ "Key": "k", "Value": "v" }]));
    let policy = bench.call("GetResourcePolicy", json!({ "ResourceARN": consumer })).await;
    assert_eq!(policy["Policy"], r#"{"Version":"2012-10-17"}"#);
    let commitment = json!({ "MinimumThroughputBillingCommitment": { "Status": "ENABLED" } });
    assert_eq!(bench.call("DescribeAccountSettings", json!({})).await, commitment);

    let expected = [("00", "a", "one"), ("01", "a", "two"), ("02", "b", "three"), ("03", "a", "four")];
    for (shard, key, data) in expected {
        assert_eq!(records(bench, shard)[0], (key.to_owned(), data.to_owned()));
    }

    let demand = bench.call("DescribeStreamSummary", json!({ "StreamName": "demand" })).await;
    let demand = &demand["StreamDescriptionSummary"];
    assert_eq!((&demand["OpenShardCount"], &demand["RecordDistributionStrategy"]), (&json!(4), &json!("AUTO")));
    assert_eq!(demand["WarmThroughput"]["TargetMiBps"], 10);

    // Pending changes were completed.
    for (name, open, all) in [("updating", 3, 5), ("creating", 2, 2)] {
        let open_shards = async || {
            let input = json!({ "StreamName": name });
            bench.call("DescribeStreamSummary", input).await["StreamDescriptionSummary"]["OpenShardCount"] == open
        };
        eventually(open_shards).await;
        assert_eq!(description(bench, name).await["Shards"].as_array().unwrap().len(), all);
    }
    eventually(async || bench.kinesis.find("closing").is_none()).await;
    let tags = bench.call("ListTagsForStream", json!({ "StreamName": "creating" })).await;
    assert_eq!(tags["Tags"], json!([{ "Key": "new", "Value": "yes" }]));
}

#[tokio::test]
async fn a_directory_of_the_first_format_is_upgraded_without_loss() {
    let dir = tempfile::tempdir().unwrap();
    ZipArchive::new(Cursor::new(VERSION_1)).unwrap().extract(dir.path()).unwrap();
    let marker = || std::fs::read_to_string(dir.path().join("local-aws.json")).unwrap();
    assert_eq!(marker(), r#"{"format":2}"#);
    let bench = open(dir.path()).await;
    check(&bench).await;
    bench.store.flushed().await.unwrap();
    // The version that wrote the folder names the newer format instead of failing at a document.
    assert_eq!(marker(), r#"{"format":3}"#);
    let documents: Vec<(Bytes, Value)> = bench.store.all(Keyspace::Streams).unwrap();
    assert!(documents.len() == 4 && documents.iter().all(|(_, document)| document["version"] == 2), "{documents:?}");
    assert_eq!(bench.store.all::<Value>(Keyspace::Consumers).unwrap().len(), 0);

    // The directory is read again in its new format, and numbers continue.
    let bench = durable::reopened(bench, dir.path()).await;
    check(&bench).await;
    let put = json!({ "StreamName": "orders", "PartitionKey": "a", "Data": base64("five") });
    let number = bench.call("PutRecord", put).await["SequenceNumber"].as_str().unwrap().to_owned();
    assert!(number.as_str() > "49680655747480092091596958442314928726308773345328365618", "{number}");
    assert_eq!(records(&bench, "03").last().unwrap().1, "five");
}

#[tokio::test]
async fn a_document_of_a_later_version_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    let mut batch = store.batch();
    batch.put_json(Keyspace::Streams, "s", &json!({ "version": 3 }));
    batch.commit();
    let bench = Bench::with(&Config::default(), store);
    let error = bench.kinesis.restore().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "the stream s in the data directory cannot be read: it has version 3, and this endpoint supports versions up to 2"
    );
}
