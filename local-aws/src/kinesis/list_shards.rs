//! ListShards: the engine knows neither ARNs nor filters, and its tokens do not carry the stream.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::log::{ShardLog, StreamLog};
use super::{Kinesis, Target, invalid, now};
use crate::http_api::AwsError;

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

/// Where a listing goes on. It carries the stream, because a request with a token names none.
#[derive(Serialize, Deserialize)]
struct Page {
    stream: String,
    after: String,
    filter: Option<ShardFilter>,
}

impl Kinesis {
    pub(super) async fn list_shards(&self, input: Value) -> Result<Value, AwsError> {
        self.engine().check("ListShards", &input)?;
        let input: ListShards = serde_json::from_value(input)
            .map_err(|error| AwsError::bad_request("SerializationException", error.to_string()))?;
        let limit = input.max_results.unwrap_or(PAGE);
        let page = Page::of(input)?;
        let described = self.engine().stream(&page.stream).await?;
        let log = self.stream_log(&page.stream).await?;
        let wanted = page.filter.as_ref().map(|filter| wanted(filter, &log)).transpose()?;
        let is_wanted = |id: &str| {
            id > page.after.as_str()
                && wanted.as_ref().is_none_or(|wanted| log.shard(id).is_some_and(|shard| wanted(&shard)))
        };
        let mut shards: Vec<_> = described.shards.into_iter().filter(|shard| is_wanted(&shard.shard_id)).collect();
        let has_more = shards.len() > limit;
        shards.truncate(limit);
        let mut answer = json!({ "Shards": shards });
        if let Some(last) = shards.last().filter(|_| has_more) {
            answer["NextToken"] = Page { after: last.shard_id.clone(), ..page }.encode().into();
        }
        Ok(answer)
    }
}

type ShardTest = Box<dyn Fn(&ShardLog) -> bool>;

/// Which shards a filter lets pass.
fn wanted(filter: &ShardFilter, log: &StreamLog) -> Result<ShardTest, AwsError> {
    let horizon = log.shards().settings.cutoff(now());
    let time = || match filter.timestamp {
        Some(seconds) => Ok(horizon.max((seconds * 1000.0) as u64)),
        None => Err(invalid("A ShardFilter of this type needs a Timestamp.")),
    };
    // A shard that closed at a time was open until then, its children are from then on.
    let from = |time: u64| move |shard: &ShardLog| shard.closed().is_none_or(|closed| closed > time);
    let at = |time: u64| move |shard: &ShardLog| from(time)(shard) && shard.opened <= time;
    Ok(match filter.r#type {
        FilterType::AfterShardId => {
            let after = filter.shard_id.clone();
            let after = after.ok_or_else(|| invalid("A ShardFilter of type AFTER_SHARD_ID needs a ShardId."))?;
            Box::new(move |shard| shard.id > after)
        }
        FilterType::AtLatest => Box::new(|shard| shard.closed().is_none()),
        FilterType::AtTrimHorizon => Box::new(at(horizon.max(oldest(log)))),
        FilterType::FromTrimHorizon => Box::new(from(horizon)),
        FilterType::AtTimestamp => Box::new(at(time()?.max(oldest(log)))),
        FilterType::FromTimestamp => Box::new(from(time()?)),
    })
}

/// Epoch milliseconds at which the stream's first shards were made.
fn oldest(log: &StreamLog) -> u64 {
    log.shards().all.iter().map(|shard| shard.opened).min().unwrap_or_default()
}

impl Page {
    fn of(input: ListShards) -> Result<Self, AwsError> {
        let ListShards { target, next_token, exclusive_start_shard_id, shard_filter, .. } = input;
        if let Some(token) = next_token {
            if target.require().is_ok() {
                return Err(invalid("NextToken and StreamName cannot be provided together."));
            }
            return Self::decode(&token);
        }
        let after = exclusive_start_shard_id.unwrap_or_default();
        Ok(Self { stream: target.require()?, after, filter: shard_filter })
    }

    fn encode(&self) -> String {
        base64_simd::STANDARD.encode_to_string(json!(self).to_string())
    }

    fn decode(token: &str) -> Result<Self, AwsError> {
        let json = base64_simd::STANDARD.decode_to_vec(token).ok();
        json.and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| AwsError::bad_request("ExpiredNextTokenException", "The specified NextToken is invalid."))
    }
}
