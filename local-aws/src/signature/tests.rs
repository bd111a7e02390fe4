//! These signatures were made by other implementations than `aws-sigv4`: AWS's test suite for Signature Version 4, and
//! botocore 1.43.

use http::request::Builder;

use super::*;
use crate::error::{AwsError, Protocol};

const NOW: &str = "2026-11-23T20:16:00Z";
/// SHA-256 of the empty text and of `{}`.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const BRACES: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

const PRESIGNED: &str = "http://127.0.0.1:4566/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261123%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20261123T201500Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=23c38c75603369bc7b0b6138a0539a7052e0fd285742d40163c96cfeb49063df";

/// The credentials of AWS's test suite.
fn documented() -> Credentials {
    Credentials {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        session_token: None,
    }
}

fn with_token() -> Credentials {
    Credentials { session_token: Some("a/token+=".into()), ..documented() }
}

fn outcome(credentials: &Credentials, request: Builder, sha256: &str, now: &str) -> Result<(), SignatureError> {
    let request = request.body(()).unwrap();
    let claim = Claim::of(request.headers(), request.uri())?;
    claim.check(request.headers(), credentials, now.parse().unwrap())?;
    claim.verify(&request, sha256.to_owned(), credentials)
}

fn authorization(scope: &str, signed_headers: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}/aws4_request, SignedHeaders={signed_headers}, Signature={signature}"
    )
}

/// A request that botocore signed at 20:15.
fn list_streams() -> Builder {
    let signature = "8203eb8c75feab2adffd591354312c19da0795c9f3b378e8c4e8f167ad7e33c5";
    Request::post("/")
        .header("host", "127.0.0.1:4566")
        .header("x-amz-target", "Kinesis_20131202.ListStreams")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-date", "20261123T201500Z")
        .header(
            "authorization",
            authorization("20261123/us-east-1/kinesis", "content-type;host;x-amz-date;x-amz-target", signature),
        )
}

#[test]
fn the_signature_of_awss_test_suite_is_accepted() {
    let vanilla = |signature: &str| {
        Request::get("/")
            .header("host", "example.amazonaws.com")
            .header("x-amz-date", "20150830T123600Z")
            .header("authorization", authorization("20150830/us-east-1/service", "host;x-amz-date", signature))
    };
    let right = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let outcome = |request| outcome(&documented(), request, EMPTY, "2015-08-30T12:38:00Z");
    assert_eq!(outcome(vanilla(right)), Ok(()));
    assert_eq!(outcome(vanilla(&right.replace('5', "6"))), Err(SignatureError::Mismatch));
    assert_eq!(outcome(vanilla("00")), Err(SignatureError::Mismatch));
}

#[test]
fn a_clients_signature_with_headers_is_accepted() {
    assert_eq!(outcome(&documented(), list_streams(), BRACES, NOW), Ok(()));
    let same = |request| outcome(&documented(), request, BRACES, NOW);
    assert_eq!(
        same(list_streams().header("x-amz-target", "Kinesis_20131202.DeleteStream")),
        Err(SignatureError::Mismatch)
    );
    assert_eq!(same(list_streams().uri("/?a=b")), Err(SignatureError::Mismatch));
    assert_eq!(same(list_streams().method("PUT")), Err(SignatureError::Mismatch));
    assert_eq!(same(list_streams().header("user-agent", "not signed")), Ok(()));
    assert_eq!(outcome(&documented(), list_streams(), EMPTY, NOW), Err(SignatureError::Mismatch));
    let other_secret = Credentials { secret_access_key: "another".into(), ..documented() };
    assert_eq!(outcome(&other_secret, list_streams(), BRACES, NOW), Err(SignatureError::Mismatch));
    let other_key = Credentials { access_key_id: "AKIDOTHER".into(), ..documented() };
    assert_eq!(outcome(&other_key, list_streams(), BRACES, NOW), Err(SignatureError::UnknownKey));
    assert_eq!(outcome(&with_token(), list_streams(), BRACES, NOW), Err(SignatureError::UnknownToken));
}

