//! `plan`: show what `provision` would change.

use clap::Args;

use super::provision::{ComparedPath, PathOptions};
use crate::error::{Error, Result};
use crate::global::Global;
use crate::output::Output;
use crate::progress::note;
use crate::provision::report::PlanReport;
use crate::retry::READ_DEADLINE;

const TASK: &str = "\
Compares the requested path with the existing one field by field, and prints the changes that `ops-cli provision` would make with \
the same options. Changes nothing. `+` is new, `~` changes, `-` is removed; \"asks\" marks a change that costs or loses something.";

const EXAMPLES: &str = "\
Examples:
  ops-cli plan --zip target/bootstrap.zip
  ops-cli plan --memory 256
  ops-cli --output json plan --exit-code --stage prod";

/// Show what provision would change
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct PlanCommand {
    #[command(flatten)]
    pub path: PathOptions,
    /// Exit with 3 if something would change, and with 0 if nothing would
    #[arg(long)]
    pub exit_code: bool,
}

pub async fn run(global: &Global, args: &PlanCommand, output: Output) -> Result<()> {
    let ComparedPath { desired, plan, .. } = args.path.compare(global, READ_DEADLINE).await?;
    output.show(&PlanReport::new(&desired, &plan, true))?;
    for warning in &plan.warnings {
        note(&format!("warning: {warning}"));
    }
    if args.exit_code && !plan.steps.is_empty() { Err(Error::different()) } else { Ok(()) }
}
