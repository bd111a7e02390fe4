//! Sorts the events of several log streams by time. Pure: the clock is passed in.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

use super::event::Event;

/// The most bytes of waiting events. Above this limit, the oldest event is released.
const MOST_BYTES: usize = 8 << 20;
/// The most streams that are remembered.
const MOST_STREAMS: usize = 4096;
/// A stream without an event for this long no longer counts.
const STREAM_IS_QUIET_MS: i64 = 60_000;
/// An event is late if a line that was already shown is newer by more than this.
const LATE_MS: i64 = 1000;

/// Events that wait for older ones of other streams.
#[derive(Debug)]
pub struct Reorder {
    hold_ms: i64,
    waiting: BinaryHeap<Reverse<Waiting>>,
    bytes: usize,
    arrived: u64,
    /// The time of each stream's last event. Events of a single stream arrive in order, so that they do not wait.
    streams: HashMap<String, i64>,
    newest_released: i64,
}

#[derive(Debug)]
struct Waiting {
    event: Event,
    ordinal: u64,
    arrived: i64,
}

impl Reorder {
    pub fn new(hold_ms: i64) -> Self {
        Self {
            hold_ms,
            waiting: BinaryHeap::new(),
            bytes: 0,
            arrived: 0,
            streams: HashMap::new(),
            newest_released: i64::MIN,
        }
    }

    /// Adds an event that arrived at `now`.
    pub fn push(&mut self, event: Event, now: i64) {
        if let Some(last) = self.streams.get_mut(&event.log_stream) {
            *last = now;
        } else {
            if self.streams.len() >= MOST_STREAMS {
                self.streams.clear();
            }
            self.streams.insert(event.log_stream.clone(), now);
        }
        self.bytes += event.size();
        self.arrived += 1;
        self.waiting.push(Reverse(Waiting { event, ordinal: self.arrived, arrived: now }));
    }

    /// Returns the next event that need not wait any longer. Events after `read_until` always wait, because older ones of
    /// another log group may not have been read.
    pub fn pop(&mut self, now: i64, read_until: i64) -> Option<Event> {
        let hold = if self.has_several_streams(now) { self.hold_ms } else { 0 };
        let Reverse(first) = self.waiting.peek()?;
        let has_waited = first.event.timestamp.saturating_add(hold) <= now || first.arrived + hold <= now;
        let is_due = first.event.timestamp <= read_until && has_waited;
        if is_due || self.bytes > MOST_BYTES { self.release() } else { None }
    }

    /// Returns the next event even if it has not waited, because no other event will arrive.
    pub fn release(&mut self) -> Option<Event> {
        let Reverse(Waiting { mut event, .. }) = self.waiting.pop()?;
        self.bytes -= event.size();
        event.late = event.timestamp < self.newest_released.saturating_sub(LATE_MS);
        self.newest_released = self.newest_released.max(event.timestamp);
        Some(event)
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn has_several_streams(&mut self, now: i64) -> bool {
        if self.streams.len() > 1 {
            self.streams.retain(|_, last| now - *last <= STREAM_IS_QUIET_MS);
        }
        self.streams.len() > 1
    }
}

/// Sorts by time, then by arrival.
impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.event.timestamp, self.ordinal).cmp(&(other.event.timestamp, other.ordinal))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(log_stream: &str, timestamp: i64) -> Event {
        Event {
            timestamp,
            ingestion_time: 0,
            log_group: "g".into(),
            log_stream: log_stream.to_owned(),
            event_id: None,
            late: false,
            message: String::new(),
        }
    }

    fn popped(reorder: &mut Reorder, now: i64) -> Vec<i64> {
        std::iter::from_fn(|| reorder.pop(now, i64::MAX)).map(|event| event.timestamp).collect()
    }

    #[test]
    fn events_of_one_stream_do_not_wait() {
        let mut reorder = Reorder::new(500);
        reorder.push(event("a", 1000), 1000);
        assert_eq!(popped(&mut reorder, 1000), [1000]);
    }

    #[test]
    fn events_of_several_streams_wait_and_come_out_in_order() {
        let mut reorder = Reorder::new(500);
        reorder.push(event("a", 1000), 1010);
        reorder.push(event("b", 990), 1200);
        assert_eq!(popped(&mut reorder, 1480), [0; 0]);
        assert_eq!(popped(&mut reorder, 1490), [990]);
        assert_eq!(popped(&mut reorder, 1500), [1000]);
    }

    #[test]
    fn an_event_dated_ahead_waits_no_longer_than_others() {
        let mut reorder = Reorder::new(500);
        reorder.push(event("a", 1000), 1000);
        reorder.push(event("b", 7_200_000), 1000);
        assert_eq!(popped(&mut reorder, 1500), [1000, 7_200_000]);
    }

    #[test]
    fn a_quiet_stream_no_longer_delays_the_other() {
        let mut reorder = Reorder::new(500);
        reorder.push(event("a", 0), 0);
        reorder.push(event("b", 0), 0);
        assert_eq!(popped(&mut reorder, 500).len(), 2);
        let now = STREAM_IS_QUIET_MS + 1;
        reorder.push(event("b", now), now);
        assert_eq!(popped(&mut reorder, now), [now]);
    }

    #[test]
    fn events_after_the_time_up_to_which_all_groups_are_read_wait() {
        let mut reorder = Reorder::new(0);
        reorder.push(event("a", 20), 1000);
        assert_eq!(reorder.pop(1000, 19), None);
        reorder.push(event("b", 10), 1000);
        assert_eq!(reorder.pop(1000, 19).map(|event| event.timestamp), Some(10));
        assert_eq!(reorder.pop(1000, 20).map(|event| event.timestamp), Some(20));
    }

    #[test]
    fn an_event_is_late_if_a_line_more_than_a_second_newer_was_shown() {
        let mut reorder = Reorder::new(0);
        let mut late = |timestamp| {
            reorder.push(event("a", timestamp), 50_000);
            reorder.pop(50_000, i64::MAX).unwrap().late
        };
        assert_eq!([10_000, 9_000, 8_999, 10_001].map(&mut late), [false, false, true, false]);
    }

    #[test]
    fn waiting_events_are_bounded() {
        let mut reorder = Reorder::new(i64::MAX / 4);
        let large = |n: i64| Event { message: "x".repeat(1 << 20), ..event(&format!("s{n}"), n) };
        (0..10).for_each(|n| reorder.push(large(n), 0));
        assert_eq!(popped(&mut reorder, 0), [0, 1, 2]);
    }
}
