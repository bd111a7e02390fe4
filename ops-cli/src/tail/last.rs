//! Reads the last events of a log group with `startFromHead=false` of FilterLogEvents. If the service rejects or ignores
//! that, growing windows are read until they contain enough.

use std::collections::VecDeque;

use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsError;

use super::event::Event;
use super::sweep::{Range, Reader};
use super::tokens::Tokens;

/// 2024-01-01. The service reads backwards only from a start time at or after this.
const OLDEST_BACKWARDS: i64 = 1_704_067_200_000;
const FIRST_WINDOW_MS: i64 = 60_000;
const WINDOW_GROWTH: i64 = 8;
/// Events may be dated two hours ahead.
const AHEAD_MS: i64 = 7_200_000;

/// How many events more than the last ones are requested at once, to find the others of the oldest one's millisecond.
const ROOM_FOR_A_MILLISECOND: usize = 1000;

type Refusal = SdkError<FilterLogEventsError>;

/// The query for the last `count` events that `selects` accepts.
pub struct Last<'a> {
    pub count: usize,
    pub since: i64,
    pub now: i64,
    pub selects: &'a mut dyn FnMut(&Event) -> bool,
    /// Whether all events are read that have the same time as the oldest of the last `count`, so that a run that follows knows
    /// which of them are old.
    pub whole_milliseconds: bool,
}

