//! CreateStream.

use std::sync::{Arc, PoisonError};

use serde::Deserialize;

use super::stream::{Change, Configuration, Mode, Stream, StreamState};
use super::stream_mode::{ModeDetails, Strategy};
use super::tags::{Tags, with_added};
use super::{Kinesis, invalid, now};
use crate::error::AwsError;

/// The number of shards of a new on-demand stream.
/// <https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html>
pub const ON_DEMAND_SHARDS: u32 = 4;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateStream {
    stream_name: String,
    shard_count: Option<u32>,
    stream_mode_details: Option<ModeDetails>,
    #[serde(default)]
    tags: Tags,
    warm_throughput_mi_bps: Option<u32>,
    max_record_size_in_ki_b: Option<u32>,
    record_distribution_strategy: Option<Strategy>,
}

pub fn create_stream(kinesis: &Kinesis, request: CreateStream) -> Result<(), AwsError> {
    let (mode, shards) = mode_and_shards(&request)?;
    let CreateStream { stream_name: name, tags, warm_throughput_mi_bps, .. } = request;
    let owner = format!("stream {name} under account {}", kinesis.shared.account_id);
    let tags = with_added(&Tags::new(), tags, &owner)?;
    let defaults = Configuration::default();
    let configuration = Configuration {
        mode,
        tags,
        max_record_kib: request.max_record_size_in_ki_b.unwrap_or(defaults.max_record_kib),
        warm_throughput_mibps: warm_throughput_mi_bps.unwrap_or(defaults.warm_throughput_mibps),
        is_distributed: Strategy::is_distributed(request.record_distribution_strategy, mode)?,
        ..defaults
    };
    let (stream, number) = kinesis.create(&name, configuration, shards)?;
    kinesis.schedule(&stream, number, kinesis.transition());
    Ok(())
}

fn mode_and_shards(request: &CreateStream) -> Result<(Mode, u32), AwsError> {
    let mode = request.stream_mode_details.as_ref().map(|details| details.stream_mode);
    match (mode, request.shard_count) {
        // Recorded: a stream created without a mode and without a count is on demand.
        (Some(Mode::OnDemand) | None, None) => Ok((Mode::OnDemand, ON_DEMAND_SHARDS)),
        // Unverified: AWS's messages.
        (Some(Mode::OnDemand), Some(_)) => {
            Err(invalid("ShardCount must not be provided for a stream in ON_DEMAND mode."))
        }
        (Some(Mode::Provisioned), None) => {
            Err(invalid("ShardCount must be provided for a stream in PROVISIONED mode."))
        }
        (Some(Mode::Provisioned) | None, Some(shards)) => Ok((Mode::Provisioned, shards)),
    }
}

impl Kinesis {
    /// Creates a stream. Its shards are created by the change whose number is returned.
    fn create(&self, name: &str, configuration: Configuration, shards: u32) -> Result<(Arc<Stream>, u64), AwsError> {
        let _limit = self.shared.shard_limit.lock().unwrap_or_else(PoisonError::into_inner);
        if self.find(name).is_some() {
            let account = &self.shared.account_id;
            let message = format!("Stream {name} under account {account} already exists.");
            return Err(AwsError::bad_request("ResourceInUseException", message));
        }
        self.check_shard_limit(self.reserved_shards(), shards as usize)?;
        let now = now();
        let latest = self.streams().iter().map(|stream| stream.incarnation).max().unwrap_or_default();
        let mut state = StreamState::creating(configuration);
        let number = state.begin(Change::Create { shards }, self.due(now));
        let storage = self.shared.storage.clone();
        let stream = Stream::new(self.stream_arn(name), now.max(latest + 1), now / 1000, state, storage);
        let mut batch = self.shared.storage.store.batch();
        stream.store_in(&mut batch);
        batch.commit();
        Ok((self.add(stream), number))
    }
}
