//! ParallelizationFactor, through real processes. Its rules are tested in `event_source/lanes`.

use super::*;

/// Prints when each record's processing begins and ends, and stays in it until the file that `GATE` names is there.
const GATED: &str = "import base64, os, time\ndef handler(event, context):\n    data = [base64.b64decode(r['kinesis']['data']).decode() for r in event['Records']]\n    print('begin', *data)\n    while not os.path.exists(os.environ['GATE']): time.sleep(0.005)\n    print('end', *data)\n";

#[tokio::test]
async fn batches_of_a_shard_run_at_once_and_a_key_stays_in_order() {
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
    let begun = || bench.printed().iter().filter(|line| line.starts_with("begin")).count();
    eventually("several batches are under way", async || (begun() >= 2).then_some(())).await;
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
