//! The operations of Kinesis.

use std::sync::LazyLock;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Response};
use serde::de::DeserializeOwned;

use super::{
    Kinesis, account, consumers, create_stream, delete_stream, describe_stream, encryption, list_shards, list_streams,
    monitoring, read_input, reshard, resource_policies, retention, stream_mode, tags, typed,
};
use crate::encoding::Encoding;
use crate::error::AwsError;
use crate::operation::{JsonService, MIB, Operation, Request, Service, ServiceName, UNKNOWN_OPERATION};

/// The largest body of a put: 10 MiB of data and keys, encoded.
const PUT_BODY: usize = 20 * MIB;

impl Service for Kinesis {
    const NAME: ServiceName = ServiceName::Kinesis;

    fn operations() -> &'static [Operation<Self>] {
        static OPERATIONS: LazyLock<Vec<Operation<Kinesis>>> = LazyLock::new(|| {
            vec![
                Operation::json("AddTagsToStream", tags::add_tags_to_stream),
                Operation::json("CreateStream", create_stream::create_stream)
                    .logs("stream created", &["StreamName", "ShardCount"]),
                Operation::json("DecreaseStreamRetentionPeriod", retention::decrease_stream_retention_period),
                Operation::json("DeleteResourcePolicy", resource_policies::delete_resource_policy),
                Operation::json("DeleteStream", delete_stream::delete_stream)
                    .logs("stream deleted", &["StreamName", "StreamARN"]),
                Operation::json("DeregisterStreamConsumer", consumers::deregister_stream_consumer)
                    .logs("consumer deregistered", &["ConsumerName", "ConsumerARN"]),
                Operation::json("DescribeAccountSettings", account::describe_account_settings).read_only(),
                Operation::json("DescribeLimits", account::describe_limits).read_only(),
                Operation::json("DescribeStream", describe_stream::describe_stream).read_only(),
                Operation::json("DescribeStreamConsumer", consumers::describe_stream_consumer).read_only(),
                Operation::json("DescribeStreamSummary", describe_stream::describe_stream_summary).read_only(),
                Operation::json("DisableEnhancedMonitoring", monitoring::disable_enhanced_monitoring),
                Operation::json("EnableEnhancedMonitoring", monitoring::enable_enhanced_monitoring),
                Operation::new_async("GetRecords", get_records).read_only(),
                Operation::json("GetResourcePolicy", resource_policies::get_resource_policy).read_only(),
                Operation::json_async("GetShardIterator", |kinesis: Kinesis, input| async move {
                    kinesis.get_shard_iterator(input).await
                })
                .read_only(),
                Operation::json("IncreaseStreamRetentionPeriod", retention::increase_stream_retention_period),
                Operation::json("ListShards", list_shards::list_shards).read_only(),
                Operation::json("ListStreamConsumers", consumers::list_stream_consumers).read_only(),
                Operation::json("ListStreams", list_streams::list_streams).read_only(),
                Operation::json("ListTagsForResource", tags::list_tags_for_resource).read_only(),
                Operation::json("ListTagsForStream", tags::list_tags_for_stream).read_only(),
                Operation::json("MergeShards", reshard::merge_shards)
                    .logs("shards merged", &["StreamName", "StreamARN", "ShardToMerge", "AdjacentShardToMerge"]),
                Operation::new("PutRecord", |kinesis: &Kinesis, request| {
                    kinesis.put_record(encoding(request)?, &request.body)
                })
                .body_limit(PUT_BODY),
                Operation::new("PutRecords", |kinesis: &Kinesis, request| {
                    kinesis.put_records(encoding(request)?, &request.body)
                })
                .body_limit(PUT_BODY),
                Operation::json("PutResourcePolicy", resource_policies::put_resource_policy),
                Operation::json("RegisterStreamConsumer", consumers::register_stream_consumer)
                    .logs("consumer registered", &["ConsumerName", "StreamARN"]),
                Operation::json("RemoveTagsFromStream", tags::remove_tags_from_stream),
                Operation::json("SplitShard", reshard::split_shard)
                    .logs("shard split", &["StreamName", "StreamARN", "ShardToSplit"]),
                Operation::json("StartStreamEncryption", encryption::start_stream_encryption),
                Operation::json("StopStreamEncryption", encryption::stop_stream_encryption),
                Operation::new_async("SubscribeToShard", subscribe_to_shard).read_only(),
                Operation::json("TagResource", tags::tag_resource),
                Operation::json("UntagResource", tags::untag_resource),
                Operation::json("UpdateAccountSettings", account::update_account_settings),
                Operation::json("UpdateMaxRecordSize", stream_mode::update_max_record_size),
                Operation::json("UpdateShardCount", reshard::update_shard_count)
                    .logs("shard count updated", &["StreamName", "StreamARN", "TargetShardCount"]),
                Operation::json("UpdateStreamMode", stream_mode::update_stream_mode),
                Operation::json(
                    "UpdateStreamRecordDistributionStrategy",
                    stream_mode::update_record_distribution_strategy,
                ),
                Operation::json("UpdateStreamWarmThroughput", stream_mode::update_stream_warm_throughput),
            ]
        });
        &OPERATIONS
    }
}

impl JsonService for Kinesis {
    fn encoding(request: &Request) -> Result<Encoding, AwsError> {
        encoding(request)
    }

    fn read<I: DeserializeOwned>(operation: &str, encoding: Encoding, body: &[u8]) -> Result<I, AwsError> {
        typed(read_input(operation, encoding, body)?)
    }
}

async fn get_records(kinesis: Kinesis, request: Request) -> Result<Response<Bytes>, AwsError> {
    let encoding = encoding(&request)?;
    kinesis.get_records(encoding, typed(read_input("GetRecords", encoding, &request.body)?)?).await
}

async fn subscribe_to_shard(kinesis: Kinesis, request: Request) -> Result<Response<Body>, AwsError> {
    let encoding = encoding(&request)?;
    kinesis.subscribe_to_shard(encoding, typed(read_input("SubscribeToShard", encoding, &request.body)?)?).await
}

/// The encoding of a request and of its response.
fn encoding(request: &Request) -> Result<Encoding, AwsError> {
    if request.method != Method::POST {
        let message = format!("Kinesis accepts POST requests, not {}.", request.method);
        return Err(AwsError::new(404, UNKNOWN_OPERATION, message));
    }
    request.encoding.clone()
}
