//! Reads on-failure documents in the forms in which SQS, SNS and S3 destinations pass them on. Pure.
//! <https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html>

use kinesis_event_logger_core::SequenceNumber;
use serde::Deserialize;
use serde_json::{Deserializer, Value};

/// The deepest nesting of envelopes. A topic that feeds a queue that feeds a function has four.
const MAX_DEPTH: usize = 8;

/// The batch that a document is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedBatch {
    pub stream_arn: String,
    pub function_arn: String,
    pub shard_id: String,
    pub first: SequenceNumber,
    pub last: SequenceNumber,
    /// The number of records in the batch.
    pub size: u64,
    /// The batch's event, which only S3 destinations receive.
    pub payload: Option<String>,
}

impl FailedBatch {
    /// The stream's name.
    pub fn stream(&self) -> &str {
        self.stream_arn.rsplit('/').next().unwrap_or_default()
    }

    /// The function's name, without a version or alias.
    pub fn function(&self) -> &str {
        self.function_arn.split(':').nth(6).unwrap_or(&self.function_arn)
    }

    /// The batch that the document is about: stream, shard, first and last record.
    pub fn batch(&self) -> [String; 4] {
        [self.stream_arn.clone(), self.shard_id.clone(), self.first.to_string(), self.last.to_string()]
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    request_context: RequestContext,
    #[serde(rename = "KinesisBatchInfo")]
    batch: BatchInfo,
    payload: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    function_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchInfo {
    shard_id: String,
    start_sequence_number: String,
    end_sequence_number: String,
    batch_size: u64,
    stream_arn: String,
}

/// Reads all documents of an input: JSON values one after the other, or in arrays, each bare or in the envelopes of SQS, SNS
/// and the local endpoint.
///
/// # Errors
/// Returns the number of the value in the input, from 1, and why it is not a document.
pub fn parse(input: &[u8]) -> Result<Vec<FailedBatch>, String> {
    let mut batches = Vec::new();
    for (number, value) in (1..).zip(Deserializer::from_slice(input).into_iter::<Value>()) {
        let value = value.map_err(|error| format!("is not JSON: {error}"))?;
        unwrap(value, 0, &mut batches).map_err(|reason| format!("has a value, number {number}, that {reason}"))?;
    }
    Ok(batches)
}

fn unwrap(value: Value, depth: usize, batches: &mut Vec<FailedBatch>) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("is inside more than {MAX_DEPTH} envelopes"));
    }
    match value {
        Value::Array(values) => values.into_iter().try_for_each(|value| unwrap(value, depth + 1, batches)),
        Value::String(text) => {
            let value = serde_json::from_str(&text).map_err(|_| "is a text that is not JSON".to_owned())?;
            unwrap(value, depth + 1, batches)
        }
        Value::Object(members) if members.contains_key("KinesisBatchInfo") => {
            batches.push(batch(Value::Object(members))?);
            Ok(())
        }
        Value::Object(mut members) => {
            if members.contains_key("DDBStreamBatchInfo") {
                return Err("is about a DynamoDB stream, and redrive reads Kinesis streams".into());
            }
            if members.contains_key("s3") {
                return Err("is a notification about an S3 object, not the object itself".into());
            }
            // SQS: ReceiveMessage's output and a message, a function's event and its record. SNS: the message, also in a
            // function's event. The endpoint: a page of `/_local/destinations`.
            const ENVELOPES: [&str; 7] = ["Messages", "Records", "Body", "body", "Sns", "Message", "document"];
            match ENVELOPES.into_iter().find_map(|name| members.remove(name)) {
                Some(inside) => unwrap(inside, depth + 1, batches),
                None => Err("is not an on-failure document of a Kinesis stream: it has no KinesisBatchInfo".into()),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Err("is not a JSON object".into()),
    }
}

fn batch(document: Value) -> Result<FailedBatch, String> {
    let Document { request_context, batch, payload } =
        serde_json::from_value(document).map_err(|error| format!("is not a complete document: {error}"))?;
    let number = |text: &str| {
        text.parse::<SequenceNumber>().map_err(|error| format!("has the sequence number {text:?}: {error}"))
    };
    let (first, last) = (number(&batch.start_sequence_number)?, number(&batch.end_sequence_number)?);
    if first > last || batch.batch_size == 0 {
        return Err("names no record: it ends before its start, or its batchSize is 0".into());
    }
    Ok(FailedBatch {
        stream_arn: batch.stream_arn,
        function_arn: request_context.function_arn,
        shard_id: batch.shard_id,
        first,
        last,
        size: batch.batch_size,
        payload: payload.map(|payload| match payload {
            Value::String(text) => text,
            value => value.to_string(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn document(number: u64) -> Value {
        json!({
            "requestContext": {
                "requestId": "id", "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:orders-prod:live",
                "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 2,
            },
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            "version": "1.0", "timestamp": "2026-11-14T00:38:06.021Z",
            "KinesisBatchInfo": {
                "shardId": "shardId-000000000001", "startSequenceNumber": number.to_string(),
                "endSequenceNumber": (number + 5).to_string(), "approximateArrivalOfFirstRecord": "2026-11-14T00:38:04.835Z",
                "approximateArrivalOfLastRecord": "2026-11-14T00:38:05.000Z", "batchSize": 3,
                "streamArn": "arn:aws:kinesis:us-east-1:000000000000:stream/orders",
            },
        })
    }

    fn firsts(input: impl AsRef<[u8]>) -> Result<Vec<String>, String> {
        Ok(parse(input.as_ref())?.iter().map(|batch| batch.first.to_string()).collect())
    }

    #[test]
    fn a_bare_document_is_read() {
        let batches = parse(document(7).to_string().as_bytes()).unwrap();
        let [batch] = &batches[..] else { panic!("{batches:?}") };
        assert_eq!((batch.stream(), batch.function(), batch.size), ("orders", "orders-prod", 3));
        assert_eq!((batch.first.to_string(), batch.last.to_string(), &batch.payload), ("7".into(), "12".into(), &None));
    }

    #[test]
    fn documents_are_read_from_every_envelope() {
        let text = document(7).to_string();
        let topic = json!({ "Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": text });
        for wrapped in [
            json!({ "Messages": [{ "MessageId": "m", "Body": text }] }),
            json!({ "MessageId": "m", "Body": text }),
            json!({ "Records": [{ "messageId": "m", "body": text, "eventSource": "aws:sqs" }] }),
            topic.clone(),
            json!({ "Messages": [{ "Body": topic.to_string() }] }),
            json!({ "Records": [{ "EventSource": "aws:sns", "Sns": { "Type": "Notification", "Message": text } }] }),
            json!([{ "service": "sqs", "name": "q", "key": "k", "file": "f", "document": document(7) }]),
            json!(text),
        ] {
            assert_eq!(firsts(wrapped.to_string()), Ok(vec!["7".to_owned()]), "{wrapped}");
        }
    }

    #[test]
    fn documents_are_read_from_lines_arrays_and_concatenated_values() {
        let (one, two) = (document(1).to_string(), document(2).to_string());
        let expected = Ok(vec!["1".to_owned(), "2".to_owned()]);
        for input in
            [format!("{one}\n{two}\n"), format!("[{one},{two}]"), format!("{one}{two}"), format!("[{one}]\n{two}")]
        {
            assert_eq!(firsts(input), expected);
        }
        assert_eq!(firsts(""), Ok(Vec::new()));
    }

    #[test]
    fn a_payload_is_the_batchs_event() {
        let mut with_payload = document(1);
        with_payload["payload"] = json!(r#"{"Records":[]}"#);
        assert_eq!(
            parse(with_payload.to_string().as_bytes()).unwrap()[0].payload.as_deref(),
            Some(r#"{"Records":[]}"#)
        );
        with_payload["payload"] = json!({ "Records": [] });
        assert_eq!(
            parse(with_payload.to_string().as_bytes()).unwrap()[0].payload.as_deref(),
            Some(r#"{"Records":[]}"#)
        );
    }

    #[test]
    fn other_values_are_rejected_with_the_reason() {
        let mut reversed = document(9);
        reversed["KinesisBatchInfo"]["endSequenceNumber"] = json!("1");
        for (input, reason) in [
            ("{".to_owned(), "is not JSON"),
            ("7".to_owned(), "is not a JSON object"),
            (json!({ "DDBStreamBatchInfo": {} }).to_string(), "DynamoDB"),
            (json!({ "Records": [{ "s3": {} }] }).to_string(), "not the object itself"),
            (json!({ "a": 1 }).to_string(), "no KinesisBatchInfo"),
            (json!({ "Messages": [{ "Body": "hello" }] }).to_string(), "a text that is not JSON"),
            (json!({ "KinesisBatchInfo": {} }).to_string(), "not a complete document"),
            (reversed.to_string(), "names no record"),
        ] {
            let error = firsts(format!("{} {input}", document(1))).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_input_is_read_or_rejected(input in "[\\[\\]{}\":,a-zA-Z0-9 ]{0,60}") {
            let _ = firsts(input);
        }

        #[test]
        fn deep_envelopes_end(depth in 0_usize..40) {
            let mut value = document(1);
            for _ in 0..depth {
                value = json!({ "Message": value });
            }
            prop_assert_eq!(firsts(value.to_string()).is_ok(), depth <= MAX_DEPTH);
        }
    }
}
