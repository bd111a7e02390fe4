//! ListShards.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::addressing::StreamAddress;
use super::describe_stream::ShardAnswer;
use super::shard::Shard;
use super::stream::StreamState;
use super::{Kinesis, invalid, now, page_token};
use crate::error::AwsError;

/// The most shards of a page without a limit (Kinesis API, ListShards).
const PAGE: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListShards {
    #[serde(flatten)]
    stream: StreamAddress,
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
pub struct ListShardsAnswer {
    shards: Vec<ShardAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// The position where a listing continues. It contains the stream, because a request with a token does not name it.
#[derive(Serialize, Deserialize)]
struct Page {
    stream: String,
    after: String,
    filter: Option<ShardFilter>,
}

pub fn list_shards(kinesis: &Kinesis, request: ListShards) -> Result<ListShardsAnswer, AwsError> {
    let limit = request.max_results.unwrap_or(PAGE);
    let page = kinesis.page(request)?;
    let stream = kinesis.available(&page.stream)?;
    let state = stream.state();
    let selection = page.filter.as_ref().map(|filter| ShardSelection::of(filter, &state)).transpose()?;
    let is_selected = |shard: &&Arc<Shard>| {
        shard.id > page.after && selection.as_ref().is_none_or(|selection| selection.contains(shard))
    };
    let mut shards: Vec<_> = state.shards().iter().filter(is_selected).take(limit + 1).collect();
    let has_more = shards.len() > limit;
    shards.truncate(limit);
    let last = shards.last().filter(|_| has_more).map(|last| last.id.clone());
    let next_token = last.map(|after| page_token::encode(&kinesis.stream_arn(""), &Page { after, ..page }));
    Ok(ListShardsAnswer { shards: shards.into_iter().map(ShardAnswer::of).collect(), next_token })
}

impl Kinesis {
    /// The requested page: the token's position or the one that the request names, never both.
    fn page(&self, request: ListShards) -> Result<Page, AwsError> {
        let ListShards { stream, next_token, exclusive_start_shard_id, shard_filter, .. } = request;
        let Some(token) = next_token else {
            if stream.stream_name.is_none() && stream.stream_arn.is_none() {
                // Recorded before streams had ARNs.
                return Err(invalid("Either NextToken or StreamName should be provided."));
            }
            let after = exclusive_start_shard_id.unwrap_or_default();
            return Ok(Page { stream: self.name_of(stream)?, after, filter: shard_filter });
        };
        if stream.stream_name.is_some() || stream.stream_arn.is_some() {
            return Err(invalid("NextToken and StreamName cannot be provided together."));
        }
        if exclusive_start_shard_id.is_some() {
            return Err(invalid("NextToken and ExclusiveStartShardId cannot be provided together."));
        }
        page_token::decode(&self.stream_arn(""), &token)
    }
}

/// The shards that a filter selects: those after a shard ID that were open in a period of time.
struct ShardSelection {
    after: String,
    /// The start of the period, in epoch milliseconds.
    from: u64,
    /// The end of the period, inclusive.
    until: u64,
}

impl ShardSelection {
    fn of(filter: &ShardFilter, state: &StreamState) -> Result<Self, AwsError> {
        let now = now();
        let horizon = state.configuration.cutoff(now);
        let time = || match filter.timestamp {
            Some(seconds) => Ok(horizon.max((seconds * 1000.0) as u64)),
            None => Err(invalid("A ShardFilter of this type needs a Timestamp.")),
        };
        let from = |from: u64| Self { after: String::new(), from, until: u64::MAX };
        // A time before the first shards selects the first shards.
        let at = |time: u64| Self { until: time.max(oldest(state)), ..from(time.max(oldest(state))) };
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

    /// A shard that was closed at some time was open until then. Its children are open from then on.
    fn contains(&self, shard: &Shard) -> bool {
        shard.id > self.after && shard.opened <= self.until && shard.closed().is_none_or(|closed| closed > self.from)
    }
}

/// The creation time of the stream's first shards, in epoch milliseconds.
fn oldest(state: &StreamState) -> u64 {
    state.shards().iter().map(|shard| shard.opened).min().unwrap_or_default()
}
