//! Compares receipts with log lines, and reports the differences.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::line::LoggedRecord;
use super::survey::LogContents;
use crate::output::Render;
use crate::publish::accounting::histogram::Histogram;
use crate::publish::accounting::receipts::Receipt;

/// The maximum number of missing records in a report, so that a log without new lines does not produce a million.
const NAMED: usize = 1000;
const ROWS: usize = 16;
const BAR: usize = 40;

/// Sequence number, and sub-sequence number of a record in an aggregate.
type Number = (String, Option<u64>);

/// Compares receipts with log lines while these arrive.
pub struct Verification {
    /// For each record its receipt, and how often it was logged.
    expected: HashMap<Number, (Receipt, u64)>,
    /// For each record that was logged the time of its first line, and its key.
    order: Vec<(i64, String, Number)>,
    missing: usize,
    /// The number of lines about this run's records that do not identify them.
    unidentified: u64,
    duplicates: u64,
    latency: Histogram,
    /// Whether every line is about a record of this run, even if no receipt names the record.
    all_are_ours: bool,
}

impl Verification {
    /// With `all_are_ours`, all lines are about records of this run. A record without a receipt was then published by a request
    /// whose answer was lost, and published again.
    pub fn new(receipts: Vec<Receipt>, all_are_ours: bool) -> Self {
        let number = |receipt: &Receipt| (receipt.sequence_number.clone(), receipt.sub_sequence_number);
        let expected: HashMap<_, _> = receipts.into_iter().map(|receipt| (number(&receipt), (receipt, 0))).collect();
        let (missing, latency) = (expected.len(), Histogram::default());
        Self { missing, unidentified: 0, expected, order: Vec::new(), duplicates: 0, latency, all_are_ours }
    }

    /// Counts a line. Times are in epoch milliseconds.
    pub fn logged(&mut self, logged: LoggedRecord, timestamp: i64, ingested: i64) {
        let mut number = (logged.sequence_number, logged.sub_sequence_number);
        if let Some(value) = number.1
            && !self.expected.contains_key(&number)
        {
            // LOGGER_SPLIT numbers the values of a record that is not an aggregate. The first stands for the record.
            number.1 = None;
            if value > 0 && self.expected.contains_key(&number) {
                return;
            }
        }
        let Some((_, times)) = self.expected.get_mut(&number) else {
            self.duplicates += u64::from(self.all_are_ours);
            return;
        };
        *times += 1;
        if *times > 1 {
            self.duplicates += 1;
            return;
        }
        self.missing -= 1;
        if let Some(arrival) = logged.arrival {
            self.latency.add(Duration::from_millis(u64::try_from(ingested - arrival).unwrap_or(0)));
        }
        self.order.push((timestamp, logged.partition_key, number));
    }

    /// Counts a line that contains the run's identifier, but not the record's sequence number.
    pub fn unidentified(&mut self) {
        self.unidentified += 1;
    }

    /// Whether the run's records were logged, and no line identifies its record.
    pub fn cannot_tell(&self) -> bool {
        self.unidentified > 0 && self.missing == self.expected.len()
    }

    /// The number of records without a line.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// Creates the report. `not_published` records were dead-lettered.
    pub fn report(mut self, run_id: Option<String>, not_published: u64) -> Report {
        let log = self.cannot_tell().then_some(LogContents::Unidentified { count: self.unidentified });
        let mut missing: Vec<Receipt> =
            self.expected.values().filter(|(_, times)| *times == 0).map(|(receipt, _)| receipt.clone()).collect();
        missing.sort_by_key(|receipt| receipt.offset);
        missing.truncate(NAMED);
        // Lines with the same time keep the order of the log.
        self.order.sort_by_key(|(timestamp, _, _)| *timestamp);
        // The log's times are whole milliseconds.
        let milliseconds = |duration: Duration| duration.as_millis() as u64;
        Report {
            run_id,
            published: self.expected.len(),
            not_published,
            logged: self.expected.len() - self.missing,
            missing_count: self.missing,
            missing,
            duplicates: self.duplicates,
            out_of_order: out_of_order(&self.order),
            latency_p50_ms: milliseconds(self.latency.at(0.5)),
            latency_p90_ms: milliseconds(self.latency.at(0.9)),
            latency_p99_ms: milliseconds(self.latency.at(0.99)),
            latency_max_ms: milliseconds(self.latency.longest()),
            histogram: rows(&self.latency),
            log,
        }
    }
}

