//! Which protocol a request speaks, and how an error is said in it.

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, header};

use crate::error::{AwsError, Protocol};
use crate::kinesis::Wire;
use crate::signature::Claim;

impl Protocol {
    /// Every awsJson request names its operation in `x-amz-target`, every query request is a form, in its body or, when
    /// it is presigned, in its query; only a signature tells S3 from another REST service.
    pub fn of(request: &Request<Body>, claim: Option<&Claim>) -> Self {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let query = request.uri().query().unwrap_or_default();
        if request.headers().contains_key("x-amz-target") {
            if Wire::of(request.headers()) == Ok(Wire::Cbor) { Self::AwsCbor } else { Self::AwsJson }
        } else if content_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"))
            || (request.uri().path() == "/" && query.split('&').any(|part| part.starts_with("Action=")))
        {
            Self::Query
        } else if claim.is_some_and(Claim::is_of_s3) {
            Self::S3
        } else {
            Self::RestJson
        }
    }

    pub fn error(self, error: &AwsError) -> Response<Bytes> {
        match self {
            Self::AwsJson => error.to_aws_json(),
            Self::AwsCbor => Wire::Cbor.error(error).unwrap_or_else(|error| error.to_aws_json()),
            Self::RestJson => error.to_rest_json(),
            Self::Query => error.to_query_xml(),
            Self::S3 => error.to_s3_xml(),
        }
    }
}
