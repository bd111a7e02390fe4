//! The events of one stream, ordered by timestamp, then by arrival.
//!
//! With a data directory, the store has all events, and memory has those from [`EventStore::floor`] on. Without one, events that
//! are evicted from memory are lost.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BufMut;
use serde::{Deserialize, Serialize};

use super::event::{InputEvent, Position, StoredEvent};
use crate::store::{Batch, Keyspace, MemoryOwner, Share, Store, StoreError};

/// Totals of a stream's events, which are available without reading the events.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) bytes: usize,
    /// The arrival of the last event in epoch milliseconds.
    pub(super) last_ingestion: Option<i64>,
    /// The positions of the first and the last event.
    pub(super) span: Option<(Position, Position)>,
    /// Greater than the sequence numbers of all events that the stream ever had.
    pub(super) next_sequence: u64,
}

/// The events of one stream.
pub(super) struct EventStore {
    /// The prefix of its events' keys in the store.
    id: u64,
    store: Store,
    /// Sorted by position.
    events: VecDeque<StoredEvent>,
    /// With a data directory, memory has exactly the events from this position on.
    floor: Position,
    totals: Totals,
    memory: Share,
    /// Evicts events when the memory budget is exceeded.
    _evictor: Arc<dyn MemoryOwner>,
}

/// How long events stay in the store after their retention, in milliseconds. Removing them requires a read.
const EXPIRY_DELAY_MS: i64 = 60 * 60 * 1000;

impl EventStore {
    /// Opens the events with this ID in the store. None of them are in memory yet.
    pub(super) fn open(id: u64, store: Store, totals: Totals, memory: Share, evictor: Arc<dyn MemoryOwner>) -> Self {
        let floor = totals.span.map_or(Position::at(0), |(_, last)| last.next());
        Self { id, store, events: VecDeque::new(), floor, totals, memory, _evictor: evictor }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Appends events, in any order, with sequence numbers from `sequence` on. Returns them as stored.
    pub(super) fn append(
        &mut self,
        events: Vec<InputEvent>,
        sequence: u64,
        now: i64,
        batch: &mut Batch,
    ) -> Vec<StoredEvent> {
        let mut arrived: Vec<StoredEvent> = (sequence..)
            .zip(events)
            .map(|(sequence, event)| StoredEvent {
                // AWS has no timestamps before 1970, and they do not fit into an event's ID.
                position: Position { timestamp: event.timestamp.max(0), sequence },
                ingested: now,
                message: event.message.into(),
            })
            .collect();
        arrived.sort_by_key(|event| event.position);
        let (Some(first), Some(last)) = (arrived.first(), arrived.last()) else { return arrived };
        let (first, last) = (first.position, last.position);
        self.totals.span = Some(self.totals.span.map_or((first, last), |(a, z)| (a.min(first), z.max(last))));
        self.totals.bytes += arrived.iter().map(StoredEvent::size).sum::<usize>();
        self.totals.last_ingestion = Some(now);
        self.totals.next_sequence = sequence + arrived.len() as u64;
        for event in arrived.iter().filter(|_| self.store.is_persistent()) {
            batch.put(Keyspace::LogEvents, self.key(event.position), event.to_bytes());
        }
        batch.put_json(Keyspace::LogTotals, self.id.to_be_bytes(), &self.totals);
        self.insert(arrived.clone());
        arrived
    }

    /// Inserts sorted events into memory.
    fn insert(&mut self, mut arrived: Vec<StoredEvent>) {
        if self.store.is_persistent() {
            arrived.retain(|event| event.position >= self.floor);
        }
        let Some(first) = arrived.first() else { return };
        self.memory.allocate(arrived.iter().map(StoredEvent::memory_bytes).sum());
        // Events nearly always arrive in order. Then the tail is empty.
        let tail = self.events.split_off(self.index(first.position));
        if tail.is_empty() {
            self.events.extend(arrived);
        } else {
            self.events.extend(merge(tail, arrived));
        }
    }

    /// The events from `start` to before `end`, from both ends. Reads those that are not in memory from the store.
    pub(super) fn range(
        &self,
        start: Position,
        end: Position,
    ) -> impl DoubleEndedIterator<Item = Result<StoredEvent, StoreError>> + '_ {
        let first = self.index(start);
        let last = self.index(end).max(first);
        // The disk is read only if the range has events below the floor.
        let is_stored =
            self.store.is_persistent() && self.totals.span.is_some_and(|(first, _)| first < self.floor.min(end));
        let stored = (is_stored && start < self.floor.min(end)).then(|| {
            let entries = self.store.range(Keyspace::LogEvents, &self.key(start), &self.key(end.min(self.floor)));
            entries.map(|entry| entry.and_then(|(key, value)| StoredEvent::read(&key, &value)))
        });
        stored.into_iter().flatten().chain(self.events.range(first..last).cloned().map(Ok))
    }

