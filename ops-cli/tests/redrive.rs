//! Tests of `ops-cli redrive`: a real function fails, the endpoint's destination receives documents, and every record that
//! they name is sent again.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::path_of_records::{documents, earlier, send_failures_to, set_environment};
use common::proxy::{Answer, Proxy};
use common::running::Running;
use common::{Endpoint, Run, eventually, scratch};
use serde_json::{Value, json};

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:failed";

/// Provisions a path whose function fails, publishes `records` records, and returns the documents about them.
async fn failed_records(endpoint: &Endpoint, destination: &str, records: usize, publish: &[&str]) -> Vec<Value> {
    endpoint.provision(&["--batch-size", "4"]);
    fail(endpoint, destination, records, publish).await
}

/// The same on a path that is provisioned.
async fn fail(endpoint: &Endpoint, destination: &str, records: usize, publish: &[&str]) -> Vec<Value> {
    send_failures_to(endpoint, destination).await;
    set_environment(endpoint, &[("LOGGER_DATA", "wrong")]).await;
    let input: String = (0..records).map(|number| format!("{{\"n\":{number}}}\n")).collect();
    Run::with_stdin(&mut endpoint.ops(["publish"].iter().chain(publish)), input.as_bytes()).ok();
    // Documents of the same second are in no order.
    let mut documents = documents(endpoint, records as u64);
    let first =
        |listed: &Value| listed["document"]["KinesisBatchInfo"]["startSequenceNumber"].as_str().map(str::to_owned);
    documents.sort_by_key(first);
    documents
}

/// The values of `n` in the log, one for each line.
fn logged(endpoint: &Endpoint) -> Vec<u64> {
    let lines = endpoint.run(["tail", "--view", "raw", "--no-platform"]).ok().stdout;
    let number = |line: &str| line.split_once("{\"n\":")?.1.split('}').next()?.parse().ok();
    lines.lines().filter_map(number).collect()
}

/// Waits until the log has every number below `count`, and returns all numbers in the log.
fn all_logged(endpoint: &Endpoint, count: u64) -> Vec<u64> {
    eventually("every record's line", || {
        let logged = logged(endpoint);
        (logged.iter().collect::<BTreeSet<_>>().len() as u64 == count).then_some(logged)
    })
}

