//! An AWS error, and how each wire protocol words it.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Response, header};
use serde_json::{Map, Value, json};

/// An error as a service models it: what every operation of the endpoint answers when it refuses.
#[derive(Debug, Clone, PartialEq)]
pub struct AwsError {
    /// HTTP status code.
    pub status: u16,
    /// The error's modelled name, for instance `ResourceNotFoundException`.
    pub code: Cow<'static, str>,
    /// The text a person reads.
    pub message: String,
    /// Further modelled members of the error's body, for instance Lambda's `Type`.
    pub fields: Map<String, Value>,
}

impl AwsError {
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), fields: Map::new() }
    }

    /// A 400 with the given code: how awsJson services report almost everything.
    pub fn bad_request(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// Adds a modelled member to the body.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// awsJson 1.1 (Kinesis, CloudWatch Logs): `{"__type":…,"message":…}`.
    pub fn to_aws_json(&self) -> Response<Bytes> {
        let mut body = Map::new();
        body.insert("__type".into(), json!(self.code));
        body.insert("message".into(), json!(self.message));
        body.extend(self.fields.clone());
        self.respond("application/x-amz-json-1.1", Value::Object(body).to_string())
    }

    /// restJson 1 (Lambda): the code in `x-amzn-ErrorType`, the message in the body. Lambda's own members come first
    /// and `Type: "User"` unless the error says otherwise; clients read `message` and `Message` alike.
    pub fn to_rest_json(&self) -> Response<Bytes> {
        let mut body = Map::new();
        body.insert("Type".into(), json!(if self.status < 500 { "User" } else { "Service" }));
        body.insert("Message".into(), json!(self.message));
        body.insert("message".into(), json!(self.message));
        body.extend(self.fields.clone());
        self.respond("application/json", Value::Object(body).to_string())
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

    fn respond(&self, content_type: &'static str, body: String) -> Response<Bytes> {
        Response::builder()
            .status(self.status)
            .header(header::CONTENT_TYPE, content_type)
            .header("x-amzn-errortype", self.code.as_ref())
            .body(Bytes::from(body))
            .unwrap_or_else(|_| Response::new(Bytes::new()))
    }
}
