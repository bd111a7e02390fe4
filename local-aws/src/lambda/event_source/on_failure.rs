//! What an on-failure destination gets for records that were given up. Pure.
//! <https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html>, and recorded documents.

use jiff::Timestamp;
use serde::Serialize;

use super::batch::Condition;
use crate::kinesis::Record;

/// Records given up, and the last invocation that had them.
pub struct Failure<'a> {
    pub request_id: &'a str,
    pub function_arn: &'a str,
    pub condition: Condition,
    pub invocations: u32,
    /// The invocation itself failed; without it, the function reported failed records.
    pub is_function_error: bool,
    pub executed_version: &'a str,
    pub shard_id: &'a str,
    pub stream_arn: &'a str,
    pub records: &'a [Record],
    /// The event that the function had or would have got; S3 gets it too.
    pub payload: Option<&'a str>,
    pub now: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<ResponseContext<'a>>,
    version: &'static str,
    timestamp: String,
    #[serde(rename = "KinesisBatchInfo")]
    batch: BatchInfo<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: &'a str,
    function_arn: &'a str,
    condition: &'static str,
    approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext<'a> {
    status_code: u16,
    executed_version: &'a str,
    function_error: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchInfo<'a> {
    shard_id: &'a str,
    start_sequence_number: &'a str,
    end_sequence_number: &'a str,
    approximate_arrival_of_first_record: String,
    approximate_arrival_of_last_record: String,
    batch_size: usize,
    stream_arn: &'a str,
}

impl Failure<'_> {
    /// The document; none of no records.
    pub fn document(&self) -> Option<String> {
        let (first, last) = (self.records.first()?, self.records.last()?);
        let is_exhausted = self.condition == Condition::RetryAttemptsExhausted;
        let document = Document {
            request_context: RequestContext {
                request_id: self.request_id,
                function_arn: self.function_arn,
                condition: if is_exhausted { "RetryAttemptsExhausted" } else { "RecordAgeExceeded" },
                // Recorded: records that expired before any invocation count one.
                approximate_invoke_count: self.invocations.max(1),
            },
            response_context: is_exhausted.then_some(ResponseContext {
                status_code: 200,
                executed_version: self.executed_version,
                function_error: self.is_function_error.then_some("Unhandled"),
            }),
            version: "1.0",
            timestamp: iso(self.now),
            batch: BatchInfo {
                shard_id: self.shard_id,
                start_sequence_number: &first.sequence_number,
                end_sequence_number: &last.sequence_number,
                approximate_arrival_of_first_record: arrival(first),
                approximate_arrival_of_last_record: arrival(last),
                batch_size: self.records.len(),
                stream_arn: self.stream_arn,
            },
            payload: self.payload,
        };
        serde_json::to_string(&document).ok()
    }
}

fn arrival(record: &Record) -> String {
    Timestamp::from_millisecond(super::delivery::milliseconds(record.arrival)).map(iso).unwrap_or_default()
}

fn iso(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sequence_number: &str, arrival: f64) -> Record {
        Record { sequence_number: sequence_number.into(), partition_key: "k".into(), data: String::new(), arrival }
    }

    fn failure(records: &[Record]) -> Failure<'_> {
        Failure {
            request_id: "id",
            function_arn: "fn",
            condition: Condition::RetryAttemptsExhausted,
            invocations: 2,
            is_function_error: true,
            executed_version: "$LATEST",
            shard_id: "shardId-000000000000",
            stream_arn: "arn",
            records,
            payload: None,
            now: Timestamp::from_millisecond(1_573_691_886_021).unwrap(),
        }
    }

    #[test]
    fn a_document_is_awss() {
        let records = [record("1", 1_573_691_884.835), record("9", 1_573_691_885.0)];
        assert_eq!(
            failure(&records).document().unwrap(),
            r#"{"requestContext":{"requestId":"id","functionArn":"fn","condition":"RetryAttemptsExhausted","approximateInvokeCount":2},"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"version":"1.0","timestamp":"2019-11-14T00:38:06.021Z","KinesisBatchInfo":{"shardId":"shardId-000000000000","startSequenceNumber":"1","endSequenceNumber":"9","approximateArrivalOfFirstRecord":"2019-11-14T00:38:04.835Z","approximateArrivalOfLastRecord":"2019-11-14T00:38:05.000Z","batchSize":2,"streamArn":"arn"}}"#
        );
        assert_eq!(failure(&[]).document(), None);
    }

    #[test]
    fn expired_records_have_no_response_and_reported_ones_no_error() {
        let records = [record("1", 0.0)];
        let expired = Failure { condition: Condition::RecordAgeExceeded, invocations: 0, ..failure(&records) };
        let document: serde_json::Value = serde_json::from_str(&expired.document().unwrap()).unwrap();
        assert_eq!(document.get("responseContext"), None);
        assert_eq!(document["requestContext"]["approximateInvokeCount"], 1);
        let reported = Failure { is_function_error: false, payload: Some("{}"), ..failure(&records) };
        let document: serde_json::Value = serde_json::from_str(&reported.document().unwrap()).unwrap();
        assert_eq!(document["responseContext"]["functionError"], serde_json::Value::Null);
        assert_eq!(document["payload"], "{}");
    }
}
