//! Reads the function, the version behind its alias, and the mapping.

use aws_sdk_lambda::types::{
    EventSourceMappingConfiguration, EventSourceMappingMetric, FunctionConfiguration, FunctionResponseType,
    LastUpdateStatus, State,
};
use jiff::Timestamp;
use kinesis_event_logger_core::names::{Location, Names};
use serde_json::{Value, json};

use super::{LiveVersion, ObservedPart, PartState, sorted};
use crate::aws::Aws;
use crate::error::Result;
use crate::function::release::LIVE;
use crate::provision::consumer;
use crate::provision::fields::Fields;
use crate::provision::kind::NONE;
use crate::time;

pub async fn function(aws: &Aws, names: &Names) -> Result<Option<ObservedPart>> {
    let request = aws.lambda().get_function().function_name(names.function());
    let answer = aws.find(format!("read the function {}", names.function()), || request.clone().send()).await?;
    let Some(answer) = answer else { return Ok(None) };
    let tags = sorted(answer.tags);
    let Some(configuration) = answer.configuration else { return Ok(None) };
    let mut fields = function_fields(&configuration);
    let reserved = answer.concurrency.and_then(|it| it.reserved_concurrent_executions);
    fields.set("reserved-concurrency", reserved.map_or(json!(NONE), Value::from));
    Ok(Some(ObservedPart {
        is_ours: names.owns(&tags),
        tags,
        state: function_state(&configuration),
        since: configuration.last_modified().and_then(modified),
        stored_bytes: None,
        id: configuration.function_arn.unwrap_or_default(),
        fields,
    }))
}

/// Lambda writes the offset without a colon: `2026-11-28T14:50:00.000+0000`.
fn modified(text: &str) -> Option<Timestamp> {
    Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text).ok()
}

/// The state of a function. Some emulators report no state or an empty one: such a function can be used.
pub fn function_state(configuration: &FunctionConfiguration) -> PartState {
    let reason = |reason: Option<&str>| reason.unwrap_or("no reason given").to_owned();
    let pending = |reason: Option<&str>, state: &str| match reason {
        Some(reason) if !reason.is_empty() => format!("{state}: {reason}"),
        _ => state.to_owned(),
    };
    match (configuration.state(), configuration.last_update_status()) {
        (Some(State::Failed), _) => PartState::Failed(reason(configuration.state_reason())),
        (_, Some(LastUpdateStatus::InProgress)) => {
            PartState::Changing(pending(configuration.last_update_status_reason(), "updating"))
        }
        (_, Some(LastUpdateStatus::Failed)) => PartState::Failed(reason(configuration.last_update_status_reason())),
        (None | Some(State::Active | State::Inactive), _) => PartState::Ready,
        (Some(state), _) if state.as_str().is_empty() => PartState::Ready,
        (Some(state), _) => PartState::Changing(pending(configuration.state_reason(), state.as_str())),
    }
}

/// Reads the version that the alias points to.
pub async fn live(aws: &Aws, names: &Names) -> Result<Option<LiveVersion>> {
    let name = names.function();
    let request = aws.lambda().get_function_configuration().function_name(name).qualifier(LIVE);
    let answer = aws.find(format!("read the alias {LIVE} of the function {name}"), || request.clone().send()).await?;
    Ok(answer.map(|output| {
        // The output of the call has the members of the type, but is not the type.
        let configuration = FunctionConfiguration::builder()
            .set_code_sha256(output.code_sha256)
            .set_memory_size(output.memory_size)
            .set_timeout(output.timeout)
            .set_role(output.role)
            .set_architectures(output.architectures)
            .set_logging_config(output.logging_config)
            .set_tracing_config(output.tracing_config)
            .set_environment(output.environment)
            .set_vpc_config(output.vpc_config)
            .set_kms_key_arn(output.kms_key_arn)
            .set_function_name(output.function_name)
            .build();
        LiveVersion { version: output.version.unwrap_or_default(), fields: function_fields(&configuration) }
    }))
}

/// Identifiers in the order that requested ones have.
fn in_order(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}

/// A pattern in the form that requested ones have.
fn compact(pattern: &str) -> String {
    serde_json::from_str::<Value>(pattern).map_or_else(|_| pattern.to_owned(), |pattern| pattern.to_string())
}

fn function_fields(configuration: &FunctionConfiguration) -> Fields {
    let logging = configuration.logging_config();
    let group = logging.and_then(|logging| logging.log_group()).map(str::to_owned);
    let name = configuration.function_name().unwrap_or_default();
    let vpc = configuration.vpc_config();
    let environment = configuration.environment().and_then(|environment| environment.variables());
    let architecture = configuration.architectures().first().map_or("x86_64", |it| it.as_str());
    let mut fields = Fields::from([
        ("code", json!(configuration.code_sha256().unwrap_or_default())),
        ("architecture", json!(architecture)),
        ("memory", json!(configuration.memory_size().unwrap_or_default())),
        ("timeout", json!(configuration.timeout().unwrap_or_default())),
        ("role", json!(configuration.role().unwrap_or_default())),
        ("log-format", json!(logging.and_then(|it| it.log_format()).map_or("Text", |it| it.as_str()))),
        ("log-group", json!(group.unwrap_or_else(|| format!("/aws/lambda/{name}")))),
        ("kms-key", json!(configuration.kms_key_arn().filter(|arn| !arn.is_empty()).unwrap_or(NONE))),
        ("subnets", json!(vpc.map(|vpc| in_order(vpc.subnet_ids())).unwrap_or_default())),
        ("security-groups", json!(vpc.map(|vpc| in_order(vpc.security_group_ids())).unwrap_or_default())),
        ("environment", json!(environment.cloned().unwrap_or_default())),
    ]);
    let level = logging.and_then(|it| it.application_log_level());
    fields.set_if_some("application-log-level", level.map(|it| it.as_str()));
    fields.set_if_some("system-log-level", logging.and_then(|it| it.system_log_level()).map(|it| it.as_str()));
    let tracing = configuration.tracing_config().and_then(|it| it.mode());
    fields.set_if_some("tracing", tracing.map(|it| it.as_str()));
    fields
}

