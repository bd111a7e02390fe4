//! Classifies errors as transient or permanent.

use std::io;

use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};

/// The class of an error, which decides about the next attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ErrorClass {
    /// The service throttles, is unavailable or cannot be reached. A later attempt may succeed.
    Transient,
    /// The request was signed by a clock that differs from the service's. The SDK reads the service's time from the answer, and
    /// signs the next request with it.
    ClockSkew,
    /// No attempt will succeed until something changes. Expired credentials belong here: a person has to renew them.
    Permanent,
}

/// Error codes of throttling, in addition to all codes that contain "Throttl".
/// (botocore `_retry.json`; the models of Kinesis, Lambda, CloudWatch Logs, IAM and STS.)
const THROTTLING: [&str; 7] = [
    "ProvisionedThroughputExceededException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];

/// Error codes of a service that is unavailable, or busy with another request for the same resource.
const UNAVAILABLE: [&str; 10] = [
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "InternalFailure",
    "InternalFailureException",
    "InternalServerError",
    "InternalServiceError",
    "RequestTimeout",
    "RequestTimeoutException",
    "OperationAbortedException",
    "ConcurrentModification",
];

/// Error codes that a wrong clock can cause. (The SDK's `aws-runtime` has the same list without the last.)
const SIGNATURE: [&str; 6] = [
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "AuthFailure",
    "RequestTimeTooSkewed",
    "AccessDeniedException",
    "RequestExpired",
];

/// Clocks that differ by less are not the cause. AWS accepts a difference of five minutes.
const SKEW: SignedDuration = SignedDuration::from_mins(4);

/// Classifies an error. `now` is the local time, which is compared with the answer's `Date`.
pub fn classify<E>(error: &SdkError<E>, now: Timestamp) -> ErrorClass
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::TimeoutError(_) => ErrorClass::Transient,
        SdkError::DispatchFailure(failure) => {
            let is_broken = failure.is_io() || failure.is_timeout() || failure.as_other().is_some();
            if is_broken && !is_certificate(error) { ErrorClass::Transient } else { ErrorClass::Permanent }
        }
        // The answer is incomplete, or comes from another server, such as a proxy.
        SdkError::ResponseError(response) => match response.raw().status().as_u16() {
            status @ 400..=499 => of_answer(status, None, None),
            _ => ErrorClass::Transient,
        },
        SdkError::ServiceError(refusal) => {
            let (answer, error) = (refusal.raw(), refusal.err());
            match error.code() {
                Some(code) if SIGNATURE.contains(&code) && is_skewed(answer, now) => ErrorClass::ClockSkew,
                code => of_answer(answer.status().as_u16(), code, error.message()),
            }
        }
        _ => ErrorClass::Permanent,
    }
}

fn of_answer(status: u16, code: Option<&str>, message: Option<&str>) -> ErrorClass {
    let is_transient_code = code.is_some_and(|code| {
        // An exceeded rate and an account's limit have the same code. Only the rate is transient.
        let is_rate_limit = code == "LimitExceededException"
            && message.is_some_and(|message| message.to_ascii_lowercase().contains("rate exceeded"));
        let is_named = code.contains("Throttl") || THROTTLING.contains(&code) || UNAVAILABLE.contains(&code);
        is_named || is_rate_limit
    });
    let is_transient_status = match status {
        408 | 429 => true,
        // "Not implemented" and "HTTP version not supported" are permanent.
        501 | 505 => false,
        status => status >= 500,
    };
    if is_transient_code || is_transient_status { ErrorClass::Transient } else { ErrorClass::Permanent }
}

/// Whether the service's clock, according to its answer, differs from ours by more than a signature allows.
fn is_skewed(answer: &HttpResponse, now: Timestamp) -> bool {
    let date = answer.headers().get("date").and_then(|date| rfc2822::parse(date).ok());
    date.is_some_and(|date| date.timestamp().duration_since(now).abs() > SKEW)
}

