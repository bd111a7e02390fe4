//! The resources that requests name: streams by name or ARN, consumers by ARN, shards by ID or number, sequence
//! numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use kinesis_event_logger_core::SequenceNumber;
use kinesis_event_logger_core::route::SequenceParts;
use serde::Deserialize;

use super::shard::shard_id;
use super::stream::{Consumer, Stream, StreamState};
use super::{Kinesis, invalid};
use crate::error::AwsError;

/// The stream of a request: its name, its ARN, or both.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StreamAddress {
    pub stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    pub stream_arn: Option<String>,
}

/// A stream or a consumer. Both have tags and a policy.
pub struct Resource {
    pub stream: Arc<Stream>,
    /// The consumer's name, if the resource is a consumer.
    pub consumer: Option<String>,
    pub arn: String,
}

impl Kinesis {
    /// The name of the stream that a request names. The stream need not exist.
    ///
    /// # Errors
    /// The request names no stream or two different ones, or one of another account or region.
    pub(super) fn name_of(&self, address: StreamAddress) -> Result<String, AwsError> {
        let StreamAddress { stream_name, stream_arn } = address;
        let in_arn = stream_arn.as_deref().map(|arn| self.name_in(arn)).transpose()?;
        match (stream_name, in_arn) {
            // Unverified: AWS's message is not recorded.
            (Some(name), Some(other)) if name != other => {
                Err(invalid(format!("StreamName {name} and StreamARN {} are of two streams.", self.stream_arn(other))))
            }
            (Some(name), _) => Ok(name),
            (None, Some(name)) => Ok(name.to_owned()),
            (None, None) => Err(invalid("Either StreamName or StreamARN must be provided.")),
        }
    }

    /// The stream that a request names, in any status.
    pub(super) fn addressed(&self, address: StreamAddress) -> Result<Arc<Stream>, AwsError> {
        self.existing(&self.name_of(address)?)
    }

    /// The name in the ARN of a stream.
    ///
    /// # Errors
    /// ResourceNotFoundException for another account or region.
    pub(super) fn name_in<'a>(&self, arn: &'a str) -> Result<&'a str, AwsError> {
        let name = stream_name(arn).unwrap_or(arn);
        if arn == self.stream_arn(name) {
            return Ok(name);
        }
        let account = arn.split(':').nth(4).unwrap_or_default();
        Err(not_found(format!("Stream {name} under account {account} not found.")))
    }

    /// The resource that a `ResourceARN` names.
    ///
    /// # Errors
    /// ResourceNotFoundException if it does not exist, or belongs to another account or region.
    pub(super) fn resource(&self, arn: String) -> Result<Resource, AwsError> {
        if stream_name(&arn).is_none() {
            // Unverified: AWS's message. Channels and queues do not exist here.
            return Err(not_found(format!("Resource {arn} not found.")));
        }
        if arn.contains("/consumer/") {
            let (stream, consumer) = self.consumer(&arn).ok_or_else(|| no_consumer(&arn))?;
            return Ok(Resource { stream, consumer: Some(consumer.name), arn });
        }
        let stream = self.existing(self.name_in(&arn)?)?;
        Ok(Resource { stream, consumer: None, arn })
    }

    /// The consumer of this ARN, and its stream.
    pub(super) fn consumer(&self, arn: &str) -> Option<(Arc<Stream>, Consumer)> {
        let stream = self.find(stream_name(arn)?)?;
        let consumer = stream.state().consumers.values().find(|consumer| consumer.arn(&stream.arn) == arn).cloned()?;
        Some((stream, consumer))
    }

    /// The ID of the shard that a request names by its ID, by its number, or by any text that ends with a hyphen and its
    /// number (recorded). The shard need not exist.
    ///
    /// # Errors
    /// ResourceNotFoundException if the text does not contain the number of a shard.
    pub(super) fn shard_id(&self, shard: &str, stream_name: &str) -> Result<String, AwsError> {
        shard_index(shard).map(shard_id).ok_or_else(|| self.no_such_shard(shard, stream_name))
    }

    /// The error of SplitShard and MergeShards for a shard that does not exist, and of every operation for a text that does
    /// not name a shard.
    pub(super) fn no_such_shard(&self, shard: &str, stream_name: &str) -> AwsError {
        let account = &self.shared.account_id;
        not_found(format!("Could not find shard {shard} in stream {stream_name} under account {account}."))
    }
}

