//! `cargo bench -p local-aws --bench kinesis`: records through the endpoint over HTTP, with client and server in one
//! process, and how the cost grows with shards and records.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and ends at the first surprise")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const RECORDS: usize = 500;
const DATA_BYTES: usize = 1024;
const RUN: Duration = Duration::from_secs(2);

/// Starts an endpoint on its own port that runs as long as the process.
fn endpoint(data_dir: Option<&Path>) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let data_dir = data_dir.map(Path::to_owned);
    let config = local_aws::Config { verify_signatures: false, data_dir, ..local_aws::Config::default() };
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            local_aws::run(listener, config, std::future::pending()).await.unwrap();
        });
    });
    address
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::with_capacity(1 << 20, stream))
    }

    fn call(&mut self, operation: &str, body: &[u8]) -> Vec<u8> {
        let head = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-amz-json-1.1\r\nx-amz-target: Kinesis_20131202.{operation}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let stream = self.0.get_mut();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let (mut line, mut length, mut status) = (String::new(), 0, String::new());
        while line != "\r\n" {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            if status.is_empty() {
                status.clone_from(&line);
            }
            if let Some((_, value)) = line.to_ascii_lowercase().split_once("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer).unwrap();
        assert!(status.contains(" 200 "), "{operation}: {status}{}", String::from_utf8_lossy(&answer));
        answer
    }

    fn json(&mut self, operation: &str, body: Value) -> Value {
        serde_json::from_slice(&self.call(operation, body.to_string().as_bytes())).unwrap_or_default()
    }

    fn create(&mut self, name: &str, shards: usize) {
        self.json("CreateStream", json!({ "StreamName": name, "ShardCount": shards }));
        let is_active = |answer: Value| answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE";
        while !is_active(self.json("DescribeStreamSummary", json!({ "StreamName": name }))) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn iterator(&mut self, name: &str) -> Value {
        let shard = "shardId-000000000000";
        let input = json!({ "StreamName": name, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" });
        self.json("GetShardIterator", input)["ShardIterator"].take()
    }
}

fn put_records(name: &str) -> Vec<u8> {
    let data = base64_simd::STANDARD.encode_to_string([b'x'; DATA_BYTES]);
    let records: Vec<_> =
        (0..RECORDS).map(|key| json!({ "PartitionKey": format!("key-{key}"), "Data": data })).collect();
    json!({ "StreamName": name, "Records": records }).to_string().into_bytes()
}

/// Measures the calls per second of several clients that call without a pause.
fn rate(address: SocketAddr, clients: usize, operation: &str, body: &[u8]) -> f64 {
    let started = Instant::now();
    let calls = std::thread::scope(|scope| {
        let client = || {
            let mut client = Client::new(address);
            let mut calls = 0;
            while started.elapsed() < RUN {
                client.call(operation, body);
                calls += 1;
            }
            calls
        };
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum::<usize>()
    });
    calls as f64 / started.elapsed().as_secs_f64()
}

fn throughput(name: &str, address: SocketAddr) {
    Client::new(address).create("s", 4);
    let megabytes = |calls: f64, records: usize| calls * (records * DATA_BYTES) as f64 / 1e6;
    for clients in [1, 2, 8] {
        let calls = rate(address, clients, "PutRecords", &put_records("s"));
        println!(
            "{name}: PutRecords, {clients} clients: {:.0} MB/s, {:.0} records/s",
            megabytes(calls, RECORDS),
            calls * RECORDS as f64
        );
    }
    let data = base64_simd::STANDARD.encode_to_string([b'x'; DATA_BYTES]);
    let put = json!({ "StreamName": "s", "PartitionKey": "k", "Data": data }).to_string();
    for clients in [1, 8] {
        let calls = rate(address, clients, "PutRecord", put.as_bytes());
        println!("{name}: PutRecord, {clients} clients: {calls:.0} records/s");
    }
    let mut client = Client::new(address);
    let get = json!({ "ShardIterator": client.iterator("s") }).to_string();
    let calls = rate(address, 1, "GetRecords", get.as_bytes());
    println!("{name}: GetRecords: {:.0} MB/s", megabytes(calls, 10_000));
}

/// Measures the median time of several calls.
fn time(mut call: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..21)
        .map(|_| {
            let started = Instant::now();
            call();
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[10]
}

fn curves(address: SocketAddr) {
    let mut client = Client::new(address);
    for shards in [10, 100, 1000, 10_000] {
        let name = format!("shards-{shards}");
        client.create(&name, shards);
        let (put, list) = (put_records(&name), json!({ "StreamName": name, "MaxResults": 10_000 }).to_string());
        let put = time(|| drop(client.call("PutRecords", &put)));
        let list = time(|| drop(client.call("ListShards", list.as_bytes())));
        println!("{shards} shards: PutRecords {put:.2} ms, ListShards {list:.2} ms");
    }
    client.create("records", 1);
    let put = put_records("records");
    let mut count = 0;
    for records in [1_000, 10_000, 100_000] {
        let started = Instant::now();
        while count < records {
            client.call("PutRecords", &put);
            count += RECORDS;
        }
        let put_ms = started.elapsed().as_secs_f64() * 1e3;
        let (started, mut iterator, mut read) = (Instant::now(), client.iterator("records"), 0);
        while read < count {
            let page = client.json("GetRecords", json!({ "ShardIterator": iterator }));
            read += page["Records"].as_array().unwrap().len();
            iterator = page["NextShardIterator"].clone();
        }
        println!("{records} records: put {put_ms:.0} ms, read {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    }
}

fn main() {
    throughput("memory", endpoint(None));
    let dir = tempfile::tempdir().unwrap();
    throughput("data folder", endpoint(Some(dir.path())));
    curves(endpoint(None));
}
