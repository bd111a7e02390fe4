//! On-failure destinations, with real processes. The documents are as recorded from AWS.

use super::*;

const FAIL: &str = "def handler(event, context): raise Exception('always')\n";
const REPORT: &str = "def handler(event, context): return {'batchItemFailures': [{'itemIdentifier': event['Records'][-1]['kinesis']['sequenceNumber']}]}\n";

impl Bench {
    /// Maps with a destination and two attempts. Returns the mapping's UUID and the documents that were delivered for one
    /// record.
    async fn abandoned_record(&self, source: &str, destination: &str, more: Value) -> (String, Value) {
        self.create_stream(1).await;
        self.create_python(source, json!({})).await;
        self.put("k", "data").await;
        let config = json!({ "OnFailure": { "Destination": destination } });
        let mut members = json!({ "DestinationConfig": config, "MaximumRetryAttempts": 1 });
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let uuid = self.mapped(members).await;
        assert_eq!(self.mapping(&uuid).await["DestinationConfig"], config);
        let listed = eventually("a document is delivered", async || {
            let response = self.lambda.delivered().await.unwrap();
            let listed: Value = serde_json::from_slice(response.body()).unwrap();
            listed.get(0).is_some().then_some(listed)
        })
        .await;
        (uuid, listed[0].clone())
    }
}

fn check_document(document: &Value, function_error: Value) {
    let number = &document["KinesisBatchInfo"]["startSequenceNumber"];
    assert!(number.as_str().unwrap().starts_with("49"));
    let (context, info) = (&document["requestContext"], &document["KinesisBatchInfo"]);
    assert_eq!(
        *document,
        json!({
            "requestContext": {
                "requestId": context["requestId"], "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
                "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 2,
            },
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": function_error },
            "version": "1.0", "timestamp": document["timestamp"],
            "KinesisBatchInfo": {
                "shardId": "shardId-000000000000", "startSequenceNumber": number, "endSequenceNumber": number,
                "approximateArrivalOfFirstRecord": info["approximateArrivalOfFirstRecord"],
                "approximateArrivalOfLastRecord": info["approximateArrivalOfFirstRecord"],
                "batchSize": 1, "streamArn": mappings::STREAM,
            },
        })
    );
    assert_eq!(context["requestId"].as_str().unwrap().len(), 36);
    for time in [&document["timestamp"], &info["approximateArrivalOfFirstRecord"]] {
        let parsed: jiff::Timestamp = time.as_str().unwrap().parse().unwrap();
        assert!((parsed.as_second() - jiff::Timestamp::now().as_second()).abs() < 60);
    }
}

#[tokio::test]
async fn a_queue_and_a_topic_receive_the_batchs_position() {
    for (service, name) in [("sqs", "queue"), ("sns", "topic")] {
        let arn = format!("arn:aws:{service}:us-east-1:000000000000:{name}");
        let (_, delivered) = Bench::new().abandoned_record(FAIL, &arn, json!({})).await;
        assert_eq!((&delivered["service"], &delivered["name"]), (&json!(service), &json!(name)));
        check_document(&delivered["document"], json!("Unhandled"));
    }
}

#[tokio::test]
async fn reported_failures_are_not_a_function_error() {
    let types = json!({ "FunctionResponseTypes": ["ReportBatchItemFailures"] });
    let (_, delivered) = Bench::new().abandoned_record(REPORT, "arn:aws:sqs:us-east-1:000000000000:q", types).await;
    check_document(&delivered["document"], Value::Null);
}

#[tokio::test]
async fn a_bucket_receives_the_event_too() {
    let bench = Bench::new();
    let (uuid, mut delivered) = bench.abandoned_record(FAIL, "arn:aws:s3:::bucket", json!({})).await;
    let key = delivered["key"].as_str().unwrap();
    let today = jiff::Timestamp::now().strftime("%Y/").to_string();
    assert!(key.starts_with(&format!("aws/lambda/{uuid}/shardId-000000000000/{today}")), "{key}");
    assert!(delivered["file"].as_str().unwrap().ends_with(key));
    let payload = delivered["document"].as_object_mut().unwrap().remove("payload").unwrap();
    check_document(&delivered["document"], json!("Unhandled"));
    // The whole event, as a string.
    let event: Value = serde_json::from_str(payload.as_str().unwrap()).unwrap();
    assert_eq!(event["Records"][0]["kinesis"]["data"], "ZGF0YQ==");
    assert_eq!(event["Records"][0]["invokeIdentityArn"], ROLE);
}