/// HTTP/2 does not send `Host`: the authority is in the URI.
#[test]
fn a_signature_with_the_authority_in_the_uri_is_accepted() {
    let (mut parts, ()) = list_streams().body(()).unwrap().into_parts();
    parts.headers.remove("host");
    let signed = |uri: &'static str| {
        let mut request = Request::post(uri);
        *request.headers_mut().unwrap() = parts.headers.clone();
        outcome(&documented(), request, BRACES, NOW)
    };
    assert_eq!(signed("http://127.0.0.1:4566/"), Ok(()));
    assert_eq!(signed("http://127.0.0.1:4567/"), Err(SignatureError::Mismatch));
}

#[test]
fn a_signed_path_and_query_with_special_characters_is_accepted() {
    let signature = "fd6f4a3f5bdfb53e2330cd09323a895f809704991ffef677333dd8bb1f4ce47e";
    let request = |token: &str| {
        Request::get("/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af?tagKeys=b%20c&tagKeys=a%2Bb&tagKeys=%C3%BC%2F%3D~")
            .header("host", "127.0.0.1:4566")
            .header("x-amz-date", "20261123T201500Z")
            .header("x-amz-security-token", token)
            .header(
                "authorization",
                authorization("20261123/us-east-1/lambda", "host;x-amz-date;x-amz-security-token", signature),
            )
    };
    assert_eq!(outcome(&with_token(), request("a/token+="), EMPTY, NOW), Ok(()));
    assert_eq!(outcome(&with_token(), request("another"), EMPTY, NOW), Err(SignatureError::UnknownToken));
    // A token of another account is not the endpoint's.
    assert_eq!(outcome(&documented(), request("a/token+="), EMPTY, NOW), Err(SignatureError::UnknownToken));
}

#[test]
fn a_presigned_url_is_accepted() {
    let outcome =
        |uri: &str, now| outcome(&documented(), Request::get(uri).header("host", "127.0.0.1:4566"), EMPTY, now);
    assert_eq!(outcome(PRESIGNED, "2026-11-23T20:16:00Z"), Ok(()));
    assert_eq!(outcome(&PRESIGNED.replace("Expires=60", "Expires=61"), NOW), Err(SignatureError::Mismatch));
    assert_eq!(outcome(&PRESIGNED.replace("GetCaller", "SetCaller"), NOW), Err(SignatureError::Mismatch));
    let late = outcome(PRESIGNED, "2026-11-23T20:16:01Z").unwrap_err();
    assert_eq!(late.to_string(), "Signature expired: 20261123T201600Z is now earlier than 20261123T201601Z");
    assert_eq!(late.for_protocol(Protocol::Query("")).code, "SignatureDoesNotMatch");
    assert_eq!(late.for_protocol(Protocol::S3).message, "Request has expired");
    let early = outcome(PRESIGNED, "2026-11-23T20:09:59Z").unwrap_err();
    assert!(matches!(early, SignatureError::NotYet { .. }), "{early}");
}

/// S3 encodes a path once, keeps its dots, and does not sign the body.
#[test]
fn a_presigned_url_of_s3_is_accepted() {
    let uri = "http://127.0.0.1:4566/a%3Ab/../c?x=y%20z&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261123%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20261123T201500Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Security-Token=a%2Ftoken%2B%3D&X-Amz-Signature=c8e18f71dc11c707fbe11008450c24c471143eb0928c38bbb3ff034b858fe7b5";
    let request = || Request::get(uri).header("host", "127.0.0.1:4566");
    assert_eq!(outcome(&with_token(), request(), EMPTY, NOW), Ok(()));
    assert_eq!(outcome(&with_token(), request(), BRACES, NOW), Ok(()));
    assert_eq!(
        outcome(&with_token(), Request::get(uri).header("host", "x"), EMPTY, NOW),
        Err(SignatureError::Mismatch)
    );
}

#[test]
fn urls_that_the_endpoint_presigns_are_accepted() {
    for credentials in [documented(), with_token()] {
        let config = Config { credentials, ..Config::default() };
        let url = presigned(&config, "/2015-03-31/functions/f/code", SignedDuration::from_mins(10));
        let request = || Request::get(url.as_str()).header("host", config.address.to_string());
        let now = Timestamp::now();
        assert_eq!(outcome(&config.credentials, request(), EMPTY, &now.to_string()), Ok(()));
        let later = (now + SignedDuration::from_mins(11)).to_string();
        assert!(outcome(&config.credentials, request(), EMPTY, &later).is_err());
    }
}

