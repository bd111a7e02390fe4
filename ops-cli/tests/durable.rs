//! Tests of durability: after a hundred kills at random moments under load, and on a full disk, every acknowledged record is
//! there once, in order, and has its line.
//!
//! `DURABLE_SEED` repeats the kills of an earlier run, `DURABLE_KILLS` sets their number.
#![allow(clippy::unwrap_used)]

mod common;
mod load;

use std::time::Duration;

use aws_sdk_kinesis::primitives::Blob;
use common::Endpoint;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_lose_no_acknowledged_record() {
    let setting = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seed = setting("DURABLE_SEED").unwrap_or_else(|| fastrand::u64(..));
    let kills = setting("DURABLE_KILLS").unwrap_or(100);
    println!("DURABLE_SEED={seed} DURABLE_KILLS={kills}");
    let mut random = fastrand::Rng::with_seed(seed);
    // Little data stays in memory, so that most is read from the data directory.
    let mut endpoint = load::RestartableEndpoint::start("1MiB");
    let acknowledged = load::run(&mut endpoint, 200, Duration::ZERO, async |endpoint, config| {
        load::kill(endpoint, config, kills, &mut random).await;
    });
    assert!(acknowledged.await > kills, "there was hardly any load");
}

/// A limit on the size of a file stands for a full disk: both end a write with an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_reported_and_loses_no_acknowledged_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut limited = common::ops_cli_by("sh");
    // 64 MiB (the unit is 512 bytes), which the journal occupies from the start. Without the trap, the signal for a file
    // that is too large would kill the process.
    limited.args(["-c", r#"trap '' XFSZ; ulimit -f 131072; exec "$0" "$@""#, common::OPS_CLI]);
    load::local(&mut limited, dir.path(), "0", "1MiB");
    let mut endpoint = Endpoint::of(&mut limited);
    let config = endpoint.sdk_config().await;
    let config = config.into_builder().retry_config(aws_config::retry::RetryConfig::disabled()).build();
    let kinesis = aws_sdk_kinesis::Client::new(&config);
    kinesis.create_stream().stream_name(load::STREAM).shard_count(1).send().await.unwrap();
    let put = async |number: usize| {
        let data = Blob::new(format!("{number} {}", "x".repeat(1_000_000)));
        kinesis.put_record().stream_name(load::STREAM).partition_key("k").data(data).send().await
    };
    while put(0).await.is_err() {
        load::pause().await;
    }
    let mut acknowledged = 1;
    let refusal = loop {
        match put(acknowledged).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error.into_service_error().meta().message().unwrap().to_owned(),
        }
        assert!(acknowledged < 1000, "the limit does not hold");
    };
    assert!(
        refusal.contains("nothing is persisted any more") && refusal.contains("File too large (os error"),
        "{refusal}"
    );
    let (status, body) = endpoint.get("/_local/health");
    assert!(status == 503 && body.contains("File too large"), "{status} {body}");
    // Data in memory is still served. Changes are rejected before they are applied.
    let found = load::records(&config).await;
    assert!(found.len() >= acknowledged, "{} of {acknowledged}", found.len());
    assert!(put(acknowledged).await.is_err());
    assert_eq!(load::records(&config).await.len(), found.len());
    endpoint.stop("-TERM");

    let mut unlimited = common::ops_cli();
    load::local(&mut unlimited, dir.path(), "0", "1MiB");
    let endpoint = Endpoint::of(&mut unlimited);
    let found = load::records(&endpoint.sdk_config().await).await;
    let numbers: Vec<u64> = found.iter().map(|record| record.number).collect();
    // A rejected record may be stored, but only as a whole.
    assert!(numbers.len() - acknowledged <= 1, "{} of {acknowledged}", numbers.len());
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
}
