//! Invokes the function with the records of failed batches, in the form in which the mapping invokes it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use jiff::Timestamp;
use kinesis_event_logger_core::event::{EventSource, EventWriter, MAX_EVENT_BYTES};

use super::batches::{Batches, NumberedRecord, ReadyBatch, name, position};
use super::document::FailedBatch;
use super::response::processed;
use super::summary::Summary;
use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::progress::note;
use crate::publish::accounting::receipts::{Receipt, Receipts};
use crate::show::lines::new_record;

/// The pause before a batch that made no progress is sent again, times the number of failures.
const PAUSE: Duration = Duration::from_secs(1);
/// The bytes of an event around its records.
const FRAME_BYTES: usize = 32;

/// The run of one command.
pub struct ToFunction<'a> {
    pub aws: &'a Aws,
    /// The number of invocations in a row without progress after which a batch is abandoned.
    pub attempts: u32,
    /// Set when the run is to end after the invocation in progress.
    pub stop: &'a AtomicBool,
    pub receipts: Receipts,
    pub role_arn: String,
}

impl ToFunction<'_> {
    /// Redrives all batches in order.
    pub async fn run(&mut self, batches: &mut Batches, summary: &mut Summary) -> Result<()> {
        while !self.is_stopped()
            && let Some(ready) = batches.next(summary).await?
        {
            self.redrive(&ready, summary).await?;
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    async fn redrive(&mut self, ready: &ReadyBatch, summary: &mut Summary) -> Result<()> {
        let role_arn = self.role_arn.clone();
        let source = EventSource {
            region: ready.batch.stream_arn.split(':').nth(3).unwrap_or_default(),
            arn: &ready.batch.stream_arn,
            shard_id: &ready.batch.shard_id,
            role_arn: &role_arn,
        };
        let (mut rest, mut failures, mut attempts) = (&ready.records[..], 0, 0);
        while !rest.is_empty() && !self.is_stopped() {
            let sent = fitting(&source, rest);
            attempts += 1;
            let (done, problem) = self.invoke(&source, &ready.batch, sent).await?;
            summary.redriven += done as u64;
            self.give_receipts(&ready.batch, &sent[..done], attempts).map_err(Error::without_receipts)?;
            rest = &rest[done..];
            if done > 0 {
                failures = 0;
            } else if failures + 1 == self.attempts {
                summary.failed += rest.len() as u64;
                note(&format!("{}: {} records failed again: {problem}", name(&ready.batch), rest.len()));
                return Ok(());
            } else {
                failures += 1;
                tokio::time::sleep(PAUSE * failures).await;
            }
            if done == sent.len() {
                attempts = 0;
            }
        }
        Ok(())
    }

    /// Invokes the function once. Returns the number of records that it has processed, and the problem with the next one.
    async fn invoke(
        &self,
        source: &EventSource<'_>,
        batch: &FailedBatch,
        records: &[NumberedRecord],
    ) -> Result<(usize, String)> {
        let event = event(source, records);
        let request = self.aws.lambda().invoke().function_name(&batch.function_arn).payload(Blob::new(event));
        let doing = format!("invoke the function {}", batch.function());
        let answer = self.aws.call(doing, || request.clone().send()).await?;
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        if let Some(error) = answer.function_error {
            return Ok((0, format!("{error}: {}", String::from_utf8_lossy(&payload))));
        }
        let numbers: Vec<_> = records.iter().map(|record| record.record.sequence_number.as_str()).collect();
        Ok((processed(&payload, &numbers), "the function reports them in batchItemFailures".to_owned()))
    }

    fn give_receipts(&mut self, batch: &FailedBatch, records: &[NumberedRecord], attempts: u32) -> Result<()> {
        for NumberedRecord { offset, record } in records {
            self.receipts.push(Receipt {
                offset: *offset,
                shard_id: batch.shard_id.clone(),
                sequence_number: record.sequence_number.clone(),
                sub_sequence_number: None,
                source: Some(position(batch, record).into()),
                attempts,
                may_repeat: false,
                time: Timestamp::now().as_millisecond(),
            })?;
        }
        self.receipts.flush()
    }
}

/// Returns the records, from the first on, that fit into one event.
fn fitting<'r>(source: &EventSource<'_>, records: &'r [NumberedRecord]) -> &'r [NumberedRecord] {
    let mut bytes = FRAME_BYTES;
    let fits = records.iter().position(|record| {
        bytes += source.record_bytes(&new_record(&record.record));
        bytes > MAX_EVENT_BYTES
    });
    // A record that is too large alone is sent alone, so that Lambda's error names the limit.
    &records[..fits.unwrap_or(records.len()).max(1)]
}

fn event(source: &EventSource<'_>, records: &[NumberedRecord]) -> Vec<u8> {
    let size = records.iter().map(|record| source.record_bytes(&new_record(&record.record))).sum();
    let mut writer = EventWriter::new(source, size);
    records.iter().for_each(|record| writer.push(&new_record(&record.record)));
    writer.finish()
}

/// Reads the execution role of the function, which every record of an event names.
pub async fn role_arn(aws: &Aws, function_arn: &str) -> Result<String> {
    let request = aws.lambda().get_function_configuration().function_name(function_arn);
    let found = aws.find(format!("read the function {function_arn}"), || request.clone().send()).await?;
    found.map(|configuration| configuration.role.unwrap_or_default()).ok_or_else(|| {
        Error::failed(format!("there is no function {function_arn}"))
            .hint("create it with `ops-cli provision`, or publish the records again with --to stream")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::lines::tests::record;

    const SOURCE: EventSource<'static> = EventSource { region: "r", arn: "a", shard_id: "s", role_arn: "i" };

    #[test]
    fn a_batch_that_exceeds_an_invocation_is_split() {
        let large = |offset| NumberedRecord { offset, record: record(&vec![b'x'; 2 << 20]) };
        let records: Vec<_> = (0..5).map(large).collect();
        let first = fitting(&SOURCE, &records);
        assert_eq!(first.len(), 2);
        assert!(event(&SOURCE, first).len() <= MAX_EVENT_BYTES);
        assert_eq!(fitting(&SOURCE, &records[4..]).len(), 1);
        let huge = [NumberedRecord { offset: 0, record: record(&vec![b'x'; 7 << 20]) }];
        assert_eq!(fitting(&SOURCE, &huge).len(), 1);
    }
}