#[test]
fn a_time_that_is_too_far_off_is_rejected() {
    let at = |now| outcome(&documented(), list_streams(), BRACES, now).map_err(|error| error.to_string());
    assert_eq!(at("2026-11-23T20:20:00Z"), Ok(()));
    assert_eq!(
        at("2026-11-23T20:20:01Z").unwrap_err(),
        "Signature expired: 20261123T201500Z is now earlier than 20261123T201501Z (20261123T202001Z - 5 min.)"
    );
    assert_eq!(at("2026-11-23T20:10:00Z"), Ok(()));
    assert_eq!(
        at("2026-11-23T20:09:59Z").unwrap_err(),
        "Signature not yet current: 20261123T201500Z is still later than 20261123T201459Z (20261123T200959Z + 5 min.)"
    );
}

#[test]
fn the_header_date_replaces_x_amz_date() {
    // Signed with botocore's own canonical form over `host` alone. The date is part of the signature anyway.
    let request = |name: &str, date: &str| {
        Request::get("/")
            .header("host", "x")
            .header(name, date)
            .header("authorization", authorization("20261123/r/lambda", "host", "00"))
    };
    for date in ["20261123T201500Z", "Mon, 23 Nov 2026 20:15:00 GMT"] {
        let request = request("date", date).body(()).unwrap();
        let claim = Claim::of(request.headers(), request.uri()).unwrap();
        assert_eq!(basic_format(claim.time), "20261123T201500Z");
    }
    let error = outcome(&documented(), request("x-amz-date", "yesterday"), EMPTY, NOW).unwrap_err();
    assert!(error.to_string().starts_with("Date must be in ISO-8601 'basic format'. Got 'yesterday'"), "{error}");
}

#[test]
fn an_incomplete_claim_names_what_is_missing() {
    let refused = |request: Builder| {
        outcome(&documented(), request.header("x-amz-date", "20261123T201500Z"), EMPTY, NOW).unwrap_err()
    };
    assert_eq!(refused(Request::get("/")), SignatureError::Missing);
    assert_eq!(
        refused(Request::get("/").header("authorization", "Bearer abc")).to_string(),
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization=Bearer"
    );
    assert_eq!(refused(Request::get(PRESIGNED).header("authorization", "x")), SignatureError::Twice);
    let error = refused(Request::get("/?X-Amz-Algorithm=AWS4-HMAC-SHA256")).to_string();
    assert!(error.starts_with("AWS query-string parameters must include 'X-Amz-Credential'. "), "{error}");
    let header = |scope: &str| Request::get("/").header("authorization", authorization(scope, "x-amz-date", "00"));
    assert!(refused(header("a/b")).to_string().starts_with("Credential must have exactly 5 slash-delimited elements"));
    assert_eq!(refused(header("20261123/us-east-1/kinesis")), SignatureError::HostNotSigned);
    assert!(matches!(refused(header("20261122/us-east-1/kinesis")), SignatureError::OtherDay { .. }));
}

/// Anyone who has seen the signature could add or change an unsigned header.
#[test]
fn an_amazon_header_that_is_not_signed_is_refused() {
    let refused = |error: &Result<(), SignatureError>| matches!(error, Err(SignatureError::HeaderNotSigned(_)));
    for name in ["x-amz-client-context", "X-Amz-Invocation-Type", "x-amz-content-sha256", "x-amz-meta-anything"] {
        let outcome = outcome(&documented(), list_streams().header(name, "x"), BRACES, NOW);
        assert!(refused(&outcome), "{name}: {outcome:?}");
    }
    assert_eq!(outcome(&documented(), list_streams().header("x-amzn-trace-id", "Root=1"), BRACES, NOW), Ok(()));

    let presigned = || Request::get(PRESIGNED).header("host", "127.0.0.1:4566");
    let outcome =
        outcome(&documented(), presigned().header("x-amz-target", "Kinesis_20131202.ListStreams"), EMPTY, NOW);
    assert!(refused(&outcome), "{outcome:?}");
    let error = outcome.unwrap_err();
    assert_eq!(error.to_string(), "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.");
    let words = |protocol| error.for_protocol(protocol);
    let AwsError { status, code, message } = words(Protocol::S3);
    assert_eq!((status, &*code), (403, "AccessDenied"));
    assert_eq!(message, "There were headers present in the request which were not signed");
    assert_eq!(words(Protocol::AwsJson).code, "InvalidSignatureException");
    assert_eq!(words(Protocol::Query("")).code, "SignatureDoesNotMatch");
}

