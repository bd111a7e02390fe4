//! Sends requests to one service without HTTP, for the tests of services.

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::Method;
use http::{HeaderValue, Request as HttpRequest, Response, header};
use serde_json::{Value, json};

use super::declaration::Answer;
use super::*;
use crate::encoding::Encoding;
use crate::error::AwsError;

/// Answers a request for an operation by its name.
pub async fn call<S: Service>(service: &S, name: &str, request: HttpRequest<Bytes>) -> Answer {
    let operation = find::<S>(name)?;
    answer(service, Request::new(&operation.metadata, request)).await
}

/// Answers a request for the operation at its path.
pub async fn call_rest<S: Service>(
    service: &S,
    request: HttpRequest<Bytes>,
    not_supported: fn(&Method, &str) -> AwsError,
) -> Result<Response<Bytes>, AwsError> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let is_here = |operation: &&'static Operation<S>| {
        operation.metadata.route.as_ref().is_some_and(|route| route.members(&method, &path).is_some())
    };
    let Some(operation) = S::operations().iter().find(is_here) else {
        return Err(not_supported(&method, &path));
    };
    let (parts, body) = answer(service, Request::new(&operation.metadata, request)).await?.into_parts();
    Ok(Response::from_parts(parts, to_bytes(body, usize::MAX).await.expect("the body is in memory")))
}

/// Answers a JSON request on this thread.
pub fn call_json<S: Service>(service: &S, name: &str, body: &[u8]) -> Result<Value, AwsError> {
    let operation = find::<S>(name)?;
    let mut request = HttpRequest::post("/").body(Bytes::copy_from_slice(body)).expect("a path is a URI");
    let content_type = HeaderValue::from_static("application/x-amz-json-1.1");
    request.headers_mut().insert(header::CONTENT_TYPE, content_type);
    let answer = answer_now(service, &Request::new(&operation.metadata, request))?;
    Ok(serde_json::from_slice(&read(answer)).expect("the answer is JSON"))
}

/// Answers an action of the query protocol on this thread.
pub fn call_query<S: Service>(
    service: &S,
    action: &str,
    form: &BTreeMap<String, String>,
    caller: Option<std::sync::Arc<Caller>>,
) -> Result<String, AwsError> {
    let operation = find::<S>(action)?;
    let request = HttpRequest::post("/").body(Bytes::new()).expect("a path is a URI");
    let request = Request { form: form.clone(), caller, ..Request::new(&operation.metadata, request) };
    Ok(String::from_utf8(read(answer_now(service, &request)?).into()).expect("XML is UTF-8"))
}

/// The body of an answer that is in memory.
fn read(answer: Response<Body>) -> Bytes {
    let mut body = std::pin::pin!(to_bytes(answer.into_body(), usize::MAX));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match body.as_mut().poll(&mut context) {
        std::task::Poll::Ready(bytes) => bytes.expect("the body is in memory"),
        std::task::Poll::Pending => panic!("the body is not in memory"),
    }
}

#[derive(Clone)]
struct Echo;

impl Service for Echo {
    const NAME: ServiceName = ServiceName::Logs;

    fn operations() -> &'static [Operation<Self>] {
        static OPERATIONS: std::sync::LazyLock<Vec<Operation<Echo>>> = std::sync::LazyLock::new(|| {
            vec![
                Operation::json("CreateLogGroup", |_: &Echo, input: Value| Ok(json!({ "read": input })))
                    .logs("log group created", &["logGroupName", "count"]),
                Operation::json("GetLogEvents", |_: &Echo, _: Value| {
                    Ok(std::thread::current().name().map(str::to_owned))
                })
                .blocking(),
                Operation::json_async("Wait", |_: Echo, input: Value| async move { Ok(input) }),
            ]
        });
        &OPERATIONS
    }
}

impl JsonService for Echo {
    fn encoding(request: &Request) -> Result<Encoding, AwsError> {
        request.encoding.clone()
    }

    fn read<I: serde::de::DeserializeOwned>(_: &str, encoding: Encoding, body: &[u8]) -> Result<I, AwsError> {
        serde_json::from_value(encoding.read_value(body)?).map_err(|_| AwsError::serialization(""))
    }
}

fn request(encoding: Encoding, body: &Value) -> HttpRequest<Bytes> {
    let request = HttpRequest::post("/").header(header::CONTENT_TYPE, encoding.content_type());
    request.body(encoding.body(body).unwrap().into()).unwrap()
}

#[tokio::test]
async fn an_operation_reads_and_answers_in_the_encoding_of_the_request() {
    for encoding in [Encoding::Json, Encoding::Cbor] {
        for (name, expected) in [("CreateLogGroup", json!({ "read": { "a": 1 } })), ("Wait", json!({ "a": 1 }))] {
            let answer = call(&Echo, name, request(encoding, &json!({ "a": 1 }))).await.unwrap();
            let content_type = answer.headers()[header::CONTENT_TYPE].clone();
            let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            assert_eq!(
                (content_type.as_bytes(), encoding.read_value(&body).unwrap()),
                (encoding.content_type().as_bytes(), expected)
            );
        }
    }
}

#[tokio::test]
async fn a_blocking_operation_runs_on_another_thread() {
    let here = std::thread::current().name().map(str::to_owned);
    let answer = call(&Echo, "GetLogEvents", request(Encoding::Json, &json!({}))).await.unwrap();
    let there: Option<String> = serde_json::from_slice(&to_bytes(answer.into_body(), 1000).await.unwrap()).unwrap();
    assert_ne!(there, here);
}

#[tokio::test]
async fn an_operation_that_is_not_declared_is_unknown() {
    let error = call(&Echo, "PutMetricFilter", request(Encoding::Json, &json!({}))).await.unwrap_err();
    let expected = "The local endpoint does not support the CloudWatch Logs operation PutMetricFilter.";
    assert_eq!((&*error.code, &*error.message), (UNKNOWN_OPERATION, expected));
}

#[test]
fn a_line_of_the_activity_log_names_what_changed_in_either_encoding() {
    let operation = &find::<Echo>("CreateLogGroup").unwrap().metadata;
    let activity = operation.activity.unwrap();
    for encoding in [Encoding::Json, Encoding::Cbor] {
        let body = json!({ "logGroupName": "g", "count": 2, "other": { "ZipFile": "" } });
        let request = Request::new(operation, request(encoding, &body));
        assert_eq!(activity_line(&activity, &request), "log group created: g 2");
        let of_function = Request { path: vec!["f:1".to_owned()], ..request };
        assert_eq!(activity_line(&activity, &of_function), "log group created: f:1 g 2");
    }
    assert!(find::<Echo>("GetLogEvents").unwrap().metadata.activity.is_none());
}
