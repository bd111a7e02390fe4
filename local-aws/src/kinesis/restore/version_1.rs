//! Streams and consumers in the first stored format, which has no version. It is the format of the crate
//! `ferrokinesis`: consumers have their own keyspace, and a pending change is stored as its request.

use std::collections::BTreeMap;

use kinesis_event_logger_core::SequenceNumber;
use kinesis_event_logger_core::route::SequenceParts;
use serde::Deserialize;
use serde_json::Value;

use crate::kinesis::addressing::stream_name;
use crate::kinesis::create_stream::ON_DEMAND_SHARDS;
use crate::kinesis::now;
use crate::kinesis::shard::shard_id;
use crate::kinesis::stream::change::HashKey;
use crate::kinesis::stream::stored::{StoredShard, StoredStream, VERSION};
use crate::kinesis::stream::{Change, Configuration, Consumer, ConsumerStatus, Mode, PendingChange};
use crate::store::{Batch, Keyspace, Store, StoreError};

type Tags = BTreeMap<String, String>;

#[derive(Deserialize)]
struct StreamDocument {
    incarnation: u64,
    stream: StreamDescription,
    tags: Tags,
    key_id: Option<String>,
    warm_throughput_mibps: u32,
    max_record_size_kib: u32,
    is_distributed: bool,
    policy: Option<String>,
    pending: Option<Request>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamDescription {
    retention_period_hours: u32,
    enhanced_monitoring: Vec<Monitoring>,
    encryption_type: String,
    shards: Vec<ShardDocument>,
    stream_status: String,
    stream_creation_timestamp: f64,
    stream_mode_details: ModeDetails,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Monitoring {
    shard_level_metrics: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ModeDetails {
    stream_mode: Mode,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ShardDocument {
    hash_key_range: HashKeyRange,
    sequence_number_range: SequenceNumberRange,
    parent_shard_id: Option<String>,
    adjacent_parent_shard_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HashKeyRange {
    starting_hash_key: HashKey,
    ending_hash_key: HashKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SequenceNumberRange {
    starting_sequence_number: String,
    ending_sequence_number: Option<String>,
}

/// A pending change: its operation and input.
#[derive(Deserialize)]
struct Request {
    operation: String,
    input: Value,
}

#[derive(Deserialize)]
struct ConsumerDocument {
    consumer: ConsumerDescription,
    tags: Tags,
    policy: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConsumerDescription {
    consumer_name: String,
    consumer_status: ConsumerStatus,
    consumer_creation_timestamp: f64,
}

/// The consumers of all streams.
#[derive(Default)]
pub struct Consumers {
    keys: Vec<bytes::Bytes>,
    by_stream: BTreeMap<String, Vec<Consumer>>,
}

impl Consumers {
    pub fn read(store: &Store) -> Result<Self, StoreError> {
        let mut consumers = Self::default();
        for (key, document) in store.all::<ConsumerDocument>(Keyspace::Consumers)? {
            let ConsumerDocument { consumer, tags, policy } = document;
            let consumer = Consumer {
                name: consumer.consumer_name,
                created_seconds: consumer.consumer_creation_timestamp as u64,
                status: consumer.consumer_status,
                tags,
                policy,
            };
            let arn = String::from_utf8_lossy(&key).into_owned();
            let stream = stream_name(&arn).unwrap_or_default().to_owned();
            consumers.by_stream.entry(stream).or_default().push(consumer);
            consumers.keys.push(key);
        }
        Ok(consumers)
    }

    /// Removes and returns the consumers of a stream.
    pub fn remove_stream(&mut self, arn: &str) -> Vec<Consumer> {
        self.by_stream.remove(stream_name(arn).unwrap_or_default()).unwrap_or_default()
    }

    /// Removes all consumers from the store, because each is now part of its stream.
    pub fn remove(&self, batch: &mut Batch) {
        for key in &self.keys {
            batch.remove(Keyspace::Consumers, key);
        }
    }
}

/// Converts a document to a stream with its consumers.
pub fn read(document: Value, consumers: Vec<Consumer>) -> Result<StoredStream, String> {
    let document: StreamDocument = serde_json::from_value(document).map_err(|error| error.to_string())?;
    let stream = document.stream;
    let is_creating = stream.stream_status == "CREATING";
    let change = match document.pending {
        Some(request) => request.change()?,
        // Its creation was never acknowledged, and the number of its shards is not known.
        None if is_creating => Some(Change::Delete),
        None => None,
    };
    let is_encrypted = stream.encryption_type == "KMS";
    let metrics = stream.enhanced_monitoring.into_iter().flat_map(|set| set.shard_level_metrics);
    let configuration = Configuration {
        mode: stream.stream_mode_details.stream_mode,
        retention_hours: stream.retention_period_hours,
        max_record_kib: document.max_record_size_kib,
        warm_throughput_mibps: document.warm_throughput_mibps,
        is_distributed: document.is_distributed,
        encryption_key: document.key_id.filter(|_| is_encrypted),
        shard_level_metrics: metrics.collect(),
        tags: document.tags,
        policy: document.policy,
    };
    Ok(StoredStream {
        version: VERSION,
        incarnation: document.incarnation,
        created_seconds: stream.stream_creation_timestamp as u64,
        configuration,
        shards: shards(stream.shards)?,
        consumers,
        pending: change.map(|change| PendingChange { change, due: now(), number: 0 }),
    })
}

fn shards(documents: Vec<ShardDocument>) -> Result<Vec<StoredShard>, String> {
    let mut shards: Vec<StoredShard> = Vec::new();
    for document in documents {
        let ShardDocument { hash_key_range, sequence_number_range: range, .. } = document;
        let parents: Vec<_> = document.parent_shard_id.into_iter().chain(document.adjacent_parent_shard_id).collect();
        let created_seconds = parts(&range.starting_sequence_number)?.shard_created_seconds;
        let closed = range.ending_sequence_number.as_deref().map(parts).transpose()?;
        // The first shards are as old as the stream. The others begin where their parents end.
        let is_parent = |index: usize| u32::try_from(index).is_ok_and(|index| parents.contains(&shard_id(index)));
        let ends =
            shards.iter().enumerate().filter(|(index, _)| is_parent(*index)).filter_map(|(_, shard)| shard.closed);
        let opened = ends.max().unwrap_or(created_seconds * 1000);
        shards.push(StoredShard {
            created_seconds,
            opened,
            closed: closed.map(|last| last.put_seconds * 1000),
            first_hash_key: hash_key_range.starting_hash_key,
            last_hash_key: hash_key_range.ending_hash_key,
            parents,
        });
    }
    Ok(shards)
}

fn parts(sequence_number: &str) -> Result<SequenceParts, String> {
    let number = sequence_number.parse::<SequenceNumber>().ok().and_then(|number| number.parts());
    number.ok_or_else(|| format!("{sequence_number} is not a sequence number"))
}

impl Request {
    /// The change that the request started. Requests of other operations took effect at once.
    fn change(&self) -> Result<Option<Change>, String> {
        let wrong = |member: &str| format!("the pending {} has no valid {member}", self.operation);
        let text = |member: &str| self.input[member].as_str().ok_or_else(|| wrong(member));
        let number = |member: &str| {
            self.input[member].as_u64().and_then(|number| u32::try_from(number).ok()).ok_or_else(|| wrong(member))
        };
        let index = |member: &str| {
            let (_, index) = text(member)?.rsplit_once('-').ok_or_else(|| wrong(member))?;
            index.parse().map_err(|_| wrong(member))
        };
        Ok(Some(match self.operation.as_str() {
            "CreateStream" if self.input["ShardCount"].is_null() => Change::Create { shards: ON_DEMAND_SHARDS },
            "CreateStream" => Change::Create { shards: number("ShardCount")? },
            "DeleteStream" => Change::Delete,
            "SplitShard" => {
                let at = text("NewStartingHashKey")?.parse().map_err(|_| wrong("NewStartingHashKey"))?;
                Change::Split { shard: index("ShardToSplit")?, at: HashKey(at) }
            }
            "MergeShards" => Change::Merge { shard: index("ShardToMerge")?, adjacent: index("AdjacentShardToMerge")? },
            "UpdateShardCount" => Change::Resize { shards: number("TargetShardCount")? },
            "StartStreamEncryption" => Change::Encrypt { key_id: text("KeyId")?.to_owned() },
            "StopStreamEncryption" => Change::Decrypt,
            _ => return Ok(None),
        }))
    }
}
