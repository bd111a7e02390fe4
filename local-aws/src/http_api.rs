//! HTTP: which service a request is for, who may send it, and errors as each protocol words them.

mod body;
mod faults;
mod guard;
pub mod operations;
mod protocol;
mod server;
mod told;
mod unread;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};

use crate::Services;
use crate::credentials::Credentials;
use crate::error::{AwsError, Protocol};
use crate::event_stream;
use crate::identity::Session;
use crate::lambda::{DOWNLOAD_CODE, Lambda};
use crate::signature::{Claim, SignatureError};
use crate::store;
pub use body::MAX_BYTES_IN_FLIGHT as MAX_BODY_BYTES;
use operations::Operation;
pub use server::{Limits, serve};
use told::Told;

const UNKNOWN_OPERATION: &str = "UnknownOperationException";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Who may use the endpoint.
#[derive(Debug, Clone)]
pub struct Access {
    pub credentials: Credentials,
    /// Whether requests of this user must be signed with them too.
    pub verify: bool,
    pub limits: Limits,
    /// The listener's address.
    pub bound: IpAddr,
    /// Whether clients may be on other machines.
    pub allow_remote: bool,
}

pub fn router(services: Services) -> Router {
    let own_pages = Router::new()
        .route("/_local/metrics", axum::routing::get(metrics))
        .route("/_local/destinations", axum::routing::get(destinations))
        .route("/_local/faults", faults::routes())
        .route("/_local/{*page}", axum::routing::any(no_page))
        .route_layer(from_fn_with_state(services.clone(), guard::admit_to_own_pages));
    own_pages
        .route("/_local/health", axum::routing::get(health))
        .fallback(answer)
        .layer(from_fn_with_state(services.clone(), guard::refuse_browsers))
        .with_state(services)
}

/// Unwell is who keeps nothing any more: of a full disk, for instance.
async fn health(State(services): State<Services>) -> (StatusCode, String) {
    match services.store.flushed().await {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

async fn no_page() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "there are /_local/health, /_local/metrics, /_local/destinations and /_local/faults\n")
}

async fn destinations(State(services): State<Services>) -> Response<Body> {
    let listed = services.lambda.delivered().await;
    listed.unwrap_or_else(|error| error.to_rest_json()).map(Body::from)
}

/// The numbers, and those that are read only when they are asked for.
async fn metrics(State(services): State<Services>) -> impl IntoResponse {
    let resident = resident_bytes();
    let gauges = [
        ("local_aws_function_processes", "Processes of functions that run.", services.lambda.processes() as f64),
        ("process_resident_memory_bytes", "The endpoint's own memory, functions' not included.", resident),
    ];
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], services.metrics.render(&gauges))
}

/// 0 where the system does not tell.
fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.unwrap_or(0.0) * 1024.0
}

async fn answer(State(services): State<Services>, request: Request<Body>) -> Response<Body> {
    let claim = Claim::of(request.headers(), request.uri());
    let protocol = Protocol::of(&request, claim.as_ref().ok());
    let target = format!("{} {}", request.method(), request.uri().path());
    let operation = Operation::named_by(&request);
    let begun = Instant::now();
    let fault = services.faults.of_request(operation.map_or("", |operation| operation.name));
    if !fault.wait.is_zero() {
        tokio::time::sleep(fault.wait).await;
    }
    let answered = if fault.throttled {
        Err(faults::throttled(protocol))
    } else if fault.server_error {
        Err(faults::server_error())
    } else if let Some(error) = services.store.failure().filter(|_| operation.is_some_and(|it| !it.only_reads())) {
        // A change that cannot be persisted is not made in memory either.
        Err(error.into())
    } else {
        dispatch(&services, protocol, operation, claim, request).await
    };
    // A kill of this process takes back neither what an answer acknowledges nor what it shows. Once the store has failed,
    // reads still show what is in memory.
    let answered = match (services.store.flushed().await, answered) {
        (Err(error), Ok(response)) if !only_reads(operation, &response) => Err(error.into()),
        (_, answered) => answered,
    };
    if fault.drop_answer {
        return faults::no_answer();
    }
    let mut response = match answered {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(target, code = %error.code, reason = error.message, "refused");
            protocol.error(&error).map(Body::from)
        }
    };
    let Operation { service, name } =
        operation.or_else(|| response.extensions().get().copied()).unwrap_or(Operation::NONE);
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    services.metrics.request(service, name, status, took);
    tracing::debug!("{service} {name} {status} in {:.1} ms", took.as_secs_f64() * 1000.0);
    let id = HeaderValue::try_from(uuid::Uuid::new_v4().to_string()).expect("a UUID is ASCII");
    response.headers_mut().entry(REQUEST_ID).or_insert(id);
    response
}

/// Whether what was answered changes nothing. A query names its operation in the body, so that only its answer knows it.
fn only_reads(operation: Option<Operation>, response: &Response<Body>) -> bool {
    let operation = operation.or_else(|| response.extensions().get().copied());
    operation.is_none_or(Operation::only_reads)
}

