//! Signature errors. The code and status depend on the family of services. The messages are AWS's own.
//!
//! JSON 1.1: <https://github.com/mhart/kinesalite> (recorded from Kinesis), and issues of the SDKs. The query protocol:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>. S3:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.

use http::HeaderName;

use crate::error::{AwsError, Protocol};

/// The reason why a signature is rejected.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SignatureError {
    #[error("Missing Authentication Token")]
    Missing,
    #[error("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")]
    Twice,
    #[error("{0}")]
    Incomplete(String),
    #[error("Credential should be scoped with a valid terminator: 'aws4_request', not '{0}'.")]
    Terminator(String),
    #[error("Credential should be scoped to correct service: '{0}'. ")]
    OtherService(&'static str),
    #[error("Credential should be scoped to a valid region, not '{0}'. ")]
    NotARegion(String),
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    #[error("The security token included in the request is invalid.")]
    UnknownToken,
    #[error(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{scope_day}' != '{}', from '{time}'.",
        time.get(..8).unwrap_or_default()
    )]
    OtherDay { scope_day: String, time: String },
    #[error("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")]
    HostNotSigned,
    #[error("'{0}' must be a 'SignedHeader' in the AWS Authorization.")]
    HeaderNotSigned(HeaderName),
    #[error("Signature expired: {claimed} is now earlier than {earliest} ({now} - {minutes} min.)")]
    Expired { claimed: String, earliest: String, now: String, minutes: i64 },
    #[error("Signature not yet current: {claimed} is still later than {latest} ({now} + {minutes} min.)")]
    NotYet { claimed: String, latest: String, now: String, minutes: i64 },
    #[error("Signature expired: {end} is now earlier than {now}")]
    PresignedExpired { end: String, now: String },
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    OtherBody,
}

impl SignatureError {
    /// The error as services of this protocol return it.
    pub fn for_protocol(&self, protocol: Protocol) -> AwsError {
        match protocol {
            Protocol::AwsJson | Protocol::AwsCbor => {
                let code = self.json_code();
                AwsError::new(if code.starts_with("Incomplete") { 403 } else { 400 }, code, self.to_string())
            }
            Protocol::RestJson => AwsError::new(403, self.json_code(), self.to_string()),
            Protocol::Query(_) => self.for_query_service(),
            Protocol::S3 => self.for_s3(),
        }
    }

    fn json_code(&self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::Incomplete(_) => "IncompleteSignatureException",
            Self::UnknownKey | Self::UnknownToken => "UnrecognizedClientException",
            _ => "InvalidSignatureException",
        }
    }

    fn for_query_service(&self) -> AwsError {
        let (status, code) = match self {
            Self::Missing => {
                return AwsError::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token");
            }
            Self::Incomplete(_) => (400, "IncompleteSignature"),
            Self::UnknownKey | Self::UnknownToken => (403, "InvalidClientTokenId"),
            _ => (403, "SignatureDoesNotMatch"),
        };
        AwsError::new(status, code, self.to_string())
    }

    fn for_s3(&self) -> AwsError {
        let (status, code, message) = match self {
            Self::Missing => (403, "AccessDenied", "Access Denied".into()),
            Self::PresignedExpired { .. } => (403, "AccessDenied", "Request has expired".into()),
            Self::HeaderNotSigned(_) => {
                (403, "AccessDenied", "There were headers present in the request which were not signed".into())
            }
            Self::NotYet { .. } | Self::Expired { .. } => (
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.".into(),
            ),
            Self::UnknownKey => {
                (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.".into())
            }
            Self::UnknownToken => (400, "InvalidToken", "The provided token is malformed or otherwise invalid.".into()),
            Self::OtherBody => (400, "XAmzContentSHA256Mismatch", self.to_string()),
            Self::Mismatch => (
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your key and signing method.".into(),
            ),
            _ => (400, "AuthorizationHeaderMalformed", self.to_string()),
        };
        AwsError::new(status, code, message)
    }
}
