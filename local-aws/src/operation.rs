//! The declaration of an operation: the one place that names it.
//!
//! A service is a cheap handle ([`Service`]) with one array of [`Operation`]s. The array yields dispatch, the error for an
//! unknown operation, body limits, metric labels, lines of the activity log, and the table in docs/operations.md. Nothing else
//! lists operations.
//!
//! An operation is a function over the service and its typed input. A constructor per protocol reads the input and writes the
//! answer:
//!
//! | constructor | protocol | handler |
//! |---|---|---|
//! | [`Operation::json`], [`Operation::json_async`] | JSON 1.1, CBOR | `fn(&S, Input) -> Result<Output, AwsError>`, `async fn(S, Input)` |
//! | [`Operation::query`] | query (IAM, STS) | `fn(&S, Input) -> Result<Xml or (), AwsError>` |
//! | [`Operation::rest`], [`Operation::rest_async`] | REST-JSON | as `new`, with a route: `GET /path/{Member}` |
//! | [`Operation::new`], [`Operation::new_async`] | any | `fn(&S, &Request)`, `async fn(S, Request)`, which return a response |
//!
//! ```ignore
//! // logs/retention.rs: the operation's file
//! #[derive(Deserialize)]
//! #[serde(rename_all = "camelCase")]
//! pub(super) struct PutRetentionPolicy {
//!     log_group_name: String,
//!     retention_in_days: u32,
//! }
//!
//! pub(super) fn put_retention_policy(logs: &Logs, input: PutRetentionPolicy) -> Result<(), AwsError> { … }
//!
//! // logs.rs: its line in the service's array
//! impl Service for Logs {
//!     const NAME: ServiceName = ServiceName::Logs;
//!
//!     fn operations() -> &'static [Operation<Self>] {
//!         static OPERATIONS: LazyLock<Vec<Operation<Logs>>> = LazyLock::new(|| {
//!             vec![
//!                 Operation::json("CreateLogGroup", create_log_group).logs("log group created", &["logGroupName"]),
//!                 Operation::json("GetLogEvents", get_log_events).read_only().blocking(),
//!                 Operation::json("PutLogEvents", put_log_events).body_limit(8 * MIB),
//!                 Operation::json("PutRetentionPolicy", put_retention_policy),
//!             ]
//!         });
//!         &OPERATIONS
//!     }
//! }
//! ```

mod activity;
mod json;
mod query;
mod request;
mod route;
#[cfg(test)]
pub mod tests;
mod xml;

use std::pin::Pin;

use axum::body::Body;
use http::Response;

use crate::error::AwsError;
use crate::store;
pub use activity::Activity;
pub use json::JsonService;
pub use query::QueryService;
pub use request::{Caller, Request};
pub use route::Route;
pub use xml::Xml;

pub const MIB: usize = 1024 * 1024;

/// The error code for an unsupported operation, except in the query protocol.
pub const UNKNOWN_OPERATION: &str = "UnknownOperationException";

/// A service of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceName {
    Kinesis,
    Lambda,
    Logs,
    Iam,
    Sts,
}

impl ServiceName {
    /// The name in documentation, messages and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kinesis => "Kinesis",
            Self::Lambda => "Lambda",
            Self::Logs => "CloudWatch Logs",
            Self::Iam => "IAM",
            Self::Sts => "STS",
        }
    }

    /// The name in a signature's scope.
    pub const fn signing_name(self) -> &'static str {
        match self {
            Self::Kinesis => "kinesis",
            Self::Lambda => "lambda",
            Self::Logs => "logs",
            Self::Iam => "iam",
            Self::Sts => "sts",
        }
    }

    /// Whether the service's state is the same in every region.
    pub const fn is_global(self) -> bool {
        matches!(self, Self::Iam | Self::Sts)
    }

    /// The error for an operation that the endpoint does not support.
    pub fn unknown_operation(self, operation: &str) -> AwsError {
        let operation = match operation {
            "" => "a request without an operation".to_owned(),
            operation => format!("the {} operation {operation}", self.name()),
        };
        let code = if self.is_global() { "InvalidAction" } else { UNKNOWN_OPERATION };
        AwsError::bad_request(code, format!("The local endpoint does not support {operation}."))
    }
}

/// A handle on a service's state. Clones share the state.
pub trait Service: Clone + Send + Sync + 'static {
    const NAME: ServiceName;

    fn operations() -> &'static [Operation<Self>];
}

/// The part of a declaration that does not depend on the service's type.
#[derive(Debug, Clone)]
pub struct Metadata {
    pub service: ServiceName,
    pub name: &'static str,
    /// The method and path of a REST operation. Operations of other protocols are named in the request.
    pub route: Option<Route>,
    /// The largest body, in bytes: the operation's limits with base64, escapes and JSON around them.
    pub body_limit: usize,
    /// Whether the handler reads the disk or computes for long, so that it must run on a blocking thread.
    pub is_blocking: bool,
    /// Whether the operation changes nothing.
    pub is_read_only: bool,
    /// Whether the operation is in the service's API.
    pub is_listed: bool,
    pub activity: Option<Activity>,
}

