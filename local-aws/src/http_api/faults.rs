//! `/_local/faults`, and what becomes of an answer that a fault struck: `POST` sets a fault, `DELETE` ends all, `GET` shows
//! them with how often each struck.

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

/// The 500 that a fault asks for.
pub fn server_error() -> AwsError {
    AwsError::new(500, "InternalFailure", "A fault that was set with /_local/faults.")
}

/// The refusal of a caller that sends too many requests, as each service words it. (The models of Lambda and CloudWatch
/// Logs; IAM's common errors. Kinesis answers its control operations so.)
pub fn throttled(protocol: Protocol) -> AwsError {
    match protocol {
        Protocol::AwsJson | Protocol::AwsCbor => AwsError::bad_request("ThrottlingException", "Rate exceeded"),
        Protocol::RestJson => AwsError::new(429, "TooManyRequestsException", "Rate exceeded"),
        Protocol::Query(_) => AwsError::bad_request("Throttling", "Rate exceeded"),
        Protocol::S3 => AwsError::new(503, "SlowDown", "Please reduce your request rate."),
    }
}

/// A body that fails at once, upon which the connection is closed.
pub struct NoAnswer;

impl HttpBody for NoAnswer {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::Error::other("a fault that was set with /_local/faults"))))
    }
}

/// `/_local/faults`.
pub fn routes() -> axum::routing::MethodRouter<Api> {
    axum::routing::get(show).post(add).delete(clear)
}

async fn show(State(api): State<Api>) -> Json<Vec<Fault>> {
    Json(api.services.faults.list())
}

async fn add(State(api): State<Api>, body: Bytes) -> Result<(), (http::StatusCode, String)> {
    let refuse = |reason: String| (http::StatusCode::BAD_REQUEST, format!("{reason}\n"));
    let fault: Fault = serde_json::from_slice(&body).map_err(|error| refuse(error.to_string()))?;
    // One that never strikes would be taken for a client that stands everything.
    if !may_strike(&fault.operation) {
        return Err(refuse(format!("{} is no operation of Kinesis, Lambda or CloudWatch Logs", fault.operation)));
    }
    api.services.faults.set(fault).map_err(refuse)
}

/// Whether there are requests of this operation, known by their heads.
fn may_strike(operation: &str) -> bool {
    let by_head = [ServiceName::Kinesis, ServiceName::Lambda, ServiceName::Logs];
    operation == "*" || by_head.iter().any(|service| services::find(*service, operation).is_ok())
}

async fn clear(State(api): State<Api>) {
    api.services.faults.clear();
}

/// An answer that never comes.
pub fn no_answer() -> http::Response<Body> {
    http::Response::new(Body::new(NoAnswer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_of_operations_that_there_are() {
        assert!(["*", "PutRecords", "Invoke", "FilterLogEvents"].iter().all(|operation| may_strike(operation)));
        assert!(!["PutRecrods", "CreateRole", ""].iter().any(|operation| may_strike(operation)));
    }
}
