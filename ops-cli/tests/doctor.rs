//! Tests of `doctor` on the real path.
#![allow(clippy::unwrap_used)]

mod common;

use common::proxy::{Answer, Proxy};
use common::{Endpoint, Run};
use serde_json::Value;

fn doctor(endpoint: &Endpoint) -> Run {
    endpoint.run(["--output", "json", "doctor"])
}

/// The subjects and messages of the findings with this severity.
fn findings(run: &Run, severity: &str) -> Vec<(String, String)> {
    let diagnosis = run.json().remove(0);
    let findings = diagnosis["findings"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let chosen = findings.iter().filter(|finding| finding["severity"] == severity);
    chosen.map(|finding| (text(&finding["subject"]), text(&finding["message"]))).collect()
}

#[test]
fn a_new_path_is_in_order_but_for_its_missing_destination() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    endpoint.run(["publish", "a record"]).ok();
    let run = doctor(&endpoint).ok();
    assert_eq!(findings(&run, "broken"), []);
    let warnings = findings(&run, "warning");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0], ("mapping".to_owned(), "a batch is retried until its records expire".to_owned()));
    let subjects: Vec<_> = findings(&run, "ok").into_iter().map(|(subject, _)| subject).collect();
    let all = [
        "credentials",
        "clock",
        "permissions",
        "permissions",
        "stream",
        "shards",
        "role",
        "log group",
        "function",
        "alias",
        "invocations",
        "quotas",
    ];
    assert_eq!(subjects, all);

    endpoint.run(["provision", "--on-failure", "arn:aws:sqs:us-east-1:000000000000:failed"]).ok();
    assert_eq!(findings(&doctor(&endpoint).ok(), "warning"), []);
    let text = endpoint.run(["doctor"]).ok().stdout;
    assert!(text.contains("ok       alias         live runs version 1\n"), "{text}");
}

#[test]
fn a_broken_path_is_named_with_what_to_do_and_exits_with_1() {
    let endpoint = Endpoint::start();
    let nothing = doctor(&endpoint);
    assert_eq!(nothing.code, 1, "{nothing:?}");
    let missing: Vec<_> = findings(&nothing, "broken").into_iter().map(|(subject, _)| subject).collect();
    assert_eq!(missing, ["stream", "role", "log group", "function", "mapping"]);
    let subjects: Vec<_> = findings(&nothing, "ok").into_iter().map(|(subject, _)| subject).collect();
    assert!(!subjects.contains(&"permissions".to_owned()), "nothing can be tried: {subjects:?}");

    endpoint.provision(&["--enabled=false", "--retention-days", "0"]);
    let disabled = endpoint.run(["doctor"]);
    assert!(disabled.stdout.contains("broken   mapping       the mapping is disabled\n"), "{}", disabled.stdout);
    assert!(disabled.stdout.contains("→ ops-cli provision --enabled\n"), "{}", disabled.stdout);
    assert!(disabled.stdout.contains("warning  log group     events never expire\n"), "{}", disabled.stdout);
    assert_eq!((disabled.code, disabled.stderr.as_str()), (1, "error: 1 broken part of the path: see above\n"));
}

#[test]
fn a_missing_permission_is_a_finding() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let proxy = Proxy::start(&endpoint, |request| match request.operation.as_str() {
        // Without `--local`, no put is tried, because another emulator would write the record.
        operation if ["DescribeLimits", "ListShards"].contains(&operation) || operation.contains("/invocations") => {
            Answer::Reply(400, r#"{"__type":"AccessDeniedException","message":"User is not authorized"}"#)
        }
        _ => Answer::Forward,
    });
    let run = proxy.run(&["--output", "json", "doctor"]).ok();
    let warnings: Vec<_> = findings(&run, "warning").into_iter().map(|(subject, _)| subject).collect();
    assert_eq!(warnings, ["permissions", "shards", "mapping", "quotas"], "{}", run.stdout);
}
