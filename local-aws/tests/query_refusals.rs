//! Rejected requests of the query protocol: their errors have the namespace of the service that the form names.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use local_aws::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const IAM: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

async fn endpoint() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(local_aws::run(listener, Config::default(), std::future::pending()));
    address
}

async fn post(address: SocketAddr, headers: &str, form: &str) -> String {
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\
         content-type: application/x-www-form-urlencoded\r\n{headers}\r\n",
        form.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[head.as_bytes(), form.as_bytes()].concat()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_rejected_form_is_answered_in_the_namespace_of_its_service() {
    let address = endpoint().await;
    let scoped = |scope: &str| {
        format!(
            "x-amz-date: 20261128T000000Z\r\nauthorization: AWS4-HMAC-SHA256 Credential=A/{scope}, \
             SignedHeaders=host;x-amz-date, Signature=00\r\n"
        )
    };
    for headers in [
        String::new(),
        "authorization: \r\n".to_owned(),
        "authorization: garbled\r\n".to_owned(),
        "authorization: Basic QTpC\r\n".to_owned(),
        "authorization: AWS4-HMAC-SHA256 Credential=A/20261128/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=00\r\n".to_owned(),
        scoped("20261128/us-east-1/iam/aws4_request"),
        scoped("20261128/us-east-1/sts/aws4_request"),
        scoped("20261128/us-east-1/sts/aws3_request"),
        scoped("20261128/us-east-1/kinesis/aws4_request"),
    ] {
        for (form, namespace) in [
            ("Action=GetCallerIdentity&Version=2011-06-15", STS),
            ("Version=2011-06-15&Action=Other", STS),
            ("Action=ListRoles&Version=2010-05-08", IAM),
        ] {
            let answer = post(address, &headers, form).await;
            assert!(answer.contains(&format!("<ErrorResponse xmlns=\"{namespace}\">")), "{headers} {form} {answer}");
        }
    }
}

#[tokio::test]
async fn a_rejected_form_without_its_body_is_answered_too() {
    let address = endpoint().await;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: 9\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 403");
}
