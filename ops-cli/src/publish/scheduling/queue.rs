//! Holds the entries that wait to be sent, and packs them into requests. Pure: the clock is passed in, as the time since the
//! run began.
//!
//! Each shard has its own lane, so that a shard that refuses entries delays no other. A shard executes one request at a
//! time, so that its records arrive in the order of the input as long as nothing fails. The next request is prepared while
//! the one before it is in flight, if it is full and nothing delays it.
//!
//! With `ordered` a key has at most one put in flight instead, because PutRecords may accept a later entry and refuse an
//! earlier one. The key's other entries wait. An aggregate is accepted or refused as a whole, so that it can hold as many
//! records of one key as fit.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use kinesis_event_logger_core::{AggregateBuilder, limits};

use super::batch::{AGGREGATE_KEY, Aggregate, ENOUGH_BYTES, Packing, Put, QueuedEntry, Request, Room};
use super::bucket::Rate;
use super::delays::Delays;
use super::lane::{Lane, Verdict};
use super::load::Verdicts;
use super::shards::ShardMap;
use crate::publish::input::record::Record;

/// The most records held, including those in flight.
const MOST_RECORDS: usize = 20_000;
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The next request is prepared if an answer takes at least this long. Faster answers leave no time for it.
const WORTH_PREPARING: Duration = Duration::from_millis(10);

/// The next action of the sender.
#[derive(Debug)]
pub enum Next {
    Send(Request),
    /// Nothing may be sent for this long.
    Wait(Duration),
    /// Nothing is waiting.
    Nothing,
}

#[derive(Debug)]
pub struct Queue {
    shards: ShardMap,
    lanes: Vec<Lane>,
    delays: Delays,
    /// With `ordered`: the records that follow the put in flight of each key.
    followers: Option<HashMap<Box<str>, VecDeque<QueuedEntry>>>,
    aggregate_bytes: Option<usize>,
    rate: Rate,
    /// The mean latency of a request.
    latency: Duration,
    /// The lane that the next request begins with, which rotates so that none is always last.
    first_lane: usize,
    next_request: u64,
    ready: usize,
    held: usize,
    held_bytes: usize,
}

impl Queue {
    pub fn new(shards: ShardMap, packing: Packing, rate: Rate) -> Self {
        let lanes = (0..shards.len()).map(|_| Lane::new()).collect();
        let followers = packing.ordered.then(HashMap::new);
        Self {
            shards,
            lanes,
            delays: Delays::default(),
            followers,
            aggregate_bytes: packing.aggregate_bytes,
            rate,
            latency: Duration::ZERO,
            first_lane: 0,
            next_request: 0,
            ready: 0,
            held: 0,
            held_bytes: 0,
        }
    }

    pub fn shards(&self) -> &ShardMap {
        &self.shards
    }

    /// Whether more may be read. This bounds the memory.
    pub fn has_room(&self) -> bool {
        self.held < MOST_RECORDS && self.held_bytes < MOST_BYTES
    }

    /// The number of records that are waiting or in flight.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Whether an entry can be sent at once.
    pub fn has_ready(&self) -> bool {
        self.ready > 0
    }

    /// Whether a request would be full, or nearly.
    pub fn has_a_full_request(&self) -> bool {
        let (mut records, mut bytes) = (0, 0);
        for lane in self.lanes.iter().filter(|lane| self.may_send(lane)) {
            records += lane.ready.len();
            bytes += lane.ready_bytes;
        }
        self.is_full(records, bytes) || self.lane_to_prepare().is_some()
    }

    fn is_full(&self, records: usize, bytes: usize) -> bool {
        bytes >= ENOUGH_BYTES || (self.aggregate_bytes.is_none() && records >= limits::PUT_RECORDS_RECORDS)
    }

    /// Returns the lane whose next request may be prepared. A lane that is paced does not need it.
    fn lane_to_prepare(&self) -> Option<usize> {
        if self.latency < WORTH_PREPARING || self.followers.is_some() || !self.rate.is_unlimited() {
            return None;
        }
        let may_prepare = |lane: &Lane| {
            lane.under_way.len() == 1 && lane.pace.is_unlimited() && self.is_full(lane.ready.len(), lane.ready_bytes)
        };
        let lanes = (0..self.lanes.len()).filter(|index| may_prepare(&self.lanes[*index]));
        lanes.max_by_key(|index| self.lanes[*index].ready_bytes)
    }

