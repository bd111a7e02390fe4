//! `provision`: make the path.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use kinesis_event_logger_core::limits::LOG_RETENTION_DAYS;
use serde::Serialize;

use crate::aws::{self, Aws};
use crate::error::Result;
use crate::function::{self, Target};
use crate::global::Global;
use crate::output::{Format, Output, Render};
use crate::progress::note;
use crate::provision::apply::{DEADLINE, apply};
use crate::provision::desired::{Desired, Shards, StartingPosition};
use crate::provision::observed::observe;
use crate::provision::plan::{Foreign, plan};
use crate::provision::step::Described;
use crate::time;

const PROVISION: &str = "\
Each part is made only if it is missing; a second run says \"nothing to do\". Parts that exist and do not carry \
our tags are used as they are, never changed.

Examples:
  ops-cli provision --zip target/bootstrap.zip
  ops-cli provision --zip target/bootstrap.zip --shards 4 --retention-days 90 --memory 256
  ops-cli provision --zip target/bootstrap.zip --dry-run
  ops-cli --local --app orders --stage test provision --zip target/bootstrap.zip

Permissions it needs on AWS are listed in the README.";

/// Make the path: stream, role, log group, function, event source mapping
#[derive(Args, Debug, Clone)]
#[command(after_help = PROVISION)]
pub struct Provision {
    /// The function's zip, with `bootstrap` at its root
    #[arg(long, value_name = "FILE")]
    pub zip: PathBuf,
    /// Shards of the stream (default: 1; `on-demand` lets Kinesis scale)
    #[arg(long, value_name = "N|on-demand")]
    pub shards: Option<Shards>,
    /// Days the log group keeps events (default: 30; 0 keeps them for ever)
    #[arg(long, value_name = "DAYS", value_parser = retention_days)]
    pub retention_days: Option<i32>,
    /// Memory of the function in MB, 128 to 10240 (default: 128)
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(i32).range(128..=10_240))]
    pub memory: Option<i32>,
    /// Seconds an invocation may take, 1 to 900 (default: 30)
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds::<i32>(1..=900))]
    pub timeout: Option<i32>,
    /// Form of the log lines (default: json)
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<Format>,
    /// Records an invocation gets at most, 1 to 10000 (default: 100)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub batch_size: Option<i32>,
    /// Seconds to gather a batch for, 0 to 300 (default: 0)
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds::<i32>(0..=300))]
    pub batch_window: Option<i32>,
    /// Where a new mapping begins: with what is on the stream, or with what comes after
    #[arg(long, value_enum, default_value_t = StartingPosition::TrimHorizon)]
    pub starting_position: StartingPosition,
    /// Replay a whole batch when part of it failed, instead of from the first failed record on
    #[arg(long)]
    pub whole_batch_retry: bool,
    /// Print the plan and change nothing
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
    /// What was done, or with `--dry-run` what would be.
    steps: Vec<String>,
    /// What is used and left as it is, because it does not carry our tags.
    untouched: Vec<Foreign>,
    dry_run: bool,
}

impl Render for ProvisionReport {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        for Foreign(name) in &self.untouched {
            writeln!(to, "{name} does not carry our tags: used as it is")?;
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
    let aws = Aws::connect(global).await?.with_patience(Some(DEADLINE));
    let zip = function::load(&args.zip, if aws.is_this_machine() { Target::ThisMachine } else { Target::Lambda })?;
    let desired = desired(args, Desired::new(names, aws.location().await?, zip));
    let observed = observe(&aws, &desired.names, &desired.location).await?;
    let plan = plan(&desired, &observed)?;
    if !args.dry_run && !plan.steps.is_empty() {
        note(&format!("account {}, region {}", desired.location.account_id, desired.location.region));
        apply(&aws, &desired, &plan).await?;
        note_what_was_ignored(&aws, &desired).await?;
    }
    output.show(&ProvisionReport {
        region: desired.location.region.clone(),
        account: desired.location.account_id.clone(),
        stream: desired.names.stream().to_owned(),
        function: desired.names.function().to_owned(),
        log_group: desired.names.log_group().to_owned(),
        steps: plan.steps.iter().map(|step| Described(step, &desired).to_string()).collect(),
        untouched: plan.foreign,
        dry_run: args.dry_run,
    })
}

/// The path with the settings that the options request.
fn desired(args: &Provision, path: Desired) -> Desired {
    Desired {
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

/// An answer without an error does not prove that a service did everything: a plan made again has no steps left.
async fn note_what_was_ignored(aws: &Aws, desired: &Desired) -> Result<()> {
    let observed = observe(aws, &desired.names, &desired.location).await?;
    for step in plan(desired, &observed)?.steps {
        note(&format!(
            "warning: the service accepted this step and did not carry it out: {}",
            Described(&step, desired)
        ));
    }
    Ok(())
}

/// What a log group can be set to: found out here, before a part is made.
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
    fn a_log_group_keeps_events_for_certain_numbers_of_days() {
        assert_eq!([retention_days("0"), retention_days("90"), retention_days("3653")], [Ok(0), Ok(90), Ok(3653)]);
        for wrong in ["31", "-1", "", "x"] {
            assert!(retention_days(wrong).is_err(), "{wrong}");
        }
    }
}
