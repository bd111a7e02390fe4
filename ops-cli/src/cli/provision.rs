//! `provision` and `teardown`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use kinesis_event_logger_core::limits::LOG_RETENTION_DAYS;

use super::Format;
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

impl Provision {
    /// The defaults, for a zip.
    pub fn of_zip(zip: impl Into<PathBuf>) -> Self {
        Self {
            zip: zip.into(),
            shards: None,
            retention_days: None,
            memory: None,
            timeout: None,
            log_format: None,
            batch_size: None,
            batch_window: None,
            starting_position: StartingPosition::TrimHorizon,
            whole_batch_retry: false,
            dry_run: false,
        }
    }
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StartingPosition {
    TrimHorizon,
    Latest,
}

/// How much a stream takes: a fixed number of shards, or as many as Kinesis sees fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shards {
    OnDemand,
    Provisioned(i32),
}

impl std::str::FromStr for Shards {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "on-demand" => Ok(Self::OnDemand),
            _ => match text.parse() {
                Ok(count) if count >= 1 => Ok(Self::Provisioned(count)),
                _ => Err("expected a number of shards from 1 up, or `on-demand`".into()),
            },
        }
    }
}

const TEARDOWN: &str = "\
Shows what carries our tags, asks, and deletes it: mapping, function, log group, role, stream. What does not \
carry our tags stays. Can be run again.

Examples:
  ops-cli teardown
  ops-cli --local teardown --yes";

#[derive(Args, Debug, Clone)]
#[command(after_help = TEARDOWN)]
pub struct Teardown {
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
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
