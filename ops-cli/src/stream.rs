//! A stream: its description, and the positions of its records.

pub mod fetch;
pub mod position;

use aws_sdk_kinesis::types::{ShardIteratorType, StreamDescriptionSummary};
use kinesis_event_logger_core::limits;

use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::output::counted;

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

/// Counts the oldest records of the stream, for a person: `3 records`, `more than 1000 records`. Reads one page of each of the first
/// shards. Returns `None` if they cannot be read.
pub async fn count_records(aws: &Aws, stream: &str) -> Option<String> {
    const SHARDS: i32 = 10;
    const PAGE: i32 = 1000;
    let request = aws.kinesis().list_shards().stream_name(stream).max_results(SHARDS);
    let shards = request.send().await.ok()?.shards?;
    let mut count = 0;
    for shard in shards {
        let request = aws.kinesis().get_shard_iterator().stream_name(stream).shard_id(shard.shard_id);
        let iterator = request.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.ok()?.shard_iterator?;
        let page = aws.kinesis().get_records().shard_iterator(iterator).limit(PAGE).send().await.ok()?;
        count += page.records.len() as u64;
        if page.records.len() >= PAGE as usize {
            return Some(format!("more than {PAGE} records"));
        }
    }
    Some(counted(count, "record"))
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
