//! A request as an operation sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};

use super::metadata::Metadata;
use crate::encoding::Encoding;
use crate::error::AwsError;

/// A request whose head was parsed once, whose sender may send it, and whose body was read.
#[derive(Debug, Clone)]
pub struct Request {
    pub operation: &'static Metadata,
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    /// How a body of JSON 1.1 is encoded.
    pub encoding: Result<Encoding, AwsError>,
    /// The members of a REST operation's path, in the template's order.
    pub path: Vec<String>,
    /// The parameters of the query protocol.
    pub form: BTreeMap<String, String>,
    pub body: Bytes,
    /// The region that the request was signed for, or the default.
    pub region: String,
    /// The sender, if it is not the account itself.
    pub caller: Option<Arc<Caller>>,
}

/// A sender with temporary credentials.
#[derive(Debug)]
pub struct Caller {
    /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`
    pub arn: String,
    /// `AROA…:SESSION`
    pub user_id: String,
}

impl Request {
    #[cfg(test)]
    pub fn new(operation: &'static Metadata, request: http::Request<Bytes>) -> Self {
        let (parts, body) = request.into_parts();
        let route = operation.route.as_ref();
        Self {
            operation,
            path: route.and_then(|route| route.members(&parts.method, parts.uri.path())).unwrap_or_default(),
            encoding: Encoding::of(&parts.headers),
            method: parts.method,
            uri: parts.uri,
            headers: parts.headers,
            form: BTreeMap::new(),
            body,
            region: "us-east-1".into(),
            caller: None,
        }
    }
}
