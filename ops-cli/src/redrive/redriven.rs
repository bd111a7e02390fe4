//! The records that an earlier run redrove, by its receipts. A receipt names the record that was sent again, so that no record is
//! taken for redriven because another one was.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::batches::name;
use super::document::FailedBatch;
use crate::error::{Error, Result};
use crate::publish::accounting::receipts::{self, Receipt};
use crate::stream::position::RecordPosition;

/// Where records are sent.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// Invoke the function with the same batches
    Function,
    /// Publish the records again
    Stream,
}

#[derive(Debug, Default)]
pub struct Redriven {
    /// The name of the receipts' file.
    file: PathBuf,
    /// The records by their offsets in the documents.
    records: BTreeMap<u64, RecordPosition>,
}

impl Redriven {
    /// Reads the receipts of an earlier run to the same target.
    pub fn read(path: &Path, target: Target) -> Result<Self> {
        let mut receipts = Vec::new();
        receipts::read(path, |receipt| receipts.push(receipt))?;
        Self::of(path, &receipts, target)
    }

    fn of(path: &Path, receipts: &[Receipt], target: Target) -> Result<Self> {
        let mut records = BTreeMap::new();
        for receipt in receipts {
            let other = |run: &str| {
                Error::usage(format!("{} has receipts of {run}", path.display())).hint(
                    "--resume continues a run of redrive with the same --to, by the receipts of that run; nothing was sent",
                )
            };
            let Some(source) = &receipt.source else { return Err(other("`ops-cli publish`, or of an older ops-cli")) };
            // A record that the function was invoked with is still where it was.
            let place = format!("{}:{}", receipt.shard_id, receipt.sequence_number);
            match (target, **source == place) {
                (Target::Function, true) | (Target::Stream, false) => {}
                (Target::Function, false) => return Err(other("`redrive --to stream`")),
                (Target::Stream, true) => return Err(other("`redrive --to function`")),
            }
            records.insert(receipt.offset, source.parse().map_err(|_| other("another program"))?);
        }
        Ok(Self { file: path.to_owned(), records })
    }

    /// Rejects receipts of other documents, before anything is sent.
    pub fn check(&self, batches: &[FailedBatch]) -> Result<()> {
        let mut end = 0;
        let mut batch_ends = batches.iter().map(|batch| {
            end += batch.size;
            (end, batch)
        });
        let mut current = batch_ends.next();
        for (offset, record) in &self.records {
            while current.is_some_and(|(end, _)| end <= *offset) {
                current = batch_ends.next();
            }
            let problem = match current {
                Some((_, batch)) if contains(batch, record) => continue,
                Some((_, batch)) => format!("record {offset} of the documents is in {}", name(batch)),
                None => format!("the documents end before record {offset}"),
            };
            return Err(Error::usage(format!(
                "{} has receipts of other documents: record {offset} was {record}, but {problem}",
                self.file.display()
            ))
            .hint("give the same documents in the same order, and more after them if you like; nothing was sent"));
        }
        Ok(())
    }

    /// Whether the record with this offset was redriven, and is this one.
    pub fn holds(&self, offset: u64, position: &str) -> bool {
        self.records.get(&offset).is_some_and(|record| record.to_string() == position)
    }

    /// The number of records from this offset on that were redriven.
    pub fn count_from(&self, offset: u64) -> u64 {
        self.records.range(offset..).count() as u64
    }

    /// Whether all records of a batch were redriven: as many as it has, from its first to its last.
    pub fn holds_all(&self, offsets: Range<u64>, batch: &FailedBatch) -> bool {
        let mut records = self.records.range(offsets).map(|(_, record)| record);
        let (first, count) = (records.clone().next(), records.clone().count());
        count as u64 == batch.size
            && first.is_some_and(|record| record.sequence_number == batch.first)
            && records.next_back().is_some_and(|record| record.sequence_number == batch.last)
    }
}

