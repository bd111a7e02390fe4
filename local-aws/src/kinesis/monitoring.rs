//! EnableEnhancedMonitoring and DisableEnhancedMonitoring. No metrics are published.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Kinesis;
use super::addressing::StreamAddress;
use crate::error::AwsError;

/// The metrics that `ALL` stands for.
const METRICS: [&str; 7] = [
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EnhancedMonitoring {
    #[serde(flatten)]
    stream: StreamAddress,
    shard_level_metrics: Vec<String>,
}

pub fn enable_enhanced_monitoring(kinesis: &Kinesis, request: EnhancedMonitoring) -> Result<Value, AwsError> {
    set_metrics(kinesis, request, |enabled, named| match named {
        Metrics::All => METRICS.map(str::to_owned).to_vec(),
        Metrics::Named(named) => {
            let mut desired = enabled.to_vec();
            for metric in named {
                if !desired.contains(&metric) {
                    desired.push(metric);
                }
            }
            desired
        }
    })
}

pub fn disable_enhanced_monitoring(kinesis: &Kinesis, request: EnhancedMonitoring) -> Result<Value, AwsError> {
    set_metrics(kinesis, request, |enabled, named| match named {
        Metrics::All => Vec::new(),
        Metrics::Named(named) => enabled.iter().filter(|metric| !named.contains(metric)).cloned().collect(),
    })
}

/// The metrics that a request names.
enum Metrics {
    All,
    Named(Vec<String>),
}

fn set_metrics(
    kinesis: &Kinesis,
    request: EnhancedMonitoring,
    change: impl FnOnce(&[String], Metrics) -> Vec<String>,
) -> Result<Value, AwsError> {
    let stream = kinesis.addressed(request.stream)?;
    let is_all = request.shard_level_metrics.iter().any(|metric| metric == "ALL");
    let named = if is_all { Metrics::All } else { Metrics::Named(request.shard_level_metrics) };
    stream.update(|state| {
        let metrics = &mut state.configuration.shard_level_metrics;
        let desired = change(metrics, named);
        let current = std::mem::replace(metrics, desired);
        Ok(json!({
            "StreamName": stream.name,
            "StreamARN": stream.arn,
            "CurrentShardLevelMetrics": current,
            "DesiredShardLevelMetrics": metrics,
        }))
    })
}
