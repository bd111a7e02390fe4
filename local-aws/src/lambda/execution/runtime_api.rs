//! The Runtime API of one process, on a loopback listener of its own. Only that process and its descendants can connect.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::callers::{Callers, CallersOnly};

/// The most bytes of a function's response: 6 MB and a small allowance (recorded 2025-11).
pub const MAX_RESPONSE_BYTES: usize = 6_291_556;

const INVOCATION_ID: HeaderName = HeaderName::from_static("lambda-runtime-invocation-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const ERROR_BODY: HeaderName = HeaderName::from_static("lambda-runtime-function-error-body");

/// An invocation for `/next`.
pub struct Delivery {
    pub request_id: String,
    pub headers: HeaderMap,
    pub payload: Bytes,
    /// Runs when the process asks for the invocation, before it receives it.
    pub on_received: Box<dyn FnOnce() + Send>,
    pub answer: oneshot::Sender<Answer>,
}

/// A function's response.
#[derive(Debug)]
pub enum Answer {
    Response(Bytes),
    /// The error document of a handler.
    Error(Bytes),
    ResponseTooLarge,
}

/// The process's side and the invoker's side of one Runtime API.
pub struct RuntimeApi {
    pub address: SocketAddr,
    deliveries: mpsc::Sender<Delivery>,
    shared: Arc<Shared>,
    callers: Arc<Callers>,
    server: JoinHandle<()>,
}

struct Shared {
    queue: tokio::sync::Mutex<mpsc::Receiver<Delivery>>,
    /// Whether the process waits for an invocation.
    is_waiting: watch::Sender<bool>,
    /// The error that ended the process's initialization.
    init_error: watch::Sender<Option<InitError>>,
    current: Mutex<Option<Current>>,
}

/// A runtime's report of a failed initialization.
#[derive(Debug, Clone)]
pub struct InitError {
    pub kind: String,
    pub body: Bytes,
}

/// The invocation that the process has received and not answered.
struct Current {
    request_id: String,
    invocation_id: String,
    answer: oneshot::Sender<Answer>,
}

impl RuntimeApi {
    /// Listens on a free loopback port. Connections wait until a process is admitted.
    ///
    /// # Errors
    /// No port is free.
    pub async fn serve(function: &str, log_stream: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (deliveries, queue) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            queue: tokio::sync::Mutex::new(queue),
            is_waiting: watch::channel(false).0,
            init_error: watch::channel(None).0,
            current: Mutex::default(),
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(axum::middleware::from_fn(reject_browsers))
            .with_state(Arc::clone(&shared));
        let callers = Arc::new(Callers::new(function, log_stream));
        let listener = CallersOnly { listener, callers: Arc::clone(&callers) };
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Ok(Self { address, deliveries, shared, callers, server })
    }

    /// Lets the process for which this API was started connect, with its descendants.
    pub fn admit(&self, pid: u32) {
        self.callers.admit(pid);
    }

    /// Resolves when the process waits for an invocation.
    pub async fn waiting(&self) {
        self.shared.is_waiting.subscribe().wait_for(|is_waiting| *is_waiting).await.ok();
    }

    /// Resolves when the process reports a failed initialization.
    pub async fn init_error(&self) -> InitError {
        let mut errors = self.shared.init_error.subscribe();
        let error = errors.wait_for(Option::is_some).await.ok().and_then(|error| (*error).clone());
        match error {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// Queues an invocation for the process's next request.
    pub async fn deliver(&self, delivery: Delivery) {
        self.deliveries.send(delivery).await.ok();
    }

    /// Withdraws an invocation. Returns `false` if the process has received it.
    pub async fn withdraw(&self) -> bool {
        self.shared.queue.lock().await.try_recv().is_ok()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the current invocation, if the request is for it.
    fn answer(&self, id: &str, headers: &HeaderMap, answer: Answer) -> Response {
        let mut current = self.current();
        let is_current = current.as_ref().is_some_and(|current| {
            let echo = headers.get(&INVOCATION_ID);
            current.request_id == id && echo.is_none_or(|echo| echo.as_bytes() == current.invocation_id.as_bytes())
        });
        match current.take_if(|_| is_current) {
            Some(current) => {
                current.answer.send(answer).ok();
                accepted()
            }
            None => rejected(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
        }
    }
}

/// The most bytes of a rejected request's body that are read.
const REJECTED_BODY_BYTES: usize = 64 * 1024;

/// Rejects pages in a browser, which must not answer for a function or receive its invocations. A browser always sends one of
/// these headers, and a runtime sends none.
async fn reject_browsers(request: Request, next: Next) -> Response {
    let is_browser = ["origin", "sec-fetch-site"].iter().any(|name| request.headers().contains_key(*name));
    if !is_browser {
        return next.run(request).await;
    }
    // If the body were not read, the client would find its connection closed at the next request.
    to_bytes(request.into_body(), REJECTED_BODY_BYTES).await.ok();
    rejected(StatusCode::FORBIDDEN, "Forbidden", "The Runtime API is not for pages in a browser")
}

/// The wait for an earlier `/next` to end. A process that has closed its connection may ask again before that is noticed.
const HANDOVER: Duration = Duration::from_millis(100);

/// The response of AWS's runtime interface to a call that does not fit the process's state.
fn invalid_transition() -> Response {
    rejected(StatusCode::FORBIDDEN, "InvalidStateTransition", "State transition is not allowed")
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    let Ok(mut queue) = tokio::time::timeout(HANDOVER, shared.queue.lock()).await else { return invalid_transition() };
    if shared.current().is_some() {
        return invalid_transition();
    }
    let delivery = {
        let _waiting = Waiting::of(&shared.is_waiting);
        queue.recv().await
    };
    let Some(delivery) = delivery else {
        return rejected(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "The endpoint is stopping");
    };
    (delivery.on_received)();
    let invocation_id = uuid::Uuid::new_v4().to_string();
    let mut response = Response::new(Body::from(delivery.payload));
    *response.headers_mut() = delivery.headers;
    response.headers_mut().insert(INVOCATION_ID, invocation_id.parse().expect("a UUID is a header value"));
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    let current = Current { request_id: delivery.request_id, invocation_id, answer: delivery.answer };
    *shared.current() = Some(current);
    response
}

/// Marks the process as waiting until this is dropped, for example because the connection ends.
struct Waiting<'a>(&'a watch::Sender<bool>);

impl<'a> Waiting<'a> {
    fn of(is_waiting: &'a watch::Sender<bool>) -> Self {
        is_waiting.send_replace(true);
        Self(is_waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

async fn response(State(shared): State<Arc<Shared>>, Path(id): Path<String>, request: Request) -> Response {
    let (parts, mut body) = request.into_parts();
    match Limited::new(&mut body, MAX_RESPONSE_BYTES).collect().await {
        Ok(body) => {
            let answer = match body.trailers().and_then(late_error) {
                Some(error) => Answer::Error(error),
                None => Answer::Response(body.to_bytes()),
            };
            shared.answer(&id, &parts.headers, answer)
        }
        Err(_) => {
            // If the body were not read, the process would find its connection closed and end.
            while let Some(Ok(_)) = body.frame().await {}
            shared.answer(&id, &parts.headers, Answer::ResponseTooLarge);
            let message = format!("Exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes).");
            rejected(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
        }
    }
}

/// The document of an error after the beginning of a streamed response.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming>
fn late_error(trailers: &HeaderMap) -> Option<Bytes> {
    let kind = trailers.get(&ERROR_TYPE)?.to_str().unwrap_or("Runtime.Unknown");
    let body = trailers.get(&ERROR_BODY).and_then(|body| base64_simd::STANDARD.decode_to_vec(body.as_bytes()).ok());
    Some(body.map_or_else(|| json!({ "errorType": kind }).to_string().into(), Bytes::from))
}

async fn error(State(shared): State<Arc<Shared>>, Path(id): Path<String>, request: Request) -> Response {
    let (_, body, headers) = error_document(request).await;
    shared.answer(&id, &headers, Answer::Error(body))
}

async fn init_error(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (kind, body, _) = error_document(request).await;
    shared.init_error.send_replace(Some(InitError { kind, body }));
    accepted()
}

async fn error_document(request: Request) -> (String, Bytes, HeaderMap) {
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(&ERROR_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("Runtime.Unknown");
    let body = to_bytes(body, MAX_RESPONSE_BYTES).await.unwrap_or_default();
    (kind.to_owned(), body, parts.headers)
}

fn accepted() -> Response {
    document(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

fn rejected(status: StatusCode, kind: &str, message: &str) -> Response {
    document(status, &json!({ "errorMessage": message, "errorType": kind }))
}

fn document(status: StatusCode, document: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], document.to_string()).into_response()
}
