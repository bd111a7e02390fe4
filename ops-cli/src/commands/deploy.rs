//! `deploy`: change the code that runs, after a check.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kinesis_event_logger_core::names::{Location, Names};
use serde::Serialize;

use crate::aws::{self, Aws};
use crate::deploy::canary::{self, Canary, Candidate, LastResult};
use crate::deploy::check::check;
use crate::deploy::mapping::{Invoked, Mapping};
use crate::deploy::target::{TargetFunction, upload};
use crate::deploy::{commit, retain};
use crate::error::{Error, Result};
use crate::function::release::{Alias, DEADLINE, LATEST, LIVE, Releases, Route};
use crate::function::{self, FunctionZip, Target};
use crate::global::Global;
use crate::output::{Output, Render, counted};
use crate::progress::{ProgressStep, note};
use crate::signals::interrupted;
use crate::time;
use crate::values::number;

const TASK: &str = "\
Uploads the function's code if it differs, publishes it as a version, invokes the version with a sample event and checks that the \
record's line arrives. Then it moves the alias `live`, which the event source mapping points to. If the check fails, `live` stays \
where it is and the exit code is 1.";

const EXAMPLES: &str = "\
Examples:
  ops-cli deploy
  ops-cli deploy --zip target/bootstrap.zip
  ops-cli deploy --canary 10% --for 5m
  ops-cli rollback

With --canary, the version first runs that share of the invocations. If one of them fails in this time, if none is seen, or if the \
command is interrupted, `live` moves back. A run that was killed can be repeated: it continues from what it finds.";

/// Check a new version of the function's code, and make it live
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Deploy {
    /// Zip of the function (default: packages the function as `ops-cli package` does)
    #[arg(long, value_name = "FILE")]
    zip: Option<PathBuf>,
    /// Description of the version, at most 256 characters (default: the commit of the working directory)
    #[arg(long, value_name = "TEXT", value_parser = description)]
    description: Option<String>,
    /// Share of the invocations that run the version before all of them do
    #[arg(long, value_name = "PERCENT", value_parser = canary::parse_share)]
    canary: Option<f64>,
    /// How long the share is watched
    #[arg(long = "for", value_name = "DURATION", default_value = "5m", requires = "canary", value_parser = watched)]
    watched: Duration,
    /// Number of versions to keep, at least 1: first those that were live; a version to which an alias points is never deleted
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = number(1..=u16::MAX))]
    keep: u16,
}

fn watched(text: &str) -> Result<Duration, String> {
    let duration = time::duration("--for", text).map_err(|error| error.message)?;
    if duration.is_zero() { Err("expected a time above 0, as in 30s or 5m".to_owned()) } else { Ok(duration) }
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html>
fn description(text: &str) -> Result<String, String> {
    match text.chars().count() {
        ..=256 => Ok(text.to_owned()),
        count => Err(format!("expected at most 256 characters, but it has {count}")),
    }
}

/// The outcome of a run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeployReport {
    function: String,
    version: String,
    /// The version that was live before; `None` if this run created the alias.
    previous: Option<String>,
    code_sha256: String,
    uploaded: bool,
    /// The invocations of the version that were watched; `None` without --canary.
    canary_invocations: Option<u64>,
    /// Whether the alias or the mapping was changed first, so that the mapping runs `live`.
    adopted: bool,
    deleted: Vec<u64>,
}

impl Render for DeployReport {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let Self { function, version, previous, .. } = self;
        if !self.deleted.is_empty() {
            let deleted: Vec<_> = self.deleted.iter().map(u64::to_string).collect();
            writeln!(to, "deleted old versions: {}", deleted.join(", "))?;
        }
        match previous {
            Some(previous) if version == previous && self.deleted.is_empty() && !self.adopted => {
                writeln!(to, "nothing to do: {LIVE} of {function} runs version {version}")
            }
            Some(previous) if version == previous => {
                writeln!(to, "{LIVE} of {function} runs version {version} as before")
            }
            Some(previous) => writeln!(to, "{LIVE} of {function} runs version {version} (before: {previous})"),
            None => writeln!(to, "{LIVE} of {function} runs version {version} (before: there was no {LIVE})"),
        }
    }
}

pub async fn run(global: &Global, args: &Deploy, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let aws = Aws::connect(global).await?.with_retry_deadline(Some(DEADLINE));
    let (location, function) = tokio::try_join!(aws.location(), TargetFunction::read(&aws, &names))?;
    function.must_be_ours(&names)?;
    let zip = zip(args, &aws, &function)?;
    let canary = args.canary.map(|share| Canary { share, duration: args.watched });
    let releases = Releases { aws: &aws, function: names.function() };
    let deployment = Deployment { names: &names, location: &location, releases, function: &function };
    let report = deployment.run(&zip, args, canary).await?;
    output.show(&report)
}

fn zip(args: &Deploy, aws: &Aws, function: &TargetFunction) -> Result<FunctionZip> {
    let target = if aws.is_this_machine() { Target::ThisMachine } else { Target::Lambda };
    match &args.zip {
        Some(path) => function::load(path, target),
        None => Ok(function::build(Some(function.architecture), target)?.zip),
    }
}

struct Deployment<'a> {
    names: &'a Names,
    location: &'a Location,
    releases: Releases<'a>,
    function: &'a TargetFunction,
}

