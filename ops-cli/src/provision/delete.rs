//! Deletes the parts of a path that carry our tags.

use std::time::Duration;

use kinesis_event_logger_core::names::{Location, Names};

use super::consumer;
use super::desired::{DesiredPath, inline_policy, region_of_policy};
use super::observed::{ObservedPart, ObservedPath, observe};
use super::setting::Part;
use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::output::counted;
use crate::progress::{self, note};
use crate::stream;
use crate::wait::{self, Poll};

/// How long a part may take to be deleted.
pub const DEADLINE: Duration = Duration::from_secs(300);

/// The order of deletion: each part after the parts that depend on it. The log group is last, because a function that still runs
/// would create it again.
const ORDER: [Part; 5] = [Part::Mapping, Part::Function, Part::Stream, Part::Role, Part::LogGroup];

/// A part of the path that exists.
#[derive(Debug, Clone, PartialEq)]
pub struct ExistingPart {
    pub part: Part,
    /// A mapping's UUID; the ARN of the other parts.
    pub id: String,
    /// Whether the mapping reads through a consumer, which is deleted with it.
    pub has_consumer: bool,
}

/// A part that was not deleted, and the reason.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptPart {
    pub part: ExistingPart,
    pub reason: String,
}

/// Deletes every part that carries our tags, without asking.
pub async fn delete_ours(aws: &Aws, names: &Names, location: &Location) -> Result<()> {
    let (parts, _) = ours(&observe(aws, names, location).await?);
    delete_parts(aws, names, location, &parts).await.map(drop)
}

/// Deletes the parts of these kinds that carry our tags, and returns their number.
pub async fn delete_created(aws: &Aws, desired: &DesiredPath, created: &[Part]) -> Result<usize> {
    let DesiredPath { names, location, .. } = desired;
    let (mut parts, _) = ours(&observe(aws, names, location).await?);
    parts.retain(|existing| created.contains(&existing.part));
    let kept = delete_parts(aws, names, location, &parts).await?;
    Ok(parts.len() - kept.len())
}

/// Fails if one of the parts cannot be deleted, before any is.
pub fn check_protection(names: &Names, observed: &ObservedPath, parts: &[ExistingPart]) -> Result<()> {
    let is_protected =
        observed.part(Part::LogGroup).is_some_and(|group| group.fields.bool("deletion-protection") == Some(true));
    if !is_protected || parts.iter().all(|existing| existing.part != Part::LogGroup) {
        return Ok(());
    }
    let group = names.log_group();
    Err(Error::failed(format!("the log group {group} is protected from deletion, so nothing was deleted")).hint(format!(
        "keep it with --keep-logs, or end its protection: `aws logs put-log-group-deletion-protection --log-group-identifier {group} \
         --no-deletion-protection-enabled`"
    )))
}

/// Deletes parts, in their order. Returns those that are still needed.
pub async fn delete_parts(
    aws: &Aws,
    names: &Names,
    location: &Location,
    parts: &[ExistingPart],
) -> Result<Vec<KeptPart>> {
    let mut kept = Vec::new();
    for (deleted, part) in parts.iter().enumerate() {
        let step = progress::ProgressStep::begin(format!("delete {}", part.describe(names)));
        match delete(aws, names, location, part).await {
            Ok(None) => {
                step.done();
            }
            Ok(Some(reason)) => {
                drop(step);
                kept.push(KeptPart { part: part.clone(), reason });
            }
            Err(error) => {
                drop(step);
                for left in &parts[deleted..] {
                    note(&format!("not deleted: {}", left.describe(names)));
                }
                let hint = format!(
                    "{deleted} of {} deleted; run the same command again to continue",
                    counted(parts.len() as u64, "part")
                );
                return Err(if error.hint.is_some() { error } else { error.hint(hint) });
            }
        }
    }
    Ok(kept)
}

/// The parts that carry our tags, in the order of their deletion, and the parts that do not.
pub fn ours(observed: &ObservedPath) -> (Vec<ExistingPart>, Vec<ExistingPart>) {
    let existing = ORDER.into_iter().filter_map(|part| Some((part, observed.part(part)?)));
    let (ours, others): (Vec<_>, Vec<_>) = existing.partition(|(_, observed)| observed.is_ours);
    let of = |parts: Vec<(Part, &ObservedPart)>| {
        let existing = |(part, observed): (Part, &ObservedPart)| ExistingPart {
            part,
            id: observed.id.clone(),
            has_consumer: observed.fields.bool("fan-out") == Some(true),
        };
        parts.into_iter().map(existing).collect()
    };
    (of(ours), of(others))
}

impl ExistingPart {
    pub fn describe(&self, names: &Names) -> String {
        match self.part {
            Part::Mapping if self.has_consumer => {
                format!("event source mapping {} and its consumer {}", self.id, names.function())
            }
            Part::Mapping => format!("event source mapping {}", self.id),
            Part::Function => format!("function {}", names.function()),
            Part::LogGroup => format!("log group {} with all its events", names.log_group()),
            Part::Role => format!("role {}", names.role()),
            Part::Stream => format!("stream {} with all its records", names.stream()),
        }
    }
}

