//! Failed batches, with real processes. The rules are tested in `event_source/batch.rs`.

use super::*;

/// Prints the data of each batch, and fails if a record is `bad`.
pub const FAIL: &str = "import base64\ndef handler(event, context):\n    data = [base64.b64decode(r['kinesis']['data']).decode() for r in event['Records']]\n    print('saw', *data)\n    if 'bad' in data: raise Exception('bad record')\n";

/// Reports the failed record's sequence number.
const REPORT: &str = "import base64\ndef handler(event, context):\n    records = [(base64.b64decode(r['kinesis']['data']).decode(), r['kinesis']['sequenceNumber']) for r in event['Records']]\n    print('saw', *[data for data, number in records])\n    return {'batchItemFailures': [{'itemIdentifier': number} for data, number in records if data == 'bad']}\n";

impl Bench {
    pub fn saw(&self) -> Vec<String> {
        self.printed().iter().filter_map(|line| line.strip_prefix("saw ").map(str::to_owned)).collect()
    }

    async fn with_records(source: &str, data: &[&str]) -> Self {
        let bench = Self::new();
        bench.create_stream(1).await;
        bench.create_python(source, json!({})).await;
        for data in data {
            bench.put("k", data).await;
        }
        bench
    }
}

#[tokio::test]
async fn a_failing_batch_is_abandoned_after_its_retries() {
    let bench = Bench::with_records(FAIL, &["a", "bad"]).await;
    let uuid = bench.mapped(json!({ "MaximumRetryAttempts": 2 })).await;
    bench.mapping_is(&uuid, "LastProcessingResult", "PROBLEM: Function call failed").await;
    eventually("three attempts", async || (bench.saw().len() == 3).then_some(())).await;
    bench.put("k", "next").await;
    bench.prints("saw next").await;
    assert_eq!(bench.saw(), ["a bad", "a bad", "a bad", "next"]);
    bench.mapping_is(&uuid, "LastProcessingResult", "OK").await;
}

#[tokio::test]
async fn without_a_limit_a_batch_is_retried_until_new_code_succeeds() {
    let bench = Bench::with_records(FAIL, &["bad"]).await;
    bench.mapped(json!({ "BatchSize": 1 })).await;
    bench.put("k", "behind").await;
    eventually("several attempts", async || (bench.saw().len() >= 3).then_some(())).await;
    assert!(bench.saw().iter().all(|saw| saw == "bad"));
    let zip = base64_simd::STANDARD.encode_to_string(zip_of(&[("index.py", mappings::PRINT.as_bytes())]));
    let updated = bench.call("PUT", "/2015-03-31/functions/f/code", json!({ "ZipFile": zip })).await;
    assert_eq!(updated.status, 200);
    bench.prints("00 k bad").await;
    bench.prints("00 k behind").await;
}

#[tokio::test]
async fn attempts_survive_a_change_of_the_mapping() {
    let bench = Bench::with_records(FAIL, &["a", "bad"]).await;
    let uuid = bench.mapped(json!({})).await;
    eventually("two attempts", async || (bench.saw().len() >= 2).then_some(())).await;
    bench.put("k", "next").await;
    let path = format!("/2015-03-31/event-source-mappings/{uuid}");
    let updated = bench.call("PUT", &path, json!({ "MaximumRetryAttempts": 4 })).await;
    assert_eq!(updated.status, 202, "{updated:?}");
    bench.prints("saw next").await;
    assert_eq!(bench.saw(), ["a bad", "a bad", "a bad", "a bad", "a bad", "next"]);
}

#[tokio::test]
async fn bisecting_isolates_the_bad_record() {
    let bench = Bench::with_records(FAIL, &["a", "b", "bad", "d"]).await;
    bench.mapped(json!({ "MaximumRetryAttempts": 0, "BisectBatchOnFunctionError": true })).await;
    eventually("the last record is seen alone", async || bench.saw().contains(&"d".to_owned()).then_some(())).await;
    assert_eq!(bench.saw(), ["a b bad d", "a b", "bad d", "bad", "d"]);
}

#[tokio::test]
async fn only_reported_items_are_retried() {
    let bench = Bench::with_records(REPORT, &["a", "bad", "c"]).await;
    let types = json!({ "FunctionResponseTypes": ["ReportBatchItemFailures"], "MaximumRetryAttempts": 1 });
    bench.mapped(types).await;
    bench.put("k", "next").await;
    bench.prints("saw next").await;
    assert_eq!(bench.saw(), ["a bad c", "bad c", "bad c", "next"]);
}

#[tokio::test]
async fn reports_count_only_if_the_mapping_enables_them() {
    let bench = Bench::with_records(REPORT, &["bad"]).await;
    bench.mapped(json!({})).await;
    bench.prints("saw bad").await;
    bench.put("k", "next").await;
    bench.prints("saw next").await;
    assert_eq!(bench.saw(), ["bad", "next"]);
}

#[tokio::test]
async fn a_failing_shard_does_not_delay_another() {
    let bench = Bench::new();
    bench.create_stream(2).await;
    bench.create_python(FAIL, json!({})).await;
    bench.mapped(json!({})).await;
    bench.put("0", "bad").await;
    eventually("the shard fails", async || (bench.saw().len() >= 2).then_some(())).await;
    // Some of these keys belong to the other shard.
    for index in 0..16 {
        bench.put(&index.to_string(), "fine").await;
    }
    eventually("the other shard continues", async || bench.saw().iter().any(|saw| saw.contains("fine")).then_some(()))
        .await;
    assert!(bench.saw().iter().filter(|saw| saw.contains("bad")).all(|saw| saw == "bad"));
}

#[tokio::test]
async fn a_mapping_waits_for_a_deleted_function() {
    let bench = Bench::with_records(FAIL, &[]).await;
    let uuid = bench.mapped(json!({ "MaximumRetryAttempts": 0 })).await;
    assert_eq!(bench.call("DELETE", "/2015-03-31/functions/f", Value::Null).await.status, 204);
    bench.put("k", "waiting").await;
    bench.mapping_is(&uuid, "LastProcessingResult", "PROBLEM: Function call failed").await;
    bench.create_python(FAIL, json!({})).await;
    bench.prints("saw waiting").await;
    bench.mapping_is(&uuid, "LastProcessingResult", "OK").await;
}

#[tokio::test]
async fn a_timeout_fails_the_batch() {
    let source = "import os, time\ndef handler(event, context):\n    print('saw', len(event['Records']))\n    time.sleep(1000)\n";
    let bench = Bench::with_records(source, &["a"]).await;
    let path = "/2015-03-31/functions/f/configuration";
    bench.settled().await;
    assert_eq!(bench.call("PUT", path, json!({ "Timeout": 1 })).await.status, 200);
    let uuid = bench.mapped(json!({ "MaximumRetryAttempts": 0 })).await;
    bench.mapping_is(&uuid, "LastProcessingResult", "PROBLEM: Function call failed").await;
    assert_eq!(bench.saw(), ["1"]);
}
