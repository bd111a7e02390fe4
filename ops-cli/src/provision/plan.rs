//! Plans the steps from the observed path to the desired path. Pure, so that `--dry-run` prints exactly the steps that would be
//! carried out.

use serde::Serialize;

use super::desired::{self, DesiredPath, Shards};
use super::observed::{Function, Mapping, ObservedPath, Role, Stream};
use super::step::Step;
use crate::error::{Error, Result};

/// The description of a part that exists without our tags, and is used without changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UntaggedPart(pub String);

/// The steps in their order, and the parts that they never change.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub untagged: Vec<UntaggedPart>,
}

pub fn plan(desired: &DesiredPath, observed: &ObservedPath) -> Result<Plan> {
    let mut plan = Plan { steps: Vec::new(), untagged: Vec::new() };
    let names = &desired.names;
    stream_steps(&mut plan, desired, observed.stream.as_ref())?;
    role_steps(&mut plan, names.role(), observed.role.as_ref());
    log_group_steps(&mut plan, desired, observed);
    let role_arn = observed.role.as_ref().map_or_else(|| names.role_arn(&desired.location), |role| role.arn.clone());
    function_steps(&mut plan, desired, role_arn, observed.function.as_ref())?;
    mapping_steps(&mut plan, desired, observed.mapping.as_ref());
    Ok(plan)
}

fn stream_steps(plan: &mut Plan, desired: &DesiredPath, stream: Option<&Stream>) -> Result<()> {
    let Some(stream) = stream else {
        plan.steps.push(Step::CreateStream(desired.shards.unwrap_or(desired::DEFAULT_SHARDS)));
        return Ok(());
    };
    if stream.status == "DELETING" {
        return Err(Error::failed(format!("the stream {} is being deleted", desired.names.stream()))
            .hint("run the same command again when it is deleted"));
    }
    if stream.status != "ACTIVE" {
        plan.steps.push(Step::AwaitStream);
    }
    match (desired.shards, stream.open_shards) {
        _ if !stream.is_ours => plan.untagged.push(UntaggedPart(format!("stream {}", desired.names.stream()))),
        (Some(Shards::OnDemand), Some(_)) => return Err(other_mode(desired, "on-demand")),
        (Some(Shards::Provisioned(_)), None) => return Err(other_mode(desired, "provisioned")),
        (Some(Shards::Provisioned(wanted)), Some(open)) if wanted != open => {
            plan.steps.push(Step::UpdateShardCount(wanted));
        }
        _ => {}
    }
    Ok(())
}

fn other_mode(desired: &DesiredPath, wanted: &str) -> Error {
    let stream = desired.names.stream();
    Error::usage(format!("the stream {stream} exists in the other capacity mode, but --shards requests {wanted}"))
        .hint("change it with `aws kinesis update-stream-mode`, or leave --shards out")
}

fn role_steps(plan: &mut Plan, name: &str, role: Option<&Role>) {
    match role {
        None => plan.steps.extend([Step::CreateRole, Step::AttachPolicy]),
        Some(role) if !role.is_ours => plan.untagged.push(UntaggedPart(format!("role {name}"))),
        Some(role) if !role.has_policy => plan.steps.push(Step::AttachPolicy),
        Some(_) => {}
    }
}

fn log_group_steps(plan: &mut Plan, desired: &DesiredPath, observed: &ObservedPath) {
    match &observed.log_group {
        None => {
            plan.steps.push(Step::CreateLogGroup);
            plan.steps.push(Step::PutRetention(desired.retention_days.unwrap_or(desired::DEFAULT_RETENTION_DAYS)));
        }
        Some(group) if !group.is_ours => {
            plan.untagged.push(UntaggedPart(format!("log group {}", desired.names.log_group())));
        }
        Some(group) => {
            // A group without retention, and without the function, which is created after it, belongs to a run that was
            // interrupted. If the function exists, a person removed the retention.
            let is_unfinished = group.retention_days == 0 && observed.function.is_none();
            let default = is_unfinished.then_some(desired::DEFAULT_RETENTION_DAYS);
            if let Some(days) = desired.retention_days.or(default)
                && days != group.retention_days
            {
                plan.steps.push(Step::PutRetention(days));
            }
        }
    }
}

