//! `provision`: create or update the path.

use std::collections::BTreeMap;
use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kinesis_event_logger_core::names::Names;

use crate::aws::Aws;
use crate::config::{self, Layers, SettingFlags};
use crate::error::{Error, Result};
use crate::function::{self, Target};
use crate::global::Global;
use crate::output::Output;
use crate::progress::{ask, note};
use crate::provision::apply::{self, Failure};
use crate::provision::delete::delete_created;
use crate::provision::desired::{DesiredPath, Requested};
use crate::provision::observed::{ObservedPath, observe};
use crate::provision::plan::{Plan, plan};
use crate::provision::report::PlanReport;
use crate::provision::setting::Part;
use crate::provision::step::{StepDescription, part_name};
use crate::time;

const TASK: &str = "\
Creates the parts that do not exist, and changes the settings that you give and that differ. A second run prints \
\"nothing to do\". Settings that you do not give keep their values. Parts that exist and do not carry our tags are used as they \
are, and never changed. Settings come from options, from variables such as KINESIS_LOGGER_FUNCTION_MEMORY, and from \
kinesis-logger.toml.";

const EXAMPLES: &str = "\
Examples:
  ops-cli provision --zip target/bootstrap.zip
  ops-cli provision --zip target/bootstrap.zip --shards 4 --retention-days 90 --memory 256
  ops-cli provision --env LOGGER_DATA=hash --on-failure arn:aws:sqs:us-east-1:123456789012:failed
  ops-cli plan --zip target/bootstrap.zip
  ops-cli --local --app orders --stage test provision --zip target/bootstrap.zip

docs/permissions.md lists the permissions that it needs on AWS, docs/configuration.md the settings and their defaults.";

/// Create or update the stream, role, log group, function and event source mapping
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Provision {
    #[command(flatten)]
    pub path: PathOptions,
    /// Print the changes, and make none: the same as `ops-cli plan`
    #[arg(long)]
    pub dry_run: bool,
    /// Make changes that cost or lose something without confirmation
    #[arg(long, short)]
    pub yes: bool,
    /// Delete the parts that this run created if it fails
    #[arg(long)]
    pub rollback: bool,
    /// How long each change may take
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = time::seconds::<u64>(1..=3600))]
    pub wait: u64,
}

/// The options that describe the requested path.
#[derive(Args, Debug, Clone)]
pub struct PathOptions {
    /// Zip of the function, as `ops-cli package` creates it; without it, an existing function keeps its code
    #[arg(long, value_name = "FILE", help_heading = "Function")]
    pub zip: Option<PathBuf>,
    /// Use the zip only to create the function, and keep the code of an existing one: `ops-cli deploy` changes it after a check
    #[arg(long, requires = "zip", help_heading = "Function")]
    pub keep_code: bool,
    /// Remove the function's environment variables that are not given
    #[arg(long, help_heading = "Function")]
    pub replace_env: bool,
    #[command(flatten)]
    pub settings: SettingFlags,
}

/// The path that options, variables and the file request.
pub struct RequestedPath {
    pub names: Names,
    pub requested: Requested,
    pub tags: BTreeMap<String, String>,
}

/// The requested path and the existing one.
pub struct ComparedPath {
    pub aws: Aws,
    pub desired: DesiredPath,
    pub observed: ObservedPath,
    pub plan: Plan,
}

impl PathOptions {
    /// The names, settings and tags that options, variables and the file request.
    pub fn requested(&self, global: &Global) -> Result<RequestedPath> {
        let file = config::load(global)?;
        let names = config::names(global, file.as_ref())?;
        let stage = names.stage().to_owned();
        config::warn_of_unknown_variables();
        let layers =
            Layers { flags: &self.settings, environment: &config::variable, file: file.as_ref(), stage: &stage };
        Ok(RequestedPath { names, requested: layers.requested()?, tags: layers.tags() })
    }

