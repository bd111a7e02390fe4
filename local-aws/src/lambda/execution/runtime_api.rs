//! The Runtime API of one process, on a loopback listener of its own: only that process's invocations pass through it, and
//! only that process and what it started can connect.
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

/// Bytes of a function's answer: 6 MB and what Lambda grants on top (recorded 2025-11).
pub const MAX_RESPONSE_BYTES: usize = 6_291_556;

const INVOCATION_ID: HeaderName = HeaderName::from_static("lambda-runtime-invocation-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const ERROR_BODY: HeaderName = HeaderName::from_static("lambda-runtime-function-error-body");

/// An invocation as `/next` hands it out.
pub struct Delivery {
    pub request_id: String,
    pub headers: HeaderMap,
    pub payload: Bytes,
    /// Runs when the process takes the invocation, before it has it.
    pub on_taken: Box<dyn FnOnce() + Send>,
    pub answer: oneshot::Sender<Answer>,
}

/// How a function answered.
#[derive(Debug)]
pub enum Answer {
    Response(Bytes),
    /// The document of a handler's error.
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
    /// The error with which the process gave up its initialization.
    init_error: watch::Sender<Option<InitError>>,
    current: Mutex<Option<Current>>,
}

/// A runtime's own report of why it could not start.
#[derive(Debug, Clone)]
pub struct InitError {
    pub kind: String,
    pub body: Bytes,
}

/// The invocation the process has taken and not answered.
struct Current {
    request_id: String,
    invocation_id: String,
    answer: oneshot::Sender<Answer>,
}

impl RuntimeApi {
    /// Listens on a free loopback port. Connections wait until a process is admitted.
    ///
    /// # Errors
    /// No port can be had.
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
            .layer(axum::middleware::from_fn(refuse_browsers))
            .with_state(Arc::clone(&shared));
        let callers = Arc::new(Callers::new(function, log_stream));
        let listener = CallersOnly { listener, callers: Arc::clone(&callers) };
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Ok(Self { address, deliveries, shared, callers, server })
    }

    /// Lets the process that was started for this API connect, and what it starts.
    pub fn admit(&self, pid: u32) {
        self.callers.admit(pid);
    }

    /// Resolves once the process asks for an invocation; at once if it does already.
    pub async fn waiting(&self) {
        self.shared.is_waiting.subscribe().wait_for(|is_waiting| *is_waiting).await.ok();
    }

    /// Resolves when the process gives up its initialization.
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

    /// Takes back an invocation that the process has not taken. False when it has.
    pub async fn take_back(&self) -> bool {
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

    /// Answers the current invocation, if the request is for that one.
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
            None => refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
        }
    }
}

/// Bytes that are read of a request that is refused anyway.
const REFUSED_BODY_BYTES: usize = 64 * 1024;

/// No runtime sends these headers, and no page in a browser can keep them from being sent: it must not answer for a
/// function, or take its invocations.
async fn refuse_browsers(request: Request, next: Next) -> Response {
    let is_browser = ["origin", "sec-fetch-site"].iter().any(|name| request.headers().contains_key(*name));
    if !is_browser {
        return next.run(request).await;
    }
    // Refused before its body has come, the client would find its connection closed at its next request.
    to_bytes(request.into_body(), REFUSED_BODY_BYTES).await.ok();
    refused(StatusCode::FORBIDDEN, "Forbidden", "The Runtime API is not for pages in a browser")
}

/// How long an earlier `/next` may take to end. A process that has closed its connection may ask again before that is noticed.
const HANDOVER: Duration = Duration::from_millis(100);

/// What AWS's runtime interface answers to a call that does not fit the process's state.
fn out_of_turn() -> Response {
    refused(StatusCode::FORBIDDEN, "InvalidStateTransition", "State transition is not allowed")
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    let Ok(mut queue) = tokio::time::timeout(HANDOVER, shared.queue.lock()).await else { return out_of_turn() };
    if shared.current().is_some() {
        return out_of_turn();
    }
    let delivery = {
        let _waiting = Waiting::of(&shared.is_waiting);
        queue.recv().await
    };
    let Some(delivery) = delivery else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "The endpoint is stopping");
    };
    (delivery.on_taken)();
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

/// Says that the process waits, also until its connection ends while it does.
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
            // Refused before its body has come, the process would find its connection closed, and die of it.
            while let Some(Ok(_)) = body.frame().await {}
            shared.answer(&id, &parts.headers, Answer::ResponseTooLarge);
            let message = format!("Exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes).");
            refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
        }
    }
}

/// The document of an error that struck after an answer's beginning was streamed.
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

fn refused(status: StatusCode, kind: &str, message: &str) -> Response {
    document(status, &json!({ "errorMessage": message, "errorType": kind }))
}

fn document(status: StatusCode, document: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], document.to_string()).into_response()
}
