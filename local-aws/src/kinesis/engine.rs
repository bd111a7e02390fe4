//! The engine, `ferrokinesis`: it keeps streams, consumers, tags and policies. Nothing else knows it, and it never sees a
//! record, nor a request that the service's model does not allow.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use ferrokinesis::actions::{self, Operation};
use ferrokinesis::error::KinesisErrorResponse;
use ferrokinesis::store::{Store, StoreOptions};
use ferrokinesis::types::{Consumer, ConsumerStatus, EncryptionType, Shard, Stream, StreamMode, StreamStatus};
use ferrokinesis::{event_stream, sequence};
use serde_json::Value;

use super::log::{Settings, ShardDescription, ShardSequence, Status, StreamLog};
use crate::config::Config;
use crate::error::AwsError;

/// The most open shards of all streams.
const SHARD_LIMIT: u32 = 100_000;

const TRANSITION: Duration = Duration::from_millis(2);

/// With `--realistic`. On AWS a stream is made in ten seconds or so, resharded in half a minute
/// (<https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-resharding-split.html>).
const REALISTIC_TRANSITION: Duration = Duration::from_secs(5);

pub struct Engine {
    store: Store,
    /// `arn:aws:kinesis:REGION:ACCOUNT:stream/`
    arn: String,
    /// How long a stream takes to be made, changed or deleted, and with [`Config::realistic`] a consumer.
    pub transition: Duration,
}

impl Engine {
    pub fn new(config: &Config) -> Self {
        let transition = if config.realistic { REALISTIC_TRANSITION } else { TRANSITION };
        let millis = transition.as_millis() as u64;
        let store = Store::new(StoreOptions {
            create_stream_ms: millis,
            delete_stream_ms: millis,
            update_stream_ms: millis,
            shard_limit: SHARD_LIMIT,
            aws_account_id: config.account_id.clone(),
            aws_region: config.region.clone(),
            ..StoreOptions::default()
        });
        let arn = format!("arn:aws:kinesis:{}:{}:stream/", config.region, config.account_id);
        Self { store, arn, transition }
    }

    /// Answers a request that the model allows; `Null` is an empty answer. The engine's own model, an older one, is left out.
    pub async fn call(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        self.check_shard_count(operation, input).await?;
        let Ok(operation) = operation.parse::<Operation>() else {
            return Err(AwsError::bad_request(
                "UnknownOperationException",
                format!("The local endpoint does not answer the Kinesis operation {operation}."),
            ));
        };
        let answer = actions::dispatch(&self.store, operation, input.clone()).await.map_err(engine_error)?;
        Ok(answer.unwrap_or_default())
    }

    /// The engine sets aside what the shards need before it compares their number with the limit.
    async fn check_shard_count(&self, operation: &str, input: &Value) -> Result<(), AwsError> {
        let wanted = match operation {
            "CreateStream" => &input["ShardCount"],
            "UpdateShardCount" => &input["TargetShardCount"],
            _ => return Ok(()),
        };
        let wanted = wanted.as_u64().unwrap_or_default();
        if wanted <= u64::from(SHARD_LIMIT) {
            return Ok(());
        }
        let (mut shards, arn) = (0, self.arn.split(':').collect::<Vec<_>>());
        for name in self.stream_names().await {
            shards += self.stream(&name).await.map_or(0, |stream| stream.shards.len());
        }
        Err(AwsError::bad_request(
            "LimitExceededException",
            format!(
                "This request would exceed the shard limit for the account {} in {}. Current shard count for the account: {shards}. \
                 Limit: {SHARD_LIMIT}. Number of additional shards that would have resulted from this request: {wanted}. Refer to \
                 the AWS Service Limits page (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current \
                 limits and how to request higher limits.",
                arn[4], arn[3]
            ),
        ))
    }

    pub async fn stream(&self, name: &str) -> Result<Stream, AwsError> {
        self.store.get_stream(name).await.map_err(engine_error)
    }

    /// The ARN of a stream of this name.
    pub fn arn(&self, stream_name: &str) -> String {
        format!("{}{stream_name}", self.arn)
    }

    pub async fn stream_names(&self) -> Vec<String> {
        self.store.list_stream_names().await
    }

    pub async fn put_stream(&self, stream: Stream) -> Result<(), AwsError> {
        let name = stream.stream_name.clone();
        self.store.put_stream(&name, stream).await.map_err(engine_error)
    }

    pub async fn policy(&self, arn: &str) -> Option<String> {
        self.store.get_policy(arn).await
    }

    pub async fn put_policy(&self, arn: &str, policy: &str) -> Result<(), AwsError> {
        self.store.put_policy(arn, policy).await.map_err(engine_error)
    }

    /// Changes what is kept of a stream.
    pub async fn update(&self, name: &str, change: impl FnOnce(&mut Stream)) -> Result<(), AwsError> {
        let change = |stream: &mut Stream| {
            change(stream);
            Ok(())
        };
        self.store.update_stream(name, change).await.map_err(engine_error)
    }

