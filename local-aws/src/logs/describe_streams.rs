//! DescribeLogStreams: lists streams by name or by the time of their last event.

use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::AwsError;

use super::Logs;
use super::page_token::{self, invalid_token};
use super::put_events::upload_sequence_token;
use super::state::Group;
use super::stream_map::{Stream, TimeKey};
use super::validation::{invalid_parameter, page_size};

const BY_TIME: &str = "LastEventTime";

/// The most streams of a page, and the default.
const MAX_PAGE_STREAMS: usize = 50;

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
    log_streams: Vec<LogStream>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// A stream's description. The members about events are absent until it has some (recorded).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogStream {
    log_stream_name: String,
    creation_time: i64,
    arn: String,
    /// "Starting on June 17, 2019, this parameter is no longer supported for log streams, and is always reported as zero".
    stored_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_event_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_ingestion_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_sequence_token: Option<String>,
}

impl Logs {
    pub(super) fn describe_log_streams(&self, input: DescribeLogStreams) -> Result<LogStreams, AwsError> {
        let limit = page_size(input.limit, MAX_PAGE_STREAMS);
        let by_time = input.order_by.as_deref() == Some(BY_TIME);
        if by_time && input.log_stream_name_prefix.is_some() {
            return Err(invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix."));
        }
        let name = self.group_name(input.log_group_name, input.log_group_identifier)?;
        let is_descending = input.descending.unwrap_or_default();
        let arn = self.group_arn(&name);
        let listing = format!("{arn} by_time={by_time} is_descending={is_descending}");
        let after = input.next_token.as_deref().map(|token| read_token(&listing, token)).transpose()?;

        let state = self.read();
        let group = state.group(&name)?;
        // One more than the page, to know whether there is another page.
        let count = limit + 1;
        let mut keys = if by_time {
            by_time_page(group, after, is_descending, count)
        } else {
            let prefix = input.log_stream_name_prefix.unwrap_or_default();
            by_name_page(group, &prefix, after, is_descending, count)
        };
        let has_more = keys.len() > limit;
        keys.truncate(limit);
        let next_token = keys.last().filter(|_| has_more).map(|key| write_token(&listing, key));
        let described = |(_, name): &TimeKey| Some(LogStream::new(&arn, name, group.streams.get(name)?));
        Ok(LogStreams { log_streams: keys.iter().filter_map(described).collect(), next_token })
    }
}

/// The keys of a page by time, after the last key of the page before it.
fn by_time_page(group: &Group, after: Option<TimeKey>, is_descending: bool, count: usize) -> Vec<TimeKey> {
    let after = after.map_or(Bound::Unbounded, Bound::Excluded);
    if is_descending {
        group.streams.range_by_time((Bound::Unbounded, after)).rev().take(count).cloned().collect()
    } else {
        group.streams.range_by_time((after, Bound::Unbounded)).take(count).cloned().collect()
    }
}

/// The keys of a page by name, without times, after the last name of the page before it.
fn by_name_page(
    group: &Group,
    prefix: &str,
    after: Option<TimeKey>,
    is_descending: bool,
    count: usize,
) -> Vec<TimeKey> {
    let after = after.map(|(_, name)| name);
    let (mut start, mut end) = (Bound::Included(prefix), Bound::Unbounded);
    let prefix_end = prefix_end(prefix);
    if let Some(prefix_end) = &prefix_end {
        end = Bound::Excluded(prefix_end.as_str());
    }
    if let Some(after) = after.as_deref() {
        // A token of another prefix can be beyond either end.
        if is_descending && end_is_after(end, after) {
            end = Bound::Excluded(after.max(prefix));
        } else if !is_descending && after >= prefix {
            if !end_is_after(end, after) {
                return Vec::new();
            }
            start = Bound::Excluded(after);
        }
    }
    let key = |(name, _): (&Arc<str>, &Stream)| (None, Arc::clone(name));
    let streams = group.streams.range_by_name((start, end));
    if is_descending { streams.rev().take(count).map(key).collect() } else { streams.take(count).map(key).collect() }
}

fn end_is_after(end: Bound<&str>, name: &str) -> bool {
    match end {
        Bound::Excluded(end) | Bound::Included(end) => name < end,
        Bound::Unbounded => true,
    }
}

/// The first text after all texts with this prefix. `None` if no text is.
fn prefix_end(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

fn write_token(listing: &str, (time, name): &TimeKey) -> String {
    page_token::encode(listing, &[&time.map(|time| time.to_string()).unwrap_or_default(), name])
}

fn read_token(listing: &str, token: &str) -> Result<TimeKey, AwsError> {
    let [time, name] = page_token::decode::<2>(listing, token)?;
    let time = if time.is_empty() { None } else { Some(time.parse().map_err(|_| invalid_token())?) };
    Ok((time, name.into()))
}

impl LogStream {
    fn new(group_arn: &str, name: &str, stream: &Stream) -> Self {
        let totals = stream.events.totals();
        Self {
            log_stream_name: name.to_string(),
            creation_time: stream.created,
            arn: format!("{group_arn}:log-stream:{name}"),
            stored_bytes: 0,
            first_event_timestamp: totals.span.map(|(first, _)| first.timestamp),
            last_event_timestamp: totals.span.map(|(_, last)| last.timestamp),
            last_ingestion_time: totals.last_ingestion,
            upload_sequence_token: totals.last_ingestion.map(upload_sequence_token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_with_a_prefix_is_before_its_end() {
        let ends = ["a", "a\u{10ffff}", "\u{d7ff}", "", "\u{10ffff}"].map(prefix_end);
        assert_eq!(ends, [Some("b".into()), Some("b".into()), Some("\u{e000}".into()), None, None]);
    }
}
