//! Streams: what the engine lacks or does otherwise than AWS, answered or completed in front of it.
//!
//! What differs from the engine alone: on-demand streams need no shard count and are counted, CreateStream takes tags, a record
//! size, a throughput and a distribution strategy, ARNs stand for names everywhere, descriptions come in pages, retention goes
//! up to a year, a shard is resharded once, shards made by UpdateShardCount have parents, and a stream with consumers is
//! deleted only when asked to.

use std::time::Duration;

use kinesis_event_logger_core::limits::STREAM_RETENTION_HOURS;
use serde_json::{Value, json};

use super::log::Status;
use super::persist::Pending;
use super::target::stream_name;
use super::{Kinesis, create, engine, invalid, text};
use crate::error::AwsError;

/// On-demand streams an account may have (Kinesis API, DescribeLimits).
const ON_DEMAND_STREAMS: u32 = 50;

/// Shards of a DescribeStream without a limit, and names of a ListStreams without one.
const PAGE: u64 = 100;

impl Kinesis {
    /// Answers an operation that neither puts nor reads records; `Null` is an empty answer.
    pub(super) async fn control(&self, operation: &str, mut input: Value) -> Result<Value, AwsError> {
        self.name_stream(operation, &mut input)?;
        match operation {
            "CreateStream" => self.create_stream(input).await,
            "DeleteStream" => self.delete_stream(&input).await,
            "DescribeLimits" => self.describe_limits(&input).await,
            "DescribeStream" => self.describe_stream(&input).await,
            "DescribeStreamSummary" => self.describe_stream_summary(&input).await,
            "ListStreams" => self.list_streams(input).await,
            "RegisterStreamConsumer" => self.register_consumer(&input).await,
            "DeregisterStreamConsumer" => self.deregister_consumer(&input).await,
            "DescribeStreamConsumer" => self.describe_consumer(&input).await,
            "ListStreamConsumers" => self.list_consumers(&input).await,
            "AddTagsToStream" => self.add_tags(&input).await,
            "RemoveTagsFromStream" => self.remove_tags(&input).await,
            "TagResource" => self.tag_resource(&input).await,
            "UntagResource" => self.untag_resource(&input).await,
            "ListTagsForResource" => self.list_tags(&input).await,
            "IncreaseStreamRetentionPeriod" | "DecreaseStreamRetentionPeriod" => {
                self.set_retention(&input, operation.starts_with("Increase")).await
            }
            "SplitShard" | "MergeShards" => self.reshard(operation, input).await,
            "UpdateShardCount" => self.update_shard_count(&input).await,
            "UpdateStreamRecordDistributionStrategy" => self.set_distribution(&input).await,
            "DescribeAccountSettings" => self.describe_account_settings(&input).await,
            "UpdateAccountSettings" => self.update_account_settings(&input).await,
            "UpdateStreamWarmThroughput" => self.update_warm_throughput(input).await,
            "UpdateStreamMode" => self.update_mode(&input).await,
            "GetResourcePolicy" => self.get_policy(&input).await,
            "PutResourcePolicy" => self.put_policy(&input).await,
            "DeleteResourcePolicy" => self.delete_policy(&input).await,
            "ListTagsForStream" => self.engine().call(operation, &input).await,
            _ => self.change(operation, &input).await,
        }
    }

    /// Has the engine change a stream or what belongs to one, and follows it.
    async fn change(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        let control = self.shared.control.lock().await;
        let answer = self.engine().call(operation, input).await?;
        let arn = text(input, "ResourceARN");
        if let Some(consumer) = arn.filter(|arn| arn.contains("/consumer/")) {
            self.persist_consumer(consumer).await;
        } else if let Some(name) = text(input, "StreamName").or_else(|| stream_name(arn?)) {
            if let Some(log) = self.known(name) {
                log.set_pending(Some(Pending { operation: operation.to_owned(), input: input.clone() }));
            }
            drop(control);
            self.follow(name).await;
        }
        Ok(answer)
    }

