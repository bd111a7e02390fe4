//! `/_local/faults` (`POST` adds a fault, `DELETE` removes all, `GET` lists them), and the responses of requests that a
//! fault affects.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Json;
use axum::body::{Body, HttpBody};
use axum::extract::State;
use bytes::Bytes;
use http_body::Frame;

use super::Api;
use crate::error::{AwsError, Protocol};
use crate::faults::Fault;
use crate::operation::ServiceName;
use crate::services;

/// The response for a fault of the kind `serverError`.
pub fn server_error() -> AwsError {
    AwsError::new(500, "InternalFailure", "This error was requested with /_local/faults.")
}

/// Each service's error for too many requests: those in the models of Lambda and CloudWatch Logs, and in IAM's common
/// errors. Kinesis uses this one for control operations.
pub fn throttled(protocol: Protocol) -> AwsError {
    match protocol {
        Protocol::AwsJson | Protocol::AwsCbor => AwsError::bad_request("ThrottlingException", "Rate exceeded"),
        Protocol::RestJson => AwsError::new(429, "TooManyRequestsException", "Rate exceeded"),
        Protocol::Query(_) => AwsError::bad_request("Throttling", "Rate exceeded"),
        Protocol::S3 => AwsError::new(503, "SlowDown", "Please reduce your request rate."),
    }
}

/// A body that fails at once, so that the connection is closed.
pub struct NoAnswer;

impl HttpBody for NoAnswer {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::Error::other("this failure was requested with /_local/faults"))))
    }
}

/// The routes of `/_local/faults`.
pub fn routes() -> axum::routing::MethodRouter<Api> {
    axum::routing::get(show).post(add).delete(clear)
}

async fn show(State(api): State<Api>) -> Json<Vec<Fault>> {
    Json(api.services.faults.list())
}

async fn add(State(api): State<Api>, body: Bytes) -> Result<(), (http::StatusCode, String)> {
    let refuse = |reason: String| (http::StatusCode::BAD_REQUEST, format!("{reason}\n"));
    let fault: Fault = serde_json::from_slice(&body).map_err(|error| refuse(error.to_string()))?;
    // With a fault that never occurs, a client would seem to handle every fault.
    if !can_occur(&fault.operation) {
        return Err(refuse(format!("{} is not an operation of Kinesis, Lambda or CloudWatch Logs", fault.operation)));
    }
    api.services.faults.set(fault).map_err(refuse)
}

/// Returns whether a head can name this operation.
fn can_occur(operation: &str) -> bool {
    let by_head = [ServiceName::Kinesis, ServiceName::Lambda, ServiceName::Logs];
    operation == "*" || by_head.iter().any(|service| services::find(*service, operation).is_ok())
}

async fn clear(State(api): State<Api>) {
    api.services.faults.clear();
}

/// A response that is never sent.
pub fn no_answer() -> http::Response<Body> {
    http::Response::new(Body::new(NoAnswer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_needs_an_existing_operation() {
        assert!(["*", "PutRecords", "Invoke", "FilterLogEvents"].iter().all(|operation| can_occur(operation)));
        assert!(!["PutRecrods", "CreateRole", ""].iter().any(|operation| can_occur(operation)));
    }
}
