//! PutRecord and PutRecords. A request is parsed without a copy and validated. Then its records are appended shard by
//! shard.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use kinesis_event_logger_core::limits;
use kinesis_event_logger_core::route::{hash_key, parse_hash_key};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::addressing::{StreamAddress, possible_number};
use super::shard::{AppendedRecords, ChunkBuilder, RECORD_OVERHEAD, SequenceText, Shard};
use super::stream::{Stream, StreamState};
use super::{Kinesis, THROUGHPUT_EXCEEDED, now, read_input};
use crate::encoding::{Blob, Encoding, Text};
use crate::error::AwsError;
use crate::faults::EntryFault;
use crate::metrics::Direction;
use crate::validation::KINESIS;

/// The most digits of an explicit hash key and of a sequence number (the model's patterns).
const HASH_KEY_DIGITS: usize = 39;
const SEQUENCE_NUMBER_DIGITS: usize = 129;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEntry<'a> {
    #[serde(borrow)]
    data: Blob<'a>,
    partition_key: Option<Text<'a>>,
    explicit_hash_key: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecord<'a> {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    stream_id: Option<IgnoredAny>,
    #[serde(borrow)]
    data: Blob<'a>,
    partition_key: Option<Text<'a>>,
    explicit_hash_key: Option<Text<'a>>,
    sequence_number_for_ordering: Option<String>,
    dry_run: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecords<'a> {
    #[serde(borrow)]
    records: Vec<PutEntry<'a>>,
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    stream_id: Option<IgnoredAny>,
    dry_run: Option<bool>,
}

/// The result of one entry.
enum EntryResult {
    Placed(Arc<Shard>, SequenceText),
    Rejected { code: &'static str, message: String },
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecordAnswer<'a> {
    shard_id: &'a str,
    sequence_number: SequenceText,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_type: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecordsAnswer<'a> {
    failed_record_count: usize,
    records: Vec<EntryAnswer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_type: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "PascalCase")]
enum EntryAnswer<'a> {
    Placed { shard_id: &'a str, sequence_number: SequenceText },
    Rejected { error_code: &'static str, error_message: &'a str },
}

/// A validated entry that is not appended yet.
struct CheckedEntry<'a> {
    entry: &'a PutEntry<'a>,
    partition_key: &'a str,
    data_len: usize,
    /// The position of its shard among the open shards.
    position: usize,
}

impl Kinesis {
    pub(super) fn put_record(&self, encoding: Encoding, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let mut input = Value::Null;
        let request: PutRecord = read_request("PutRecord", encoding, body, &mut input)?;
        if request.stream_id.is_some() {
            read_input("PutRecord", encoding, body)?;
        }
        let answer = self.put_one(encoding, request);
        answer.map_err(|error| modelled("PutRecord", encoding, body, error))
    }

    pub(super) fn put_records(&self, encoding: Encoding, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let mut input = Value::Null;
        let request: PutRecords = read_request("PutRecords", encoding, body, &mut input)?;
        if request.stream_id.is_some() {
            read_input("PutRecords", encoding, body)?;
        }
        let answer = self.put_batch(encoding, request);
        answer.map_err(|error| modelled("PutRecords", encoding, body, error))
    }

    fn put_one(&self, encoding: Encoding, request: PutRecord<'_>) -> Result<Response<Bytes>, AwsError> {
        let PutRecord { stream_name, stream_arn, data, partition_key, explicit_hash_key, .. } = request;
        let stream = self.available(&self.name_of(StreamAddress { stream_name, stream_arn })?)?;
        if let Some(number) = request.sequence_number_for_ordering {
            self.check_ordering(&stream, &number)?;
        }
        let entries = [PutEntry { data, partition_key, explicit_hash_key }];
        let dry_run = request.dry_run.unwrap_or_default().then_some("PutRecord");
        let (results, encryption_type) = self.put(&stream, &entries, false, dry_run)?;
        match results.as_slice() {
            [EntryResult::Placed(shard, sequence_number)] => encoding.answer(&PutRecordAnswer {
                shard_id: &shard.id,
                sequence_number: *sequence_number,
                encryption_type,
            }),
            [EntryResult::Rejected { code, message }] => Err(AwsError::bad_request(*code, message.clone())),
            _ => Err(AwsError::new(500, "InternalFailure", "the record was not appended")),
        }
    }

