//! A stream: its description, and the positions of its records.

pub mod fetch;
pub mod position;

use aws_sdk_kinesis::types::StreamDescriptionSummary;
use kinesis_event_logger_core::limits;

use crate::aws::Aws;
use crate::error::{Error, Result};

/// The stream's summary; `None` if the stream does not exist.
pub async fn summary(aws: &Aws, name: &str) -> Result<Option<StreamDescriptionSummary>> {
    let request = aws.kinesis().describe_stream_summary().stream_name(name);
    let answer = aws.find(format!("describe the stream {name}"), || request.clone().send()).await?;
    Ok(answer.and_then(|answer| answer.stream_description_summary))
}

/// The maximum bytes of a record of the stream, including its partition key.
pub async fn record_limit(aws: &Aws, stream: &str) -> Result<usize> {
    let summary = existing(aws, stream).await?;
    Ok(summary.max_record_size_in_kib.map_or(limits::RECORD_BYTES, |kib| kib as usize * 1024))
}

/// The time for which the stream stores records.
pub async fn retention_hours(aws: &Aws, stream: &str) -> Result<i32> {
    Ok(existing(aws, stream).await?.retention_period_hours)
}

async fn existing(aws: &Aws, stream: &str) -> Result<StreamDescriptionSummary> {
    summary(aws, stream).await?.ok_or_else(|| {
        Error::failed(format!("there is no stream {stream} in {}", aws.region))
            .hint("create it with `ops-cli provision --zip FILE`, or check --stream, --app, --stage and --region")
    })
}
