//! Adverse conditions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::common::proxy::{Answer, Proxy};
use super::common::running::Running;
use super::{Fixture, STREAM, assert_shown_once, numbered};
use crate::common::Endpoint;

#[tokio::test(flavor = "multi_thread")]
async fn throttling_slows_a_run_is_reported_once_and_loses_nothing() {
    let fixture = Fixture::new(2).await;
    let mut put = numbered("before", 0..500);
    fixture.put(&put).await;
    fixture.endpoint.fault(&json!({ "operation": "GetRecords", "kind": "throttled", "probability": 0.8, "seed": 5 }));
    let consume = Running::start(&mut fixture.endpoint.ops(["consume", "-f"]));
    let more = numbered("meanwhile", 0..500);
    fixture.put(&more).await;
    put.extend(more);
    put.iter().for_each(|line| consume.stdout.has(line));
    fixture.endpoint.faults("DELETE", "");
    consume.stderr.has("reads are not throttled any more");
    assert_shown_once(consume.stdout.lines(), &put);
    assert_eq!((consume.stderr.count("are throttled"), consume.stderr.lines().len()), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn server_errors_dropped_answers_and_truncated_ones_lose_and_repeat_nothing() {
    let fixture = Fixture::new(2).await;
    let put = numbered("record", 0..3000);
    fixture.put(&put).await;
    for kind in ["serverError", "droppedAnswer"] {
        for operation in ["GetRecords", "GetShardIterator", "ListShards"] {
            fixture.endpoint.fault(&json!({ "operation": operation, "kind": kind, "probability": 0.3, "seed": 7 }));
        }
    }
    assert_shown_once(fixture.consume(&[]).ok().stdout.lines(), &put);
    fixture.endpoint.faults("DELETE", "");
    let answers = AtomicUsize::new(0);
    let proxy = Proxy::start(&fixture.endpoint, move |request| match request.operation.as_str() {
        "GetRecords" if answers.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) => Answer::Half,
        _ => Answer::Forward,
    });
    assert_shown_once(proxy.run(&["consume"]).ok().stdout.lines(), &put);
}

/// An iterator expires after five minutes, for example because a pager does not read. Here the proxy says that it has.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_iterator_is_renewed_after_the_last_record() {
    let fixture = Fixture::new(1).await;
    let expired = r#"{"__type":"ExpiredIteratorException","message":"Iterator expired. The iterator was created at time Sat Nov 28 10:00:00 UTC 2026 while right now it is Sat Nov 28 10:06:00 UTC 2026 which is further in the future than the tolerated delay of 300000 milliseconds."}"#;
    let renewed = Arc::new(AtomicUsize::new(0));
    let (reads, iterators) = (AtomicUsize::new(0), Arc::clone(&renewed));
    let proxy = Proxy::start(&fixture.endpoint, move |request| {
        if request.operation == "GetShardIterator" {
            iterators.fetch_add(1, Ordering::Relaxed);
        }
        let is_read = request.operation == "GetRecords";
        if is_read && reads.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            Answer::Reply(400, expired)
        } else {
            Answer::Forward
        }
    });
    for from in ["trim-horizon", "latest"] {
        let consume = Running::start(&mut proxy.ops(&["consume", "-f", "--from", from]));
        let before = renewed.load(Ordering::Relaxed);
        super::common::eventually("a renewed iterator", || {
            (renewed.load(Ordering::Relaxed) > before + 2).then_some(())
        });
        let put = numbered(from, 0..30);
        for record in put.chunks(3) {
            fixture.put(record).await;
            record.iter().for_each(|line| consume.stdout.has(line));
        }
        assert_shown_once(consume.stdout.lines(), &put);
        assert!(consume.stderr.lines().is_empty(), "{:?}", consume.stderr.lines());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_children_of_a_shard_that_expires_are_read() {
    let fixture = Fixture::new(1).await;
    fixture.put(&numbered("expired", 0..10)).await;
    fixture.scale(2).await;
    let put = numbered("child", 0..100);
    fixture.put(&put).await;
    // The shard is still listed, but cannot be read any more.
    let proxy = Proxy::start(&fixture.endpoint, |request| {
        let is_parent = String::from_utf8_lossy(&request.body).contains("shardId-000000000000");
        let missing = r#"{"__type":"ResourceNotFoundException","message":"Shard shardId-000000000000 in stream test-dev under account 000000000000 does not exist"}"#;
        if request.operation == "GetShardIterator" && is_parent { Answer::Reply(400, missing) } else { Answer::Forward }
    });
    let run = proxy.run(&["consume"]).ok();
    assert_shown_once(run.stdout.lines(), &put);
    assert!(run.stderr.contains("the shard shardId-000000000000 has expired"), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_deleted_ends_the_run_with_an_error() {
    let fixture = Fixture::new(1).await;
    fixture.put(&numbered("record", 0..1)).await;
    let mut consume = Running::start(&mut fixture.endpoint.ops(["consume", "-f"]));
    consume.stdout.has("record 000000");
    fixture.kinesis.delete_stream().stream_name(STREAM).send().await.unwrap();
    assert_eq!(consume.ended(), 1);
    consume.stderr.has("there is no stream test-dev");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_ten_mebibytes_are_read_in_bounded_memory() {
    let fixture = Fixture::new(4).await;
    let described = fixture.kinesis.describe_stream_summary().stream_name(STREAM).send().await.unwrap();
    let arn = described.stream_description_summary.unwrap().stream_arn;
    let update = fixture.kinesis.update_max_record_size().stream_arn(&arn).max_record_size_in_kib(10_240);
    update.send().await.unwrap();
    fixture.active().await;
    const COUNT: usize = 10;
    for n in 0..COUNT {
        fixture.put_one(&format!("key {n}"), &vec![b'x'; (10 << 20) - 10]).await;
    }
    let (lines, peak) = read_and_measure(&fixture.endpoint, &["consume"]);
    assert_eq!(lines, COUNT);
    // The program itself, which is larger in a development build, needs less than 16 MiB.
    assert!(peak <= 48 * 1024, "{peak} KiB");
}

/// Runs a command, and returns the number of its lines and the peak of its resident KiB, without the program.
fn read_and_measure(endpoint: &Endpoint, arguments: &[&str]) -> (usize, u64) {
    use std::io::Read;
    let mut child = endpoint.ops(arguments).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (mut buffer, mut lines, mut peak) = (vec![0; 1 << 20], 0, 0);
    loop {
        let read = stdout.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        lines += buffer[..read].iter().filter(|&&byte| byte == b'\n').count();
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB"));
        peak = peak.max(resident.map_or(0, |kib| kib.trim().parse().unwrap()));
    }
    assert!(child.wait().unwrap().success());
    (lines, peak)
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_credentials_are_reported_once_and_the_run_resumes_where_it_was() {
    let fixture = Fixture::new(4).await;
    let is_expired = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&is_expired);
    let proxy = Proxy::start(&fixture.endpoint, move |_| {
        let expired =
            r#"{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}"#;
        if now.load(Ordering::Relaxed) { Answer::Reply(400, expired) } else { Answer::Forward }
    });
    let mut put = numbered("before", 0..100);
    fixture.put(&put).await;
    let consume = Running::start(&mut proxy.ops(&["consume", "-f"]));
    put.iter().for_each(|line| consume.stdout.has(line));

    is_expired.store(true, Ordering::Relaxed);
    consume.stderr.has("export new ones, or use --profile");
    let meanwhile = numbered("meanwhile", 0..100);
    fixture.put(&meanwhile).await;
    is_expired.store(false, Ordering::Relaxed);
    meanwhile.iter().for_each(|line| consume.stdout.has(line));
    put.extend(meanwhile);
    assert_shown_once(consume.stdout.lines(), &put);
    consume.stderr.has("the credentials are valid again; resuming");
    assert_eq!(consume.stderr.lines().len(), 2, "{:?}", consume.stderr.lines());

    is_expired.store(true, Ordering::Relaxed);
    proxy.run(&["consume"]).failed(1, "ExpiredTokenException", "export new ones");
}