/// Whether TLS rejected the service's certificate, which rustls reports as invalid data.
fn is_certificate(error: &dyn std::error::Error) -> bool {
    let mut cause = error.source();
    while let Some(source) = cause {
        if source.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::InvalidData) {
            return true;
        }
        cause = source.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsError;
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;
    use proptest::prelude::*;

    use super::*;

    type Error = SdkError<FilterLogEventsError>;

    fn now() -> Timestamp {
        "2026-11-28T12:00:00Z".parse().unwrap()
    }

    fn answer(status: u16, date: Option<&str>) -> HttpResponse {
        let mut answer = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
        if let Some(date) = date {
            answer.headers_mut().insert("date", date.to_owned());
        }
        answer
    }

    fn refusal(status: u16, code: &str, message: &str, date: Option<&str>) -> ErrorClass {
        let error = ErrorMetadata::builder().code(code).message(message).build();
        classify(&Error::service_error(FilterLogEventsError::generic(error), answer(status, date)), now())
    }

    #[test]
    fn throttling_is_transient_under_every_name_and_status() {
        for (status, code) in [
            (400, "ThrottlingException"),
            (400, "Throttling"),
            (400, "ThrottledException"),
            (400, "RequestThrottled"),
            (400, "KMSThrottlingException"),
            (400, "ProvisionedThroughputExceededException"),
            (400, "RequestLimitExceeded"),
            (429, "TooManyRequestsException"),
            (429, "a name of its own"),
            (503, "SlowDown"),
        ] {
            assert_eq!(refusal(status, code, "Rate exceeded", None), ErrorClass::Transient, "{status} {code}");
        }
        let limit = |message| refusal(400, "LimitExceededException", message, None);
        assert_eq!(limit("Rate exceeded for stream orders under account 1."), ErrorClass::Transient);
        assert_eq!(limit("This request would exceed the shard limit for the account"), ErrorClass::Permanent);
    }

    #[test]
    fn client_errors_are_permanent() {
        for (status, code) in [
            (400, "AccessDeniedException"),
            (403, "AccessDenied"),
            (400, "ExpiredTokenException"),
            (403, "ExpiredToken"),
            (400, "ValidationException"),
            (400, "InvalidParameterException"),
            (400, "ResourceNotFoundException"),
            (404, "NoSuchEntity"),
            (400, "UnrecognizedClientException"),
            (403, "a page of a proxy"),
            (501, "NotImplemented"),
        ] {
            assert_eq!(refusal(status, code, "no", None), ErrorClass::Permanent, "{status} {code}");
        }
    }

    #[test]
    fn a_rejected_signature_is_transient_only_if_the_clocks_differ() {
        let refused = |date| refusal(403, "InvalidSignatureException", "Signature expired", date);
        assert_eq!(refused(Some("Sat, 28 Nov 2026 13:00:00 GMT")), ErrorClass::ClockSkew);
        assert_eq!(refused(Some("Sat, 28 Nov 2026 11:00:00 GMT")), ErrorClass::ClockSkew);
        assert_eq!(refused(Some("Sat, 28 Nov 2026 12:00:01 GMT")), ErrorClass::Permanent);
        assert_eq!(refused(None), ErrorClass::Permanent);
    }

    #[test]
    fn connection_errors_are_transient() {
        let io = |kind| Error::dispatch_failure(ConnectorError::io(Box::new(io::Error::from(kind))));
        let transient = [
            io(io::ErrorKind::ConnectionRefused),
            io(io::ErrorKind::ConnectionReset),
            Error::timeout_error("no answer"),
            Error::dispatch_failure(ConnectorError::timeout("connect".into())),
            Error::response_error("the body broke off", answer(200, None)),
            Error::response_error("a page of a load balancer", answer(503, None)),
        ];
        for error in transient {
            assert_eq!(classify(&error, now()), ErrorClass::Transient, "{error:?}");
        }
        let permanent = [
            io(io::ErrorKind::InvalidData),
            Error::dispatch_failure(ConnectorError::other("no credentials".into(), None)),
            Error::dispatch_failure(ConnectorError::user("a header that is none".into())),
            Error::construction_failure("no region"),
            Error::response_error("a page of a proxy", answer(407, None)),
        ];
        for error in permanent {
            assert_eq!(classify(&error, now()), ErrorClass::Permanent, "{error:?}");
        }
    }

    proptest! {
        /// A server error is retried whatever its code, a client error only if its code is known to be transient.
        #[test]
        fn server_errors_are_transient_whatever_their_code(status in 400_u16..600, code in "[A-Za-z]{0,30}") {
            let is_named = code.contains("Throttl") || THROTTLING.contains(&&*code) || UNAVAILABLE.contains(&&*code);
            let by_status = matches!(status, 408 | 429 | 500 | 502..=504 | 506..);
            let class = refusal(status, &code, "message", None);
            prop_assert_eq!(class == ErrorClass::Transient, by_status || is_named);
        }
    }
}
