//! Tests of `deploy`, `versions`, `rollback` and `invoke` on the real path.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use common::proxy::{Answer, Proxy};
use common::running::Running;
use common::{Endpoint, Run, eventually, function_zip, ops_cli, scratch};
use serde_json::{Value, json};

/// A zip of the real function that differs from [`function_zip`] by what is appended to its binary.
fn another_zip(name: &str) -> PathBuf {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(function_zip()).unwrap()).unwrap();
    let mut binary = Vec::new();
    archive.by_name("bootstrap").unwrap().read_to_end(&mut binary).unwrap();
    binary.extend(name.as_bytes());
    packed(name, &binary)
}

/// A function that logs and acknowledges the record of a check. Any other batch ends its process.
fn broken_after_the_check(name: &str) -> PathBuf {
    after_the_check(name, "sys.exit(1)")
}

/// A function that logs and acknowledges the record of a check, and runs `statement` for any other batch.
fn after_the_check(name: &str, statement: &str) -> PathBuf {
    let script = r#"#!/usr/bin/env python3
import base64, json, os, sys, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(api + "next") as answer:
        request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        records = [record["kinesis"] for record in json.load(answer)["Records"]]
    if not all(record["partitionKey"].startswith("ops-cli-deploy") for record in records):
        STATEMENT
        continue
    for record in records:
        print(base64.b64decode(record["data"]).decode(), flush=True)
    urllib.request.urlopen(urllib.request.Request(api + request_id + "/response", b"null", method="POST")).close()
"#;
    packed(name, script.replace("STATEMENT", statement).as_bytes())
}

fn packed(name: &str, binary: &[u8]) -> PathBuf {
    let file = scratch(&format!("deploy-{name}"));
    std::fs::write(&file, binary).unwrap();
    let zip = scratch(&format!("deploy-{name}.zip"));
    Run::of(ops_cli().args(["package", "--this-machine", "--binary"]).arg(&file).arg("--out").arg(&zip)).ok();
    zip
}

fn deploy(endpoint: &Endpoint, zip: &Path, more: &[&str]) -> Run {
    endpoint.run(["--output", "json", "deploy", "--zip", zip.to_str().unwrap()].iter().chain(more))
}

fn versions(endpoint: &Endpoint) -> Vec<Value> {
    endpoint.run(["--output", "json", "versions"]).ok().json()
}

/// The version that runs every invocation.
#[track_caller]
fn live(endpoint: &Endpoint) -> Value {
    versions(endpoint).into_iter().find(|version| version["live"] == 1.0).expect("one version is live")
}

/// How often the records with these numbers as data were logged.
fn logged(endpoint: &Endpoint) -> BTreeMap<u64, usize> {
    let events = endpoint.run(["--output", "json", "tail", "--filter", "{ $.partitionKey = \"path\" }"]).ok().json();
    let mut counts = BTreeMap::new();
    for event in events {
        let line: Value = serde_json::from_str(event["message"].as_str().unwrap()).unwrap();
        let data = &line["data"];
        let number = data.as_u64().or_else(|| data.as_str()?.parse().ok()).unwrap();
        *counts.entry(number).or_default() += 1;
    }
    counts
}

/// Publishes numbers while `work` runs.
fn publishing(endpoint: &Endpoint, count: u64, rate: u64, work: impl FnOnce()) {
    let file = scratch(&format!("deploy-numbers-{}", endpoint.pid()));
    std::fs::write(&file, (0..count).map(|number| format!("{number}\n")).collect::<String>()).unwrap();
    let rate = rate.to_string();
    let publish = ["publish", "--quiet", "--key", "path", "--rate", &rate, "--file", file.to_str().unwrap()];
    let mut publish = Running::start(&mut endpoint.ops(publish));
    work();
    assert_eq!(publish.ended(), 0);
}

#[track_caller]
fn await_logged(endpoint: &Endpoint, count: u64) -> BTreeMap<u64, usize> {
    eventually(&format!("{count} records in the log"), || {
        Some(logged(endpoint)).filter(|counts| counts.len() as u64 >= count)
    })
}

fn calls(endpoint: &Endpoint, operation: &str) -> u64 {
    let (_, metrics) = endpoint.get("/_local/metrics");
    let lines = metrics.lines().filter(|line| line.contains(&format!("operation=\"{operation}\"")));
    lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap() as u64).sum()
}

