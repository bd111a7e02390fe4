//! The accounting: every record that was read is acknowledged or dead-lettered, and both are written down.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::histogram::Histogram;
use super::pack::Entry;
use super::receipts::Receipts;
use super::record::{Place, Record};
use super::source::Rejected;
use crate::error::{Error, Result};
use crate::output::{Render, printable};
use crate::progress::{note, seconds};

/// Dead-lettered records that are named on stderr where there is no file for them.
const NAMED: u64 = 10;

/// A record that was given up. With its first members it is an entry again: `publish --entries` sends it.
#[derive(Serialize)]
struct DeadLetter<'a> {
    #[serde(rename = "PartitionKey", skip_serializing_if = "Option::is_none")]
    partition_key: Option<&'a str>,
    #[serde(rename = "Data")]
    data: String,
    #[serde(rename = "ExplicitHashKey", skip_serializing_if = "Option::is_none")]
    explicit_hash_key: Option<String>,
    offset: u64,
    input: &'a str,
    line: u64,
    reason: &'a str,
    attempts: u32,
    /// It may be on the stream all the same.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    may_be_put: bool,
}

/// Counts and writes.
pub struct Ledger {
    pub tally: Tally,
    receipts: Receipts,
    dead_letters: Option<(BufWriter<File>, String)>,
    names: Arc<[String]>,
    /// The first record that was read and taken back, or never read: where to go on.
    pub first_unread: Option<Place>,
}

/// Where and when something was put.
#[derive(Debug)]
pub struct At<'a> {
    pub shard_id: &'a str,
    pub sequence_number: &'a str,
    /// Epoch milliseconds.
    pub time: i64,
}

/// What happened.
#[derive(Debug, Default)]
pub struct Tally {
    pub read: u64,
    pub skipped: u64,
    pub acknowledged: u64,
    pub dead_lettered: u64,
    /// Data and keys of the acknowledged.
    pub bytes: u64,
    pub requests: u64,
    /// Entries of PutRecords: records, or aggregates of them.
    pub puts: u64,
    /// Requests that failed as a whole, or were not answered.
    pub failed_requests: u64,
    /// Records that were refused for their shard's limit.
    pub throttled: u64,
    /// Records that were sent beyond the first time each.
    pub sent_again: u64,
    /// Acknowledged records that may be on the stream twice.
    pub may_repeat: u64,
    pub latency: Histogram,
    pub shards: HashMap<String, u64>,
}

impl Ledger {
    pub fn new(receipts: Receipts, dead_letters: Option<&Path>, names: Arc<[String]>) -> Result<Self> {
        let open = |path: &Path| {
            let name = path.display().to_string();
            // Appended to: dead letters of an earlier run are somebody's records.
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.map_err(|error| Error::usage(format!("could not write {name}: {error}")))?;
            Ok::<_, Error>((BufWriter::new(file), name))
        };
        let dead_letters = dead_letters.map(open).transpose()?;
        Ok(Self { tally: Tally::default(), receipts, dead_letters, names, first_unread: None })
    }

    pub fn read(&mut self, place: Place) {
        self.tally.read += 1;
        self.receipts.expect(place.offset);
    }

    /// The entries are on the stream, put as one; with each which one it is of the aggregate, if it is one.
    pub fn acknowledged<'e>(
        &mut self,
        entries: impl Iterator<Item = (Option<u64>, &'e Entry)> + Clone,
        at: &At<'_>,
    ) -> Result<()> {
        let tally = &mut self.tally;
        let before = tally.acknowledged;
        for (_, entry) in entries.clone() {
            tally.acknowledged += 1;
            tally.bytes += entry.record.size() as u64;
            tally.may_repeat += u64::from(entry.may_be_put);
        }
        let count = tally.acknowledged - before;
        match tally.shards.get_mut(at.shard_id) {
            Some(sum) => *sum += count,
            None => {
                tally.shards.insert(at.shard_id.to_owned(), count);
            }
        }
        self.receipts.add(entries, at)
    }

    /// A record that was read is given up.
    pub fn dead(&mut self, entry: &Entry, reason: &str) -> Result<()> {
        let Record { place, data, partition_key, explicit_hash_key, .. } = &entry.record;
        self.dead_letter(
            &DeadLetter {
                partition_key: Some(partition_key),
                data: base64_simd::STANDARD.encode_to_string(data),
                explicit_hash_key: explicit_hash_key.map(|key| key.to_string()),
                offset: place.offset,
                input: self.names.clone().get(place.input).map_or("", String::as_str),
                line: place.line,
                reason,
                attempts: entry.attempts,
                may_be_put: entry.may_be_put,
            },
            *place,
        )
    }

    /// What was read is no record.
    pub fn rejected(&mut self, rejected: &Rejected) -> Result<()> {
        self.read(rejected.place);
        self.dead_letter(
            &DeadLetter {
                partition_key: None,
                data: base64_simd::STANDARD.encode_to_string(&rejected.data),
                explicit_hash_key: None,
                offset: rejected.place.offset,
                input: self.names.clone().get(rejected.place.input).map_or("", String::as_str),
                line: rejected.place.line,
                reason: &rejected.reason,
                attempts: 0,
                may_be_put: false,
            },
            rejected.place,
        )
    }

