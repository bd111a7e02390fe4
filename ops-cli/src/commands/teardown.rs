//! `teardown`: delete the parts that carry our tags.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use kinesis_event_logger_core::names::Names;
use serde::Serialize;

use crate::aws::{self, Aws};
use crate::error::{Error, Result};
use crate::global::Global;
use crate::output::{Output, Render};
use crate::progress::{ask, note};
use crate::provision::delete::{DEADLINE, ExistingPart, check_protection, delete_parts, ours};
use crate::provision::observed::{ObservedPath, observe};
use crate::provision::setting::Part;
use crate::stream;

const TASK: &str = "\
Lists the parts that carry our tags, asks for their name, and deletes them: mapping, function with its versions, stream, role, log \
group. Parts that do not carry our tags are never deleted, and the role stays while another region uses it. An interrupted teardown can be run again.";

const EXAMPLES: &str = "\
Examples:
  ops-cli teardown
  ops-cli teardown --keep-logs
  ops-cli --local teardown --yes";

/// Delete what provision created
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Teardown {
    /// Delete without confirmation
    #[arg(long, short)]
    pub yes: bool,
    /// Keep the log group and its events
    #[arg(long)]
    pub keep_logs: bool,
    /// Keep the stream and its records
    #[arg(long)]
    pub keep_stream: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TeardownReport {
    deleted: Vec<String>,
    /// Parts that exist and do not carry our tags.
    untouched: Vec<String>,
    /// Parts that an option keeps, or that other regions use.
    kept: Vec<String>,
}

impl Render for TeardownReport {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        for name in &self.untouched {
            writeln!(to, "{name} does not carry our tags, so it is not deleted")?;
        }
        for name in &self.kept {
            writeln!(to, "kept: {name}")?;
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
    let (parts, others) = ours(&observed);
    let is_kept = |existing: &ExistingPart| match existing.part {
        Part::LogGroup => args.keep_logs,
        Part::Stream => args.keep_stream,
        _ => false,
    };
    let (kept, parts): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_kept);
    check_protection(&names, &observed, &parts)?;
    if !parts.is_empty() && !args.yes {
        note(&format!("account {}, region {}; these carry our tags:", location.account_id, location.region));
        for part in &parts {
            note(&format!("  {}{}", part.describe(&names), contents(&aws, &names, &observed, part).await));
        }
        confirm(&names)?;
    }
    let needed = delete_parts(&aws, &names, &location, &parts).await?;
    let is_deleted = |part: &&ExistingPart| needed.iter().all(|kept| kept.part != **part);
    let described = |part: &ExistingPart| part.describe(&names);
    let needed = needed.iter().map(|kept| format!("{}, {}", described(&kept.part), kept.reason));
    output.show(&TeardownReport {
        deleted: parts.iter().filter(is_deleted).map(described).collect(),
        untouched: others.iter().map(described).collect(),
        kept: kept.iter().map(described).chain(needed).collect(),
    })
}

/// The age and the contents of a part, for the confirmation.
async fn contents(aws: &Aws, names: &Names, observed: &ObservedPath, part: &ExistingPart) -> String {
    let Some(observed) = observed.part(part.part) else { return String::new() };
    let mut facts = Vec::new();
    if let Some(since) = observed.since {
        let verb = if matches!(part.part, Part::Function | Part::Mapping) { "changed" } else { "created" };
        facts.push(format!("{verb} {} ago", age(Timestamp::now().duration_since(since))));
    }
    if part.part == Part::Stream {
        facts.extend(stream::count_records(aws, names.stream()).await);
    }
    facts.extend(observed.stored_bytes.map(|bytes| format!("{bytes} bytes stored")));
    if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) }
}

/// An age in its largest unit: `3 days`.
fn age(age: SignedDuration) -> String {
    let seconds = age.as_secs().max(0);
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (size, unit) = units.into_iter().find(|(size, _)| seconds >= *size).unwrap_or((1, "second"));
    crate::output::counted((seconds / size).unsigned_abs(), unit)
}

/// Asks for the application and the stage, so that nobody deletes the wrong path out of habit.
fn confirm(names: &Names) -> Result<()> {
    if !io::stdin().is_terminal() {
        return Err(Error::usage("teardown asks for confirmation, but stdin is not a terminal")
            .hint("add --yes to delete without confirmation"));
    }
    let name = format!("{}-{}", names.application(), names.stage());
    ask(&format!("Type {name} to delete them: "))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == name { Ok(()) } else { Err(Error::failed("nothing was deleted")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_shown_in_its_largest_unit() {
        let ages = [0, 59, 60, 7_200, 90_000, 300_000].map(|seconds| age(SignedDuration::from_secs(seconds)));
        assert_eq!(ages, ["0 seconds", "59 seconds", "1 minute", "2 hours", "1 day", "3 days"]);
    }
}
