//! PutRecord and PutRecords: a request is read without a copy, checked, and its records written shard by shard.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use kinesis_event_logger_core::{hash_key, limits, parse_hash_key};
use serde::{Deserialize, Serialize};

use super::log::{Appended, ChunkBuilder, RECORD_OVERHEAD, SequenceText, ShardLog, Shards, StreamLog};
use super::target::Target;
use super::wire::{Blob, Text, Wire};
use super::{Kinesis, THROUGHPUT_EXCEEDED, now, violation};
use crate::error::AwsError;
use crate::faults::Refusal;
use crate::metrics::Direction;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
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
    #[serde(borrow)]
    data: Blob<'a>,
    partition_key: Option<Text<'a>>,
    explicit_hash_key: Option<Text<'a>>,
    sequence_number_for_ordering: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecords<'a> {
    #[serde(borrow)]
    records: Vec<Entry<'a>>,
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
}

/// What becomes of one entry.
enum Outcome {
    Placed(Arc<ShardLog>, SequenceText),
    Refused { code: &'static str, message: String },
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecordAnswer<'a> {
    shard_id: &'a str,
    sequence_number: SequenceText,
    encryption_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecordsAnswer<'a> {
    failed_record_count: usize,
    records: Vec<EntryAnswer<'a>>,
    encryption_type: &'static str,
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "PascalCase")]
enum EntryAnswer<'a> {
    Placed { shard_id: &'a str, sequence_number: SequenceText },
    Refused { error_code: &'static str, error_message: &'a str },
}

/// An entry that is checked, and what is known of it before it is placed.
struct Checked<'a> {
    entry: &'a Entry<'a>,
    partition_key: &'a str,
    data_len: usize,
    /// The position of its shard among the open ones.
    position: usize,
}

impl Kinesis {
    pub(super) async fn put_record(&self, wire: Wire, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let request = wire.read(body).map_err(|error| self.unreadable("PutRecord", wire, body, error))?;
        let PutRecord { stream_name, stream_arn, data, partition_key, explicit_hash_key, sequence_number_for_ordering } =
            request;
        let stream = self.stream_to_put_on("PutRecord", Target { stream_name, stream_arn }, wire, body).await?;
        if let Some(number) = sequence_number_for_ordering {
            self.check_ordering(&stream, &number)?;
        }
        let entries = [Entry { data, partition_key, explicit_hash_key }];
        let (outcomes, encryption_type) = self.put(&stream, &entries, false)?;
        match outcomes.as_slice() {
            [Outcome::Placed(shard, sequence_number)] => wire.answer(&PutRecordAnswer {
                shard_id: &shard.id,
                sequence_number: *sequence_number,
                encryption_type,
            }),
            [Outcome::Refused { code, message }] => Err(AwsError::bad_request(*code, message.clone())),
            _ => Err(AwsError::new(500, "InternalFailure", "the record was not placed")),
        }
    }

    pub(super) async fn put_records(&self, wire: Wire, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let request = wire.read(body).map_err(|error| self.unreadable("PutRecords", wire, body, error))?;
        let PutRecords { records: entries, stream_name, stream_arn } = request;
        check_count(entries.len())?;
        let stream = self.stream_to_put_on("PutRecords", Target { stream_name, stream_arn }, wire, body).await?;
        let (outcomes, encryption_type) = self.put(&stream, &entries, true)?;
        let answer = |outcome| match outcome {
            &Outcome::Placed(ref shard, sequence_number) => {
                EntryAnswer::Placed { shard_id: &shard.id, sequence_number }
            }
            Outcome::Refused { code, message } => EntryAnswer::Refused { error_code: code, error_message: message },
        };
        let records: Vec<_> = outcomes.iter().map(answer).collect();
        let failed = |answer: &&EntryAnswer| matches!(answer, EntryAnswer::Refused { .. });
        let failed_record_count = records.iter().filter(failed).count();
        wire.answer(&PutRecordsAnswer { failed_record_count, records, encryption_type })
    }

