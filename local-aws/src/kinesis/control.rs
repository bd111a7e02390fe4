//! Streams and shards: what the engine lacks or does otherwise than AWS, answered or completed in front of it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use ferrokinesis::types::{Shard, StreamMode, StreamStatus};
use http::{Request, Response, header};
use serde::{Deserialize, Serialize};

use super::wire::Wire;
use super::{Kinesis, engine_error, stream_name};
use crate::http_api::{AwsError, MAX_BODY_BYTES};

/// Shards of a new on-demand stream.
/// <https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html>
const ON_DEMAND_SHARDS: u32 = 4;

/// The stream a request is for.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Target {
    pub stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
}

impl Target {
    pub fn name(&self) -> Option<String> {
        self.stream_name.clone().or_else(|| stream_name(self.stream_arn.as_deref()?).map(str::to_owned))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateStream {
    stream_name: Option<String>,
    shard_count: Option<u32>,
    stream_mode_details: Option<ModeDetails>,
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ModeDetails {
    stream_mode: StreamMode,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListShards {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    next_token: Option<String>,
    exclusive_start_shard_id: Option<String>,
    max_results: Option<usize>,
    shard_filter: Option<ShardFilter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ShardFilter {
    r#type: String,
    shard_id: Option<String>,
}

/// Where a page of ListShards goes on. It carries the stream, because a request with a token names none.
#[derive(Serialize, Deserialize)]
struct PageToken {
    stream: String,
    after: String,
    open_only: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListShardsAnswer {
    shards: Vec<Shard>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidArgumentException", message)
}

impl Kinesis {
    pub(super) fn target_name(&self, name: Option<String>, arn: Option<String>) -> Result<String, AwsError> {
        match (name, arn) {
            (Some(name), _) => Ok(name),
            (None, Some(arn)) => {
                stream_name(&arn).map(str::to_owned).ok_or_else(|| invalid(format!("{arn} is not a stream's ARN")))
            }
            (None, None) => Err(invalid("Either StreamName or StreamARN must be provided.")),
        }
    }

    /// The engine wants a shard count always, and takes neither a mode nor tags.
    pub(super) async fn create_stream(&self, wire: Wire, request: Request<Bytes>) -> Result<Response<Body>, AwsError> {
        let input: CreateStream = wire.read(request.body())?;
        let mode = input.stream_mode_details.map(|details| details.stream_mode);
        let request = match (mode, input.shard_count) {
            (Some(StreamMode::OnDemand), None) => {
                let (parts, body) = request.into_parts();
                Request::from_parts(parts, wire.set(&body, "ShardCount", ON_DEMAND_SHARDS)?)
            }
            (Some(StreamMode::OnDemand), Some(_)) => {
                return Err(invalid("ShardCount must not be provided for a stream in ON_DEMAND mode."));
            }
            _ => request,
        };
        let response = self.forward_change(wire, request).await?;
        if let Some(name) = input.stream_name
            && response.status().is_success()
        {
            let complete = |stream: &mut ferrokinesis::types::Stream| {
                stream.stream_mode_details.stream_mode = mode.unwrap_or(stream.stream_mode_details.stream_mode);
                stream.tags.extend(input.tags.unwrap_or_default());
                Ok(())
            };
            self.engine().update_stream(&name, complete).await.map_err(engine_error)?;
            self.writer(&name).incarnation.fetch_add(1, Ordering::Relaxed);
        }
        Ok(response)
    }

    /// The engine leaves out how large a record may be, which publishers go by.
    pub(super) async fn describe_stream_summary(
        &self,
        wire: Wire,
        request: Request<Bytes>,
    ) -> Result<Response<Body>, AwsError> {
        let target: Target = wire.read(request.body()).unwrap_or_default();
        let response = self.forward(wire, request).await?;
        let Some(name) = target.name().filter(|_| response.status().is_success()) else { return Ok(response) };
        let stream = self.engine().get_stream(&name).await.map_err(engine_error)?;
        let (mut parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await;
        let body = body.map_err(|error| AwsError::new(500, "InternalFailure", error.to_string()))?;
        let summary = &["StreamDescriptionSummary"];
        let body = wire.set_within(&body, summary, "MaxRecordSizeInKiB", stream.max_record_size_kib)?;
        parts.headers.remove(header::CONTENT_LENGTH);
        Ok(Response::from_parts(parts, Body::from(body)))
    }

    /// The engine knows neither ARNs nor filters, and its tokens do not carry the stream.
    pub(super) async fn list_shards(&self, wire: Wire, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let input: ListShards = wire.read(body)?;
        let limit = input.max_results.unwrap_or(1000);
        if !(1..=10_000).contains(&limit) {
            return Err(invalid(format!("MaxResults is {limit}, it must be between 1 and 10000.")));
        }
        let page = page_of(self, input)?;
        let stream = self.engine().get_stream(&page.stream).await.map_err(engine_error)?;
        let is_wanted = |shard: &Shard| {
            shard.shard_id > page.after
                && !(page.open_only && shard.sequence_number_range.ending_sequence_number.is_some())
        };
        let mut shards: Vec<_> = stream.shards.into_iter().filter(is_wanted).collect();
        let has_more = shards.len() > limit;
        shards.truncate(limit);
        let next_token = match shards.last() {
            Some(last) if has_more => Some(PageToken { after: last.shard_id.clone(), ..page }.encode()?),
            _ => None,
        };
        wire.answer(&ListShardsAnswer { shards, next_token })
    }

    /// Forwards a request that changes a stream's state or shards, and tells the stream's readers.
    pub(super) async fn forward_change(&self, wire: Wire, request: Request<Bytes>) -> Result<Response<Body>, AwsError> {
        let target: Target = wire.read(request.body()).unwrap_or_default();
        let response = self.forward(wire, request).await?;
        if let Some(name) = target.name()
            && response.status().is_success()
        {
            self.announce(name);
        }
        Ok(response)
    }

    /// Tells the stream's readers that it has changed, once the engine has carried the change out: it does so a few
    /// milliseconds after its answer.
    fn announce(&self, name: String) {
        let kinesis = self.clone();
        tokio::spawn(async move {
            let is_settled = async || match kinesis.engine().get_stream(&name).await {
                Ok(stream) => stream.stream_status == StreamStatus::Active,
                Err(_) => true,
            };
            while !is_settled().await {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            kinesis.writer(&name).changed();
        });
    }
}

fn page_of(kinesis: &Kinesis, input: ListShards) -> Result<PageToken, AwsError> {
    if let Some(token) = input.next_token {
        if input.stream_name.is_some() || input.stream_arn.is_some() {
            return Err(invalid("NextToken and StreamName cannot be provided together."));
        }
        return PageToken::decode(&token);
    }
    let stream = kinesis.target_name(input.stream_name, input.stream_arn)?;
    let mut page = PageToken { stream, after: input.exclusive_start_shard_id.unwrap_or_default(), open_only: false };
    match input.shard_filter {
        None => {}
        Some(filter) => match filter.r#type.as_str() {
            "AT_LATEST" => page.open_only = true,
            "AT_TRIM_HORIZON" | "FROM_TRIM_HORIZON" => {}
            "AFTER_SHARD_ID" => {
                page.after = filter.shard_id.ok_or_else(|| invalid("ShardFilter AFTER_SHARD_ID needs a ShardId."))?;
            }
            other => {
                return Err(invalid(format!("The local endpoint does not answer the shard filter {other} yet.")));
            }
        },
    }
    Ok(page)
}

impl PageToken {
    fn encode(&self) -> Result<String, AwsError> {
        let json =
            serde_json::to_vec(self).map_err(|error| AwsError::new(500, "InternalFailure", error.to_string()))?;
        Ok(base64_simd::STANDARD.encode_to_string(json))
    }

    fn decode(token: &str) -> Result<Self, AwsError> {
        base64_simd::STANDARD
            .decode_to_vec(token)
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| AwsError::bad_request("ExpiredNextTokenException", "The specified NextToken is invalid."))
    }
}
