//! ListShards: the engine knows neither ARNs nor filters, and its tokens do not carry the stream.

use bytes::Bytes;
use ferrokinesis::types::Shard;
use http::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::log::{ShardLog, StreamLog};
use super::target::Target;
use super::wire::Wire;
use super::{Kinesis, invalid, now, typed};
use crate::error::AwsError;

/// Shards of an answer without a limit (Kinesis API, ListShards).
const PAGE: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListShards {
    #[serde(flatten)]
    target: Target,
    next_token: Option<String>,
    exclusive_start_shard_id: Option<String>,
    max_results: Option<usize>,
    shard_filter: Option<ShardFilter>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ShardFilter {
    r#type: FilterType,
    shard_id: Option<String>,
    /// Epoch seconds.
    timestamp: Option<f64>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum FilterType {
    AfterShardId,
    AtTrimHorizon,
    FromTrimHorizon,
    AtLatest,
    AtTimestamp,
    FromTimestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListShardsAnswer {
    shards: Vec<Shard>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Where a listing goes on. It carries the stream, because a request with a token names none.
#[derive(Serialize, Deserialize)]
struct Page {
    stream: String,
    after: String,
    filter: Option<ShardFilter>,
}

impl Kinesis {
    pub(super) async fn list_shards(&self, wire: Wire, input: Value) -> Result<Response<Bytes>, AwsError> {
        let input: ListShards = typed(input)?;
        let limit = input.max_results.unwrap_or(PAGE);
        let page = self.page(input)?;
        // It names the parents of new shards first.
        let log = self.stream_log(&page.stream).await?;
        let described = self.engine().stream(&page.stream).await?;
        let wanted = page.filter.as_ref().map(|filter| Wanted::of(filter, &log)).transpose()?;
        let is_wanted = |id: &str| {
            id > page.after.as_str()
                && wanted.as_ref().is_none_or(|wanted| log.shard(id).is_some_and(|shard| wanted.has(&shard)))
        };
        let mut shards: Vec<_> = described.shards.into_iter().filter(|shard| is_wanted(&shard.shard_id)).collect();
        let has_more = shards.len() > limit;
        shards.truncate(limit);
        let last = shards.last().filter(|_| has_more).map(|last| last.shard_id.clone());
        let next_token = last.map(|after| Page { after, ..page }.encode());
        wire.answer(&ListShardsAnswer { shards, next_token })
    }

    /// What a request asks for: where a token leads to, or what it names itself, never both.
    fn page(&self, input: ListShards) -> Result<Page, AwsError> {
        let ListShards { target, next_token, exclusive_start_shard_id, shard_filter, .. } = input;
        let Some(token) = next_token else {
            let after = exclusive_start_shard_id.unwrap_or_default();
            return Ok(Page { stream: self.name_of(target)?, after, filter: shard_filter });
        };
        if target.stream_name.is_some() || target.stream_arn.is_some() {
            return Err(invalid("NextToken and StreamName cannot be provided together."));
        }
        if exclusive_start_shard_id.is_some() {
            return Err(invalid("NextToken and ExclusiveStartShardId cannot be provided together."));
        }
        Page::decode(&token)
    }
}

/// The shards that a filter lets pass: the ID of the last before them, and the time at or from which they are open.
struct Wanted {
    after: String,
    /// Open at this time, in epoch milliseconds, or later.
    from: u64,
    /// Open before this time or at it.
    until: u64,
}

impl Wanted {
    fn of(filter: &ShardFilter, log: &StreamLog) -> Result<Self, AwsError> {
        let now = now();
        let horizon = log.shards().settings.cutoff(now);
        let time = || match filter.timestamp {
            Some(seconds) => Ok(horizon.max((seconds * 1000.0) as u64)),
            None => Err(invalid("A ShardFilter of this type needs a Timestamp.")),
        };
        let from = |from: u64| Self { after: String::new(), from, until: u64::MAX };
        // Before there was a shard, the first ones are what was open.
        let at = |time: u64| Self { until: time.max(oldest(log)), ..from(time.max(oldest(log))) };
        Ok(match filter.r#type {
            FilterType::AfterShardId => {
                let after = filter.shard_id.clone();
                let after = after.ok_or_else(|| invalid("A ShardFilter of type AFTER_SHARD_ID needs a ShardId."))?;
                Self { after, ..from(0) }
            }
            FilterType::AtLatest => from(u64::MAX),
            FilterType::AtTrimHorizon => at(horizon),
            FilterType::FromTrimHorizon => from(horizon),
            FilterType::AtTimestamp => at(time()?),
            FilterType::FromTimestamp => from(time()?),
        })
    }

    /// A shard that closed at a time was open until then, its children are from then on.
    fn has(&self, shard: &ShardLog) -> bool {
        shard.id > self.after && shard.opened <= self.until && shard.closed().is_none_or(|closed| closed > self.from)
    }
}

/// Epoch milliseconds at which the stream's first shards were made.
fn oldest(log: &StreamLog) -> u64 {
    log.shards().all.iter().map(|shard| shard.opened).min().unwrap_or_default()
}

impl Page {
    fn encode(&self) -> String {
        base64_simd::STANDARD.encode_to_string(json!(self).to_string())
    }

    fn decode(token: &str) -> Result<Self, AwsError> {
        let json = base64_simd::STANDARD.decode_to_vec(token).ok();
        json.and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| AwsError::bad_request("ExpiredNextTokenException", "The specified NextToken is invalid."))
    }
}
