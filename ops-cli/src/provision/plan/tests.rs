use serde_json::json;

use kinesis_event_logger_core::names::{Location, Names};

use super::super::observed::LiveVersion;
use super::super::setting::SETTINGS;
use super::super::step::StepDescription;
use super::*;
use crate::function::FunctionZip;

fn zip(sha256: &str) -> FunctionZip {
    FunctionZip { bytes: Vec::new(), sha256: sha256.into(), architecture: lambda_package::Architecture::X86_64 }
}

fn desired() -> DesiredPath {
    let location = Location { region: "us-east-1".into(), account_id: "123456789012".into() };
    DesiredPath::new(Names::new("app", "test").unwrap(), location, Some(zip("sha")))
}

fn wants(settings: &[(Part, &str, Value)]) -> DesiredPath {
    let mut desired = desired();
    for (part, key, value) in settings {
        desired.requested.set(*part, key, value.clone());
    }
    desired
}

/// The path after `desired()` was provisioned.
fn observed() -> ObservedPath {
    let nothing = ObservedPath::default();
    let targets = desired().targets(&nothing);
    let part = |part: Part| {
        let id = if part == Part::Role { desired().names.role_arn(&desired().location) } else { "id".to_owned() };
        let fields = targets[&part].clone();
        let (tags, state) = (desired().all_tags(), PartState::Ready);
        ObservedPart { is_ours: true, tags, state, id, fields, since: None, stored_bytes: None }
    };
    let live = LiveVersion { version: "1".into(), fields: targets[&Part::Function].clone() };
    ObservedPath { parts: Part::ALL.into_iter().map(|it| (it, part(it))).collect(), live: Some(live) }
}

fn change(observed: &mut ObservedPath, part: Part, change: impl FnOnce(&mut ObservedPart)) {
    change(observed.parts.get_mut(&part).unwrap());
}

fn steps(desired: &DesiredPath, observed: &ObservedPath) -> Vec<String> {
    let plan = plan(desired, observed).unwrap();
    plan.steps.iter().map(|step| StepDescription(step, desired).to_string()).collect()
}

#[test]
fn everything_is_created_from_nothing() {
    assert_eq!(
        steps(&desired(), &ObservedPath::default()),
        [
            "create the stream app-test",
            "create the role app-test-role",
            "change the role app-test-role: inline-policy",
            "create the log group /aws/lambda/app-test",
            "change the log group /aws/lambda/app-test: retention-days",
            "create the function app-test",
            "publish a version of the function app-test and move its alias",
            "create the event source mapping app-test → app-test",
        ]
    );
}

#[test]
fn the_provisioned_path_has_nothing_to_do() {
    assert_eq!(steps(&desired(), &observed()), Vec::<String>::new());
}

#[test]
fn each_changed_setting_is_the_only_change() {
    for setting in SETTINGS.iter().filter(|setting| setting.call != Call::Fixed) {
        let value = match (setting.part, setting.key) {
            (Part::Function, "environment") => json!({ "A": "1" }),
            (Part::Mapping, "filters") => json!(["{}"]),
            (Part::Role, _) => json!(true),
            (_, "shards") => json!("on-demand"),
            (_, "encryption-key" | "kms-key") => json!("arn:aws:kms:us-east-1:1:key/k"),
            (_, "on-failure") => json!("arn:aws:sqs:us-east-1:1:q"),
            (_, "retention-days") => json!(7),
            (_, "log-format") => json!("Text"),
            (_, "enabled" | "bisect" | "partial-responses") => json!(false),
            (_, "deletion-protection" | "metrics") => json!(true),
            (_, "tracing") => json!("PassThrough"),
            (_, "distribution") => json!("AUTO"),
            (_, "application-log-level" | "system-log-level") => json!("WARN"),
            _ => json!(1000),
        };
        let wanted = wants(&[(setting.part, setting.key, value)]);
        let mut there = observed();
        if ["distribution", "warm-throughput-mibps"].contains(&setting.key) {
            change(&mut there, Part::Stream, |stream| stream.fields.set("shards", "on-demand"));
        }
        let plan = plan(&wanted, &there).unwrap();
        let mut changed: Vec<_> = plan.steps.iter().flat_map(|step| &step.changes).map(|it| it.field.clone()).collect();
        // What follows from a setting: a new version, the permissions that it needs, and the end of retries.
        changed.retain(|field| {
            !["live", "inline-policy", "retries", "max-record-age"].contains(&field.as_str()) || field == setting.key
        });
        let expected = if setting.key == "environment" { "environment.A" } else { setting.key };
        assert_eq!(changed, [expected], "{}", setting.name());
    }
}

