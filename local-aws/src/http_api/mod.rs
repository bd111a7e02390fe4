//! HTTP: which service a request is for, who may send it, and errors as each protocol words them.

mod error;
mod faults;
mod guard;

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, header};

use crate::Services;
pub use error::AwsError;
pub use faults::{Faults, Refusal};
use guard::Scope;

/// The largest body taken: a 50 MiB zip as base64 inside JSON, with room to spare.
pub const MAX_BODY_BYTES: usize = 80 * 1024 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The wire protocols, each with its own form of an error.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Protocol {
    AwsJson,
    RestJson,
    Query,
}

impl Protocol {
    /// Every awsJson request names its operation in `x-amz-target`, every query request is a form.
    fn of(request: &Request<Body>) -> Self {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if request.headers().contains_key("x-amz-target") {
            Self::AwsJson
        } else if content_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded")) {
            Self::Query
        } else {
            Self::RestJson
        }
    }

    fn error(self, error: &AwsError) -> Response<Bytes> {
        match self {
            Self::AwsJson => error.to_aws_json(),
            Self::RestJson => error.to_rest_json(),
            Self::Query => error.to_query_xml(),
        }
    }
}

pub fn router(services: Services) -> Router {
    Router::new()
        .route("/_local/health", axum::routing::get(async || "ok\n"))
        .route("/_local/destinations", axum::routing::get(destinations))
        .route("/_local/faults", faults::routes())
        .fallback(answer)
        .layer(axum::middleware::from_fn(guard::refuse_browsers))
        .with_state(services)
}

async fn destinations(State(services): State<Services>) -> Response<Body> {
    let listed = services.lambda.delivered().await;
    listed.unwrap_or_else(|error| error.to_rest_json()).map(Body::from)
}

async fn answer(State(services): State<Services>, request: Request<Body>) -> Response<Body> {
    let protocol = Protocol::of(&request);
    let target = format!("{} {}", request.method(), request.uri().path());
    let operation = operation(&request).to_owned();
    let fault = services.faults.of_request(&operation);
    if !fault.wait.is_zero() {
        tokio::time::sleep(fault.wait).await;
    }
    let answered =
        if fault.server_error { Err(faults::server_error()) } else { dispatch(&services, protocol, request).await };
    // What is answered, and what is read, is what a kill of this process cannot take back.
    let answered = match services.store.flushed().await {
        Ok(()) => answered,
        Err(error) => Err(error.into()),
    };
    if fault.drop_answer {
        return faults::no_answer();
    }
    let mut response = match answered {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(target, code = %error.code, message = error.message, "refused");
            protocol.error(&error).map(Body::from)
        }
    };
    let id = HeaderValue::try_from(uuid::Uuid::new_v4().to_string()).expect("a UUID is ASCII");
    response.headers_mut().entry(REQUEST_ID).or_insert(id);
    response
}

/// The operation that an awsJson request names.
fn operation(request: &Request<Body>) -> &str {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    target.split_once('.').map_or("", |(_, operation)| operation)
}

async fn dispatch(services: &Services, protocol: Protocol, request: Request<Body>) -> Result<Response<Body>, AwsError> {
    // Before the body is read: an unsigned request costs nothing but its headers.
    let scope = guard::signed_scope(request.headers(), request.uri())?;
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await.map_err(|error| {
        AwsError::new(413, "RequestEntityTooLargeException", format!("The request's body could not be read: {error}"))
    })?;
    let request = Request::from_parts(parts, body);
    match protocol {
        Protocol::AwsJson => aws_json(services, request).await,
        Protocol::Query => query(services, &scope, request.body()),
        Protocol::RestJson => rest_json(services, &scope, request).await,
    }
}

async fn aws_json(services: &Services, request: Request<Bytes>) -> Result<Response<Body>, AwsError> {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (service, operation) = target.split_once('.').unwrap_or((target, ""));
    match service {
        "Kinesis_20131202" => {
            let operation = operation.to_owned();
            services.kinesis.handle(&operation, request).await
        }
        "Logs_20140328" => {
            let answer = services.logs.call(operation, request.body())?;
            let body = if answer.is_null() { String::new() } else { answer.to_string() };
            let mut response = Response::new(Body::from(body));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
            Ok(response)
        }
        _ => Err(unknown_operation(target)),
    }
}

fn query(services: &Services, scope: &Scope, body: &[u8]) -> Result<Response<Body>, AwsError> {
    let params: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
    let action = params.get("Action").map_or("", String::as_str);
    let answer = match scope.service.as_str() {
        "iam" => services.identity.iam(action, &params),
        "sts" => services.identity.sts(action, &params),
        other => Err(AwsError::new(400, "InvalidAction", not_answered(&format!("{other}:{action}")))),
    }?;
    let mut response = Response::new(Body::from(answer));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    Ok(response)
}

async fn rest_json(services: &Services, scope: &Scope, request: Request<Bytes>) -> Result<Response<Body>, AwsError> {
    match scope.service.as_str() {
        "lambda" => services.lambda.handle(request).await.map(|response| response.map(Body::from)),
        // AWS's words for a POST to Kinesis that names no operation, and for a service that is not here.
        "kinesis" | "logs" if request.method() == Method::POST => Err(unknown_operation("")),
        other => Err(unknown_operation(&format!("{other} {} {}", request.method(), request.uri().path()))),
    }
}

fn unknown_operation(name: &str) -> AwsError {
    AwsError::bad_request("UnknownOperationException", not_answered(name))
}

fn not_answered(name: &str) -> String {
    let name = if name.is_empty() { "a request that names no operation" } else { name };
    format!(
        "The local endpoint does not answer {name}: it has Kinesis, Lambda, CloudWatch Logs, and a little of IAM and STS."
    )
}
