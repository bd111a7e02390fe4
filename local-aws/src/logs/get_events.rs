//! GetLogEvents: reads one stream forward and backward.
//!
//! A token is a position between events and a direction: `f/…` reads the events after it, `b/…` those before it. A page
//! without more events returns the token of its request, by which readers detect the end.

use serde::{Deserialize, Serialize};

use crate::error::AwsError;
use crate::store::StoreError;

use super::Logs;
use super::event::{Position, StoredEvent};
use super::page_token::invalid_token;
use super::validation::page_size;

/// The most events and bytes of a page.
pub(super) const MAX_PAGE_EVENTS: usize = 10_000;
pub(super) const MAX_PAGE_BYTES: usize = 1_048_576;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: String,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<i64>,
    start_from_head: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogEvents {
    events: Vec<OutputLogEvent>,
    next_forward_token: String,
    next_backward_token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputLogEvent {
    timestamp: i64,
    message: String,
    ingestion_time: i64,
}

/// The position where a page begins, and its direction.
enum PageStart {
    After(Position),
    Before(Position),
}

impl Logs {
    pub(super) fn get_log_events(&self, input: GetLogEvents) -> Result<LogEvents, AwsError> {
        let (limit, stream) = (page_size(input.limit, MAX_PAGE_EVENTS), input.log_stream_name);
        let name = self.group_name(input.log_group_name, input.log_group_identifier)?;
        let token = input.next_token.as_deref().map(PageStart::parse).transpose()?;

        let now = self.now();
        let state = self.read();
        let group = state.group(&name)?;
        group.must_be_standard("GetLogEvents", &name)?;
        let store = &group.stream(&stream)?.events;
        let start = Position::at(input.start_time.unwrap_or(0).max(group.oldest_retained(now)));
        // Exclusive: "Events with a timestamp equal to or later than this time are not included".
        let end = Position::at(input.end_time.unwrap_or(i64::MAX));
        // Without events, both tokens are at the start, so that later events are read forward.
        let empty_at = token.as_ref().map_or(start, PageStart::position);
        let page_start = token.unwrap_or(match input.start_from_head {
            Some(true) => PageStart::After(start),
            _ => PageStart::Before(end),
        });
        let page = match page_start {
            PageStart::After(from) => page(store.range(from.max(start), end), limit)?,
            PageStart::Before(to) => {
                let mut page = page(store.range(start, to.min(end)).rev(), limit)?;
                page.reverse();
                page
            }
        };
        let before = page.first().map_or(empty_at, |event| event.position);
        let after = page.last().map_or(empty_at, |event| event.position.next());
        Ok(LogEvents {
            events: page.iter().map(OutputLogEvent::new).collect(),
            next_forward_token: PageStart::After(after).to_token(),
            next_backward_token: PageStart::Before(before).to_token(),
        })
    }
}

impl PageStart {
    fn position(&self) -> Position {
        match self {
            Self::After(position) | Self::Before(position) => *position,
        }
    }

    /// `f/<56 digits>/s`. The digits are a position in the form of an event's ID.
    fn to_token(&self) -> String {
        let direction = if matches!(self, Self::After(_)) { 'f' } else { 'b' };
        let Position { timestamp, sequence } = self.position();
        format!("{direction}/3{timestamp:019}{sequence:020}{:016}/s", 0)
    }

    fn parse(token: &str) -> Result<Self, AwsError> {
        let read = || {
            let (direction, digits) = token.strip_suffix("/s")?.split_once('/')?;
            let digits = digits.strip_prefix('3').filter(|digits| digits.len() == 55 && digits.is_ascii())?;
            let position = Position { timestamp: digits[..19].parse().ok()?, sequence: digits[19..39].parse().ok()? };
            match direction {
                "f" => Some(Self::After(position)),
                "b" => Some(Self::Before(position)),
                _ => None,
            }
        };
        read().ok_or_else(invalid_token)
    }
}

/// The events of one page.
fn page(
    events: impl Iterator<Item = Result<StoredEvent, StoreError>>,
    limit: usize,
) -> Result<Vec<StoredEvent>, StoreError> {
    let (mut page, mut bytes) = (vec![], 0);
    for event in events.take(limit) {
        let event = event?;
        bytes += event.size();
        // The first event always fits, because a function's line may be longer than a page.
        if !page.is_empty() && bytes > MAX_PAGE_BYTES {
            break;
        }
        page.push(event);
    }
    Ok(page)
}

impl OutputLogEvent {
    fn new(event: &StoredEvent) -> Self {
        Self { timestamp: event.position.timestamp, message: event.message.to_string(), ingestion_time: event.ingested }
    }
}