#[test]
fn a_change_has_its_old_and_its_new_value_and_its_cost() {
    let wanted = wants(&[(Part::Stream, "shards", json!(2)), (Part::Function, "memory", json!(256))]);
    let plan = plan(&wanted, &observed()).unwrap();
    let [shards, memory, alias] = plan.steps.as_slice() else { panic!("{:?}", plan.steps) };
    assert_eq!((&shards.changes[0].old, &shards.changes[0].new), (&Some(json!(1)), &json!(2)));
    assert!(shards.changes[0].asks.is_some() && memory.changes[0].asks.is_none());
    assert_eq!(alias.action, Action::MoveAlias);
    assert_eq!(plan.asking().count(), 1);
}

#[test]
fn a_shorter_retention_asks_and_a_longer_one_does_not() {
    for (days, asks) in [(7, true), (90, false), (0, false)] {
        let plan = plan(&wants(&[(Part::LogGroup, "retention-days", json!(days))]), &observed()).unwrap();
        assert_eq!(plan.asking().count() == 1, asks, "{days}");
    }
}

#[test]
fn environment_variables_are_merged_unless_they_are_replaced() {
    let mut there = observed();
    change(&mut there, Part::Function, |part| part.fields.set("environment", json!({ "KEPT": "1", "A": "old" })));
    there.live.as_mut().unwrap().fields.set("environment", json!({ "KEPT": "1", "A": "old" }));
    let mut wanted = wants(&[(Part::Function, "environment", json!({ "A": "new" }))]);
    let merged = plan(&wanted, &there).unwrap();
    assert_eq!(merged.targets[&Part::Function].get("environment"), Some(&json!({ "KEPT": "1", "A": "new" })));
    wanted.replaces_environment = true;
    let replaced = plan(&wanted, &there).unwrap();
    assert_eq!(replaced.targets[&Part::Function].get("environment"), Some(&json!({ "A": "new" })));
    assert_eq!(replaced.asking().map(|(_, change, _)| change.field.clone()).collect::<Vec<_>>(), ["environment.KEPT"]);
}

#[test]
fn an_interrupted_run_is_continued() {
    let mut there = observed();
    change(&mut there, Part::Stream, |part| part.state = PartState::Changing("CREATING".into()));
    change(&mut there, Part::Role, |part| part.fields.set("inline-policy", "none"));
    change(&mut there, Part::Function, |part| part.state = PartState::Changing("Pending".into()));
    change(&mut there, Part::Mapping, |part| part.state = PartState::Changing("Creating".into()));
    there.live = None;
    assert_eq!(
        steps(&desired(), &there),
        [
            "wait for the stream app-test",
            "change the role app-test-role: inline-policy",
            "wait for the function app-test",
            "publish a version of the function app-test and move its alias",
            "wait for the event source mapping app-test → app-test",
        ]
    );
}

#[test]
fn a_change_whose_version_was_not_published_is_published() {
    let mut there = observed();
    change(&mut there, Part::Function, |part| part.fields.set("memory", 256));
    let wanted = wants(&[(Part::Function, "memory", json!(256))]);
    assert_eq!(steps(&wanted, &there), ["publish a version of the function app-test and move its alias"]);
}

#[test]
fn a_rollback_stays_and_a_change_after_it_asks() {
    let mut there = observed();
    change(&mut there, Part::Function, |part| part.fields.set("code", "bad"));
    let without_zip = |settings: &[(Part, &str, Value)]| DesiredPath { zip: None, ..wants(settings) };
    assert!(steps(&without_zip(&[]), &there).is_empty());
    let plan = plan(&without_zip(&[(Part::Function, "memory", json!(256))]), &there).unwrap();
    assert_eq!(plan.asking().map(|(_, change, _)| change.field.as_str()).collect::<Vec<_>>(), ["code"]);
}

