//! Sends some thousand Kinesis requests, the same in every run, and writes the responses in a form that can be compared
//! between two versions of the endpoint, or with a bare `ferrokinesis`.
//!
//! ```console
//! $ KINESIS_ANSWERS=after.txt cargo test -p local-aws --test kinesis_answers -- --ignored
//! $ KINESIS_ANSWERS=bare.txt KINESIS_SERVER=ferrokinesis cargo test -p local-aws --test kinesis_answers -- --ignored
//! $ KINESIS_ANSWERS=before.txt KINESIS_SERVER=127.0.0.1:4566 cargo test -p local-aws --test kinesis_answers -- --ignored
//! ```
//!
//! With an address, the requests go to the endpoint there, which must accept unsigned requests and have no streams.
#![allow(clippy::unwrap_used)]

mod client;
mod corpus;
#[path = "../common/model.rs"]
mod model;
mod normal;
mod random;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use client::Client;
use corpus::{Body, Request};
use local_aws::Config;
use serde_json::json;
use tokio::net::TcpListener;

/// The milliseconds of a stream's transition in a bare `ferrokinesis`.
const TRANSITION_MS: u64 = 2;

/// Operations that may start a transition.
const CHANGES: [&str; 9] = [
    "CreateStream",
    "DeleteStream",
    "SplitShard",
    "MergeShards",
    "UpdateShardCount",
    "StartStreamEncryption",
    "StopStreamEncryption",
    "UpdateStreamMode",
    "UpdateMaxRecordSize",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "records answers, for a developer to compare"]
async fn every_request_of_the_corpus_is_answered() {
    let path = std::env::var("KINESIS_ANSWERS").expect("KINESIS_ANSWERS names the file to write");
    let server = std::env::var("KINESIS_SERVER").unwrap_or_default();
    let is_realistic = std::env::var("KINESIS_REALISTIC").is_ok();
    let address = serve(&server, is_realistic).await;
    let requests = if is_realistic { corpus::during_changes() } else { corpus::requests() };
    let answers = tokio::task::spawn_blocking(move || answers(address, &requests, is_realistic)).await.unwrap();
    std::fs::write(path, answers).unwrap();
}

async fn serve(server: &str, realistic: bool) -> SocketAddr {
    if let Ok(address) = server.parse() {
        return address;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    if server == "ferrokinesis" {
        let millis = if realistic { 5000 } else { TRANSITION_MS };
        let (router, _) = ferrokinesis::create_app(ferrokinesis::store::StoreOptions {
            create_stream_ms: millis,
            delete_stream_ms: millis,
            update_stream_ms: millis,
            shard_limit: 100_000,
            ..Default::default()
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
    } else {
        let config = Config { verify_signatures: false, realistic, ..Config::default() };
        tokio::spawn(local_aws::run(listener, config, std::future::pending()));
    }
    address
}

fn answers(address: SocketAddr, requests: &[Request], is_realistic: bool) -> String {
    let mut client = Client::new(address);
    let mut text = String::new();
    for (index, Request { operation, body, .. }) in requests.iter().enumerate() {
        let (kind, input) = match body {
            Body::Wait(millis) => {
                std::thread::sleep(Duration::from_millis(*millis));
                continue;
            }
            Body::Json(input) => ("json", input.to_string()),
            Body::Cbor(input) => ("cbor", input.to_string()),
            Body::Raw(content_type, bytes) => (*content_type, String::from_utf8_lossy(bytes).into_owned()),
        };
        let (status, answer) = client.call(operation, body);
        let answer = normal::answer(answer);
        writeln!(text, "{index} {operation} {kind} {}\n  {status} {answer}", normal::shortened(&input)).unwrap();
        if CHANGES.contains(operation) && status == 200 && !is_realistic {
            settle(&mut client, body);
        }
    }
    text
}

/// Waits until the stream of a request is active or deleted.
fn settle(client: &mut Client, body: &Body) {
    let (Body::Json(input) | Body::Cbor(input)) = body else { return };
    let by = if input["StreamName"].is_string() { "StreamName" } else { "StreamARN" };
    let describe = Body::Json(json!({ by: input[by] }));
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(5) {
        let (status, answer) = client.call("DescribeStreamSummary", &describe);
        if status != 200 || answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("the stream of {input} does not settle");
}
