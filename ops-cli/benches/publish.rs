//! `cargo make bench`: compares `publish` with common alternatives on one endpoint, as the table in docs/benchmarks.md, and
//! measures it for a minute at the shards' write limit. `PUBLISH_BENCH_RECORDS` and `PUBLISH_BENCH_SECONDS` shorten it.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and ends at the first surprise")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::StreamStatus;
use common::{Endpoint, install};
use serde_json::{Value, json};

const SHARDS: u32 = 4;
const STREAM: &str = "test-dev";
const LINE_BYTES: usize = 200;
/// The part of the records for the slower programs, which is enough to measure their speed.
const BOTO3_SHARE: u64 = 10;
const AWS_CALLS: u64 = 10;
/// The limit of one shard (Kinesis quotas).
const RECORDS_PER_SECOND: u64 = 1000;

const BOTO3: &str = r"
import boto3, itertools, sys, uuid
kinesis = boto3.client('kinesis')
with open(sys.argv[1]) as lines:
    while batch := list(itertools.islice(lines, 500)):
        records = [{'Data': line.rstrip('\n').encode(), 'PartitionKey': uuid.uuid4().hex} for line in batch]
        answer = kinesis.put_records(StreamName=sys.argv[2], Records=records)
        assert answer['FailedRecordCount'] == 0
";

