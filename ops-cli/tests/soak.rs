//! `cargo make soak [MINUTES]`: ten kills, then minutes of mixed load with the endpoint's memory watched, divided among three
//! memory limits. Too long for CI.
//!
//! `SOAK_KILLS` sets the number of kills, `SOAK_SEED` repeats them.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;
mod load;

use std::time::{Duration, Instant};

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;

const MIB: u64 = 1 << 20;
const MEMORY_LIMITS_MIB: [u64; 3] = [1, 64, 128];
/// The size of each message and record.
const BYTES: usize = 2000;
/// The pause of each writer after each put, which keeps the data directory below a few gigabytes.
const REST: Duration = Duration::from_millis(100);
/// The concurrency of large requests, each with its own stream and log group.
const AT_ONCE: usize = 4;
const BULK: &str = "bulk";

fn main() {
    let minutes: f64 = std::env::args().nth(1).map_or(10.0, |minutes| minutes.parse().expect("takes minutes"));
    let setting = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seed = setting("SOAK_SEED").unwrap_or_else(|| fastrand::u64(..));
    let kills = setting("SOAK_KILLS").unwrap_or(10);
    println!("SOAK_SEED={seed} SOAK_KILLS={kills}, {minutes} minutes");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut endpoint = load::RestartableEndpoint::start("1MiB");
        load::run(&mut endpoint, 200, Duration::ZERO, async |endpoint, config| {
            load::kill(endpoint, config, kills, &mut random).await;
        })
        .await;
        let time = Duration::from_secs_f64(minutes * 60.0 / MEMORY_LIMITS_MIB.len() as f64);
        for limit in MEMORY_LIMITS_MIB {
            let mut endpoint = load::RestartableEndpoint::start(&format!("{limit}MiB"));
            let idle = resident(&endpoint, "VmRSS:");
            let mut memory = Memory::default();
            load::run(&mut endpoint, BYTES, REST, async |endpoint, config| {
                memory = Memory { idle, ..watch(endpoint, config, time).await };
            })
            .await;
            // The checks above read all data.
            memory.highest = memory.highest.max(resident(&endpoint, "VmHWM:"));
            let folder = folder_bytes(endpoint.dir.path()) / MIB;
            memory.report(limit, folder);
        }
    });
}

/// The endpoint's resident memory, in bytes.
#[derive(Default)]
struct Memory {
    idle: u64,
    /// One value per second.
    samples: Vec<u64>,
    /// The maximum that the kernel reports.
    highest: u64,
    /// The bytes of large requests, in addition to the writers' load.
    bulk: u64,
}

impl Memory {
    fn report(&self, limit: u64, folder: u64) {
        let mib = |bytes: u64| bytes / MIB;
        let bound = mib(local_aws::memory_bound((limit * MIB) as usize) as u64);
        let half = &self.samples[self.samples.len() / 2..];
        let (idle, highest, later) =
            (mib(self.idle), mib(self.highest), mib(half.iter().sum::<u64>() / half.len() as u64));
        println!(
            "resident memory with --memory-limit {limit}MiB: {idle} MiB when idle, at most {highest} MiB of {bound}, {later} MiB \
             on average in the second half"
        );
        println!("{} MiB were put in large requests; the data folder has {folder} MiB", mib(self.bulk));
        assert!(highest <= bound, "resident memory reached {highest} MiB, above {bound} MiB");
    }
}

/// Reads, and puts large requests of records and log events in turn, until the time is over.
async fn watch(endpoint: &load::RestartableEndpoint, config: &aws_config::SdkConfig, time: Duration) -> Memory {
    let kinesis = aws_sdk_kinesis::Client::new(config);
    let logs = aws_sdk_cloudwatchlogs::Client::new(config);
    kinesis.create_stream().stream_name(BULK).shard_count(1).send().await.unwrap();
    logs.create_log_group().log_group_name(BULK).send().await.unwrap();
    for stream in 0..AT_ONCE {
        logs.create_log_stream().log_group_name(BULK).log_stream_name(stream.to_string()).send().await.unwrap();
    }
    let mut memory = Memory::default();
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    while begun.elapsed() < time {
        ticks.tick().await;
        let puts: Vec<_> = if memory.samples.len().is_multiple_of(2) {
            (0..AT_ONCE).map(|_| tokio::spawn(put_large_records(kinesis.clone()))).collect()
        } else {
            (0..AT_ONCE).map(|stream| tokio::spawn(put_many_events(logs.clone(), stream))).collect()
        };
        let read = logs.filter_log_events().log_group_name(load::GROUP).filter_pattern("x").limit(1000).send();
        read.await.unwrap();
        for put in puts {
            memory.bulk += put.await.unwrap();
        }
        memory.samples.push(resident(endpoint, "VmRSS:"));
    }
    memory.highest = resident(endpoint, "VmHWM:");
    memory
}

/// Puts large records, and returns the number of acknowledged bytes.
async fn put_large_records(kinesis: aws_sdk_kinesis::Client) -> u64 {
    const BYTES: usize = 500_000;
    let entry = PutRecordsRequestEntry::builder().partition_key("k").data(Blob::new(vec![7; BYTES])).build().unwrap();
    let put = kinesis.put_records().stream_name(BULK).set_records(Some(vec![entry; 8])).send().await;
    put.map_or(0, |_| 8 * BYTES as u64)
}

/// Puts large batches of events, and returns the number of acknowledged bytes.
async fn put_many_events(logs: aws_sdk_cloudwatchlogs::Client, stream: usize) -> u64 {
    const EVENTS: usize = 400;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    let event = InputLogEvent::builder().timestamp(now).message("x".repeat(BYTES)).build().unwrap();
    let put = logs.put_log_events().log_group_name(BULK).log_stream_name(stream.to_string());
    put.set_log_events(Some(vec![event; EVENTS])).send().await.map_or(0, |_| (EVENTS * BYTES) as u64)
}

fn resident(endpoint: &load::RestartableEndpoint, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", endpoint.endpoint.pid())).unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
    value.unwrap().parse::<u64>().unwrap() * 1024
}

fn folder_bytes(dir: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let bytes = entries.map(|entry| {
        let metadata = entry.metadata().unwrap();
        // The size on disk, because a journal is sparse at first.
        if metadata.is_dir() {
            folder_bytes(&entry.path())
        } else {
            std::os::unix::fs::MetadataExt::blocks(&metadata) * 512
        }
    });
    bytes.sum()
}
