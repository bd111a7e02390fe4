//! What waits to be sent, and what goes into the next request. Pure: the clock is passed in, as the time since the run
//! began.
//!
//! Each shard has a lane of its own: one that refuses holds back nothing but itself. With `ordered` a key has one record
//! under way at most, because PutRecords may take a later entry and refuse an earlier one; the key's others wait.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use super::pace::{Pace, Rate};
use super::pack::{ENOUGH_BYTES, Room};
use super::record::Record;
use super::shards::ShardMap;

/// Records held at most, sent ones that are not answered included.
const MOST_RECORDS: usize = 20_000;
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// A record on its way.
#[derive(Debug)]
pub struct Entry {
    pub record: Record,
    /// How often it was sent.
    pub attempts: u32,
    pub first_sent: Duration,
    /// A request with it was not answered: it may have been put already.
    pub may_be_put: bool,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Next {
    Send(Vec<Entry>),
    /// Nothing may be sent for so long.
    Wait(Duration),
    /// Nothing is waiting.
    Nothing,
}

#[derive(Debug)]
struct Lane {
    ready: VecDeque<Entry>,
    pace: Pace,
}

impl Lane {
    fn new() -> Self {
        Self { ready: VecDeque::new(), pace: Pace::Free }
    }
}

/// An entry that waits out a pause, the next due first.
#[derive(Debug)]
struct Delayed {
    due: Reverse<Duration>,
    entry: Entry,
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Delayed {}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

#[derive(Debug)]
pub struct Queue {
    shards: ShardMap,
    lanes: Vec<Lane>,
    delayed: BinaryHeap<Delayed>,
    /// With `ordered`: of each key with a record under way, the records that come after it.
    followers: Option<HashMap<String, VecDeque<Record>>>,
    rate: Rate,
    /// The lane the next request begins with, so that none is always last.
    first_lane: usize,
    ready: usize,
    ready_bytes: usize,
    held: usize,
    held_bytes: usize,
}

impl Queue {
    pub fn new(shards: ShardMap, ordered: bool, rate: Rate) -> Self {
        let lanes = (0..shards.len()).map(|_| Lane::new()).collect();
        let followers = ordered.then(HashMap::new);
        let delayed = BinaryHeap::new();
        Self {
            shards,
            lanes,
            delayed,
            followers,
            rate,
            first_lane: 0,
            ready: 0,
            ready_bytes: 0,
            held: 0,
            held_bytes: 0,
        }
    }

    pub fn shards(&self) -> &ShardMap {
        &self.shards
    }

    /// Whether more may be read: what is held is bounded.
    pub fn has_room(&self) -> bool {
        self.held < MOST_RECORDS && self.held_bytes < MOST_BYTES
    }

    /// Records held: waiting, or sent and not settled.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Whether a request would be full, or as good as.
    pub fn has_a_full_request(&self) -> bool {
        self.ready >= kinesis_event_logger_core::limits::PUT_RECORDS_RECORDS || self.ready_bytes >= ENOUGH_BYTES
    }

    pub fn push(&mut self, record: Record) {
        self.held += 1;
        self.held_bytes += record.size();
        if let Some(followers) = &mut self.followers {
            if let Some(waiting) = followers.get_mut(&record.partition_key) {
                waiting.push_back(record);
                return;
            }
            followers.insert(record.partition_key.clone(), VecDeque::new());
        }
        self.make_ready(Entry { record, attempts: 0, first_sent: Duration::ZERO, may_be_put: false });
    }

    fn make_ready(&mut self, entry: Entry) {
        self.ready += 1;
        self.ready_bytes += entry.record.size();
        let lane = &mut self.lanes[self.shards.index_of(entry.record.hash_key())].ready;
        // What was refused goes before what was never sent.
        if entry.attempts > 0 { lane.push_front(entry) } else { lane.push_back(entry) }
    }

    /// The next request, if one may be sent now.
    pub fn next(&mut self, now: Duration) -> Next {
        while self.delayed.peek().is_some_and(|delayed| delayed.due.0 <= now) {
            if let Some(delayed) = self.delayed.pop() {
                self.make_ready(delayed.entry);
            }
        }
        let mut request = Vec::new();
        let mut room = Room::default();
        let mut shortest = self.delayed.peek().map(|delayed| delayed.due.0.saturating_sub(now));
        let lanes = self.lanes.len();
        for index in (self.first_lane..lanes).chain(0..self.first_lane) {
            let lane = &mut self.lanes[index];
            while let Some(entry) = lane.ready.front() {
                let wait = lane.pace.wait(now).max(self.rate.wait(now));
                if !wait.is_zero() {
                    shortest = Some(shortest.map_or(wait, |shortest| shortest.min(wait)));
                    break;
                }
                let size = entry.record.size();
                if room.is_enough() || !room.take(size) {
                    break;
                }
                lane.pace.take(size);
                self.rate.take(size);
                request.extend(lane.ready.pop_front());
                self.ready -= 1;
                self.ready_bytes -= size;
            }
        }
        self.first_lane = (self.first_lane + 1) % lanes.max(1);
        if request.is_empty() {
            return shortest.map_or(Next::Nothing, Next::Wait);
        }
        for entry in &mut request {
            if entry.attempts == 0 {
                entry.first_sent = now;
            }
            entry.attempts += 1;
        }
        Next::Send(request)
    }

