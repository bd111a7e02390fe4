//! The endpoint runs uploaded code, so it listens on loopback only, unless it is configured otherwise.
#![allow(clippy::unwrap_used)]

use local_aws::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn an_address_other_than_loopback_is_rejected() {
    for (config, reason) in [
        (Config::default(), "not a loopback address"),
        (Config { allow_remote: true, verify_signatures: false, ..Config::default() }, "signatures must be verified"),
    ] {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let error = local_aws::run(listener, config, std::future::pending()).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[tokio::test]
async fn a_loopback_address_is_served_until_shutdown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    local_aws::run(listener, Config::default(), std::future::ready(())).await.unwrap();
}

#[tokio::test]
async fn with_allow_remote_every_address_is_accepted_but_no_host_name() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Config { allow_remote: true, ..Config::default() };
    tokio::spawn(local_aws::run(listener, config, std::future::pending()));
    for (host, expected) in [("192.168.1.2", "HTTP/1.1 200"), ("evil.example", "HTTP/1.1 403")] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!("GET /_local/health HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(expected), "{host}: {answer}");
    }
}
