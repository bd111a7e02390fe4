//! Measures PutRecords from Rust: with the SDK, and with requests that were built and signed in advance, which excludes the
//! cost of the client.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;

use crate::server::Server;
use crate::setup;
use crate::support::{head, row};

/// Connections, each with one request in flight.
const CONNECTIONS: usize = 4;
const ENTRIES: usize = 500;
const ENTRY_BYTES: usize = 1024;
/// The number of requests, whose data is smaller than the endpoint's memory budget.
const REQUESTS: usize = 600;

pub async fn table() {
    head(["Rust client, PutRecords of 500 × 1 KiB, 4 connections", "goal", "MB/s"]);
    let memory = Server::ours(&[]);
    row(["in memory, requests made beforehand, HTTP/1.1", "≥ 150", &format!("{:.0}", raw(&memory).await)]);
    drop(memory);
    let memory = Server::ours(&[]);
    row(["in memory, aws-sdk-kinesis", "", &format!("{:.0}", sdk(&memory).await)]);
    drop(memory);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let durable = Server::ours(&["--data-dir", folder.path().to_str().unwrap()]);
    row(["durable (`--data-dir`), requests made beforehand, HTTP/1.1", "≥ 40", &format!("{:.0}", raw(&durable).await)]);
}

fn megabytes_a_second(begun: Instant) -> f64 {
    (REQUESTS * ENTRIES * ENTRY_BYTES) as f64 / 1e6 / begun.elapsed().as_secs_f64()
}

async fn raw(server: &Server) -> f64 {
    setup::stream(server, "puts", 4).await;
    let request = request(server, "puts");
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| put(server, &request, REQUESTS / CONNECTIONS));
        }
    });
    megabytes_a_second(begun)
}

/// Sends the request this many times over one connection.
fn put(server: &Server, request: &[u8], times: usize) {
    let mut connection = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    let mut answer = vec![0; 256 * 1024];
    for _ in 0..times {
        connection.write_all(request).unwrap();
        let read = answer_of(&mut connection, &mut answer);
        let text = std::str::from_utf8(&answer[..read]).unwrap();
        assert!(text.starts_with("HTTP/1.1 200") && text.contains(r#""FailedRecordCount":0"#), "{text}");
    }
}

/// Reads one answer with a content length, and returns its length including the head.
fn answer_of(connection: &mut TcpStream, buffer: &mut [u8]) -> usize {
    let mut read = 0;
    loop {
        let got = connection.read(&mut buffer[read..]).unwrap();
        assert!(got > 0, "the connection was closed: {}", String::from_utf8_lossy(&buffer[..read]));
        read += got;
        let Some(end) = buffer[..read].windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end]).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap();
        if read >= end + 4 + length.trim().parse::<usize>().unwrap() {
            return read;
        }
    }
}

/// Builds a signed request. Its signature is valid for five minutes.
fn request(server: &Server, stream: &str) -> Vec<u8> {
    let data = base64_simd::STANDARD.encode_to_string([b'x'; ENTRY_BYTES]);
    let entries: Vec<_> =
        (0..ENTRIES).map(|n| serde_json::json!({ "Data": data, "PartitionKey": format!("key-{n}") })).collect();
    let body = serde_json::json!({ "StreamName": stream, "Records": entries }).to_string();
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "Kinesis_20131202.PutRecords")];

    let identity = Credentials::new(&server.access_key_id, &server.secret_access_key, None, None, "bench").into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("kinesis")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let url = format!("{}/", server.url);
    let signable =
        SignableRequest::new("POST", url, headers.into_iter(), SignableBody::Bytes(body.as_bytes())).unwrap();
    let (instructions, _) = sign(signable, &parameters).unwrap().into_parts();
    let mut request = format!("POST / HTTP/1.1\r\nhost: {}\r\n", server.url.strip_prefix("http://").unwrap());
    for (name, value) in headers.into_iter().chain(instructions.headers()) {
        request += &format!("{name}: {value}\r\n");
    }
    format!("{request}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn sdk(server: &Server) -> f64 {
    setup::stream(server, "puts", 4).await;
    let kinesis = aws_sdk_kinesis::Client::new(&server.config().await);
    let entry = |n| {
        let data = Blob::new([b'x'; ENTRY_BYTES]);
        PutRecordsRequestEntry::builder().data(data).partition_key(format!("key-{n}")).build().unwrap()
    };
    let entries: Vec<_> = (0..ENTRIES).map(entry).collect();
    let begun = Instant::now();
    let clients = (0..CONNECTIONS).map(|_| {
        let (kinesis, entries) = (kinesis.clone(), entries.clone());
        tokio::spawn(async move {
            for _ in 0..REQUESTS / CONNECTIONS {
                let put = kinesis.put_records().stream_name("puts").set_records(Some(entries.clone()));
                assert_eq!(put.send().await.unwrap().failed_record_count, Some(0));
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    megabytes_a_second(begun)
}
