//! FilterLogEvents: many streams as one, in the order of time.
//!
//! The group's events have a total order (timestamp, then arrival), so a page's token needs only the place it stopped at.
//! It also carries how many events there were when paging began: later ones are left out, so that paging ends however
//! fast events arrive, and what was there then is returned whole and once, however many arrive in between.

use std::collections::BinaryHeap;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::AwsError;

use super::Logs;
use super::event::{Position, StoredEvent};
use super::filter_pattern::FilterPattern;
use super::get_events::{MAX_PAGE_BYTES, MAX_PAGE_EVENTS};
use super::page_token::{self, invalid_token};
use super::state::{Group, State, Stream};
use super::validation::{Checks, invalid_parameter};

/// Events looked at under one lock: writers wait for no more than that.
const CHUNK: usize = 4096;
/// What one request looks at, in bytes of events; with more to see, its page ends there, empty or not, as AWS's do.
const MAX_SCANNED_BYTES: usize = 64 << 20;

/// `interleaved` is taken and ignored: "all matched log events in the first page are interleaved" since 2019.
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

/// What is searched: all of it but the place.
struct Query {
    group: String,
    streams: Streams,
    start: i64,
    /// Included: "Events with a timestamp later than this time are not returned".
    end: i64,
    pattern: FilterPattern,
    limit: usize,
}

enum Streams {
    Named(Vec<String>),
    /// All of them, with an empty prefix.
    Prefixed(String),
}

