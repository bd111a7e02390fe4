//! Reads the records of a shard between two sequence numbers.

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{Record, ShardIteratorType};
use kinesis_event_logger_core::{SequenceNumber, limits};

use crate::aws::Aws;
use crate::error::{Error, Result};

/// The pause after a page without records. A shard accepts five reads per second, which the function shares.
const PAUSE: Duration = Duration::from_millis(250);

/// A reader of the records between two sequence numbers, both inclusive.
pub struct RangeReader<'a> {
    aws: &'a Aws,
    client: Client,
    stream: &'a str,
    shard_id: &'a str,
    begin: SequenceNumber,
    last: SequenceNumber,
    /// The record after which reading resumes once the iterator has expired.
    after: Option<SequenceNumber>,
    iterator: Option<String>,
    is_over: bool,
}

/// The next records of a range.
pub enum Page {
    Records(Vec<Record>),
    End,
    /// The stream has no such shard, or the sequence number is not one of the shard's: the service's message.
    Refused(String),
}

/// The reason why a record is not in its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// It was put earlier than the stream's retention period.
    Expired,
    NeverExisted,
    /// Its sequence number does not say when it was put.
    Unknown,
}

impl<'a> RangeReader<'a> {
    pub fn new(
        aws: &'a Aws,
        stream: &'a str,
        shard_id: &'a str,
        first: &SequenceNumber,
        last: &SequenceNumber,
    ) -> Self {
        let (begin, last) = (first.clone(), last.clone());
        Self { aws, client: aws.kinesis(), stream, shard_id, begin, last, after: None, iterator: None, is_over: false }
    }

    /// Reads the next page with records, of at most `limit`.
    pub async fn next(&mut self, limit: usize) -> Result<Page> {
        let limit = limit.clamp(1, limits::GET_RECORDS_RECORDS) as i32;
        while !self.is_over {
            let iterator = match &self.iterator {
                Some(iterator) => iterator.clone(),
                None => match self.shard_iterator().await? {
                    Ok(iterator) => iterator,
                    Err(message) => return Ok(Page::Refused(message)),
                },
            };
            let request = self.client.get_records().shard_iterator(iterator).limit(limit);
            let doing = format!("read the shard {}", self.shard_id);
            let page = match self.aws.retry.call(&doing, || request.clone().send()).await {
                Ok(page) => page,
                Err(error) if error.code() == Some("ExpiredIteratorException") => {
                    self.iterator = None;
                    continue;
                }
                Err(error) => return Err(Error::aws(doing, error)),
            };
            let is_at_tip = page.millis_behind_latest == Some(0);
            self.iterator = page.next_shard_iterator;
            // An iterator that is missing at the end of a closed shard must not be taken for an expired one.
            self.is_over = self.iterator.is_none() || is_at_tip;
            let records = self.within(page.records);
            if !records.is_empty() {
                return Ok(Page::Records(records));
            }
            if !self.is_over {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(Page::End)
    }

    /// Drops the records after the range, and ends reading once it is complete.
    fn within(&mut self, mut records: Vec<Record>) -> Vec<Record> {
        let number = |record: &Record| record.sequence_number.parse::<SequenceNumber>().ok();
        let end = records.partition_point(|record| number(record).is_none_or(|number| number <= self.last));
        self.is_over |= end < records.len();
        records.truncate(end);
        if let Some(newest) = records.last().and_then(number) {
            self.is_over |= newest == self.last;
            self.after = Some(newest);
        }
        records
    }

    async fn shard_iterator(&self) -> Result<Result<String, String>> {
        let (kind, number) = match &self.after {
            Some(after) => (ShardIteratorType::AfterSequenceNumber, after),
            None => (ShardIteratorType::AtSequenceNumber, &self.begin),
        };
        let request = self.client.get_shard_iterator().stream_name(self.stream).shard_id(self.shard_id);
        let request = request.shard_iterator_type(kind).starting_sequence_number(number.to_string());
        let doing = format!("find the position in the shard {}", self.shard_id);
        match self.aws.retry.call(&doing, || request.clone().send()).await {
            Ok(answer) => Ok(answer.shard_iterator.ok_or_else(|| "Kinesis returned no shard iterator".to_owned())),
            Err(error) if is_refusal(&error) => Ok(Err(error.message().unwrap_or_default().to_owned())),
            Err(error) => Err(Error::aws(doing, error)),
        }
    }
}

fn is_refusal<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    matches!(error.code(), Some("ResourceNotFoundException" | "InvalidArgumentException"))
}

/// Returns the arrival of a record in epoch milliseconds, 0 if Kinesis does not report it.
pub fn arrival_ms(record: &Record) -> i64 {
    // Kinesis writes seconds with a fraction, which the SDK reads as a binary number: .485 is a little less than 485 ms.
    let nearest = |time: DateTime| time.as_nanos().saturating_add(500_000).div_euclid(1_000_000);
    record.approximate_arrival_timestamp.map(nearest).and_then(|time| time.try_into().ok()).unwrap_or_default()
}

/// Finds out why a record is not in its shard. `now` is in epoch seconds.
pub fn absence(number: &SequenceNumber, retention_hours: i32, now: i64) -> Absence {
    let Some(parts) = number.parts() else { return Absence::Unknown };
    let age = now.saturating_sub(i64::try_from(parts.put_seconds).unwrap_or(i64::MAX));
    if age >= i64::from(retention_hours) * 3600 { Absence::Expired } else { Absence::NeverExisted }
}

#[cfg(test)]
mod tests {
    use aws_sdk_kinesis::primitives::Blob;

    use super::*;

    #[test]
    fn an_arrival_is_rounded_to_its_millisecond() {
        for millisecond in 0..1000 {
            let seconds = format!("1795452960.{millisecond:03}").parse().unwrap();
            let record = Record::builder().sequence_number("1").data(Blob::new(""));
            let record = record.approximate_arrival_timestamp(DateTime::from_secs_f64(seconds)).build().unwrap();
            assert_eq!(arrival_ms(&record), 1_795_452_960_000 + millisecond);
        }
    }

    #[test]
    fn a_record_has_expired_if_it_was_put_before_the_retention_period() {
        // Put at 1,545,084,650 seconds.
        let number: SequenceNumber = "49590338271490256608559692538361571095921575989136588898".parse().unwrap();
        let put = 1_545_084_650;
        assert_eq!(absence(&number, 24, put + 24 * 3600), Absence::Expired);
        assert_eq!(absence(&number, 24, put + 24 * 3600 - 1), Absence::NeverExisted);
        assert_eq!(absence(&number, 48, put + 24 * 3600), Absence::NeverExisted);
        assert_eq!(absence(&"4959".parse().unwrap(), 24, put), Absence::Unknown);
    }
}