#[tokio::main]
async fn main() {
    let records = number("PUBLISH_BENCH_RECORDS", 1_000_000);
    let endpoint = Endpoint::start();
    let client = Client::new(&endpoint.sdk_config().await);
    let all = input("all", records);
    let some = input("some", records / BOTO3_SHARE);
    let line = std::fs::read_to_string(&some).unwrap().lines().next().unwrap().to_owned();
    let receipts = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-receipts");

    println!(
        "| {LINE_BYTES} bytes a record, {SHARDS} shards | records/s | `publish` is | client CPU µs a record | endpoint CPU µs a record | client peak MiB |"
    );
    println!("|---|---|---|---|---|---|");
    let mut fastest = None;
    let row = |what: &str, of: Option<f64>, measured: Measurement| {
        let Measurement { rate, client_us, endpoint_us, peak_mib } = measured;
        let times = of.map_or("–".to_owned(), |fastest| format!("{:.1} ×", fastest / rate));
        let digits = if rate < 100.0 { 2 } else { 0 };
        println!("| {what} | {rate:.digits$} | {times} | {client_us:.2} | {endpoint_us:.2} | {peak_mib:.1} |");
    };
    for (what, more) in [("`publish`", &[][..]), ("`publish --aggregate`", &["--aggregate"])] {
        std::fs::remove_file(&receipts).ok();
        let mut command =
            endpoint.ops(["publish", "--file", text(&all), "--receipts", text(&receipts)].iter().chain(more));
        let measured = measure(&endpoint, &client, &mut [&mut command], records).await;
        let plain = *fastest.get_or_insert(measured.rate);
        row(what, Some(plain), measured);
    }
    let Some(venv) =
        install::python("clients", Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/requirements.txt")))
    else {
        println!("(no Python with boto3 and the AWS CLI: their rows are left out)");
        return;
    };
    let mut boto3 = aws(&endpoint, &venv.join("bin/python"));
    boto3.args(["-c", BOTO3, text(&some), STREAM]);
    let measured = measure(&endpoint, &client, &mut [&mut boto3], records / BOTO3_SHARE).await;
    row("boto3, a loop of `put_records` of 500", fastest, measured);
    let mut calls: Vec<Command> = (0..AWS_CALLS).map(|n| put_record(&endpoint, &venv, n, &line)).collect();
    let measured = measure(&endpoint, &client, &mut calls.iter_mut().collect::<Vec<_>>(), AWS_CALLS).await;
    row("`aws kinesis put-record`", fastest, measured);

    throttled(&endpoint, &client, number("PUBLISH_BENCH_SECONDS", 60)).await;
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |number| number.parse().unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Writes this many different lines of JSON.
fn input(name: &str, lines: u64) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{name}.ndjson"));
    let mut content = String::new();
    for n in 0..lines {
        let begin = content.len();
        write!(content, "{{\"n\":{n},\"user\":\"u-{}\",\"text\":\"", n.wrapping_mul(2_654_435_761) % 100_003).unwrap();
        while content.len() - begin < LINE_BYTES - 2 {
            content.push(char::from(b'a' + (content.len() % 26) as u8));
        }
        content.push_str("\"}\n");
    }
    std::fs::write(&path, content).unwrap();
    path
}

struct Measurement {
    /// Records per second.
    rate: f64,
    client_us: f64,
    endpoint_us: f64,
    peak_mib: f64,
}

/// Runs the commands one after the other on a new stream.
async fn measure(endpoint: &Endpoint, client: &Client, commands: &mut [&mut Command], records: u64) -> Measurement {
    create_stream(client).await;
    let cpu_before = (cpu("self", 15), cpu(&endpoint.pid().to_string(), 13));
    let begun = Instant::now();
    let mut peak_kib = 0;
    for command in commands {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        while child.try_wait().unwrap().is_none() {
            peak_kib = peak_kib.max(resident_kib(&std::fs::read_to_string(&status).unwrap_or_default()));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(child.wait().unwrap().success());
    }
    let took = begun.elapsed().as_secs_f64();
    let cpu_after = (cpu("self", 15), cpu(&endpoint.pid().to_string(), 13));
    client.delete_stream().stream_name(STREAM).send().await.unwrap();
    Measurement {
        rate: records as f64 / took,
        client_us: (cpu_after.0 - cpu_before.0) * 1e6 / records as f64,
        endpoint_us: (cpu_after.1 - cpu_before.1) * 1e6 / records as f64,
        peak_mib: peak_kib as f64 / 1024.0,
    }
}

/// Waits until the previous stream is deleted and the new one is active.
async fn create_stream(client: &Client) {
    while client.create_stream().stream_name(STREAM).shard_count(SHARDS as i32).send().await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    loop {
        let summary = client.describe_stream_summary().stream_name(STREAM).send().await.unwrap();
        if summary.stream_description_summary.unwrap().stream_status == StreamStatus::Active {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns CPU seconds from /proc/PID/stat: user time in this field, counted from 0, and system time in the next. Fields 13
/// and 14 (proc(5)) are of the process, 15 and 16 of its ended children, in ticks of 10 ms.
fn cpu(process: &str, field: usize) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name in parentheses may contain any character.
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks = after_name.split_whitespace().skip(field - 2).take(2).map(|ticks| ticks.parse::<f64>().unwrap());
    ticks.sum::<f64>() / 100.0
}

fn resident_kib(status: &str) -> u64 {
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Returns a command of an AWS tool that is connected to the endpoint.
fn aws(endpoint: &Endpoint, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.envs(endpoint.exports());
    command
}

fn put_record(endpoint: &Endpoint, venv: &Path, n: u64, line: &str) -> Command {
    let mut command = aws(endpoint, &venv.join("bin/aws"));
    let key = format!("key-{n}");
    command.args(["kinesis", "put-record", "--stream-name", STREAM, "--partition-key", &key, "--data", line]);
    command
}

/// Measures the throughput of `publish` while each shard accepts 1,000 records/s and refuses the rest.
async fn throttled(endpoint: &Endpoint, client: &Client, seconds: u64) {
    let limit = u64::from(SHARDS) * RECORDS_PER_SECOND;
    let records = limit * seconds;
    let input = input("throttled", records);
    let receipts = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-throttled-receipts");
    std::fs::remove_file(&receipts).ok();
    create_stream(client).await;
    endpoint.fault(&json!({ "operation": "PutRecords", "kind": "shardLimit", "recordsPerSecond": RECORDS_PER_SECOND }));
    let run = endpoint.run(["--output", "json", "publish", "--file", text(&input), "--receipts", text(&receipts)]);
    let summary: Value = run.ok().json().remove(0);
    endpoint.faults("DELETE", "");
    let number = |name: &str| summary[name].as_f64().unwrap();
    // A shard starts with one second of burst capacity, which is not part of its rate.
    let held = (records - limit) as f64 / (number("seconds") * limit as f64);
    let refused = number("throttledRecords") / (number("acknowledged") + number("throttledRecords"));
    println!("\n| {SHARDS} shards at their write limit | goal | measured |\n|---|---|---|");
    println!("| share of the limit held, over {:.0} s | ≥ 95 % | {:.1} % |", number("seconds"), held * 100.0);
    println!("| share of records refused | < 5 % | {:.2} % |", refused * 100.0);
}
