//! The summary of a run.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::ledger::Tally;
use crate::output::{Render, counted};
use crate::progress::seconds;

/// The summary of a run, for people and programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub read: u64,
    /// Acknowledged in an earlier run and not sent again.
    pub skipped: u64,
    pub acknowledged: u64,
    pub dead_lettered: u64,
    pub bytes: u64,
    pub requests: u64,
    /// Entries of all requests: one for each record, or fewer with aggregates.
    pub entries: u64,
    pub failed_requests: u64,
    /// Resends, counted once per record and attempt after the first.
    pub retried_records: u64,
    pub throttled_records: u64,
    pub may_repeat: u64,
    pub seconds: f64,
    pub latency_p50_ms: f64,
    pub latency_p99_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busiest_shard: Option<String>,
    pub busiest_shard_records: u64,
}

impl Summary {
    pub fn of(tally: &Tally, took: Duration) -> Self {
        let busiest = tally.shards.iter().max_by_key(|(id, count)| (**count, std::cmp::Reverse(*id)));
        let milliseconds = |duration: Duration| (duration.as_secs_f64() * 1e5).round() / 1e2;
        Self {
            read: tally.read,
            skipped: tally.skipped,
            acknowledged: tally.acknowledged,
            dead_lettered: tally.dead_lettered,
            bytes: tally.bytes,
            requests: tally.requests,
            entries: tally.puts,
            failed_requests: tally.failed_requests,
            retried_records: tally.sent_again,
            throttled_records: tally.throttled,
            may_repeat: tally.may_repeat,
            seconds: milliseconds(took) / 1e3,
            latency_p50_ms: milliseconds(tally.latency.at(0.5)),
            latency_p99_ms: milliseconds(tally.latency.at(0.99)),
            busiest_shard: busiest.map(|(id, _)| id.clone()),
            busiest_shard_records: busiest.map_or(0, |(_, count)| *count),
        }
    }
}

impl Render for Summary {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let Self { read, acknowledged, dead_lettered, requests, entries, failed_requests, .. } = self;
        let skipped = if self.skipped > 0 { format!(", {} skipped", self.skipped) } else { String::new() };
        writeln!(
            to,
            "{} read = {acknowledged} acknowledged + {dead_lettered} dead-lettered{skipped}",
            counted(*read, "record")
        )?;
        if *requests > 0 {
            writeln!(
                to,
                "{:.1} MB in {}: {:.0} records/s; {} of {}, p50 {:.1} ms, p99 {:.1} ms",
                self.bytes as f64 / 1e6,
                seconds(Duration::from_secs_f64(self.seconds)),
                *acknowledged as f64 / self.seconds.max(1e-3),
                counted(*requests, "request"),
                counted(*entries, "entry"),
                self.latency_p50_ms,
                self.latency_p99_ms,
            )?;
        }
        if self.retried_records > 0 || *failed_requests > 0 {
            writeln!(
                to,
                "{} resent ({} throttled), {} failed; {} may be on the stream twice",
                counted(self.retried_records, "record"),
                self.throttled_records,
                counted(*failed_requests, "request"),
                counted(self.may_repeat, "record"),
            )?;
        }
        if let Some(shard) = &self.busiest_shard {
            writeln!(to, "busiest shard: {shard}, {}", counted(self.busiest_shard_records, "record"))?;
        }
        Ok(())
    }
}
