//! What requests name otherwise than by the name of a stream: shards by number, resources by ARN.

use kinesis_event_logger_core::SequenceNumber;
use kinesis_event_logger_core::route::SequenceParts;
use serde_json::Value;

use super::consumers::no_consumer;
use super::target::stream_name;
use super::{Kinesis, text};
use crate::error::AwsError;

/// What has tags and a policy.
#[derive(Debug, PartialEq)]
pub(super) enum Resource {
    /// A stream's name.
    Stream(String),
    /// A consumer's ARN.
    Consumer(String),
}

impl Kinesis {
    /// The resource that a request's `ResourceARN` names.
    ///
    /// # Errors
    /// ResourceNotFoundException if it does not exist, or belongs to another account or region.
    pub(super) async fn resource(&self, input: &Value) -> Result<Resource, AwsError> {
        let arn = text(input, "ResourceARN").unwrap_or_default();
        if stream_name(arn).is_none() {
            // Unverified: AWS's text. Channels and queues do not exist here.
            return Err(not_found(format!("Resource {arn} not found.")));
        }
        if arn.contains("/consumer/") {
            let consumer = self.engine().consumer(arn).await.ok_or_else(|| no_consumer(arn))?;
            return Ok(Resource::Consumer(consumer.consumer_arn));
        }
        let name = self.name_in(arn)?;
        self.engine().stream(name).await?;
        Ok(Resource::Stream(name.to_owned()))
    }

    /// The ID of a shard that a request names: by its ID, by its number, or by any text with a hyphen and its number
    /// (recorded). Whether there is such a shard is not checked.
    ///
    /// # Errors
    /// ResourceNotFoundException if the text contains no number of a shard.
    pub(super) fn shard_id(&self, shard: &str, stream_name: &str) -> Result<String, AwsError> {
        shard_index(shard).map(|index| format!("shardId-{index:012}")).ok_or_else(|| {
            let account = &self.shared.account_id;
            not_found(format!("Could not find shard {shard} in stream {stream_name} under account {account}."))
        })
    }
}

fn shard_index(shard: &str) -> Option<i32> {
    let number = shard.split_once('-').map_or(shard, |(_, number)| number);
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| is_number)
}

/// The parts of a sequence number that some shard could have given by now, in epoch milliseconds.
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
        for (shard, index) in [("shardId-000000000003", 3), ("3", 3), ("-00002147483647", i32::MAX), ("a-0", 0)] {
            assert_eq!(shard_index(shard), Some(index), "{shard}");
        }
        for shard in ["2147483648", "shardId-002147483648", "ABKLFD8", "2.14E4", "a-b-1", "+1", "a-+1", "a-"] {
            assert_eq!(shard_index(shard), None, "{shard}");
        }
    }
}
