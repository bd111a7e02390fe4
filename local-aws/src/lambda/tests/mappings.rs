//! Event source mappings: their API, and the delivery of records to the function.

use super::*;

/// Prints each record's shard, key and data, and each batch's size.
pub const PRINT: &str = "import base64\ndef handler(event, context):\n    records = event['Records']\n    print('batch', len(records))\n    for r in records:\n        print(r['eventID'][18:20], r['kinesis']['partitionKey'], base64.b64decode(r['kinesis']['data']).decode())\n";
pub const STREAM: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
const MAPPINGS: &str = "/2015-03-31/event-source-mappings";

impl Bench {
    pub async fn kinesis(&self, operation: &str, body: Value) -> Value {
        let request = Request::post("/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("Kinesis_20131202.{operation}"))
            .header("x-amz-date", "20261123T165600Z")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=local/20261123/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=0",
            )
            .body(Bytes::from(body.to_string()))
            .unwrap();
        let response = self.kinesis.handle(operation, request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert!(status.is_success(), "{operation}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap_or_default()
    }

    pub async fn create_stream(&self, shards: u32) {
        self.kinesis("CreateStream", json!({ "StreamName": "s", "ShardCount": shards })).await;
        self.stream_is_active().await;
    }

    pub async fn stream_is_active(&self) {
        eventually("the stream is active", async || {
            let summary = self.kinesis("DescribeStreamSummary", json!({ "StreamName": "s" })).await;
            (summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE").then_some(())
        })
        .await;
    }

    pub async fn put(&self, key: &str, data: &str) -> String {
        let data = base64_simd::STANDARD.encode_to_string(data);
        let put = self.kinesis("PutRecord", json!({ "StreamName": "s", "PartitionKey": key, "Data": data })).await;
        put["SequenceNumber"].as_str().unwrap().to_owned()
    }

    /// Maps the stream `s` to the function `f`.
    pub async fn map(&self, more: Value) -> ApiResponse {
        let mut members = json!({ "FunctionName": "f", "EventSourceArn": STREAM, "StartingPosition": "TRIM_HORIZON" });
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.call("POST", MAPPINGS, members).await
    }

    pub async fn mapped(&self, more: Value) -> String {
        let created = self.map(more).await;
        assert_eq!(created.status, 202, "{created:?}");
        let uuid = created.body["UUID"].as_str().unwrap().to_owned();
        let state = created.body["Enabled"].as_str().unwrap_or("Enabled").to_owned();
        self.mapping_is(&uuid, "State", &state).await;
        uuid
    }

    pub async fn mapping(&self, uuid: &str) -> Value {
        self.call("GET", &format!("{MAPPINGS}/{uuid}"), Value::Null).await.body
    }

    pub async fn mapping_is(&self, uuid: &str, member: &str, value: &str) {
        eventually(value, async || (self.mapping(uuid).await[member] == value).then_some(())).await;
    }

    /// Waits until the function has printed a line.
    pub async fn prints(&self, line: &str) {
        eventually(line, async || self.printed().iter().any(|printed| printed == line).then_some(())).await;
    }

    /// The data of the records that the function has printed.
    fn delivered(&self) -> Vec<String> {
        let data = |line: &String| line.rsplit(' ').next().unwrap().to_owned();
        self.printed().iter().filter(|line| !line.starts_with("batch")).map(data).collect()
    }
}

#[tokio::test]
async fn a_mapping_has_awss_life_cycle() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    let created = bench.map(json!({ "Tags": { "a": "1" } })).await;
    assert_eq!(created.status, 202);
    let uuid = created.body["UUID"].as_str().unwrap().to_owned();
    let arn = format!("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}");
    let mut shown = created.body.clone();
    assert!(shown.as_object_mut().unwrap().remove("LastModified").unwrap().as_f64().unwrap() > 1.7e9);
    let function_arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    assert_eq!(
        shown,
        json!({
            "BatchSize": 100, "BisectBatchOnFunctionError": false, "DestinationConfig": { "OnFailure": {} },
            "EventSourceArn": STREAM, "EventSourceMappingArn": arn, "FunctionArn": function_arn,
            "FunctionResponseTypes": [], "LastProcessingResult": "No records processed",
            "MaximumBatchingWindowInSeconds": 0, "MaximumRecordAgeInSeconds": -1, "MaximumRetryAttempts": -1,
            "ParallelizationFactor": 1, "StartingPosition": "TRIM_HORIZON", "State": "Creating",
            "StateTransitionReason": "User action", "TumblingWindowInSeconds": 0, "UUID": uuid,
        })
    );
    bench.mapping_is(&uuid, "State", "Enabled").await;
    let duplicate = bench.map(json!({})).await;
    assert_eq!((duplicate.status, duplicate.code()), (409, "ResourceConflictException"));
    assert_eq!(
        duplicate.message(),
        format!(
            "The event source arn (\" {STREAM} \") and function (\" f \") provided mapping already exists. Please update or \
             delete the existing mapping with UUID {uuid}"
        )
    );
    let tags = bench.call("GET", &format!("/2017-03-31/tags/{}", arn.replace(':', "%3A")), Value::Null).await;
    assert_eq!(tags.body, json!({ "Tags": { "a": "1" } }));
    for query in ["", "?FunctionName=f", &format!("?EventSourceArn={STREAM}")] {
        let listed = bench.call("GET", &format!("{MAPPINGS}/{query}"), Value::Null).await.body;
        assert_eq!(listed["EventSourceMappings"][0]["UUID"], uuid, "{query}");
    }
    let other = bench.call("GET", &format!("{MAPPINGS}?FunctionName=other"), Value::Null).await.body;
    assert_eq!(other, json!({ "EventSourceMappings": [] }));
    let path = format!("{MAPPINGS}/{uuid}");
    let deleted = bench.call("DELETE", &path, Value::Null).await;
    assert_eq!((deleted.status, &deleted.body["State"]), (202, &json!("Deleting")));
    let deleted = async || (bench.call("GET", &path, Value::Null).await.status == 404).then_some(());
    eventually("the mapping is deleted", deleted).await;
    let deleted = bench.call("DELETE", &path, Value::Null).await;
    assert_eq!((deleted.status, deleted.message()), (404, "The resource you requested does not exist."));
}

#[tokio::test]
async fn invalid_mappings_get_awss_messages() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    let refusal = async |more: Value| {
        let refused = bench.map(more).await;
        (refused.status, refused.code().to_owned(), refused.message().to_owned())
    };
    let invalid = |message: &str| (400, "InvalidParameterValueException".to_owned(), message.to_owned());
    let unknown = STREAM.to_owned() + "-unknown";
    let not_found = format!("Stream not found: {unknown}");
    assert_eq!(refusal(json!({ "EventSourceArn": unknown })).await, invalid(&not_found));
    assert_eq!(refusal(json!({ "FunctionName": "unknown" })).await, invalid("Function does not exist"));
    let neither = json!({ "FunctionName": "unknown", "EventSourceArn": null });
    assert_eq!(refusal(neither).await, invalid("Unrecognized event source."));
    let (_, _, message) = refusal(json!({ "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:q" })).await;
    assert_eq!(message, "The local endpoint reads event sources of Kinesis only, not of sqs.");
    let (_, code, message) = refusal(json!({ "BatchSize": 10_001 })).await;
    assert_eq!(code, "ValidationException");
    assert!(message.ends_with("Member must have value less than or equal to 10000"), "{message}");
    let (_, code, message) = refusal(json!({ "FunctionResponseTypes": ["X"] })).await;
    let expected = "1 validation error detected: Value '[X]' at 'functionResponseTypes' failed to satisfy constraint: Member \
                    must satisfy constraint: [Member must satisfy enum value set: [ReportBatchItemFailures], Member must not be null]";
    assert_eq!((&*code, &*message), ("ValidationException", expected));
    let (_, _, message) = refusal(json!({ "ScalingConfig": { "MaximumConcurrency": 2 } })).await;
    assert!(message.contains("ScalingConfig"), "{message}");
}

#[tokio::test]
async fn an_update_cannot_create_a_duplicate() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    bench.create("python3.12", "index.py", PRINT, json!({ "FunctionName": "g" })).await;
    let first = bench.mapped(json!({})).await;
    let second = bench.mapped(json!({ "FunctionName": "g" })).await;
    let path = format!("{MAPPINGS}/{second}");
    let refused = bench.call("PUT", &path, json!({ "FunctionName": "f" })).await;
    assert_eq!((refused.status, refused.code()), (409, "ResourceConflictException"));
    assert!(refused.message().ends_with(&first), "{refused:?}");
    assert_eq!(bench.call("PUT", &path, json!({ "FunctionName": "g", "BatchSize": 7 })).await.status, 202);
}

