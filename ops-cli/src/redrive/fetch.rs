//! Fetches the records of a failed batch: from the document itself if it has them, else from the shard.

use aws_sdk_kinesis::primitives::{Blob, DateTime};
use aws_sdk_kinesis::types::Record;
use jiff::Timestamp;
use kinesis_event_logger_core::event::{Event, EventRecord};

use super::document::FailedBatch;
use crate::aws::Aws;
use crate::error::Result;
use crate::stream::fetch::{Absence, Page, RangeReader, absence};

/// The records of a failed batch.
#[derive(Debug, Default)]
pub struct FetchedBatch {
    pub records: Vec<Record>,
    /// The number of records of the batch that are not on the stream. They are older than the others.
    pub absent: u64,
    /// Why records are absent, or why the batch is not redriven at all.
    pub problem: Option<String>,
}

impl FetchedBatch {
    fn absent(batch: &FailedBatch, problem: String) -> Self {
        Self { records: Vec::new(), absent: batch.size, problem: Some(problem) }
    }
}

/// Fetches the records of a batch. If the shard has more records between the batch's first and last than the batch had,
/// `whole_range` decides whether they count as the batch's.
pub async fn fetch(aws: &Aws, batch: &FailedBatch, whole_range: bool, retention_hours: i32) -> Result<FetchedBatch> {
    if let Some(payload) = &batch.payload {
        return Ok(match of_payload(payload) {
            Ok(records) => FetchedBatch { records, ..FetchedBatch::default() },
            Err(reason) => FetchedBatch::absent(batch, format!("the document's payload {reason}")),
        });
    }
    let mut reader = RangeReader::new(aws, batch.stream(), &batch.shard_id, &batch.first, &batch.last);
    let mut records = Vec::new();
    loop {
        let wanted = if whole_range { usize::MAX } else { batch.size as usize + 1 - records.len() };
        match reader.next(wanted).await? {
            Page::Records(more) => records.extend(more),
            Page::End => break,
            Page::Refused(message) => {
                let reason = reason(batch, retention_hours);
                return Ok(FetchedBatch::absent(batch, format!("{reason} ({message})")));
            }
        }
        if records.len() as u64 > batch.size && !whole_range {
            return Ok(surplus(batch));
        }
    }
    let absent = batch.size.saturating_sub(records.len() as u64);
    let problem = (absent > 0).then(|| reason(batch, retention_hours));
    Ok(FetchedBatch { records, absent, problem })
}

fn reason(batch: &FailedBatch, retention_hours: i32) -> String {
    match absence(&batch.first, retention_hours, Timestamp::now().as_second()) {
        Absence::Expired => format!("past the retention of the stream, which is {retention_hours} hours"),
        Absence::NeverExisted => "not on the stream, although its retention has not passed".to_owned(),
        Absence::Unknown => "not on the stream".to_owned(),
    }
}

/// A mapping with a filter, or with several batches per shard, leaves records between a batch's first and last to others.
fn surplus(batch: &FailedBatch) -> FetchedBatch {
    let reason = format!(
        "not sent: the shard has more than the {} records of the batch between its first and its last, because the mapping \
         filters or runs several batches per shard; --whole-range sends all of them",
        batch.size
    );
    FetchedBatch::absent(batch, reason)
}

/// Reads the records of an event.
fn of_payload(payload: &str) -> Result<Vec<Record>, String> {
    let event = Event::parse(payload).map_err(|error| format!("is not the event of a batch: {error}"))?;
    let expected = event.records().len();
    let records: Vec<_> = event.records().map_while(|record| record_of(&record)).collect();
    if records.len() < expected {
        return Err(format!("has a record, number {}, without data or sequence number", records.len() + 1));
    }
    Ok(records)
}

fn record_of(record: &EventRecord<'_>) -> Option<Record> {
    let data = base64_simd::STANDARD.decode_to_vec(record.data.as_deref()?.as_bytes()).ok()?;
    Record::builder()
        .set_partition_key(record.partition_key.as_deref().map(str::to_owned))
        .sequence_number(record.sequence_number.as_deref()?)
        .data(Blob::new(data))
        .set_approximate_arrival_timestamp(record.arrival_ms.map(DateTime::from_millis))
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_contains_its_records() {
        let record = |data: &str| {
            format!(
                r#"{{"kinesis":{{"partitionKey":"k","sequenceNumber":"4959","data":"{data}","approximateArrivalTimestamp":1.5}},"eventSource":"aws:kinesis"}}"#
            )
        };
        let records = of_payload(&format!(r#"{{"Records":[{}]}}"#, record("SGVsbG8="))).unwrap();
        assert_eq!((records[0].data.as_ref(), records[0].sequence_number.as_str()), (&b"Hello"[..], "4959"));
        assert_eq!(records[0].approximate_arrival_timestamp, Some(DateTime::from_millis(1500)));
        let error = of_payload(&format!(r#"{{"Records":[{},{}]}}"#, record("SGVsbG8="), record("*"))).unwrap_err();
        assert!(error.contains("number 2"), "{error}");
        assert!(of_payload("{}").is_err());
    }
}