#[test]
fn a_mapping_of_an_earlier_version_is_pointed_to_the_alias() {
    let mut there = observed();
    there.live = None;
    change(&mut there, Part::Mapping, |part| part.fields.set("function", "app-test"));
    assert_eq!(
        steps(&desired(), &there),
        [
            "publish a version of the function app-test and move its alias",
            "change the event source mapping app-test → app-test: function"
        ]
    );
}

#[test]
fn a_mapping_that_would_run_other_code_asks() {
    for (code, function, asks) in [
        ("sha", "app-test", false),
        ("uploaded", "app-test", true),
        ("uploaded", "app-test:$LATEST", true),
        ("uploaded", "app-test:1", false),
        ("sha", "app-test:2", true),
    ] {
        let mut there = observed();
        change(&mut there, Part::Function, |part| part.fields.set("code", code));
        change(&mut there, Part::Mapping, |part| part.fields.set("function", function));
        let plan = plan(&DesiredPath { zip: None, ..desired() }, &there).unwrap();
        assert_eq!(plan.steps.len(), 1, "{code} {function}: {:?}", plan.steps);
        assert_eq!(plan.asking().count() == 1, asks, "{code} {function}");
    }
}

#[test]
fn an_alias_of_the_unpublished_code_is_moved_to_a_version() {
    let mut there = observed();
    there.live.as_mut().unwrap().version = "$LATEST".into();
    assert_eq!(steps(&desired(), &there), ["publish a version of the function app-test and move its alias"]);
}

#[test]
fn a_stream_is_on_demand_while_it_distributes_records_itself() {
    let (shards, distribution) = ((Part::Stream, "shards"), (Part::Stream, "distribution"));
    let mut there = observed();
    let auto = wants(&[(shards.0, shards.1, json!("on-demand")), (distribution.0, distribution.1, json!("AUTO"))]);
    let expected = ["change the stream app-test: shards", "change the stream app-test: distribution"];
    assert_eq!(steps(&auto, &there), expected);
    change(&mut there, Part::Stream, |part| {
        part.fields.set("shards", "on-demand");
        part.fields.set("distribution", "AUTO");
        part.fields.set("open-shards", 4);
    });
    let keys = json!("USER_PARTITION_KEY");
    let back =
        |count: i64| wants(&[(shards.0, shards.1, json!(count)), (distribution.0, distribution.1, keys.clone())]);
    assert_eq!(steps(&back(2), &there), expected.iter().rev().copied().collect::<Vec<_>>());
    assert!(plan(&back(1), &there).unwrap_err().message.starts_with("Kinesis changes 4 shards to 2 to 8 at a time"));
}

#[test]
fn an_on_failure_destination_ends_the_retries() {
    let arn = json!("arn:aws:sqs:us-east-1:123456789012:failed");
    let plan = plan(&wants(&[(Part::Mapping, "on-failure", arn.clone())]), &observed()).unwrap();
    let mapping = &plan.targets[&Part::Mapping];
    assert_eq!((mapping.integer("retries"), mapping.integer("max-record-age")), (Some(10), Some(43_200)));
    assert!(plan.warnings.is_empty());
    let wanted = wants(&[(Part::Mapping, "on-failure", arn), (Part::Mapping, "retries", json!(-1))]);
    assert_eq!(super::plan(&wanted, &observed()).unwrap().targets[&Part::Mapping].integer("retries"), Some(-1));
    assert_eq!(super::plan(&desired(), &observed()).unwrap().warnings.len(), 1);
}

#[test]
fn retries_change_only_with_the_destination() {
    let mut there = observed();
    let set = |there: &mut ObservedPath, retries: i64, age: i64| {
        change(there, Part::Mapping, |part| {
            part.fields.set("on-failure", "arn:aws:sqs:us-east-1:123456789012:failed");
            part.fields.set("retries", retries);
            part.fields.set("max-record-age", age);
        });
    };
    // Endless retries beside a destination were requested earlier.
    set(&mut there, -1, -1);
    assert!(!steps(&desired(), &there).iter().any(|step| step.contains("mapping")));
    let none = wants(&[(Part::Mapping, "on-failure", json!("none"))]);
    let without = |there: &ObservedPath| {
        let plan = plan(&none, there).unwrap();
        let mapping = &plan.targets[&Part::Mapping];
        (mapping.integer("retries"), mapping.integer("max-record-age"), plan.warnings[0].clone())
    };
    set(&mut there, 10, 43_200);
    let (retries, age, warning) = without(&there);
    assert_eq!((retries, age), (Some(-1), Some(-1)));
    assert!(warning.contains("blocks its shard"), "{warning}");
    set(&mut there, 3, -1);
    let (retries, age, warning) = without(&there);
    assert_eq!((retries, age), (Some(3), Some(-1)));
    assert!(warning.contains("is lost after 3 retries"), "{warning}");
}