    /// Removes events older than `oldest`, in epoch milliseconds. They may stay in the store for longer. Readers skip them.
    pub(super) fn expire(&mut self, oldest: i64, batch: &mut Batch) -> Result<(), StoreError> {
        let Some((first, last)) = self.totals.span.filter(|(first, _)| first.timestamp < oldest) else { return Ok(()) };
        if self.store.is_persistent() {
            if first.timestamp >= oldest.saturating_sub(EXPIRY_DELAY_MS) {
                return Ok(());
            }
            let expired = self.range(first, Position::at(oldest)).map(|event| event.map(|event| event.size()));
            self.totals.bytes -= expired.sum::<Result<usize, _>>()?;
            batch.remove_range(Keyspace::LogEvents, self.key(first), self.key(Position::at(oldest)));
        }
        let expired = self.index(Position::at(oldest));
        let held = self.events.drain(..expired).map(|event| (event.memory_bytes(), event.size()));
        let (held, bytes) = held.fold((0, 0), |sum, event| (sum.0 + event.0, sum.1 + event.1));
        self.memory.release(held);
        if !self.store.is_persistent() {
            self.totals.bytes -= bytes;
        }
        let next = self.range(Position::at(oldest), Position::END).next().transpose()?;
        self.totals.span = next.map(|next| (next.position, last));
        batch.put_json(Keyspace::LogTotals, self.id.to_be_bytes(), &self.totals);
        Ok(())
    }

    /// Evicts the oldest events from memory, at least `bytes` if there are as many. Returns the evicted bytes.
    pub(super) fn evict(&mut self, bytes: usize) -> usize {
        let mut evicted = 0;
        while evicted < bytes
            && let Some(event) = self.events.pop_front()
        {
            evicted += event.memory_bytes();
            self.floor = event.position.next();
            if !self.store.is_persistent() {
                self.totals.bytes -= event.size();
                self.totals.span =
                    self.events.front().zip(self.events.back()).map(|(first, last)| (first.position, last.position));
            }
        }
        evicted
    }

    /// Removes all events from the store.
    pub(super) fn remove(&self, batch: &mut Batch) {
        batch.remove_range(Keyspace::LogEvents, self.id.to_be_bytes(), (self.id + 1).to_be_bytes());
        batch.remove(Keyspace::LogTotals, self.id.to_be_bytes());
    }

    fn key(&self, position: Position) -> [u8; 24] {
        let mut key = [0; 24];
        let mut to = &mut key[..];
        to.put_u64(self.id);
        to.put_i64(position.timestamp.max(0));
        to.put_u64(position.sequence);
        key
    }

    fn index(&self, position: Position) -> usize {
        if self.events.back().is_none_or(|last| last.position < position) {
            return self.events.len();
        }
        self.events.partition_point(|event| event.position < position)
    }
}