/// Where a page begins.
#[derive(Clone, Copy)]
struct Place {
    /// Reading forward, the position of the first event. Reading backward, the first position that is not read.
    position: Position,
    direction: Direction,
    /// The sequence number of the first event that came after paging began.
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

/// An event with the stream it is in.
struct Found {
    stream: Arc<str>,
    event: StoredEvent,
}

impl Logs {
    pub(super) fn filter_log_events(&self, input: FilterLogEvents) -> Result<FilteredLogEvents, AwsError> {
        let token = input.next_token.clone();
        let direction = direction(&input)?;
        let query = self.query(input)?;
        let mut place = match token {
            Some(token) => Place::parse(&token, &query.group)?,
            None => {
                let position = match direction {
                    Direction::Forward => Position::at(query.start),
                    Direction::Backward => Position::END,
                };
                Place { position, direction, ceiling: self.read().next_sequence }
            }
        };
        let mut events = vec![];
        let (mut scanned, mut returned) = (0, 0);
        loop {
            let wanted = query.chunk_size(events.len());
            let chunk = query.chunk(&self.read(), place, wanted, self.now())?;
            let last = chunk.len() < wanted;
            for found in chunk {
                let size = found.event.size();
                let matches = query.pattern.matches(&found.event.message);
                let full = events.len() == query.limit || (returned > 0 && returned + size > MAX_PAGE_BYTES);
                if (matches && full) || scanned > MAX_SCANNED_BYTES {
                    return Ok(FilteredLogEvents::page(events, Some(place.to_token(&query.group))));
                }
                if matches {
                    events.push(describe(&found));
                    returned += size;
                }
                scanned += size;
                place.position = match place.direction {
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
        let mut checks = Checks::default();
        let limit = checks.limit(input.limit, MAX_PAGE_EVENTS);
        checks.not_negative("startTime", input.start_time);
        checks.not_negative("endTime", input.end_time);
        let pattern = input.filter_pattern.unwrap_or_default();
        checks.length("filterPattern", &pattern, 0, 1024);
        if let Some(names) = &input.log_stream_names {
            checks.count("logStreamNames", names.len(), 1, 100);
            names.iter().for_each(|name| checks.stream_name("logStreamNames", name));
        }
        if let Some(prefix) = &input.log_stream_name_prefix {
            checks.stream_name("logStreamNamePrefix", prefix);
        }
        checks.finish()?;
        let streams = match (input.log_stream_names, input.log_stream_name_prefix) {
            (Some(_), Some(_)) => {
                let text = "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.";
                return Err(invalid_parameter(text));
            }
            (Some(mut names), None) => {
                names.sort();
                names.dedup();
                Streams::Named(names)
            }
            (None, prefix) => Streams::Prefixed(prefix.unwrap_or_default()),
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
    /// Where every event matches, no more is looked at than the page takes, and one to know whether there is another.
    fn chunk_size(&self, found: usize) -> usize {
        if self.pattern.matches_everything() { (self.limit - found + 1).min(CHUNK) } else { CHUNK }
    }

    /// The first `count` events from a place on, merged from the streams; fewer only if there are no more.
    fn chunk(&self, state: &State, place: Place, count: usize, now: i64) -> Result<Vec<Found>, AwsError> {
        let group = state.group(&self.group)?;
        group.must_be_standard("FilterLogEvents", &self.group)?;
        let mut start = Position::at(self.start.max(group.oldest_kept(now)));
        let mut end = match self.end.checked_add(1) {
            Some(end) => Position::at(end),
            None => Position::END,
        };
        match place.direction {
            Direction::Forward => start = start.max(place.position),
            Direction::Backward => end = end.min(place.position),
        }
        let mut ranges = vec![];
        let mut heads = BinaryHeap::new();
        for (name, stream) in self.select(group)? {
            let mut events = match place.direction {
                Direction::Forward => Either::Forward(stream.events.range(start, end)),
                Direction::Backward => Either::Backward(stream.events.range(start, end).rev()),
            };
            if let Some(first) = events.next().transpose()? {
                heads.push(Head::new(first.position, place.direction, ranges.len()));
                ranges.push((name, first, events));
            }
        }
        let mut found = vec![];
        while found.len() < count
            && let Some(Head { position, index, .. }) = heads.pop()
        {
            let (name, head, events) = &mut ranges[index];
            let event = match events.next().transpose()? {
                Some(next) => {
                    heads.push(Head::new(next.position, place.direction, index));
                    std::mem::replace(head, next)
                }
                None => head.clone(),
            };
            if position.sequence < place.ceiling {
                found.push(Found { stream: Arc::clone(name), event });
            }
        }
        Ok(found)
    }

    fn select<'a>(&self, group: &'a Group) -> Result<Vec<(&'a Arc<str>, &'a Stream)>, AwsError> {
        match &self.streams {
            Streams::Named(names) => names.iter().map(|name| group.stream_entry(name)).collect(),
            Streams::Prefixed(prefix) => {
                let from = (Bound::Included(prefix.as_str()), Bound::Unbounded);
                let streams = group.streams.range::<str, _>(from);
                Ok(streams.take_while(|(name, _)| name.starts_with(prefix)).collect())
            }
        }
    }
}

/// The next event of a range, ordered so that the event that comes first in the page is the greatest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    rank: (i128, i128),
    position: Position,
    index: usize,
}

impl Head {
    fn new(position: Position, direction: Direction, index: usize) -> Self {
        let sign = if direction == Direction::Forward { -1 } else { 1 };
        let rank = (sign * i128::from(position.timestamp), sign * i128::from(position.sequence));
        Self { rank, position, index }
    }
}

enum Either<F, B> {
    Forward(F),
    Backward(B),
}

impl<T, F: Iterator<Item = T>, B: Iterator<Item = T>> Iterator for Either<F, B> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self {
            Self::Forward(events) => events.next(),
            Self::Backward(events) => events.next(),
        }
    }
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

impl Place {
    fn to_token(self, group: &str) -> String {
        let Position { timestamp, sequence } = self.position;
        let direction = if self.direction == Direction::Backward { "b" } else { "f" };
        let ceiling = self.ceiling.to_string();
        page_token::encode(&[group, direction, &timestamp.to_string(), &sequence.to_string(), &ceiling])
    }

    fn parse(token: &str, group: &str) -> Result<Self, AwsError> {
        let [of, direction, timestamp, sequence, ceiling] = page_token::decode::<5>(token)?;
        let direction = if direction == "b" { Direction::Backward } else { Direction::Forward };
        let read = || {
            let position = Position { timestamp: timestamp.parse().ok()?, sequence: sequence.parse().ok()? };
            Some(Self { position, direction, ceiling: ceiling.parse().ok()? })
        };
        read().filter(|_| of == group).ok_or_else(invalid_token)
    }
}

fn describe(found: &Found) -> Value {
    let event = &found.event;
    json!({
        "logStreamName": *found.stream,
        "timestamp": event.position.timestamp,
        "message": *event.message,
        "ingestionTime": event.ingested,
        "eventId": event.id(),
    })
}
