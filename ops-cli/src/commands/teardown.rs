//! `teardown`: delete what carries our tags.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use kinesis_event_logger_core::names::{Location, Names};
use serde::Serialize;

use crate::aws::{self, Aws};
use crate::error::{Error, Result};
use crate::global::Global;
use crate::output::{Output, Render};
use crate::progress::{self, ask, note};
use crate::provision::observed::{Observed, observe};
use crate::stream;
use crate::wait::{self, Look};

const TEARDOWN: &str = "\
Shows what carries our tags, asks, and deletes it: mapping, function, log group, role, stream. What does not \
carry our tags stays. Can be run again.

Examples:
  ops-cli teardown
  ops-cli --local teardown --yes";

/// Delete what provision made
#[derive(Args, Debug, Clone)]
#[command(after_help = TEARDOWN)]
pub struct Teardown {
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

const DEADLINE: Duration = Duration::from_secs(300);

/// A part to delete.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Mapping(String),
    Function,
    LogGroup,
    Role,
    Stream,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    deleted: Vec<String>,
    /// What is there and does not carry our tags.
    untouched: Vec<String>,
}

impl Render for Outcome {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        for name in &self.untouched {
            writeln!(to, "{name} does not carry our tags: left as it is")?;
        }
        match self.deleted.len() {
            0 => writeln!(to, "nothing to do"),
            1 => writeln!(to, "deleted 1 part"),
            n => writeln!(to, "deleted {n} parts"),
        }
    }
}

pub async fn run(global: &Global, args: &Teardown, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let aws = Aws::connect(global).await?.with_patience(Some(DEADLINE));
    let location = aws.location().await?;
    let observed = observe(&aws, &names, &location).await?;
    let (parts, untouched) = ours(&names, &observed);
    if !parts.is_empty() && !args.yes {
        note(&format!("account {}, region {}; these carry our tags:", location.account_id, location.region));
        parts.iter().for_each(|part| note(&format!("  {}", part.describe(&names))));
        confirm()?;
    }
    delete_parts(&aws, &names, &location, &parts).await?;
    output.show(&Outcome { deleted: parts.iter().map(|part| part.describe(&names)).collect(), untouched })
}

/// Deletes everything of ours, without asking.
pub async fn all(aws: &Aws, names: &Names, location: &Location) -> Result<()> {
    let (parts, _) = ours(names, &observe(aws, names, location).await?);
    delete_parts(aws, names, location, &parts).await
}

async fn delete_parts(aws: &Aws, names: &Names, location: &Location, parts: &[Part]) -> Result<()> {
    for part in parts {
        let step = progress::Step::begin(format!("delete {}", part.describe(names)));
        delete(aws, names, location, part).await?;
        step.done();
    }
    Ok(())
}

/// What there is to delete, in order: nothing is deleted before what depends on it. And what is not ours.
fn ours(names: &Names, observed: &Observed) -> (Vec<Part>, Vec<String>) {
    let Observed { stream, role, log_group, function, mapping } = observed;
    let found = [
        mapping.as_ref().map(|mapping| (Part::Mapping(mapping.uuid.clone()), mapping.is_ours)),
        function.as_ref().map(|function| (Part::Function, function.is_ours)),
        log_group.as_ref().map(|group| (Part::LogGroup, group.is_ours)),
        role.as_ref().map(|role| (Part::Role, role.is_ours)),
        stream.as_ref().map(|stream| (Part::Stream, stream.is_ours)),
    ];
    let (ours, others): (Vec<_>, Vec<_>) = found.into_iter().flatten().partition(|(_, is_ours)| *is_ours);
    let others = others.into_iter().map(|(part, _)| part.describe(names)).collect();
    (ours.into_iter().map(|(part, _)| part).collect(), others)
}

impl Part {
    fn describe(&self, names: &Names) -> String {
        match self {
            Self::Mapping(uuid) => format!("event source mapping {uuid}"),
            Self::Function => format!("function {}", names.function()),
            Self::LogGroup => format!("log group {} and all its events", names.log_group()),
            Self::Role => format!("role {}", names.role()),
            Self::Stream => format!("stream {} and all its records", names.stream()),
        }
    }
}