/// Deletes a part. A part that was deleted by somebody else meanwhile is not an error. Returns the reason if the part is still
/// needed.
async fn delete(aws: &Aws, names: &Names, location: &Location, part: &ExistingPart) -> Result<Option<String>> {
    match part.part {
        Part::Role => return delete_role(aws, names, location).await,
        Part::Mapping => {
            delete_mapping(aws, names, location, &part.id).await?;
            if part.has_consumer { consumer::delete(aws, names, location).await } else { Ok(()) }
        }
        // With all its versions and aliases.
        Part::Function => {
            let request = aws.lambda().delete_function().function_name(names.function());
            aws.find("delete the function", || request.clone().send()).await.map(drop)
        }
        Part::LogGroup => {
            let request = aws.logs().delete_log_group().log_group_name(names.log_group());
            aws.find("delete the log group", || request.clone().send()).await.map(drop)
        }
        Part::Stream => delete_stream(aws, names).await,
    }
    .map(|()| None)
}

/// Deletes a mapping, and waits until it is deleted. Lambda rejects the deletion of a mapping while its state changes. After the
/// deletion it answers "not found". Another emulator answers with an empty state: then the list of mappings decides.
async fn delete_mapping(aws: &Aws, names: &Names, location: &Location, uuid: &str) -> Result<()> {
    let what = format!("the event source mapping {uuid} to be deleted");
    let request = aws.lambda().delete_event_source_mapping().uuid(uuid);
    let doing = "delete the event source mapping";
    wait::until(&aws.retry, &what, DEADLINE, async || {
        let error = match aws.retry.call(doing, || request.clone().send()).await {
            Ok(mapping) => {
                let state = mapping.state.unwrap_or_default();
                let is_deleted = state.is_empty() && !is_listed(aws, names, location, uuid).await?;
                return Ok(if is_deleted { Poll::Ready(()) } else { Poll::Pending(state) });
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(service) if service.is_resource_not_found_exception() => Ok(Poll::Ready(())),
            Some(service) if service.is_resource_in_use_exception() || service.is_resource_conflict_exception() => {
                Ok(Poll::Pending("in use".into()))
            }
            _ => Err(Error::aws(doing, error)),
        }
    })
    .await
}

/// Whether the mapping is in the list of the mappings of the stream.
async fn is_listed(aws: &Aws, names: &Names, location: &Location, uuid: &str) -> Result<bool> {
    let request = aws.lambda().list_event_source_mappings().event_source_arn(names.stream_arn(location));
    let mappings = || request.clone().into_paginator().items().send().try_collect();
    let mappings: Vec<_> = aws.call("list the event source mappings", mappings).await?;
    Ok(mappings.iter().any(|mapping| mapping.uuid() == Some(uuid)))
}

/// Deletes the role with its policies. If paths of other regions use it, deletes only the policy for this region.
async fn delete_role(aws: &Aws, names: &Names, location: &Location) -> Result<Option<String>> {
    let (iam, name) = (aws.iam(), names.role());
    let doing = "list the role's policies";
    let inline = || iam.list_role_policies().role_name(name).into_paginator().items().send().try_collect();
    let inline: Option<Vec<String>> = aws.find(doing, inline).await?;
    let mut inline = inline.unwrap_or_default();
    let own = inline_policy(location);
    let regions = inline.iter().filter(|policy| **policy != own).filter_map(|policy| region_of_policy(policy));
    let regions = regions.collect::<Vec<_>>().join(", ");
    if !regions.is_empty() {
        inline.retain(|policy| *policy == own);
    }
    // A role with inline policies cannot be deleted.
    for policy in inline {
        let request = iam.delete_role_policy().role_name(name).policy_name(policy);
        aws.find("delete the role's policy", || request.clone().send()).await?;
    }
    if !regions.is_empty() {
        return Ok(Some(format!("used in {regions}")));
    }
    let attached = || iam.list_attached_role_policies().role_name(name).into_paginator().items().send().try_collect();
    let attached: Option<Vec<_>> = aws.find(doing, attached).await?;
    for arn in attached.iter().flatten().filter_map(|policy| policy.policy_arn()) {
        let request = iam.detach_role_policy().role_name(name).policy_arn(arn);
        aws.find("detach the role's policy", || request.clone().send()).await?;
    }
    let request = iam.delete_role().role_name(name);
    aws.find("delete the role", || request.clone().send()).await.map(|_| None)
}

async fn delete_stream(aws: &Aws, names: &Names) -> Result<()> {
    let request = aws.kinesis().delete_stream().stream_name(names.stream());
    // Consumers of the stream would block its deletion.
    let request = request.enforce_consumer_deletion(true);
    aws.find("delete the stream", || request.clone().send()).await?;
    let what = format!("the stream {} to be deleted", names.stream());
    wait::until(&aws.retry, &what, DEADLINE, async || {
        Ok(match stream::summary(aws, names.stream()).await? {
            None => Poll::Ready(()),
            Some(summary) => Poll::Pending(summary.stream_status.as_str().to_owned()),
        })
    })
    .await
}
