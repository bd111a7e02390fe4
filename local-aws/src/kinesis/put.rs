//! PutRecord and PutRecords, written over the engine's store instead of its own handlers, for three reasons: arrival
//! times to the millisecond (the engine keeps whole seconds), the present limits of 10 MiB a request and up to 10 MiB a
//! record, and order: the engine allocates a sequence number in one step and stores the record in another, so that a
//! reader could see a later record first and pass over an earlier one. Here both steps are one, stream by stream.

use bytes::Bytes;
use ferrokinesis::sequence::partition_key_to_hash_key;
use ferrokinesis::types::{EncryptionType, Shard, StoredRecordRef};
use http::Response;
use kinesis_event_logger_core::limits;
use serde::{Deserialize, Serialize};

use super::wire::{Blob, Wire};
use super::{Kinesis, engine_error};
use crate::http_api::{AwsError, Refusal};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    data: Blob,
    partition_key: String,
    explicit_hash_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
}

#[derive(Deserialize)]
struct PutRecord {
    #[serde(flatten)]
    target: Target,
    #[serde(flatten)]
    entry: Entry,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecords {
    records: Vec<Entry>,
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
}

/// What became of one entry of PutRecords.
#[derive(Serialize)]
#[serde(untagged)]
enum Put {
    Placed(Placed),
    Refused(Refused),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Refused {
    error_code: &'static str,
    error_message: String,
}

/// Where a record was put.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Placed {
    shard_id: String,
    sequence_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_type: Option<EncryptionType>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecordsAnswer {
    failed_record_count: usize,
    records: Vec<Put>,
    encryption_type: EncryptionType,
}

impl Kinesis {
    pub(super) async fn put_record(&self, wire: Wire, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let PutRecord { target, entry } = wire.read(body)?;
        let name = self.target_name(target.stream_name, target.stream_arn)?;
        let (mut placed, encryption) = self.put(&name, &[&entry]).await?;
        let mut placed =
            placed.pop().ok_or_else(|| AwsError::new(500, "InternalFailure", "the record was not placed"))?;
        placed.encryption_type = Some(encryption);
        wire.answer(&placed)
    }

    pub(super) async fn put_records(&self, wire: Wire, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let PutRecords { records: entries, stream_name, stream_arn } = wire.read(body)?;
        let name = self.target_name(stream_name, stream_arn)?;
        check_batch(&entries)?;
        let refusals = self.refusals(&name, &entries).await?;
        let taken: Vec<&Entry> =
            entries.iter().zip(&refusals).filter(|(_, refusal)| refusal.is_none()).map(|(entry, _)| entry).collect();
        let (placed, encryption_type) = self.put(&name, &taken).await?;
        let failed_record_count = entries.len() - taken.len();
        let mut placed = placed.into_iter();
        let records = refusals.into_iter().filter_map(|refusal| match refusal {
            Some(Refusal { code, message }) => Some(Put::Refused(Refused { error_code: code, error_message: message })),
            None => placed.next().map(Put::Placed),
        });
        let records = records.collect();
        wire.answer(&PutRecordsAnswer { failed_record_count, records, encryption_type })
    }

    /// Which entries a fault refuses, and why.
    async fn refusals(&self, name: &str, entries: &[Entry]) -> Result<Vec<Option<Refusal>>, AwsError> {
        let faults = &self.shared.faults;
        if !faults.refuse_entries() {
            return Ok(vec![None; entries.len()]);
        }
        let stream = self.engine().get_stream(name).await.map_err(engine_error)?;
        let is_open = |shard: &&Shard| shard.sequence_number_range.ending_sequence_number.is_none();
        let open: Vec<&Shard> = stream.shards.iter().filter(is_open).collect();
        let refusal = |entry: &Entry| {
            let hash_key = hash_key(entry)?;
            let shard = open.iter().find(|shard| {
                let bound = |text: &str| text.parse::<u128>().unwrap_or_default();
                let range = &shard.hash_key_range;
                (bound(&range.starting_hash_key)..=bound(&range.ending_hash_key)).contains(&hash_key)
            });
            Ok(faults.of_entry(name, shard.map_or("", |shard| &shard.shard_id)))
        };
        entries.iter().map(refusal).collect()
    }