fn confirm() -> Result<()> {
    if !io::stdin().is_terminal() {
        return Err(Error::usage("teardown asks before it deletes, and stdin is not a terminal").hint("add --yes"));
    }
    ask("Delete them? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::failed("nothing was deleted")),
    }
}

/// What someone else deleted in the meantime is deleted, too.
async fn delete(aws: &Aws, names: &Names, location: &Location, part: &Part) -> Result<()> {
    match part {
        Part::Mapping(uuid) => delete_mapping(aws, names, location, uuid).await,
        Part::Function => {
            let request = aws.lambda().delete_function().function_name(names.function());
            aws.find("delete the function", || request.clone().send()).await.map(drop)
        }
        Part::LogGroup => {
            let request = aws.logs().delete_log_group().log_group_name(names.log_group());
            aws.find("delete the log group", || request.clone().send()).await.map(drop)
        }
        Part::Role => delete_role(aws, names).await,
        Part::Stream => delete_stream(aws, names).await,
    }
}

/// While a mapping changes its state it refuses to be deleted. A service that knows it no longer answers "not found", or
/// (another emulator) with a state that is empty: then its list decides.
async fn delete_mapping(aws: &Aws, names: &Names, location: &Location, uuid: &str) -> Result<()> {
    let what = format!("the event source mapping {uuid} to be gone");
    let request = aws.lambda().delete_event_source_mapping().uuid(uuid);
    let doing = "delete the event source mapping";
    wait::until(&aws.retry, &what, DEADLINE, async || {
        let error = match aws.retry.call(doing, || request.clone().send()).await {
            Ok(mapping) => {
                let state = mapping.state.unwrap_or_default();
                let is_gone = state.is_empty() && !is_listed(aws, names, location, uuid).await?;
                return Ok(if is_gone { Look::Ready(()) } else { Look::Pending(state) });
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(service) if service.is_resource_not_found_exception() => Ok(Look::Ready(())),
            Some(service) if service.is_resource_in_use_exception() || service.is_resource_conflict_exception() => {
                Ok(Look::Pending("in use".into()))
            }
            _ => Err(Error::aws(doing, error)),
        }
    })
    .await
}

/// Whether the mapping is among those of our stream.
async fn is_listed(aws: &Aws, names: &Names, location: &Location, uuid: &str) -> Result<bool> {
    let request = aws.lambda().list_event_source_mappings().event_source_arn(names.stream_arn(location));
    let mappings = || request.clone().into_paginator().items().send().try_collect();
    let mappings: Vec<_> = aws.call("look at the event source mappings", mappings).await?;
    Ok(mappings.iter().any(|mapping| mapping.uuid() == Some(uuid)))
}

async fn delete_role(aws: &Aws, names: &Names) -> Result<()> {
    let (iam, name) = (aws.iam(), names.role());
    let doing = "look at the role's policies";
    let attached = || iam.list_attached_role_policies().role_name(name).into_paginator().items().send().try_collect();
    let attached: Option<Vec<_>> = aws.find(doing, attached).await?;
    for arn in attached.iter().flatten().filter_map(|policy| policy.policy_arn()) {
        let request = iam.detach_role_policy().role_name(name).policy_arn(arn);
        aws.find("detach the role's policy", || request.clone().send()).await?;
    }
    // A role with policies of its own cannot be deleted either, and would stop the teardown half way.
    let inline = || iam.list_role_policies().role_name(name).into_paginator().items().send().try_collect();
    let inline: Option<Vec<_>> = aws.find(doing, inline).await?;
    for policy in inline.into_iter().flatten() {
        let request = iam.delete_role_policy().role_name(name).policy_name(policy);
        aws.find("delete the role's policy", || request.clone().send()).await?;
    }
    let request = iam.delete_role().role_name(name);
    aws.find("delete the role", || request.clone().send()).await.map(drop)
}

async fn delete_stream(aws: &Aws, names: &Names) -> Result<()> {
    let request = aws.kinesis().delete_stream().stream_name(names.stream());
    aws.find("delete the stream", || request.clone().send()).await?;
    let what = format!("the stream {} to be gone", names.stream());
    wait::until(&aws.retry, &what, DEADLINE, async || {
        Ok(match stream::summary(aws, names.stream()).await? {
            None => Look::Ready(()),
            Some(summary) => Look::Pending(summary.stream_status.as_str().to_owned()),
        })
    })
    .await
}
