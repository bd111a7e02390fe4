//! Tests of `plan` and `provision`: every setting changes alone, the configuration file, and interrupted runs.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use common::provisioning::{CHANGES, planned};
use common::proxy::{Answer, Proxy};
use common::running::Running;
use common::{Endpoint, Run, function_zip, ops_cli, scratch};
use serde_json::Value;

#[test]
fn each_setting_is_planned_alone_and_converges() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    for (args, field) in CHANGES {
        let json = |more: &[&str]| endpoint.run(["--output", "json", "plan"].iter().chain(*args).chain(more));
        let plan = json(&["--exit-code"]);
        assert_eq!(plan.code, 3, "{args:?}: {plan:?}");
        if !["retries", "max-record-age"].contains(field) {
            assert_eq!(planned(&plan), [*field], "{args:?}");
        }
        endpoint.run(["provision", "--yes"].iter().chain(*args)).ok();
        let after = json(&["--exit-code"]);
        assert_eq!(after.code, 0, "{args:?}: {after:?}");
    }
}

#[test]
fn a_function_joins_a_network_and_leaves_it() {
    let endpoint = Endpoint::start();
    let joined = ["--subnets", "subnet-1,subnet-2", "--security-groups", "sg-1"];
    endpoint.provision(&joined);
    let plan = |args: &[&str]| endpoint.run(["--output", "json", "plan"].iter().chain(args)).ok();
    assert!(planned(&plan(&joined)).is_empty());
    assert_eq!(
        planned(&plan(&["--subnets", "subnet-1", "--security-groups", "sg-1"])),
        ["inline-policy", "subnets"][1..]
    );
    let left = ["--subnets", "none", "--security-groups", "none"];
    assert_eq!(planned(&plan(&left)), ["security-groups", "subnets"]);
    endpoint.run(["provision"].iter().chain(&left)).failed(2, "these changes cost or lose something", "--yes");
    endpoint.run(["provision", "--yes"].iter().chain(&left)).ok();
    assert!(planned(&plan(&left)).is_empty());
    endpoint.run(["plan", "--subnets", "subnet-1"]).failed(2, "both subnets and security groups", "--security-groups");
}

#[tokio::test]
async fn a_mapping_reads_through_a_consumer_that_is_deleted_with_it() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--fan-out"]);
    let kinesis = aws_sdk_kinesis::Client::new(&endpoint.sdk_config().await);
    let stream = kinesis.describe_stream_summary().stream_name("test-dev").send().await.unwrap();
    let stream_arn = stream.stream_description_summary.unwrap().stream_arn;
    let consumers = async || {
        kinesis.list_stream_consumers().stream_arn(&stream_arn).send().await.unwrap().consumers.unwrap_or_default()
    };
    assert_eq!(consumers().await.len(), 1);
    assert_eq!(endpoint.run(["plan", "--exit-code", "--fan-out"]).code, 0);
    let status = endpoint.run(["--output", "json", "status"]).ok().json().remove(0);
    assert_eq!(status["mapping"]["state"], "Enabled", "{status}");
    endpoint.run(["plan", "--fan-out=false"]).failed(2, "set only when it is created", "leave fan-out out");
    let input = "one\ntwo\n";
    Run::with_stdin(&mut endpoint.ops(["publish"]), input.as_bytes()).ok();
    common::eventually("the lines", || {
        let lines = endpoint.run(["tail"]).ok().stdout;
        (lines.contains("\"one\"") && lines.contains("\"two\"")).then_some(())
    });
    let deleted = endpoint.run(["teardown", "--yes", "--keep-stream"]).ok().stderr;
    assert!(deleted.contains("and its consumer test-dev"), "{deleted}");
    assert!(consumers().await.is_empty());
}

#[test]
fn a_plan_is_the_value_that_provision_executes() {
    let endpoint = Endpoint::start();
    let zip = function_zip().to_str().unwrap();
    let run = |command: &[&str]| endpoint.run(["--output", "json"].iter().chain(command).chain(&["--zip", zip])).ok();
    let planned = run(&["plan"]).json().remove(0);
    assert_eq!(run(&["provision", "--dry-run"]).json()[0], planned);
    assert_eq!(run(&["provision"]).json()[0]["steps"], planned["steps"]);
}

