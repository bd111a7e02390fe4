//! Live Tail sessions, joined to polling.

use std::collections::BTreeMap;

use super::common::proxy::{Answer, Proxy};
use super::common::running::Running;
use super::{Fixture, ago};

#[tokio::test(flavor = "multi_thread")]
async fn a_live_session_joins_the_backfill_and_shows_all_identical_lines() {
    let fixture = Fixture::new().await;
    let time = ago(0);
    fixture.put_at(time, &["same", "same"]).await;
    let tail = Running::start(&mut fixture.endpoint.ops(["tail", "--live"]));
    tail.stdout.has("same");
    for n in 0..30 {
        fixture.put_at(time, &["same"]).await;
        fixture.put(&[&format!("line {n}")]).await;
    }
    tail.stdout.has("line 29");
    fixture.put(&["the end"]).await;
    tail.stdout.has("the end");
    assert_eq!((tail.stdout.count("same"), tail.stdout.count("line ")), (32, 30), "{:?}", tail.stdout.lines());
    assert_eq!(tail.stderr.count("costs $0.01 per minute"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sampling_is_reported_and_polling_shows_the_omitted_events() {
    let fixture = Fixture::new().await;
    let tail = Running::start(&mut fixture.endpoint.ops(["tail", "--live"]));
    fixture.put(&["before"]).await;
    tail.stdout.has("before");
    let lines: Vec<String> = (0..5000).map(|n| format!("line {n}.")).collect();
    fixture.put(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    tail.stderr.has("Live Tail samples");
    super::common::eventually("all lines", || (tail.stdout.lines().len() >= 5001).then_some(()));
    let mut counts = BTreeMap::<String, usize>::new();
    tail.stdout.lines().into_iter().for_each(|line| *counts.entry(line).or_default() += 1);
    assert!(counts.len() == 5001 && counts.values().all(|count| *count == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_session_falls_back_to_polling() {
    let fixture = Fixture::new().await;
    let refusal = r#"{"__type":"AccessDeniedException","message":"not authorized to perform logs:StartLiveTail"}"#;
    let proxy = Proxy::start(&fixture.endpoint, move |request| match request.operation.as_str() {
        "StartLiveTail" => Answer::Reply(400, refusal),
        _ => Answer::Forward,
    });
    let tail = Running::start(&mut proxy.ops(&["tail", "--live"]));
    tail.stderr.has("Live Tail is refused: AccessDeniedException: not authorized");
    fixture.put(&["polled"]).await;
    tail.stdout.has("polled");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_session_restarts_without_losing_events() {
    let mut fixture = Fixture::new().await;
    let folder = super::common::scratch("tail-live");
    let port = (20_000..32_000).map(|_| fastrand::u16(20_000..32_000));
    let port =
        port.into_iter().find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap().to_string();
    let options = ["--data-dir", folder.to_str().unwrap(), "--access-key-id", "live", "--secret-access-key", "live"];
    let start = || {
        let mut command = super::common::ops_cli();
        command.args(["--output", "json", "local", "--port", port.as_str()]).args(options);
        super::common::Endpoint::of(&mut command)
    };
    fixture.endpoint = start();
    fixture.logs = aws_sdk_cloudwatchlogs::Client::new(&fixture.endpoint.sdk_config().await);
    fixture.create(super::GROUP, super::STREAM).await;
    let tail = Running::start(&mut fixture.endpoint.ops(["tail", "--live"]));
    for round in 0..2 {
        let before = format!("before {round}");
        // A session that has not begun cannot break off.
        super::common::eventually("the session", || {
            let (_, metrics) = fixture.endpoint.get("/_local/metrics");
            metrics.contains("operation=\"StartLiveTail\"").then_some(())
        });
        fixture.put(&[&before]).await;
        tail.stdout.has(&before);
        fixture.endpoint.stop("-KILL");
        tail.stderr.has("the Live Tail session broke off");
        fixture.endpoint = start();
        fixture.logs = aws_sdk_cloudwatchlogs::Client::new(&fixture.endpoint.sdk_config().await);
    }
    fixture.put(&["after"]).await;
    tail.stdout.has("after");
    assert_eq!(tail.stdout.lines(), ["before 0", "before 1", "after"]);
}
