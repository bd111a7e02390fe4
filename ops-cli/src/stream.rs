//! A stream: its description, and the positions of its records.

pub mod fetch;
pub mod position;

use aws_sdk_kinesis::types::{ConsumerDescription, ShardIteratorType, StreamDescriptionSummary};
use kinesis_event_logger_core::limits;
use kinesis_event_logger_core::similar::similar;

use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::output::counted;

/// The stream's summary; `None` if the stream does not exist.
pub async fn summary(aws: &Aws, name: &str) -> Result<Option<StreamDescriptionSummary>> {
    let request = aws.kinesis().describe_stream_summary().stream_name(name);
    let answer = aws.find(format!("describe the stream {name}"), || request.clone().send()).await?;
    Ok(answer.and_then(|answer| answer.stream_description_summary))
}

/// The description of a consumer; `None` if the stream or the consumer does not exist.
pub async fn consumer(aws: &Aws, stream_arn: &str, name: &str) -> Result<Option<ConsumerDescription>> {
    let request = aws.kinesis().describe_stream_consumer().stream_arn(stream_arn).consumer_name(name);
    let answer = aws.find(format!("describe the consumer {name}"), || request.clone().send()).await?;
    Ok(answer.and_then(|answer| answer.consumer_description))
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

/// The stream's summary.
///
/// # Errors
/// The stream does not exist.
pub async fn existing(aws: &Aws, stream: &str) -> Result<StreamDescriptionSummary> {
    match summary(aws, stream).await? {
        Some(summary) => Ok(summary),
        None => Err(not_found(aws, stream).await),
    }
}

/// The number of pages of stream names that are read to suggest one.
const PAGES_FOR_SUGGESTIONS: usize = 10;

/// Returns the error for a stream that does not exist, with similar names.
pub async fn not_found(aws: &Aws, stream: &str) -> Error {
    let names = names(aws).await.unwrap_or_default();
    let similar = similar(stream, names.iter().map(String::as_str));
    let similar = if similar.is_empty() { String::new() } else { format!("similar names: {}; ", similar.join(", ")) };
    Error::failed(format!("there is no stream {stream} in {}", aws.region)).hint(format!(
        "{similar}create it with `ops-cli provision --zip FILE`, or check --stream, --app, --stage and --region"
    ))
}

async fn names(aws: &Aws) -> Result<Vec<String>> {
    let (client, mut names) = (aws.kinesis(), Vec::new());
    for _ in 0..PAGES_FOR_SUGGESTIONS {
        let request = client.list_streams().set_exclusive_start_stream_name(names.last().cloned());
        let page = aws.call("list the streams", || request.clone().send()).await?;
        names.extend(page.stream_names);
        if !page.has_more_streams {
            break;
        }
    }
    Ok(names)
}
