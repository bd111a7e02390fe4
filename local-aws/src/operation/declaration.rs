//! A service and its operations.

use std::pin::Pin;

use axum::body::Body;
use http::Response;

use super::metadata::{Activity, Metadata, ServiceName};
use super::request::Request;
use super::route::Route;
use crate::error::AwsError;
use crate::store;

/// A handle on a service's state. Clones share the state.
pub trait Service: Clone + Send + Sync + 'static {
    const NAME: ServiceName;

    fn operations() -> &'static [Operation<Self>];
}

/// One operation of a service.
pub struct Operation<S> {
    pub metadata: Metadata,
    handler: Handler<S>,
}

pub type Answer = Result<Response<Body>, AwsError>;
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
