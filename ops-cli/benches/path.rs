//! `cargo make bench`: the speed and size of the path on this machine, as the table in docs/benchmarks.md.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and ends at the first surprise")]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use aws_sdk_kinesis::primitives::Blob;
use serde_json::Value;
use support::common::{Endpoint, OPS_CLI};
use support::{head, json, machine, median, milliseconds, percentile, resident_mib, row};

#[tokio::main]
async fn main() {
    let zip = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench.zip");
    let packed = json(&["package", "--this-machine", "--out", zip.to_str().unwrap()]);
    let binary: PathBuf = packed["binary"].as_str().unwrap().into();

    println!("machine: {}", machine());
    head(["what", "goal", "measured"]);
    row(["`demo`, start to torn down", "< 2 s", &format!("{:.0} ms", median(&demos(5)))]);
    let (start, resident) = endpoint_start(10);
    row(["`local`, start to first answer", "≤ 100 ms", &format!("{:.1} ms", median(&start))]);
    row(["`local`, resident when idle", "< 30 MiB", &format!("{:.1} MiB", median(&resident))]);
    let latencies = put_to_line(&zip, 500).await;
    row(["put → log line readable, p50", "< 10 ms", &format!("{:.2} ms", percentile(&latencies, 0.50))]);
    row(["put → log line readable, p99", "< 50 ms", &format!("{:.2} ms", percentile(&latencies, 0.99))]);
    row(["function, zip", "< 1.5 MB", &format!("{:.2} MB", packed["bytes"].as_f64().unwrap() / 1e6)]);
    row(["function, spawn to first `/next`", "≤ 5 ms", &format!("{:.2} ms", median(&spawn_to_next(&binary, 51)))]);
}

fn demos(runs: usize) -> Vec<f64> {
    let demo = || {
        let output = Command::new(OPS_CLI).args(["--output", "json", "demo"]).stderr(Stdio::null()).output().unwrap();
        let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
        outcome["totalMs"].as_f64().unwrap()
    };
    (0..runs).map(|_| demo()).collect()
}

/// Returns the milliseconds from the start to the first answer, and the resident MiB after it.
fn endpoint_start(runs: usize) -> (Vec<f64>, Vec<f64>) {
    let run = |_| {
        let begun = Instant::now();
        let endpoint = Endpoint::start();
        let address = endpoint.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /_local/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let took = milliseconds(begun.elapsed());
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        (took, resident_mib(endpoint.pid()))
    };
    (0..runs).map(run).unzip()
}

/// Returns the milliseconds from the start of a PutRecord until FilterLogEvents returns its line, one record at a time.
async fn put_to_line(zip: &Path, records: usize) -> Vec<f64> {
    let endpoint = Endpoint::start();
    let outcome = endpoint.run(["--output", "json", "provision", "--zip", zip.to_str().unwrap()]).ok().json().remove(0);
    let (stream, group) = (outcome["stream"].as_str().unwrap(), outcome["logGroup"].as_str().unwrap());

    let config = endpoint.sdk_config().await;
    let (kinesis, logs) = (aws_sdk_kinesis::Client::new(&config), aws_sdk_cloudwatchlogs::Client::new(&config));
    let mut latencies = Vec::with_capacity(records);
    for n in 0..records + 20 {
        let begun = Instant::now();
        let put = kinesis.put_record().stream_name(stream).partition_key("k").data(Blob::new(format!("record {n}")));
        let pattern = format!("\"{}\"", put.send().await.unwrap().sequence_number);
        let since = jiff::Timestamp::now().as_millisecond() - 1000;
        loop {
            let query = logs.filter_log_events().log_group_name(group).filter_pattern(&pattern).start_time(since);
            if !query.send().await.unwrap().events().is_empty() {
                break;
            }
        }
        // The first ones start the function and fill every cache.
        if n >= 20 {
            latencies.push(milliseconds(begun.elapsed()));
        }
    }
    latencies
}

/// Returns the milliseconds from the start of the function until its first request for an invocation.
fn spawn_to_next(binary: &Path, runs: usize) -> Vec<f64> {
    let runtime_api = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = runtime_api.local_addr().unwrap().to_string();
    let run = |_| {
        let begun = Instant::now();
        let mut function = Command::new(binary)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "bench")
            .spawn()
            .unwrap();
        let (mut stream, _) = runtime_api.accept().unwrap();
        let mut head = [0; 64];
        let read = stream.read(&mut head).unwrap();
        let took = milliseconds(begun.elapsed());
        assert!(head[..read].starts_with(b"GET /2018-06-01/runtime/invocation/next"));
        function.kill().unwrap();
        function.wait().unwrap();
        took
    };
    (0..runs).map(run).collect()
}
