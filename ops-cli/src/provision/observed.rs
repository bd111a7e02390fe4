//! The parts of a path that exist. Each part is read with as few sequential calls as its service allows, all parts at the same time.

mod lambda;

use std::collections::{BTreeMap, HashMap};

use aws_sdk_cloudwatchlogs::types::LogGroup as AwsLogGroup;
use aws_sdk_kinesis::types::{EncryptionType, StreamDescriptionSummary, StreamMode};
use jiff::Timestamp;
use kinesis_event_logger_core::names::{Location, Names};
use serde_json::{Value, json};

use super::desired::{inline_policy, policy_arn};
use super::fields::Fields;
use super::kind::NONE;
use super::setting::Part;
use crate::aws::Aws;
use crate::error::Result;
use crate::stream;

/// The field of a stream that counts its open shards. It is not a setting.
pub const OPEN_SHARDS: &str = "open-shards";

pub use lambda::{function, function_state, last_result, live, mapping, mapping_state};

/// The parts of a path that exist.
#[derive(Debug, Clone, Default)]
pub struct ObservedPath {
    pub parts: BTreeMap<Part, ObservedPart>,
    /// The function's version that the alias `live` points to.
    pub live: Option<LiveVersion>,
}

impl ObservedPath {
    pub fn part(&self, part: Part) -> Option<&ObservedPart> {
        self.parts.get(&part)
    }
}

/// A part that exists.
#[derive(Debug, Clone)]
pub struct ObservedPart {
    pub is_ours: bool,
    pub tags: BTreeMap<String, String>,
    pub state: PartState,
    /// A mapping's UUID; the ARN of the other parts.
    pub id: String,
    pub fields: Fields,
    /// When it was created or, for a function and a mapping, last changed.
    pub since: Option<Timestamp>,
    /// The bytes that a log group stores.
    pub stored_bytes: Option<i64>,
}

/// The version that the alias points to.
#[derive(Debug, Clone)]
pub struct LiveVersion {
    pub version: String,
    pub fields: Fields,
}

/// Whether a part can be changed.
#[derive(Debug, Clone, PartialEq)]
pub enum PartState {
    Ready,
    /// A change is in progress, with the state that the service reports.
    Changing(String),
    Deleting,
    /// The part cannot be used, with the reason that the service reports.
    Failed(String),
}

/// Reads every part of the path.
pub async fn observe(aws: &Aws, names: &Names, location: &Location) -> Result<ObservedPath> {
    let (stream, role, log_group, function, live, mapping) = tokio::try_join!(
        stream(aws, names),
        role(aws, names, location),
        log_group(aws, names, location),
        function(aws, names),
        live(aws, names),
        mapping(aws, names, location),
    )?;
    let parts = [
        (Part::Stream, stream),
        (Part::Role, role),
        (Part::LogGroup, log_group),
        (Part::Function, function),
        (Part::Mapping, mapping),
    ];
    let parts = parts.into_iter().filter_map(|(part, observed)| Some((part, observed?))).collect();
    Ok(ObservedPath { parts, live })
}

/// Reads one part.
pub async fn observe_part(aws: &Aws, names: &Names, location: &Location, part: Part) -> Result<Option<ObservedPart>> {
    match part {
        Part::Stream => stream(aws, names).await,
        Part::Role => role(aws, names, location).await,
        Part::LogGroup => log_group(aws, names, location).await,
        Part::Function => function(aws, names).await,
        Part::Mapping => mapping(aws, names, location).await,
    }
}

async fn stream(aws: &Aws, names: &Names) -> Result<Option<ObservedPart>> {
    let request = aws.kinesis().list_tags_for_stream().stream_name(names.stream());
    let (summary, tags) = tokio::try_join!(
        stream::summary(aws, names.stream()),
        aws.find("read the stream's tags", || request.clone().send())
    )?;
    let (Some(summary), Some(tags)) = (summary, tags) else { return Ok(None) };
    let tags: BTreeMap<_, _> = tags.tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())).collect();
    let state = match summary.stream_status.as_str() {
        "ACTIVE" => PartState::Ready,
        "DELETING" => PartState::Deleting,
        other => PartState::Changing(other.to_owned()),
    };
    let fields = stream_fields(&summary);
    let since = Timestamp::from_second(summary.stream_creation_timestamp.secs()).ok();
    let (id, is_ours) = (summary.stream_arn, names.owns(&tags));
    Ok(Some(ObservedPart { is_ours, tags, state, id, fields, since, stored_bytes: None }))
}

