//! CreateStream: on-demand streams need no shard count, and there are tags, a record size, a throughput and a strategy of
//! distribution, which the engine does not know. UpdateStreamRecordDistributionStrategy.

use kinesis_event_logger_core::limits::MAX_RECORD_SIZE_KIB;
use serde_json::{Map, Value, json};

use super::persist::Pending;
use super::{Kinesis, engine, invalid, tags, text, violation};
use crate::error::AwsError;

/// Shards of a new on-demand stream.
/// <https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html>
const ON_DEMAND_SHARDS: u32 = 4;

impl Kinesis {
    pub(super) async fn create_stream(&self, input: Value) -> Result<Value, AwsError> {
        let mode = text(&input["StreamModeDetails"], "StreamMode");
        if let Some(other) = mode.filter(|mode| !["PROVISIONED", "ON_DEMAND"].contains(mode)) {
            return Err(violation(
                &format!("Value '{other}' at 'streamModeDetails.streamMode'"),
                "satisfy enum value set: [PROVISIONED, ON_DEMAND]",
            ));
        }
        // Recorded: a stream made without a mode and without a count is on demand.
        let is_on_demand = mode == Some("ON_DEMAND") || mode.is_none() && input["ShardCount"].is_null();
        if is_on_demand && !input["ShardCount"].is_null() {
            return Err(invalid("ShardCount must not be provided for a stream in ON_DEMAND mode."));
        }
        let extra = NewStream::read(&input, is_on_demand)?;
        let mut asked = input.clone();
        if is_on_demand {
            asked["ShardCount"] = ON_DEMAND_SHARDS.into();
            asked["StreamModeDetails"] = json!({ "StreamMode": "ON_DEMAND" });
        }
        let name = text(&input, "StreamName").unwrap_or_default().to_owned();
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
        let name = text(input, "StreamName").ok_or_else(|| invalid("StreamARN must be provided."))?;
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
        Some("AUTO") if is_on_demand => Ok(true),
        Some("AUTO") => Err(invalid("RecordDistributionStrategy AUTO needs a stream in ON_DEMAND mode.")),
        Some(other) => Err(violation(
            &format!("Value '{other}' at 'recordDistributionStrategy'"),
            "satisfy enum value set: [AUTO, USER_PARTITION_KEY]",
        )),
    }
}

/// What CreateStream takes besides what the engine does.
struct NewStream {
    is_on_demand: bool,
    tags: Map<String, Value>,
    max_record_size_kib: Option<u32>,
    warm_throughput_mibps: Option<u32>,
    is_distributed: bool,
}

impl NewStream {
    fn read(input: &Value, is_on_demand: bool) -> Result<Self, AwsError> {
        let number = |name: &str| input[name].as_u64().map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        let max_record_size_kib = number("MaxRecordSizeInKiB");
        if max_record_size_kib.is_some_and(|kib| !MAX_RECORD_SIZE_KIB.contains(&kib)) {
            return Err(invalid("MaxRecordSizeInKiB must be between 1024 and 10240."));
        }
        let tags = if input["Tags"].is_null() { Map::new() } else { tags::checked(input)? };
        let warm_throughput_mibps = number("WarmThroughputMiBps");
        let is_distributed = distribution(input, is_on_demand)?;
        Ok(Self { is_on_demand, tags, max_record_size_kib, warm_throughput_mibps, is_distributed })
    }

    fn apply(&self, stream: &mut ferrokinesis::types::Stream) {
        if self.is_on_demand {
            engine::set_on_demand(stream);
        }
        stream.tags.extend(tags::texts(&self.tags));
        stream.max_record_size_kib = self.max_record_size_kib.unwrap_or(stream.max_record_size_kib);
        stream.warm_throughput_mibps = self.warm_throughput_mibps.unwrap_or(stream.warm_throughput_mibps);
    }
}