    /// Takes over a stream that was changed, now and when the engine has carried the change out: it does so after its answer.
    pub(super) async fn follow(&self, name: &str) {
        let is_settled = async |kinesis: &Self, name: &str| match kinesis.refresh(name).await {
            Ok(log) => log.shards().settings.status == Status::Active,
            Err(_) => true,
        };
        if is_settled(self, name).await {
            return;
        }
        let (kinesis, name) = (self.clone(), name.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(kinesis.engine().transition).await;
            while !is_settled(&kinesis, &name).await {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    }

    async fn delete_stream(&self, input: &Value) -> Result<Value, AwsError> {
        let name = text(input, "StreamName").unwrap_or_default();
        let consumers = self.engine().consumers(&self.engine().arn(name)).await;
        let is_enforced = input["EnforceConsumerDeletion"].as_bool().unwrap_or_default();
        if !consumers.is_empty() && !is_enforced {
            return Err(AwsError::bad_request(
                "ResourceInUseException",
                format!("Stream {name} under account {} has {} consumers.", self.shared.account_id, consumers.len()),
            ));
        }
        self.change("DeleteStream", input).await?;
        for consumer in consumers {
            self.set_consumer(&consumer.consumer_arn, None).await?;
        }
        Ok(Value::Null)
    }

    async fn put_policy(&self, input: &Value) -> Result<Value, AwsError> {
        self.resource(input).await?;
        self.change("PutResourcePolicy", input).await
    }

    async fn delete_policy(&self, input: &Value) -> Result<Value, AwsError> {
        self.resource(input).await?;
        let arn = text(input, "ResourceARN").unwrap_or_default();
        if self.engine().policy(arn).await.is_none() {
            // Unverified: AWS's text.
            let message = format!("No resource policy found for resource ARN {arn}");
            return Err(AwsError::bad_request("ResourceNotFoundException", message));
        }
        self.change("DeleteResourcePolicy", input).await
    }

    /// Recorded: what has no policy has an empty one.
    async fn get_policy(&self, input: &Value) -> Result<Value, AwsError> {
        self.resource(input).await?;
        let mut answer = self.engine().call("GetResourcePolicy", input).await?;
        if answer["Policy"] == "" {
            answer["Policy"] = "{}".into();
        }
        Ok(answer)
    }

    /// The engine leaves out what nobody has set.
    async fn describe_account_settings(&self, input: &Value) -> Result<Value, AwsError> {
        let mut answer = self.engine().call("DescribeAccountSettings", input).await?;
        let commitment = &mut answer["MinimumThroughputBillingCommitment"];
        if commitment["Status"].is_null() {
            *commitment = json!({ "Status": "DISABLED" });
        }
        Ok(answer)
    }

    async fn describe_limits(&self, input: &Value) -> Result<Value, AwsError> {
        let mut answer = self.engine().call("DescribeLimits", input).await?;
        let mut on_demand = 0;
        for name in self.engine().stream_names().await {
            let stream = self.engine().stream(&name).await;
            on_demand += u32::from(stream.is_ok_and(|stream| engine::is_on_demand(&stream)));
        }
        answer["OnDemandStreamCount"] = on_demand.into();
        answer["OnDemandStreamCountLimit"] = ON_DEMAND_STREAMS.into();
        Ok(answer)
    }

    async fn describe_stream(&self, input: &Value) -> Result<Value, AwsError> {
        let mut answer = self.engine().call("DescribeStream", input).await?;
        let description = &mut answer["StreamDescription"];
        let limit = input["Limit"].as_u64().unwrap_or(PAGE) as usize;
        let after = text(input, "ExclusiveStartShardId").unwrap_or_default();
        if let Some(shards) = description["Shards"].as_array_mut() {
            shards.retain(|shard| text(shard, "ShardId") > Some(after));
            let has_more = shards.len() > limit;
            shards.truncate(limit);
            description["HasMoreShards"] = has_more.into();
        }
        let stream = self.engine().stream(text(input, "StreamName").unwrap_or_default()).await?;
        if let Some(key) = stream.key_id {
            description["KeyId"] = key.into();
        }
        Ok(answer)
    }

    /// The engine leaves out how large a record may be, which publishers go by.
    async fn describe_stream_summary(&self, input: &Value) -> Result<Value, AwsError> {
        let mut answer = self.engine().call("DescribeStreamSummary", input).await?;
        let name = text(input, "StreamName").unwrap_or_default();
        let stream = self.engine().stream(name).await?;
        let summary = &mut answer["StreamDescriptionSummary"];
        summary["MaxRecordSizeInKiB"] = stream.max_record_size_kib.into();
        if engine::is_on_demand(&stream) {
            let is_distributed = self.known(name).is_some_and(|log| log.is_distributed());
            summary["RecordDistributionStrategy"] = create::strategy(is_distributed).into();
        }
        if stream.warm_throughput_mibps > 0 {
            let mibps = stream.warm_throughput_mibps;
            summary["WarmThroughput"] = json!({ "TargetMiBps": mibps, "CurrentMiBps": mibps });
        }
        if let Some(summary) = summary.as_object_mut() {
            summary.retain(|_, value| !value.is_null());
        }
        Ok(answer)
    }

    async fn list_streams(&self, mut input: Value) -> Result<Value, AwsError> {
        if let Some(token) = text(&input, "NextToken").map(str::to_owned) {
            let name = base64_simd::STANDARD.decode_to_vec(token).ok().and_then(|name| String::from_utf8(name).ok());
            let expired = || AwsError::bad_request("ExpiredNextTokenException", "The specified NextToken is invalid.");
            input["ExclusiveStartStreamName"] = name.ok_or_else(expired)?.into();
        }
        if input["Limit"].is_null() {
            input["Limit"] = PAGE.into();
        }
        let mut answer = self.engine().call("ListStreams", &input).await?;
        let names: Vec<String> = serde_json::from_value(answer["StreamNames"].clone()).unwrap_or_default();
        let mut summaries = Vec::new();
        for name in &names {
            if let Ok(stream) = self.engine().stream(name).await {
                summaries.push(json!({
                    "StreamName": stream.stream_name,
                    "StreamARN": stream.stream_arn,
                    "StreamStatus": stream.stream_status,
                    "StreamModeDetails": stream.stream_mode_details,
                    "StreamCreationTimestamp": stream.stream_creation_timestamp,
                }));
            }
        }
        if let Some(last) = names.last().filter(|_| answer["HasMoreStreams"] == true) {
            answer["NextToken"] = base64_simd::STANDARD.encode_to_string(last).into();
        }
        answer["StreamSummaries"] = summaries.into();
        Ok(answer)
    }

    /// The engine stops at a week, from before there was a year.
    async fn set_retention(&self, input: &Value, is_increase: bool) -> Result<Value, AwsError> {
        let name = text(input, "StreamName").unwrap_or_default();
        let wanted = input["RetentionPeriodHours"].as_i64().unwrap_or_default();
        let (lowest, highest) = STREAM_RETENTION_HOURS.into_inner();
        let hours = u32::try_from(wanted.max(0)).unwrap_or(u32::MAX);
        if hours < lowest {
            return Err(invalid(format!(
                "Minimum allowed retention period is {lowest} hours. Requested retention period ({wanted} hours) is too short."
            )));
        }
        if hours > highest {
            return Err(invalid(format!(
                "Maximum allowed retention period is {highest} hours. Requested retention period ({wanted} hours) is too long."
            )));
        }
        let now = self.engine().stream(name).await?.retention_period_hours;
        let (is_wrong, bound, other) =
            if is_increase { (hours < now, "shorter", "Decrease") } else { (hours > now, "longer", "Increase") };
        if is_wrong {
            return Err(invalid(format!(
                "Requested retention period ({hours} hours) for stream {name} can not be {bound} than existing retention period \
                 ({now} hours). Use {other}RetentionPeriod API."
            )));
        }
        self.engine().update(name, |stream| stream.retention_period_hours = hours).await?;
        self.follow(name).await;
        Ok(Value::Null)
    }

    /// The engine splits and merges closed shards, too, and those of an on-demand stream.
    async fn reshard(&self, operation: &str, mut input: Value) -> Result<Value, AwsError> {
        const SHARDS: [&str; 3] = ["ShardToSplit", "ShardToMerge", "AdjacentShardToMerge"];
        let name = text(&input, "StreamName").unwrap_or_default().to_owned();
        for member in SHARDS {
            if let Some(shard) = text(&input, member) {
                input[member] = self.shard_id(shard, &name)?.into();
            }
        }
        self.must_be_on_demand(false, &name).await?;
        if let Ok(log) = self.stream_log(&name).await {
            for shard_id in SHARDS.iter().filter_map(|member| text(&input, member)) {
                if log.shard(shard_id).is_some_and(|shard| shard.closed().is_some()) {
                    return Err(invalid(format!(
                        "Shard {shard_id} in stream {name} under account {} has already been merged or split, and thus is not \
                         eligible for merging or splitting.",
                        self.shared.account_id
                    )));
                }
            }
        }
        self.change(operation, &input).await
    }

    async fn update_shard_count(&self, input: &Value) -> Result<Value, AwsError> {
        let name = text(input, "StreamName").unwrap_or_default();
        self.must_be_on_demand(false, name).await?;
        let mut answer = self.change("UpdateShardCount", input).await?;
        answer["StreamARN"] = self.engine().arn(name).into();
        Ok(answer)
    }

    /// "You tried to invoke this API for a data stream with the on-demand capacity mode": so the API reference of SplitShard,
    /// MergeShards and UpdateShardCount; UpdateStreamWarmThroughput is for the others. Unverified: AWS's text.
    async fn must_be_on_demand(&self, wanted: bool, name: &str) -> Result<(), AwsError> {
        let is_on_demand = engine::is_on_demand(&self.engine().stream(name).await?);
        if is_on_demand == wanted {
            return Ok(());
        }
        let (account, mode) = (&self.shared.account_id, if is_on_demand { "On-Demand" } else { "Provisioned" });
        let message = format!("Request is invalid. Stream {name} under account {account} is in {mode} mode.");
        Err(AwsError::bad_request("ValidationException", message))
    }

    async fn update_warm_throughput(&self, mut input: Value) -> Result<Value, AwsError> {
        self.must_be_on_demand(true, text(&input, "StreamName").unwrap_or_default()).await?;
        // The engine takes a name or an ARN.
        input.as_object_mut().map(|members| members.remove("StreamARN"));
        self.change("UpdateStreamWarmThroughput", &input).await
    }

    /// The engine leaves the throughput as it is.
    async fn update_mode(&self, input: &Value) -> Result<Value, AwsError> {
        let answer = self.change("UpdateStreamMode", input).await?;
        let (name, mode) = (text(input, "StreamName").unwrap_or_default(), &input["StreamModeDetails"]["StreamMode"]);
        let mibps = match input["WarmThroughputMiBps"].as_u64() {
            _ if mode != "ON_DEMAND" => Some(0),
            mibps => mibps.map(|mibps| u32::try_from(mibps).unwrap_or(u32::MAX)),
        };
        if let Some(mibps) = mibps {
            self.engine().update(name, |stream| stream.warm_throughput_mibps = mibps).await?;
            self.follow(name).await;
        }
        Ok(answer)
    }
}
