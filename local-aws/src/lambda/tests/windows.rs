//! Tumbling windows, with real processes. The rules are tested in `event_source/window`.

use super::*;

/// Counts the records of a window, and prints the window's members of the event.
pub const COUNT: &str = "import base64\ndef handler(event, context):\n    state = event['state']\n    data = [base64.b64decode(r['kinesis']['data']).decode() for r in event['Records']]\n    print('final' if event['isFinalInvokeForWindow'] else 'batch', state.get('n', 0), event['isWindowTerminatedEarly'], event['shardId'], *data)\n    if 'bad' in data: return {}\n    state['n'] = state.get('n', 0) + len(data)\n    if 'large' in data: state['padding'] = 'x' * 1048576\n    return {'state': state}\n";

async fn counting(data: &[&str], more: Value) -> Bench {
    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(COUNT, json!({})).await;
    for data in data {
        bench.put("k", data).await;
    }
    bench.mapped(more).await;
    bench
}

#[tokio::test]
async fn state_passes_from_batch_to_batch_until_the_window_ends() {
    // However the records are divided among windows of one second, each one is counted once, in a final invocation.
    let bench = counting(&["a", "b", "c"], json!({ "TumblingWindowInSeconds": 1, "BatchSize": 1 })).await;
    let finals = |bench: &Bench| -> Vec<u32> {
        let printed = bench.printed();
        let count = |line: &String| line.strip_prefix("final ")?.split(' ').next()?.parse().ok();
        printed.iter().filter_map(count).collect()
    };
    eventually("three are counted", async || (finals(&bench).iter().sum::<u32>() >= 3).then_some(())).await;
    bench.put("k", "d").await;
    eventually("a fourth is counted", async || (finals(&bench).iter().sum::<u32>() >= 4).then_some(())).await;
    assert_eq!(finals(&bench).iter().sum::<u32>(), 4, "{:?}", bench.printed());
    // Within a window, each batch receives the state that the one before it returned.
    let mut expected = 0;
    for line in bench.printed() {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!((words[1], words[2], words[3]), (expected.to_string().as_str(), "False", "shardId-000000000000"));
        expected = if words[0] == "final" { 0 } else { expected + 1 };
    }
}

#[tokio::test]
async fn a_response_without_state_fails_the_batch() {
    let bench = counting(&["bad"], json!({ "TumblingWindowInSeconds": 900, "MaximumRetryAttempts": 1 })).await;
    bench.put("k", "good").await;
    bench.prints("batch 0 False shardId-000000000000 good").await;
    let bad: Vec<String> = bench.printed().into_iter().filter(|line| line.ends_with(" bad")).collect();
    assert_eq!(bad.len(), 2, "{bad:?}");
}

#[tokio::test]
async fn a_state_that_is_too_large_ends_the_window_early() {
    let bench = counting(&["large"], json!({ "TumblingWindowInSeconds": 900 })).await;
    bench.prints("final 1 True shardId-000000000000").await;
    bench.put("k", "next").await;
    bench.prints("batch 0 False shardId-000000000000 next").await;
}

#[tokio::test]
async fn the_end_of_a_shard_ends_its_window() {
    let bench = counting(&["a"], json!({ "TumblingWindowInSeconds": 900 })).await;
    bench.prints("batch 0 False shardId-000000000000 a").await;
    let split = json!({ "StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "170141183460469231731687303715884105728" });
    bench.kinesis("SplitShard", split).await;
    bench.stream_is_active().await;
    bench.put("k", "child").await;
    bench.prints("final 1 False shardId-000000000000").await;
    let child = async || {
        bench.printed().iter().any(|line| line.starts_with("batch 0 ") && line.ends_with("child")).then_some(())
    };
    eventually("the child starts with a new state", child).await;
}