    fn put_batch(&self, encoding: Encoding, request: PutRecords<'_>) -> Result<Response<Bytes>, AwsError> {
        let PutRecords { records: entries, stream_name, stream_arn, dry_run, .. } = request;
        if !(1..=limits::PUT_RECORDS_RECORDS).contains(&entries.len()) {
            return Err(not_modelled());
        }
        let stream = self.available(&self.name_of(StreamAddress { stream_name, stream_arn })?)?;
        let dry_run = dry_run.unwrap_or_default().then_some("PutRecords");
        let (results, encryption_type) = self.put(&stream, &entries, true, dry_run)?;
        let answer = |result| match result {
            &EntryResult::Placed(ref shard, sequence_number) => {
                EntryAnswer::Placed { shard_id: &shard.id, sequence_number }
            }
            EntryResult::Rejected { code, message } => {
                EntryAnswer::Rejected { error_code: code, error_message: message }
            }
        };
        let records: Vec<_> = results.iter().map(answer).collect();
        let failed = |answer: &&EntryAnswer| matches!(answer, EntryAnswer::Rejected { .. });
        let failed_record_count = records.iter().filter(failed).count();
        encoding.answer(&PutRecordsAnswer { failed_record_count, records, encryption_type })
    }

    /// `SequenceNumberForOrdering` orders the puts of one client on AWS. Here puts are in the order of their arrival
    /// anyway. Recorded: any number that some shard could have issued is accepted.
    fn check_ordering(&self, stream: &Stream, number: &str) -> Result<(), AwsError> {
        if !is_decimal(number, SEQUENCE_NUMBER_DIGITS) {
            return Err(not_modelled());
        }
        possible_number(number, now()).map(|_| ()).ok_or_else(|| {
            AwsError::bad_request(
                "InvalidArgumentException",
                format!(
                    "ExclusiveMinimumSequenceNumber {number} used in PutRecord on stream {} under account {} is invalid.",
                    stream.name, self.shared.account_id
                ),
            )
        })
    }

    fn rejection(&self, fault: EntryFault, stream: &Stream, shard: &Shard) -> EntryResult {
        let (code, message) = match fault {
            EntryFault::Throttled => (THROUGHPUT_EXCEEDED, self.rate_exceeded(shard, &stream.name)),
            EntryFault::Failed => ("InternalFailure", "Internal service failure.".to_owned()),
        };
        EntryResult::Rejected { code, message }
    }

    /// Appends all entries or none, except those that are rejected individually.
    fn put(
        &self,
        stream: &Stream,
        entries: &[PutEntry],
        is_batch: bool,
        dry_run: Option<&'static str>,
    ) -> Result<(Vec<EntryResult>, Option<&'static str>), AwsError> {
        let now = now();
        let state = stream.state();
        // While the state is locked, the stream is not deleted and no shard is closed.
        if !state.status().is_available() {
            return Err(self.no_stream(&stream.name));
        }
        let checked = check(stream, &state, entries, is_batch)?;
        let mut results: Vec<Option<EntryResult>> = Vec::new();
        results.resize_with(entries.len(), || None);
        let mut accepted = Vec::with_capacity(entries.len());
        let has_faults = is_batch && self.shared.faults.reject_entries();
        for (index, checked) in checked.iter().enumerate() {
            let shard = &state.open()[checked.position];
            let injected = if has_faults { self.shared.faults.for_entry(&shard.id) } else { None };
            let bytes = checked.partition_key.len() + checked.data_len;
            let is_above_limits = || self.shared.has_limits && !shard.limits().write(bytes, now);
            match injected.or_else(|| is_above_limits().then_some(EntryFault::Throttled)) {
                Some(fault) => results[index] = Some(self.rejection(fault, stream, shard)),
                None => accepted.push(index),
            }
        }
        let bytes = accepted.iter().map(|index| checked[*index].data_len).sum();
        // A rejected record fails PutRecord, but is only a part of the response of PutRecords.
        let dry_run = dry_run.filter(|_| is_batch || !accepted.is_empty());
        if dry_run.is_none() {
            self.shared.metrics.records(Direction::In, &stream.name, accepted.len(), bytes);
        }
        // One write per shard, with the records in the order of the request.
        accepted.sort_by_key(|index| checked[*index].position);
        let groups = accepted.chunk_by(|one, other| checked[*one].position == checked[*other].position);
        let built = groups.map(|group| Ok((group, build(&checked, group)?))).collect::<Result<Vec<_>, AwsError>>()?;
        if let Some(operation) = dry_run {
            return Err(self.dry_run(&stream.name, operation));
        }
        let is_encrypted = state.configuration.is_encrypted();
        for (group, chunk) in built {
            let shard = &state.open()[checked[group[0]].position];
            let AppendedRecords { first, arrival } = shard.append(chunk, now, is_encrypted);
            for (counter, index) in (first..).zip(group) {
                let number = shard.sequence.number(counter, arrival / 1000);
                results[*index] = Some(EntryResult::Placed(Arc::clone(shard), number));
            }
        }
        Ok((results.into_iter().flatten().collect(), is_encrypted.then_some("KMS")))
    }
}