#[test]
fn a_log_group_of_an_interrupted_run_gets_its_retention() {
    let mut there = observed();
    change(&mut there, Part::LogGroup, |part| part.fields.set("retention-days", 0));
    assert!(steps(&desired(), &there).is_empty(), "a person removed the retention");
    there.parts.remove(&Part::Function);
    let retention = "change the log group /aws/lambda/app-test: retention-days";
    assert_eq!(steps(&desired(), &there)[0], retention);
    let wanted = wants(&[(Part::LogGroup, "retention-days", json!(0))]);
    assert!(!steps(&wanted, &there).iter().any(|step| step == retention));
}

#[test]
fn a_renamed_log_group_or_role_updates_the_function() {
    let mut there = observed();
    change(&mut there, Part::Function, |part| part.fields.set("log-group", "/aws/lambda/before"));
    assert_eq!(steps(&desired(), &there)[0], "change the function app-test: log-group");
    let mut there = observed();
    change(&mut there, Part::Function, |part| part.fields.set("role", "arn:before"));
    assert_eq!(steps(&desired(), &there)[0], "change the function app-test: role");
    assert_eq!(plan(&desired(), &there).unwrap().asking().count(), 1);
}

#[test]
fn every_setting_of_an_existing_part_keeps_its_value() {
    let mut there = observed();
    change(&mut there, Part::Mapping, |part| part.fields.set("enabled", false));
    change(&mut there, Part::Role, |part| {
        part.fields.set("managed-policy", true);
        part.fields.set("inline-policy", "none");
    });
    let kept = plan(&desired(), &there).unwrap();
    assert!(kept.steps.is_empty(), "{:?}", kept.steps);
    assert!(kept.warnings.iter().any(|warning| warning.contains("disabled")), "{:?}", kept.warnings);
    let wanted = wants(&[(Part::Mapping, "enabled", json!(true)), (Part::Role, "managed-policy", json!(false))]);
    let changed = [
        "change the role app-test-role: inline-policy, managed-policy",
        "change the event source mapping app-test → app-test: enabled",
    ];
    assert_eq!(steps(&wanted, &there), changed);
}

#[test]
fn settings_that_have_no_effect_are_named() {
    let mut there = observed();
    change(&mut there, Part::Stream, |part| part.is_ours = false);
    let warnings = |shards: i64| plan(&wants(&[(Part::Stream, "shards", json!(shards))]), &there).unwrap().warnings;
    assert!(warnings(2).iter().any(|warning| warning.starts_with("--shards has no effect")), "{:?}", warnings(2));
    assert!(!warnings(1).iter().any(|warning| warning.contains("no effect")));
}

#[test]
fn a_new_mapping_of_an_existing_stream_is_warned_of() {
    let mut there = observed();
    there.parts.remove(&Part::Mapping);
    let warns = |desired: &DesiredPath, there: &ObservedPath| {
        plan(desired, there).unwrap().warnings.iter().any(|warning| warning.contains("are logged again"))
    };
    assert!(warns(&desired(), &there));
    assert!(!warns(&wants(&[(Part::Mapping, "starting-position", json!("LATEST"))]), &there));
    assert!(!warns(&desired(), &observed()) && !warns(&desired(), &ObservedPath::default()));
}

#[test]
fn code_that_failed_its_check_does_not_become_live_without_deploy() {
    let mut there = observed();
    change(&mut there, Part::Function, |part| part.fields.set("code", "failed"));
    let memory = (Part::Function, "memory", json!(256));
    let keeps = |settings: &[(Part, &str, Value)]| DesiredPath { zip: None, keeps_code: true, ..wants(settings) };
    let plan = plan(&keeps(std::slice::from_ref(&memory)), &there).unwrap();
    assert_eq!(plan.steps.len(), 1, "{:?}", plan.steps);
    assert_eq!(StepDescription(&plan.steps[0], &desired()).to_string(), "change the function app-test: memory");
    assert!(plan.warnings.iter().any(|warning| warning.contains("ops-cli deploy")), "{:?}", plan.warnings);
    // The code is live.
    assert_eq!(steps(&keeps(&[memory]), &observed()).len(), 2);
}

