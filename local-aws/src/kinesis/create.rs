//! CreateStream: on-demand streams need no shard count, and there are tags, a record size, a throughput and a strategy of
//! distribution, which the engine does not know. UpdateStreamRecordDistributionStrategy.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::persist::Pending;
use super::resolve::Resource;
use super::{Kinesis, engine, invalid, tags, text};
use crate::error::AwsError;

/// Shards of a new on-demand stream.
/// <https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html>
const ON_DEMAND_SHARDS: u32 = 4;

impl Kinesis {
    pub(super) async fn create_stream(&self, input: Value) -> Result<Value, AwsError> {
        let mode = text(&input["StreamModeDetails"], "StreamMode");
        // Recorded: a stream made without a mode and without a count is on demand.
        let is_on_demand = mode == Some("ON_DEMAND") || mode.is_none() && input["ShardCount"].is_null();
        if is_on_demand && !input["ShardCount"].is_null() {
            return Err(invalid("ShardCount must not be provided for a stream in ON_DEMAND mode."));
        }
        let name = text(&input, "StreamName").unwrap_or_default().to_owned();
        let owner = Resource::Stream(name.clone()).owner(&self.shared.account_id);
        let extra = NewStream::read(&input, is_on_demand, &owner)?;
        let mut asked = input.clone();
        if is_on_demand {
            asked["ShardCount"] = ON_DEMAND_SHARDS.into();
            asked["StreamModeDetails"] = json!({ "StreamMode": "ON_DEMAND" });
        }
        let control = self.shared.control.lock().await;
        self.engine().call("CreateStream", &asked).await?;
        // Made, so that one of its name is gone, whether that was noticed or not.
        self.forget(&name);
        self.engine().update(&name, |stream| extra.apply(stream)).await?;
        let log = self.take_over(&name).await?;
        log.set_distributed(extra.is_distributed);
        log.set_pending(Some(Pending { operation: "CreateStream".to_owned(), input }));
        drop(control);
        self.follow(&name).await;
        Ok(Value::Null)
    }

    pub(super) async fn set_distribution(&self, input: &Value) -> Result<Value, AwsError> {
        let name = text(input, "StreamName").unwrap_or_default();
        let is_on_demand = engine::is_on_demand(&self.engine().stream(name).await?);
        let is_distributed = distribution(input, is_on_demand)?;
        self.stream_log(name).await?.set_distributed(is_distributed);
        self.refresh(name).await?;
        Ok(Value::Null)
    }
}

pub(super) fn strategy(is_distributed: bool) -> &'static str {
    if is_distributed { "AUTO" } else { "USER_PARTITION_KEY" }
}

/// Whether a request asks for records to be distributed.
fn distribution(input: &Value, is_on_demand: bool) -> Result<bool, AwsError> {
    match text(input, "RecordDistributionStrategy") {
        None | Some("USER_PARTITION_KEY") => Ok(false),
        Some(_) if is_on_demand => Ok(true),
        Some(_) => Err(invalid("RecordDistributionStrategy AUTO needs a stream in ON_DEMAND mode.")),
    }
}

/// What CreateStream takes besides what the engine does.
struct NewStream {
    is_on_demand: bool,
    tags: BTreeMap<String, String>,
    max_record_size_kib: Option<u32>,
    warm_throughput_mibps: Option<u32>,
    is_distributed: bool,
}

impl NewStream {
    fn read(input: &Value, is_on_demand: bool, owner: &str) -> Result<Self, AwsError> {
        let number = |name: &str| input[name].as_u64().map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        let max_record_size_kib = number("MaxRecordSizeInKiB");
        let tags = tags::checked(input, owner)?;
        let warm_throughput_mibps = number("WarmThroughputMiBps");
        let is_distributed = distribution(input, is_on_demand)?;
        Ok(Self { is_on_demand, tags, max_record_size_kib, warm_throughput_mibps, is_distributed })
    }

    fn apply(&self, stream: &mut ferrokinesis::types::Stream) {
        if self.is_on_demand {
            engine::set_on_demand(stream);
        }
        stream.tags.extend(self.tags.clone());
        stream.max_record_size_kib = self.max_record_size_kib.unwrap_or(stream.max_record_size_kib);
        stream.warm_throughput_mibps = self.warm_throughput_mibps.unwrap_or(stream.warm_throughput_mibps);
    }
}