fn stream_fields(summary: &StreamDescriptionSummary) -> Fields {
    let mode = summary.stream_mode_details.as_ref().map(|details| &details.stream_mode);
    let shards = match mode {
        Some(StreamMode::OnDemand) => json!("on-demand"),
        _ => json!(summary.open_shard_count),
    };
    let is_encrypted = summary.encryption_type == Some(EncryptionType::Kms);
    let key = summary.key_id.as_deref().filter(|_| is_encrypted);
    let mut fields = Fields::from([
        ("shards", shards),
        // A stream keeps them when it leaves the on-demand mode.
        (OPEN_SHARDS, json!(summary.open_shard_count)),
        ("retention-hours", json!(summary.retention_period_hours)),
        ("encryption-key", json!(key.unwrap_or(NONE))),
    ]);
    fields.set_if_some("max-record-kib", summary.max_record_size_in_kib);
    let warm = summary.warm_throughput.as_ref().and_then(|it| it.target_mibps);
    fields.set_if_some("warm-throughput-mibps", warm);
    let strategy = summary.record_distribution_strategy.as_ref().map(|it| it.as_str());
    fields.set("distribution", strategy.unwrap_or("USER_PARTITION_KEY"));
    fields
}

async fn role(aws: &Aws, names: &Names, location: &Location) -> Result<Option<ObservedPart>> {
    let iam = aws.iam();
    let doing = || format!("read the role {}", names.role());
    let attached = || iam.list_attached_role_policies().role_name(names.role()).into_paginator().items().send();
    let inline = || iam.get_role_policy().role_name(names.role()).policy_name(inline_policy(location)).send();
    let (role, attached, inline) = tokio::try_join!(
        aws.find(doing(), || iam.get_role().role_name(names.role()).send()),
        aws.find(doing(), || attached().try_collect()),
        aws.find(doing(), inline),
    )?;
    let (Some(role), Some(attached)) = (role.and_then(|answer| answer.role), attached) else { return Ok(None) };
    let attached: Vec<_> = attached;
    let managed = policy_arn(location);
    let tags: BTreeMap<_, _> = role.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
    let inline = inline.map(|policy| read_document(&policy.policy_document));
    let fields = Fields::from([
        ("managed-policy", json!(attached.iter().any(|policy| policy.policy_arn() == Some(managed.as_str())))),
        ("inline-policy", inline.unwrap_or(json!(NONE))),
    ]);
    let (is_ours, state) = (names.owns(&tags), PartState::Ready);
    let since = Timestamp::from_second(role.create_date.secs()).ok();
    Ok(Some(ObservedPart { is_ours, tags, state, id: role.arn, fields, since, stored_bytes: None }))
}

/// Reads a policy document, which IAM returns URL-encoded.
fn read_document(document: &str) -> Value {
    let decoded = percent_encoding::percent_decode_str(document).decode_utf8_lossy();
    serde_json::from_str(&decoded).unwrap_or_else(|_| json!(decoded))
}

async fn log_group(aws: &Aws, names: &Names, location: &Location) -> Result<Option<ObservedPart>> {
    let logs = aws.logs();
    let doing = || format!("read the log group {}", names.log_group());
    let groups = || logs.describe_log_groups().log_group_name_prefix(names.log_group()).into_paginator().items().send();
    let arn = names.log_group_arn(location);
    let (groups, tags) = tokio::try_join!(
        aws.call(doing(), || groups().try_collect()),
        aws.find(doing(), || logs.list_tags_for_resource().resource_arn(&arn).send()),
    )?;
    let groups: Vec<AwsLogGroup> = groups;
    let group = groups.into_iter().find(|group| group.log_group_name() == Some(names.log_group()));
    let (Some(group), Some(tags)) = (group, tags) else { return Ok(None) };
    let tags: BTreeMap<_, _> = tags.tags.unwrap_or_default().into_iter().collect();
    let fields = Fields::from([
        ("retention-days", json!(group.retention_in_days.unwrap_or(0))),
        ("class", json!(group.log_group_class.as_ref().map_or("STANDARD", |class| class.as_str()))),
        ("kms-key", json!(group.kms_key_id.as_deref().unwrap_or(NONE))),
        ("deletion-protection", json!(group.deletion_protection_enabled.unwrap_or_default())),
    ]);
    let since = group.creation_time.and_then(|time| Timestamp::from_millisecond(time).ok());
    let (is_ours, state, stored_bytes) = (names.owns(&tags), PartState::Ready, group.stored_bytes);
    Ok(Some(ObservedPart { is_ours, tags, state, id: arn, fields, since, stored_bytes }))
}

fn sorted(tags: Option<HashMap<String, String>>) -> BTreeMap<String, String> {
    tags.unwrap_or_default().into_iter().collect()
}