    /// With `ordered`, the followers preserve the order instead.
    fn may_send(&self, lane: &Lane) -> bool {
        self.followers.is_some() || lane.under_way.is_empty()
    }

    pub fn push(&mut self, record: Record) {
        self.held += 1;
        self.held_bytes += record.size();
        if let Some(followers) = &mut self.followers {
            if let Some(waiting) = followers.get_mut(record.partition_key()) {
                waiting.push_back(QueuedEntry::of(record));
                return;
            }
            followers.insert(record.partition_key().into(), VecDeque::new());
        }
        self.make_ready(QueuedEntry::of(record));
    }

    fn make_ready(&mut self, entry: QueuedEntry) {
        self.ready += 1;
        let lane = &mut self.lanes[self.shards.index_of(entry.record.hash_key)];
        // Refused entries go before those that were never sent.
        if entry.attempts > 0 { lane.push_front(entry) } else { lane.push_back(entry) }
    }

    /// Returns the next request, if one may be sent now.
    pub fn next(&mut self, now: Duration) -> Next {
        while let Some(entry) = self.delays.take_due(now) {
            self.make_ready(entry);
        }
        let mut request = Request { id: self.next_request, ..Request::default() };
        let mut room = Room::default();
        let mut shortest = self.delays.wait(now);
        let lanes = self.lanes.len();
        let is_busy = self.lanes.iter().any(|lane| !lane.under_way.is_empty());
        for index in (self.first_lane..lanes).chain(0..self.first_lane) {
            if !self.may_send(&self.lanes[index]) {
                continue;
            }
            let wait = self.fill(&mut request, &mut room, index, now);
            shortest = shortest.into_iter().chain(wait).min();
            // A request for few shards leaves the others free for the next one.
            if is_busy && room.is_half() {
                break;
            }
        }
        self.first_lane = (self.first_lane + 1) % lanes.max(1);
        if request.puts.is_empty()
            && let Some(index) = self.lane_to_prepare()
        {
            request.after = self.lanes[index].under_way.first().copied();
            self.fill(&mut request, &mut room, index, now);
        }
        if request.puts.is_empty() {
            return shortest.map_or(Next::Nothing, Next::Wait);
        }
        self.next_request += 1;
        for entry in &mut request.entries {
            if entry.attempts == 0 {
                entry.first_sent = now;
            }
            entry.attempts += 1;
        }
        Next::Send(request)
    }

    /// Adds what a lane may send to the request. Returns the time until it may send more, if it must wait.
    fn fill(&mut self, request: &mut Request, room: &mut Room, index: usize, now: Duration) -> Option<Duration> {
        let puts = request.puts.len();
        let mut held_back = None;
        while !room.is_enough() && !self.lanes[index].ready.is_empty() {
            let wait = self.lanes[index].pace.wait(now).max(self.rate.wait(now));
            if !wait.is_zero() {
                held_back = Some(wait);
                break;
            }
            let Some(bytes) = self.take_put(index, now, room, request) else { break };
            room.take(bytes);
            self.lanes[index].pace.take(bytes, now);
        }
        if request.puts.len() > puts {
            self.lanes[index].under_way.push(request.id);
        }
        held_back
    }

    /// Moves the entries of one put from the lane into the request. Returns its size, or `None` if it does not fit.
    fn take_put(&mut self, index: usize, now: Duration, room: &Room, request: &mut Request) -> Option<usize> {
        if let Some(max_bytes) = self.aggregate_bytes
            && let Some(bytes) = self.take_aggregate(index, max_bytes, now, request)
        {
            return Some(bytes);
        }
        let bytes = self.lanes[index].ready.front()?.record.size();
        if !room.fits(bytes) {
            return None;
        }
        request.entries.push(self.take(index)?);
        request.puts.push(Put { entries: 1, bytes, aggregate: None });
        Some(bytes)
    }