#[test]
fn a_binary_that_would_die_at_init_is_rejected() {
    let mut binary = std::fs::read("/bin/true").unwrap();
    let newest = b"GLIBC_2.34\0";
    let Some(at) = binary.windows(newest.len()).position(|bytes| bytes == newest) else {
        eprintln!("skipped: /bin/true does not need glibc 2.34");
        return;
    };
    binary[at + 8..at + 10].copy_from_slice(b"99");
    let file = scratch("deploy-too-new");
    std::fs::write(&file, binary).unwrap();
    let out = scratch("deploy-too-new.zip");
    let package = |more: &[&str]| {
        let mut command = ops_cli();
        Run::of(command.args(["package", "--binary"]).arg(&file).arg("--out").arg(&out).args(more))
    };
    let rejected = package(&[]).failed(2, "@GLIBC_2.99), but provided.al2023 has 2.34", "ops-cli package");
    assert!(!out.exists(), "{}", rejected.stderr);
    std::fs::write(&file, "neither a program nor a script").unwrap();
    package(&["--this-machine"]).failed(2, "neither an ELF executable", "ops-cli package");
}

#[test]
fn a_new_version_becomes_live_after_its_check_and_an_unchanged_one_uploads_nothing() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let zip = another_zip("second");
    let first = deploy(&endpoint, &zip, &["--description", "the second build"]).ok().json().remove(0);
    assert_eq!((&first["uploaded"], &first["deleted"]), (&json!(true), &json!([])));
    let version = live(&endpoint);
    assert_eq!(version["version"].to_string(), first["version"].as_str().unwrap());
    assert_eq!(version["description"], "the second build");
    assert_eq!(version["codeSha256"], first["codeSha256"]);

    let (uploads, invocations) = (calls(&endpoint, "UpdateFunctionCode"), calls(&endpoint, "Invoke"));
    let again = deploy(&endpoint, &zip, &[]).ok().json().remove(0);
    assert_eq!((&again["uploaded"], &again["version"]), (&json!(false), &first["version"]));
    assert_eq!((calls(&endpoint, "UpdateFunctionCode"), calls(&endpoint, "Invoke")), (uploads, invocations));
    let text = endpoint.run(["deploy", "--zip", zip.to_str().unwrap()]).ok();
    assert_eq!(text.stdout, format!("nothing to do: live of test-dev runs version {}\n", version["version"]));
    assert_eq!(text.stderr, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_logged_once_during_a_takeover_a_canary_and_a_rollback() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--batch-size", "20"]);
    endpoint.remove_alias().await;
    let [second, third] = ["once-second", "once-third"].map(another_zip);
    publishing(&endpoint, 10_000, 500, || {
        await_logged(&endpoint, 1);
        deploy(&endpoint, &second, &[]).ok();
        let canary = deploy(&endpoint, &third, &["--canary", "50%", "--for", "1s"]).ok().json().remove(0);
        assert!(canary["canaryInvocations"].as_u64().unwrap() > 0, "{canary}");
        let before = endpoint.run(["--output", "json", "rollback"]).ok().json().remove(0);
        assert_eq!(before["previous"]["version"], canary["version"]);
        assert_eq!(live(&endpoint)["version"].to_string(), before["version"].as_str().unwrap());
        deploy(&endpoint, &third, &[]).ok();
    });
    let counts = await_logged(&endpoint, 10_000);
    let repeated: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(repeated.is_empty(), "no invocation failed, but these were logged again: {repeated:?}");
}

#[test]
fn a_check_that_fails_leaves_the_alias_and_a_canary_that_fails_moves_it_back() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--batch-size", "10"]);
    deploy(&endpoint, &another_zip("fails-second"), &[]).ok();
    let before = live(&endpoint);

    let dies = packed("dies", b"#!/bin/sh\nexit 1\n");
    let failed = endpoint.run(["deploy", "--zip", dies.to_str().unwrap()]);
    failed.failed(1, "is not live, because its check failed", "ops-cli invoke --version");
    assert_eq!(live(&endpoint), before);

    let broken = broken_after_the_check("broken");
    publishing(&endpoint, 2_000, 1_000, || {
        let args = ["deploy", "--zip", broken.to_str().unwrap(), "--canary", "50%", "--for", "1m"];
        let failed = endpoint.run(args);
        assert!(failed.stderr.contains("live moved back to version"), "{}", failed.stderr);
        failed.failed(1, "failed: ", "ops-cli invoke --version");
    });
    assert_eq!(live(&endpoint), before);
    await_logged(&endpoint, 2_000);
}

#[test]
fn a_canary_that_answers_with_errors_moves_back() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--batch-size", "10"]);
    let before = live(&endpoint);
    let refuses =
        "urllib.request.urlopen(urllib.request.Request(api + request_id + '/error', b'{}', method='POST')).close()";
    let broken = after_the_check("refuses", refuses);
    publishing(&endpoint, 2_000, 1_000, || {
        let args = ["deploy", "--zip", broken.to_str().unwrap(), "--canary", "99%", "--for", "1m"];
        endpoint.run(args).failed(1, "the event source mapping reports PROBLEM", "ops-cli invoke --version");
    });
    assert_eq!(live(&endpoint), before);
    await_logged(&endpoint, 2_000);
}