/// Merges two sorted sequences.
fn merge(left: VecDeque<StoredEvent>, right: Vec<StoredEvent>) -> Vec<StoredEvent> {
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
    use crate::store::Budget;

    struct NoEvictor;

    impl MemoryOwner for NoEvictor {
        fn evict(&self, _: usize) -> usize {
            0
        }
    }

    fn event_store(store: &Store, totals: Totals) -> EventStore {
        let evictor: Arc<dyn MemoryOwner> = Arc::new(NoEvictor);
        let memory = Budget::new(usize::MAX).share(Arc::downgrade(&evictor));
        EventStore::open(7, store.clone(), totals, memory, evictor)
    }

    fn append(events: &mut EventStore, input: Vec<InputEvent>, sequence: u64, now: i64) {
        let mut batch = events.store.batch();
        events.append(input, sequence, now, &mut batch);
        batch.commit();
    }

    fn expire(events: &mut EventStore, oldest: i64) {
        let mut batch = events.store.batch();
        events.expire(oldest, &mut batch).unwrap();
        batch.commit();
    }

    fn input(timestamp: i64, message: &str) -> InputEvent {
        InputEvent { timestamp, message: message.to_owned() }
    }

    fn span(events: &EventStore) -> Option<(i64, i64)> {
        events.totals().span.map(|(first, last)| (first.timestamp, last.timestamp))
    }

    #[test]
    fn ids_have_56_digits_and_sort_like_their_events() {
        let mut events = event_store(&Store::default(), Totals::default());
        let arrived = vec![input(1_700_000_000_000, "a"), input(1_700_000_000_000, "b"), input(999, "c")];
        append(&mut events, arrived, 7, 1_700_000_000_001);
        let ids: Vec<String> = events.range(Position::at(0), Position::END).map(|event| event.unwrap().id()).collect();
        assert!(ids.iter().all(|id| id.len() == 56 && id.bytes().all(|b| b.is_ascii_digit())), "{ids:?}");
        assert!(ids.is_sorted() && ids[1] != ids[2]);
    }

    #[test]
    fn expiry_removes_old_events_and_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        for store in [Store::default(), Store::open(Some(dir.path())).unwrap()] {
            let hour = EXPIRY_DELAY_MS;
            let mut events = event_store(&store, Totals::default());
            append(&mut events, (0..10).map(|n| input(n * hour, "12345")).collect(), 0, 10);
            assert_eq!(events.totals().bytes, 10 * 31);
            // Some of the expired events are in memory, others only in the store.
            if store.is_persistent() {
                events.evict(500);
                assert_eq!(events.totals().bytes, 10 * 31);
            }
            expire(&mut events, 8 * hour + 1);
            assert_eq!((events.totals().bytes, span(&events)), (31, Some((9 * hour, 9 * hour))));
            expire(&mut events, 100 * hour);
            assert_eq!((events.totals().bytes, span(&events), events.totals().last_ingestion), (0, None, Some(10)));
            assert_eq!(store.range(Keyspace::LogEvents, &[], &[0xff; 25]).count(), 0);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn events_that_arrive_in_any_order_are_read_in_order(
            batches in prop::collection::vec(prop::collection::vec(0i64..50, 0..10), 0..10),
            (from, to) in (0i64..50, 0i64..50),
            evict in prop::option::of(0usize..3000),
            reopen in any::<bool>(),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let store = match evict {
                Some(_) => Store::open(Some(dir.path())).unwrap(),
                None => Store::default(),
            };
            let mut events = event_store(&store, Totals::default());
            let mut expected = vec![];
            let half = batches.len() / 2;
            for (number, batch) in batches.into_iter().enumerate() {
                let first = expected.len() as u64;
                expected.extend((first..).zip(&batch).map(|(sequence, &timestamp)| Position { timestamp, sequence }));
                append(&mut events, batch.into_iter().map(|timestamp| input(timestamp, "x")).collect(), first, 1);
                if let Some(bytes) = evict && number == half {
                    events.evict(bytes);
                    if reopen {
                        events = event_store(&store, *events.totals());
                    }
                }
            }
            expected.retain(|position| (from..to).contains(&position.timestamp));
            expected.sort();
            let positions = |event: Result<StoredEvent, StoreError>| event.unwrap().position;
            let found: Vec<Position> = events.range(Position::at(from), Position::at(to)).map(positions).collect();
            prop_assert_eq!(&found, &expected);
            let mut found: Vec<Position> = events.range(Position::at(from), Position::at(to)).rev().map(positions).collect();
            found.reverse();
            prop_assert_eq!(found, expected);
        }
    }
}
