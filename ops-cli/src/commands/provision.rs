//! `provision`: create or update the path.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use kinesis_event_logger_core::limits::{self, LOG_RETENTION_DAYS};
use serde::Serialize;

use crate::aws::{self, Aws};
use crate::error::Result;
use crate::function::{self, Target};
use crate::global::Global;
use crate::output::{Format, Output, Render};
use crate::progress::note;
use crate::provision::apply::{DEADLINE, apply};
use crate::provision::desired::{DesiredPath, Shards, StartingPosition};
use crate::provision::observed::observe;
use crate::provision::plan::{UntaggedPart, plan};
use crate::provision::step::StepDescription;
use crate::time;

const TASK: &str = "\
Creates the parts that do not exist, and changes the settings that you give and that differ. A second run prints \
\"nothing to do\". Parts that exist and do not carry our tags are used as they are, and never changed.";

const EXAMPLES: &str = "\
Examples:
  ops-cli provision --zip target/bootstrap.zip
  ops-cli provision --zip target/bootstrap.zip --shards 4 --retention-days 90 --memory 256
  ops-cli provision --zip target/bootstrap.zip --dry-run
  ops-cli --local --app orders --stage test provision --zip target/bootstrap.zip

docs/permissions.md lists the permissions that it needs on AWS.";

/// Create or update the stream, role, log group, function and event source mapping
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Provision {
    /// Zip of the function, as `ops-cli package` creates it
    #[arg(long, value_name = "FILE", help_heading = "Function")]
    pub zip: PathBuf,
    /// Memory in MB, 128 to 10240 (default: 128)
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(i32).range(limits::FUNCTION_MEMORY_MIB), help_heading = "Function")]
    pub memory: Option<i32>,
    /// Time limit of an invocation in seconds, 1 to 1800 (default: 30)
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds::<i32>(limits::FUNCTION_TIMEOUT_SECONDS), help_heading = "Function")]
    pub timeout: Option<i32>,
    /// Format of the log lines (default: json)
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Function")]
    pub log_format: Option<Format>,
    /// Number of shards, or `on-demand`, with which Kinesis scales the stream (default: 1)
    #[arg(long, value_name = "N|on-demand", help_heading = "Stream and log group")]
    pub shards: Option<Shards>,
    /// Days for which the log group keeps events; 0 keeps them forever (default: 30)
    #[arg(long, value_name = "DAYS", value_parser = retention_days, help_heading = "Stream and log group")]
    pub retention_days: Option<i32>,
    /// Maximum number of records in a batch, 1 to 10000 (default: 100)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(limits::MAPPING_BATCH_RECORDS), help_heading = "Event source mapping")]
    pub batch_size: Option<i32>,
    /// Seconds for which Lambda collects a batch, 0 to 300 (default: 0)
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds::<i32>(limits::MAPPING_BATCHING_WINDOW_SECONDS), help_heading = "Event source mapping")]
    pub batch_window: Option<i32>,
    /// Where a new mapping starts to read: at the oldest record of the stream, or after the newest
    #[arg(long, value_enum, value_name = "POSITION", default_value_t = StartingPosition::TrimHorizon, help_heading = "Event source mapping")]
    pub starting_position: StartingPosition,
    /// Retry a failed batch from its first record, instead of from its first failed record
    #[arg(long, help_heading = "Event source mapping")]
    pub whole_batch_retry: bool,
    /// Print the steps, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProvisionReport {
    region: String,
    account: String,
    stream: String,
    function: String,
    log_group: String,
    /// The steps that were done, or that would be done without `--dry-run`.
    steps: Vec<String>,
    /// Parts that are used and never changed, because they do not carry our tags.
    untouched: Vec<UntaggedPart>,
    dry_run: bool,
}

impl Render for ProvisionReport {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        for UntaggedPart(name) in &self.untouched {
            writeln!(to, "{name} does not carry our tags, so it is used and not changed")?;
        }
        match (self.steps.as_slice(), self.dry_run) {
            ([], _) => writeln!(to, "nothing to do: {} → {} → {}", self.stream, self.function, self.log_group),
            (steps, true) => steps.iter().try_for_each(|step| writeln!(to, "would {step}")),
            (_, false) => writeln!(to, "ready: {} → {} → {}", self.stream, self.function, self.log_group),
        }
    }
}

pub async fn run(global: &Global, args: &Provision, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let aws = Aws::connect(global).await?.with_retry_deadline(Some(DEADLINE));
    let zip = function::load(&args.zip, if aws.is_this_machine() { Target::ThisMachine } else { Target::Lambda })?;
    let desired = desired(args, DesiredPath::new(names, aws.location().await?, zip));
    let observed = observe(&aws, &desired.names, &desired.location).await?;
    let plan = plan(&desired, &observed)?;
    if !args.dry_run && !plan.steps.is_empty() {
        note(&format!("account {}, region {}", desired.location.account_id, desired.location.region));
        apply(&aws, &desired, &plan).await?;
        warn_of_ignored_steps(&aws, &desired).await?;
    }
    output.show(&ProvisionReport {
        region: desired.location.region.clone(),
        account: desired.location.account_id.clone(),
        stream: desired.names.stream().to_owned(),
        function: desired.names.function().to_owned(),
        log_group: desired.names.log_group().to_owned(),
        steps: plan.steps.iter().map(|step| StepDescription(step, &desired).to_string()).collect(),
        untouched: plan.untagged,
        dry_run: args.dry_run,
    })
}

/// The path with the settings that the options request.
fn desired(args: &Provision, path: DesiredPath) -> DesiredPath {
    DesiredPath {
        shards: args.shards,
        retention_days: args.retention_days,
        memory_mb: args.memory,
        timeout_seconds: args.timeout,
        log_format: args.log_format,
        batch_size: args.batch_size,
        batch_window_seconds: args.batch_window,
        starting_position: args.starting_position,
        report_item_failures: !args.whole_batch_retry,
        ..path
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

/// Parses a retention that CloudWatch Logs accepts, so that a wrong one is found before the first step.
fn retention_days(text: &str) -> Result<i32, String> {
    match text.parse::<u32>() {
        Ok(days) if days == 0 || LOG_RETENTION_DAYS.contains(&days) => Ok(days as i32),
        _ => Err(format!("expected 0 or one of {}", LOG_RETENTION_DAYS.map(|days| days.to_string()).join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_days_are_those_that_cloudwatch_logs_accepts() {
        assert_eq!([retention_days("0"), retention_days("90"), retention_days("3653")], [Ok(0), Ok(90), Ok(3653)]);
        for wrong in ["31", "-1", "", "x"] {
            assert!(retention_days(wrong).is_err(), "{wrong}");
        }
    }
}
