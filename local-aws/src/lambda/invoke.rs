//! Invoke: synchronously with the log's tail, asynchronously, or only to see whether it would be allowed.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use kinesis_event_logger_core::limits::{ASYNC_INVOCATION_PAYLOAD_BYTES, INVOCATION_PAYLOAD_BYTES};
use tokio::time::Instant;
use uuid::Uuid;

use super::asynchronous::Event;
use super::concurrency;
use super::execution::{Call, Invoked};
use super::functions::Functions;
use super::names::{LATEST, Reference, function_arn};
use super::validation::{Constraints, service_failure};
use super::wire::{self, Query, header_text};
use crate::error::AwsError;

impl Functions {
    pub async fn invoke_operation(
        &self,
        resource: &str,
        query: &Query,
        headers: &HeaderMap,
        payload: Bytes,
    ) -> Result<Response<Bytes>, AwsError> {
        let kind = header_text(headers, "x-amz-invocation-type").unwrap_or("RequestResponse");
        let log_type = header_text(headers, "x-amz-log-type").unwrap_or("None");
        let mut constraints = Constraints::default();
        constraints.one_of(Some(kind), "invocationType", &["Event", "RequestResponse", "DryRun"]);
        constraints.one_of(Some(log_type), "logType", &["None", "Tail"]);
        constraints.finish()?;
        let mut reference = Reference::read(resource, query.get("Qualifier"), self.config())?;
        let invoked_arn = reference.arn(self.config());
        // Recorded: who is not found is named with the version that would have run.
        reference.qualifier.get_or_insert_with(|| LATEST.to_owned());
        self.with(&reference, |_| ())?;
        let call = Call { payload: payload_of(payload, kind)?, invoked_arn, client_context: client_context(headers)? };
        let request_id = Uuid::new_v4().to_string();
        let mut response = match kind {
            "DryRun" => wire::empty(204),
            "Event" => {
                self.accept_event(Event::new(reference, call, request_id.clone()));
                wire::empty(202)
            }
            _ => match self.invoke(&reference.qualified(), call, request_id.clone()).await {
                Err(error) if concurrency::is_throttled(&error) => concurrency::throttled(&error),
                invoked => answer(&invoked?, log_type == "Tail"),
            },
        };
        if let Ok(id) = HeaderValue::try_from(request_id) {
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        Ok(response)
    }

    /// Runs a function once. The invocation goes on when the caller no longer waits for it.
    ///
    /// # Errors
    /// `ResourceNotFoundException`; `TooManyRequestsException` over the reserved concurrency.
    pub async fn invoke(&self, name: &str, call: Call, request_id: String) -> Result<Invoked, AwsError> {
        self.reload(name).await;
        let reference = Reference::read(&self.version_to_run(name)?, None, self.config())?;
        if let Some(at) = self.with(&reference, |function| function.invocable_at())? {
            // On AWS a function that is still Pending refuses; here that lasts milliseconds.
            tokio::time::sleep_until(Instant::from_std(at)).await;
        }
        let (pool, permit) = self.with(&reference, |function| (function.pool.clone(), function.concurrency.enter()))?;
        let permit = permit?;
        let invocation = tokio::spawn(async move {
            let invoked = pool.invoke(&call, &request_id).await;
            drop(permit);
            invoked
        });
        invocation.await.map_err(|error| service_failure("run the function", &error))
    }

    /// The role a function runs as.
    pub fn role(&self, name: &str) -> Result<String, AwsError> {
        let reference = Reference::read(name, None, self.config())?;
        self.with(&reference, |function| function.settings.role.clone())
    }

    pub fn arn(&self, name: &str) -> String {
        function_arn(self.config(), name)
    }
}

fn answer(invoked: &Invoked, wants_tail: bool) -> Response<Bytes> {
    let mut response = wire::answer(200, invoked.payload.clone());
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

fn payload_of(payload: Bytes, kind: &str) -> Result<Bytes, AwsError> {
    let most = if kind == "Event" { ASYNC_INVOCATION_PAYLOAD_BYTES } else { INVOCATION_PAYLOAD_BYTES };
    if payload.len() > most {
        let message = format!("Request must be smaller than {most} bytes for the InvokeFunction operation");
        return Err(AwsError::new(413, "RequestEntityTooLargeException", message));
    }
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(&payload).map_err(|error| {
        invalid_content(&format!("Could not parse request body into json: Could not parse payload into json: {error}"))
    })?;
    Ok(payload)
}

/// The header is base64 of JSON; the function gets the JSON.
fn client_context(headers: &HeaderMap) -> Result<Option<String>, AwsError> {
    let Some(base64) = header_text(headers, "x-amz-client-context") else { return Ok(None) };
    let json = base64_simd::STANDARD.decode_to_vec(base64).ok().and_then(|json| String::from_utf8(json).ok());
    match json {
        Some(json) if serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok() => Ok(Some(json)),
        _ => Err(invalid_content("Client context must be a valid Base64-encoded JSON object.")),
    }
}

fn invalid_content(message: &str) -> AwsError {
    AwsError::bad_request("InvalidRequestContentException", message)
}
