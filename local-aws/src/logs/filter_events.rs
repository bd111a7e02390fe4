//! FilterLogEvents: searches the streams of a group in the order of time.
//!
//! The group's events have a total order (timestamp, then arrival), so a page token needs only the position where the page ended.
//! It also has the number of events that existed when paging began. Later events are left out. So paging ends however fast events
//! arrive, and every event that existed is returned once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::AwsError;
use crate::store::StoreError;

use super::Logs;
use super::event::{Position, StoredEvent};
use super::filter_pattern::FilterPattern;
use super::get_events::{MAX_PAGE_BYTES, MAX_PAGE_EVENTS};
use super::page_token::{self, invalid_token};
use super::state::{Group, State};
use super::stream_map::Stream;
use super::validation::{invalid_parameter, page_size};

/// The most events that are read under one lock, for which writers wait.
const CHUNK_EVENTS: usize = 4096;
/// The most bytes of events that one request reads. Its page ends there, even without events, as on AWS.
const MAX_SCANNED_BYTES: usize = 64 << 20;

/// `interleaved` is accepted and ignored: "all matched log events in the first page are interleaved" since 2019.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FilterLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
    start_from_head: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FilteredLogEvents {
    events: Vec<Value>,
    /// Always empty, as AWS's is since 2020.
    searched_log_streams: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// A validated request, without the position of its page.
struct Query {
    group: String,
    streams: SearchedStreams,
    start: i64,
    /// Included: "Events with a timestamp later than this time are not returned".
    end: i64,
    pattern: FilterPattern,
    limit: usize,
}

enum SearchedStreams {
    Named(Vec<String>),
    /// An empty prefix selects all streams.
    Prefixed(String),
}

/// The position where a page begins, and its direction.
#[derive(Clone, Copy)]
struct PageStart {
    /// Reading forward, the position of the first event. Reading backward, the first position that is not read.
    position: Position,
    direction: Direction,
    /// The sequence number of the first event that arrived after paging began.
    ceiling: u64,
}

/// "On subsequent requests, the `nextToken` determines the sort direction".
#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Forward,
    /// The latest events first.
    Backward,
}

/// 2024-01-01T00:00:00Z: `startFromHead` may be false from this start time on.
const OLDEST_BACKWARD: i64 = 1_704_067_200_000;

/// An event and its stream.
struct SearchedEvent {
    stream: Arc<str>,
    event: StoredEvent,
}

impl Logs {
    pub(super) fn filter_log_events(&self, input: FilterLogEvents) -> Result<FilteredLogEvents, AwsError> {
        let token = input.next_token.clone();
        let direction = direction(&input)?;
        let query = self.query(input)?;
        let mut page_start = match token {
            Some(token) => PageStart::parse(&token, &query.group)?,
            None => {
                let position = match direction {
                    Direction::Forward => Position::at(query.start),
                    Direction::Backward => Position::END,
                };
                PageStart { position, direction, ceiling: self.read().next_sequence }
            }
        };
        let mut events = vec![];
        let (mut scanned, mut returned) = (0, 0);
        loop {
            let wanted = query.chunk_size(events.len());
            let chunk = query.chunk(&self.read(), page_start, wanted, self.now())?;
            let last = chunk.len() < wanted;
            for found in chunk {
                let size = found.event.size();
                let matches = query.pattern.matches(&found.event.message);
                let full = events.len() == query.limit || (returned > 0 && returned + size > MAX_PAGE_BYTES);
                if (matches && full) || scanned > MAX_SCANNED_BYTES {
                    return Ok(FilteredLogEvents::page(events, Some(page_start.to_token(&query.group))));
                }
                if matches {
                    events.push(describe(&found));
                    returned += size;
                }
                scanned += size;
                page_start.position = match page_start.direction {
                    Direction::Forward => found.event.position.next(),
                    Direction::Backward => found.event.position,
                };
            }
            if last {
                return Ok(FilteredLogEvents::page(events, None));
            }
        }
    }

    fn query(&self, input: FilterLogEvents) -> Result<Query, AwsError> {
        let limit = page_size(input.limit, MAX_PAGE_EVENTS);
        let pattern = input.filter_pattern.unwrap_or_default();
        let streams = match (input.log_stream_names, input.log_stream_name_prefix) {
            (Some(_), Some(_)) => {
                let text = "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.";
                return Err(invalid_parameter(text));
            }
            (Some(mut names), None) => {
                names.sort();
                names.dedup();
                SearchedStreams::Named(names)
            }
            (None, prefix) => SearchedStreams::Prefixed(prefix.unwrap_or_default()),
        };
        Ok(Query {
            group: self.group_name(input.log_group_name, input.log_group_identifier)?,
            streams,
            start: input.start_time.unwrap_or(0),
            end: input.end_time.unwrap_or(i64::MAX),
            pattern: FilterPattern::parse(&pattern).map_err(|error| invalid_parameter(error.to_string()))?,
            limit,
        })
    }
}

impl FilteredLogEvents {
    fn page(events: Vec<Value>, next_token: Option<String>) -> Self {
        Self { events, searched_log_streams: [], next_token }
    }
}