fn contains(batch: &FailedBatch, record: &RecordPosition) -> bool {
    record.shard_id == batch.shard_id && (&batch.first..=&batch.last).contains(&&record.sequence_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(shard: u64, first: u64, last: u64, size: u64) -> FailedBatch {
        FailedBatch {
            stream_arn: "stream".into(),
            function_arn: "function".into(),
            shard_id: format!("shardId-{shard:012}"),
            first: first.to_string().parse().unwrap(),
            last: last.to_string().parse().unwrap(),
            size,
            payload: None,
        }
    }

    fn receipt(offset: u64, number: u64, source: Option<u64>) -> Receipt {
        let place = |number| format!("shardId-000000000000:{number}");
        Receipt {
            offset,
            shard_id: "shardId-000000000000".into(),
            sequence_number: number.to_string(),
            sub_sequence_number: None,
            source: source.map(|source| place(source).into()),
            attempts: 1,
            may_repeat: false,
            time: 0,
        }
    }

    fn redriven(numbers: &[u64]) -> Redriven {
        let receipts: Vec<_> =
            (0..).zip(numbers).map(|(offset, number)| receipt(offset, *number, Some(*number))).collect();
        Redriven::of(Path::new("r"), &receipts, Target::Function).unwrap()
    }

    #[test]
    fn receipts_of_other_documents_are_rejected() {
        let earlier = redriven(&[11, 12, 13]);
        let (same, next) = (batch(0, 11, 13, 3), batch(0, 21, 22, 2));
        assert!(earlier.check(std::slice::from_ref(&same)).is_ok());
        assert!(earlier.check(&[same.clone(), next.clone()]).is_ok());
        for (documents, problem) in [
            (vec![next.clone()], "record 0 was shardId-000000000000:11, but record 0 of the documents is in the batch"),
            (vec![next, same], "is in the batch shardId-000000000000:21…22"),
            (vec![batch(1, 11, 13, 3)], "is in the batch shardId-000000000001:11…13"),
            (vec![batch(0, 11, 13, 2)], "the documents end before record 2"),
            (vec![], "the documents end before record 0"),
        ] {
            let error = earlier.check(&documents).unwrap_err();
            assert!(error.message.contains(problem), "{}", error.message);
        }
    }

    #[test]
    fn receipts_of_other_runs_are_rejected() {
        let of = |receipt, target| {
            Redriven::of(Path::new("r"), &[receipt], target).map(|_| ()).map_err(|error| error.message)
        };
        assert_eq!(of(receipt(0, 5, Some(5)), Target::Function), Ok(()));
        assert_eq!(of(receipt(0, 9, Some(5)), Target::Stream), Ok(()));
        for (receipt, target, run) in [
            (receipt(0, 9, Some(5)), Target::Function, "`redrive --to stream`"),
            (receipt(0, 5, Some(5)), Target::Stream, "`redrive --to function`"),
            (receipt(0, 5, None), Target::Function, "`ops-cli publish`, or of an older ops-cli"),
            (receipt(0, 5, None), Target::Stream, "`ops-cli publish`, or of an older ops-cli"),
        ] {
            assert_eq!(of(receipt, target), Err(format!("r has receipts of {run}")));
        }
    }

    #[test]
    fn a_record_is_redriven_if_its_receipt_names_it() {
        let earlier = redriven(&[11, 12, 13]);
        assert!(earlier.holds(1, "shardId-000000000000:12"));
        assert!(!earlier.holds(1, "shardId-000000000000:13") && !earlier.holds(3, "shardId-000000000000:14"));
        assert!(earlier.holds_all(0..3, &batch(0, 11, 13, 3)));
        assert!(!earlier.holds_all(0..4, &batch(0, 11, 14, 4)) && !earlier.holds_all(0..3, &batch(0, 11, 15, 3)));
        assert!(!Redriven::default().holds_all(0..3, &batch(0, 11, 13, 3)));
    }
}