#[tokio::test]
async fn records_reach_the_function_in_order_and_in_batches() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    for index in 0..7 {
        bench.put("k", &format!("before-{index}")).await;
    }
    bench.create_python(PRINT, json!({})).await;
    let uuid = bench.mapped(json!({ "BatchSize": 3 })).await;
    bench.prints("00 k before-6").await;
    let before: Vec<String> = (0..7).map(|index| format!("before-{index}")).collect();
    assert_eq!(bench.delivered(), before);
    let batches: Vec<String> = bench.printed().into_iter().filter(|line| line.starts_with("batch")).collect();
    assert_eq!(batches, ["batch 3", "batch 3", "batch 1"]);
    bench.put("k", "after").await;
    bench.prints("00 k after").await;
    bench.mapping_is(&uuid, "LastProcessingResult", "OK").await;
}

#[tokio::test]
async fn latest_starts_where_the_mapping_was_created() {
    let bench = Bench::new();
    bench.create_stream(2).await;
    bench.create_python(PRINT, json!({})).await;
    bench.put("k", "before").await;
    let created = bench.map(json!({ "StartingPosition": "LATEST", "BatchSize": 1 })).await;
    // The record is put as soon as the mapping is created, Enabled or not.
    bench.put("k", "first").await;
    assert_eq!(created.body["State"], "Creating");
    bench.put("k", "second").await;
    eventually("both are delivered", async || (bench.delivered().len() >= 2).then_some(())).await;
    assert_eq!(bench.delivered(), ["first", "second"]);
}

