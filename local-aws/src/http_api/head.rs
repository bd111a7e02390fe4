//! The head of a request, parsed once: its protocol, operation, encoding, region and signature.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};

use crate::encoding::Encoding;
use crate::error::{AwsError, Protocol};
use crate::operation::{Metadata, QueryService, ServiceName, UNKNOWN_OPERATION};
use crate::services;
use crate::signature::{Claim, SignatureError};
use crate::{iam::Iam, lambda, sts::Sts};

/// The parsed head of a request, before its sender is checked.
#[derive(Debug)]
pub struct Head {
    pub protocol: Protocol,
    /// The encoding of a JSON 1.1 body.
    pub encoding: Result<Encoding, AwsError>,
    pub operation: RequestedOperation,
    /// The members in a REST operation's path.
    pub path: Vec<String>,
    pub claim: Result<Claim, SignatureError>,
}

/// The operation that a head names.
#[derive(Debug)]
pub enum RequestedOperation {
    Supported(&'static Metadata),
    /// The service, if the head names one, and the error to return.
    Unsupported(Option<ServiceName>, AwsError),
    /// The operation is named in the body.
    InBody,
}

impl Head {
    pub fn parse<B>(request: &Request<B>) -> Self {
        let claim = Claim::of(request.headers(), request.uri());
        let encoding = Encoding::of(request.headers());
        let signed_for = claim.as_ref().ok().map(|claim| claim.service.as_str());
        let protocol = protocol(request, &encoding, signed_for);
        let (operation, path) = match protocol {
            Protocol::AwsJson | Protocol::AwsCbor => (target(request.headers()), Vec::new()),
            Protocol::Query(_) => (RequestedOperation::InBody, Vec::new()),
            Protocol::RestJson | Protocol::S3 => rest(request),
        };
        Self { protocol, encoding, operation, path, claim }
    }

    /// The operation, if the head names a supported one.
    pub fn operation(&self) -> Option<&'static Metadata> {
        match self.operation {
            RequestedOperation::Supported(operation) => Some(operation),
            _ => None,
        }
    }
}

impl Protocol {
    /// Corrects the service of the query protocol, which the version in the form names. Before the form is read, the scope of the
    /// signature tells it, if there is one.
    pub fn learn_from(&mut self, form: &[u8]) {
        if let (Self::Query(namespace), Some(named)) = (self, namespace_in(form)) {
            *namespace = named;
        }
    }

    /// Writes an error in this protocol.
    pub fn respond(self, error: &AwsError) -> Response<Bytes> {
        match self {
            Self::AwsJson => error.to_aws_json(),
            Self::AwsCbor => Encoding::Cbor.error(error).unwrap_or_else(|error| error.to_aws_json()),
            Self::RestJson => error.to_rest_json(),
            Self::Query(namespace) => error.to_query_xml(namespace),
            Self::S3 => error.to_s3_xml(),
        }
    }
}

/// Detects the protocol. Every JSON 1.1 request names its operation in `x-amz-target`. Every query request is a form
/// for `/`, in its body or, if it is presigned, in its query. Only the signature distinguishes S3 from another REST
/// service. A form for another path may be the payload of an invocation, because curl declares any payload as a form by
/// default.
fn protocol<B>(request: &Request<B>, encoding: &Result<Encoding, AwsError>, signed_for: Option<&str>) -> Protocol {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let query = request.uri().query().unwrap_or_default();
    if request.headers().contains_key("x-amz-target") {
        if *encoding == Ok(Encoding::Cbor) { Protocol::AwsCbor } else { Protocol::AwsJson }
    } else if request.uri().path() == "/"
        && (content_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"))
            || query.split('&').any(|part| part.starts_with("Action=")))
    {
        let of_scope = if signed_for == Some("sts") { Sts::NAMESPACE } else { Iam::NAMESPACE };
        Protocol::Query(namespace_in(query.as_bytes()).unwrap_or(of_scope))
    } else if signed_for == Some("s3") {
        Protocol::S3
    } else {
        Protocol::RestJson
    }
}

fn namespace_in(form: &[u8]) -> Option<&'static str> {
    let (_, version) = form_urlencoded::parse(form).find(|(name, _)| name == "Version")?;
    match version.as_ref() {
        "2010-05-08" => Some(Iam::NAMESPACE),
        "2011-06-15" => Some(Sts::NAMESPACE),
        _ => None,
    }
}

/// Finds the operation that `x-amz-target` names.
fn target(headers: &HeaderMap) -> RequestedOperation {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (prefix, name) = target.split_once('.').unwrap_or((target, ""));
    let service = match prefix {
        "Kinesis_20131202" => ServiceName::Kinesis,
        "Logs_20140328" => ServiceName::Logs,
        _ => return RequestedOperation::Unsupported(None, unknown_operation(target)),
    };
    match services::find(service, name) {
        Ok(operation) => RequestedOperation::Supported(operation),
        Err(error) => RequestedOperation::Unsupported(Some(service), error),
    }
}

/// Finds the operation with this method and path.
fn rest<B>(request: &Request<B>) -> (RequestedOperation, Vec<String>) {
    let (method, path) = (request.method(), request.uri().path());
    let found = services::operations(ServiceName::Lambda).find_map(|operation| {
        let members = operation.route.as_ref()?.members(method, path)?;
        Some((RequestedOperation::Supported(operation), members))
    });
    found.unwrap_or_else(|| {
        (RequestedOperation::Unsupported(Some(ServiceName::Lambda), lambda::not_supported(method, path)), Vec::new())
    })
}

/// The error for a request that does not name an operation of a service.
pub fn unknown_operation(name: &str) -> AwsError {
    AwsError::bad_request(UNKNOWN_OPERATION, not_supported(name))
}

/// The message for an unsupported request.
pub fn not_supported(name: &str) -> String {
    let name = if name.is_empty() { "a request without an operation" } else { name };
    format!(
        "The local endpoint does not support {name}. It has Kinesis, Lambda, CloudWatch Logs, and parts of IAM and STS."
    )
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn an_error_of_the_query_protocol_has_the_namespace_of_its_service() {
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        let protocol = |uri: &str, service: &str| {
            let signature = format!(
                "AWS4-HMAC-SHA256 Credential=A/20261128/us-east-1/{service}/aws4_request, SignedHeaders=host;x-amz-date, \
                 Signature=00"
            );
            let request = Request::post(uri).header("content-type", form).header("x-amz-date", "20261128T000000Z");
            let request = request.header("authorization", signature).body(Body::empty()).unwrap();
            Head::parse(&request).protocol
        };
        for (uri, service, expected) in [
            ("/", "iam", Protocol::Query(Iam::NAMESPACE)),
            ("/", "sts", Protocol::Query(Sts::NAMESPACE)),
            ("/?Action=GetCallerIdentity&Version=2011-06-15", "", Protocol::Query(Sts::NAMESPACE)),
            ("/", "", Protocol::Query(Iam::NAMESPACE)),
            // Curl sends this with `-d` and without a content type.
            ("/2015-03-31/functions/f/invocations", "lambda", Protocol::RestJson),
        ] {
            assert_eq!(protocol(uri, service), expected, "{uri} {service}");
        }
        let error = Protocol::Query(Sts::NAMESPACE).respond(&AwsError::new(403, "SignatureDoesNotMatch", "no"));
        let body = String::from_utf8(error.into_body().to_vec()).unwrap();
        assert!(body.starts_with(&format!("<ErrorResponse xmlns=\"{}\"><Error>", Sts::NAMESPACE)), "{body}");
    }
}
