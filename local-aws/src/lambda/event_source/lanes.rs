//! What a shard's records wait in: one lane for each batch that may be processed at a time. Pure: the clock is passed in.
//!
//! A partition key has one lane, and a lane has one batch under way: so records of one key are never in two invocations at
//! once, and stay in order. That AWS spreads keys alike is all its documentation says:
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html>.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::kinesis::Record;

/// What bounds the batches of a shard.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// `ParallelizationFactor`.
    pub lanes: usize,
    /// `BatchSize`.
    pub batch_records: usize,
    /// Bytes of one event's records.
    pub batch_bytes: usize,
    /// How long a batch is gathered, in milliseconds.
    pub gather_ms: i64,
}

/// A batch to be processed now.
#[derive(Debug)]
pub struct Taken {
    pub lane: usize,
    pub group: i64,
    pub records: Vec<Record>,
}

/// The records of one shard that were read and are not done with.
#[derive(Debug)]
pub struct Lanes {
    limits: Limits,
    lanes: Vec<Lane>,
    /// Every record read, in the shard's order, from the first that is not done with.
    ledger: VecDeque<Entry>,
    /// The number of the ledger's first record; they are counted as they are read.
    first: u64,
    queued: usize,
    queued_bytes: usize,
    is_at_end: bool,
}

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<Queued>,
    bytes: usize,
    /// The numbers of the records that are being processed.
    under_way: Option<Vec<u64>>,
    /// Epoch milliseconds since which a batch is gathered.
    gathering_since: i64,
}

#[derive(Debug)]
struct Queued {
    number: u64,
    bytes: usize,
    /// Batches do not reach across these: the tumbling window.
    group: i64,
    record: Record,
}

#[derive(Debug)]
struct Entry {
    sequence_number: String,
    is_done: bool,
}

impl Lanes {
    pub fn new(limits: Limits) -> Self {
        let lanes = (0..limits.lanes.max(1)).map(|_| Lane::default()).collect();
        Self { limits, lanes, ledger: VecDeque::new(), first: 0, queued: 0, queued_bytes: 0, is_at_end: false }
    }

    /// Takes in the shard's next record, of so many bytes, at `now`.
    pub fn push(&mut self, record: Record, bytes: usize, group: i64, now: i64) {
        let number = self.enter(&record, false);
        let lane = self.lane_of(&record.partition_key);
        let lane = &mut self.lanes[lane];
        if lane.queue.is_empty() {
            lane.gathering_since = now;
        }
        lane.bytes += bytes;
        lane.queue.push_back(Queued { number, bytes, group, record });
        self.queued += 1;
        self.queued_bytes += bytes;
    }

    /// Takes in a record that no function gets to see.
    pub fn skip(&mut self, record: &Record) {
        self.enter(record, true);
    }

    /// The shard is closed and all of it was pushed: no batch waits for more.
    pub fn end(&mut self) {
        self.is_at_end = true;
    }

    /// How many records may be read yet, and how many bytes: about one more batch a lane. A lane that does not get on
    /// holds up the others once its records fill all of that.
    pub fn room(&self) -> (usize, usize) {
        let lanes = self.lanes.len();
        let records = (self.limits.batch_records * lanes).saturating_sub(self.queued);
        (records, (self.limits.batch_bytes * lanes).saturating_sub(self.queued_bytes))
    }