#[test]
fn environment_variables_are_merged_checked_and_replaced() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--env", "LOGGER_DATA=hash", "--env", "OTHER=1"]);
    endpoint.run(["provision", "--env", "LOGGER_SAMPLE=0.5"]).ok();
    let plan = endpoint.run(["--output", "json", "plan", "--replace-env", "--env", "LOGGER_SAMPLE=0.5"]).ok();
    assert_eq!(planned(&plan), ["environment.LOGGER_DATA", "environment.OTHER"]);
    endpoint.run(["plan", "--env", "LOGGER_SAMPEL=1"]).failed(2, "LOGGER_SAMPEL is not a setting", "docs/settings.md");
    endpoint.run(["plan", "--env", "LOGGER_FIELDS=data", "--application-log-level", "INFO"]).failed(
        2,
        "LOGGER_FIELDS",
        "docs/settings.md",
    );
    endpoint.run(["plan", "--env", "LOGGER_SAMPLE=2"]).failed(2, "a share is a number from 0 to 1", "docs/settings.md");
}

#[test]
fn a_file_describes_several_stages_and_every_command_uses_its_names() {
    let endpoint = Endpoint::start();
    let file = scratch("provision.toml");
    let text = "app = \"orders\"\n[function]\nmemory = 256\n[stages.test]\n[stages.prod]\nstream.name = \"legacy\"\nfunction.memory = 512\n";
    std::fs::write(&file, text).unwrap();
    let with = |args: &[&str]| {
        let mut command = ops_cli();
        command.args(["--local", "--endpoint-url", &endpoint.url, "--config", file.to_str().unwrap()]).args(args);
        Run::of(&mut command)
    };
    let zip = function_zip().to_str().unwrap();
    for (stage, stream, memory) in [("test", "orders-test", 256), ("prod", "legacy", 512)] {
        with(&["--stage", stage, "provision", "--zip", zip]).ok();
        let status = with(&["--stage", stage, "--output", "json", "status"]).ok().json().remove(0);
        assert_eq!(status["names"]["stream"], stream, "{status}");
        assert_eq!(status["function"]["memoryMb"], memory);
    }
    let shown = with(&["--stage", "prod", "config", "show", "--timeout", "60"]).ok().stdout;
    let sources: Vec<_> = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert!(
        sources.iter().any(|it| it[..2] == ["function.memory", "512"] && it[2].ends_with("provision.toml:7")),
        "{shown}"
    );
    assert!(sources.iter().any(|it| it[..] == ["function.timeout", "60", "--timeout"]), "{shown}");
    with(&["status"]).failed(2, "describes the stages prod, test, but not dev", "--stage");
    std::fs::write(&file, "[function]\nmemory = 64\n").unwrap();
    with(&["status"]).failed(2, "provision.toml:2:10: function.memory is 64", "docs/configuration.md");
}

#[test]
fn init_writes_a_file_that_is_read_and_not_overwritten() {
    let folder = scratch("init");
    std::fs::create_dir_all(&folder).unwrap();
    let run = |args: &[&str]| Run::of(ops_cli().current_dir(&folder).args(args));
    assert_eq!(run(&["--app", "orders", "--stage", "prod", "init"]).ok().stdout, "wrote kinesis-logger.toml\n");
    assert!(run(&["config", "show"]).ok().stdout.contains("orders-prod"));
    run(&["init"]).failed(2, "exists already", "--config");
}

#[tokio::test]
async fn a_path_of_an_earlier_version_is_taken_over_without_losing_or_repeating_a_record() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let config = endpoint.sdk_config().await;
    let lambda = aws_sdk_lambda::Client::new(&config);
    let mappings = lambda.list_event_source_mappings().send().await.unwrap();
    let uuid = mappings.event_source_mappings()[0].uuid().unwrap().to_owned();
    // As the earlier version left it: no alias, and the mapping on the function itself.
    lambda.update_event_source_mapping().uuid(&uuid).function_name("test-dev").send().await.unwrap();
    lambda.delete_alias().function_name("test-dev").name("live").send().await.unwrap();
    let publish = |from: u32| {
        let input: String = (from..from + 300).map(|n| format!("{n}\n")).collect();
        Run::with_stdin(&mut endpoint.ops(["publish", "--key", "one"]), input.as_bytes()).ok();
    };
    publish(0);
    endpoint.run(["provision"]).ok();
    publish(300);
    let mapping = lambda.get_event_source_mapping().uuid(&uuid).send().await.unwrap();
    assert!(mapping.function_arn().unwrap().ends_with(":function:test-dev:live"), "{mapping:?}");
    let lines = || -> Vec<u32> {
        let events = endpoint.run(["--output", "json", "tail"]).ok().json();
        let lines = events.iter().filter_map(|event| serde_json::from_str::<Value>(event["message"].as_str()?).ok());
        lines.filter_map(|line| line["data"].as_str()?.parse().ok()).collect()
    };
    let lines = common::eventually("600 lines", || Some(lines()).filter(|lines| lines.len() >= 600));
    assert_eq!(lines, (0..600).collect::<Vec<_>>());
}

