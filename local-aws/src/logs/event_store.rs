//! A stream's events, in the order they are read: by timestamp, then by arrival.

use std::sync::Arc;

use super::InputEvent;

/// What AWS counts for an event besides its message, in bytes.
pub(super) const EVENT_OVERHEAD: usize = 26;

/// An event's place among all events of the endpoint. No two events have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// Epoch milliseconds.
    pub(super) timestamp: i64,
    /// Numbers the events of all streams in the order of their arrival.
    pub(super) sequence: u64,
}

impl Position {
    /// Before every event of this timestamp.
    pub(super) fn at(timestamp: i64) -> Self {
        Self { timestamp, sequence: 0 }
    }

    /// Right after this one.
    pub(super) fn next(self) -> Self {
        Self { timestamp: self.timestamp, sequence: self.sequence + 1 }
    }
}

/// A stored event; clones share the message.
#[derive(Debug, Clone)]
pub(super) struct StoredEvent {
    pub(super) position: Position,
    /// When it arrived, epoch milliseconds.
    pub(super) ingested: i64,
    pub(super) message: Arc<str>,
}

impl StoredEvent {
    /// What the event counts against the limits in bytes.
    pub(super) fn size(&self) -> usize {
        self.message.len() + EVENT_OVERHEAD
    }

    /// 56 digits, as AWS's are; they sort as the events do.
    pub(super) fn id(&self) -> String {
        let Position { timestamp, sequence } = self.position;
        format!("3{timestamp:019}{sequence:020}{:016}", self.ingested)
    }
}

/// The events of one stream.
#[derive(Debug, Default)]
pub(super) struct EventStore {
    /// Sorted by position.
    events: Vec<StoredEvent>,
    bytes: usize,
    last_ingestion: Option<i64>,
}

impl EventStore {
    /// Stores events in any order; they get `sequence` and the numbers after it.
    pub(super) fn append(&mut self, events: Vec<InputEvent>, sequence: u64, now: i64) {
        let mut arrived: Vec<StoredEvent> = (sequence..)
            .zip(events)
            .map(|(sequence, event)| StoredEvent {
                // AWS has no times before 1970, and an event's identifier no room for them.
                position: Position { timestamp: event.timestamp.max(0), sequence },
                ingested: now,
                message: event.message.into(),
            })
            .collect();
        arrived.sort_by_key(|event| event.position);
        let Some(first) = arrived.first() else { return };
        self.bytes += arrived.iter().map(StoredEvent::size).sum::<usize>();
        self.last_ingestion = Some(now);
        // Nearly always nothing stored is later than what arrives, and this sorts an empty tail into place.
        let tail = self.events.split_off(self.index(first.position));
        if tail.is_empty() {
            self.events.append(&mut arrived);
        } else {
            self.events.extend(merge(tail, arrived));
        }
    }

    /// The events from `start`, up to and without `end`.
    pub(super) fn range(&self, start: Position, end: Position) -> &[StoredEvent] {
        let first = self.index(start);
        let last = self.index(end).max(first);
        &self.events[first..last]
    }

    /// Lets go of what is older than `oldest`, in epoch milliseconds. It is taken out only once it is half of all there
    /// is, so that its cost is a constant one for each event; readers leave it out themselves.
    pub(super) fn expire(&mut self, oldest: i64) {
        let expired = self.index(Position::at(oldest));
        if expired * 2 > self.events.len() {
            self.bytes -= self.events.drain(..expired).map(|event| event.size()).sum::<usize>();
        }
    }

    /// The timestamps of the first and last event, epoch milliseconds.
    pub(super) fn span(&self) -> Option<(i64, i64)> {
        Some((self.events.first()?.position.timestamp, self.events.last()?.position.timestamp))
    }

    /// When the last event arrived, epoch milliseconds.
    pub(super) fn last_ingestion(&self) -> Option<i64> {
        self.last_ingestion
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn index(&self, position: Position) -> usize {
        if self.events.last().is_none_or(|last| last.position < position) {
            return self.events.len();
        }
        self.events.partition_point(|event| event.position < position)
    }
}

/// Two sorted runs as one.
fn merge(left: Vec<StoredEvent>, right: Vec<StoredEvent>) -> Vec<StoredEvent> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(mine), Some(theirs)) = (left.peek(), right.peek()) {
        let earlier = if mine.position < theirs.position { left.next() } else { right.next() };
        merged.extend(earlier);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn input(timestamp: i64, message: &str) -> InputEvent {
        InputEvent { timestamp, message: message.to_owned() }
    }

    #[test]
    fn identifiers_have_56_digits_and_sort_as_the_events_do() {
        let mut store = EventStore::default();
        store.append(
            vec![input(1_700_000_000_000, "a"), input(1_700_000_000_000, "b"), input(999, "c")],
            7,
            1_700_000_000_001,
        );
        let ids: Vec<String> =
            store.range(Position::at(0), Position::at(i64::MAX)).iter().map(StoredEvent::id).collect();
        assert!(ids.iter().all(|id| id.len() == 56 && id.bytes().all(|b| b.is_ascii_digit())), "{ids:?}");
        assert!(ids.is_sorted() && ids[1] != ids[2]);
    }

    #[test]
    fn expiry_lets_go_of_old_events_and_their_bytes() {
        let mut store = EventStore::default();
        store.append((0..10).map(|n| input(n, "12345")).collect(), 0, 10);
        assert_eq!(store.bytes(), 10 * 31);
        store.expire(3);
        assert_eq!(store.bytes(), 10 * 31, "not worth moving the rest yet");
        store.expire(8);
        assert_eq!((store.bytes(), store.span()), (2 * 31, Some((8, 9))));
        store.expire(100);
        assert_eq!((store.bytes(), store.span(), store.last_ingestion()), (0, None, Some(10)));
    }

    proptest! {
        #[test]
        fn batches_in_any_order_are_read_in_order(batches in prop::collection::vec(prop::collection::vec(0i64..50, 0..10), 0..10), from in 0i64..50, to in 0i64..50) {
            let mut store = EventStore::default();
            let mut expected = vec![];
            for batch in batches {
                let first = expected.len() as u64;
                expected.extend((first..).zip(&batch).map(|(sequence, &timestamp)| Position { timestamp, sequence }));
                store.append(batch.into_iter().map(|timestamp| input(timestamp, "x")).collect(), first, 1);
            }
            expected.retain(|position| (from..to).contains(&position.timestamp));
            expected.sort();
            let found: Vec<Position> = store.range(Position::at(from), Position::at(to)).iter().map(|event| event.position).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