/// One operation of a service.
pub struct Operation<S> {
    pub metadata: Metadata,
    handler: Handler<S>,
}

type Answer = Result<Response<Body>, AwsError>;
type AnswerFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

type SyncHandler<S> = dyn Fn(&S, &Request) -> Answer + Send + Sync;
type AsyncHandler<S> = dyn Fn(S, Request) -> AnswerFuture + Send + Sync;

enum Handler<S> {
    Sync(Box<SyncHandler<S>>),
    Async(Box<AsyncHandler<S>>),
}

impl<S: Service> Operation<S> {
    /// An operation whose handler reads the request itself.
    pub fn new<B: Into<Body>>(
        name: &'static str,
        handler: impl Fn(&S, &Request) -> Result<Response<B>, AwsError> + Send + Sync + 'static,
    ) -> Self {
        let handler =
            move |service: &S, request: &Request| handler(service, request).map(|answer| answer.map(Into::into));
        Self { metadata: Metadata::new(S::NAME, name), handler: Handler::Sync(Box::new(handler)) }
    }

    /// An asynchronous operation whose handler reads the request itself.
    pub fn new_async<B: Into<Body>, F: Future<Output = Result<Response<B>, AwsError>> + Send + 'static>(
        name: &'static str,
        handler: impl Fn(S, Request) -> F + Send + Sync + 'static,
    ) -> Self {
        let handler = move |service, request| -> AnswerFuture {
            let answered = handler(service, request);
            Box::pin(async move { answered.await.map(|answer| answer.map(Into::into)) })
        };
        Self { metadata: Metadata::new(S::NAME, name), handler: Handler::Async(Box::new(handler)) }
    }

    /// An operation of REST-JSON. The route is a method and a path template, in which `{…}` stands for a member: see
    /// [`Request::path`].
    pub fn rest<B: Into<Body>>(
        name: &'static str,
        route: &'static str,
        handler: impl Fn(&S, &Request) -> Result<Response<B>, AwsError> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, handler).at(route)
    }

    /// An asynchronous operation of REST-JSON.
    pub fn rest_async<B: Into<Body>, F: Future<Output = Result<Response<B>, AwsError>> + Send + 'static>(
        name: &'static str,
        route: &'static str,
        handler: impl Fn(S, Request) -> F + Send + Sync + 'static,
    ) -> Self {
        Self::new_async(name, handler).at(route)
    }

    fn at(mut self, route: &'static str) -> Self {
        let route = Route(route);
        self.metadata.route = Some(route);
        self.metadata.is_read_only = route.method() == "GET";
        self
    }

    /// Accepts bodies of up to `bytes`; the default is 1 MiB.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.metadata.body_limit = bytes;
        self
    }

    /// Runs the handler on a blocking thread. Has no effect on an asynchronous operation.
    #[must_use]
    pub fn blocking(mut self) -> Self {
        self.metadata.is_blocking = true;
        self
    }

    /// Declares that the operation changes nothing. It is answered even if nothing can be persisted any more. An operation of
    /// REST-JSON is read-only if its method is `GET`.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.metadata.is_read_only = true;
        self
    }

    /// Writes a line to the activity log when a request has succeeded: `event`, and the values of these members of its input.
    #[must_use]
    pub fn logs(mut self, event: &'static str, members: &'static [&'static str]) -> Self {
        self.metadata.activity = Some(Activity { event, members });
        self
    }

    /// Keeps an operation that the service's API does not have out of the documentation.
    #[must_use]
    pub fn unlisted(mut self) -> Self {
        self.metadata.is_listed = false;
        self
    }
}

impl Metadata {
    fn new(service: ServiceName, name: &'static str) -> Self {
        Self {
            service,
            name,
            route: None,
            body_limit: MIB,
            is_blocking: false,
            is_read_only: false,
            is_listed: true,
            activity: None,
        }
    }
}

/// The declaration of an operation.
///
/// # Errors
/// The service does not have it.
pub fn find<S: Service>(name: &str) -> Result<&'static Operation<S>, AwsError> {
    let found = S::operations().iter().find(|operation| operation.metadata.name == name);
    found.ok_or_else(|| S::NAME.unknown_operation(name))
}

/// Answers a request, on a blocking thread if the operation needs one.
///
/// # Errors
/// The errors of the operation.
pub async fn answer<S: Service>(service: &S, request: Request) -> Answer {
    match &find::<S>(request.operation.name)?.handler {
        Handler::Async(handler) => handler(service.clone(), request).await,
        Handler::Sync(handler) if request.operation.is_blocking => {
            let service = service.clone();
            store::run_blocking(move || handler(&service, &request)).await
        }
        Handler::Sync(handler) => handler(service, &request),
    }
}

/// Answers a request for a synchronous operation, on this thread.
///
/// # Errors
/// The errors of the operation.
#[cfg(test)]
pub fn answer_now<S: Service>(service: &S, request: &Request) -> Answer {
    match &find::<S>(request.operation.name)?.handler {
        Handler::Sync(handler) => handler(service, request),
        Handler::Async(_) => Err(AwsError::new(500, "InternalFailure", "The operation is asynchronous.")),
    }
}
