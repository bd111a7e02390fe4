//! Enhanced fan-out consumers as event sources, through real processes.

use super::mappings::{PRINT, STREAM};
use super::*;

/// The records `hello` of `pk-a` and `world` of `pk-b`, aggregated by Amazon's library.
const AGGREGATE: &str = "84mawgoEcGstYQoEcGstYhoJCAAaBWhlbGxvGgkIARoFd29ybGRkyOI49Vm4v3rGmD9fHJq1";

impl Bench {
    async fn consumer(&self) -> String {
        let name = json!({ "StreamARN": STREAM, "ConsumerName": "c" });
        let registered = self.kinesis("RegisterStreamConsumer", name).await;
        registered["Consumer"]["ConsumerARN"].as_str().unwrap().to_owned()
    }

    async fn put_aggregate(&self) {
        self.kinesis("PutRecord", json!({ "StreamName": "s", "PartitionKey": "a", "Data": AGGREGATE })).await;
    }
}

#[tokio::test]
async fn a_consumers_aggregates_are_unpacked_and_their_records_filtered() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    let arn = bench.consumer().await;
    let filter = json!({ "Filters": [{ "Pattern": r#"{"partitionKey":["pk-b","k"]}"# }] });
    let uuid = bench.mapped(json!({ "EventSourceArn": arn, "FilterCriteria": filter })).await;
    assert_eq!(bench.mapping(&uuid).await["EventSourceArn"], arn);
    bench.put_aggregate().await;
    bench.prints("00 pk-b world").await;
    bench.put("k", "plain").await;
    bench.prints("00 k plain").await;
    assert_eq!(bench.printed(), ["batch 1", "00 pk-b world", "batch 1", "00 k plain"]);
}

#[tokio::test]
async fn one_reported_record_redelivers_its_whole_aggregate() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    let source = "import base64\ndef handler(event, context):\n    records = [(base64.b64decode(r['kinesis']['data']).decode(), r['kinesis']['sequenceNumber']) for r in event['Records']]\n    print(event['Records'][0]['eventSourceARN'].split(':')[5], *[data for data, number in records])\n    return {'batchItemFailures': [{'itemIdentifier': number} for data, number in records if data == 'world']}\n";
    bench.create_python(source, json!({})).await;
    let arn = bench.consumer().await;
    bench.put("k", "before").await;
    bench.put_aggregate().await;
    let types = json!({ "EventSourceArn": arn, "FunctionResponseTypes": ["ReportBatchItemFailures"], "MaximumRetryAttempts": 0 });
    bench.mapped(types).await;
    bench.prints("stream/s/consumer/c hello world").await;
    assert_eq!(bench.printed(), ["stream/s/consumer/c before hello world", "stream/s/consumer/c hello world"]);
}

#[tokio::test]
async fn without_a_consumer_the_function_receives_the_aggregate() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    let source = "def handler(event, context): print(*[r['kinesis']['data'] for r in event['Records']])\n";
    bench.create_python(source, json!({})).await;
    bench.put_aggregate().await;
    bench.mapped(json!({})).await;
    bench.prints(AGGREGATE).await;
}

#[tokio::test]
async fn an_unknown_consumer_is_rejected() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    let refused = bench.map(json!({ "EventSourceArn": format!("{STREAM}/consumer/none:1") })).await;
    assert_eq!((refused.status, refused.code()), (400, "InvalidParameterValueException"));
}