    /// Resolves the requested path, reads the existing one, and plans the steps between them.
    pub async fn compare(&self, global: &Global, deadline: Duration) -> Result<ComparedPath> {
        let RequestedPath { names, requested, tags } = self.requested(global)?;
        let aws = Aws::connect(global).await?.with_retry_deadline(Some(deadline));
        let target = if aws.is_this_machine() { Target::ThisMachine } else { Target::Lambda };
        let zip = self.zip.as_deref().map(|zip| function::load(zip, target)).transpose()?;
        let path = DesiredPath::new(names, aws.location().await?, zip);
        let mut desired = DesiredPath { requested, tags, replaces_environment: self.replace_env, ..path };
        let observed = observe(&aws, &desired.names, &desired.location).await?;
        if self.keep_code && observed.part(Part::Function).is_some() {
            (desired.zip, desired.keeps_code) = (None, true);
        }
        let plan = plan(&desired, &observed)?;
        let changes_function = plan.steps.iter().any(|step| step.part == Part::Function);
        if let Some(function) = plan.targets.get(&Part::Function).filter(|_| changes_function) {
            config::check_environment(function)?;
        }
        Ok(ComparedPath { aws, desired, observed, plan })
    }
}

pub async fn run(global: &Global, args: &Provision, output: Output) -> Result<()> {
    let deadline = Duration::from_secs(args.wait);
    let compared = args.path.compare(global, deadline).await?;
    let ComparedPath { aws, desired, observed, plan } = &compared;
    if args.dry_run {
        return output.show(&PlanReport::new(desired, plan, true));
    }
    if !plan.steps.is_empty() {
        note(&format!("account {}, region {}", desired.location.account_id, desired.location.region));
        confirm(desired, plan, args.yes)?;
        if let Err(failure) = apply::apply(aws, desired, observed, plan, deadline).await {
            return Err(failed(aws, desired, failure, args.rollback).await);
        }
        warn_of_ignored_steps(aws, desired).await?;
    }
    for warning in &plan.warnings {
        note(&format!("warning: {warning}"));
    }
    output.show(&PlanReport::new(desired, plan, false))
}

/// Lists the changes that cost or lose something, and asks before they are made.
fn confirm(desired: &DesiredPath, plan: &Plan, yes: bool) -> Result<()> {
    let asking: Vec<_> = plan
        .asking()
        .map(|(part, change, reason)| format!("{}: {} ({reason})", part_name(part, desired), change.field))
        .collect();
    if asking.is_empty() || yes {
        return Ok(());
    }
    asking.iter().for_each(|change| note(&format!("  {change}")));
    if !io::stdin().is_terminal() {
        return Err(Error::usage("these changes cost or lose something, and stdin is not a terminal to confirm them")
            .hint("see them with `ops-cli plan`, and add --yes to make them"));
    }
    ask("Make these changes? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::failed("nothing was changed")),
    }
}

/// The error of a run that failed, after the parts that it created were deleted if `--rollback` requests it.
async fn failed(aws: &Aws, desired: &DesiredPath, failure: Failure, rollback: bool) -> Error {
    let Failure { error, created } = failure;
    if !rollback {
        return error;
    }
    match delete_created(aws, desired, &created).await {
        Ok(0) => error.hint("this run had created nothing, so nothing was deleted"),
        Ok(_) => error.hint("the parts that this run created were deleted; run the same command again to start over"),
        Err(also) => error.hint(format!(
            "deleting what this run created failed too: {}; `ops-cli teardown` deletes it",
            also.message
        )),
    }
}

/// Warns of steps that a service accepted but did not carry out: a second plan still contains them.
async fn warn_of_ignored_steps(aws: &Aws, desired: &DesiredPath) -> Result<()> {
    let observed = observe(aws, &desired.names, &desired.location).await?;
    for step in plan(desired, &observed)?.steps {
        note(&format!(
            "warning: the service accepted this step, but did not carry it out: {}",
            StepDescription(&step, desired)
        ));
    }
    Ok(())
}