#[test]
fn parts_without_our_tags_are_used_and_never_changed() {
    let mut there = observed();
    for part in [Part::Stream, Part::Role, Part::LogGroup] {
        change(&mut there, part, |part| part.is_ours = false);
    }
    change(&mut there, Part::Role, |part| part.fields.set("inline-policy", "none"));
    let wanted = wants(&[(Part::Stream, "shards", json!(3)), (Part::LogGroup, "retention-days", json!(1))]);
    let plan = plan(&wanted, &there).unwrap();
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    assert_eq!(plan.untagged.len(), 3);
}

#[test]
fn a_path_that_cannot_be_provisioned_is_rejected() {
    let mut there = observed();
    change(&mut there, Part::Function, |part| part.is_ours = false);
    assert!(plan(&desired(), &there).unwrap_err().message.contains("app-test exists and does not carry our tags"));
    let mut there = observed();
    change(&mut there, Part::Function, |part| part.state = PartState::Failed("no reason given".into()));
    assert!(plan(&desired(), &there).unwrap_err().message.contains("has failed: no reason given"));
    let mut there = observed();
    change(&mut there, Part::Stream, |part| part.state = PartState::Deleting);
    assert!(plan(&desired(), &there).unwrap_err().message.contains("is being deleted"));
    let wanted = wants(&[(Part::Mapping, "starting-position", json!("LATEST"))]);
    assert!(plan(&wanted, &observed()).unwrap_err().message.contains("set only when it is created"));
    let wanted = DesiredPath { zip: None, ..desired() };
    assert!(plan(&wanted, &ObservedPath::default()).unwrap_err().message.contains("there is no code for it"));
}

#[test]
fn requested_tags_are_added_and_other_tags_stay() {
    let mut there = observed();
    change(&mut there, Part::Stream, |part| drop(part.tags.insert("other".into(), "stays".into())));
    let mut wanted = desired();
    wanted.tags.insert("team".into(), "a".into());
    let steps = steps(&wanted, &there);
    assert_eq!(steps.len(), 5);
    assert_eq!(steps[0], "tag the stream app-test: tags.team");
}

#[test]
fn a_network_has_subnets_and_security_groups() {
    let subnets = (Part::Function, "subnets", json!(["subnet-1"]));
    let error = plan(&wants(std::slice::from_ref(&subnets)), &observed()).unwrap_err();
    assert_eq!(error.message, "a function in a VPC has both subnets and security groups");
    let wanted = wants(&[subnets, (Part::Function, "security-groups", json!(["sg-1"]))]);
    assert!(steps(&wanted, &observed()).contains(&"change the function app-test: security-groups, subnets".to_owned()));
}

#[test]
fn the_source_of_a_mapping_is_fixed() {
    let mut observed = observed();
    change(&mut observed, Part::Mapping, |mapping| mapping.fields.set("fan-out", false));
    assert!(steps(&wants(&[(Part::Mapping, "fan-out", json!(false))]), &observed).is_empty());
    let error = plan(&wants(&[(Part::Mapping, "fan-out", json!(true))]), &observed).unwrap_err();
    assert!(error.message.contains("has fan-out false, which is set only when it is created"), "{}", error.message);
}

#[test]
fn a_managed_policy_that_lacks_permissions_is_warned_of() {
    let queue = (Part::Mapping, "on-failure", json!("arn:aws:sqs:us-east-1:123456789012:q"));
    let managed = (Part::Role, "managed-policy", json!(true));
    let warnings = |settings: &[_]| plan(&wants(settings), &ObservedPath::default()).unwrap().warnings.join("\n");
    assert!(warnings(&[managed.clone(), queue.clone()]).contains("(SendAbandonedBatches)"));
    let fan_out = (Part::Mapping, "fan-out", json!(true));
    for complete in [vec![queue], vec![managed, fan_out]] {
        assert!(!warnings(&complete).contains("lacks permissions"));
    }
}