impl Query {
    /// The number of events to read next. If every event matches, that is the rest of the page, and one to know whether there is
    /// another page.
    fn chunk_size(&self, found: usize) -> usize {
        if self.pattern.matches_everything() { (self.limit - found + 1).min(CHUNK_EVENTS) } else { CHUNK_EVENTS }
    }

    /// The first `count` events of the page, merged from the streams. Returns fewer only if there are no more.
    fn chunk(
        &self,
        state: &State,
        page_start: PageStart,
        count: usize,
        now: i64,
    ) -> Result<Vec<SearchedEvent>, AwsError> {
        let group = state.group(&self.group)?;
        group.must_be_standard("FilterLogEvents", &self.group)?;
        let mut start = Position::at(self.start.max(group.oldest_retained(now)));
        let mut end = match self.end.checked_add(1) {
            Some(end) => Position::at(end),
            None => Position::END,
        };
        match page_start.direction {
            Direction::Forward => start = start.max(page_start.position),
            Direction::Backward => end = end.min(page_start.position),
        }
        let streams = self.select(group)?.into_iter();
        let ceiling = page_start.ceiling;
        let found = match page_start.direction {
            Direction::Forward => {
                let ranges = streams.map(|(name, stream)| (name, stream.events.range(start, end)));
                merge(ranges, Reverse, ceiling, count)
            }
            Direction::Backward => {
                let ranges = streams.map(|(name, stream)| (name, stream.events.range(start, end).rev()));
                merge(ranges, |position| position, ceiling, count)
            }
        };
        Ok(found?)
    }

    fn select<'a>(&self, group: &'a Group) -> Result<Vec<(&'a Arc<str>, &'a Stream)>, AwsError> {
        match &self.streams {
            SearchedStreams::Named(names) => names.iter().map(|name| group.stream_entry(name)).collect(),
            SearchedStreams::Prefixed(prefix) => {
                let streams = group.streams.range_by_name((Bound::Included(prefix), Bound::Unbounded));
                Ok(streams.take_while(|(name, _)| name.starts_with(prefix)).collect())
            }
        }
    }
}

/// Merges the events of several streams, the one with the greatest order first, until there are `count`. Events that arrived after
/// paging began are left out.
fn merge<'a, E, O>(
    ranges: impl Iterator<Item = (&'a Arc<str>, E)>,
    order: impl Fn(Position) -> O,
    ceiling: u64,
    count: usize,
) -> Result<Vec<SearchedEvent>, StoreError>
where
    E: Iterator<Item = Result<StoredEvent, StoreError>>,
    O: Ord,
{
    let (mut sources, mut heads) = (vec![], BinaryHeap::new());
    for (name, mut events) in ranges {
        if let Some(first) = events.next().transpose()? {
            heads.push((order(first.position), sources.len()));
            sources.push((name, first, events));
        }
    }
    let mut found = vec![];
    while found.len() < count
        && let Some(mut first) = heads.peek_mut()
    {
        let (name, head, events) = &mut sources[first.1];
        let event = match events.next().transpose()? {
            Some(next) => {
                first.0 = order(next.position);
                std::mem::replace(head, next)
            }
            None => {
                PeekMut::pop(first);
                head.clone()
            }
        };
        if event.position.sequence < ceiling {
            found.push(SearchedEvent { stream: Arc::clone(name), event });
        }
    }
    Ok(found)
}

fn direction(input: &FilterLogEvents) -> Result<Direction, AwsError> {
    if input.start_from_head != Some(false) {
        return Ok(Direction::Forward);
    }
    if input.start_time.is_some_and(|start| start < OLDEST_BACKWARD) {
        // Unverified: AWS's text is not recorded.
        let text = "startFromHead can be false only if startTime is on or after Jan 1, 2024 00:00:00 UTC.";
        return Err(invalid_parameter(text));
    }
    Ok(Direction::Backward)
}

impl PageStart {
    fn to_token(self, group: &str) -> String {
        let Position { timestamp, sequence } = self.position;
        let direction = if self.direction == Direction::Backward { "b" } else { "f" };
        let ceiling = self.ceiling.to_string();
        page_token::encode(group, &[direction, &timestamp.to_string(), &sequence.to_string(), &ceiling])
    }

    fn parse(token: &str, group: &str) -> Result<Self, AwsError> {
        let [direction, timestamp, sequence, ceiling] = page_token::decode::<4>(group, token)?;
        let direction = if direction == "b" { Direction::Backward } else { Direction::Forward };
        let read = || {
            let position = Position { timestamp: timestamp.parse().ok()?, sequence: sequence.parse().ok()? };
            Some(Self { position, direction, ceiling: ceiling.parse().ok()? })
        };
        read().ok_or_else(invalid_token)
    }
}

fn describe(found: &SearchedEvent) -> Value {
    let event = &found.event;
    json!({
        "logStreamName": *found.stream,
        "timestamp": event.position.timestamp,
        "message": *event.message,
        "ingestionTime": event.ingested,
        "eventId": event.id(),
    })
}
