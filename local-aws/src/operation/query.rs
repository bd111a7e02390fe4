//! The query protocol (IAM, STS): the typed input of an action in a form, and its result in XML.

use http::{HeaderValue, Response, header};
use serde::de::DeserializeOwned;

use super::declaration::{Operation, Service};
use super::request::Request;
use super::xml::{self, Xml};
use crate::error::AwsError;
use crate::validation::Model;

/// A service of the query protocol.
pub trait QueryService: Service {
    /// The XML namespace of the service's responses.
    const NAMESPACE: &'static str;

    /// The table of the inputs of the service's actions.
    fn model() -> &'static Model;
}

/// The result of an action.
pub trait QueryResult {
    /// `None` if the response has only metadata.
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
    pub fn query<I: DeserializeOwned + 'static, R: QueryResult + 'static>(
        name: &'static str,
        handler: impl Fn(&S, I) -> Result<R, AwsError> + Send + Sync + 'static,
    ) -> Self {
        Self::query_of_caller(name, move |service, input, _| handler(service, input))
    }

    /// An action of the query protocol that depends on its caller.
    pub fn query_of_caller<I: DeserializeOwned + 'static, R: QueryResult + 'static>(
        name: &'static str,
        handler: impl Fn(&S, I, &Request) -> Result<R, AwsError> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, move |service: &S, request: &Request| {
            let input = S::model().read_form(name, &request.form)?;
            let input = serde_json::from_value(input);
            // The model requires at least what the typed input requires.
            let input = input.map_err(|error| AwsError::new(500, "InternalFailure", error.to_string()))?;
            let result = handler(service, input, request)?;
            let mut response = Response::new(xml::response(name, S::NAMESPACE, result.into_xml()));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
            Ok(response)
        })
    }
}
