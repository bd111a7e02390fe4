//! Restarts with the same data directory.

use super::mappings::PRINT;
use super::*;

const FUNCTION: &str = "/2015-03-31/functions/f";

/// Ends the endpoint at any moment and starts another one with its data directory.
async fn restarted(bench: Bench, dir: &Path) -> Bench {
    bench.lambda.shutdown().await;
    drop(bench);
    Bench::open(dir).await
}

#[tokio::test]
async fn a_restart_restores_a_function_with_all_its_settings() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path()).await;
    let source = "import os\ndef handler(event, context): return os.environ['OWN']\n";
    let variables = json!({ "Variables": { "OWN": "value" } });
    let logging = json!({ "LogFormat": "JSON", "SystemLogLevel": "WARN", "LogGroup": "shared" });
    let more = json!({ "Environment": variables, "LoggingConfig": logging, "Timeout": 7, "Tags": { "a": "b" } });
    bench.create_python(source, more).await;
    bench.settled().await;
    bench.call("PUT", &format!("{FUNCTION}/configuration"), json!({ "Description": "changed" })).await;
    bench.settled().await;
    let concurrency = json!({ "ReservedConcurrentExecutions": 3 });
    bench.call("PUT", "/2017-10-31/functions/f/concurrency", concurrency).await;
    let event_invoke = "/2019-09-25/functions/f/event-invoke-config";
    bench.call("PUT", event_invoke, json!({ "MaximumRetryAttempts": 1 })).await;
    let policy = format!("{FUNCTION}/policy");
    let statement = json!({ "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "*" });
    bench.call("POST", &policy, statement).await;
    let shown = async |bench: &Bench| {
        let mut shown = bench.call("GET", FUNCTION, Value::Null).await.body;
        // The end of an update changes the revision, which is not persisted.
        shown["Configuration"]["RevisionId"].take();
        // The URL contains a signature and its time.
        shown["Code"].take();
        for path in [event_invoke, policy.as_str()] {
            let more = bench.call("GET", path, Value::Null).await;
            assert_eq!(more.status, 200, "{more:?}");
            shown[path] = more.body;
        }
        shown
    };
    let before = shown(&bench).await;
    assert_eq!(before["Configuration"]["Description"], "changed");

    let bench = restarted(bench, dir.path()).await;
    assert_eq!(shown(&bench).await, before);
    assert_eq!(bench.invoke(json!({})).await.body, "value");
    assert_eq!(bench.call("DELETE", FUNCTION, Value::Null).await.status, 204);

    let bench = restarted(bench, dir.path()).await;
    assert_eq!(bench.call("GET", FUNCTION, Value::Null).await.status, 404);
}

#[tokio::test]
async fn a_function_whose_code_is_lost_fails_until_it_is_updated() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path()).await;
    bench.create_python("def handler(event, context): return 1\n", json!({})).await;
    let mut batch = bench.lambda.context.store.batch();
    batch.remove(crate::store::Keyspace::Code, "f/zip");
    batch.commit();

    let bench = restarted(bench, dir.path()).await;
    let shown = bench.call("GET", "/2015-03-31/functions/f/configuration", Value::Null).await.body;
    let reason = "the data directory does not contain its code";
    assert_eq!((&shown["State"], &shown["StateReason"]), (&json!("Failed"), &json!(reason)));
    let failed = bench.invoke(json!({})).await;
    assert_eq!((failed.status, failed.code()), (502, "InvalidZipFileException"), "{failed:?}");
    assert_eq!(
        failed.message(),
        format!("The code of the function f cannot be run: {reason}. Update the function's code, or delete it.")
    );
    let zip =
        base64_simd::STANDARD.encode_to_string(zip_of(&[("index.py", b"def handler(event, context): return 2\n")]));
    let updated = bench.call("PUT", "/2015-03-31/functions/f/code", json!({ "ZipFile": zip })).await;
    assert_eq!(updated.status, 200, "{updated:?}");
    assert_eq!(bench.invoke(json!({})).await.body, 2);
}

