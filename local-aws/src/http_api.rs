//! HTTP: parses requests, checks whether their senders are allowed, and routes them to the services.

mod api;
mod body;
mod faults;
mod guard;
mod head;
mod server;
mod unread_body;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};

use crate::error::{AwsError, Protocol};
use crate::operation::{self, Metadata, ServiceName};
use crate::region::is_region;
use crate::services;
use crate::signature::SignatureError;
pub use api::{Access, Api};
pub use body::MAX_BYTES_IN_FLIGHT as MAX_BODY_BYTES;
use guard::Admitted;
use head::{Head, RequestedOperation, not_supported, unknown_operation};
pub use server::serve;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

pub fn router(api: Api) -> Router {
    let own_pages = Router::new()
        .route("/_local/metrics", axum::routing::get(metrics))
        .route("/_local/destinations", axum::routing::get(destinations))
        .route("/_local/faults", faults::routes())
        .route("/_local/{*page}", axum::routing::any(no_page))
        .route_layer(from_fn_with_state(api.clone(), guard::admit_to_own_pages));
    own_pages
        .route("/_local/health", axum::routing::get(health))
        .fallback(answer)
        .layer(from_fn_with_state(api.clone(), guard::refuse_browsers))
        .with_state(api)
}

/// Returns 503 once the store has stopped persisting, for example because the disk is full.
async fn health(State(api): State<Api>) -> (StatusCode, String) {
    match api.services.store.flushed().await {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

async fn no_page() -> (StatusCode, &'static str) {
    (
        StatusCode::NOT_FOUND,
        "not found; the endpoint has /_local/health, /_local/metrics, /_local/destinations and /_local/faults\n",
    )
}

async fn destinations(State(api): State<Api>) -> Response<Body> {
    let listed = api.services.default_region().lambda.delivered().await;
    listed.unwrap_or_else(|error| error.to_rest_json()).map(Body::from)
}

/// Renders the counters, and gauges that are measured on request.
async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    let resident = resident_bytes();
    let gauges = [
        ("local_aws_function_processes", "Running function processes.", api.services.function_processes() as f64),
        ("process_resident_memory_bytes", "The endpoint's own memory, without its functions'.", resident),
    ];
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], api.services.metrics.render(&gauges))
}

/// The resident memory of this process, or 0 if the system does not report it.
fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.unwrap_or(0.0) * 1024.0
}

async fn answer(State(api): State<Api>, request: Request<Body>) -> Response<Body> {
    let head = Head::parse(&request);
    let mut protocol = head.protocol;
    let target = format!("{} {}", request.method(), request.uri().path());
    let started = Instant::now();
    let mut operation = head.operation();
    let fault = api.services.faults.for_request(operation.map_or("", |operation| operation.name));
    if !fault.wait.is_zero() {
        tokio::time::sleep(fault.wait).await;
    }
    let answered = if fault.throttled {
        Err(faults::throttled(protocol))
    } else if fault.server_error {
        Err(faults::server_error())
    } else {
        dispatch(&api, head, &mut operation, &mut protocol, request).await
    };
    // Everything that a response acknowledges or shows must survive a kill of this process. After the store has failed,
    // reads still return what is in memory.
    let answered = match (api.services.store.flushed().await, answered) {
        (Err(error), Ok(_)) if operation.is_some_and(|operation| !operation.is_read_only) => Err(error.into()),
        (_, answered) => answered,
    };
    if fault.drop_answer {
        return faults::no_answer();
    }
    let mut response = answered.unwrap_or_else(|error| {
        tracing::debug!(target, code = %error.code, reason = error.message, "request rejected");
        protocol.respond(&error).map(Body::from)
    });
    let (service, name) = operation.map_or(("none", "none"), |operation| (operation.service.name(), operation.name));
    let (status, took) = (response.status().as_u16(), started.elapsed());
    api.services.metrics.request(service, name, status, took);
    tracing::debug!("{service} {name} {status} in {:.1} ms", took.as_secs_f64() * 1000.0);
    let id = HeaderValue::try_from(uuid::Uuid::new_v4().to_string()).expect("a UUID is ASCII");
    response.headers_mut().entry(REQUEST_ID).or_insert(id);
    response
}