    /// Names the parents of shards that the engine made without, those of UpdateShardCount, and has shards begin where the
    /// log does: above their parents' numbers.
    pub async fn complete_shards(&self, log: &StreamLog) -> Result<(), AwsError> {
        let name = |stream: &mut Stream| {
            for (shard, known) in stream.shards.iter_mut().zip(&log.shards().all) {
                if let (None, [first, rest @ ..]) = (&shard.parent_shard_id, known.parents.as_slice()) {
                    shard.parent_shard_id = Some(first.clone());
                    shard.adjacent_parent_shard_id = rest.last().cloned();
                }
                let range = &mut shard.sequence_number_range;
                for number in
                    std::iter::once(&mut range.starting_sequence_number).chain(&mut range.ending_sequence_number)
                {
                    move_to(number, known.sequence);
                }
            }
        };
        self.update(&log.name, name).await
    }

    /// The tags of a consumer.
    pub async fn tags(&self, arn: &str) -> BTreeMap<String, String> {
        self.store.get_resource_tags(arn).await
    }

    pub async fn set_tags(&self, arn: &str, tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
        self.store.put_resource_tags(arn, tags).await.map_err(engine_error)
    }

    pub async fn consumer(&self, arn: &str) -> Option<Consumer> {
        self.store.get_consumer(arn).await
    }

    pub async fn consumers(&self, stream_arn: &str) -> Vec<Consumer> {
        self.store.list_consumers_for_stream(stream_arn).await
    }

    pub async fn put_consumer(&self, consumer: Consumer) -> Result<(), AwsError> {
        let arn = consumer.consumer_arn.clone();
        self.store.put_consumer(&arn, consumer).await.map_err(engine_error)
    }

    pub async fn delete_consumer(&self, arn: &str) -> Result<(), AwsError> {
        self.store.delete_consumer(arn).await.map_err(engine_error)
    }
}

pub fn engine_error(error: KinesisErrorResponse) -> AwsError {
    AwsError::new(error.status_code, error.body.error_type, error.body.message.unwrap_or_default())
}

/// What the record log goes by.
pub fn settings(stream: &Stream) -> Settings {
    Settings {
        is_encrypted: stream.encryption_type == EncryptionType::Kms,
        retention_ms: u64::from(stream.retention_period_hours) * 3_600_000,
        max_record_bytes: stream.max_record_size_kib as usize * 1024,
        status: match stream.stream_status {
            StreamStatus::Creating | StreamStatus::Deleting => Status::Absent,
            StreamStatus::Updating => Status::Changing,
            StreamStatus::Active => Status::Active,
        },
    }
}

pub fn shards(stream: &Stream) -> Vec<ShardDescription> {
    stream.shards.iter().filter_map(shard).collect()
}

fn shard(shard: &Shard) -> Option<ShardDescription> {
    let first = sequence::parse_sequence(&shard.sequence_number_range.starting_sequence_number).ok()?;
    Some(ShardDescription {
        id: shard.shard_id.clone(),
        sequence: ShardSequence {
            created_seconds: first.shard_create_time / 1000,
            index: u32::try_from(first.shard_ix).ok()?,
        },
        hash_keys: shard.hash_key_range.start_u128()..=shard.hash_key_range.end_u128(),
        parents: shard.parent_shard_id.iter().chain(&shard.adjacent_parent_shard_id).cloned().collect(),
        closed: shard.sequence_number_range.ending_sequence_number.as_deref().map(closed),
    })
}

pub fn is_on_demand(stream: &Stream) -> bool {
    stream.stream_mode_details.stream_mode == StreamMode::OnDemand
}

pub fn set_on_demand(stream: &mut Stream) {
    stream.stream_mode_details.stream_mode = StreamMode::OnDemand;
}

pub fn is_active(consumer: &Consumer) -> bool {
    consumer.consumer_status == ConsumerStatus::Active
}

/// The frame that begins an event stream.
pub fn initial_response() -> Bytes {
    event_stream::encode_initial_response().into()
}

/// The frame of one event of a subscription.
pub fn event_frame(payload: &[u8], content_type: &'static str) -> Bytes {
    event_stream::encode_subscribe_event(payload, content_type).into()
}

/// Makes a number of a shard one of its sequence.
fn move_to(number: &mut String, shard: ShardSequence) {
    if let Ok(mut parts) = sequence::parse_sequence(number)
        && parts.shard_create_time / 1000 != shard.created_seconds
    {
        parts.seq_time = parts.seq_time.or(Some(parts.shard_create_time));
        parts.shard_create_time = shard.created_seconds * 1000;
        *number = sequence::stringify_sequence(&parts);
    }
}

/// Epoch milliseconds at which a shard with this last number was closed.
fn closed(ending_sequence_number: &str) -> u64 {
    sequence::parse_sequence(ending_sequence_number).ok().and_then(|last| last.seq_time).unwrap_or_default()
}
