//! The figures of `--stats`. Pure.

use std::io::{self, Write};

use serde::Serialize;

use super::platform::{Platform, Report};
use super::record::{Level, Record};
use crate::output::{Render, counted};

/// Collects figures about invocations and records from log lines.
#[derive(Debug, Default)]
pub struct Stats {
    events: u64,
    late: u64,
    invocations: u64,
    failed: u64,
    faults: u64,
    error_lines: u64,
    cold_starts: u64,
    memory_size: u64,
    memory_used: u64,
    records: u64,
    durations: Histogram,
    lags: Histogram,
}

impl Stats {
    pub fn add(&mut self, message: &str) {
        self.events += 1;
        match Platform::parse(message) {
            Some(Platform::Report(report)) => self.report(&report),
            Some(Platform::Fault) => self.faults += 1,
            Some(Platform::Routine) => {}
            None => {
                let record = Record::parse(message);
                self.error_lines += u64::from(record.level == Level::Error);
                self.records += u64::from(record.is_ours);
                if let Some(lag) = record.lag_ms {
                    self.lags.add(lag);
                }
            }
        }
    }

    pub fn late(&mut self) {
        self.late += 1;
    }

    fn report(&mut self, report: &Report) {
        self.invocations += 1;
        self.failed += u64::from(report.has_failed());
        self.cold_starts += u64::from(report.init.is_some());
        self.memory_size = self.memory_size.max(report.memory);
        self.memory_used = self.memory_used.max(report.used);
        self.durations.add(report.duration);
    }

    pub fn summary(&self) -> Summary {
        Summary {
            events: self.events,
            late_events: self.late,
            invocations: self.invocations,
            failed_invocations: self.failed,
            platform_faults: self.faults,
            error_lines: self.error_lines,
            cold_starts: self.cold_starts,
            duration_p50_ms: self.durations.quantile(0.50),
            duration_p99_ms: self.durations.quantile(0.99),
            max_memory_used_mb: self.memory_used,
            memory_size_mb: self.memory_size,
            records: self.records,
            lag_p50_ms: self.lags.quantile(0.50),
            lag_p99_ms: self.lags.quantile(0.99),
        }
    }
}

#[derive(Debug, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    events: u64,
    late_events: u64,
    invocations: u64,
    failed_invocations: u64,
    platform_faults: u64,
    error_lines: u64,
    cold_starts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_p99_ms: Option<f64>,
    max_memory_used_mb: u64,
    memory_size_mb: u64,
    records: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_p99_ms: Option<f64>,
}

impl Render for Summary {
    const HEADINGS: &'static [&'static str] = &["events", "invocations", "duration", "memory", "records"];

    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let errors = counted(self.error_lines, "error line");
        writeln!(to, "events       {}, {} late, {errors}", self.events, self.late_events)?;
        if self.invocations > 0 {
            let Self { invocations, failed_invocations, platform_faults, cold_starts, .. } = self;
            let starts = counted(*cold_starts, "cold start");
            let faults = counted(*platform_faults, "fault");
            writeln!(to, "invocations  {invocations}, {failed_invocations} failed, {faults}, {starts}")?;
            writeln!(to, "duration     {}", quantiles(self.duration_p50_ms, self.duration_p99_ms))?;
            writeln!(to, "memory       at most {} of {} MB", self.max_memory_used_mb, self.memory_size_mb)?;
        }
        if self.records > 0 {
            let lag = quantiles(self.lag_p50_ms, self.lag_p99_ms);
            writeln!(to, "records      {}, stream to log: {lag}", self.records)?;
        }
        Ok(())
    }
}

fn quantiles(p50: Option<f64>, p99: Option<f64>) -> String {
    let shown = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1} ms"));
    format!("p50 {}, p99 {}", shown(p50), shown(p99))
}

/// A histogram on a logarithmic scale: quantiles within one percent, in bounded memory.
#[derive(Debug, Default)]
struct Histogram {
    counts: std::collections::BTreeMap<i32, u64>,
    total: u64,
}

impl Histogram {
    const BASE: f64 = 1.02;

    fn add(&mut self, value: f64) {
        // Values between 0.001 and 10^12: at most 1,800 buckets.
        let bucket = value.clamp(0.001, 1e12).log(Self::BASE).round() as i32;
        *self.counts.entry(bucket).or_default() += 1;
        self.total += 1;
    }

    fn quantile(&self, quantile: f64) -> Option<f64> {
        let rank = (self.total as f64 * quantile).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.counts.iter().find(|(_, count)| {
            seen += *count;
            seen >= rank
        })?;
        let value = Self::BASE.powi(*bucket.0);
        Some(if value < 0.002 { 0.0 } else { (value * 10.0).round() / 10.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_percent() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        (1..=1000).for_each(|n| histogram.add(f64::from(n)));
        for (quantile, expected) in [(0.5, 500.0), (0.99, 990.0)] {
            let found = histogram.quantile(quantile).unwrap();
            assert!((found - expected).abs() <= expected * 0.011, "{found}");
        }
    }

    #[test]
    fn the_summary_counts_invocations_and_records() {
        let mut stats = Stats::default();
        for message in [
            "INIT_START Runtime Version: x",
            "START RequestId: 1 Version: $LATEST",
            r#"{"v":1,"level":"INFO","sequenceNumber":"1","partitionKey":"k","lagMs":20,"data":1}"#,
            r#"{"level":"ERROR","message":"boom"}"#,
            "END RequestId: 1",
            "REPORT RequestId: 1\tDuration: 10.00 ms\tBilled Duration: 10 ms\tMemory Size: 128 MB\tMax Memory Used: 75 MB\tInit Duration: 5 ms\t",
            "REPORT RequestId: 2\tDuration: 10.00 ms\tBilled Duration: 10 ms\tMemory Size: 128 MB\tMax Memory Used: 80 MB\tStatus: timeout",
            "2026-11-28T10:00:00.000Z 2 Task timed out after 3.00 seconds",
        ] {
            stats.add(message);
        }
        stats.late();
        let mut text = Vec::new();
        stats.summary().text(&mut text).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "events       8, 1 late, 1 error line\n\
             invocations  2, 1 failed, 1 fault, 1 cold start\n\
             duration     p50 9.9 ms, p99 9.9 ms\n\
             memory       at most 80 of 128 MB\n\
             records      1, stream to log: p50 19.9 ms, p99 19.9 ms\n"
        );
    }
}
