//! `cargo make bench`: the speed of `consume` from the beginning of a stream, and its memory.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and ends at the first surprise")]

mod support;

use std::io::Read;
use std::process::Stdio;
use std::time::Instant;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, StreamStatus};
use support::common::Endpoint;
use support::{head, machine, median, row};

const STREAM: &str = "test-dev";
const SHARDS: usize = 4;
const BYTES: usize = 200;

#[tokio::main]
async fn main() {
    println!("machine: {}", machine());
    head(["what", "goal", "measured"]);

    const RECORDS: usize = 2_000_000;
    let endpoint = Endpoint::start_with(&["--memory-limit", "2GiB"]);
    fill(&endpoint, RECORDS).await;
    for (name, arguments) in [("`consume`", &[][..]), ("`consume --view json`", &["--view", "json"])] {
        let runs: Vec<_> = (0..3).map(|_| read(&endpoint, RECORDS, arguments)).collect();
        let rates: Vec<_> = runs.iter().map(|run| RECORDS as f64 / run.seconds).collect();
        row([&format!("{name} of 4 shards, records of 200 bytes"), "≥ 300,000/s", &format!("{:.0}/s", median(&rates))]);
        let peak = runs.iter().map(|run| run.peak_mib).fold(0.0, f64::max);
        row([&format!("{name}, peak memory"), "≤ 64 MiB", &format!("{peak:.1} MiB")]);
    }
    drop(endpoint);

    // 30 MB for each shard, at least 13 seconds.
    const LIMITED: usize = SHARDS * 150_000;
    // The limits of writes would make it take minutes to fill the stream.
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let mut endpoint = Endpoint::start_with(&["--data-dir", folder]);
    fill(&endpoint, LIMITED).await;
    endpoint.stop("-INT");
    let endpoint = Endpoint::start_with(&["--data-dir", folder, "--limits"]);
    let run = read(&endpoint, LIMITED, &[]);
    // The limit counts partition keys too, and a shard gives its first second at once.
    let bytes = LIMITED as f64 * (BYTES + 8) as f64 / SHARDS as f64;
    let limit = 2.0 * 1024.0 * 1024.0;
    let share = bytes / (limit * (run.seconds + 1.0)) * 100.0;
    row(["`consume` with `--limits`, of 2 MB/s and shard", "≥ 95 %", &format!("{share:.1} %")]);
}

/// Fills a new stream evenly.
async fn fill(endpoint: &Endpoint, records: usize) {
    let kinesis = Client::new(&endpoint.sdk_config().await);
    kinesis.create_stream().stream_name(STREAM).shard_count(SHARDS as i32).send().await.unwrap();
    loop {
        let described = kinesis.describe_stream_summary().stream_name(STREAM).send().await.unwrap();
        if described.stream_description_summary.unwrap().stream_status == StreamStatus::Active {
            break;
        }
        tokio::task::yield_now().await;
    }
    let mut next = 0;
    while next < records {
        let entry = |n: usize| {
            // The middle of each shard's hash keys.
            let hash_key = (u128::MAX / SHARDS as u128) * (n % SHARDS) as u128 + (1 << 100);
            let data = format!("{{\"n\":{n:09},\"text\":\"{}\"}}", "x".repeat(BYTES - 25));
            let entry = PutRecordsRequestEntry::builder().partition_key(format!("{:08}", n % 10_000));
            entry.explicit_hash_key(hash_key.to_string()).data(Blob::new(data)).build().unwrap()
        };
        let entries = (next..(next + 500).min(records)).map(entry).collect();
        let put = kinesis.put_records().stream_name(STREAM).set_records(Some(entries)).send().await.unwrap();
        assert_eq!(put.failed_record_count, Some(0));
        next += 500;
    }
}

struct Reading {
    seconds: f64,
    peak_mib: f64,
}

fn read(endpoint: &Endpoint, records: usize, arguments: &[&str]) -> Reading {
    let began = Instant::now();
    let mut command = endpoint.ops(["consume"].iter().chain(arguments));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (mut buffer, mut lines, mut peak_mib) = (vec![0; 1 << 20], 0, 0.0_f64);
    loop {
        let read = stdout.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        lines += buffer[..read].iter().filter(|&&byte| byte == b'\n').count();
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak_mib = peak_mib.max(peak.map_or(0.0, |kib| kib.trim().parse::<f64>().unwrap() / 1024.0));
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(lines, records);
    Reading { seconds: began.elapsed().as_secs_f64(), peak_mib }
}
