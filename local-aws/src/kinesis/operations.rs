//! The operations of Kinesis.

use std::sync::LazyLock;

use http::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Kinesis, read_input, typed};
use crate::encoding::Encoding;
use crate::error::AwsError;
use crate::operation::{JsonService, MIB, Operation, Request, Service, ServiceName, UNKNOWN_OPERATION};

/// 10 MiB of data and keys.
const PUT_BODY: usize = 20 * MIB;

impl Service for Kinesis {
    const NAME: ServiceName = ServiceName::Kinesis;

    fn operations() -> &'static [Operation<Self>] {
        static OPERATIONS: LazyLock<Vec<Operation<Kinesis>>> = LazyLock::new(|| {
            vec![
                control("AddTagsToStream"),
                control("CreateStream").logs("stream created", &["StreamName", "ShardCount"]),
                control("DecreaseStreamRetentionPeriod"),
                control("DeleteResourcePolicy"),
                control("DeleteStream").logs("stream deleted", &["StreamName", "StreamARN"]),
                control("DeregisterStreamConsumer").logs("consumer deregistered", &["ConsumerName", "ConsumerARN"]),
                control("DescribeAccountSettings"),
                control("DescribeLimits"),
                control("DescribeStream"),
                control("DescribeStreamConsumer"),
                control("DescribeStreamSummary"),
                control("DisableEnhancedMonitoring"),
                control("EnableEnhancedMonitoring"),
                Operation::new_async("GetRecords", |kinesis: Kinesis, request| async move {
                    let encoding = encoding(&request)?;
                    kinesis.get_records(encoding, read_input("GetRecords", encoding, &request.body)?).await
                }),
                control("GetResourcePolicy"),
                Operation::new_async("GetShardIterator", |kinesis: Kinesis, request| async move {
                    let encoding = encoding(&request)?;
                    kinesis.get_shard_iterator(encoding, read_input("GetShardIterator", encoding, &request.body)?).await
                }),
                control("IncreaseStreamRetentionPeriod"),
                Operation::new_async("ListShards", |kinesis: Kinesis, request| async move {
                    let encoding = encoding(&request)?;
                    kinesis.list_shards(encoding, read_input("ListShards", encoding, &request.body)?).await
                }),
                control("ListStreamConsumers"),
                control("ListStreams"),
                control("ListTagsForResource"),
                control("ListTagsForStream"),
                control("MergeShards")
                    .logs("shards merged", &["StreamName", "StreamARN", "ShardToMerge", "AdjacentShardToMerge"]),
                Operation::new_async("PutRecord", |kinesis: Kinesis, request| async move {
                    kinesis.put_record(encoding(&request)?, &request.body).await
                })
                .body_limit(PUT_BODY),
                Operation::new_async("PutRecords", |kinesis: Kinesis, request| async move {
                    kinesis.put_records(encoding(&request)?, &request.body).await
                })
                .body_limit(PUT_BODY),
                control("PutResourcePolicy"),
                control("RegisterStreamConsumer").logs("consumer registered", &["ConsumerName", "StreamARN"]),
                control("RemoveTagsFromStream"),
                control("SplitShard").logs("shard split", &["StreamName", "StreamARN", "ShardToSplit"]),
                control("StartStreamEncryption"),
                control("StopStreamEncryption"),
                Operation::new_async("SubscribeToShard", |kinesis: Kinesis, request| async move {
                    let encoding = encoding(&request)?;
                    kinesis.subscribe_to_shard(encoding, read_input("SubscribeToShard", encoding, &request.body)?).await
                }),
                control("TagResource"),
                control("UntagResource"),
                control("UpdateAccountSettings"),
                control("UpdateMaxRecordSize"),
                control("UpdateShardCount")
                    .logs("shard count updated", &["StreamName", "StreamARN", "TargetShardCount"]),
                control("UpdateStreamMode"),
                control("UpdateStreamRecordDistributionStrategy"),
                control("UpdateStreamWarmThroughput"),
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

/// An operation that neither puts nor reads records.
fn control(name: &'static str) -> Operation<Kinesis> {
    Operation::json_async(name, move |kinesis: Kinesis, input: Value| async move { kinesis.control(name, input).await })
}

/// The encoding of a request and of its answer.
fn encoding(request: &Request) -> Result<Encoding, AwsError> {
    if request.method != Method::POST {
        let message = format!("Kinesis answers POST, not {}.", request.method);
        return Err(AwsError::new(404, UNKNOWN_OPERATION, message));
    }
    request.encoding.clone()
}
