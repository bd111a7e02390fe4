//! The parts of a path that exist.

use aws_sdk_cloudwatchlogs::types::LogGroup as AwsLogGroup;
use aws_sdk_lambda::types::{EventSourceMappingConfiguration, FunctionResponseType, LastUpdateStatus, LogFormat};
use kinesis_event_logger_core::names::{Location, Names};

use super::desired::policy_arn;
use crate::aws::Aws;
use crate::error::Result;
use crate::function::release::LIVE;
use crate::output::Format;
use crate::stream;

/// The parts of a path that exist.
#[derive(Debug, Clone, Default)]
pub struct ObservedPath {
    pub stream: Option<Stream>,
    pub role: Option<Role>,
    pub log_group: Option<LogGroup>,
    pub function: Option<Function>,
    pub mapping: Option<Mapping>,
}

#[derive(Debug, Clone)]
pub struct Stream {
    pub is_ours: bool,
    pub status: String,
    /// `None` for a stream in on-demand mode.
    pub open_shards: Option<i32>,
}

#[derive(Debug, Clone)]
pub struct Role {
    pub is_ours: bool,
    pub arn: String,
    pub has_policy: bool,
}

#[derive(Debug, Clone)]
pub struct LogGroup {
    pub is_ours: bool,
    /// 0 if the group keeps events forever.
    pub retention_days: i32,
}

#[derive(Debug, Clone)]
pub struct Function {
    pub is_ours: bool,
    pub state: String,
    pub state_reason: String,
    pub is_updating: bool,
    /// Base64 of the code's SHA-256.
    pub sha256: String,
    pub memory_mb: i32,
    pub timeout_seconds: i32,
    pub log_format: Format,
    /// The log group that it writes to.
    pub log_group: String,
    pub role_arn: String,
}

#[derive(Debug, Clone)]
pub struct Mapping {
    pub is_ours: bool,
    pub uuid: String,
    pub state: String,
    pub batch_size: i32,
    pub batch_window_seconds: i32,
    pub reports_item_failures: bool,
}

/// Reads the state of every part of the path.
pub async fn observe(aws: &Aws, names: &Names, location: &Location) -> Result<ObservedPath> {
    let policy_arn = policy_arn(location);
    let (stream, role, log_group, function, mapping) = tokio::try_join!(
        stream(aws, names),
        role(aws, names, &policy_arn),
        log_group(aws, names),
        function(aws, names),
        mapping(aws, names, location),
    )?;
    Ok(ObservedPath { stream, role, log_group, function, mapping })
}

pub(super) async fn stream(aws: &Aws, names: &Names) -> Result<Option<Stream>> {
    let Some(summary) = stream::summary(aws, names.stream()).await? else { return Ok(None) };
    let request = aws.kinesis().list_tags_for_stream().stream_name(names.stream());
    let tags = aws.find("read the stream's tags", || request.clone().send()).await?;
    let Some(tags) = tags else { return Ok(None) };
    let tags = tags.tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default()));
    let is_on_demand = summary
        .stream_mode_details
        .is_some_and(|details| details.stream_mode == aws_sdk_kinesis::types::StreamMode::OnDemand);
    Ok(Some(Stream {
        is_ours: names.owns(tags),
        status: summary.stream_status.as_str().to_owned(),
        open_shards: (!is_on_demand).then_some(summary.open_shard_count),
    }))
}

pub(super) async fn role(aws: &Aws, names: &Names, policy_arn: &str) -> Result<Option<Role>> {
    let iam = aws.iam();
    let doing = || format!("read the role {}", names.role());
    let role = aws.find(doing(), || iam.get_role().role_name(names.role()).send()).await?;
    let Some(role) = role.and_then(|answer| answer.role) else { return Ok(None) };
    let tags = role.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value));
    let attached = || iam.list_attached_role_policies().role_name(names.role()).into_paginator().items().send();
    let attached: Option<Vec<_>> = aws.find(doing(), || attached().try_collect()).await?;
    let Some(attached) = attached else { return Ok(None) };
    let has_policy = attached.iter().any(|policy| policy.policy_arn() == Some(policy_arn));
    Ok(Some(Role { is_ours: names.owns(tags), arn: role.arn, has_policy }))
}