async fn dispatch(
    services: &Services,
    protocol: Protocol,
    operation: Option<Operation>,
    claim: Result<Claim, SignatureError>,
    request: Request<Body>,
) -> Result<Response<Body>, AwsError> {
    let guard::Admitted { request, claim, session, mut room } =
        guard::admitted(services, protocol, operation, claim, request).await?;
    let request = body::decode(request, &mut room, &guard::allowance(&services.access, operation)).await?;
    let signed_for = Signed { service: claim.map(|claim| claim.service), session, protocol };
    let told = operation.and_then(|operation| Told::of(operation, &request));
    let answer = match protocol {
        Protocol::AwsJson | Protocol::AwsCbor => aws_json(services, &signed_for, request).await,
        Protocol::Query(_) => query(services, &signed_for, &request),
        Protocol::RestJson | Protocol::S3 => rest(services, &signed_for, request).await,
    }?;
    if let Some(Told { what, of }) = told {
        tracing::info!("{what}: {of}");
    }
    Ok(answer)
}

/// The service that a request was signed for; none where signatures are not asked for.
struct Signed {
    service: Option<String>,
    /// The function's that sent the request.
    session: Option<Arc<Session>>,
    protocol: Protocol,
}

impl Signed {
    fn must_be_for(&self, service: &'static str) -> Result<(), AwsError> {
        match &self.service {
            Some(signed) if signed != service => Err(SignatureError::OtherService(service).for_protocol(self.protocol)),
            _ => Ok(()),
        }
    }
}

async fn aws_json(services: &Services, signed: &Signed, request: Request<Bytes>) -> Result<Response<Body>, AwsError> {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (service, operation) = target.split_once('.').unwrap_or((target, ""));
    match service {
        "Kinesis_20131202" => {
            signed.must_be_for("kinesis")?;
            operations::KINESIS.must_have(operation, UNKNOWN_OPERATION)?;
            let operation = operation.to_owned();
            services.kinesis.handle(&operation, request).await
        }
        "Logs_20140328" => {
            signed.must_be_for("logs")?;
            operations::LOGS.must_have(operation, UNKNOWN_OPERATION)?;
            if operation == "StartLiveTail" {
                return services.logs.start_live_tail(request.body()).map(event_stream::response);
            }
            let answer = match operation {
                // They read the disk, or millions of events.
                "GetLogEvents" | "FilterLogEvents" => {
                    let (logs, operation) = (services.logs.clone(), operation.to_owned());
                    store::beside(move || logs.call(&operation, request.body())).await?
                }
                _ => services.logs.call(operation, request.body())?,
            };
            let body = if answer.is_null() { String::new() } else { answer.to_string() };
            let mut response = Response::new(Body::from(body));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
            Ok(response)
        }
        _ => Err(unknown_operation(target)),
    }
}

fn query(services: &Services, signed: &Signed, request: &Request<Bytes>) -> Result<Response<Body>, AwsError> {
    let form = match request.method() {
        &Method::GET => request.uri().query().unwrap_or_default().as_bytes(),
        _ => request.body(),
    };
    let params: BTreeMap<String, String> = form_urlencoded::parse(form).into_owned().collect();
    let action = params.get("Action").map_or("", String::as_str);
    let (operation, answer) = match params.get("Version").map(String::as_str) {
        Some("2010-05-08") => {
            signed.must_be_for("iam")?;
            (operations::IAM.must_have(action, "InvalidAction")?, services.identity.iam(action, &params)?)
        }
        Some("2011-06-15") => {
            signed.must_be_for("sts")?;
            (
                operations::STS.must_have(action, "InvalidAction")?,
                services.identity.sts(action, &params, signed.session.as_deref())?,
            )
        }
        version => {
            let version = version.unwrap_or("NO_VERSION_SPECIFIED");
            let service = signed.service.as_deref().unwrap_or("a service");
            let name = format!("the action {action:?} of {service}, version {version}");
            return Err(AwsError::new(400, "InvalidAction", not_answered(&name)));
        }
    };
    let mut response = Response::new(Body::from(answer));
    response.extensions_mut().insert(operation);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    Ok(response)
}

async fn rest(services: &Services, signed: &Signed, request: Request<Bytes>) -> Result<Response<Body>, AwsError> {
    match signed.service.as_deref() {
        // S3 is there to download the code of functions, and a signature for it need not be of the body.
        None | Some("lambda") => {}
        Some("s3") if request.method() == Method::GET => {}
        // AWS's words for a POST to Kinesis that names no operation, and for a service that is not here.
        Some("kinesis" | "logs") if request.method() == Method::POST => return Err(unknown_operation("")),
        Some(other) => {
            return Err(unknown_operation(&format!("{other} {} {}", request.method(), request.uri().path())));
        }
    }
    let operation = Lambda::operation(request.method(), request.uri().path());
    if let Some(operation) = operation.filter(|operation| *operation != DOWNLOAD_CODE) {
        operations::LAMBDA.must_have(operation, UNKNOWN_OPERATION)?;
    }
    services.lambda.handle(request).await.map(|response| response.map(Body::from))
}

fn unknown_operation(name: &str) -> AwsError {
    AwsError::bad_request(UNKNOWN_OPERATION, not_answered(name))
}

fn not_answered(name: &str) -> String {
    let name = if name.is_empty() { "a request that names no operation" } else { name };
    format!(
        "The local endpoint does not answer {name}: it has Kinesis, Lambda, CloudWatch Logs, and a little of IAM and STS."
    )
}

#[cfg(fuzzing)]
pub mod fuzzing {
    use super::*;

    /// Everything that is made of a request before its sender is known, and its signature. Whether it would be taken.
    pub fn request(request: &Request<()>, credentials: &Credentials) -> bool {
        let Ok(claim) = Claim::of(request.headers(), request.uri()) else { return false };
        let checked = claim.check(request.headers(), credentials, jiff::Timestamp::now());
        let _ = (Operation::named_by(request), checked);
        claim.verify(request, String::new(), credentials).is_ok()
    }
}
