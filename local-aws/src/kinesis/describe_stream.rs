//! DescribeStream and DescribeStreamSummary.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Kinesis;
use super::addressing::StreamAddress;
use super::shard::{SequenceText, Shard};
use super::stream::{Mode, Stream, StreamState};
use super::stream_mode::Strategy;
use crate::error::AwsError;

/// The most shards of a page without a limit (Kinesis API, DescribeStream).
const PAGE: usize = 100;

/// The counter in the last sequence number of a closed shard. No record has a higher one.
const LAST_COUNTER: u64 = i64::MAX as u64;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeStream {
    #[serde(flatten)]
    stream: StreamAddress,
    limit: Option<usize>,
    #[serde(default)]
    exclusive_start_shard_id: String,
}

/// A shard's description in responses.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ShardAnswer {
    shard_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_shard_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adjacent_parent_shard_id: Option<String>,
    hash_key_range: HashKeyRange,
    sequence_number_range: SequenceNumberRange,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct HashKeyRange {
    starting_hash_key: String,
    ending_hash_key: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SequenceNumberRange {
    starting_sequence_number: SequenceText,
    #[serde(skip_serializing_if = "Option::is_none")]
    ending_sequence_number: Option<SequenceText>,
}

pub fn describe_stream(kinesis: &Kinesis, request: DescribeStream) -> Result<Value, AwsError> {
    let stream = kinesis.addressed(request.stream)?;
    let state = stream.state();
    let limit = request.limit.unwrap_or(PAGE);
    let mut shards: Vec<_> =
        state.shards().iter().filter(|shard| shard.id > request.exclusive_start_shard_id).collect();
    let has_more = shards.len() > limit;
    shards.truncate(limit);
    let mut description = common(&stream, &state);
    description.insert("HasMoreShards".to_owned(), has_more.into());
    description.insert("Shards".to_owned(), shards.into_iter().map(|shard| json!(ShardAnswer::of(shard))).collect());
    Ok(json!({ "StreamDescription": description }))
}

pub fn describe_stream_summary(kinesis: &Kinesis, address: StreamAddress) -> Result<Value, AwsError> {
    let stream = kinesis.addressed(address)?;
    let state = stream.state();
    let configuration = &state.configuration;
    let mut summary = common(&stream, &state);
    let mut insert = |name: &str, value: Value| summary.insert(name.to_owned(), value);
    insert("OpenShardCount", state.open().len().into());
    insert("ConsumerCount", state.consumers.len().into());
    insert("MaxRecordSizeInKiB", configuration.max_record_kib.into());
    if configuration.mode == Mode::OnDemand {
        insert("RecordDistributionStrategy", json!(Strategy::of(configuration)));
    }
    if configuration.warm_throughput_mibps > 0 {
        let mibps = configuration.warm_throughput_mibps;
        insert("WarmThroughput", json!({ "TargetMiBps": mibps, "CurrentMiBps": mibps }));
    }
    Ok(json!({ "StreamDescriptionSummary": summary }))
}

/// The members of a description and of a summary.
fn common(stream: &Stream, state: &StreamState) -> Map<String, Value> {
    let configuration = &state.configuration;
    let mut members = summary(stream, state);
    let mut insert = |name: &str, value: Value| members.insert(name.to_owned(), value);
    insert("RetentionPeriodHours", configuration.retention_hours.into());
    insert("EnhancedMonitoring", json!([{ "ShardLevelMetrics": configuration.shard_level_metrics }]));
    insert("EncryptionType", if configuration.is_encrypted() { "KMS" } else { "NONE" }.into());
    if let Some(key) = &configuration.encryption_key {
        insert("KeyId", key.as_str().into());
    }
    members
}

/// The members that ListStreams returns too.
pub fn summary(stream: &Stream, state: &StreamState) -> Map<String, Value> {
    let members = [
        ("StreamName", stream.name.as_str().into()),
        ("StreamARN", stream.arn.as_str().into()),
        ("StreamStatus", state.status().as_str().into()),
        ("StreamModeDetails", json!({ "StreamMode": state.configuration.mode })),
        ("StreamCreationTimestamp", stream.created_seconds.into()),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl ShardAnswer {
    pub fn of(shard: &Arc<Shard>) -> Self {
        let (sequence, parents) = (shard.sequence, shard.parents.as_slice());
        let adjacent = parents.last().filter(|_| parents.len() > 1);
        Self {
            shard_id: shard.id.clone(),
            parent_shard_id: parents.first().cloned(),
            adjacent_parent_shard_id: adjacent.cloned(),
            hash_key_range: HashKeyRange::of(shard),
            sequence_number_range: SequenceNumberRange {
                starting_sequence_number: sequence.number(0, sequence.created_seconds),
                ending_sequence_number: shard.closed().map(|closed| sequence.number(LAST_COUNTER, closed / 1000)),
            },
        }
    }
}

impl HashKeyRange {
    pub fn of(shard: &Shard) -> Self {
        let keys = &shard.hash_keys;
        Self { starting_hash_key: keys.start().to_string(), ending_hash_key: keys.end().to_string() }
    }
}