/// Checks the sender, reads the body and calls the operation's handler. Sets `operation` once it is found, and corrects
/// `protocol`.
async fn dispatch(
    api: &Api,
    head: Head,
    operation: &mut Option<&'static Metadata>,
    protocol: &mut Protocol,
    request: Request<Body>,
) -> Result<Response<Body>, AwsError> {
    let Admitted { head, request, signed_for, session, mut room } = guard::admit(api, head, protocol, request).await?;
    let request = body::decode(request, &mut room, &guard::allowance(&api.access, head.operation())).await?;
    let (parts, body) = request.into_parts();
    let form = match head.protocol {
        Protocol::Query(_) => {
            protocol.learn_from(&body);
            read_form(&parts, &body)
        }
        _ => BTreeMap::new(),
    };
    let found = find(&head, signed_for.as_deref(), &parts, &form)?;
    *operation = Some(found);
    let region = head.claim.as_ref().map_or_else(|_| api.access.region.clone(), |claim| claim.region.clone());
    if !found.service.is_global() && !is_region(&region) {
        return Err(SignatureError::NotARegion(region).for_protocol(head.protocol));
    }
    if let Some(error) = api.services.store.failure().filter(|_| !found.is_read_only) {
        // A change that cannot be persisted is not applied in memory either.
        return Err(error.into());
    }
    let request = operation::Request {
        operation: found,
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        encoding: head.encoding,
        path: head.path,
        form,
        body,
        region,
        caller: session.map(|session| Arc::clone(&session.caller)),
    };
    let line = found.activity.map(|activity| operation::activity_line(&activity, &request));
    let answer = api.services.answer(request).await?;
    if let Some(line) = line {
        tracing::info!("{line}");
    }
    Ok(answer)
}

/// The parameters of a query request: in its query, or in the body of a POST.
fn read_form(parts: &Parts, body: &[u8]) -> BTreeMap<String, String> {
    let form = match parts.method {
        Method::GET => parts.uri.query().unwrap_or_default().as_bytes(),
        _ => body,
    };
    form_urlencoded::parse(form).into_owned().collect()
}

/// Finds the operation of a request that is signed for the service `signed_for`, or `None` if signatures are not
/// required.
///
/// # Errors
/// The request does not name a supported operation, or it is signed for a service other than the operation's.
fn find(
    head: &Head,
    signed_for: Option<&str>,
    parts: &Parts,
    form: &BTreeMap<String, String>,
) -> Result<&'static Metadata, AwsError> {
    let must_be_signed_for = |service: ServiceName| match signed_for {
        Some(signed) if signed != service.signing_name() => {
            Err(SignatureError::OtherService(service.signing_name()).for_protocol(head.protocol))
        }
        _ => Ok(()),
    };
    match &head.operation {
        RequestedOperation::InBody => {
            let action = form.get("Action").map_or("", String::as_str);
            let service = match form.get("Version").map(String::as_str) {
                Some("2010-05-08") => ServiceName::Iam,
                Some("2011-06-15") => ServiceName::Sts,
                version => return Err(unknown_action(action, signed_for, version)),
            };
            must_be_signed_for(service)?;
            services::find(service, action)
        }
        RequestedOperation::Supported(operation) if operation.route.is_none() => {
            must_be_signed_for(operation.service)?;
            Ok(operation)
        }
        RequestedOperation::Unsupported(service, error)
            if matches!(head.protocol, Protocol::AwsJson | Protocol::AwsCbor) =>
        {
            service.map_or(Ok(()), must_be_signed_for)?;
            Err(error.clone())
        }
        RequestedOperation::Supported(operation) => {
            must_be_signed_for_rest(signed_for, parts, !operation.is_listed)?;
            Ok(operation)
        }
        RequestedOperation::Unsupported(_, error) => {
            must_be_signed_for_rest(signed_for, parts, false)?;
            Err(error.clone())
        }
    }
}

/// # Errors The request is signed for a service that has no REST operations here.
fn must_be_signed_for_rest(signed_for: Option<&str>, parts: &Parts, is_download: bool) -> Result<(), AwsError> {
    match signed_for {
        None | Some("lambda") => Ok(()),
        // S3 serves the code of functions.
        Some("s3") if is_download => Ok(()),
        // AWS's message for a POST to Kinesis without an operation.
        Some("kinesis" | "logs") if parts.method == Method::POST => Err(unknown_operation("")),
        Some(other) => Err(unknown_operation(&format!("{other} {} {}", parts.method, parts.uri.path()))),
    }
}

fn unknown_action(action: &str, signed_for: Option<&str>, version: Option<&str>) -> AwsError {
    let (service, version) = (signed_for.unwrap_or("a service"), version.unwrap_or("NO_VERSION_SPECIFIED"));
    let name = format!("the action {action:?} of {service}, version {version}");
    AwsError::new(400, "InvalidAction", not_supported(&name))
}

#[cfg(fuzzing)]
pub mod fuzzing {
    use super::*;
    use crate::signature::Claim;

    /// Parses a request's head and verifies its signature. Returns whether it would be accepted.
    pub fn request(request: &Request<()>, credentials: &Credentials) -> bool {
        let Ok(claim) = Claim::of(request.headers(), request.uri()) else { return false };
        let checked = claim.check(request.headers(), credentials, jiff::Timestamp::now());
        let _ = (Head::parse(request), checked);
        claim.verify(request, String::new(), credentials).is_ok()
    }
}
