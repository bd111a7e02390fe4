//! `doctor`: find what is wrong with the path.

use clap::Args;

use crate::aws::{self, Aws};
use crate::doctor::{Diagnosis, Readings, Severity, diagnose};
use crate::error::{Error, Result};
use crate::global::Global;
use crate::output::{Output, counted};

const TASK: &str = "\
Checks credentials, clock, permissions, quotas and every part of the path: the mapping's state and last result, failed invocations of the \
last 15 minutes, busy shards, and settings that lose records or cost money. Prints what each finding means and what to do. Changes \
nothing, and reads one page of each of the first 20 shards. Exits with 1 if something is broken.";

const EXAMPLES: &str = "\
Examples:
  ops-cli doctor
  ops-cli --stage prod --output json doctor";

/// Find what is wrong with the path, and what to do
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Doctor {}

pub async fn run(global: &Global, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let aws = Aws::connect(global).await?;
    let readings = Readings::read(&aws, &names, global.local).await;
    let diagnosis = Diagnosis { findings: diagnose(&names, &readings) };
    output.show(&diagnosis)?;
    match diagnosis.count(Severity::Broken) {
        0 => Ok(()),
        count => Err(Error::failed(format!("{} of the path: see above", counted(count as u64, "broken part")))),
    }
}
