//! The document that a destination receives about an event.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::event::Event;
use crate::lambda::execution::Invoked;

/// The end of an event.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    version: &'static str,
    timestamp: String,
    request_context: RequestContext<'a>,
    request_payload: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<ResponseContext<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_payload: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: &'a str,
    function_arn: &'a str,
    condition: Condition,
    approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext<'a> {
    status_code: u16,
    executed_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_error: Option<&'static str>,
}

/// Writes the document about an event, and about its last invocation if there was one.
pub fn document(event: &Event, function_arn: &str, condition: Condition, last: Option<&Invoked>) -> String {
    let document = Document {
        version: "1.0",
        timestamp: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        request_context: RequestContext {
            request_id: &event.request_id,
            function_arn,
            condition,
            approximate_invoke_count: event.invocations,
        },
        request_payload: raw(&event.call.payload),
        response_context: last.map(|last| ResponseContext {
            status_code: 200,
            executed_version: &last.version,
            function_error: last.is_error.then_some("Unhandled"),
        }),
        response_payload: last.and_then(|last| raw(&last.payload)),
    };
    serde_json::to_string(&document).unwrap_or_default()
}

/// The JSON text as it was written; `None` if it is not JSON.
fn raw(json: &Bytes) -> Option<&RawValue> {
    serde_json::from_slice(json).ok()
}