#[test]
fn a_canary_that_saw_no_invocation_moves_back() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let before = live(&endpoint);
    let zip = another_zip("unseen");
    let args = ["deploy", "--zip", zip.to_str().unwrap(), "--canary", "10%", "--for", "1s"];
    let failed = endpoint.run(args);
    failed.failed(
        1,
        "no invocation of version 2 was seen, although it had 10% of the invocations for 1 s",
        "deploy without --canary",
    );
    assert_eq!(live(&endpoint), before);
    let args = ["deploy", "--zip", zip.to_str().unwrap(), "--canary", "10%", "--for", "0s"];
    let rejected = endpoint.run(args);
    assert!(rejected.code == 2 && rejected.stderr.contains("expected a time above 0"), "{}", rejected.stderr);
}

#[test]
fn the_way_back_leads_to_the_version_that_was_live() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let first = live(&endpoint);
    for number in 0..3 {
        let dies = packed(&format!("back-dies-{number}"), format!("#!/bin/sh\nexit {}\n", number + 1).as_bytes());
        endpoint.run(["deploy", "--zip", dies.to_str().unwrap(), "--keep", "2"]).failed(1, "its check failed", "");
    }
    // The code of a version that failed its check does not become live with a change of a setting.
    let zip = another_zip("back-good");
    endpoint.run(["provision", "--zip", zip.to_str().unwrap(), "--keep-code", "--memory", "256"]).ok();
    assert_eq!(live(&endpoint), first);
    let deployed = deploy(&endpoint, &zip, &["--keep", "2"]).ok().json().remove(0);
    assert_eq!(deployed["deleted"], json!([2, 3, 4]));
    assert_eq!(live(&endpoint)["version"], 5);
    let versions = versions(&endpoint);
    let rows: Vec<_> = versions.iter().map(|row| (row["version"].as_u64().unwrap(), row["wasLive"] == true)).collect();
    assert_eq!(rows, [(5, false), (1, true)]);
    endpoint.run(["rollback"]).ok();
    assert_eq!(live(&endpoint)["version"], first["version"]);
    endpoint.run(["rollback"]).failed(1, "no version was live before version 1", "ops-cli versions");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_first_makes_live_what_the_mapping_runs() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let first = live(&endpoint);
    let second_zip = another_zip("adopt-second");
    deploy(&endpoint, &second_zip, &[]).ok();
    let second = live(&endpoint);
    let dies = packed("adopt-dies", b"#!/bin/sh\nexit 1\n");
    let lambda = aws_sdk_lambda::Client::new(&endpoint.sdk_config().await);
    let mappings = lambda.list_event_source_mappings().send().await.unwrap();
    let uuid = mappings.event_source_mappings()[0].uuid().unwrap().to_owned();
    let invoke = async |function: &str| {
        lambda.update_event_source_mapping().uuid(&uuid).function_name(function).send().await.unwrap();
    };
    // The mapping is pinned to the first version, or runs the uploaded code, while `live` is another version or that code.
    for (function, alias, runs) in [
        ("test-dev:1", "2", &first),
        ("test-dev", "1", &second),
        ("test-dev:$LATEST", "1", &second),
        ("test-dev:live", "$LATEST", &second),
    ] {
        deploy(&endpoint, &second_zip, &[]).ok();
        invoke(function).await;
        let move_alias = lambda.update_alias().function_name("test-dev").name("live").function_version(alias);
        move_alias.description("moved by hand").send().await.unwrap();
        let failed = endpoint.run(["deploy", "--zip", dies.to_str().unwrap()]);
        failed.failed(1, "its check failed", "ops-cli invoke");
        let mapping = lambda.get_event_source_mapping().uuid(&uuid).send().await.unwrap();
        assert!(mapping.function_arn().unwrap().ends_with(":test-dev:live"), "{function}: {mapping:?}");
        assert_eq!(live(&endpoint)["codeSha256"], runs["codeSha256"], "{function} {alias}");
    }
    lambda.create_alias().function_name("test-dev").name("blue").function_version("1").send().await.unwrap();
    invoke("test-dev:blue").await;
    let refused = endpoint.run(["deploy", "--zip", dies.to_str().unwrap()]);
    refused.failed(1, "the event source mapping invokes test-dev:blue, not live", "ops-cli provision");
}

#[test]
fn settings_that_hide_the_record_do_not_fail_its_check() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--env", "LOGGER_FIELDS=shard", "--env", "LOGGER_DATA=none"]);
    let deployed = endpoint.run(["deploy", "--zip", another_zip("hides").to_str().unwrap()]).ok();
    assert!(deployed.stderr.contains("only the answer was checked"), "{}", deployed.stderr);
}