    /// Why a request could not be read, as AWS words it where its model does.
    fn unreadable(&self, operation: &str, wire: Wire, body: &[u8], error: AwsError) -> AwsError {
        let modelled = wire.read_value(body).and_then(|input| self.engine().check(operation, &input));
        modelled.err().unwrap_or(error)
    }

    /// A name that the model does not allow is no stream's, and refused for what it is.
    async fn stream_to_put_on(
        &self,
        operation: &str,
        target: Target,
        wire: Wire,
        body: &[u8],
    ) -> Result<Arc<StreamLog>, AwsError> {
        let stream = self.stream_log(&self.name_of(target)?).await;
        stream.map_err(|error| self.unreadable(operation, wire, body, error))
    }

    /// `SequenceNumberForOrdering` orders puts of one client on AWS. Here they are in the order of their arrival anyway.
    fn check_ordering(&self, stream: &StreamLog, number: &str) -> Result<(), AwsError> {
        let is_known = stream.shards().all.iter().any(|shard| shard.sequence.counter(number).is_some());
        is_known.then_some(()).ok_or_else(|| {
            AwsError::bad_request(
                "InvalidArgumentException",
                format!(
                    "ExclusiveMinimumSequenceNumber {number} used in PutRecord on stream {} under account {} is invalid.",
                    stream.name, self.shared.account_id
                ),
            )
        })
    }

    fn refused(&self, refusal: Refusal, stream: &StreamLog, shard: &ShardLog) -> Outcome {
        let (code, message) = match refusal {
            Refusal::Throttled => (THROUGHPUT_EXCEEDED, self.rate_exceeded(shard, &stream.name)),
            Refusal::Failed => ("InternalFailure", "Internal service failure.".to_owned()),
        };
        Outcome::Refused { code, message }
    }

    /// Puts all entries or none, but for those that are refused one by one.
    fn put(
        &self,
        stream: &StreamLog,
        entries: &[Entry],
        is_batch: bool,
    ) -> Result<(Vec<Outcome>, &'static str), AwsError> {
        let now = now();
        let shards = stream.shards();
        let checked = check(stream, &shards, entries, is_batch)?;
        let mut outcomes: Vec<Option<Outcome>> = Vec::new();
        outcomes.resize_with(entries.len(), || None);
        let mut taken = Vec::with_capacity(entries.len());
        let has_faults = is_batch && self.shared.faults.refuse_entries();
        for (index, checked) in checked.iter().enumerate() {
            let shard = &shards.open()[checked.position];
            let fault = if has_faults { self.shared.faults.of_entry(&shard.id) } else { None };
            let bytes = checked.partition_key.len() + checked.data_len;
            let is_above_limits = || self.shared.has_limits && !shard.limits().write(bytes, now);
            match fault.or_else(|| is_above_limits().then_some(Refusal::Throttled)) {
                Some(refusal) => outcomes[index] = Some(self.refused(refusal, stream, shard)),
                None => taken.push(index),
            }
        }
        let bytes = taken.iter().map(|index| checked[*index].data_len).sum();
        self.shared.metrics.records(Direction::In, &stream.name, taken.len(), bytes);
        // One write a shard, its records in the order of the request.
        taken.sort_by_key(|index| checked[*index].position);
        let groups = taken.chunk_by(|one, other| checked[*one].position == checked[*other].position);
        let built = groups.map(|group| Ok((group, build(&checked, group)?))).collect::<Result<Vec<_>, AwsError>>()?;
        let is_encrypted = shards.settings.is_encrypted;
        for (group, chunk) in built {
            let shard = &shards.open()[checked[group[0]].position];
            let Appended { first, arrival } = shard.append(chunk, now, is_encrypted);
            for (counter, index) in (first..).zip(group) {
                let number = shard.sequence.number(counter, arrival / 1000);
                outcomes[*index] = Some(Outcome::Placed(Arc::clone(shard), number));
            }
        }
        Ok((outcomes.into_iter().flatten().collect(), if is_encrypted { "KMS" } else { "NONE" }))
    }
}

