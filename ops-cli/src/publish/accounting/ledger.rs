//! The accounting: every record that was read becomes a receipt or a dead letter.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::dead_letters::{DeadLetter, DeadLetters};
use super::histogram::Histogram;
use super::receipts::Receipts;
use super::summary::Summary;
use crate::error::{Error, Result};
use crate::publish::input::reader::RejectedInput;
use crate::publish::input::record::{InputPosition, Record};
use crate::publish::scheduling::batch::QueuedEntry;

/// Counts records, and writes their receipts and dead letters.
pub struct Ledger {
    pub tally: Tally,
    receipts: Receipts,
    dead_letters: DeadLetters,
    names: Arc<[String]>,
    /// The first write error. Nothing is written after it.
    failure: Option<Error>,
    /// The position of the first record that was not read or was taken back, where a later run resumes.
    pub first_unread: Option<InputPosition>,
}

/// The put that stored entries: when and with which sequence number.
#[derive(Debug)]
pub struct At<'a> {
    pub shard_id: &'a str,
    pub sequence_number: &'a str,
    /// In epoch milliseconds.
    pub time: i64,
}

/// The counters of a run.
#[derive(Debug, Default)]
pub struct Tally {
    pub read: u64,
    pub skipped: u64,
    pub acknowledged: u64,
    pub dead_lettered: u64,
    /// Bytes of data and keys of the acknowledged records.
    pub bytes: u64,
    pub requests: u64,
    /// Entries of PutRecords: records or aggregates.
    pub puts: u64,
    /// Requests that failed as a whole or were not answered.
    pub failed_requests: u64,
    /// Records that were throttled by their shard's limit.
    pub throttled: u64,
    /// Resends, counted once per record and attempt after the first.
    pub sent_again: u64,
    /// Acknowledged records that may be on the stream twice.
    pub may_repeat: u64,
    pub latency: Histogram,
    pub shards: HashMap<String, u64>,
}

impl Ledger {
    pub fn new(receipts: Receipts, dead_letters: Option<&Path>, names: Arc<[String]>) -> Result<Self> {
        let dead_letters = DeadLetters::open(dead_letters)?;
        Ok(Self { tally: Tally::default(), receipts, dead_letters, names, failure: None, first_unread: None })
    }

    pub fn read(&mut self, place: InputPosition) {
        self.tally.read += 1;
        self.receipts.expect(place.offset);
    }

    /// Counts the entries of one put as acknowledged. Each comes with its index in the aggregate, if it is in one.
    pub fn acknowledged<'e>(
        &mut self,
        entries: impl Iterator<Item = (Option<u64>, &'e QueuedEntry)> + Clone,
        at: &At<'_>,
    ) {
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
        let written = self.receipts.add(entries, at);
        self.receipts_are(written);
    }

    /// Counts a record as abandoned.
    pub fn dead(&mut self, entry: &QueuedEntry, reason: &str) {
        let names = Arc::clone(&self.names);
        self.dead_letter(entry.record.place, &DeadLetter::of_entry(entry, &names, reason));
    }

    /// Counts input that could not become a record.
    pub fn rejected(&mut self, rejected: &RejectedInput) {
        self.read(rejected.place);
        let names = Arc::clone(&self.names);
        self.dead_letter(rejected.place, &DeadLetter::of_rejected(rejected, &names));
    }

    fn dead_letter(&mut self, place: InputPosition, letter: &DeadLetter<'_>) {
        self.tally.dead_lettered += 1;
        self.receipts.never(place.offset);
        if let Err(error) = self.dead_letters.add(letter) {
            self.failure.get_or_insert(error);
        }
    }

    fn receipts_are(&mut self, written: Result<()>) {
        if let Err(error) = written {
            self.receipts = Receipts::Nowhere;
            self.failure.get_or_insert(error.without_receipts());
        }
    }

    /// Takes the first write error.
    pub fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Counts records that were taken back from the queue as not read.
    pub fn unread(&mut self, records: &[Record]) {
        self.tally.read -= records.len() as u64;
        for record in records {
            self.receipts.never(record.place.offset);
            self.stopped_at(record.place);
        }
    }

    /// Notes that nothing from this position on was read.
    pub fn stopped_at(&mut self, place: InputPosition) {
        self.first_unread = Some(self.first_unread.map_or(place, |first| first.min(place)));
    }

    pub fn is_full(&self) -> bool {
        self.receipts.is_full()
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn flush(&mut self) {
        let written = self.receipts.flush();
        self.receipts_are(written);
    }

    /// Ends the run. Returns an error if a record is unaccounted for.
    pub fn close(self, took: Duration) -> Result<(Summary, Receipts)> {
        let tally = self.tally;
        let settled = tally.acknowledged + tally.dead_lettered;
        if tally.read != settled {
            return Err(Error::failed(format!(
                "{} records were read, but {} acknowledged and {} dead-lettered: this is a bug in ops-cli",
                tally.read, tally.acknowledged, tally.dead_lettered
            )));
        }
        Ok((Summary::of(&tally, took), self.receipts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(offset: u64) -> QueuedEntry {
        let place = InputPosition { offset, input: 0, line: offset + 1 };
        QueuedEntry::of(Record::new(place, b"x".to_vec(), &"k".into(), None))
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
            let at = At { shard_id: "s", sequence_number: "1", time: 0 };
            ledger.acknowledged([(None, &entry(0))].into_iter(), &at);
            ledger.dead(&entry(1), "was refused");
        }
        whole.unread(&[entry(2).record]);
        assert_eq!(whole.first_unread.map(|place| place.offset), Some(2));
        let (summary, _) = whole.close(Duration::from_secs(1)).unwrap();
        assert_eq!((summary.read, summary.acknowledged, summary.dead_lettered), (2, 1, 1));
        assert!(lost.close(Duration::from_secs(1)).is_err());
    }
}
