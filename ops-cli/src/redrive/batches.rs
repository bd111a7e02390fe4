//! The failed batches of a run, one after the other. Every record has an offset, which receipts refer to.

use aws_sdk_kinesis::types::Record;

use super::document::FailedBatch;
use super::fetch::{self, FetchedBatch};
use super::redriven::Redriven;
use super::summary::Summary;
use crate::aws::Aws;
use crate::error::Result;
use crate::output::counted;
use crate::progress::note;

/// The failed batches that are still to be fetched.
pub struct Batches {
    pub aws: Aws,
    pub batches: Vec<FailedBatch>,
    pub whole_range: bool,
    pub retention_hours: i32,
    /// The records that an earlier run redrove.
    pub redriven: Redriven,
    index: usize,
    /// The offset of the next batch's first record.
    offset: u64,
}

/// A batch, and those of its records that are to be redriven.
pub struct ReadyBatch {
    pub batch: FailedBatch,
    pub index: usize,
    pub records: Vec<NumberedRecord>,
    pub problem: Option<String>,
    pub absent: u64,
}

pub struct NumberedRecord {
    pub offset: u64,
    pub record: Record,
}

impl Batches {
    pub fn new(
        aws: &Aws,
        batches: Vec<FailedBatch>,
        whole_range: bool,
        retention_hours: i32,
        redriven: Redriven,
    ) -> Self {
        Self { aws: aws.clone(), batches, whole_range, retention_hours, redriven, index: 0, offset: 0 }
    }

    /// Counts the records that an earlier run redrove in the batches that this run did not reach.
    pub fn count_unreached(&self, summary: &mut Summary) {
        summary.skipped += self.redriven.count_from(self.offset);
    }

    /// The number of records that the documents name.
    pub fn named(&self) -> u64 {
        self.batches.iter().map(|batch| batch.size).sum()
    }

    /// Fetches the next batch, and counts the records that need not or cannot be redriven.
    pub async fn next(&mut self, summary: &mut Summary) -> Result<Option<ReadyBatch>> {
        let Some(batch) = self.batches.get(self.index).cloned() else { return Ok(None) };
        let index = self.index;
        let offsets = self.offset..self.offset + batch.size;
        let fetched = match self.redriven.holds_all(offsets.clone(), &batch) {
            true => {
                summary.skipped += batch.size;
                FetchedBatch::default()
            }
            false => fetch::fetch(&self.aws, &batch, self.whole_range, self.retention_hours).await?,
        };
        let FetchedBatch { records, absent, problem } = fetched;
        if let Some(problem) = &problem {
            let are = if batch.size == 1 { "is" } else { "are" };
            note(&format!("{}: {absent} of {} {are} {problem}", name(&batch), counted(batch.size, "record")));
        }
        summary.absent += absent;
        // The records that are absent are the oldest, so that the others keep their offsets when more expire.
        let first = offsets.start + absent;
        let end = offsets.end.max(first + records.len() as u64);
        let all = (first..).zip(records).map(|(offset, record)| NumberedRecord { offset, record });
        let (skipped, records): (Vec<_>, Vec<_>) =
            all.partition(|NumberedRecord { offset, record }| self.redriven.holds(*offset, &position(&batch, record)));
        summary.skipped += skipped.len() as u64;
        (self.index, self.offset) = (index + 1, end);
        Ok(Some(ReadyBatch { batch, index, records, problem, absent }))
    }
}

/// The position of a batch's record on the stream.
pub fn position(batch: &FailedBatch, record: &Record) -> String {
    format!("{}:{}", batch.shard_id, record.sequence_number)
}

/// Names a batch in messages.
pub fn name(batch: &FailedBatch) -> String {
    format!("the batch {}:{}…{}", batch.shard_id, batch.first, batch.last)
}