/// The data of these entries, as a shard keeps it.
fn build(checked: &[Checked], group: &[usize]) -> Result<ChunkBuilder, AwsError> {
    let size = |index: &usize| RECORD_OVERHEAD + checked[*index].partition_key.len() + checked[*index].data_len;
    let mut chunk = ChunkBuilder::with_capacity(group.iter().map(size).sum());
    for index in group {
        let Checked { entry, partition_key, data_len, .. } = &checked[*index];
        chunk.push(partition_key, *data_len, |bytes| entry.data.append_to(bytes)).map_err(|_| not_base64())?;
    }
    Ok(chunk)
}

/// Checks every entry, and finds its shard.
fn check<'a>(
    stream: &StreamLog,
    shards: &Shards,
    entries: &'a [Entry<'a>],
    is_batch: bool,
) -> Result<Vec<Checked<'a>>, AwsError> {
    let (is_distributed, max_record_bytes) = (stream.is_distributed(), shards.settings.max_record_bytes);
    let mut total = 0;
    let check = |(index, entry): (usize, &'a Entry<'a>)| {
        let place = || if is_batch { format!("records.{}.member.", index + 1) } else { String::new() };
        let partition_key = partition_key(entry, is_distributed).map_err(|(value, constraint)| {
            violation(&format!("Value {value} at '{}partitionKey'", place()), constraint)
        })?;
        let data_len = entry.data.len().map_err(|_| not_base64())?;
        check_size(partition_key.len() + data_len, max_record_bytes, place)?;
        total += partition_key.len() + data_len;
        let position = if is_distributed {
            Some(stream.distribute(shards.open().len()))
        } else {
            shards.route(hash_key_of(entry, partition_key)?)
        };
        let position = position.ok_or_else(|| AwsError::new(500, "InternalFailure", "no shard takes the hash key"))?;
        Ok(Checked { entry, partition_key, data_len, position })
    };
    let checked = entries.iter().enumerate().map(check).collect::<Result<_, AwsError>>()?;
    if total > limits::PUT_RECORDS_BYTES && entries.len() > 1 {
        return Err(AwsError::bad_request("InvalidArgumentException", "Records size exceeds 10 MB limit"));
    }
    Ok(checked)
}

fn hash_key_of(entry: &Entry, partition_key: &str) -> Result<u128, AwsError> {
    let Some(Text(explicit)) = &entry.explicit_hash_key else { return Ok(hash_key(partition_key)) };
    parse_hash_key(explicit).map_err(|_| {
        AwsError::bad_request(
            "InvalidArgumentException",
            format!("Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {explicit}"),
        )
    })
}

/// # Errors
/// The value, and the constraint that it breaks.
fn partition_key<'a>(entry: &'a Entry, is_distributed: bool) -> Result<&'a str, (String, &'static str)> {
    let key = entry.partition_key.as_ref().map(|Text(key)| key.as_ref());
    let Some(key) = key else {
        return if is_distributed { Ok("") } else { Err(("null".to_owned(), "not be null")) };
    };
    let chars = key.chars().count();
    if limits::PARTITION_KEY_CHARS.contains(&chars) {
        return Ok(key);
    }
    let (least, most) = ("have length greater than or equal to 1", "have length less than or equal to 256");
    Err((format!("'{key}'"), if chars == 0 { least } else { most }))
}

// AWS's own words for a record over the limit are unverified since records may be larger than 1 MiB.
fn check_size(bytes: usize, max: usize, place: impl Fn() -> String) -> Result<(), AwsError> {
    if bytes <= max {
        return Ok(());
    }
    Err(violation(&format!("Value at '{}data'", place()), &format!("have length less than or equal to {max}")))
}

fn check_count(count: usize) -> Result<(), AwsError> {
    if (1..=limits::PUT_RECORDS_RECORDS).contains(&count) {
        return Ok(());
    }
    let bound = if count == 0 { "greater than or equal to 1" } else { "less than or equal to 500" };
    Err(violation(&format!("Value of {count} entries at 'records'"), &format!("have length {bound}")))
}

fn not_base64() -> AwsError {
    AwsError::bad_request("SerializationException", "a blob is not valid base64")
}