    fn dead_letter(&mut self, letter: &DeadLetter<'_>, place: Place) -> Result<()> {
        self.tally.dead_lettered += 1;
        self.receipts.never(letter.offset);
        match &mut self.dead_letters {
            Some((file, name)) => {
                let written = serde_json::to_writer(&mut *file, letter).map_err(io::Error::from);
                let written = written.and_then(|()| file.write_all(b"\n"));
                written.map_err(|error| Error::failed(format!("could not write {name}: {error}")))
            }
            None => {
                if self.tally.dead_lettered <= NAMED {
                    note(&format!("not published: {} {}", place.of(&self.names), printable(letter.reason)));
                }
                Ok(())
            }
        }
    }

    /// Records that were read are taken back: they count as not read.
    pub fn unread(&mut self, records: &[Record]) {
        self.tally.read -= records.len() as u64;
        for record in records {
            self.receipts.never(record.place.offset);
            self.stopped_at(record.place);
        }
    }

    /// Nothing from here on was read.
    pub fn stopped_at(&mut self, place: Place) {
        self.first_unread = Some(self.first_unread.map_or(place, |first| first.min(place)));
    }

    pub fn is_full(&self) -> bool {
        self.receipts.is_full()
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn flush(&mut self) -> Result<()> {
        if let Some((file, name)) = &mut self.dead_letters {
            file.flush().map_err(|error| Error::failed(format!("could not write {name}: {error}")))?;
        }
        self.receipts.flush()
    }

    /// Ends the run: everything is written, and the sum is right.
    pub fn close(mut self, took: Duration) -> Result<(Summary, Receipts)> {
        self.flush()?;
        let tally = self.tally;
        let settled = tally.acknowledged + tally.dead_lettered;
        if tally.read != settled {
            return Err(Error::failed(format!(
                "{} records were read, but {} acknowledged and {} dead-lettered: this is a fault of ops-cli",
                tally.read, tally.acknowledged, tally.dead_lettered
            )));
        }
        Ok((Summary::of(&tally, took), self.receipts))
    }
}

/// How a run went, for people and programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub read: u64,
    /// Acknowledged in an earlier run, and not sent again.
    pub skipped: u64,
    pub acknowledged: u64,
    pub dead_lettered: u64,
    pub bytes: u64,
    pub requests: u64,
    /// Entries of all requests: one for each record, fewer with aggregates.
    pub entries: u64,
    pub failed_requests: u64,
    /// Records sent beyond the first time each.
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
    fn of(tally: &Tally, took: Duration) -> Self {
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
        writeln!(to, "{read} records read = {acknowledged} acknowledged + {dead_lettered} dead-lettered{skipped}")?;
        let took = self.seconds.max(1e-3);
        writeln!(
            to,
            "{:.1} MB in {}: {:.0} records/s; {requests} requests of {entries} entries, p50 {:.1} ms, p99 {:.1} ms",
            self.bytes as f64 / 1e6,
            seconds(Duration::from_secs_f64(self.seconds)),
            *acknowledged as f64 / took,
            self.latency_p50_ms,
            self.latency_p99_ms,
        )?;
        if self.retried_records > 0 || *failed_requests > 0 {
            writeln!(
                to,
                "{} records sent again ({} throttled), {failed_requests} requests failed; {} records may be on the stream twice",
                self.retried_records, self.throttled_records, self.may_repeat
            )?;
        }
        if let Some(shard) = &self.busiest_shard {
            writeln!(to, "busiest shard: {shard}, {} records", self.busiest_shard_records)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(offset: u64) -> Entry {
        let place = Place { offset, input: 0, line: offset + 1 };
        Entry::of(Record::new(place, b"x".to_vec(), "k".into(), None))
    }

    #[test]
    fn a_record_that_is_unaccounted_for_is_an_error() {
        let ledger = || Ledger::new(Receipts::Kept(Vec::new()), None, ["test".to_owned()].into()).unwrap();
        let mut whole = ledger();
        let mut lost = ledger();
        for ledger in [&mut whole, &mut lost] {
            for offset in 0..3 {
                ledger.read(entry(offset).record.place);
            }
            ledger
                .acknowledged([(None, &entry(0))].into_iter(), &At { shard_id: "s", sequence_number: "1", time: 0 })
                .unwrap();
            ledger.dead(&entry(1), "was refused").unwrap();
        }
        whole.unread(&[entry(2).record]);
        assert_eq!(whole.first_unread.map(|place| place.offset), Some(2));
        let (summary, _) = whole.close(Duration::from_secs(1)).unwrap();
        assert_eq!((summary.read, summary.acknowledged, summary.dead_lettered), (2, 1, 1));
        assert!(lost.close(Duration::from_secs(1)).is_err());
    }
}