impl Resource {
    /// The resource's name in messages.
    pub fn owner(&self, account: &str) -> String {
        match self.consumer {
            None => format!("stream {} under account {account}", self.stream.name),
            Some(_) => format!("consumer {} under account {account}", self.arn),
        }
    }

    /// Changes and stores the consumer or, if the resource is a stream, the stream's configuration.
    ///
    /// # Errors
    /// The errors of `change`, and an error if the consumer was deregistered meanwhile.
    pub fn update(&self, change: impl FnOnce(ResourceSettings<'_>) -> Result<(), AwsError>) -> Result<(), AwsError> {
        self.stream.update(|state| change(self.settings(state)?))
    }

    fn settings<'a>(&self, state: &'a mut StreamState) -> Result<ResourceSettings<'a>, AwsError> {
        let Some(name) = &self.consumer else {
            let configuration = &mut state.configuration;
            return Ok(ResourceSettings { tags: &mut configuration.tags, policy: &mut configuration.policy });
        };
        let consumer = state.consumers.get_mut(name).ok_or_else(|| no_consumer(&self.arn))?;
        Ok(ResourceSettings { tags: &mut consumer.tags, policy: &mut consumer.policy })
    }

    pub fn tags(&self) -> BTreeMap<String, String> {
        let state = self.stream.state();
        match &self.consumer {
            None => state.configuration.tags.clone(),
            Some(name) => state.consumers.get(name).map(|consumer| consumer.tags.clone()).unwrap_or_default(),
        }
    }

    pub fn policy(&self) -> Option<String> {
        let state = self.stream.state();
        match &self.consumer {
            None => state.configuration.policy.clone(),
            Some(name) => state.consumers.get(name)?.policy.clone(),
        }
    }
}

/// The settings that streams and consumers have in common.
pub struct ResourceSettings<'a> {
    pub tags: &'a mut BTreeMap<String, String>,
    pub policy: &'a mut Option<String>,
}

/// The stream's name in `arn:aws:kinesis:REGION:ACCOUNT:stream/NAME`, which may be the start of a consumer's ARN.
pub(super) fn stream_name(arn: &str) -> Option<&str> {
    arn.split_once(":stream/").map(|(_, name)| name.split('/').next().unwrap_or(name))
}

/// The error for a missing consumer. `what` is its ARN, or its name and its stream's.
pub(super) fn no_consumer(what: &str) -> AwsError {
    not_found(format!("Consumer {what} not found."))
}

fn shard_index(shard: &str) -> Option<u32> {
    let number = shard.split_once('-').map_or(shard, |(_, number)| number);
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|index| is_number && i32::try_from(*index).is_ok())
}

/// The parts of a sequence number that some shard could have issued by `now`, in epoch milliseconds.
pub(super) fn possible_number(number: &str, now: u64) -> Option<SequenceParts> {
    let parts = number.parse::<SequenceNumber>().ok()?.parts()?;
    let is_possible = i64::try_from(parts.counter).is_ok() && i32::try_from(parts.shard_index).is_ok();
    (is_possible && parts.put_seconds <= now / 1000).then_some(parts)
}

fn not_found(message: String) -> AwsError {
    AwsError::bad_request("ResourceNotFoundException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_named_by_any_text_that_ends_with_a_hyphen_and_its_number() {
        for (shard, index) in [("shardId-000000000003", 3), ("3", 3), ("-00002147483647", i32::MAX as u32), ("a-0", 0)]
        {
            assert_eq!(shard_index(shard), Some(index), "{shard}");
        }
        for shard in ["2147483648", "shardId-002147483648", "ABKLFD8", "2.14E4", "a-b-1", "+1", "a-+1", "a-"] {
            assert_eq!(shard_index(shard), None, "{shard}");
        }
    }
}
