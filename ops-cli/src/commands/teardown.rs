//! `teardown`: delete what carries our tags.

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
    output.show(&TeardownReport { deleted: parts.iter().map(|part| part.describe(&names)).collect(), untouched })
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
