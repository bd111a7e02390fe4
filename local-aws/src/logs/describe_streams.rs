//! DescribeLogStreams: by name, or by the time of the last event.

use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::AwsError;

use super::Logs;
use super::page_token::{self, invalid_token};
use super::put_events::upload_sequence_token;
use super::state::{Group, Stream};
use super::validation::{Checks, invalid_parameter};

const BY_NAME: &str = "LogStreamName";
const BY_TIME: &str = "LastEventTime";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeLogStreams {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    descending: Option<bool>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogStreams {
    log_streams: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// What streams are ordered by: the last event's timestamp (none sorts first), then the name. By name, the time is none.
type Key = (Option<i64>, Arc<str>);

impl Logs {
    pub(super) fn describe_log_streams(&self, input: DescribeLogStreams) -> Result<LogStreams, AwsError> {
        let mut checks = Checks::default();
        let limit = checks.limit(input.limit, 50);
        let order = input.order_by.as_deref().unwrap_or(BY_NAME);
        checks.one_of("orderBy", order, &[BY_NAME, BY_TIME]);
        if let Some(prefix) = &input.log_stream_name_prefix {
            checks.stream_name("logStreamNamePrefix", prefix);
        }
        checks.finish()?;
        let by_time = order == BY_TIME;
        if by_time && input.log_stream_name_prefix.is_some() {
            return Err(invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix."));
        }
        let name = self.group_name(input.log_group_name, input.log_group_identifier)?;
        let after = input.next_token.as_deref().map(|token| read_token(token, by_time)).transpose()?;
        let prefix = input.log_stream_name_prefix.unwrap_or_default();

        let state = self.read();
        let group = state.group(&name)?;
        // By name and upwards, a page touches only its own streams.
        let is_in_place = !by_time && !input.descending.unwrap_or_default();
        let (from, most) = match (is_in_place, &after) {
            (true, Some((_, name))) => (name.as_ref().max(prefix.as_str()), limit + 2),
            (true, None) => (prefix.as_str(), limit + 1),
            (false, _) => (prefix.as_str(), usize::MAX),
        };
        let mut keys = keys(group, &prefix, from, most, by_time);
        if input.descending.unwrap_or_default() {
            keys.reverse();
            keys.retain(|key| after.as_ref().is_none_or(|after| key < after));
        } else {
            keys.retain(|key| after.as_ref().is_none_or(|after| key > after));
        }
        let more = keys.len() > limit;
        keys.truncate(limit);
        let next_token = keys.last().filter(|_| more).map(write_token);
        let arn = self.group_arn(&name);
        let log_streams = keys.iter().filter_map(|(_, name)| Some(describe(&arn, name, group.streams.get(name)?)));
        Ok(LogStreams { log_streams: log_streams.collect(), next_token })
    }
}

/// The keys of the first `most` streams from a name on that have this prefix, ascending.
fn keys(group: &Group, prefix: &str, from: &str, most: usize, by_time: bool) -> Vec<Key> {
    let streams = group.streams.range::<str, _>((Bound::Included(from), Bound::Unbounded));
    let named = streams.take_while(|(name, _)| name.starts_with(prefix)).take(most);
    let mut keys: Vec<Key> = named
        .map(|(name, stream)| {
            let last = stream.events.totals().span.map(|(_, last)| last.timestamp);
            (last.filter(|_| by_time), Arc::clone(name))
        })
        .collect();
    keys.sort();
    keys
}

fn write_token((time, name): &Key) -> String {
    page_token::encode(&[&time.map(|time| time.to_string()).unwrap_or_default(), name])
}

fn read_token(token: &str, by_time: bool) -> Result<Key, AwsError> {
    let [time, name] = page_token::decode::<2>(token)?;
    let time = if time.is_empty() { None } else { Some(time.parse().map_err(|_| invalid_token())?) };
    if time.is_some() && !by_time {
        return Err(invalid_token());
    }
    Ok((time, name.into()))
}

/// A stream's size is always 0 ("Starting on June 17, 2019, this parameter is no longer supported for log streams, and
/// is always reported as zero"); what speaks of events is there once it has some (recorded).
fn describe(group_arn: &str, name: &str, stream: &Stream) -> Value {
    let mut described = json!({
        "logStreamName": name,
        "creationTime": stream.created,
        "arn": format!("{group_arn}:log-stream:{name}"),
        "storedBytes": 0,
    });
    let totals = stream.events.totals();
    if let Some((first, last)) = totals.span {
        described["firstEventTimestamp"] = first.timestamp.into();
        described["lastEventTimestamp"] = last.timestamp.into();
    }
    if let Some(ingestion) = totals.last_ingestion {
        described["lastIngestionTime"] = ingestion.into();
        described["uploadSequenceToken"] = upload_sequence_token(ingestion).into();
    }
    described
}
