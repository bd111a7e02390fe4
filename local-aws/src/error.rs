//! An AWS error, and how each wire protocol words it.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Response, header};
use serde_json::json;

const SERIALIZATION: &str = "SerializationException";

/// The wire protocols, each with its own form of an error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Protocol {
    AwsJson,
    /// awsJson's operations and errors in CBOR: Kinesis, as AWS's Java SDK speaks to it.
    AwsCbor,
    RestJson,
    Query,
    /// Serves the code of functions, whose place AWS gives as a presigned URL of S3.
    S3,
}

/// An error as a service models it: what every operation of the endpoint answers when it refuses.
#[derive(Debug, Clone, PartialEq)]
pub struct AwsError {
    /// HTTP status code.
    pub status: u16,
    /// The error's modelled name, for instance `ResourceNotFoundException`.
    pub code: Cow<'static, str>,
    /// The text a person reads.
    pub message: String,
}

impl AwsError {
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into() }
    }

    /// A 400 with the given code: how awsJson services report almost everything.
    pub fn bad_request(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// A request that could not be read. AWS says nothing more about a body that is not JSON at all.
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::bad_request(SERIALIZATION, message)
    }

    /// The member of an awsJson error that holds its message: what AWS's own deserializer refuses has another one.
    pub fn message_member(&self) -> &'static str {
        if self.code == SERIALIZATION { "Message" } else { "message" }
    }

    /// awsJson 1.1 (Kinesis, CloudWatch Logs): `{"__type":…,"message":…}`.
    pub fn to_aws_json(&self) -> Response<Bytes> {
        let mut body = json!({ "__type": self.code });
        if !self.message.is_empty() {
            body[self.message_member()] = self.message.as_str().into();
        }
        self.respond("application/x-amz-json-1.1", body.to_string())
    }

    /// restJson 1 (Lambda): the code in `x-amzn-errortype`, and in the body whose fault it is and, for clients of either
    /// reading, `Message` and `message`.
    pub fn to_rest_json(&self) -> Response<Bytes> {
        let fault = if self.status < 500 { "User" } else { "Service" };
        let body = json!({ "Type": fault, "Message": self.message, "message": self.message });
        self.respond("application/json", body.to_string())
    }

    /// The query protocol (IAM, STS): an XML envelope.
    pub fn to_query_xml(&self) -> Response<Bytes> {
        let fault = if self.status < 500 { "Sender" } else { "Receiver" };
        let body = format!(
            "<ErrorResponse><Error><Type>{fault}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
            quick_xml::escape::escape(self.code.as_ref()),
            quick_xml::escape::escape(self.message.as_str()),
            uuid::Uuid::new_v4(),
        );
        self.respond("text/xml", body)
    }

    /// S3, which only serves the code of functions.
    pub fn to_s3_xml(&self) -> Response<Bytes> {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message><RequestId>{}</RequestId></Error>",
            quick_xml::escape::escape(self.code.as_ref()),
            quick_xml::escape::escape(self.message.as_str()),
            uuid::Uuid::new_v4(),
        );
        self.respond("application/xml", body)
    }

    fn respond(&self, content_type: &'static str, body: String) -> Response<Bytes> {
        Response::builder()
            .status(self.status)
            .header(header::CONTENT_TYPE, content_type)
            .header("x-amzn-errortype", self.code.as_ref())
            .body(Bytes::from(body))
            .unwrap_or_else(|_| Response::new(Bytes::new()))
    }
}
