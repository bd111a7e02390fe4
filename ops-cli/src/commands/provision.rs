//! `provision`: make the path.

use std::io::{self, Write};

use serde::Serialize;

use super::zip;
use crate::aws::{self, Aws};
use crate::cli::{Global, Provision};
use crate::error::Result;
use crate::output::{Output, Render};
use crate::progress::note;
use crate::provision::apply::{DEADLINE, apply};
use crate::provision::desired::Desired;
use crate::provision::observed::observe;
use crate::provision::plan::{Foreign, plan};
use crate::provision::step::Described;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
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

impl Render for Outcome {
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
    let package = zip::load(&args.zip, if aws.is_this_machine() { zip::Runs::Here } else { zip::Runs::OnLambda })?;
    let desired = Desired::new(args, names, aws.location().await?, package);
    let observed = observe(&aws, &desired.names, &desired.location).await?;
    let plan = plan(&desired, &observed)?;
    if !args.dry_run && !plan.steps.is_empty() {
        note(&format!("account {}, region {}", desired.location.account_id, desired.location.region));
        apply(&aws, &desired, &plan).await?;
        note_what_was_ignored(&aws, &desired).await?;
    }
    output.show(&Outcome {
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