#[test]
fn two_runs_at_the_same_time_end_in_one_path() {
    let endpoint = Endpoint::start();
    let zip = function_zip().to_str().unwrap();
    let start = |_| Running::start(&mut endpoint.ops(["provision", "--zip", zip]));
    let runs: Vec<_> = (0..3).map(start).collect();
    // A run that lost the race for a part may fail. It leaves nothing that the next run cannot continue.
    let codes: Vec<_> = runs.into_iter().map(|mut run| run.ended()).collect();
    assert!(codes.contains(&0), "{codes:?}");
    endpoint.provision(&[]);
    endpoint.run(["plan", "--exit-code"]).ok();
    endpoint.run(["verify", "--count", "10"]).ok();
    assert_eq!(endpoint.run(["teardown", "--yes"]).ok().stdout, "deleted 5 parts\n");
    assert_eq!(endpoint.run(["teardown", "--yes"]).ok().stdout, "nothing to do\n");
}

#[test]
fn too_many_tags_end_the_run_with_the_services_reason() {
    let endpoint = Endpoint::start();
    let tags: Vec<_> = (0..60).map(|number| format!("--tag=tag-{number}=x")).collect();
    let zip = function_zip().to_str().unwrap();
    let run = endpoint.run(["provision", "--zip", zip].into_iter().chain(tags.iter().map(String::as_str)));
    assert!(run.stderr.contains("not done: create the function test-dev"), "{run:?}");
    run.failed(1, "50", "");
    endpoint.provision(&[]);
}

#[test]
fn the_role_stays_until_the_last_region_is_torn_down() {
    let endpoint = Endpoint::start();
    let zip = function_zip().to_str().unwrap();
    let other = |args: &[&str]| endpoint.run(["--region", "eu-west-1"].iter().chain(args));
    endpoint.provision(&[]);
    other(&["provision", "--zip", zip]).ok();
    assert!(endpoint.run(["provision"]).ok().stdout.starts_with("nothing to do"));
    assert_eq!(
        endpoint.run(["teardown", "--yes"]).ok().stdout,
        "kept: role test-dev-role, used in eu-west-1\ndeleted 4 parts\n"
    );
    assert!(other(&["provision"]).ok().stdout.starts_with("nothing to do"));
    other(&["verify", "--count", "1"]).ok();
    assert_eq!(other(&["teardown", "--yes"]).ok().stdout, "deleted 5 parts\n");
}

#[test]
fn records_of_a_tumbling_window_are_logged_once() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--tumbling-window", "1"]);
    for _ in 0..3 {
        endpoint.run(["verify", "--count", "20"]).ok();
    }
    let status = endpoint.run(["--output", "json", "status"]).ok().json().remove(0);
    assert_eq!(status["mapping"]["lastProcessingResult"], "OK", "{status}");
}