impl Last<'_> {
    /// Reads the events, in the order of time. With `whole_milliseconds` they may be more than `count`.
    pub async fn read(&mut self, reader: &Reader) -> Result<VecDeque<Event>, Refusal> {
        if self.count == 0 {
            return Ok(VecDeque::new());
        }
        match self.backwards(reader).await {
            // If there are fewer, older ones may be from before 2024.
            Ok(Some(events)) if events.len() >= self.count || !self.wants_older() => Ok(events),
            Ok(_) => self.windows(reader).await,
            Err(error) if is_unsupported(&error) => self.windows(reader).await,
            Err(error) => Err(error),
        }
    }

    /// Whether the request names a start before the time from which the service reads backwards.
    fn wants_older(&self) -> bool {
        self.since > 0 && self.since < OLDEST_BACKWARDS
    }

    /// Reads backwards. Returns `None` if the service ignores the direction and begins with the oldest events.
    async fn backwards(&mut self, reader: &Reader) -> Result<Option<VecDeque<Event>>, Refusal> {
        let more = if self.whole_milliseconds { ROOM_FOR_A_MILLISECOND } else { 0 };
        let limit = i32::try_from((self.count + more).min(10_000)).unwrap_or(10_000);
        let range = Range { start: self.since.max(OLDEST_BACKWARDS), end: None, backwards: Some(limit) };
        let mut found = VecDeque::new();
        let (mut token, mut tokens) = (None, Tokens::default());
        let mut direction = Direction::default();
        loop {
            let page = reader.page(&range, token).await?;
            let mut events: Vec<Event> = reader.events(page.events.unwrap_or_default()).collect();
            let times: Vec<i64> = events.iter().map(|event| event.timestamp).collect();
            direction.page(&times);
            // Newest first, whatever the order of the page.
            if times.first() < times.last() {
                events.reverse();
            }
            found.extend(events.into_iter().filter(|event| (self.selects)(event)));
            token = page.next_token.filter(|token| !tokens.has_cycle(token));
            match (direction.known, &token) {
                (Some(Order::OldestFirst), Some(_)) => return Ok(None),
                (Some(Order::NewestFirst), Some(_)) if self.is_enough(&found, times.iter().min()) => break,
                (_, None) => break,
                _ => {}
            }
        }
        // A stable sort of the reversed order preserves the order in which events of one millisecond were written.
        let mut found: Vec<Event> = found.into_iter().rev().collect();
        found.sort_by_key(|event| event.timestamp);
        let mut found = VecDeque::from(found);
        self.forget_older(&mut found);
        Ok(Some(found))
    }

    /// Whether the events that were found, newest first, are enough. Everything after `reached` was read.
    fn is_enough(&self, found: &VecDeque<Event>, reached: Option<&i64>) -> bool {
        let oldest = self.count.checked_sub(1).and_then(|index| found.get(index));
        oldest.is_some_and(|oldest| {
            !self.whole_milliseconds || reached.is_some_and(|reached| *reached < oldest.timestamp)
        })
    }

    /// Drops the events before the last `count`, which are in the order of time.
    fn forget_older(&self, found: &mut VecDeque<Event>) {
        let surplus = found.len().saturating_sub(self.count);
        let Some(oldest) = found.get(surplus).map(|event| event.timestamp) else { return };
        let is_wanted = |event: &Event| self.whole_milliseconds && event.timestamp == oldest;
        let older = found.iter().take(surplus).take_while(|event| !is_wanted(event)).count();
        found.drain(..older);
    }

    async fn windows(&mut self, reader: &Reader) -> Result<VecDeque<Event>, Refusal> {
        let end = reader.query().end.unwrap_or(i64::MAX).min(self.now + AHEAD_MS);
        let mut width = AHEAD_MS + FIRST_WINDOW_MS;
        loop {
            let start = self.since.max(end.saturating_sub(width));
            let range = Range { start, end: Some(end), backwards: None };
            let mut found = VecDeque::new();
            let (mut token, mut tokens) = (None, Tokens::default());
            loop {
                let page = reader.page(&range, token).await?;
                for event in reader.events(page.events.unwrap_or_default()) {
                    if (self.selects)(&event) {
                        found.push_back(event);
                        self.forget_older(&mut found);
                    }
                }
                token = page.next_token.filter(|token| !tokens.has_cycle(token));
                if token.is_none() {
                    break;
                }
            }
            if found.len() >= self.count || start == self.since {
                return Ok(found);
            }
            width = width.saturating_mul(WINDOW_GROWTH);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Order {
    NewestFirst,
    OldestFirst,
}

/// Detects the order in which a service returns pages, and events within pages.
#[derive(Debug, Default)]
struct Direction {
    known: Option<Order>,
    /// The oldest and the newest time of the previous page.
    before: Option<(i64, i64)>,
}

impl Direction {
    fn page(&mut self, times: &[i64]) {
        let (Some(&first), Some(&last)) = (times.first(), times.last()) else { return };
        let (oldest, newest) = (first.min(last), first.max(last));
        // Within a page, only descending times are conclusive: pages from the newest on may be ascending inside.
        if first > last {
            self.known = Some(Order::NewestFirst);
        }
        if let (None, Some((before_oldest, before_newest))) = (self.known, self.before) {
            if newest <= before_oldest && oldest < before_newest {
                self.known = Some(Order::NewestFirst);
            } else if oldest >= before_newest && newest > before_oldest {
                self.known = Some(Order::OldestFirst);
            }
        }
        self.before = Some((oldest, newest));
    }
}

/// Whether the error means that the service does not support `startFromHead`.
fn is_unsupported(error: &Refusal) -> bool {
    let codes =
        ["InvalidParameterException", "ValidationException", "SerializationException", "InvalidOperationException"];
    let is_named = error.message().is_some_and(|message| message.to_ascii_lowercase().contains("startfromhead"));
    error.code().is_some_and(|code| codes.contains(&code))
        && (is_named || error.code() != Some("InvalidParameterException"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(pages: &[&[i64]]) -> Option<Order> {
        let mut direction = Direction::default();
        pages.iter().for_each(|page| direction.page(page));
        direction.known
    }

    fn events(times: &[i64]) -> VecDeque<Event> {
        let event = |timestamp: &i64| Event {
            timestamp: *timestamp,
            ingestion_time: 0,
            log_group: "g".into(),
            log_stream: String::new(),
            event_id: None,
            late: false,
            message: String::new(),
        };
        times.iter().map(event).collect()
    }

    #[test]
    fn a_run_that_follows_reads_all_events_of_the_oldest_ones_millisecond() {
        let mut all = |_: &Event| true;
        let mut last = Last { count: 2, since: 0, now: 0, selects: &mut all, whole_milliseconds: true };
        assert!(!last.is_enough(&events(&[9, 7, 7]), Some(&7)) && last.is_enough(&events(&[9, 7, 7]), Some(&6)));
        for (found, whole, exact) in [
            (&[6, 7, 7, 9][..], &[7, 7, 9][..], &[7, 9][..]),
            (&[7, 7, 7], &[7, 7, 7], &[7, 7]),
            (&[6, 7], &[6, 7], &[6, 7]),
            (&[7], &[7], &[7]),
        ] {
            for (whole_milliseconds, expected) in [(true, whole), (false, exact)] {
                last.whole_milliseconds = whole_milliseconds;
                let mut found = events(found);
                last.forget_older(&mut found);
                assert_eq!(found, events(expected));
            }
        }
    }

    #[test]
    fn the_order_of_pages_is_detected() {
        use Order::{NewestFirst, OldestFirst};
        for (pages, expected) in [
            (&[&[3, 2, 1][..]][..], Some(NewestFirst)),
            (&[&[1, 2, 3]], None),
            (&[&[1, 2], &[3, 4]], Some(OldestFirst)),
            (&[&[3, 4], &[1, 2]], Some(NewestFirst)),
            (&[&[3, 4], &[], &[1, 3]], Some(NewestFirst)),
            (&[&[5], &[5]], None),
            (&[&[5], &[5], &[6]], Some(OldestFirst)),
            (&[&[5], &[4]], Some(NewestFirst)),
        ] {
            assert_eq!(known(pages), expected, "{pages:?}");
        }
    }
}