/// The data of these entries in the stored form of a shard.
fn build(checked: &[CheckedEntry], group: &[usize]) -> Result<ChunkBuilder, AwsError> {
    let size = |index: &usize| RECORD_OVERHEAD + checked[*index].partition_key.len() + checked[*index].data_len;
    let mut chunk = ChunkBuilder::with_capacity(group.iter().map(size).sum());
    for index in group {
        let CheckedEntry { entry, partition_key, data_len, .. } = &checked[*index];
        chunk.push(partition_key, *data_len, |bytes| entry.data.append_to(bytes)).map_err(|_| not_modelled())?;
    }
    Ok(chunk)
}

/// Validates every entry and finds its shard.
fn check<'a>(
    stream: &Stream,
    state: &StreamState,
    entries: &'a [PutEntry<'a>],
    is_batch: bool,
) -> Result<Vec<CheckedEntry<'a>>, AwsError> {
    let (is_distributed, max_record_bytes) =
        (state.configuration.is_distributed, state.configuration.max_record_bytes());
    let mut total = 0;
    let check = |(index, entry): (usize, &'a PutEntry<'a>)| {
        let place = || if is_batch { format!("records.{}.member.", index + 1) } else { String::new() };
        let partition_key = partition_key(entry, is_distributed, place)?;
        let data_len = entry.data.len().map_err(|_| not_modelled())?;
        if entry.explicit_hash_key.as_ref().is_some_and(|Text(key)| !is_decimal(key, HASH_KEY_DIGITS)) {
            return Err(not_modelled());
        }
        check_size(partition_key.len() + data_len, data_len, max_record_bytes, place)?;
        total += partition_key.len() + data_len;
        let position = if is_distributed {
            Some(stream.distribute(state.open().len()))
        } else {
            state.route(hash_key_of(entry, partition_key)?)
        };
        let position = position.ok_or_else(|| AwsError::new(500, "InternalFailure", "no shard covers the hash key"))?;
        Ok(CheckedEntry { entry, partition_key, data_len, position })
    };
    let checked = entries.iter().enumerate().map(check).collect::<Result<_, AwsError>>()?;
    if total > limits::PUT_RECORDS_BYTES && entries.len() > 1 {
        return Err(AwsError::bad_request("InvalidArgumentException", "Records size exceeds 10 MB limit"));
    }
    Ok(checked)
}

fn hash_key_of(entry: &PutEntry, partition_key: &str) -> Result<u128, AwsError> {
    let Some(Text(explicit)) = &entry.explicit_hash_key else { return Ok(hash_key(partition_key)) };
    parse_hash_key(explicit).map_err(|_| {
        AwsError::bad_request(
            "InvalidArgumentException",
            format!("Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {explicit}"),
        )
    })
}

/// The model makes the partition key optional, for streams that distribute their records.
fn partition_key<'a>(
    entry: &'a PutEntry,
    is_distributed: bool,
    place: impl Fn() -> String,
) -> Result<&'a str, AwsError> {
    match entry.partition_key.as_ref().map(|Text(key)| key.as_ref()) {
        Some(key) if limits::PARTITION_KEY_CHARS.contains(&key.chars().count()) => Ok(key),
        Some(_) => Err(not_modelled()),
        None if is_distributed => Ok(""),
        None => Err(KINESIS.violation("null", &format!("{}partitionKey", place()), "not be null")),
    }
}

// Unverified: AWS's message for a record over the stream's limit. This is the one for a record over the model's.
fn check_size(bytes: usize, data_len: usize, max: usize, place: impl Fn() -> String) -> Result<(), AwsError> {
    if bytes <= max {
        return Ok(());
    }
    let value = format!("'java.nio.HeapByteBuffer[pos=0 lim={data_len} cap={data_len}]'");
    Err(KINESIS.violation(&value, &format!("{}data", place()), &format!("have length less than or equal to {max}")))
}

/// Parses a put without a copy if it has the form that clients send. Otherwise validates it against the model and
/// returns it in `input`.
fn read_request<'a, T: Deserialize<'a>>(
    operation: &str,
    encoding: Encoding,
    body: &'a [u8],
    input: &'a mut Value,
) -> Result<T, AwsError> {
    encoding.read(body).or_else(|_| {
        *input = read_input(operation, encoding, body)?;
        T::deserialize(&*input).map_err(|error| AwsError::serialization(error.to_string()))
    })
}

/// The error of a failed put. Puts are not validated against the model first, because that requires a copy. A request
/// that violates the model fails anyway, and only then is validated.
fn modelled(operation: &str, encoding: Encoding, body: &[u8], error: AwsError) -> AwsError {
    read_input(operation, encoding, body).err().unwrap_or(error)
}

/// The error of a request that violates the model. [`modelled`] replaces it with the model's.
fn not_modelled() -> AwsError {
    AwsError::bad_request("ValidationException", "the request violates the service's model")
}

/// Whether a text is a number in the model's form: without leading zeros and with at most this many digits.
fn is_decimal(text: &str, digits: usize) -> bool {
    let is_short = (1..=digits).contains(&text.len());
    is_short && text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}