#[tokio::test]
async fn a_mapping_resumes_after_its_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path()).await;
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    let filter = json!({ "Filters": [{ "Pattern": r#"{"partitionKey":["k"]}"# }] });
    let more = json!({ "StartingPosition": "LATEST", "BatchSize": 7, "FilterCriteria": filter, "Tags": { "a": "b" } });
    let uuid = bench.mapped(more).await;
    bench.put("k", "before").await;
    bench.prints("00 k before").await;
    bench.mapping_is(&uuid, "LastProcessingResult", "OK").await;
    let shown = async |bench: &Bench| {
        let mut shown = bench.mapping(&uuid).await;
        shown["LastModified"].take();
        shown["LastProcessingResult"].take();
        shown
    };
    let before = shown(&bench).await;
    bench.lambda.shutdown().await;
    bench.put("k", "between").await;

    let bench = restarted(bench, dir.path()).await;
    bench.prints("00 k between").await;
    assert_eq!(shown(&bench).await, before);
    // At least once, because the checkpoint of the last batch may not have been written.
    let printed = bench.printed();
    let count = printed.iter().filter(|line| *line == "00 k before").count();
    assert!((1..=2).contains(&count), "{printed:?}");
    bench.put("k", "after").await;
    bench.prints("00 k after").await;
    bench.call("DELETE", &format!("/2015-03-31/event-source-mappings/{uuid}"), Value::Null).await;

    let bench = restarted(bench, dir.path()).await;
    assert_eq!(bench.mapping(&uuid).await["Type"], "User", "{}", bench.mapping(&uuid).await);
}

#[tokio::test]
async fn a_failing_batch_resumes_with_its_attempts_and_records() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path()).await;
    bench.create_stream(1).await;
    bench.create_python(retries::FAIL, json!({})).await;
    for data in ["a", "bad"] {
        bench.put("k", data).await;
    }
    let queue = json!({ "OnFailure": { "Destination": "arn:aws:sqs:us-east-1:000000000000:q" } });
    let uuid = bench.mapped(json!({ "MaximumRetryAttempts": 5, "DestinationConfig": queue })).await;
    eventually("three attempts", async || (bench.saw().len() >= 3).then_some(())).await;
    bench.put("k", "next").await;

    let bench = restarted(bench, dir.path()).await;
    assert_eq!(bench.mapping(&uuid).await["LastProcessingResult"], "PROBLEM: Function call failed");
    bench.prints("saw next").await;
    // One more attempt may have been in progress when the endpoint ended. It does not count.
    let attempts = bench.saw().iter().filter(|saw| *saw == "a bad").count();
    assert!((6..=7).contains(&attempts) && bench.saw().len() == attempts + 1, "{:?}", bench.saw());
    let delivered = bench.lambda.delivered().await.unwrap().into_body();
    let delivered: Value = serde_json::from_slice(&delivered).unwrap();
    assert_eq!(delivered[0]["document"]["requestContext"]["approximateInvokeCount"], 6, "{delivered}");
    bench.mapping_is(&uuid, "LastProcessingResult", "OK").await;

    let bench = restarted(bench, dir.path()).await;
    assert_eq!(bench.mapping(&uuid).await["LastProcessingResult"], "OK");
}

#[tokio::test]
async fn an_event_resumes_with_its_attempts() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path()).await;
    // The first attempt fails. The second one does not end before the endpoint does.
    let source = "import os, time\ndef handler(event, context):\n    print('attempt of', context.aws_request_id)\n    tried = os.listdir(event)\n    open(f'{event}/{len(tried)}', 'w').close()\n    if len(tried) == 1: time.sleep(1000)\n    raise Exception('no')\n";
    bench.create_python(source, json!({ "Timeout": 900 })).await;
    let folder = tempfile::tempdir().unwrap();
    let event = json!(folder.path()).to_string();
    let kind = [("x-amz-invocation-type", "Event")];
    let sent = bench.request("POST", "/2015-03-31/functions/f/invocations", &kind, event).await;
    let line = format!("attempt of {}", sent.header("x-amzn-requestid").unwrap());
    let attempts = |bench: &Bench| bench.printed().iter().filter(|printed| **printed == line).count();
    eventually("the second attempt", async || (attempts(&bench) == 2).then_some(())).await;

    let bench = restarted(bench, dir.path()).await;
    // The attempt that was interrupted by the endpoint's end does not count, so two are left.
    eventually("the last attempt", async || (attempts(&bench) == 4).then_some(())).await;
    let store = bench.lambda.context.store.clone();
    let stored = || store.all::<Value>(crate::store::Keyspace::Events).unwrap();
    eventually("the event is finished", async || stored().is_empty().then_some(())).await;
    assert_eq!(attempts(&bench), 4);
}

#[tokio::test]
async fn an_event_accepted_during_shutdown_runs_after_the_restart() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path()).await;
    bench.create_python("def handler(event, context): print('ran', event)\n", json!({})).await;
    bench.lambda.shutdown().await;
    let kind = [("x-amz-invocation-type", "Event")];
    let sent = bench.request("POST", "/2015-03-31/functions/f/invocations", &kind, "1").await;
    assert_eq!(sent.status, 202, "{sent:?}");

    let bench = restarted(bench, dir.path()).await;
    bench.prints("ran 1").await;
}

#[tokio::test]
async fn a_window_resumes_with_its_state() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path()).await;
    bench.create_stream(1).await;
    bench.create_python(windows::COUNT, json!({})).await;
    bench.mapped(json!({ "TumblingWindowInSeconds": 900 })).await;
    bench.put("k", "one").await;
    bench.prints("batch 0 False shardId-000000000000 one").await;
    bench.put("k", "two").await;
    bench.prints("batch 1 False shardId-000000000000 two").await;

    let bench = restarted(bench, dir.path()).await;
    bench.put("k", "three").await;
    let counted = |line: &String| line.starts_with("batch ") && line.ends_with("three") && !line.starts_with("batch 0");
    eventually("the count continues", async || bench.printed().iter().any(counted).then_some(())).await;
}

#[tokio::test]
async fn a_mapping_reports_a_shard_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    let bench = Bench::with(Config { memory_limit: 1, ..Config::default() }, &store);
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    bench.put("k", "unreadable").await;
    store.damage_tables(dir.path());
    let uuid = bench.mapped(json!({})).await;
    let result = "PROBLEM: The stream could not be read from the data directory";
    bench.mapping_is(&uuid, "LastProcessingResult", result).await;
    assert!(bench.printed().is_empty());
    assert!(store.failure().is_some());
}