fn function_steps(plan: &mut Plan, desired: &DesiredPath, role_arn: String, function: Option<&Function>) -> Result<()> {
    let name = desired.names.function();
    let Some(function) = function else {
        plan.steps.push(Step::CreateFunction { role_arn });
        return Ok(());
    };
    if !function.is_ours {
        return Err(Error::failed(format!(
            "the function {name} exists and does not carry our tags, so its code is not changed"
        ))
        .hint("choose another name with --app, --stage or --function"));
    }
    if function.state == "Failed" {
        return Err(Error::failed(format!("the function {name} has failed: {}", function.state_reason))
            .hint("delete it with `ops-cli teardown`, and run provision again"));
    }
    if function.state == "Pending" || function.is_updating {
        plan.steps.push(Step::AwaitFunction);
    }
    if function.sha256 != desired.zip.sha256 {
        plan.steps.push(Step::UpdateCode);
    }
    let differs = |wanted: Option<i32>, is: i32| wanted.is_some_and(|wanted| wanted != is);
    let format_differs = desired.log_format.is_some_and(|wanted| wanted != function.log_format);
    if differs(desired.memory_mb, function.memory_mb)
        || differs(desired.timeout_seconds, function.timeout_seconds)
        || format_differs
        || function.log_group != desired.names.log_group()
        || function.role_arn != role_arn
    {
        let log_format = desired.log_format.unwrap_or(function.log_format);
        plan.steps.push(Step::UpdateConfiguration { role_arn, log_format });
    }
    Ok(())
}

fn mapping_steps(plan: &mut Plan, desired: &DesiredPath, mapping: Option<&Mapping>) {
    let Some(mapping) = mapping else {
        plan.steps.push(Step::CreateMapping);
        return;
    };
    let uuid = mapping.uuid.clone();
    let differs = desired.batch_size.is_some_and(|size| size != mapping.batch_size)
        || desired.batch_window_seconds.is_some_and(|window| window != mapping.batch_window_seconds)
        || desired.report_item_failures != mapping.reports_item_failures;
    let is_enabled = matches!(mapping.state.as_str(), "Enabled" | "Enabling" | "Creating" | "Updating");
    if !mapping.is_ours {
        plan.untagged.push(UntaggedPart(format!("event source mapping {uuid} ({})", mapping.state)));
    } else if differs || !is_enabled {
        plan.steps.push(Step::UpdateMapping { uuid });
    } else if mapping.state != "Enabled" {
        plan.steps.push(Step::AwaitMapping { uuid });
    }
}

#[cfg(test)]
mod tests {
    use kinesis_event_logger_core::names::{Location, Names};

    use super::super::observed::LogGroup;
    use super::*;
    use crate::function::FunctionZip;
    use crate::output::Format;

    fn desired() -> DesiredPath {
        let location = Location { region: "us-east-1".into(), account_id: "123456789012".into() };
        let zip =
            FunctionZip { bytes: Vec::new(), sha256: "sha".into(), architecture: lambda_package::Architecture::X86_64 };
        DesiredPath::new(Names::new("app", "test").unwrap(), location, zip)
    }

    fn observed() -> ObservedPath {
        ObservedPath {
            stream: Some(Stream { is_ours: true, status: "ACTIVE".into(), open_shards: Some(1) }),
            role: Some(Role { is_ours: true, arn: "arn:r".into(), has_policy: true }),
            log_group: Some(LogGroup { is_ours: true, retention_days: 30 }),
            function: Some(Function {
                is_ours: true,
                state: "Active".into(),
                state_reason: String::new(),
                is_updating: false,
                sha256: "sha".into(),
                memory_mb: 128,
                timeout_seconds: 30,
                log_format: Format::Json,
                log_group: "/aws/lambda/app-test".into(),
                role_arn: "arn:r".into(),
            }),
            mapping: Some(Mapping {
                is_ours: true,
                uuid: "u".into(),
                state: "Enabled".into(),
                batch_size: 100,
                batch_window_seconds: 0,
                reports_item_failures: true,
            }),
        }
    }

    fn steps(desired: &DesiredPath, observed: &ObservedPath) -> Vec<Step> {
        plan(desired, observed).unwrap().steps
    }

    #[test]
    fn an_empty_account_gets_every_part_in_order() {
        let steps = steps(&desired(), &ObservedPath::default());
        assert_eq!(
            steps,
            [
                Step::CreateStream(Shards::Provisioned(1)),
                Step::CreateRole,
                Step::AttachPolicy,
                Step::CreateLogGroup,
                Step::PutRetention(30),
                Step::CreateFunction { role_arn: "arn:aws:iam::123456789012:role/app-test-role".into() },
                Step::CreateMapping,
            ]
        );
    }

