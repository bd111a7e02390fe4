//! Operations on the capacity of a stream: UpdateStreamMode, UpdateMaxRecordSize, UpdateStreamWarmThroughput,
//! UpdateStreamRecordDistributionStrategy.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::addressing::StreamAddress;
use super::stream::{Configuration, Mode, Stream};
use super::{Kinesis, invalid};
use crate::error::AwsError;

/// `StreamModeDetails`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModeDetails {
    pub stream_mode: Mode,
}

/// `RecordDistributionStrategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Strategy {
    Auto,
    UserPartitionKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateStreamMode {
    #[serde(flatten)]
    stream: StreamAddress,
    stream_mode_details: ModeDetails,
    warm_throughput_mi_bps: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateMaxRecordSize {
    #[serde(flatten)]
    stream: StreamAddress,
    max_record_size_in_ki_b: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateStreamWarmThroughput {
    #[serde(flatten)]
    stream: StreamAddress,
    warm_throughput_mi_bps: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateRecordDistributionStrategy {
    #[serde(flatten)]
    stream: StreamAddress,
    record_distribution_strategy: Strategy,
}

pub fn update_stream_mode(kinesis: &Kinesis, request: UpdateStreamMode) -> Result<(), AwsError> {
    let stream = kinesis.addressed(request.stream)?;
    let mode = request.stream_mode_details.stream_mode;
    stream.update(|state| {
        let configuration = &mut state.configuration;
        configuration.mode = mode;
        match (mode, request.warm_throughput_mi_bps) {
            (Mode::Provisioned, _) => {
                configuration.warm_throughput_mibps = 0;
                configuration.is_distributed = false;
            }
            (Mode::OnDemand, Some(mibps)) => configuration.warm_throughput_mibps = mibps,
            (Mode::OnDemand, None) => {}
        }
        Ok(())
    })
}

pub fn update_max_record_size(kinesis: &Kinesis, request: UpdateMaxRecordSize) -> Result<(), AwsError> {
    if request.stream.stream_arn.is_none() {
        return Err(invalid("StreamARN is required."));
    }
    let stream = kinesis.addressed(request.stream)?;
    stream.update(|state| {
        kinesis.must_be_active(&stream, state)?;
        state.configuration.max_record_kib = request.max_record_size_in_ki_b;
        Ok(())
    })
}

pub fn update_stream_warm_throughput(
    kinesis: &Kinesis,
    request: UpdateStreamWarmThroughput,
) -> Result<Value, AwsError> {
    let stream = kinesis.addressed(request.stream)?;
    kinesis.must_be_in_mode(Mode::OnDemand, &stream)?;
    let target = request.warm_throughput_mi_bps;
    let current = stream.update(|state| {
        kinesis.must_be_active(&stream, state)?;
        Ok(std::mem::replace(&mut state.configuration.warm_throughput_mibps, target))
    })?;
    Ok(json!({
        "StreamARN": stream.arn,
        "StreamName": stream.name,
        "WarmThroughput": { "CurrentMiBps": current, "TargetMiBps": target },
    }))
}

pub fn update_record_distribution_strategy(
    kinesis: &Kinesis,
    request: UpdateRecordDistributionStrategy,
) -> Result<(), AwsError> {
    let name = kinesis.name_of(request.stream)?;
    let mode = kinesis.existing(&name)?.state().configuration.mode;
    let is_distributed = Strategy::is_distributed(Some(request.record_distribution_strategy), mode)?;
    kinesis.available(&name)?.update(|state| {
        state.configuration.is_distributed = is_distributed;
        Ok(())
    })
}

impl Strategy {
    pub fn of(configuration: &Configuration) -> Self {
        if configuration.is_distributed { Self::Auto } else { Self::UserPartitionKey }
    }

    /// Whether this strategy distributes records. The default is the strategy of partition keys.
    ///
    /// # Errors
    /// InvalidArgumentException for a strategy that the mode does not have. Unverified: AWS's message.
    pub fn is_distributed(strategy: Option<Self>, mode: Mode) -> Result<bool, AwsError> {
        match (strategy, mode) {
            (None | Some(Self::UserPartitionKey), _) => Ok(false),
            (Some(Self::Auto), Mode::OnDemand) => Ok(true),
            (Some(Self::Auto), Mode::Provisioned) => {
                Err(invalid("RecordDistributionStrategy AUTO needs a stream in ON_DEMAND mode."))
            }
        }
    }
}

impl Kinesis {
    /// The API reference of SplitShard, MergeShards and UpdateShardCount has this error: "You tried to invoke this API for
    /// a data stream with the on-demand capacity mode". UpdateStreamWarmThroughput needs the other mode. Unverified: AWS's
    /// message.
    pub(super) fn must_be_in_mode(&self, wanted: Mode, stream: &Stream) -> Result<(), AwsError> {
        let mode = stream.state().configuration.mode;
        if mode == wanted {
            return Ok(());
        }
        let (name, account) = (&stream.name, &self.shared.account_id);
        let mode = if mode == Mode::OnDemand { "On-Demand" } else { "Provisioned" };
        let message = format!("Request is invalid. Stream {name} under account {account} is in {mode} mode.");
        Err(AwsError::bad_request("ValidationException", message))
    }
}