/// An `x-amz-` header next to a signature that covers `:authority`, as over HTTP/2.
#[test]
fn over_http_2_an_amazon_header_must_be_signed_too() {
    let names = ":authority;content-type;x-amz-date";
    let request = Request::post("http://127.0.0.1:4566/")
        .header("x-amz-target", "Kinesis_20131202.DeleteStream")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-date", "20261123T201500Z")
        .header("authorization", authorization("20261123/us-east-1/kinesis", names, "00"));
    let error = outcome(&documented(), request, BRACES, NOW).unwrap_err();
    assert_eq!(error.to_string(), "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.");
}

#[test]
fn each_family_of_services_has_its_own_messages() {
    let words = |error: &SignatureError| {
        [Protocol::AwsJson, Protocol::RestJson, Protocol::Query(""), Protocol::S3].map(|protocol| {
            let error = error.for_protocol(protocol);
            format!("{} {}", error.status, error.code)
        })
    };
    assert_eq!(
        words(&SignatureError::Mismatch),
        [
            "400 InvalidSignatureException",
            "403 InvalidSignatureException",
            "403 SignatureDoesNotMatch",
            "403 SignatureDoesNotMatch"
        ]
    );
    assert_eq!(
        words(&SignatureError::UnknownKey),
        [
            "400 UnrecognizedClientException",
            "403 UnrecognizedClientException",
            "403 InvalidClientTokenId",
            "403 InvalidAccessKeyId"
        ]
    );
    assert_eq!(
        words(&SignatureError::Missing),
        [
            "400 MissingAuthenticationTokenException",
            "403 MissingAuthenticationTokenException",
            "403 MissingAuthenticationToken",
            "403 AccessDenied"
        ]
    );
}

proptest::proptest! {
    /// Every claim is parsed or rejected without a panic, and no guess is accepted.
    #[test]
    fn any_claim_is_parsed_or_rejected(header in "(AWS4-HMAC-SHA256 )?(Credential|Signature|SignedHeaders)?=?[ -~]{0,60}", query in "(X-Amz-(Algorithm|Credential|Date|Expires|SignedHeaders|Signature)=[!-~&&[^#]]{0,20}&?){0,7}") {
        for request in [
            Request::get("/").header("authorization", header).header("x-amz-date", "20261123T201500Z"),
            Request::get(format!("/?{query}")).header("host", "x"),
        ] {
            if request.uri_ref().is_some() {
                assert!(outcome(&documented(), request, EMPTY, NOW).is_err());
            }
        }
    }
}

/// Signed by AWS's JavaScript signer (`@smithy/signature-v4`), as its SDK does over HTTP/2.
#[test]
fn over_http_2_the_authority_is_signed_in_place_of_the_host() {
    let signature = "a8032475151f747bdd75452279a2604af83e8f691a1c72476869fabf356a2a69";
    let names = ":authority;content-type;x-amz-content-sha256;x-amz-date;x-amz-target";
    let request = |authority: &str| {
        Request::post(format!("http://{authority}/"))
            .header("x-amz-target", "Kinesis_20131202.ListStreams")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-date", "20261123T201500Z")
            .header("x-amz-content-sha256", BRACES)
            .header("authorization", authorization("20261123/us-east-1/kinesis", names, signature))
    };
    assert_eq!(outcome(&documented(), request("127.0.0.1:4566"), BRACES, NOW), Ok(()));
    assert_eq!(outcome(&documented(), request("127.0.0.2:4566"), BRACES, NOW), Err(SignatureError::Mismatch));
    assert_eq!(outcome(&documented(), request("127.0.0.1:4566"), EMPTY, NOW), Err(SignatureError::Mismatch));
}