impl Deployment<'_> {
    async fn run(&self, zip: &FunctionZip, args: &Deploy, canary: Option<Canary>) -> Result<DeployReport> {
        let releases = self.releases;
        let existing = self.releases.live().await?;
        let mapping = Mapping::find(releases.aws, self.names, self.location).await?;
        let live = self.adopt(existing.as_ref(), mapping.as_ref()).await?;
        let previous = existing.as_ref().map(|_| live.route.version.clone());
        let mut adopted = existing.as_ref().map(|existing| &existing.route) != Some(&live.route);
        if let Some(mapping) = mapping.filter(|mapping| mapping.invokes != Invoked::Live) {
            mapping.point_to_live(releases.aws, self.names).await?;
            adopted = true;
        }
        let is_new = self.function.code_sha256 != zip.sha256;
        if is_new {
            let step = ProgressStep::begin(format!("upload {:.2} MB", zip.bytes.len() as f64 / 1e6));
            upload(releases, zip).await?;
            step.done();
        }
        let description = args.description.clone().unwrap_or_else(commit::description);
        let version = releases.publish(&description, &zip.sha256).await?;
        let canary_invocations =
            if live.route == Route::to(&version) { None } else { self.release(live, &version, canary).await? };
        let deleted = self.delete_old(usize::from(args.keep)).await?;
        Ok(DeployReport {
            function: self.names.function().to_owned(),
            version,
            previous,
            code_sha256: zip.sha256.clone(),
            uploaded: is_new,
            canary_invocations,
            adopted,
            deleted,
        })
    }

    /// Returns the alias that runs what the mapping runs, so that neither pointing the mapping to it nor an upload changes what runs.
    /// `$LATEST`, which an upload changes, is published as it is.
    async fn adopt(&self, existing: Option<&Alias>, mapping: Option<&Mapping>) -> Result<Alias> {
        let version = match (mapping.map(|mapping| &mapping.invokes), existing) {
            (Some(Invoked::Other(alias)), _) => {
                let function = self.names.function();
                return Err(Error::failed(format!("the event source mapping invokes {function}:{alias}, not {LIVE}"))
                    .hint("`ops-cli provision` points it to live; `ops-cli plan` shows that first"));
            }
            (Some(Invoked::Version(version)), _) => Some(version.clone()),
            (Some(Invoked::Live) | None, Some(live)) if live.route.version != LATEST => return Ok(live.clone()),
            _ => None,
        };
        let step = ProgressStep::begin(format!("point the alias {LIVE} to the code that runs"));
        let version = match version {
            Some(version) => version,
            None => self.releases.publish("", &self.function.code_sha256).await?,
        };
        let route = Route::to(version);
        let live = match existing {
            Some(live) if live.route == route => live.clone(),
            _ => self.releases.point_live(&route, existing).await?,
        };
        step.done();
        Ok(live)
    }

    /// Checks the version, and moves `live` to it. Returns the number of its invocations that were watched.
    async fn release(&self, live: Alias, version: &str, canary: Option<Canary>) -> Result<Option<u64>> {
        let releases = self.releases;
        let step = ProgressStep::begin(format!("check version {version}"));
        let checked = check(releases.aws, self.names, self.location, self.function, version).await;
        checked.map_err(|error| Error {
            message: format!("version {version} is not live, because its check failed: {}", error.message),
            ..error
        })?;
        step.done();
        let (live, watched) = match canary {
            Some(canary) if live.route.version != version => {
                let (live, invocations) = self.watch(live, version, canary).await?;
                (live, Some(invocations))
            }
            _ => (live, None),
        };
        let step = ProgressStep::begin(format!("move {LIVE} to version {version}"));
        releases.point_live(&Route::to(version), Some(&live)).await?;
        step.done();
        Ok(watched)
    }

    /// Lets the version run a share of the invocations. If one fails, or on an interrupt, moves `live` back.
    async fn watch(&self, live: Alias, version: &str, canary: Canary) -> Result<(Alias, u64)> {
        let releases = self.releases;
        let before = Route::to(&live.route.version);
        let route = before.clone().with_canary(version, canary.share);
        let step = ProgressStep::begin(format!("run {canary} with version {version}"));
        let Self { names, location, function, .. } = self;
        let last_result = LastResult::begin(releases.aws, names, location).await?;
        let live = releases.point_live(&route, Some(&live)).await?;
        let candidate = Candidate {
            aws: releases.aws,
            log_group: &function.log_group,
            last_result,
            version,
            plain_data: function.settings.lines.envelope.is_empty(),
        };
        let watched = tokio::select! {
            watched = candidate.watch(canary.duration) => watched,
            () = interrupted() => Err(Error::interrupted()),
        };
        match watched.and_then(|tally| canary.judge(version, tally, function.has_reports)) {
            Ok(invocations) => {
                step.done();
                note(&format!("{} of version {version} ended without an error", counted(invocations, "invocation")));
                Ok((live, invocations))
            }
            Err(error) => {
                drop(step);
                releases.point_live(&before, Some(&live)).await?;
                note(&format!("{LIVE} moved back to version {}", before.version));
                Err(error)
            }
        }
    }

    async fn delete_old(&self, keep: usize) -> Result<Vec<u64>> {
        let (versions, aliases) = tokio::try_join!(self.releases.versions(), self.releases.aliases())?;
        let mut deleted = Vec::new();
        for version in retain::superseded(&versions, &aliases, keep) {
            if self.releases.delete(&version.to_string()).await? {
                deleted.push(version);
            }
        }
        Ok(deleted)
    }
}
