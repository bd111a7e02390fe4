//! JSON 1.1 and CBOR: the typed input and output of an operation.

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::declaration::{Operation, Service};
use super::request::Request;
use crate::encoding::Encoding;
use crate::error::AwsError;

/// A service of JSON 1.1.
pub trait JsonService: Service {
    /// The encoding of a request and of its answer.
    ///
    /// # Errors
    /// The service does not accept it.
    fn encoding(request: &Request) -> Result<Encoding, AwsError>;

    /// Reads an operation's input.
    ///
    /// # Errors
    /// It violates the service's model.
    fn read<I: DeserializeOwned>(operation: &str, encoding: Encoding, body: &[u8]) -> Result<I, AwsError>;

    /// Writes an operation's output; `()` is an empty body.
    ///
    /// # Errors
    /// The output cannot be encoded.
    fn write<O: Serialize>(encoding: Encoding, output: &O) -> Result<Response<Bytes>, AwsError> {
        let output = serde_json::to_value(output);
        encoding.answer_value(output.map_err(|error| AwsError::new(500, "InternalFailure", error.to_string()))?)
    }
}

impl<S: JsonService> Operation<S> {
    /// An operation of JSON 1.1.
    pub fn json<I: DeserializeOwned + 'static, O: Serialize + 'static>(
        name: &'static str,
        handler: impl Fn(&S, I) -> Result<O, AwsError> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, move |service: &S, request: &Request| {
            let encoding = S::encoding(request)?;
            S::write(encoding, &handler(service, S::read(name, encoding, &request.body)?)?)
        })
    }

    /// An asynchronous operation of JSON 1.1.
    pub fn json_async<I, O, F>(name: &'static str, handler: impl Fn(S, I) -> F + Clone + Send + Sync + 'static) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize + Send + Sync + 'static,
        F: Future<Output = Result<O, AwsError>> + Send + 'static,
    {
        Self::new_async(name, move |service: S, request: Request| {
            let handler = handler.clone();
            async move {
                let encoding = S::encoding(&request)?;
                let output = handler(service, S::read(name, encoding, &request.body)?).await?;
                S::write(encoding, &output).map(|response| response.map(Body::from))
            }
        })
    }
}
