//! The query protocol (IAM, STS): a form in, XML out.

use http::{HeaderValue, Response, header};

use super::{Operation, Parameters, Request, Service, Xml, xml};
use crate::error::AwsError;

/// A service of the query protocol.
pub trait QueryService: Service {
    /// The XML namespace of the service's answers.
    const NAMESPACE: &'static str;

    /// Checks an action's parameters.
    ///
    /// # Errors
    /// They violate the service's model.
    fn check(action: &str, parameters: &Parameters<'_>) -> Result<(), AwsError>;
}

/// The result of an action.
pub trait QueryResult {
    /// `None` if the answer has only metadata.
    fn into_xml(self) -> Option<Xml>;
}

impl QueryResult for Xml {
    fn into_xml(self) -> Option<Xml> {
        Some(self)
    }
}

impl QueryResult for () {
    fn into_xml(self) -> Option<Xml> {
        None
    }
}

impl<S: QueryService> Operation<S> {
    /// An action of the query protocol.
    pub fn query<R: QueryResult>(
        name: &'static str,
        handler: impl Fn(&S, &Parameters<'_>) -> Result<R, AwsError> + Send + Sync + 'static,
    ) -> Self {
        Self::query_of_caller(name, move |service, parameters, _| handler(service, parameters))
    }

    /// An action of the query protocol that depends on who sends it.
    pub fn query_of_caller<R: QueryResult>(
        name: &'static str,
        handler: impl Fn(&S, &Parameters<'_>, &Request) -> Result<R, AwsError> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, move |service: &S, request: &Request| {
            let parameters = Parameters(&request.form);
            S::check(name, &parameters)?;
            let result = handler(service, &parameters, request)?;
            let mut response = Response::new(xml::response(name, S::NAMESPACE, result.into_xml()));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
            Ok(response)
        })
    }
}