    /// The entry is to be sent again, not before `due`.
    pub fn again(&mut self, entry: Entry, due: Duration) {
        self.delayed.push(Delayed { due: Reverse(due), entry });
    }

    /// Its shard refused the record of a request that was sent at `sent`.
    pub fn throttled(&mut self, record: &Record, sent: Duration, now: Duration) {
        let lane = self.shards.index_of(record.hash_key());
        self.lanes[lane].pace.throttled(sent, now);
    }

    /// Nothing more will be done for the record: it is put, or given up.
    pub fn settled(&mut self, record: &Record) {
        self.held -= 1;
        self.held_bytes -= record.size();
        let Some(followers) = &mut self.followers else { return };
        let Some(waiting) = followers.get_mut(&record.partition_key) else { return };
        match waiting.pop_front() {
            Some(record) => {
                self.make_ready(Entry { record, attempts: 0, first_sent: Duration::ZERO, may_be_put: false });
            }
            None => {
                followers.remove(&record.partition_key);
            }
        }
    }

    /// The stream has other shards now. Shards that stay keep their pace.
    pub fn reshard(&mut self, shards: ShardMap) {
        if shards == self.shards {
            return;
        }
        let old = std::mem::replace(&mut self.shards, shards);
        let mut lanes: Vec<Lane> = (0..self.shards.len()).map(|_| Lane::new()).collect();
        let entries: Vec<Entry> = std::mem::take(&mut self.lanes)
            .into_iter()
            .enumerate()
            .flat_map(|(index, lane)| {
                if let Some(stays) = (0..self.shards.len()).find(|new| self.shards.id(*new) == old.id(index)) {
                    lanes[stays].pace = lane.pace;
                }
                lane.ready
            })
            .collect();
        self.lanes = lanes;
        self.first_lane = 0;
        for entry in entries {
            self.lanes[self.shards.index_of(entry.record.hash_key())].ready.push_back(entry);
        }
    }

    /// Takes back every record that was never sent.
    pub fn take_unsent(&mut self) -> Vec<Record> {
        let mut unsent = Vec::new();
        for lane in &mut self.lanes {
            for entry in std::mem::take(&mut lane.ready) {
                if entry.attempts == 0 {
                    unsent.push(entry.record);
                } else {
                    lane.ready.push_back(entry);
                }
            }
        }
        self.ready = self.lanes.iter().map(|lane| lane.ready.len()).sum();
        self.ready_bytes = self.lanes.iter().flat_map(|lane| &lane.ready).map(|entry| entry.record.size()).sum();
        for waiting in self.followers.iter_mut().flat_map(HashMap::values_mut) {
            unsent.extend(waiting.drain(..));
        }
        self.held -= unsent.len();
        self.held_bytes -= unsent.iter().map(Record::size).sum::<usize>();
        unsent
    }