fn file(name: &str, content: &str) -> std::path::PathBuf {
    let path = scratch(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_records_are_redriven_to_the_function_once() {
    let endpoint = Endpoint::start();
    let listed = failed_records(&endpoint, QUEUE, 10, &["--key", "k"]).await;
    assert_eq!(logged(&endpoint), [0; 0]);
    // While the function still fails, redrive reports that.
    let failing = endpoint.run(["redrive", "--to", "function", "--attempts", "1", "--from-destination", "failed"]);
    let failing = failing.failed(1, "10 records failed again", "the notices above");
    assert!(failing.stdout.is_empty() && failing.stderr.contains("10 records of"), "{}", failing.stderr);

    set_environment(&endpoint, &[]).await;
    let plan =
        endpoint.run(["--output", "json", "redrive", "--to", "function", "--dry-run", "--from-destination", "failed"]);
    let planned: u64 = plan.ok().json().iter().map(|batch| batch["records"].as_u64().unwrap()).sum();
    assert_eq!((planned, logged(&endpoint)), (10, vec![]));

    // As a queue returns them, one twice.
    let message = |listed: &Value| json!({ "MessageId": "m", "Body": listed["document"].to_string() });
    let mut messages: Vec<_> = listed.iter().map(message).collect();
    messages.push(messages[0].clone());
    let received = json!({ "Messages": messages }).to_string();
    let mut redrive = endpoint.ops(["--output", "json", "redrive", "--to", "function"]);
    let run = Run::with_stdin(&mut redrive, received.as_bytes()).ok();
    assert!(run.stderr.contains("skipped a second document"), "{}", run.stderr);
    let offsets: Vec<_> = run.json().iter().map(|receipt| receipt["offset"].as_u64().unwrap()).collect();
    assert_eq!(offsets, (0..10).collect::<Vec<_>>());
    assert_eq!(all_logged(&endpoint, 10), (0..10).collect::<Vec<_>>());
    // The records keep their sequence numbers, so that receipts find their lines.
    let receipts = file("redrive-receipts.ndjson", &run.stdout);
    endpoint.run(["verify", "--receipts", text(&receipts)]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_records_are_published_again_with_their_keys() {
    let endpoint = Endpoint::start();
    failed_records(&endpoint, "arn:aws:sns:us-east-1:000000000000:failed", 6, &["--key", "user-1"]).await;
    set_environment(&endpoint, &[]).await;
    let run = endpoint.run(["--output", "json", "redrive", "--to", "stream", "--from-destination", "failed"]).ok();
    assert_eq!(run.json().len(), 6);
    assert!(run.stderr.contains("6 redriven"), "{}", run.stderr);
    assert_eq!(all_logged(&endpoint, 6), (0..6).collect::<Vec<_>>());
    let lines = endpoint.run(["tail", "--view", "raw", "--no-platform"]).ok().stdout;
    assert_eq!(lines.matches("user-1").count(), 6, "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_are_redriven_whole_to_both_targets() {
    let endpoint = Endpoint::start();
    let publish = ["--aggregate", "--key-field", "/n"];
    endpoint.provision(&["--shards", "2", "--batch-size", "4"]);
    send_failures_to(&endpoint, QUEUE).await;
    set_environment(&endpoint, &[("LOGGER_DATA", "wrong")]).await;
    let input: String = (0..20).map(|number| format!("{{\"n\":{number}}}\n")).collect();
    let mut command = endpoint.ops(["--output", "json", "publish"].iter().chain(&publish));
    let receipts = Run::with_stdin(&mut command, input.as_bytes()).ok().json();
    let puts: BTreeSet<_> = receipts.iter().map(|receipt| receipt["sequenceNumber"].to_string()).collect();
    documents(&endpoint, puts.len() as u64);
    set_environment(&endpoint, &[]).await;
    for (target, each) in [("function", 1), ("stream", 2)] {
        let run = endpoint.run(["--output", "json", "redrive", "--to", target, "--from-destination", "failed"]).ok();
        assert_eq!(run.json().len(), puts.len());
        let logged = eventually("the lines", || Some(logged(&endpoint)).filter(|logged| logged.len() >= 20 * each));
        let mut logged = logged;
        logged.sort_unstable();
        assert_eq!(logged, (0..20).flat_map(|number| std::iter::repeat_n(number, each)).collect::<Vec<u64>>());
        // Republished aggregates return to their shards.
        for receipt in run.json() {
            let shard = receipt["shardId"].as_str().unwrap();
            assert!(receipts.iter().any(|original| original["shardId"] == shard));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_past_retention_are_reported_and_the_others_redriven() {
    let endpoint = Endpoint::start();
    let mut listed = failed_records(&endpoint, QUEUE, 2, &["--key", "k"]).await;
    set_environment(&endpoint, &[]).await;
    // The first batch begins with a record that was put 25 hours earlier.
    let info = &mut listed[0]["document"]["KinesisBatchInfo"];
    info["startSequenceNumber"] = json!(earlier(info["startSequenceNumber"].as_str().unwrap(), 25));
    info["batchSize"] = json!(info["batchSize"].as_u64().unwrap() + 1);
    let documents = file("redrive-retention.json", &json!(listed).to_string());
    let run = endpoint.run(["--output", "json", "redrive", "--to", "function", text(&documents)]);
    let run = run.failed(1, "1 record could not be fetched", "the notices above");
    assert!(run.stderr.contains("are past the retention of the stream, which is 24 hours"), "{}", run.stderr);
    // The missing record has an offset, but no receipt.
    let offsets: Vec<_> = run.json().iter().map(|receipt| receipt["offset"].as_u64().unwrap()).collect();
    assert_eq!(offsets, [1, 2]);
    assert_eq!(all_logged(&endpoint, 2), [0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_a_bucket_is_redriven_from_its_payload_after_retention() {
    let endpoint = Endpoint::start();
    let mut listed = failed_records(&endpoint, "arn:aws:s3:::failed", 3, &["--key", "k"]).await;
    set_environment(&endpoint, &[]).await;
    for listed in &mut listed {
        let info = &mut listed["document"]["KinesisBatchInfo"];
        for name in ["startSequenceNumber", "endSequenceNumber"] {
            info[name] = json!(earlier(info[name].as_str().unwrap(), 25));
        }
    }
    // Objects, one after the other. They would be taken for repeated ones, because they now begin and end alike.
    for (number, listed) in listed.iter().enumerate() {
        let object = file(&format!("redrive-object-{number}.json"), &listed["document"].to_string());
        endpoint.run(["redrive", "--to", "function", text(&object)]).ok();
    }
    assert_eq!(all_logged(&endpoint, 3), [0, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_other_records_in_its_range_is_sent_only_on_request() {
    let endpoint = Endpoint::start();
    let mut listed = failed_records(&endpoint, QUEUE, 2, &["--key", "k"]).await;
    set_environment(&endpoint, &[]).await;
    // One document about the range of both records, as a mapping with a filter writes.
    let last = listed.last().unwrap()["document"]["KinesisBatchInfo"]["endSequenceNumber"].clone();
    listed.truncate(1);
    let info = &mut listed[0]["document"]["KinesisBatchInfo"];
    (info["endSequenceNumber"], info["batchSize"]) = (last, json!(1));
    let documents = file("redrive-range.json", &listed[0]["document"].to_string());
    let redrive = |more: &[&str]| endpoint.run(["redrive", "--to", "function", text(&documents)].iter().chain(more));
    let run = redrive(&[]).failed(1, "1 record could not be fetched", "the notices above");
    assert!(run.stdout.is_empty() && run.stderr.contains("--whole-range sends all of them"), "{}", run.stderr);
    redrive(&["--whole-range"]).ok();
    assert_eq!(all_logged(&endpoint, 2), [0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_is_continued_without_repeating_a_record() {
    interrupted_and_resumed("function", "Invoke").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_to_the_stream_is_continued_without_repeating_a_record() {
    let endpoint = interrupted_and_resumed("stream", "GetRecords").await;
    assert_eq!(endpoint.run(["consume"]).ok().stdout.lines().count(), 80, "each record twice: as put, and as redriven");
}

/// Interrupts a run to a target, whose calls of an operation are slow, and resumes it.
async fn interrupted_and_resumed(target: &str, slow: &str) -> Endpoint {
    let endpoint = Endpoint::start();
    failed_records(&endpoint, QUEUE, 40, &["--key", "k"]).await;
    set_environment(&endpoint, &[]).await;
    endpoint.fault(&json!({ "operation": slow, "kind": "latency", "milliseconds": 150, "probability": 1 }));
    let receipts = scratch(&format!("redrive-resumed-{target}.ndjson"));
    let lines = || std::fs::read_to_string(&receipts).map_or(0, |content| content.lines().count());
    let options = ["redrive", "--to", target, "--from-destination", "failed"];
    let mut run =
        Running::start(endpoint.ops(options.iter().chain(&["--receipts", text(&receipts)])).env("NO_COLOR", "1"));
    eventually("the first receipts", || (lines() > 0).then_some(()));
    run.signal("-INT");
    assert_eq!(run.ended(), 130);
    let before = lines();
    assert!((1..40).contains(&before), "{before}");
    assert_eq!(run.stderr.count("continue with --resume"), 1, "{:?}", run.stderr.lines());
    endpoint.faults("DELETE", "");
    let resumed = endpoint.run(options.iter().chain(&["--resume", text(&receipts)])).ok();
    assert!(resumed.stderr.contains(&format!("{before} redriven before")), "{}", resumed.stderr);
    assert_eq!(lines(), 40);
    assert_eq!(all_logged(&endpoint, 40), (0..40).collect::<Vec<_>>());
    endpoint
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_other_documents_skip_no_record() {
    let endpoint = Endpoint::start();
    let listed = failed_records(&endpoint, QUEUE, 5, &["--key", "k"]).await;
    set_environment(&endpoint, &[]).await;
    let document = |name: &str, listed: &[Value]| file(name, &json!(listed).to_string());
    let one = document("redrive-one.json", &listed[..1]);
    let (other, both) = (document("redrive-other.json", &listed[1..2]), document("redrive-both.json", &listed[..2]));
    let [receipts, published] = ["redrive-of-one.ndjson", "redrive-published.ndjson"].map(scratch);
    endpoint.run(["redrive", "--to", "function", "--receipts", text(&receipts), text(&one)]).ok();
    endpoint.run(["publish", "--receipts", text(&published), "x"]).ok();
    let before = std::fs::read(&receipts).unwrap();
    let resume = |to, receipts, documents: &Path| {
        endpoint.run(["redrive", "--to", to, "--resume", text(receipts), text(documents)])
    };
    resume("function", &receipts, &other).failed(2, "has receipts of other documents", "nothing was sent");
    resume("stream", &receipts, &one).failed(2, "has receipts of `redrive --to function`", "nothing was sent");
    resume("function", &published, &one).failed(2, "has receipts of `ops-cli publish`", "nothing was sent");
    assert_eq!(std::fs::read(&receipts).unwrap(), before);
    // A document that is added at the end is sent.
    let run = resume("function", &receipts, &both).ok();
    let records = |listed: &Value| listed["document"]["KinesisBatchInfo"]["batchSize"].as_u64().unwrap();
    let (earlier, added) = (records(&listed[0]), records(&listed[1]));
    assert!(run.stderr.contains(&format!("{added} redriven, {earlier} redriven before")), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_whose_receipts_cannot_be_written_count_as_redriven() {
    let endpoint = Endpoint::start();
    let listed = failed_records(&endpoint, QUEUE, 1, &["--key", "k"]).await;
    set_environment(&endpoint, &[]).await;
    let document = file("redrive-full.json", &json!(listed).to_string());
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let run = endpoint.ops(["redrive", "--to", "function", text(&document)]).stdout(full).output().unwrap();
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("1 record of 1 document: 1 redriven\n"), "{stderr}");
    assert!(stderr.contains("the records acknowledged last have no receipt"), "{stderr}");
    assert_eq!(all_logged(&endpoint, 1), [0]);
}

#[test]
fn input_that_names_no_batch_of_the_path_is_rejected_before_anything_is_sent() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let redrive = |input: &str| Run::with_stdin(&mut endpoint.ops(["redrive", "--to", "function"]), input.as_bytes());
    redrive("").failed(2, "the input has no documents", "on-failure documents");
    redrive("{}").failed(2, "no KinesisBatchInfo", "nothing was sent");
    let document = |stream: &str, function: &str| {
        json!({
            "requestContext": { "functionArn": format!("arn:aws:lambda:us-east-1:000000000000:function:{function}") },
            "KinesisBatchInfo": {
                "shardId": "shardId-000000000000", "startSequenceNumber": "1", "endSequenceNumber": "2", "batchSize": 1,
                "streamArn": format!("arn:aws:kinesis:us-east-1:000000000000:stream/{stream}"),
            },
        })
        .to_string()
    };
    redrive(&document("orders", "test-dev")).failed(2, "about the stream orders, not test-dev", "--stream orders");
    redrive(&document("test-dev", "other")).failed(2, "about the function other, not test-dev", "--function other");
    redrive(&document("test-dev", "test-dev")).failed(1, "1 record could not be fetched", "the notices above");
    let missing = endpoint.run(["redrive", "--to", "function", "--from-destination", "nope"]);
    missing.failed(1, "the destination nope has received no documents", "none has received any");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_iterator_is_replaced_and_no_record_is_repeated() {
    let endpoint = Endpoint::start();
    let listed = failed_records(&endpoint, QUEUE, 6, &["--key", "k"]).await;
    set_environment(&endpoint, &[]).await;
    let (mut reads, expired) = (0, Arc::new(AtomicU32::new(0)));
    let count = expired.clone();
    let proxy = Proxy::start(&endpoint, move |request| {
        reads += u32::from(request.operation == "GetRecords");
        // The first and the third read.
        if request.operation == "GetRecords" && [1, 3].contains(&reads) {
            count.fetch_add(1, Ordering::SeqCst);
            return Answer::Reply(400, r#"{"__type":"ExpiredIteratorException","message":"Iterator expired."}"#);
        }
        Answer::Forward
    });
    let message = |listed: &Value| json!({ "Body": listed["document"].to_string() });
    let received = json!({ "Messages": listed.iter().map(message).collect::<Vec<_>>() }).to_string();
    let run = Run::with_stdin(&mut proxy.ops(&["redrive", "--to", "function"]), received.as_bytes()).ok();
    assert!(run.stderr.contains("6 redriven"), "{}", run.stderr);
    assert_eq!(all_logged(&endpoint, 6), (0..6).collect::<Vec<_>>());
    assert_eq!(expired.load(Ordering::SeqCst), 2, "iterators that expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_partial_answer_only_the_other_records_are_sent_again() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--batch-size", "3", "--batch-window", "1", "--bisect=false"]);
    let listed = fail(&endpoint, QUEUE, 3, &["--key", "k"]).await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    set_environment(&endpoint, &[]).await;
    let info = &listed[0]["document"]["KinesisBatchInfo"];
    let last = info["endSequenceNumber"].as_str().unwrap();
    let partial: &'static str = format!(r#"{{"batchItemFailures":[{{"itemIdentifier":"{last}"}}]}}"#).leak();
    let mut invocations = 0;
    let proxy = Proxy::start(&endpoint, move |request| {
        invocations += u32::from(request.operation.contains("/invocations"));
        // The first invocation reports that it has processed two records. It does not reach the function.
        let is_first = request.operation.contains("/invocations") && invocations == 1;
        if is_first { Answer::Reply(200, partial) } else { Answer::Forward }
    });
    let document = file("redrive-partial.json", &listed[0]["document"].to_string());
    let run = proxy.run(&["--output", "json", "redrive", "--to", "function", text(&document)]).ok();
    let attempts: Vec<_> = run.json().iter().map(|receipt| receipt["attempts"].as_u64().unwrap()).collect();
    assert_eq!(attempts, [1, 1, 2], "{}", run.stdout);
    assert_eq!(all_logged(&endpoint, 1), [2]);
}
