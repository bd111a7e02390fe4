//! Misbehaving clients, over raw sockets. Each one affects only its own connection.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use local_aws::{Config, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const HEALTH: &[u8] = b"GET /_local/health HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Starts an endpoint that accepts unsigned requests, because the limits do not depend on signatures.
async fn endpoint(limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config { limits, verify_signatures: false, ..Config::default() };
    tokio::spawn(local_aws::run(listener, config, std::future::pending()));
    address
}

async fn sent(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Reads until the endpoint closes the connection or an error occurs.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "still open after 20 s, after {:?}", String::from_utf8_lossy(&answer));
    String::from_utf8_lossy(&answer).into_owned()
}

/// The first bytes of a response.
async fn answered(stream: &mut TcpStream) -> String {
    let mut answer = [0; 12];
    tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn an_incomplete_head_times_out() {
    let address = endpoint(Limits { head: Duration::from_millis(200), ..Limits::default() }).await;
    for beginning in ["", "P", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nhost: loc"] {
        let started = Instant::now();
        let mut stream = sent(address, beginning.as_bytes()).await;
        assert_eq!(rest(&mut stream).await, "", "{beginning:?}");
        assert!(started.elapsed() >= Duration::from_millis(200), "{beginning:?}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_rejected() {
    let address = endpoint(Limits::default()).await;
    let mut stream = sent(address, b"GET /_local/health HTTP/1.1\r\nhost: localhost\r\nx: ").await;
    // The request may be rejected before all of it is sent.
    stream.write_all(&vec![b'x'; 70_000]).await.ok();
    assert!(answered(&mut stream).await.starts_with("HTTP/1.1 431"));
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    let mut stream = sent(address, format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()).await;
    assert!(answered(&mut stream).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn a_body_that_is_too_large_for_its_operation_is_rejected() {
    let address = endpoint(Limits::default()).await;
    for (operation, length, status) in [
        ("Kinesis_20131202.ListStreams", 2_000_000, "413"),
        ("Logs_20140328.PutLogEvents", 9_000_000, "413"),
        ("Kinesis_20131202.PutRecords", 30_000_000, "413"),
        ("Kinesis_20131202.PutRecords", 3, "400"),
    ] {
        let head = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-amz-json-1.1\r\nx-amz-target: {operation}\r\ncontent-length: {length}\r\n\r\n[1]"
        );
        let mut stream = sent(address, head.as_bytes()).await;
        assert_eq!(answered(&mut stream).await, format!("HTTP/1.1 {status}"), "{operation} {length}");
    }
    // A body without a declared length is counted as it arrives.
    let head = b"POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: Kinesis_20131202.ListStreams\r\ntransfer-encoding: chunked\r\n\r\n200000\r\n";
    let mut stream = sent(address, head).await;
    stream.write_all(&vec![b' '; 0x20_0000]).await.ok();
    assert_eq!(answered(&mut stream).await, "HTTP/1.1 413");
}

#[tokio::test]
async fn a_body_that_stops_or_is_slow_is_rejected() {
    let pausing = Limits { body_pause: Duration::from_millis(200), ..Limits::default() };
    let crawling = Limits { body: Duration::from_millis(300), ..Limits::default() };
    let head = b"POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: Kinesis_20131202.ListStreams\r\ncontent-length: 1000\r\n\r\n{";
    let mut stopped = sent(endpoint(pausing).await, head).await;
    assert_eq!(answered(&mut stopped).await, "HTTP/1.1 408");

    let (mut from, mut to) = sent(endpoint(crawling).await, head).await.into_split();
    let crawl = tokio::spawn(async move {
        while to.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut answer = [0; 12];
    from.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    crawl.abort();
}

#[tokio::test]
async fn many_idle_connections_do_not_block_a_client() {
    let address = endpoint(Limits { connections: 8, ..Limits::default() }).await;
    let mut oldest = sent(address, HEALTH).await;
    assert_eq!(answered(&mut oldest).await, "HTTP/1.1 200");
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let mut new = sent(address, HEALTH).await;
    assert_eq!(answered(&mut new).await, "HTTP/1.1 200");
    assert!(rest(&mut oldest).await.ends_with("ok\n"));
}

/// A latency fault keeps eight requests in progress. They are not closed, and a ninth waits for one of them.
#[tokio::test]
async fn a_request_in_progress_is_not_closed_for_another() {
    let address = endpoint(Limits { connections: 8, ..Limits::default() }).await;
    let fault = r#"{"operation":"ListStreams","kind":"latency","milliseconds":500}"#;
    let length = fault.len();
    let set = format!(
        "POST /_local/faults HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{fault}"
    );
    assert!(rest(&mut sent(address, set.as_bytes()).await).await.starts_with("HTTP/1.1 200"));
    let list = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-amz-json-1.1\r\nx-amz-target: Kinesis_20131202.ListStreams\r\ncontent-length: 2\r\n\r\n{}";
    let mut under_way = Vec::new();
    for _ in 0..8 {
        under_way.push(sent(address, list).await);
    }
    let started = Instant::now();
    let mut ninth = sent(address, HEALTH).await;
    assert_eq!(answered(&mut ninth).await, "HTTP/1.1 200");
    assert!(started.elapsed() >= Duration::from_millis(300), "{:?}", started.elapsed());
    for stream in &mut under_way {
        assert_eq!(answered(stream).await, "HTTP/1.1 200");
    }
}

/// The unread responses fill only the kernel's buffers. The connection is closed, and other clients are served
/// meanwhile.
#[tokio::test]
async fn an_unread_response_ends_its_connection() {
    let address = endpoint(Limits { unread: Duration::from_millis(300), ..Limits::default() }).await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut deaf = socket.connect(address).await.unwrap();
    let asking = async {
        while deaf.write_all(&HEALTH.repeat(1000)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asking).await.expect("the connection is ended");
    assert_eq!(answered(&mut sent(address, HEALTH).await).await, "HTTP/1.1 200");
}

/// Two bodies of 20 MiB do not fit into 32 MiB. The second waits for the first, whose client sends a byte now and then.
#[tokio::test]
async fn a_slow_body_loses_its_room_to_a_waiting_one() {
    const BYTES: usize = 20 << 20;
    let address = endpoint(Limits::default()).await;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-amz-json-1.1\r\nx-amz-target: Kinesis_20131202.PutRecords\r\ncontent-length: {BYTES}\r\n\r\n"
    );
    let (mut from, mut to) = sent(address, head.as_bytes()).await.into_split();
    let crawl = tokio::spawn(async move {
        while to.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    // No other request waits for its room.
    let mut answer = [0; 12];
    assert!(tokio::time::timeout(Duration::from_secs(2), from.read_exact(&mut answer)).await.is_err());
    let mut second = sent(address, head.as_bytes()).await;
    second.write_all(&vec![b' '; BYTES]).await.unwrap();
    assert_eq!(answered(&mut second).await, "HTTP/1.1 400");
    tokio::time::timeout(Duration::from_secs(20), from.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    crawl.abort();
}