#[test]
fn a_run_that_is_killed_after_any_call_is_continued_and_torn_down() {
    let endpoint = Endpoint::start();
    let zip = function_zip().to_str().unwrap();
    let mut calls = 1;
    loop {
        let stage = format!("kill-{calls}");
        let (pid, seen) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (victim, count) = (pid.clone(), seen.clone());
        let proxy = Proxy::start(&endpoint, move |_| {
            if count.fetch_add(1, Ordering::SeqCst) + 1 == calls {
                let pid =
                    common::eventually("the process", || Some(victim.load(Ordering::SeqCst)).filter(|pid| *pid > 0));
                // The call is still executed, although nobody reads its answer.
                std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
            }
            Answer::Forward
        });
        let mut child = proxy.ops(&["--stage", &stage, "provision", "--fan-out", "--zip", zip]);
        let mut child = child.stderr(std::process::Stdio::null()).stdout(std::process::Stdio::null()).spawn().unwrap();
        pid.store(child.id(), Ordering::SeqCst);
        let was_killed = child.wait().unwrap().code().is_none();
        let again = |args: &[&str]| endpoint.run(["--stage", &stage].iter().chain(args)).ok();
        again(&["provision", "--fan-out", "--zip", zip]);
        again(&["plan", "--fan-out", "--zip", zip, "--exit-code"]);
        again(&["teardown", "--yes"]);
        assert_eq!(again(&["teardown", "--yes"]).stdout, "nothing to do\n");
        if !was_killed {
            break;
        }
        calls += 1;
    }
    assert!(calls > 18, "only {calls} calls");
}

/// Provisions through a proxy with this rule.
fn provision_with(rule: impl FnMut(&str, u32) -> Answer + Send + 'static, more: &[&str]) -> (Endpoint, Run) {
    let endpoint = Endpoint::start();
    let rule = Mutex::new((rule, 0));
    let proxy = Proxy::start(&endpoint, move |request| {
        let (rule, calls) = &mut *rule.lock().unwrap();
        *calls += 1;
        rule(&request.operation, *calls)
    });
    let run = proxy.run(&[&["provision", "--zip", function_zip().to_str().unwrap()], more].concat());
    (endpoint, run)
}

const FUNCTIONS: &str = "POST /2015-03-31/functions";

#[test]
fn a_role_that_is_not_usable_yet_is_waited_for() {
    let mut rejections = 0;
    let (_endpoint, run) = provision_with(
        move |operation, _| {
            if operation.trim_end_matches('/') == FUNCTIONS && rejections < 5 {
                rejections += 1;
                return Answer::Reply(
                    400,
                    r#"{"__type":"InvalidParameterValueException","message":"The role defined for the function cannot be assumed by Lambda."}"#,
                );
            }
            Answer::Forward
        },
        &[],
    );
    assert!(run.ok().stdout.starts_with("ready: "));
}

#[test]
fn a_conflict_on_every_second_change_is_waited_for() {
    let mut changes = 0;
    let (_endpoint, run) = provision_with(
        move |operation, _| {
            let is_change = operation.starts_with("POST /2015-03-31/") || operation.starts_with("PUT /2015-03-31/");
            changes += u32::from(is_change);
            if is_change && changes % 2 == 1 {
                return Answer::Reply(
                    409,
                    r#"{"__type":"ResourceConflictException","message":"The operation cannot be performed at this time. An update is in progress."}"#,
                );
            }
            Answer::Forward
        },
        &[],
    );
    assert!(run.ok().stdout.starts_with("ready: "));
}

#[test]
fn a_function_that_fails_ends_the_run_with_its_reason() {
    let (_endpoint, run) = provision_with(
        |operation, _| match operation.ends_with("/configuration") && operation.starts_with("GET") {
            true => Answer::Change(|answer| {
                if answer["CodeSha256"].is_string() {
                    answer["State"] = "Failed".into();
                    answer["StateReason"] = "the image is broken".into();
                }
            }),
            false => Answer::Forward,
        },
        &[],
    );
    assert!(run.stderr.contains("not done: create the function test-dev"), "{run:?}");
    run.failed(1, "the function test-dev has failed: the image is broken", "teardown");
}

#[test]
fn a_mapping_that_does_not_become_ready_ends_the_run_in_bounded_time() {
    let (endpoint, run) = provision_with(
        |operation, _| match operation.starts_with("GET /2015-03-31/event-source-mappings/") {
            true => Answer::Change(|answer| {
                if answer["UUID"].is_string() {
                    answer["State"] = "Updating".into();
                }
            }),
            false => Answer::Forward,
        },
        &["--wait", "1"],
    );
    run.failed(1, "it is still Updating", "run the same command again");
    assert!(endpoint.run(["provision"]).ok().stdout.starts_with("nothing to do"));
}

