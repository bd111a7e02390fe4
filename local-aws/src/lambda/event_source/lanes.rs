//! What a shard's records wait in: one lane for each batch that may be processed at a time. Pure: the clock is passed in.
//!
//! A partition key has one lane, and a lane has one batch under way: so records of one key are never in two invocations at
//! once, and stay in order. That AWS spreads keys alike is all its documentation says:
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html>.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::batch::Attempts;
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
    /// Made when the same batch was tried before.
    pub attempts: Option<Attempts>,
}

/// A batch that was begun and is not done with: which records are left of it, and what was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The sequence number of its first record that is left; empty of a window's final invocation.
    pub first: String,
    pub last: String,
    pub attempts: Attempts,
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
    /// The sequence number up to which the shard was read.
    read_to: String,
    /// What was begun by an earlier reader of the shard, and is to go on.
    to_resume: Vec<Unfinished>,
}

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<Queued>,
    bytes: usize,
    /// The numbers of the records that are being processed.
    under_way: Option<Vec<u64>>,
    /// What there is to go on with, should this reader end before the batch.
    unfinished: Option<Unfinished>,
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
        Self {
            limits,
            lanes,
            ledger: VecDeque::new(),
            first: 0,
            queued: 0,
            queued_bytes: 0,
            is_at_end: false,
            read_to: String::new(),
            to_resume: Vec::new(),
        }
    }

    /// Has batches that were begun before go on as they were, once their records are read again.
    pub fn resume(&mut self, unfinished: Vec<Unfinished>) {
        self.to_resume = unfinished;
        // Of a larger batch size.
        self.to_resume.retain(|batch| batch.attempts.records() <= self.limits.batch_records);
    }

    /// What is to go on should the shard be read anew from the checkpoint.
    pub fn unfinished(&self) -> Vec<Unfinished> {
        self.lanes.iter().filter_map(|lane| lane.unfinished.as_ref()).chain(&self.to_resume).cloned().collect()
    }

    /// All that the shard has was pushed: what has not come by now does not come again.
    pub fn all_read(&mut self) {
        let read_to = &self.read_to;
        self.to_resume.retain(|batch| !is_after(&batch.last, read_to));
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

    pub fn has_room(&self) -> bool {
        let (records, bytes) = self.room();
        records > 0 && bytes > 0
    }

    /// The next batch that is to be processed, if a lane is free and has one: full, or gathered long enough.
    pub fn take(&mut self, now: i64) -> Option<Taken> {
        let lane = (0..self.lanes.len()).find(|lane| self.is_ready(&self.lanes[*lane], now))?;
        let front = self.lanes[lane].queue.front()?;
        let group = front.group;
        let resumed = self.to_resume.iter().position(|batch| batch.first == front.record.sequence_number);
        let resumed = resumed.map(|index| self.to_resume.swap_remove(index));
        let most = resumed.as_ref().map_or(self.limits.batch_records, |batch| batch.attempts.records());
        let (limits, of_lane, to_resume) = (self.limits, &mut self.lanes[lane], &self.to_resume);
        let begins_another = |record: &Record| to_resume.iter().any(|batch| batch.first == record.sequence_number);
        let (mut records, mut numbers, mut bytes): (Vec<Record>, _, _) = (Vec::new(), Vec::new(), 0);
        while let Some(next) = of_lane.queue.front() {
            // At least one, whatever its size.
            let fits = records.len() < most && bytes + next.bytes <= limits.batch_bytes;
            if next.group != group || !(records.is_empty() || (fits && !begins_another(&next.record))) {
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
        // With other filters or limits it may be another batch by now, which is then tried as any.
        let is_same = |batch: &Unfinished| {
            records.len() == most && records.last().is_some_and(|record| record.sequence_number == batch.last)
        };
        of_lane.unfinished = resumed.filter(is_same);
        let attempts = of_lane.unfinished.as_ref().map(|batch| batch.attempts.clone());
        Some(Taken { lane, group, records, attempts })
    }

    /// When the next batch will have been gathered long enough, in epoch milliseconds.
    pub fn due(&self) -> Option<i64> {
        let gathering = self.lanes.iter().filter(|lane| lane.under_way.is_none() && !lane.queue.is_empty());
        gathering.map(|lane| lane.gathering_since + self.limits.gather_ms).min()
    }

    /// Notes that the first `completed` records of a lane's batch are done with, and what was tried of the others.
    pub fn progressed(&mut self, lane: usize, completed: usize, unfinished: Option<Unfinished>) {
        self.lanes[lane].unfinished = unfinished;
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
        if let Some(checkpoint) = &checkpoint {
            self.to_resume.retain(|batch| batch.first.is_empty() || is_after(&batch.first, checkpoint));
        }
        checkpoint
    }

    /// Whether nothing of a lane is under way.
    pub fn is_free(&self, lane: usize) -> bool {
        self.lanes[lane].under_way.is_none()
    }

    /// Makes a lane busy with what is no batch: the end of a window. The attempts made at that before.
    pub fn occupy(&mut self, lane: usize) -> Option<Attempts> {
        let resumed = self.to_resume.iter().position(|batch| batch.first.is_empty());
        let lane = &mut self.lanes[lane];
        lane.under_way = Some(Vec::new());
        lane.unfinished = resumed.map(|index| self.to_resume.swap_remove(index));
        lane.unfinished.as_ref().map(|batch| batch.attempts.clone())
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
        if !self.to_resume.is_empty() {
            self.read_to.clone_from(&record.sequence_number);
        }
        self.first + self.ledger.len() as u64 - 1
    }

    fn is_ready(&self, lane: &Lane, now: i64) -> bool {
        let (Some(first), Some(last)) = (lane.queue.front(), lane.queue.back()) else { return false };
        let is_full = lane.queue.len() >= self.limits.batch_records
            || lane.bytes >= self.limits.batch_bytes
            || first.group != last.group;
        let is_due = lane.gathering_since + self.limits.gather_ms <= now;
        let resumed = self.to_resume.iter().find(|batch| batch.first == first.record.sequence_number);
        let is_ready = match resumed {
            Some(batch) => !is_after(&batch.last, &self.read_to) || !self.has_room(),
            None => is_full || is_due || self.is_at_end,
        };
        lane.under_way.is_none() && is_ready
    }

    fn lane_of(&self, partition_key: &str) -> usize {
        // Without keys of its own: a key has the same lane after a restart.
        let mut hasher = DefaultHasher::new();
        partition_key.hash(&mut hasher);
        usize::try_from(hasher.finish() % self.lanes.len() as u64).unwrap_or_default()
    }
}

/// Sequence numbers are numbers, of any length.
fn is_after(one: &str, other: &str) -> bool {
    (one.len(), one) > (other.len(), other)
}

#[cfg(test)]
mod tests;