/// The mapping of the stream, or of our consumer of it, to the function or to its alias. It is searched by its source, because it
/// outlives its function, and Lambda may not list the mappings of a deleted function.
pub async fn mapping(aws: &Aws, names: &Names, location: &Location) -> Result<Option<ObservedPart>> {
    let lambda = aws.lambda();
    let doing = || format!("list the event source mappings of {}", names.stream());
    let list = async |source: String| -> Result<Vec<EventSourceMappingConfiguration>> {
        let request = lambda.list_event_source_mappings().event_source_arn(source);
        aws.call(doing(), || request.clone().into_paginator().items().send().try_collect()).await
    };
    let mut mappings = list(names.stream_arn(location)).await?;
    if mappings.is_empty()
        && let Some(consumer) = consumer::arn(aws, names, location).await?
    {
        mappings = list(consumer).await?;
    }
    // A mapping to another version is ours too: a second mapping would log each record twice.
    let function = |mapping: &&EventSourceMappingConfiguration| {
        let (name, qualifier) = invoked(mapping).map(|it| it.split_once(':').unwrap_or((it, "")))?;
        (name == names.function()).then(|| [LIVE, ""].iter().position(|usual| *usual == qualifier).unwrap_or(2))
    };
    let Some(mapping) = mappings.iter().filter(|it| function(it).is_some()).min_by_key(function) else {
        return Ok(None);
    };
    let tags = match mapping.event_source_mapping_arn() {
        Some(arn) => {
            let answer = aws.find(doing(), || lambda.list_tags().resource(arn).send()).await?;
            let Some(answer) = answer else { return Ok(None) };
            sorted(answer.tags)
        }
        None => Default::default(),
    };
    Ok(Some(ObservedPart {
        is_ours: names.owns(&tags),
        tags,
        state: mapping_state(mapping.state().unwrap_or_default()),
        since: mapping.last_modified().and_then(|time| Timestamp::from_second(time.secs()).ok()),
        stored_bytes: None,
        id: mapping.uuid().unwrap_or_default().to_owned(),
        fields: mapping_fields(mapping),
    }))
}

/// The result of the mapping's last batch, as Lambda reports it: `OK`, or `PROBLEM: ` and the reason.
pub async fn last_result(aws: &Aws, uuid: Option<String>) -> Result<Option<String>> {
    let Some(uuid) = uuid else { return Ok(None) };
    let request = aws.lambda().get_event_source_mapping().uuid(uuid);
    let answer = aws.find("get the event source mapping", || request.clone().send()).await?;
    Ok(answer.and_then(|answer| answer.last_processing_result))
}

/// The invoked function, with its alias: `NAME:live`.
fn invoked(mapping: &EventSourceMappingConfiguration) -> Option<&str> {
    Some(mapping.function_arn()?.split_once(":function:")?.1)
}

pub fn mapping_state(state: &str) -> PartState {
    match state {
        "Enabled" | "Disabled" => PartState::Ready,
        "Deleting" => PartState::Deleting,
        other => PartState::Changing(other.to_owned()),
    }
}

fn mapping_fields(mapping: &EventSourceMappingConfiguration) -> Fields {
    let destination = mapping.destination_config().and_then(|it| it.on_failure()).and_then(|it| it.destination());
    let filters = mapping.filter_criteria().map(|criteria| criteria.filters()).unwrap_or_default();
    let metrics = mapping.metrics_config().map(|config| config.metrics()).unwrap_or_default();
    let is_enabled = !matches!(mapping.state(), Some("Disabled" | "Disabling"));
    let mut fields = Fields::from([
        ("function", json!(invoked(mapping).unwrap_or_default())),
        ("enabled", json!(is_enabled)),
        ("fan-out", json!(mapping.event_source_arn().is_some_and(|source| source.contains("/consumer/")))),
        ("batch-size", json!(mapping.batch_size().unwrap_or_default())),
        ("batch-window", json!(mapping.maximum_batching_window_in_seconds().unwrap_or_default())),
        ("parallelization-factor", json!(mapping.parallelization_factor().unwrap_or(1))),
        ("retries", json!(mapping.maximum_retry_attempts().unwrap_or(-1))),
        ("max-record-age", json!(mapping.maximum_record_age_in_seconds().unwrap_or(-1))),
        ("bisect", json!(mapping.bisect_batch_on_function_error().unwrap_or_default())),
        ("on-failure", json!(destination.filter(|arn| !arn.is_empty()).unwrap_or(NONE))),
        ("filters", filters.iter().filter_map(|filter| filter.pattern()).map(compact).collect()),
        ("tumbling-window", json!(mapping.tumbling_window_in_seconds().unwrap_or_default())),
        ("metrics", json!(metrics.contains(&EventSourceMappingMetric::EventCount))),
        (
            "partial-responses",
            json!(mapping.function_response_types().contains(&FunctionResponseType::ReportBatchItemFailures)),
        ),
    ]);
    fields.set_if_some("starting-position", mapping.starting_position().map(|it| it.as_str()));
    let time = mapping.starting_position_timestamp();
    // The answer has epoch seconds with a fraction, which is not exact.
    let time = time.and_then(|time| Timestamp::from_nanosecond(time.as_nanos()).ok()).map(time::to_the_millisecond);
    fields.set_if_some("starting-timestamp", time.map(|time| time.to_string()));
    fields
}