/// The number of records that were logged after a later record of their key.
fn out_of_order(order: &[(i64, String, Number)]) -> u64 {
    let mut last = HashMap::<&str, (usize, &Number)>::new();
    let mut count = 0;
    for (_, key, number) in order {
        // Sequence numbers are decimal, so the longer of two is the greater.
        let rank = (number.0.len(), number);
        let last = last.entry(key).or_insert(rank);
        count += u64::from(*last > rank);
        *last = (*last).max(rank);
    }
    count
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    published: usize,
    pub not_published: u64,
    logged: usize,
    pub missing_count: usize,
    /// The first of the missing records.
    missing: Vec<Receipt>,
    duplicates: u64,
    out_of_order: u64,
    /// The time from a record's arrival on the stream to the ingestion of its line, by the services' clocks.
    latency_p50_ms: u64,
    latency_p90_ms: u64,
    latency_p99_ms: u64,
    latency_max_ms: u64,
    histogram: Vec<HistogramRow>,
    /// The contents of the log, if no record has a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogContents>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct HistogramRow {
    up_to_ms: u64,
    count: u64,
}

/// The rows of the histogram, each at least a millisecond wide.
fn rows(latency: &Histogram) -> Vec<HistogramRow> {
    let mut rows = Vec::<HistogramRow>::new();
    for (ceiling, count) in latency.rows(ROWS) {
        let up_to_ms = ceiling.as_millis() as u64;
        match rows.last_mut() {
            Some(row) if row.up_to_ms == up_to_ms => row.count += count,
            _ => rows.push(HistogramRow { up_to_ms, count }),
        }
    }
    rows
}

impl Report {
    /// Whether everything was published and logged.
    pub fn is_whole(&self) -> bool {
        self.missing_count == 0 && self.not_published == 0
    }

    /// Whether records were published and none of them has a line.
    pub fn has_no_line(&self) -> bool {
        self.published > 0 && self.logged == 0
    }
}