    async fn put(&self, name: &str, entries: &[&Entry]) -> Result<(Vec<Placed>, EncryptionType), AwsError> {
        let hash_keys = entries.iter().map(|entry| hash_key(entry)).collect::<Result<Vec<_>, _>>()?;
        let stream = self.engine().get_stream(name).await.map_err(engine_error)?;
        let max_record = stream.max_record_size_kib as usize * 1024;
        entries.iter().try_for_each(|entry| check_entry(entry, max_record))?;

        let writer = self.writer(name);
        let order = writer.order.lock().await;
        let allocations = self.engine().allocate_sequences_batch(name, &hash_keys).await.map_err(engine_error)?;
        let batch: Vec<_> = allocations
            .iter()
            .zip(entries)
            .map(|(allocation, entry)| {
                let record = StoredRecordRef {
                    partition_key: &entry.partition_key,
                    data: &entry.data.base64,
                    approximate_arrival_timestamp: allocation.now as f64 / 1000.0,
                };
                (allocation.stream_key.clone(), record)
            })
            .collect();
        self.engine().put_records_batch(name, &batch).await.map_err(engine_error)?;
        drop(order);
        writer.changed();

        let placed = allocations
            .into_iter()
            .map(|allocation| Placed {
                shard_id: allocation.shard_id,
                sequence_number: allocation.seq_num,
                encryption_type: None,
            })
            .collect();
        Ok((placed, stream.encryption_type))
    }
}

fn hash_key(entry: &Entry) -> Result<u128, AwsError> {
    let Some(explicit) = &entry.explicit_hash_key else {
        return Ok(partition_key_to_hash_key(&entry.partition_key));
    };
    // Rust's own parser takes a sign, too.
    let number = explicit.bytes().all(|byte| byte.is_ascii_digit()).then(|| explicit.parse().ok()).flatten();
    number.ok_or_else(|| {
        AwsError::bad_request(
            "InvalidArgumentException",
            format!("Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {explicit}"),
        )
    })
}

fn check_entry(entry: &Entry, max_record: usize) -> Result<(), AwsError> {
    let key_chars = entry.partition_key.chars().count();
    if !limits::PARTITION_KEY_CHARS.contains(&key_chars) {
        let bound = if key_chars == 0 { "greater than or equal to 1" } else { "less than or equal to 256" };
        return Err(AwsError::bad_request(
            "ValidationException",
            format!(
                "1 validation error detected: Value '{}' at 'partitionKey' failed to satisfy constraint: Member must have length {bound}",
                entry.partition_key
            ),
        ));
    }
    // AWS's own words for a record over the limit are unverified since records may be larger than 1 MiB.
    if entry.data.len + entry.partition_key.len() > max_record {
        return Err(AwsError::bad_request(
            "ValidationException",
            format!(
                "1 validation error detected: Value at 'data' failed to satisfy constraint: Member must have length less than or equal to {max_record}"
            ),
        ));
    }
    Ok(())
}

fn check_batch(entries: &[Entry]) -> Result<(), AwsError> {
    let count = entries.len();
    if count == 0 || count > limits::PUT_RECORDS_RECORDS {
        let bound = if count == 0 { "greater than or equal to 1" } else { "less than or equal to 500" };
        return Err(AwsError::bad_request(
            "ValidationException",
            format!(
                "1 validation error detected: Value of {count} entries at 'records' failed to satisfy constraint: Member must have length {bound}"
            ),
        ));
    }
    let bytes: usize = entries.iter().map(|entry| entry.data.len + entry.partition_key.len()).sum();
    if bytes > limits::PUT_RECORDS_BYTES {
        return Err(AwsError::bad_request("InvalidArgumentException", "Records size exceeds 10 MB limit"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explicit_hash_key_is_digits_in_its_range() {
        let of = |explicit: &str| {
            let data = Blob { base64: String::new(), len: 0 };
            hash_key(&Entry { data, partition_key: "k".into(), explicit_hash_key: Some(explicit.into()) })
        };
        assert_eq!(of("0"), Ok(0));
        assert_eq!(of(&u128::MAX.to_string()), Ok(u128::MAX));
        for wrong in ["", "+5", "-1", "0x10", "340282366920938463463374607431768211456"] {
            assert_eq!(of(wrong).unwrap_err().code, "InvalidArgumentException", "{wrong}");
        }
    }
}
