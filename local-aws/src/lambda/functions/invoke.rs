//! Invoke: synchronously with the log's tail, asynchronously, or as a dry run.

use bytes::Bytes;
use http::{HeaderValue, Response};
use kinesis_event_logger_core::limits::{ASYNC_INVOCATION_PAYLOAD_BYTES, INVOCATION_PAYLOAD_BYTES};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::error::AwsError;
use crate::lambda::asynchronous::{self, Event};
use crate::lambda::context::Context;
use crate::lambda::errors::invalid_content;
use crate::lambda::execution::{Call, Invoked};
use crate::lambda::function::{THROTTLED, is_throttled};
use crate::lambda::names::{LATEST, Reference};
use crate::lambda::{invocation, json_syntax, response};

/// The members of the request's head. The body is the payload.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Invoke {
    function_name: String,
    qualifier: Option<String>,
    #[serde(default)]
    invocation_type: InvocationType,
    #[serde(default)]
    log_type: LogType,
    client_context: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
enum InvocationType {
    Event,
    #[default]
    RequestResponse,
    DryRun,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
enum LogType {
    #[default]
    None,
    Tail,
}

pub async fn invoke(context: Context, input: Invoke, payload: Bytes) -> Result<Response<Bytes>, AwsError> {
    let mut reference = Reference::read(&input.function_name, input.qualifier.as_deref(), &context.config)?;
    let invoked_arn = reference.arn(&context.config);
    // Recorded: the not-found message includes the version that would have run.
    reference.qualifier.get_or_insert_with(|| LATEST.to_owned());
    let target = match input.invocation_type {
        InvocationType::RequestResponse => Some(invocation::resolve(&context, &reference).await?),
        InvocationType::Event | InvocationType::DryRun => {
            context.must_exist(&reference)?;
            None
        }
    };
    let client_context = input.client_context.as_deref().map(client_context).transpose()?;
    let payload = checked_payload(payload, input.invocation_type)?;
    let call = Call { payload, invoked_arn, client_context };
    let request_id = Uuid::new_v4().to_string();
    let mut response = match target {
        Some(target) => match target.invoke(call, request_id.clone()).await {
            Err(error) if is_throttled(&error) => throttled(&error),
            invoked => answer(&invoked?, input.log_type == LogType::Tail),
        },
        None if input.invocation_type == InvocationType::Event => {
            asynchronous::accept(&context, Event::new(reference, call, request_id.clone()));
            response::empty(202)
        }
        None => response::empty(204),
    };
    if let Ok(id) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    Ok(response)
}

fn answer(invoked: &Invoked, wants_tail: bool) -> Response<Bytes> {
    let mut response = response::response(200, invoked.payload.clone());
    let headers = response.headers_mut();
    if let Ok(version) = HeaderValue::try_from(&invoked.version) {
        headers.insert("x-amz-executed-version", version);
    }
    if invoked.is_error {
        headers.insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
    }
    if wants_tail && let Ok(tail) = base64_simd::STANDARD.encode_to_string(&invoked.log_tail).parse() {
        headers.insert("x-amz-log-result", tail);
    }
    response
}

/// The error of a throttled invocation, with the member that this error alone has.
fn throttled(error: &AwsError) -> Response<Bytes> {
    let body = json!({
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", "message": error.message,
    });
    let mut response = response::json(error.status, &body);
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(THROTTLED));
    response
}

fn checked_payload(payload: Bytes, kind: InvocationType) -> Result<Bytes, AwsError> {
    let most = if kind == InvocationType::Event { ASYNC_INVOCATION_PAYLOAD_BYTES } else { INVOCATION_PAYLOAD_BYTES };
    if payload.len() > most {
        let message = format!("Request must be smaller than {most} bytes for the InvokeFunction operation");
        return Err(AwsError::new(413, "RequestEntityTooLargeException", message));
    }
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    json_syntax::check(&payload).map_err(|mistake| {
        invalid_content(format!("Could not parse request body into json: Could not parse payload into json: {mistake}"))
    })?;
    Ok(payload)
}

/// Decodes the client context. The header is base64 of JSON; the function receives the JSON.
fn client_context(base64: &str) -> Result<String, AwsError> {
    let json = base64_simd::STANDARD.decode_to_vec(base64).ok().and_then(|json| String::from_utf8(json).ok());
    json.filter(|json| json_syntax::check(json.as_bytes()).is_ok())
        .ok_or_else(|| invalid_content("Client context must be a valid Base64-encoded JSON object."))
}
