//! ParallelizationFactor, with real processes. Its rules are tested in `event_source/lanes`.

use super::*;

/// Prints the start and the end of each record's processing, which waits until the file that `GATE` names exists.
const GATED: &str = "import base64, os, time\ndef handler(event, context):\n    data = [base64.b64decode(r['kinesis']['data']).decode() for r in event['Records']]\n    print('begin', *data)\n    while not os.path.exists(os.environ['GATE']): time.sleep(0.005)\n    print('end', *data)\n";

#[tokio::test]
async fn batches_of_a_shard_run_concurrently_and_each_key_stays_in_order() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    let environment = json!({ "Variables": { "GATE": gate } });
    bench.create_python(GATED, json!({ "Environment": environment, "Timeout": 60 })).await;
    let keys: Vec<String> = (0..12).map(|key| format!("key{key}")).collect();
    for round in 0..3 {
        for key in &keys {
            bench.put(key, &format!("{key}-{round}")).await;
        }
    }
    let uuid = bench.mapped(json!({ "ParallelizationFactor": 4, "BatchSize": 1 })).await;
    assert_eq!(bench.mapping(&uuid).await["ParallelizationFactor"], 4);
    let started = || bench.printed().iter().filter(|line| line.starts_with("begin")).count();
    eventually("several batches are in progress", async || (started() >= 2).then_some(())).await;
    std::fs::write(&gate, "").unwrap();
    let ended = || bench.printed().into_iter().filter_map(|line| line.strip_prefix("end ").map(str::to_owned));
    eventually("all are processed", async || (ended().count() >= 36).then_some(())).await;
    let ended: Vec<String> = ended().collect();
    assert_eq!(ended.len(), 36, "{ended:?}");
    for key in &keys {
        let of_key: Vec<&str> = ended.iter().filter_map(|data| data.strip_prefix(&format!("{key}-"))).collect();
        assert_eq!(of_key, ["0", "1", "2"], "{key}");
    }
}

#[tokio::test]
async fn a_failing_key_blocks_its_lane_only_and_stays_before_the_checkpoint() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    let source = "import base64\ndef handler(event, context):\n    data = [base64.b64decode(r['kinesis']['data']).decode() for r in event['Records']]\n    print(*data)\n    if 'bad' in data: raise Exception('bad record')\n";
    bench.create_python(source, json!({})).await;
    bench.put("poison", "bad").await;
    bench.put("poison", "behind").await;
    for key in 0..16 {
        bench.put(&format!("key{key}"), "fine").await;
    }
    let uuid = bench.mapped(json!({ "ParallelizationFactor": 10, "BatchSize": 1 })).await;
    let seen = |wanted: &str| bench.printed().iter().filter(|line| *line == wanted).count();
    eventually("other records are delivered while it fails", async || {
        (seen("fine") > 0 && seen("bad") >= 2).then_some(())
    })
    .await;
    assert_eq!(seen("behind"), 0);
    let path = format!("/2015-03-31/event-source-mappings/{uuid}");
    for (enabled, state) in [(false, "Disabled"), (true, "Enabled")] {
        assert_eq!(bench.call("PUT", &path, json!({ "Enabled": enabled })).await.status, 202);
        bench.mapping_is(&uuid, "State", state).await;
    }
    let before = seen("bad");
    eventually("it is retried after a pause", async || (seen("bad") > before).then_some(())).await;
    assert_eq!(bench.call("PUT", &path, json!({ "MaximumRetryAttempts": 0 })).await.status, 202);
    eventually("the record behind it is delivered", async || (seen("behind") > 0).then_some(())).await;
    // At least once: records that were finished beyond the checkpoint may be delivered again.
    eventually("and all the others are", async || (seen("fine") >= 16).then_some(())).await;
}

#[tokio::test]
async fn records_that_other_lanes_finished_are_not_delivered_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path()).await;
    bench.create_stream(1).await;
    let source = "import base64\ndef handler(event, context):\n    data = [base64.b64decode(r['kinesis']['data']).decode() for r in event['Records']]\n    print(*data)\n    if 'bad' in data: raise Exception('bad record')\n";
    bench.create_python(source, json!({})).await;
    bench.put("poison", "bad").await;
    for key in 0..16 {
        bench.put(&format!("key{key}"), "fine").await;
    }
    let uuid = bench.mapped(json!({ "ParallelizationFactor": 10, "BatchSize": 1 })).await;
    let seen = |bench: &Bench, wanted: &str| bench.printed().iter().filter(|line| *line == wanted).count();
    // The lane of the poison record may have other records, which wait behind it.
    let idle = async || {
        let before = seen(&bench, "fine");
        let attempts = seen(&bench, "bad");
        eventually("the poison record is retried", async || (seen(&bench, "bad") > attempts + 2).then_some(())).await;
        (before > 0 && before == seen(&bench, "fine")).then_some(before)
    };
    let finished = eventually("all other lanes are finished", idle).await;
    let path = format!("/2015-03-31/event-source-mappings/{uuid}");
    bench.call("PUT", &path, json!({ "Enabled": false })).await;
    bench.mapping_is(&uuid, "State", "Disabled").await;
    bench.lambda.shutdown().await;
    drop(bench);

    let bench = Bench::open(dir.path()).await;
    bench.mapping_is(&uuid, "State", "Disabled").await;
    assert_eq!(bench.call("PUT", &path, json!({ "Enabled": true, "MaximumRetryAttempts": 0 })).await.status, 202);
    bench.put("key0", "last").await;
    eventually("everything is delivered", async || (seen(&bench, "last") > 0).then_some(())).await;
    eventually("the rest is delivered", async || (seen(&bench, "fine") >= 16).then_some(())).await;
    assert_eq!(seen(&bench, "fine"), 16, "{finished} were finished before the restart");
}
