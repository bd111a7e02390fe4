//! `export`: describe the path in the language of another tool.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::provision::{PathOptions, RequestedPath};
use crate::config;
use crate::error::Result;
use crate::export::{self, Exported, Tool};
use crate::function::{self, Target};
use crate::global::Global;
use crate::output::{Output, Render};
use crate::progress::note;
use crate::provision::desired::DesiredPath;
use crate::provision::setting::Part;
use crate::provision::{policy, rules};

const TASK: &str = "\
Prints the path that provision would create with the same options, in the language of another tool, which then creates and \
changes it. Connects to nothing. Settings that the tool does not have are named on stderr. docs/exporting.md shows how each tool \
uses the result.";

const EXAMPLES: &str = "\
Examples:
  ops-cli export terraform --zip target/bootstrap.zip > kinesis_logger.tf
  ops-cli --app orders --stage prod export cloudformation --shards on-demand > template.yaml
  ops-cli export sam > template.yaml && sam deploy --guided
  ops-cli export cdk > lib/kinesis-event-logger.ts";

/// The zip that `cargo make package` writes.
const ZIP: &str = "target/bootstrap.zip";

/// Describe the path for Terraform, CloudFormation, SAM or the CDK
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Export {
    /// Tool that will create the path
    #[arg(value_enum, value_name = "TOOL")]
    pub tool: Tool,
    #[command(flatten)]
    pub path: PathOptions,
}

#[derive(Serialize)]
struct ExportReport {
    text: String,
    omitted: Vec<String>,
}

impl Render for ExportReport {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        for line in self.text.lines() {
            writeln!(to, "{line}")?;
        }
        Ok(())
    }
}

pub fn run(global: &Global, args: &Export, output: Output) -> Result<()> {
    let RequestedPath { names, requested, tags } = args.path.requested(global)?;
    let zip = args.path.zip.as_deref().map(|zip| function::load(zip, Target::Lambda)).transpose()?;
    let desired = DesiredPath { requested, tags, ..DesiredPath::new(names, export::anywhere(), zip) };
    let targets = desired.targets(&Default::default());
    rules::check(&targets, &desired.requested)?;
    if let Some(function) = targets.get(&Part::Function) {
        config::check_environment(function)?;
    }
    if let Some(warning) = policy::lacking(&desired.names, &desired.location, &targets) {
        note(&format!("warning: {warning}"));
    }
    let zip = args.path.zip.as_ref().map_or(ZIP.into(), |zip| zip.display().to_string());
    let Exported { text, omitted } = export::export(args.tool, &desired, &zip);
    for setting in &omitted {
        note(&format!(
            "warning: {setting} is left out, because the tool has no such setting; set it with `ops-cli provision`"
        ));
    }
    output.show(&ExportReport { text, omitted })
}
