//! The document that an on-failure destination gets for abandoned records. Pure.
//! <https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html>, and recorded documents.

use jiff::Timestamp;
use serde::Serialize;

use super::batch::FailureCondition;
use super::record::Record;
use crate::kinesis::{SequenceText, ShardSequence};

/// Abandoned records, and the last invocation with them.
pub struct AbandonedBatch<'a> {
    pub request_id: &'a str,
    pub function_arn: &'a str,
    pub condition: FailureCondition,
    pub invocations: u32,
    /// Whether the invocation itself failed. If not, the function reported failed records.
    pub is_function_error: bool,
    pub executed_version: &'a str,
    pub shard_id: &'a str,
    pub sequence: ShardSequence,
    pub stream_arn: &'a str,
    pub records: &'a [Record],
    /// The event of these records. Only S3 gets it.
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
    start_sequence_number: SequenceText,
    end_sequence_number: SequenceText,
    approximate_arrival_of_first_record: String,
    approximate_arrival_of_last_record: String,
    batch_size: usize,
    stream_arn: &'a str,
}

impl AbandonedBatch<'_> {
    /// Writes the document. Returns `None` if there are no records.
    pub fn document(&self) -> Option<String> {
        let (first, last) = (self.records.first()?, self.records.last()?);
        let is_exhausted = self.condition == FailureCondition::RetryAttemptsExhausted;
        let number = |record: &Record| self.sequence.number(record.counter, record.arrival / 1000);
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
                start_sequence_number: number(first),
                end_sequence_number: number(last),
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
    Timestamp::from_millisecond(record.arrival_ms()).map(iso).unwrap_or_default()
}

fn iso(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinesis::RecordRef;

    const SEQUENCE: ShardSequence = ShardSequence { created_seconds: 1, index: 0 };

    fn record(counter: u64, arrival: u64) -> Record {
        Record::new(RecordRef { counter, arrival, partition_key: "k", data: b"" })
    }

    fn batch(records: &[Record]) -> AbandonedBatch<'_> {
        AbandonedBatch {
            request_id: "id",
            function_arn: "fn",
            condition: FailureCondition::RetryAttemptsExhausted,
            invocations: 2,
            is_function_error: true,
            executed_version: "$LATEST",
            shard_id: "shardId-000000000000",
            sequence: SEQUENCE,
            stream_arn: "arn",
            records,
            payload: None,
            now: Timestamp::from_millisecond(1_573_691_886_021).unwrap(),
        }
    }

    #[test]
    fn a_document_is_awss() {
        let records = [record(1, 1_573_691_884_835), record(9, 1_573_691_885_000)];
        let (start, end) = (SEQUENCE.number(1, 1_573_691_884), SEQUENCE.number(9, 1_573_691_885));
        let expected = r#"{"requestContext":{"requestId":"id","functionArn":"fn","condition":"RetryAttemptsExhausted","approximateInvokeCount":2},"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"version":"1.0","timestamp":"2019-11-14T00:38:06.021Z","KinesisBatchInfo":{"shardId":"shardId-000000000000","startSequenceNumber":"START","endSequenceNumber":"END","approximateArrivalOfFirstRecord":"2019-11-14T00:38:04.835Z","approximateArrivalOfLastRecord":"2019-11-14T00:38:05.000Z","batchSize":2,"streamArn":"arn"}}"#;
        let expected = expected.replace("START", start.as_str()).replace("END", end.as_str());
        assert_eq!(batch(&records).document().unwrap(), expected);
        assert_eq!(batch(&[]).document(), None);
    }

    #[test]
    fn expired_records_have_no_response_and_reported_ones_no_error() {
        let records = [record(1, 0)];
        let expired =
            AbandonedBatch { condition: FailureCondition::RecordAgeExceeded, invocations: 0, ..batch(&records) };
        let document: serde_json::Value = serde_json::from_str(&expired.document().unwrap()).unwrap();
        assert_eq!(document.get("responseContext"), None);
        assert_eq!(document["requestContext"]["approximateInvokeCount"], 1);
        let reported = AbandonedBatch { is_function_error: false, payload: Some("{}"), ..batch(&records) };
        let document: serde_json::Value = serde_json::from_str(&reported.document().unwrap()).unwrap();
        assert_eq!(document["responseContext"]["functionError"], serde_json::Value::Null);
        assert_eq!(document["payload"], "{}");
    }
}
