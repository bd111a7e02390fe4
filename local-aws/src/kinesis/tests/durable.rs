//! Restarts with the same data directory.

use super::*;

/// Streams are persisted before their responses are sent, and so is everything before them.
pub(super) async fn reopened(bench: Bench, dir: &Path) -> Bench {
    bench.store.flushed().await.unwrap();
    // Tasks that follow a stream, and the trimming task, hold it.
    let Bench { kinesis, store } = bench;
    eventually(async || std::sync::Arc::strong_count(&kinesis.shared) == 1).await;
    drop((kinesis, store));
    Bench::open(dir).await
}

#[tokio::test]
async fn a_restart_restores_streams_and_records_and_numbers_continue() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path()).await;
    bench.create(1).await;
    bench.call("AddTagsToStream", json!({ "StreamName": "s", "Tags": { "a": "b" } })).await;
    bench.call("UpdateMaxRecordSize", json!({ "StreamARN": STREAM, "MaxRecordSizeInKiB": 2048 })).await;
    let policy = json!({ "Version": "2012-10-17", "Statement": [] }).to_string();
    bench.call("PutResourcePolicy", json!({ "ResourceARN": STREAM, "Policy": policy })).await;
    let consumer = bench.call("RegisterStreamConsumer", json!({ "StreamARN": STREAM, "ConsumerName": "c" })).await;
    let commitment = json!({ "MinimumThroughputBillingCommitment": { "Status": "ENABLED" } });
    bench.call("UpdateAccountSettings", commitment.clone()).await;
    let number = bench.put("k", "one").await["SequenceNumber"].clone();
    let split = json!({ "StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "7" });
    bench.call("SplitShard", split).await;
    bench.is_active().await;
    bench.put("k", "two").await;
    let (summary, shards) = (bench.summary().await, bench.call("ListShards", json!({ "StreamName": "s" })).await);
    let old = bench.iterator("02", "TRIM_HORIZON", json!({})).await;

    let bench = reopened(bench, dir.path()).await;
    assert_eq!(
        (bench.summary().await, bench.call("ListShards", json!({ "StreamName": "s" })).await),
        (summary, shards)
    );
    assert_eq!((bench.all("00").await, bench.all("02").await), (vec!["one".to_owned()], vec!["two".to_owned()]));
    assert_eq!(bench.data(old).await, ["two"]);
    let at = json!({ "StartingSequenceNumber": number });
    assert_eq!(bench.data(bench.iterator("00", "AT_SEQUENCE_NUMBER", at).await).await, ["one"]);
    let tags = bench.call("ListTagsForResource", json!({ "ResourceARN": STREAM })).await;
    assert_eq!(tags["Tags"], json!([{ "Key": "a", "Value": "b" }]));
    assert_eq!(bench.call("GetResourcePolicy", json!({ "ResourceARN": STREAM })).await["Policy"], policy);
    assert_eq!(bench.call("DescribeAccountSettings", json!({})).await, commitment);
    assert!(bench.kinesis.has_consumer(consumer["Consumer"]["ConsumerARN"].as_str().unwrap()).await);
    bench.put("k", "three").await;
    assert_eq!(bench.all("02").await, ["two", "three"]);

    bench.call("DeleteStream", json!({ "StreamName": "s", "EnforceConsumerDeletion": true })).await;
    eventually(async || bench.kinesis.stream(STREAM).await.is_none()).await;
    let bench = reopened(bench, dir.path()).await;
    assert!(bench.kinesis.stream(STREAM).await.is_none());
    bench.create(1).await;
    assert_eq!(bench.all("00").await, [""; 0]);
}

/// A dropped runtime leaves changes pending, as a kill does.
#[test]
fn a_pending_change_is_completed_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let realistic = Config { realistic: true, ..Config::default() };
    let changes = [
        ("CreateStream", json!({ "StreamName": "s", "ShardCount": 1 }), 1),
        ("UpdateShardCount", json!({ "StreamName": "s", "TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING" }), 3),
        ("DeleteStream", json!({ "StreamName": "s" }), 0),
    ];
    for (operation, input, shards) in changes {
        runtime().block_on(async {
            let bench = Bench::with(&realistic, Store::open(Some(dir.path())).unwrap());
            bench.kinesis.restore().await.unwrap();
            bench.call(operation, input).await;
            bench.store.flushed().await.unwrap();
            assert_ne!(bench.summary().await["StreamStatus"], "ACTIVE");
        });
        runtime().block_on(async {
            let bench = Bench::open(dir.path()).await;
            let shards_now = async || bench.kinesis.stream(STREAM).await.map_or(0, |stream| stream.shards.len());
            eventually(async || shards_now().await == shards).await;
            bench.store.flushed().await.unwrap();
        });
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