#[tokio::test]
async fn at_timestamp_starts_with_the_first_record_of_that_time() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    bench.put("k", "early").await;
    let now = || jiff::Timestamp::now().as_millisecond();
    let then = now();
    eventually("the clock has moved on", async || (now() > then + 1).then_some(())).await;
    let timestamp = (then + 1) as f64 / 1000.0;
    bench.put("k", "late").await;
    let position = json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": timestamp });
    let uuid = bench.mapped(position).await;
    bench.prints("00 k late").await;
    assert_eq!(bench.delivered(), ["late"]);
    assert_eq!(bench.mapping(&uuid).await["StartingPositionTimestamp"], timestamp);
}

#[tokio::test]
async fn a_batching_window_gathers_the_records_within_it() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    bench.mapped(json!({ "MaximumBatchingWindowInSeconds": 300, "BatchSize": 3 })).await;
    for data in ["a", "b", "c", "d"] {
        bench.put("k", data).await;
    }
    bench.prints("00 k c").await;
    assert_eq!(bench.printed(), ["batch 3", "00 k a", "00 k b", "00 k c"]);

    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    bench.mapped(json!({ "MaximumBatchingWindowInSeconds": 1 })).await;
    let started = Instant::now();
    bench.put("k", "a").await;
    bench.put("k", "b").await;
    bench.prints("00 k b").await;
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(bench.printed()[0], "batch 2");
}

#[tokio::test]
async fn a_batch_ends_at_the_payload_limit() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    let data = "x".repeat(1_000_000);
    for _ in 0..6 {
        bench.put("k", &data).await;
    }
    bench
        .create_python("def handler(event, context): print('batch', len(event['Records']))\n", json!({ "Timeout": 30 }))
        .await;
    bench.mapped(json!({})).await;
    // A record has 1.33 MB as base64, so four fit into 6 MB.
    bench.prints("batch 2").await;
    assert_eq!(bench.printed(), ["batch 4", "batch 2"]);
}

#[tokio::test]
async fn children_of_a_shard_are_read_after_it_and_from_their_beginning() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    bench.mapped(json!({ "StartingPosition": "LATEST", "BatchSize": 1 })).await;
    for index in 0..20 {
        bench.put(&format!("k{index}"), &format!("parent-{index}")).await;
    }
    let split = json!({ "StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "170141183460469231731687303715884105728" });
    bench.kinesis("SplitShard", split).await;
    bench.stream_is_active().await;
    for index in 0..20 {
        bench.put(&format!("k{index}"), &format!("child-{index}")).await;
    }
    eventually("all records are delivered", async || (bench.delivered().len() >= 40).then_some(())).await;
    let delivered = bench.delivered();
    assert!(delivered[..20].iter().all(|data| data.starts_with("parent-")), "{delivered:?}");
    let mut children = delivered[20..].to_vec();
    children.sort();
    let mut expected: Vec<String> = (0..20).map(|index| format!("child-{index}")).collect();
    expected.sort();
    assert_eq!(children, expected);
}

#[tokio::test]
async fn a_disabled_mapping_pauses_and_resumes_at_its_position() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    let uuid = bench.mapped(json!({})).await;
    bench.put("k", "one").await;
    bench.prints("00 k one").await;
    let path = format!("{MAPPINGS}/{uuid}");
    let updated = bench.call("PUT", &path, json!({ "Enabled": false })).await;
    assert_eq!((updated.status, &updated.body["State"]), (202, &json!("Disabling")));
    bench.mapping_is(&uuid, "State", "Disabled").await;
    bench.put("k", "two").await;
    let updated = bench.call("PUT", &path, json!({ "BatchSize": 7 })).await;
    assert_eq!((&updated.body["State"], &updated.body["BatchSize"]), (&json!("Updating"), &json!(7)));
    bench.mapping_is(&uuid, "State", "Disabled").await;
    assert_eq!(bench.delivered(), ["one"]);
    let updated = bench.call("PUT", &path, json!({ "Enabled": true })).await;
    assert_eq!(updated.body["State"], "Enabling");
    bench.prints("00 k two").await;
    assert_eq!(bench.delivered(), ["one", "two"]);
    let refused = bench.call("PUT", &path, json!({ "ParallelizationFactor": 11 })).await;
    assert_eq!(refused.status, 400, "{refused:?}");
}

#[tokio::test]
async fn a_stream_that_is_deleted_and_created_again_is_read_from_its_beginning() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    bench.mapped(json!({})).await;
    bench.put("k", "old").await;
    bench.prints("00 k old").await;
    bench.kinesis("DeleteStream", json!({ "StreamName": "s" })).await;
    let deleted = async || bench.kinesis.stream(STREAM).await.is_none().then_some(());
    eventually("the stream is deleted", deleted).await;
    bench.create_stream(1).await;
    bench.put("k", "new").await;
    bench.prints("00 k new").await;
    assert_eq!(bench.delivered(), ["old", "new"]);
}