#[test]
fn a_canary_that_is_interrupted_moves_back() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    deploy(&endpoint, &another_zip("interrupted-second"), &[]).ok();
    let before = live(&endpoint);
    let third = another_zip("interrupted-third");
    let args = ["deploy", "--zip", third.to_str().unwrap(), "--canary", "10%", "--for", "10m"];
    let mut running = Running::start(&mut endpoint.ops(args));
    eventually("the canary to begin", || {
        versions(&endpoint).iter().any(|version| version["live"] == 0.1).then_some(())
    });
    running.signal("-INT");
    assert_eq!(running.ended(), 130);
    assert_eq!(live(&endpoint), before);
}

#[test]
fn a_deploy_that_was_killed_after_any_call_can_be_run_again() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let zips = ["killed-even", "killed-odd"].map(another_zip);
    for call in 1.. {
        let zip = &zips[call % 2];
        let (reached, is_reached) = channel();
        let mut count = 0;
        let proxy = Proxy::start(&endpoint, move |_| {
            count += 1;
            if count < call {
                return Answer::Forward;
            }
            // The call is carried out, and its answer is lost with the process.
            reached.send(()).ok();
            Answer::Half
        });
        let args = ["deploy", "--zip", zip.to_str().unwrap(), "--keep", "2"];
        let mut running = Running::start(&mut proxy.ops(&args));
        let is_killed = eventually("the call or the end", || {
            let is_killed = is_reached.try_recv().is_ok();
            (is_killed || running.has_ended()).then_some(is_killed)
        });
        running.signal("-KILL");
        running.ended();
        let deployed = deploy(&endpoint, zip, &["--keep", "2"]).ok().json().remove(0);
        assert_eq!(live(&endpoint)["codeSha256"], deployed["codeSha256"], "after call {call}");
        assert!(versions(&endpoint).len() <= 3, "after call {call}");
        if !is_killed {
            assert!(call > 8, "a deploy makes more than {call} calls");
            return;
        }
    }
}

#[test]
fn old_versions_are_deleted_and_a_version_of_an_alias_is_kept() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let zips = ["old-a", "old-b"].map(another_zip);
    for number in 0..6 {
        deploy(&endpoint, &zips[number % 2], &["--keep", "3"]).ok();
    }
    let numbers = |endpoint: &Endpoint| -> Vec<u64> {
        versions(endpoint).iter().map(|version| version["version"].as_u64().unwrap()).collect()
    };
    let kept = numbers(&endpoint);
    assert_eq!(kept.len(), 3, "{kept:?}");
    let oldest = kept[2].to_string();
    endpoint.run(["rollback", &oldest]).ok();
    endpoint.run(["rollback", "1"]).failed(2, "there is no version 1", &oldest);
    // The check of this version fails, so that `live` stays at the oldest.
    let dies = packed("old-dies", b"#!/bin/sh\nexit 1\n");
    deploy(&endpoint, &dies, &["--keep", "1"]);
    assert!(numbers(&endpoint).contains(&kept[2]));
}

#[test]
fn invoke_runs_any_version_with_given_data() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let run =
        endpoint.run(["--output", "json", "invoke", "Hello, Lambda CLI World", "{\"a\":1}"]).ok().json().remove(0);
    assert_eq!((&run["error"], &run["answer"]), (&Value::Null, &json!("{\"batchItemFailures\":[]}")));
    let lines = run["log"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    let lines: Vec<Value> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
    let data: Vec<_> =
        lines.iter().filter(|line| line["sequenceNumber"].is_string()).map(|line| &line["data"]).collect();
    assert_eq!(data, [&json!("Hello, Lambda CLI World"), &json!({"a": 1})]);

    let file = scratch("deploy-invoke.ndjson");
    std::fs::write(&file, "one\ntwo\n").unwrap();
    let text = endpoint.run(["invoke", "--version", "$LATEST", "--records", file.to_str().unwrap()]).ok().stdout;
    assert!(
        text.contains("\"one\"") && text.contains("version $LATEST\nanswer {\"batchItemFailures\":[]}\n"),
        "{text}"
    );

    std::fs::write(&file, "not an event").unwrap();
    let refused = endpoint.run(["invoke", "--event", file.to_str().unwrap()]);
    assert_eq!((refused.code, refused.stderr.contains("is not JSON")), (2, true), "{}", refused.stderr);
    std::fs::write(&file, "{\"not\":\"records\"}").unwrap();
    let refused = endpoint.run(["invoke", "--event", file.to_str().unwrap()]);
    assert_eq!((refused.code, refused.stdout.contains("\nerror ")), (1, true), "{}", refused.stdout);
}
