//! What is told of requests: those that change something, in a line each, once they are done.

use std::collections::BTreeMap;

use http::{Request, Uri};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use serde_json::value::RawValue;

use super::operations::Operation;
use crate::kinesis::Encoding;

/// Operations worth seeing: what has happened, and the members of the request that say to what.
const WORTH_SEEING: &[(&str, &str, &[&str])] = &[
    ("CreateStream", "stream made", &["StreamName", "ShardCount"]),
    ("DeleteStream", "stream deleted", &["StreamName", "StreamARN"]),
    ("UpdateShardCount", "stream resharded", &["StreamName", "StreamARN", "TargetShardCount"]),
    ("SplitShard", "shard split", &["StreamName", "StreamARN", "ShardToSplit"]),
    ("MergeShards", "shards merged", &["StreamName", "StreamARN", "ShardToMerge", "AdjacentShardToMerge"]),
    ("RegisterStreamConsumer", "consumer registered", &["ConsumerName", "StreamARN"]),
    ("DeregisterStreamConsumer", "consumer deregistered", &["ConsumerName", "ConsumerARN"]),
    ("CreateFunction", "function made", &["FunctionName", "Runtime"]),
    ("UpdateFunctionCode", "function has new code", &["FunctionName"]),
    ("UpdateFunctionConfiguration", "function reconfigured", &["FunctionName"]),
    ("PutFunctionConcurrency", "function's concurrency set", &["FunctionName", "ReservedConcurrentExecutions"]),
    ("PublishVersion", "function version published", &["FunctionName"]),
    ("DeleteFunction", "function deleted", &["FunctionName"]),
    ("CreateEventSourceMapping", "mapping made", &["FunctionName", "EventSourceArn", "StartingPosition"]),
    ("UpdateEventSourceMapping", "mapping changed", &["UUID", "Enabled"]),
    ("DeleteEventSourceMapping", "mapping deleted", &["UUID"]),
    ("CreateLogGroup", "log group made", &["logGroupName"]),
    ("DeleteLogGroup", "log group deleted", &["logGroupName"]),
];

/// A line to be told when the request has succeeded.
#[derive(Debug, PartialEq)]
pub struct Told {
    pub what: &'static str,
    pub of: String,
}

impl Told {
    /// Reads it off the request, if it is one worth seeing.
    pub fn of(operation: Operation, request: &Request<bytes::Bytes>) -> Option<Self> {
        let (_, what, members) = WORTH_SEEING.iter().find(|(name, ..)| *name == operation.name)?;
        let in_cbor = Encoding::of(request.headers()) == Ok(Encoding::Cbor);
        let read = in_cbor.then(|| Encoding::Cbor.read_value(request.body()).unwrap_or_default().to_string());
        let body = read.as_ref().map_or(request.body().as_ref(), String::as_bytes);
        // Without a copy of the values: one of them may be a function's code.
        let body: BTreeMap<String, &RawValue> = serde_json::from_slice(body).unwrap_or_default();
        let in_body =
            members.iter().filter_map(|member| match serde_json::from_str(body.get(*member)?.get()).ok()? {
                Value::String(text) => Some(text.clone()),
                Value::Null => None,
                other => Some(other.to_string()),
            });
        let of: Vec<_> = in_path(request.uri()).into_iter().chain(in_body).collect();
        Some(Self { what, of: of.join(" ") })
    }
}

/// The function or mapping that a path of Lambda's names: `/2015-03-31/functions/NAME/code`.
fn in_path(uri: &Uri) -> Option<String> {
    let named = uri.path().split('/').nth(3).filter(|named| !named.is_empty())?;
    Some(percent_decode_str(named).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_api::operations::SERVICES;

    fn told(name: &'static str, uri: &str, body: &'static str) -> Option<String> {
        let request = Request::post(uri).body(body.into()).unwrap();
        Told::of(Operation { service: "", name }, &request).map(|told| format!("{}: {}", told.what, told.of))
    }

    #[test]
    fn changes_are_told_and_reads_are_not() {
        assert_eq!(told("CreateStream", "/", r#"{"StreamName":"s","ShardCount":2}"#).unwrap(), "stream made: s 2");
        assert_eq!(told("DeleteFunction", "/2015-03-31/functions/a%3Ab", "").unwrap(), "function deleted: a:b");
        assert_eq!(
            told("CreateFunction", "/2015-03-31/functions", r#"{"FunctionName":"f","Code":{"ZipFile":""}}"#).unwrap(),
            "function made: f"
        );
        assert_eq!(told("PutRecords", "/", r#"{"StreamName":"s"}"#), None);
    }

    #[test]
    fn what_is_said_in_cbor_is_told_too() {
        let body = Encoding::Cbor.body(&serde_json::json!({ "StreamName": "s", "ShardCount": 2 })).unwrap();
        let request = Request::post("/").header("content-type", "application/x-amz-cbor-1.1");
        let request = request.body(body.into()).unwrap();
        let told = Told::of(Operation { service: "", name: "CreateStream" }, &request).unwrap();
        assert_eq!(told.of, "s 2");
    }

    #[test]
    fn they_are_operations_that_are_answered() {
        for (name, ..) in WORTH_SEEING.iter().filter(|(name, ..)| *name != "PublishVersion") {
            assert!(SERVICES.iter().any(|service| service.operations.contains(name)), "{name}");
        }
    }
}
