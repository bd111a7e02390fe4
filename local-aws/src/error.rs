//! An AWS error and its form in each wire protocol.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use serde_json::json;

const SERIALIZATION: &str = "SerializationException";

/// A wire protocol. Each has its own form of an error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Protocol {
    AwsJson,
    /// The operations and errors of JSON 1.1, encoded in CBOR. AWS's Java SDK uses it for Kinesis.
    AwsCbor,
    RestJson,
    /// With the XML namespace of the service, or IAM's if the request does not name a service.
    Query(&'static str),
    /// Downloads of functions' code. AWS returns its location as a presigned URL of S3.
    S3,
}

/// The errors of Lambda's model whose message is in the member `message`.
const MODELLED_IN_LAMBDA: [&str; 8] = [
    "CodeStorageExceededException",
    "InvalidParameterValueException",
    "InvalidRequestContentException",
    "PolicyLengthExceededException",
    "PreconditionFailedException",
    "RequestTooLargeException",
    "ResourceConflictException",
    "TooManyRequestsException",
];

/// An error that a service models. Every operation of the endpoint returns it when it rejects a request.
#[derive(Debug, Clone, PartialEq)]
pub struct AwsError {
    /// The HTTP status code.
    pub status: u16,
    /// The error's name in the model, for example `ResourceNotFoundException`.
    pub code: Cow<'static, str>,
    /// The message.
    pub message: String,
}

impl AwsError {
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into() }
    }

    /// Creates an error with status 400, which services of JSON 1.1 use for almost every error.
    pub fn bad_request(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// The error for a request that could not be parsed. AWS does not report the reason for a body that is not JSON.
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::bad_request(SERIALIZATION, message)
    }

    /// The member of a JSON 1.1 error that contains its message. Errors of AWS's own deserializer use another one.
    pub fn message_member(&self) -> &'static str {
        if self.code == SERIALIZATION { "Message" } else { "message" }
    }

    /// Writes the error in JSON 1.1 (Kinesis, CloudWatch Logs): `{"__type":…,"message":…}`.
    pub fn to_aws_json(&self) -> Response<Bytes> {
        let mut body = json!({ "__type": self.code });
        if !self.message.is_empty() {
            body[self.message_member()] = self.message.as_str().into();
        }
        self.respond("application/x-amz-json-1.1", body.to_string())
    }

    /// Writes the error in REST-JSON 1 (Lambda), with the code in `x-amzn-errortype`. An error of Lambda's model contains
    /// `Type`, and its message under the name in the model. Other errors contain only `message`. One of them has no message
    /// (recorded).
    pub fn to_rest_json(&self) -> Response<Bytes> {
        let fault = if self.status < 500 { "User" } else { "Service" };
        let body = match self.code.as_ref() {
            "AccessDeniedException" if self.message.is_empty() => json!({ "Message": null }),
            "AccessDeniedException" => json!({ "Message": self.message }),
            "ResourceNotFoundException" | "ServiceException" => json!({ "Type": fault, "Message": self.message }),
            code if self.status >= 500 || MODELLED_IN_LAMBDA.contains(&code) => {
                json!({ "Type": fault, "message": self.message })
            }
            _ => json!({ "message": self.message }),
        };
        let mut response = self.respond("application/json", body.to_string());
        if let Ok(code) = HeaderValue::from_str(&self.code) {
            response.headers_mut().insert("x-amzn-errortype", code);
        }
        response
    }

    /// Writes the error in the query protocol (IAM, STS): an XML envelope. The request ID is in the header too.
    pub fn to_query_xml(&self, namespace: &str) -> Response<Bytes> {
        let fault = if self.status < 500 { "Sender" } else { "Receiver" };
        let request = uuid::Uuid::new_v4().to_string();
        let body = format!(
            "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{fault}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{request}</RequestId></ErrorResponse>",
            quick_xml::escape::escape(self.code.as_ref()),
            quick_xml::escape::escape(self.message.as_str()),
        );
        self.respond_as("text/xml", body, "x-amzn-requestid", &request)
    }

    /// Writes the error as S3 does. The endpoint serves only the code of functions this way.
    pub fn to_s3_xml(&self) -> Response<Bytes> {
        let request = uuid::Uuid::new_v4().to_string();
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message><RequestId>{request}</RequestId></Error>",
            quick_xml::escape::escape(self.code.as_ref()),
            quick_xml::escape::escape(self.message.as_str()),
        );
        self.respond_as("application/xml", body, "x-amz-request-id", &request)
    }

    fn respond(&self, content_type: &'static str, body: String) -> Response<Bytes> {
        Response::builder()
            .status(self.status)
            .header(header::CONTENT_TYPE, content_type)
            .body(Bytes::from(body))
            .unwrap_or_else(|_| Response::new(Bytes::new()))
    }

    /// Builds a response with the request ID in this header, as in its body.
    fn respond_as(
        &self,
        content_type: &'static str,
        body: String,
        header: &'static str,
        request: &str,
    ) -> Response<Bytes> {
        let mut response = self.respond(content_type, body);
        if let Ok(request) = HeaderValue::from_str(request) {
            response.headers_mut().insert(header, request);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn parts(response: &Response<Bytes>) -> (Vec<&str>, String) {
        let mut names: Vec<&str> = response.headers().keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        (names, String::from_utf8(response.body().to_vec()).unwrap())
    }

    #[test]
    fn only_rest_json_names_the_code_in_a_header() {
        let error = AwsError::new(403, "UnrecognizedClientException", "no");
        let rest = error.to_rest_json();
        assert_eq!(rest.headers()["x-amzn-errortype"], "UnrecognizedClientException");
        assert_eq!(parts(&rest), (vec!["content-type", "x-amzn-errortype"], r#"{"message":"no"}"#.into()));
        assert_eq!(parts(&error.to_aws_json()).0, ["content-type"]);
        assert_eq!(parts(&error.to_query_xml("n")).0, ["content-type", "x-amzn-requestid"]);
        assert_eq!(parts(&error.to_s3_xml()).0, ["content-type", "x-amz-request-id"]);
    }

    #[test]
    fn the_request_is_named_alike_in_header_and_body() {
        let error = AwsError::new(403, "SignatureDoesNotMatch", "no");
        for (response, header) in
            [(error.to_query_xml("n"), "x-amzn-requestid"), (error.to_s3_xml(), "x-amz-request-id")]
        {
            let id = response.headers()[header].to_str().unwrap().to_owned();
            assert!(parts(&response).1.contains(&format!("<RequestId>{id}</RequestId>")));
        }
    }

    #[test]
    fn lambdas_errors_have_the_members_of_the_model() {
        for (status, code, body) in [
            (404, "ResourceNotFoundException", json!({ "Type": "User", "Message": "m" })),
            (500, "ServiceException", json!({ "Type": "Service", "Message": "m" })),
            (400, "InvalidParameterValueException", json!({ "Type": "User", "message": "m" })),
            (400, "ValidationException", json!({ "message": "m" })),
            (403, "MissingAuthenticationTokenException", json!({ "message": "m" })),
        ] {
            let answered: Value =
                serde_json::from_slice(AwsError::new(status, code, "m").to_rest_json().body()).unwrap();
            assert_eq!(answered, body, "{code}");
        }
    }
}
