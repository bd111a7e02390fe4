//! Compressed bodies, which the CloudWatch agent sends.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::SocketAddr;
use std::time::SystemTime;

use aws_credential_types::Credentials as SdkCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use flate2::Compression;
use flate2::write::GzEncoder;
use local_aws::{Config, Credentials};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn endpoint() -> (SocketAddr, Credentials) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, config) = (listener.local_addr().unwrap(), Config::default());
    let credentials = config.credentials.clone();
    tokio::spawn(local_aws::run(listener, config, std::future::pending()));
    (address, credentials)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns the status and the body of the response to a signed request. `signed` are the bytes that the signature
/// covers.
async fn call(
    (address, credentials): &(SocketAddr, Credentials),
    (service, method, path): (&str, &str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
    signed: &[u8],
) -> (String, String) {
    let Credentials { access_key_id, secret_access_key, .. } = credentials.clone();
    let identity = SdkCredentials::new(access_key_id, secret_access_key, None, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name(service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .unwrap();
    let uri = format!("http://{address}{path}");
    let host = address.to_string();
    let all: Vec<_> = [("host", host.as_str())].into_iter().chain(headers.iter().copied()).collect();
    let request = SignableRequest::new(method, &uri, all.iter().copied(), SignableBody::Bytes(signed)).unwrap();
    let (instructions, _) = sign(request, &params.into()).unwrap().into_parts();
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in all.into_iter().chain(instructions.headers()) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[head.as_bytes(), b"\r\n", body].concat()).await.ok();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

async fn logs(
    endpoint: &(SocketAddr, Credentials),
    operation: &str,
    encoding: Option<&str>,
    body: &[u8],
) -> (String, String) {
    let target = format!("Logs_20140328.{operation}");
    let mut headers = vec![("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
    headers.extend(encoding.map(|encoding| ("content-encoding", encoding)));
    call(endpoint, ("logs", "POST", "/"), &headers, body, body).await
}

#[tokio::test]
async fn the_cloudwatch_agents_put_log_events_is_accepted() {
    let endpoint = endpoint().await;
    for (operation, input) in [
        ("CreateLogGroup", json!({ "logGroupName": "g" })),
        ("CreateLogStream", json!({ "logGroupName": "g", "logStreamName": "s" })),
    ] {
        let (status, body) = logs(&endpoint, operation, Some("gzip"), &gzip(input.to_string().as_bytes())).await;
        assert!(status.contains(" 200 "), "{status} {body}");
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
    let events = json!([{ "timestamp": now, "message": "from the agent" }]);
    let put = json!({ "logEvents": events, "logGroupName": "g", "logStreamName": "s" }).to_string();
    let (status, body) = logs(&endpoint, "PutLogEvents", Some("gzip"), &gzip(put.as_bytes())).await;
    assert!(status.contains(" 200 "), "{status} {body}");
    let get = json!({ "logGroupName": "g", "logStreamName": "s", "startFromHead": true }).to_string();
    let (_, body) = logs(&endpoint, "GetLogEvents", None, get.as_bytes()).await;
    let read: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(read["events"][0]["message"], "from the agent");
}

#[tokio::test]
async fn every_service_accepts_gzip_and_the_signature_covers_the_sent_bytes() {
    let endpoint = endpoint().await;
    let kinesis = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "Kinesis_20131202.ListStreams"),
        ("content-encoding", "gzip"),
    ];
    let form = [("content-type", "application/x-www-form-urlencoded"), ("content-encoding", "gzip")];
    let rest = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let (braces, identity) = (gzip(b"{}"), gzip(b"Action=GetCallerIdentity&Version=2011-06-15"));
    let stream = "arn:aws:kinesis:us-east-1:000000000000:stream/none";
    let mapping = json!({ "FunctionName": "none", "EventSourceArn": stream, "StartingPosition": "LATEST" });
    let mapping = gzip(mapping.to_string().as_bytes());
    for (to, headers, body, expected) in [
        (("kinesis", "POST", "/"), &kinesis[..], &braces, "StreamNames"),
        (("sts", "POST", "/"), &form, &identity, "GetCallerIdentityResult"),
        (
            ("lambda", "POST", "/2015-03-31/event-source-mappings/"),
            &rest,
            &mapping,
            // The error that follows after the body was read.
            "Function does not exist",
        ),
    ] {
        let (status, answer) = call(&endpoint, to, headers, body, body).await;
        assert!(answer.contains(expected), "{status} {answer}");
    }
    let list = ("lambda", "GET", "/2015-03-31/functions/");
    let (status, answer) = call(&endpoint, list, &[("content-encoding", "gzip")], b"", b"").await;
    assert!(status.contains(" 200 ") && answer.contains("Functions"), "{status} {answer}");
    let (status, answer) = call(&endpoint, ("kinesis", "POST", "/"), &kinesis, &braces, b"{}").await;
    assert!(!status.contains(" 200 ") && answer.contains("InvalidSignatureException"), "{status} {answer}");
}

#[tokio::test]
async fn the_limit_applies_to_the_decompressed_body_and_other_encodings_are_rejected() {
    let endpoint = endpoint().await;
    let refused = async |encoding: &str, body: &[u8]| logs(&endpoint, "DescribeLogGroups", Some(encoding), body).await;
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    let (status, answer) = refused("gzip", &bomb).await;
    assert!(status.contains(" 413 ") && answer.contains("RequestEntityTooLargeException"), "{status} {answer}");
    let (status, answer) = refused("gzip", b"{}").await;
    assert!(status.contains(" 400 ") && answer.contains("SerializationException"), "{status} {answer}");
    for encoding in ["deflate", "br", "gzip, gzip"] {
        let (status, answer) = refused(encoding, b"{}").await;
        assert!(status.contains(" 415 ") && answer.contains("is not supported"), "{status} {answer}");
    }
    let (status, answer) = refused("identity", b"{}").await;
    assert!(status.contains(" 200 "), "{status} {answer}");
}