    /// Returns `None` and moves nothing if the next record is too large for an aggregate.
    fn take_aggregate(
        &mut self,
        index: usize,
        max_bytes: usize,
        now: Duration,
        request: &mut Request,
    ) -> Option<usize> {
        let mut builder = AggregateBuilder::new(max_bytes);
        let first = request.entries.len();
        while let Some(entry) = self.lanes[index].ready.front()
            && self.rate.wait(now).is_zero()
            && entry.add_to(&mut builder).is_ok()
        {
            request.entries.extend(self.take(index));
            self.take_followers(index, now, &mut builder, &mut request.entries);
        }
        let entries = request.entries.len() - first;
        // A single record is put as it is, as by AWS's own aggregators.
        let (bytes, aggregate) = match entries {
            0 => return None,
            1 => (request.entries[first].record.size(), None),
            _ => {
                let bytes = builder.len_bytes() + AGGREGATE_KEY.len();
                (bytes, Some(Box::new(Aggregate { builder, hash_key: self.shards.first_hash_key(index) })))
            }
        };
        request.puts.push(Put { entries, bytes, aggregate });
        Some(bytes)
    }

    fn take(&mut self, index: usize) -> Option<QueuedEntry> {
        let entry = self.lanes[index].pop_front()?;
        self.rate.take(entry.record.size());
        self.ready -= 1;
        Some(entry)
    }

    /// With `ordered`: takes the records of the key that follow the last entry, as long as they are for the same shard.
    fn take_followers(
        &mut self,
        index: usize,
        now: Duration,
        builder: &mut AggregateBuilder,
        entries: &mut Vec<QueuedEntry>,
    ) {
        let Some(followers) = &mut self.followers else { return };
        let Some(waiting) = entries.last().and_then(|entry| followers.get_mut(entry.record.partition_key())) else {
            return;
        };
        while let Some(next) = waiting.front()
            && self.shards.index_of(next.record.hash_key) == index
            && self.rate.wait(now).is_zero()
            && next.add_to(builder).is_ok()
        {
            self.rate.take(next.record.size());
            entries.extend(waiting.pop_front());
        }
    }

    /// Marks a request as answered after `took`. Its shards may be sent the next one.
    pub fn answered(&mut self, request: u64, took: Duration) {
        self.latency = (self.latency * 3 + took) / 4;
        for lane in &mut self.lanes {
            lane.under_way.retain(|id| *id != request);
        }
    }

    /// Adds the shards' verdicts on the puts of a request that was sent at `sent`.
    pub fn judged(&mut self, verdicts: impl Iterator<Item = Verdict>, sent: Duration, now: Duration) {
        let mut of_lane: Option<(usize, Verdicts)> = None;
        for Verdict { hash_key, load, fate } in verdicts {
            let index = self.shards.index_of(hash_key);
            // The puts of a shard are consecutive in a request.
            let (_, verdicts) = match &mut of_lane {
                Some(sums) if sums.0 == index => sums,
                _ => {
                    self.judge(of_lane, sent, now);
                    of_lane.insert((index, Verdicts::default()))
                }
            };
            verdicts.push(fate, load);
        }
        self.judge(of_lane, sent, now);
    }

    fn judge(&mut self, of_lane: Option<(usize, Verdicts)>, sent: Duration, now: Duration) {
        if let Some((index, verdicts)) = of_lane {
            self.lanes[index].judged(verdicts, sent, now);
        }
    }

    /// Whether the entry's shard accepts others.
    pub fn is_accepting(&self, entry: &QueuedEntry) -> bool {
        self.lanes[self.shards.index_of(entry.record.hash_key)].is_accepting()
    }

    /// Returns the time since which the record's shard has refused every entry, including this record.
    pub fn refused_since(&self, entry: &QueuedEntry) -> Option<Duration> {
        let lane = &self.lanes[self.shards.index_of(entry.record.hash_key)];
        lane.refusing_since.map(|since| since.max(entry.first_sent))
    }