impl Render for Report {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let Self { published, logged, missing_count, duplicates, out_of_order, .. } = self;
        writeln!(
            to,
            "{published} published, {logged} logged: {missing_count} missing, {duplicates} logged again, {out_of_order} out of order within a key"
        )?;
        if self.not_published > 0 {
            let were = if self.not_published == 1 { "was" } else { "were" };
            writeln!(to, "{} more {were} not published", self.not_published)?;
        }
        if let Some(log) = &self.log {
            log.text(to)?;
        }
        // If the log belongs to another function, or its lines identify no record, the list of records does not help.
        let are_named = !matches!(self.log, Some(LogContents::OtherLines { .. } | LogContents::Unidentified { .. }));
        for receipt in self.missing.iter().filter(|_| are_named) {
            write!(to, "missing: record {}, ", receipt.offset)?;
            receipt.text(to)?;
        }
        if self.histogram.is_empty() {
            return Ok(());
        }
        writeln!(
            to,
            "stream → log: p50 {} ms, p90 {} ms, p99 {} ms, max {} ms",
            self.latency_p50_ms, self.latency_p90_ms, self.latency_p99_ms, self.latency_max_ms
        )?;
        let most = self.histogram.iter().map(|row| row.count).max().unwrap_or(1).max(1);
        for HistogramRow { up_to_ms, count } in &self.histogram {
            let bar = "█".repeat((*count as usize * BAR).div_ceil(most as usize));
            writeln!(to, "{:>10} ms {bar:<BAR$} {count}", format!("≤ {up_to_ms}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(offset: u64) -> Receipt {
        Receipt {
            offset,
            shard_id: "shardId-000000000000".into(),
            sequence_number: (100 + offset).to_string(),
            sub_sequence_number: None,
            source: None,
            attempts: 1,
            may_repeat: false,
            time: 0,
        }
    }

    fn logged(number: u64, key: &str) -> LoggedRecord {
        LoggedRecord {
            sequence_number: number.to_string(),
            sub_sequence_number: None,
            partition_key: key.into(),
            arrival: Some(1000),
        }
    }

    #[test]
    fn missing_repeated_and_out_of_order_records_are_reported() {
        let mut verification = Verification::new((0..6).map(receipt).collect(), false);
        for (number, key, timestamp) in
            [(101, "a", 10), (100, "a", 10), (102, "b", 10), (102, "b", 11), (103, "b", 12), (999, "c", 12)]
        {
            verification.logged(logged(number, key), timestamp, 1005);
        }
        assert_eq!(verification.missing(), 2);
        let report = verification.report(None, 0);
        assert!(!report.is_whole());
        assert_eq!((report.published, report.logged, report.missing_count), (6, 4, 2));
        assert_eq!((report.duplicates, report.out_of_order), (1, 1));
        assert_eq!(report.missing.iter().map(|receipt| receipt.offset).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(report.latency_max_ms, 5);
        assert_eq!(report.histogram.iter().map(|row| row.count).sum::<u64>(), 4);
    }

    #[test]
    fn the_values_of_a_split_record_count_as_one() {
        let mut verification = Verification::new(vec![receipt(0), receipt(1)], true);
        for value in 0..3 {
            let line = LoggedRecord { sub_sequence_number: Some(value), ..logged(100, "a") };
            verification.logged(line, 10, 1005);
        }
        let report = verification.report(None, 0);
        assert_eq!((report.logged, report.missing_count, report.duplicates), (1, 1, 0));
    }

    #[test]
    fn lines_without_sequence_numbers_are_not_reported_as_missing_records() {
        let mut verification = Verification::new(vec![receipt(0), receipt(1)], true);
        assert!(!verification.cannot_tell());
        verification.unidentified();
        assert!(verification.cannot_tell());
        let mut text = Vec::new();
        verification.report(None, 0).text(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("1 line of this run without a sequence number: verify cannot tell"), "{text}");
        assert!(!text.contains("missing: record"), "{text}");
    }

    #[test]
    fn a_record_without_a_receipt_counts_as_repeated_only_in_a_run_of_ours() {
        for (all_are_ours, duplicates) in [(true, 1), (false, 0)] {
            let mut verification = Verification::new(vec![receipt(0)], all_are_ours);
            verification.logged(logged(99, "a"), 10, 1005);
            verification.logged(logged(100, "a"), 11, 1005);
            let report = verification.report(None, 0);
            assert_eq!((report.logged, report.missing_count, report.duplicates), (1, 0, duplicates));
        }
    }

    #[test]
    fn lines_that_arrive_late_are_not_out_of_order() {
        let mut verification = Verification::new((0..2).map(receipt).collect(), false);
        verification.logged(logged(101, "a"), 20, 1005);
        verification.logged(logged(100, "a"), 10, 1005);
        assert_eq!(verification.report(None, 0).out_of_order, 0);
    }

    #[test]
    fn histogram_rows_are_at_least_a_millisecond_wide() {
        let mut latency = Histogram::default();
        for milliseconds in [0, 1, 1, 2, 3, 4, 5, 7, 9, 12, 16] {
            latency.add(Duration::from_millis(milliseconds));
        }
        let rows = rows(&latency);
        let up_to: Vec<_> = rows.iter().map(|row| row.up_to_ms).collect();
        assert!(up_to.is_sorted_by(|one, other| one < other), "{up_to:?}");
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 11);
    }
}
