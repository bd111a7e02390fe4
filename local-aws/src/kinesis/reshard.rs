//! SplitShard, MergeShards and UpdateShardCount.

use std::sync::{Arc, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};

use super::addressing::StreamAddress;
use super::shard::Shard;
use super::stream::change::HashKey;
use super::stream::{Change, Mode, Stream, StreamState};
use super::{Kinesis, invalid};
use crate::error::AwsError;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SplitShard {
    #[serde(flatten)]
    stream: StreamAddress,
    shard_to_split: String,
    new_starting_hash_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MergeShards {
    #[serde(flatten)]
    stream: StreamAddress,
    shard_to_merge: String,
    adjacent_shard_to_merge: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateShardCount {
    #[serde(flatten)]
    stream: StreamAddress,
    target_shard_count: u32,
}

pub fn split_shard(kinesis: &Kinesis, request: SplitShard) -> Result<(), AwsError> {
    let name = kinesis.name_of(request.stream)?;
    let id = kinesis.shard_id(&request.shard_to_split, &name)?;
    let stream = kinesis.provisioned(&name)?;
    let _limit = kinesis.shared.shard_limit.lock().unwrap_or_else(PoisonError::into_inner);
    let reserved = kinesis.reserved_shards();
    kinesis.begin(&stream, |state| {
        let shard = kinesis.open_shard(state, &id, &name)?;
        kinesis.check_shard_limit(reserved, 1)?;
        let (start, end) = (*shard.hash_keys.start(), *shard.hash_keys.end());
        // A number that is too large is invalid in the same way as 0.
        let at = request.new_starting_hash_key.parse().unwrap_or(0);
        if at > start.saturating_add(1) && at < end {
            return Ok(Change::Split { shard: shard.sequence.index, at: HashKey(at) });
        }
        Err(invalid(format!(
            "NewStartingHashKey {} used in SplitShard() on shard {id} in stream {name} under account {} is not both greater than \
             one plus the shard's StartingHashKey {start} and less than the shard's EndingHashKey {end}.",
            request.new_starting_hash_key, kinesis.shared.account_id
        )))
    })
}

pub fn merge_shards(kinesis: &Kinesis, request: MergeShards) -> Result<(), AwsError> {
    let name = kinesis.name_of(request.stream)?;
    let id = kinesis.shard_id(&request.shard_to_merge, &name)?;
    let adjacent_id = kinesis.shard_id(&request.adjacent_shard_to_merge, &name)?;
    let stream = kinesis.provisioned(&name)?;
    kinesis.begin(&stream, |state| {
        let shard = kinesis.open_shard(state, &id, &name)?;
        let adjacent = kinesis.open_shard(state, &adjacent_id, &name)?;
        if shard.hash_keys.end().checked_add(1) == Some(*adjacent.hash_keys.start()) {
            return Ok(Change::Merge { shard: shard.sequence.index, adjacent: adjacent.sequence.index });
        }
        let account = &kinesis.shared.account_id;
        Err(invalid(format!(
            "Shards {id} and {adjacent_id} in stream {name} under account {account} are not an adjacent pair of shards eligible for \
             merging"
        )))
    })
}

pub fn update_shard_count(kinesis: &Kinesis, request: UpdateShardCount) -> Result<Value, AwsError> {
    let (name, target) = (kinesis.name_of(request.stream)?, request.target_shard_count);
    let stream = kinesis.provisioned(&name)?;
    let _limit = kinesis.shared.shard_limit.lock().unwrap_or_else(PoisonError::into_inner);
    let (reserved, mut current) = (kinesis.reserved_shards(), 0);
    kinesis.begin(&stream, |state| {
        current = state.open().len();
        if target as usize == current {
            let message = format!("TargetShardCount {target} is the same as the current shard count {current}.");
            return Err(invalid(message));
        }
        kinesis.check_shard_limit(reserved, (target as usize).saturating_sub(current))?;
        Ok(Change::Resize { shards: target })
    })?;
    Ok(json!({
        "StreamName": name,
        "StreamARN": stream.arn,
        "CurrentShardCount": current,
        "TargetShardCount": target,
    }))
}

impl Kinesis {
    /// A stream whose shards can be changed.
    ///
    /// # Errors
    /// The stream does not exist or is on demand.
    fn provisioned(&self, name: &str) -> Result<Arc<Stream>, AwsError> {
        let stream = self.existing(name)?;
        self.must_be_in_mode(Mode::Provisioned, &stream)?;
        Ok(stream)
    }

    /// A shard that can be split or merged.
    fn open_shard<'a>(&self, state: &'a StreamState, id: &str, name: &str) -> Result<&'a Arc<Shard>, AwsError> {
        let shard = state.shard(id).ok_or_else(|| self.no_such_shard(id, name))?;
        if shard.closed().is_none() {
            return Ok(shard);
        }
        let account = &self.shared.account_id;
        Err(invalid(format!(
            "Shard {id} in stream {name} under account {account} has already been merged or split, and thus is not eligible for \
             merging or splitting."
        )))
    }
}
