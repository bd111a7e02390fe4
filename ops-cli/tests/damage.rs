//! Tests of a damaged data folder with the real program: it is rejected with a message and not changed, and `--recover` opens the
//! valid part.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use aws_sdk_kinesis::primitives::Blob;
use common::{Endpoint, Run, eventually, ops_cli};

const RECORDS: usize = 30;

fn local(dir: &Path, more: &[&str]) -> std::process::Command {
    let mut command = ops_cli();
    command.args(["--output", "json", "local", "--port", "0", "--data-dir"]).arg(dir).args(more);
    command
}

/// Creates a data directory and kills its endpoint after this many puts, each in a separate request.
async fn killed(dir: &Path) {
    let mut endpoint = Endpoint::of(&mut local(dir, &[]));
    let kinesis = aws_sdk_kinesis::Client::new(&endpoint.sdk_config().await);
    kinesis.create_stream().stream_name("orders").shard_count(1).send().await.unwrap();
    for number in 0..RECORDS {
        let put = kinesis.put_record().stream_name("orders").partition_key("k");
        put.data(Blob::new(format!("record-{number:02}-{}", "x".repeat(100)))).send().await.unwrap();
    }
    endpoint.stop("-KILL");
}

async fn records(endpoint: &Endpoint) -> Vec<String> {
    let kinesis = aws_sdk_kinesis::Client::new(&endpoint.sdk_config().await);
    let iterator = kinesis.get_shard_iterator().stream_name("orders").shard_id("shardId-000000000000");
    let iterator = iterator.shard_iterator_type(aws_sdk_kinesis::types::ShardIteratorType::TrimHorizon);
    let iterator = iterator.send().await.unwrap().shard_iterator.unwrap();
    let page = kinesis.get_records().shard_iterator(iterator).send().await.unwrap();
    page.records.iter().map(|record| String::from_utf8(record.data.as_ref()[..9].to_vec()).unwrap()).collect()
}

fn journal(dir: &Path) -> PathBuf {
    dir.join("store/0.jnl")
}

fn position(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap()
}

/// Asserts that the start is rejected with a message, without exports and without changes.
#[track_caller]
fn refused(dir: &Path, words: &str) {
    let before = std::fs::read(journal(dir)).ok();
    let run = Run::of(&mut local(dir, &[]));
    let is_worded = [words, "nothing in it was changed", "--recover"].iter().all(|part| run.stderr.contains(part));
    assert!(run.code == 1 && run.stdout.is_empty() && is_worded, "{run:?}");
    assert_eq!(std::fs::read(journal(dir)).ok(), before, "the journal was changed");
}

/// Starts with `--recover`, and returns its output on stderr until it serves.
fn recovered(dir: &Path) -> (Endpoint, String) {
    let log = dir.join("stderr.txt");
    let command = local(dir, &["--recover"]);
    // A shell redirects the endpoint's stderr to a file.
    let mut shell = common::ops_cli_by("sh");
    shell
        .args(["-c", r#"exec "$0" "$@" 2>"$STDERR""#])
        .arg(command.get_program())
        .args(command.get_args())
        .env("STDERR", &log);
    let endpoint = Endpoint::of(&mut shell);
    let text = eventually("it says that it listens", || {
        std::fs::read_to_string(&log).ok().filter(|text| text.contains("listening on"))
    });
    (endpoint, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_reported_by_file_and_position_and_recovery_loses_one_record() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path()).await;
    let mut bytes = std::fs::read(journal(dir.path())).unwrap();
    let hit = position(&bytes, "record-11");
    bytes[hit + 40] ^= 0x10;
    std::fs::write(journal(dir.path()), &bytes).unwrap();
    refused(dir.path(), "store/0.jnl at byte ");
    let (endpoint, text) = recovered(dir.path());
    let expected: Vec<String> =
        (0..RECORDS).filter(|number| *number != 11).map(|number| format!("record-{number:02}")).collect();
    assert_eq!(records(&endpoint).await, expected);
    assert!(
        text.contains("damaged: store/0.jnl at byte ") && text.contains("which was acknowledged, is missing"),
        "{text}"
    );
    let kept = text.lines().find_map(|line| line.split_once("a copy of the damaged directory is in ")).unwrap().1;
    assert_eq!(std::fs::read(Path::new(kept).join("store/0.jnl")).unwrap(), bytes);
    drop(endpoint);
    // The damage is repaired.
    let endpoint = Endpoint::of(&mut local(dir.path(), &[]));
    assert_eq!(records(&endpoint).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_damaged_metadata_is_rejected_and_recovered_with_all_records() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path()).await;
    for (file, content) in [
        ("local-aws.json", None),
        ("local-aws.json", Some("{")),
        ("local-aws.json", Some(r#"{"fnrmat":2}"#)),
        ("credentials.json", Some("")),
        ("commits", None),
    ] {
        let path = dir.path().join(file);
        match content {
            Some(content) => std::fs::write(&path, content).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let run = Run::of(&mut local(dir.path(), &[]));
        let is_worded = [file, "--recover"].iter().all(|part| run.stderr.contains(part));
        assert!(run.code == 1 && run.stdout.is_empty() && is_worded, "{file} {content:?}: {run:?}");
        let (endpoint, text) = recovered(dir.path());
        assert_eq!(records(&endpoint).await.len(), RECORDS, "{file} {content:?}: {text}");
        assert!(text.contains(file), "{file} {content:?}: {text}");
        drop(endpoint);
        let endpoint = Endpoint::of(&mut local(dir.path(), &[]));
        assert_eq!(records(&endpoint).await.len(), RECORDS, "{file} {content:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_empty_or_deleted_journal_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path()).await;
    let bytes = std::fs::read(journal(dir.path())).unwrap();
    let half = position(&bytes, "record-15");
    for cut in [half, 0] {
        std::fs::write(journal(dir.path()), &bytes[..cut]).unwrap();
        refused(dir.path(), "commits that were acknowledged are missing");
    }
    std::fs::remove_file(journal(dir.path())).unwrap();
    refused(dir.path(), "commits that were acknowledged are missing");
    std::fs::write(journal(dir.path()), &bytes[..half]).unwrap();
    let (endpoint, text) = recovered(dir.path());
    assert_eq!(records(&endpoint).await.len(), 15);
    assert!(text.contains("are missing: numbers"), "{text}");
}