    /// Takes every record that is not in a request: the run gives up.
    pub fn take_all(&mut self) -> Vec<Entry> {
        let unsent = self.take_unsent().into_iter().map(|record| Entry {
            record,
            attempts: 0,
            first_sent: Duration::ZERO,
            may_be_put: false,
        });
        let mut all: Vec<Entry> = unsent.collect();
        let sent_before = all.len();
        all.extend(self.lanes.iter_mut().flat_map(|lane| std::mem::take(&mut lane.ready)));
        all.extend(std::mem::take(&mut self.delayed).into_iter().map(|delayed| delayed.entry));
        (self.ready, self.ready_bytes) = (0, 0);
        self.held -= all.len() - sent_before;
        self.held_bytes -= all[sent_before..].iter().map(|entry| entry.record.size()).sum::<usize>();
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::record::Place;
    use super::*;

    fn record(offset: u64, key: &str, size: usize) -> Record {
        let place = Place { offset, input: 0, line: offset + 1 };
        Record { place, data: vec![b'x'; size], partition_key: key.into(), explicit_hash_key: None }
    }

    fn queue(ordered: bool) -> Queue {
        Queue::new(ShardMap::even(4), ordered, Rate::new(None, None, Duration::ZERO))
    }

    fn sent(next: Next) -> Vec<Entry> {
        match next {
            Next::Send(entries) => entries,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_mixes_shards_and_has_500_records() {
        let mut queue = queue(false);
        for offset in 0..1200 {
            queue.push(record(offset, &format!("k{offset}"), 10));
        }
        let lengths: Vec<_> = (0..3).map(|_| sent(queue.next(Duration::ZERO)).len()).collect();
        assert_eq!(lengths, [500, 500, 200]);
        assert!(matches!(queue.next(Duration::ZERO), Next::Nothing));
        assert_eq!(queue.held(), 1200);
    }

    #[test]
    fn a_shard_that_refuses_holds_back_itself_alone() {
        let mut queue = queue(false);
        let refused = record(0, "a", 10);
        queue.throttled(&refused, Duration::ZERO, Duration::ZERO);
        let lane = queue.shards().index_of(refused.hash_key());
        for offset in 0..400 {
            queue.push(record(offset, &format!("k{offset}"), 10));
        }
        let request = sent(queue.next(Duration::ZERO));
        let to_it = request.iter().filter(|entry| queue.shards().index_of(entry.record.hash_key()) == lane).count();
        assert!(to_it <= 1, "{to_it}");
        assert!(request.len() > 250, "{}", request.len());
        let Next::Wait(wait) = queue.next(Duration::ZERO) else { panic!("it waits for the refusing shard") };
        assert!(wait < Duration::from_millis(100));
        assert!(!sent(queue.next(wait)).is_empty());
    }

    #[test]
    fn what_is_refused_waits_and_goes_first() {
        let mut queue = queue(false);
        queue.push(record(0, "k", 10));
        let entry = sent(queue.next(Duration::ZERO)).remove(0);
        queue.push(record(1, "k", 10));
        queue.again(entry, Duration::from_millis(50));
        assert_eq!(sent(queue.next(Duration::ZERO))[0].record.place.offset, 1);
        assert!(matches!(queue.next(Duration::ZERO), Next::Wait(wait) if wait == Duration::from_millis(50)));
        queue.push(record(2, "k", 10));
        let offsets: Vec<_> =
            sent(queue.next(Duration::from_millis(50))).iter().map(|entry| entry.record.place.offset).collect();
        assert_eq!(offsets, [0, 2]);
    }

    #[test]
    fn a_split_shard_is_sent_to_as_its_children() {
        let mut queue = queue(false);
        for offset in 0..100 {
            queue.push(record(offset, &format!("k{offset}"), 10));
        }
        queue.reshard(ShardMap::even(7));
        assert_eq!(sent(queue.next(Duration::ZERO)).len(), 100);
    }

    #[test]
    fn an_interrupt_takes_back_what_was_never_sent() {
        let mut queue = queue(true);
        for offset in 0..10 {
            queue.push(record(offset, "one", 10));
        }
        let first = sent(queue.next(Duration::ZERO)).remove(0);
        assert_eq!(queue.take_unsent().len(), 9);
        assert_eq!(queue.held(), 1);
        queue.settled(&first.record);
        assert_eq!((queue.held(), queue.held_bytes), (0, 0));
    }

    proptest! {
        /// Whatever fails, each record is settled once, and the records of a key one after the other.
        #[test]
        fn nothing_is_lost_and_a_key_keeps_its_order(
            keys in prop::collection::vec(0_u8..6, 1..300),
            fates in prop::collection::vec(0_u8..4, 50),
            ordered in any::<bool>(),
        ) {
            let mut queue = queue(ordered);
            for (offset, key) in keys.iter().enumerate() {
                queue.push(record(offset as u64, &key.to_string(), 10));
            }
            let (mut now, mut settled, mut turn) = (Duration::ZERO, Vec::new(), 0_usize);
            loop {
                match queue.next(now) {
                    Next::Nothing => break,
                    Next::Wait(wait) => now += wait,
                    Next::Send(entries) => for entry in entries {
                        turn += 1;
                        match fates[turn % fates.len()] {
                            0 if entry.attempts < 10 => {
                                let due = now + super::super::pace::backoff(entry.attempts, 0.5);
                                queue.again(entry, due);
                            }
                            1 if entry.attempts < 10 => {
                                queue.throttled(&entry.record, now, now);
                                queue.again(entry, now);
                            }
                            _ => {
                                queue.settled(&entry.record);
                                settled.push(entry.record.place.offset);
                            }
                        }
                    },
                }
            }
            prop_assert_eq!((queue.held(), queue.held_bytes, queue.ready, queue.ready_bytes), (0, 0, 0, 0));
            if ordered {
                for key in 0..6 {
                    let of_key: Vec<_> = settled.iter().filter(|offset| keys[**offset as usize] == key).collect();
                    prop_assert!(of_key.is_sorted());
                }
            }
            settled.sort_unstable();
            prop_assert_eq!(settled, (0..keys.len() as u64).collect::<Vec<_>>());
        }
    }
}