#[test]
fn a_failed_run_with_rollback_leaves_nothing() {
    let (endpoint, run) = provision_with(
        |operation, _| match operation.trim_end_matches('/') == "POST /2015-03-31/event-source-mappings" {
            true => Answer::Reply(403, r#"{"__type":"AccessDeniedException","message":"not authorized"}"#),
            false => Answer::Forward,
        },
        &["--rollback"],
    );
    run.failed(1, "AccessDeniedException", "");
    assert_eq!(endpoint.run(["teardown", "--yes"]).ok().stdout, "nothing to do\n");
}

#[test]
fn a_rollback_also_deletes_a_part_that_is_still_being_created() {
    let endpoint = Endpoint::start_with(&["--realistic"]);
    let zip = function_zip().to_str().unwrap();
    endpoint.run(["provision", "--zip", zip, "--rollback", "--wait", "1"]).failed(1, "waited 1 s", "were deleted");
    assert_eq!(endpoint.run(["teardown", "--yes"]).ok().stdout, "nothing to do\n");
}

#[test]
fn a_protected_log_group_is_reported_before_anything_is_deleted() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--deletion-protection"]);
    endpoint.run(["teardown", "--yes"]).failed(1, "is protected from deletion, so nothing was deleted", "--keep-logs");
    endpoint.run(["provision", "--deletion-protection=false", "--yes"]).ok();
    assert_eq!(endpoint.run(["teardown", "--yes"]).ok().stdout, "deleted 5 parts\n");
}

#[test]
fn the_variables_that_the_function_will_have_are_checked() {
    let endpoint = Endpoint::start();
    endpoint.provision(&["--log-format", "text", "--env", "LOGGER_FIELDS=data"]);
    endpoint.run(["provision", "--log-format", "json"]).failed(2, "LOGGER_FIELDS", "docs/settings.md");
    // What does not change the function is not concerned.
    endpoint.run(["provision", "--retention-days", "90"]).ok();
}

#[test]
fn settings_that_the_service_writes_otherwise_have_nothing_to_do() {
    let endpoint = Endpoint::start();
    let start = "2026-11-28T14:50:00.123456Z";
    let settings = [
        "--starting-position",
        "AT_TIMESTAMP",
        "--starting-timestamp",
        start,
        "--mapping-filter",
        "{ \"data\": {\"a\": [1]} }",
        "--subnets",
        "subnet-2,subnet-1",
        "--security-groups",
        "sg-2",
        "--security-groups",
        "sg-1",
        "--distribution",
        "USER_PARTITION_KEY",
    ];
    endpoint.provision(&settings);
    let again = endpoint.run(["plan", "--exit-code"].iter().chain(&settings));
    assert_eq!(again.code, 0, "{}", again.stdout);
}

#[test]
fn a_permission_that_is_missing_for_any_call_is_reported_and_the_run_continues_later() {
    let endpoint = Endpoint::start();
    let zip = function_zip().to_str().unwrap();
    for denied in 1.. {
        let stage = format!("deny-{denied}");
        let mut calls = 0;
        let was_denied = Arc::new(AtomicBool::new(false));
        let denies = was_denied.clone();
        let proxy = Proxy::start(&endpoint, move |request| {
            calls += 1;
            if calls != denied {
                return Answer::Forward;
            }
            denies.store(true, Ordering::SeqCst);
            // IAM and STS answer with XML.
            let is_json =
                request.operation.contains('/') || !["Role", "Caller"].iter().any(|it| request.operation.contains(it));
            match is_json {
                true => Answer::Reply(400, r#"{"__type":"AccessDeniedException","message":"User is not authorized"}"#),
                false => Answer::Reply(
                    403,
                    "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User is not authorized</Message></Error></ErrorResponse>",
                ),
            }
        });
        let run = proxy.run(&["--stage", &stage, "provision", "--zip", zip]);
        if !was_denied.load(Ordering::SeqCst) {
            run.ok();
            assert!(denied > 15, "only {denied} calls");
            break;
        }
        if run.code == 0 {
            // The path works without tags that cannot be read.
            assert!(run.stderr.contains("warning: ") && run.stderr.contains("User is not authorized"), "{run:?}");
        } else {
            run.failed(1, "User is not authorized", "docs/permissions.md");
        }
        endpoint.run(["--stage", &stage, "provision", "--zip", zip]).ok();
        endpoint.run(["--stage", &stage, "teardown", "--yes"]).ok();
    }
}
