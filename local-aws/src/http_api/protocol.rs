//! Which protocol a request speaks, and how an error is said in it.

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, header};

use crate::error::{AwsError, Protocol};
use crate::identity::{IAM_NAMESPACE, STS_NAMESPACE};
use crate::kinesis::Encoding;
use crate::signature::Claim;

impl Protocol {
    /// Every awsJson request names its operation in `x-amz-target`, every query request is a form for `/`, in its body or, when
    /// it is presigned, in its query; only a signature tells S3 from another REST service. What curl calls a form because it
    /// is told nothing else may be the payload of an invocation.
    pub fn of(request: &Request<Body>, claim: Option<&Claim>) -> Self {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let query = request.uri().query().unwrap_or_default();
        if request.headers().contains_key("x-amz-target") {
            if Encoding::of(request.headers()) == Ok(Encoding::Cbor) { Self::AwsCbor } else { Self::AwsJson }
        } else if request.uri().path() == "/"
            && (content_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"))
                || query.split('&').any(|part| part.starts_with("Action=")))
        {
            let is_of_sts = claim.is_some_and(|claim| claim.service == "sts") || query.contains("Version=2011-06-15");
            Self::Query(if is_of_sts { STS_NAMESPACE } else { IAM_NAMESPACE })
        } else if claim.is_some_and(Claim::is_of_s3) {
            Self::S3
        } else {
            Self::RestJson
        }
    }

    pub fn error(self, error: &AwsError) -> Response<Bytes> {
        match self {
            Self::AwsJson => error.to_aws_json(),
            Self::AwsCbor => Encoding::Cbor.error(error).unwrap_or_else(|error| error.to_aws_json()),
            Self::RestJson => error.to_rest_json(),
            Self::Query(namespace) => error.to_query_xml(namespace),
            Self::S3 => error.to_s3_xml(),
        }
    }
}

#[cfg(test)]
mod tests {
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
            let claim = Claim::of(request.headers(), request.uri());
            Protocol::of(&request, claim.as_ref().ok())
        };
        for (uri, service, expected) in [
            ("/", "iam", Protocol::Query(IAM_NAMESPACE)),
            ("/", "sts", Protocol::Query(STS_NAMESPACE)),
            ("/?Action=GetCallerIdentity&Version=2011-06-15", "", Protocol::Query(STS_NAMESPACE)),
            ("/", "", Protocol::Query(IAM_NAMESPACE)),
            // What curl sends with `-d` and no content type.
            ("/2015-03-31/functions/f/invocations", "lambda", Protocol::RestJson),
        ] {
            assert_eq!(protocol(uri, service), expected, "{uri} {service}");
        }
        let error = Protocol::Query(STS_NAMESPACE).error(&AwsError::new(403, "SignatureDoesNotMatch", "no"));
        let body = String::from_utf8(error.into_body().to_vec()).unwrap();
        assert!(body.starts_with(&format!("<ErrorResponse xmlns=\"{STS_NAMESPACE}\"><Error>")), "{body}");
    }
}
