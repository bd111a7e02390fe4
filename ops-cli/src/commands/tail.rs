//! `tail`: show the function's log.

use std::time::Duration;

use clap::Args;
use jiff::{Timestamp, ZonedDateTime};

use crate::aws::{self, Aws};
use crate::error::{Error, Result};
use crate::global::Global;
use crate::output::{self, Output};
use crate::progress::note;
use crate::tail::follow::Follower;
use crate::tail::sweep::{Reader, Swept};
use crate::time;

const TAIL: &str = "\
Every event once, late ones included. While the service throttles or cannot be reached, it says so, tries again more \
slowly, and then shows what it missed. --follow waits for a log group that does not exist yet, and follows one that is \
deleted and created again.

Examples:
  ops-cli tail --since 1h
  ops-cli tail --follow
  ops-cli tail --follow --filter '{ $.partitionKey = \"user-42\" }'
  ops-cli tail --since 'yesterday 14:50'
  ops-cli tail --since 2026-11-23T10:00:00Z --output json

Patterns are CloudWatch Logs filter patterns.";

/// Show the function's log
#[derive(Args, Debug, Clone)]
#[command(after_help = TAIL)]
pub struct Tail {
    /// Go on with new events until interrupted
    #[arg(long, short)]
    pub follow: bool,
    /// Begin so long ago (30s, 5m, 1d12h, 1w, "10min ago"), or at a time: 14:50, yesterday, 2026-11-28, 2026-11-28T14:50,
    /// an RFC 3339 time, or epoch milliseconds. A time without a zone is local
    #[arg(long, value_name = "TIME", default_value = "10m")]
    pub since: String,
    /// Only events that match this CloudWatch Logs filter pattern
    #[arg(long, value_name = "PATTERN")]
    pub filter: Option<String>,
}

/// Pauses between sweeps: short after something came, longer while nothing does.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long the reads of a `tail` that does not follow are repeated.
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn run(global: &Global, args: &Tail, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let since = time::instant("--since", &args.since, &ZonedDateTime::now())?;
    if let Some(notice) = &since.notice {
        note(notice);
    }
    let aws = Aws::connect(global).await?.with_retry_deadline((!args.follow).then_some(PATIENCE));
    let reader = Reader::new(&aws, names.log_group(), args.filter.clone());
    let follower = Follower::new(since.at.as_millisecond().max(0));
    tokio::select! {
        shown = show(&reader, follower, args.follow, output) => shown,
        // Not only with the next event: there may be none for hours.
        () = output::closed() => Ok(()),
    }
}

/// Shows what the log group has, and what comes if it is to be followed.
async fn show(reader: &Reader, mut follower: Follower, follow: bool, output: Output) -> Result<()> {
    let mut pause = SHORTEST_PAUSE;
    let mut group = Group::Unknown;
    loop {
        let mut is_quiet = true;
        let now = Timestamp::now().as_millisecond();
        let show = |events: &[_]| {
            is_quiet = false;
            output.show_all(events.iter())
        };
        let swept = reader.sweep(&mut follower, now, show).await?;
        if !follow {
            return if swept == Swept::NoGroup { Err(no_group(reader.log_group())) } else { Ok(()) };
        }
        if let Some(notice) = group.seen(swept, reader.log_group()) {
            note(&notice);
        }
        pause = if is_quiet { (pause * 2).min(LONGEST_PAUSE) } else { SHORTEST_PAUSE };
        tokio::time::sleep(pause).await;
    }
}

fn no_group(name: &str) -> Error {
    Error::failed(format!("there is no log group {name}")).hint(
        "create it with `ops-cli provision --zip FILE`, wait for it with --follow, or check --log-group, --app, --stage \
         and --region",
    )
}

/// Whether the log group existed at the last sweep.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Group {
    Unknown,
    Exists,
    Missing,
}

impl Group {
    /// Takes note of what a sweep found; what is new about it, in a sentence.
    fn seen(&mut self, swept: Swept, name: &str) -> Option<String> {
        let before = std::mem::replace(self, if swept == Swept::NoGroup { Self::Missing } else { Self::Exists });
        match (before, *self) {
            (Self::Unknown, Self::Missing) => {
                Some(format!("the log group {name} does not exist yet; waiting for it (Ctrl-C stops)"))
            }
            (Self::Exists, Self::Missing) => {
                Some(format!("the log group {name} was deleted; waiting for a new one (Ctrl-C stops)"))
            }
            (Self::Missing, Self::Exists) => Some(format!("the log group {name} exists now")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_comes_and_goes_is_announced_once_each_time() {
        let mut group = Group::Unknown;
        let mut notices = |swept| group.seen(swept, "g").unwrap_or_default();
        assert!(notices(Swept::NoGroup).contains("does not exist yet"));
        assert_eq!(notices(Swept::NoGroup), "");
        assert!(notices(Swept::Whole).contains("exists now"));
        assert_eq!(notices(Swept::Whole), "");
        assert!(notices(Swept::NoGroup).contains("was deleted"));
        assert_eq!(Group::Unknown.seen(Swept::Whole, "g"), None);
    }
}