    /// The next batch that is to be processed, if a lane is free and has one: full, or gathered long enough.
    pub fn take(&mut self, now: i64) -> Option<Taken> {
        let lane = (0..self.lanes.len()).find(|lane| self.is_ready(&self.lanes[*lane], now))?;
        let (limits, of_lane) = (self.limits, &mut self.lanes[lane]);
        let group = of_lane.queue.front()?.group;
        let (mut records, mut numbers, mut bytes) = (Vec::new(), Vec::new(), 0);
        while let Some(next) = of_lane.queue.front() {
            // At least one, whatever its size.
            let fits = records.len() < limits.batch_records && bytes + next.bytes <= limits.batch_bytes;
            if next.group != group || !(records.is_empty() || fits) {
                break;
            }
            if let Some(next) = of_lane.queue.pop_front() {
                bytes += next.bytes;
                numbers.push(next.number);
                records.push(next.record);
            }
        }
        of_lane.bytes -= bytes;
        of_lane.under_way = Some(numbers);
        self.queued -= records.len();
        self.queued_bytes -= bytes;
        Some(Taken { lane, group, records })
    }

    /// When the next batch will have been gathered long enough, in epoch milliseconds.
    pub fn due(&self) -> Option<i64> {
        let gathering = self.lanes.iter().filter(|lane| lane.under_way.is_none() && !lane.queue.is_empty());
        gathering.map(|lane| lane.gathering_since + self.limits.gather_ms).min()
    }

    /// Notes that the first `completed` records of a lane's batch are done with.
    pub fn progressed(&mut self, lane: usize, completed: usize) {
        for number in self.lanes[lane].under_way.iter().flatten().take(completed) {
            let index = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
            // What is done and before the ledger's first was taken off it before.
            if *number >= self.first
                && let Some(entry) = self.ledger.get_mut(index)
            {
                entry.is_done = true;
            }
        }
    }

    /// Frees a lane. Its next batch is gathered from now on.
    pub fn finished(&mut self, lane: usize, now: i64) {
        let lane = &mut self.lanes[lane];
        lane.under_way = None;
        lane.gathering_since = now;
    }

    /// The sequence number up to which everything is done with, if that is further than it was. Records of one number
    /// (those of an aggregate) are done with together.
    pub fn checkpoint(&mut self) -> Option<String> {
        let mut checkpoint = None;
        while let Some(first) = self.ledger.front() {
            let number = &first.sequence_number;
            let together = self.ledger.iter().take_while(|entry| entry.sequence_number == *number).count();
            if !self.ledger.iter().take(together).all(|entry| entry.is_done) {
                break;
            }
            self.first += together as u64;
            checkpoint = self.ledger.drain(..together).next().map(|entry| entry.sequence_number);
        }
        checkpoint
    }

    /// Whether nothing of a lane is under way.
    pub fn is_free(&self, lane: usize) -> bool {
        self.lanes[lane].under_way.is_none()
    }

    /// Makes a lane busy with what is no batch: the end of a window.
    pub fn occupy(&mut self, lane: usize) {
        self.lanes[lane].under_way = Some(Vec::new());
    }

    /// The group of the next record of a lane.
    pub fn next_group(&self, lane: usize) -> Option<i64> {
        self.lanes[lane].queue.front().map(|next| next.group)
    }

    /// Nothing waits and nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.queued == 0 && self.lanes.iter().all(|lane| lane.under_way.is_none())
    }

    fn enter(&mut self, record: &Record, is_done: bool) -> u64 {
        self.ledger.push_back(Entry { sequence_number: record.sequence_number.clone(), is_done });
        self.first + self.ledger.len() as u64 - 1
    }

    fn is_ready(&self, lane: &Lane, now: i64) -> bool {
        let (Some(first), Some(last)) = (lane.queue.front(), lane.queue.back()) else { return false };
        let is_full = lane.queue.len() >= self.limits.batch_records
            || lane.bytes >= self.limits.batch_bytes
            || first.group != last.group;
        let is_due = lane.gathering_since + self.limits.gather_ms <= now;
        lane.under_way.is_none() && (is_full || is_due || self.is_at_end)
    }

    fn lane_of(&self, partition_key: &str) -> usize {
        // Without keys of its own: a key has the same lane after a restart.
        let mut hasher = DefaultHasher::new();
        partition_key.hash(&mut hasher);
        usize::try_from(hasher.finish() % self.lanes.len() as u64).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