pub(super) async fn log_group(aws: &Aws, names: &Names) -> Result<Option<LogGroup>> {
    let logs = aws.logs();
    let doing = || format!("read the log group {}", names.log_group());
    let groups = || logs.describe_log_groups().log_group_name_prefix(names.log_group()).into_paginator().items().send();
    let groups: Vec<AwsLogGroup> = aws.call(doing(), || groups().try_collect()).await?;
    let Some(group) = groups.into_iter().find(|group| group.log_group_name() == Some(names.log_group())) else {
        return Ok(None);
    };
    let arn = group.arn().unwrap_or_default().trim_end_matches(":*");
    let tags = aws.find(doing(), || logs.list_tags_for_resource().resource_arn(arn).send()).await?;
    let Some(tags) = tags else { return Ok(None) };
    let tags = tags.tags.unwrap_or_default();
    Ok(Some(LogGroup { is_ours: names.owns(tags), retention_days: group.retention_in_days.unwrap_or(0) }))
}

pub(super) async fn function(aws: &Aws, names: &Names) -> Result<Option<Function>> {
    let request = aws.lambda().get_function().function_name(names.function());
    let answer = aws.find(format!("read the function {}", names.function()), || request.clone().send()).await?;
    let Some(answer) = answer else { return Ok(None) };
    let tags = answer.tags.unwrap_or_default();
    let Some(configuration) = answer.configuration else { return Ok(None) };
    let log_format = configuration.logging_config().and_then(|logging| logging.log_format());
    let log_group = configuration.logging_config().and_then(|logging| logging.log_group());
    let log_group = log_group.map_or_else(|| format!("/aws/lambda/{}", names.function()), str::to_owned);
    Ok(Some(Function {
        is_ours: names.owns(tags),
        state: configuration.state().map_or("Active", |state| state.as_str()).to_owned(),
        state_reason: configuration.state_reason().unwrap_or("no reason given").to_owned(),
        is_updating: configuration.last_update_status() == Some(&LastUpdateStatus::InProgress),
        sha256: configuration.code_sha256().unwrap_or_default().to_owned(),
        memory_mb: configuration.memory_size().unwrap_or_default(),
        timeout_seconds: configuration.timeout().unwrap_or_default(),
        log_format: if log_format == Some(&LogFormat::Json) { Format::Json } else { Format::Text },
        log_group,
        role_arn: configuration.role().unwrap_or_default().to_owned(),
    }))
}

/// The mapping of the stream to the function; Lambda allows only one. It is searched by its stream, because it outlives its function,
/// and Lambda may not list the mappings of a deleted function.
pub(super) async fn mapping(aws: &Aws, names: &Names, location: &Location) -> Result<Option<Mapping>> {
    let lambda = aws.lambda();
    let doing = || format!("list the event source mappings of {}", names.stream());
    let request = lambda.list_event_source_mappings().event_source_arn(names.stream_arn(location));
    let mappings: Vec<_> = aws.call(doing(), || request.clone().into_paginator().items().send().try_collect()).await?;
    let function = format!(":function:{}", names.function());
    // `deploy` points it to the alias.
    let alias = format!("{function}:{LIVE}");
    let is_to_function = |mapping: &EventSourceMappingConfiguration| {
        mapping.function_arn().is_some_and(|arn| arn.ends_with(&function) || arn.ends_with(&alias))
    };
    let Some(mapping) = mappings.into_iter().find(is_to_function) else { return Ok(None) };
    let tags = match mapping.event_source_mapping_arn() {
        Some(arn) => {
            let answer = aws.find(doing(), || lambda.list_tags().resource(arn).send()).await?;
            let Some(answer) = answer else { return Ok(None) };
            answer.tags.unwrap_or_default()
        }
        None => Default::default(),
    };
    Ok(Some(Mapping {
        is_ours: names.owns(tags),
        uuid: mapping.uuid().unwrap_or_default().to_owned(),
        state: mapping.state().unwrap_or_default().to_owned(),
        batch_size: mapping.batch_size().unwrap_or_default(),
        batch_window_seconds: mapping.maximum_batching_window_in_seconds().unwrap_or_default(),
        reports_item_failures: mapping
            .function_response_types()
            .contains(&FunctionResponseType::ReportBatchItemFailures),
    }))
}