    #[test]
    fn a_complete_path_needs_no_steps() {
        assert_eq!(plan(&desired(), &observed()).unwrap(), Plan { steps: Vec::new(), untagged: Vec::new() });
    }

    #[test]
    fn settings_that_are_not_requested_stay() {
        let mut there = observed();
        there.log_group.as_mut().unwrap().retention_days = 7;
        there.function.as_mut().unwrap().memory_mb = 512;
        there.mapping.as_mut().unwrap().batch_size = 9;
        there.stream.as_mut().unwrap().open_shards = Some(8);
        assert!(steps(&desired(), &there).is_empty());
    }

    #[test]
    fn requested_settings_are_changed() {
        let wanted = DesiredPath {
            shards: Some(Shards::Provisioned(2)),
            retention_days: Some(7),
            memory_mb: Some(256),
            batch_size: Some(1),
            ..desired()
        };
        assert_eq!(
            steps(&wanted, &observed()),
            [
                Step::UpdateShardCount(2),
                Step::PutRetention(7),
                Step::UpdateConfiguration { role_arn: "arn:r".into(), log_format: Format::Json },
                Step::UpdateMapping { uuid: "u".into() },
            ]
        );
    }

    #[test]
    fn an_interrupted_run_is_continued() {
        let mut there = observed();
        there.stream.as_mut().unwrap().status = "CREATING".into();
        there.role.as_mut().unwrap().has_policy = false;
        there.function.as_mut().unwrap().state = "Pending".into();
        there.mapping.as_mut().unwrap().state = "Creating".into();
        assert_eq!(
            steps(&desired(), &there),
            [Step::AwaitStream, Step::AttachPolicy, Step::AwaitFunction, Step::AwaitMapping { uuid: "u".into() }]
        );
    }

    #[test]
    fn a_log_group_of_an_interrupted_run_gets_its_retention() {
        let mut there = observed();
        there.log_group.as_mut().unwrap().retention_days = 0;
        assert!(steps(&desired(), &there).is_empty(), "a person removed the retention");
        there.function = None;
        assert_eq!(steps(&desired(), &there)[0], Step::PutRetention(30));
        let wanted = DesiredPath { retention_days: Some(0), ..desired() };
        assert!(!steps(&wanted, &there).iter().any(|step| matches!(step, Step::PutRetention(_))));
    }

    #[test]
    fn a_mapping_that_outlived_its_function_is_reused() {
        let there = ObservedPath { function: None, ..observed() };
        assert_eq!(steps(&desired(), &there), [Step::CreateFunction { role_arn: "arn:r".into() }]);
    }

    #[test]
    fn a_renamed_log_group_or_role_updates_the_function() {
        let mut there = observed();
        there.function.as_mut().unwrap().log_group = "/aws/lambda/before".into();
        let update = [Step::UpdateConfiguration { role_arn: "arn:r".into(), log_format: Format::Json }];
        assert_eq!(steps(&desired(), &there), update);
        let mut there = observed();
        there.function.as_mut().unwrap().role_arn = "arn:before".into();
        assert_eq!(steps(&desired(), &there), update);
    }

    #[test]
    fn a_disabled_mapping_of_ours_is_enabled() {
        let mut there = observed();
        there.mapping.as_mut().unwrap().state = "Disabled".into();
        assert_eq!(steps(&desired(), &there), [Step::UpdateMapping { uuid: "u".into() }]);
    }

    #[test]
    fn parts_without_our_tags_are_used_and_never_changed() {
        let mut there = observed();
        there.stream = Some(Stream { is_ours: false, status: "ACTIVE".into(), open_shards: None });
        there.role = Some(Role { is_ours: false, arn: "arn:r".into(), has_policy: false });
        there.log_group = Some(LogGroup { is_ours: false, retention_days: 0 });
        let wanted = DesiredPath { shards: Some(Shards::Provisioned(3)), retention_days: Some(1), ..desired() };
        let plan = plan(&wanted, &there).unwrap();
        assert!(plan.steps.is_empty(), "{:?}", plan.steps);
        assert_eq!(plan.untagged.len(), 3);
    }

    #[test]
    fn a_function_without_our_tags_is_rejected() {
        let mut there = observed();
        there.function.as_mut().unwrap().is_ours = false;
        let error = plan(&desired(), &there).unwrap_err();
        assert!(error.message.contains("app-test"), "{}", error.message);
    }

    #[test]
    fn another_capacity_mode_is_rejected() {
        let wanted = DesiredPath { shards: Some(Shards::OnDemand), ..desired() };
        assert!(plan(&wanted, &observed()).is_err());
    }
}