    /// Settles a put: `done` are acknowledged or abandoned, and `again` are resent, but not before `due`.
    pub fn settle(&mut self, done: &[QueuedEntry], mut again: Vec<QueuedEntry>, due: Duration) {
        for entry in done {
            self.held -= 1;
            self.held_bytes -= entry.record.size();
        }
        let Some(followers) = &mut self.followers else {
            again.into_iter().for_each(|entry| self.delays.add(entry, due));
            return;
        };
        let mut freed = Vec::new();
        for of_key in done.chunk_by(QueuedEntry::has_key_of) {
            let key = of_key[0].record.partition_key();
            if again.iter().any(|entry| entry.has_key_of(&of_key[0])) {
                continue;
            }
            match followers.get_mut(key).and_then(VecDeque::pop_front) {
                Some(entry) => freed.push(entry),
                None => {
                    followers.remove(key);
                }
            }
        }
        // The first entry of each key is queued. The others follow it, as when they were read.
        while let Some(entry) = again.pop() {
            let waiting = followers.get_mut(entry.record.partition_key());
            match waiting.filter(|_| again.last().is_some_and(|before| before.has_key_of(&entry))) {
                Some(waiting) => waiting.push_front(entry),
                None => self.delays.add(entry, due),
            }
        }
        freed.into_iter().for_each(|entry| self.make_ready(entry));
    }

    /// Replaces the map of shards. Shards that stay keep their pace.
    pub fn reshard(&mut self, shards: ShardMap) {
        if shards == self.shards {
            return;
        }
        let old = std::mem::replace(&mut self.shards, shards);
        let mut lanes: Vec<Lane> = (0..self.shards.len()).map(|_| Lane::new()).collect();
        let (mut entries, mut of_closed) = (Vec::new(), Vec::new());
        for (index, mut lane) in std::mem::take(&mut self.lanes).into_iter().enumerate() {
            entries.extend(std::mem::take(&mut lane.ready));
            lane.ready_bytes = 0;
            match (0..self.shards.len()).find(|new| self.shards.id(*new) == old.id(index)) {
                Some(stays) => lanes[stays] = lane,
                None => of_closed.extend(lane.under_way),
            }
        }
        // Entries in flight to a closed shard may belong to any of the new ones.
        let is_new = |index: &usize| (0..old.len()).all(|before| old.id(before) != self.shards.id(*index));
        (0..lanes.len()).filter(is_new).for_each(|index| lanes[index].under_way.clone_from(&of_closed));
        self.lanes = lanes;
        self.first_lane = 0;
        for entry in entries {
            self.lanes[self.shards.index_of(entry.record.hash_key)].push_back(entry);
        }
    }

    /// Takes every record that was never sent.
    pub fn take_unsent(&mut self) -> Vec<Record> {
        let mut unsent = Vec::new();
        let mut keep_sent = |entry: QueuedEntry| {
            if entry.attempts > 0 {
                return Some(entry);
            }
            unsent.push(entry.record);
            None
        };
        for lane in &mut self.lanes {
            lane.ready = std::mem::take(&mut lane.ready).into_iter().filter_map(&mut keep_sent).collect();
            lane.ready_bytes = lane.ready.iter().map(|entry| entry.record.size()).sum();
        }
        for waiting in self.followers.iter_mut().flat_map(HashMap::values_mut) {
            *waiting = std::mem::take(waiting).into_iter().filter_map(&mut keep_sent).collect();
        }
        self.ready = self.lanes.iter().map(|lane| lane.ready.len()).sum();
        self.held -= unsent.len();
        self.held_bytes -= unsent.iter().map(Record::size).sum::<usize>();
        unsent
    }

    /// Takes every record that is not in flight, because the run is abandoned.
    pub fn take_all(&mut self) -> Vec<QueuedEntry> {
        let mut all: Vec<QueuedEntry> = self.take_unsent().into_iter().map(QueuedEntry::of).collect();
        let unsent = all.len();
        for lane in &mut self.lanes {
            lane.ready_bytes = 0;
            all.extend(std::mem::take(&mut lane.ready));
        }
        all.extend(self.delays.take_all());
        all.extend(self.followers.iter_mut().flat_map(HashMap::values_mut).flat_map(std::mem::take));
        self.ready = 0;
        self.held -= all.len() - unsent;
        self.held_bytes -= all[unsent..].iter().map(|entry| entry.record.size()).sum::<usize>();
        all
    }
}

#[cfg(test)]
mod tests;
