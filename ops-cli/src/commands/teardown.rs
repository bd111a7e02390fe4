//! `teardown`: delete the parts that carry our tags.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use serde::Serialize;

use crate::aws::{self, Aws};
use crate::error::{Error, Result};
use crate::global::Global;
use crate::output::{Output, Render};
use crate::progress::{ask, note};
use crate::provision::delete::{DEADLINE, delete_parts, ours};
use crate::provision::observed::observe;

const TASK: &str = "\
Lists the parts that carry our tags, asks for confirmation, and deletes them: mapping, function, log group, role, stream. \
Parts that do not carry our tags are never deleted. An interrupted teardown can be run again.";

const EXAMPLES: &str = "\
Examples:
  ops-cli teardown
  ops-cli --local teardown --yes";

/// Delete what provision created
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Teardown {
    /// Delete without confirmation
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TeardownReport {
    deleted: Vec<String>,
    /// Parts that exist and do not carry our tags.
    untouched: Vec<String>,
}

impl Render for TeardownReport {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        for name in &self.untouched {
            writeln!(to, "{name} does not carry our tags, so it is not deleted")?;
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
    let aws = Aws::connect(global).await?.with_retry_deadline(Some(DEADLINE));
    let location = aws.location().await?;
    let observed = observe(&aws, &names, &location).await?;
    let (parts, untouched) = ours(&names, &observed);
    if !parts.is_empty() && !args.yes {
        note(&format!("account {}, region {}; these carry our tags:", location.account_id, location.region));
        parts.iter().for_each(|part| note(&format!("  {}", part.describe(&names))));
        confirm()?;
    }
    delete_parts(&aws, &names, &location, &parts).await?;
    output.show(&TeardownReport { deleted: parts.iter().map(|part| part.describe(&names)).collect(), untouched })
}

fn confirm() -> Result<()> {
    if !io::stdin().is_terminal() {
        return Err(Error::usage("teardown asks for confirmation, but stdin is not a terminal")
            .hint("add --yes to delete without confirmation"));
    }
    ask("Delete them? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::failed("nothing was deleted")),
    }
}
