//! `cargo make soak [MINUTES]`: ten kills, then minutes of mixed load with the endpoint's memory watched. Too long for CI.
//!
//! `SOAK_KILLS` sets the number of kills, `SOAK_SEED` repeats them.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;
mod load;

use std::time::{Duration, Instant};

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;

const MIB: u64 = 1 << 20;
const MEMORY_LIMIT_MIB: u64 = 64;
/// Of each message and record.
const BYTES: usize = 2000;
/// Of each writer, after each put: the data folder stays below a few gigabytes.
const REST: Duration = Duration::from_millis(100);
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
        let mut endpoint = load::Restarted::start("1MiB");
        load::run(&mut endpoint, 200, Duration::ZERO, async |endpoint, config| {
            load::kill(endpoint, config, kills, &mut random).await;
        })
        .await;
        let mut endpoint = load::Restarted::start(&format!("{MEMORY_LIMIT_MIB}MiB"));
        let mut memory = Memory::default();
        load::run(&mut endpoint, BYTES, REST, async |endpoint, config| {
            memory = watch(endpoint, config, Duration::from_secs_f64(minutes * 60.0)).await;
        })
        .await;
        let folder = folder_bytes(endpoint.dir.path()) / MIB;
        memory.report(folder);
    });
}

/// The endpoint's resident memory, second by second.
#[derive(Default)]
struct Memory {
    samples: Vec<u64>,
    /// Bytes of records put beside the writers' load, in large requests.
    bulk: u64,
}

impl Memory {
    fn report(&self, folder: u64) {
        let limit = MEMORY_LIMIT_MIB;
        let bound = local_aws::memory_bound((limit * MIB) as usize) as u64 / MIB;
        let mib = |bytes: u64| bytes / MIB;
        let max = mib(self.samples.iter().copied().max().unwrap());
        let half = &self.samples[self.samples.len() / 2..];
        let later = mib(half.iter().sum::<u64>() / half.len() as u64);
        println!(
            "resident memory with --memory-limit {limit}MiB: at most {max} MiB of {bound}, {later} MiB on average in the second half"
        );
        println!("{} MiB were put in large requests; the data folder has {folder} MiB", mib(self.bulk));
        assert!(max <= bound, "resident memory reached {max} MiB, above {bound} MiB");
    }
}

/// Reads, and puts large requests beside the load, until the time is over.
async fn watch(endpoint: &load::Restarted, config: &aws_config::SdkConfig, time: Duration) -> Memory {
    let kinesis = aws_sdk_kinesis::Client::new(config);
    let logs = aws_sdk_cloudwatchlogs::Client::new(config);
    kinesis.create_stream().stream_name(BULK).shard_count(1).send().await.unwrap();
    let (begun, mut memory) = (Instant::now(), Memory::default());
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    while begun.elapsed() < time {
        ticks.tick().await;
        let entry =
            PutRecordsRequestEntry::builder().partition_key("k").data(Blob::new(vec![7; 500_000])).build().unwrap();
        let put = kinesis.put_records().stream_name(BULK).set_records(Some(vec![entry; 8])).send();
        let read = logs.filter_log_events().log_group_name(load::GROUP).filter_pattern("x").limit(1000).send();
        // Every fifth second something large.
        if memory.samples.len().is_multiple_of(5) && put.await.is_ok() {
            memory.bulk += 8 * 500_000;
        }
        read.await.unwrap();
        memory.samples.push(tokio::task::block_in_place(|| resident(endpoint)));
    }
    memory
}

fn resident(endpoint: &load::Restarted) -> u64 {
    let (_, metrics) = endpoint.endpoint.get("/_local/metrics");
    let value = metrics.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    value.unwrap().parse::<f64>().unwrap() as u64
}

fn folder_bytes(dir: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let bytes = entries.map(|entry| {
        let metadata = entry.metadata().unwrap();
        // What is on the disk: a journal is mostly a hole at first.
        if metadata.is_dir() {
            folder_bytes(&entry.path())
        } else {
            std::os::unix::fs::MetadataExt::blocks(&metadata) * 512
        }
    });
    bytes.sum()
}
