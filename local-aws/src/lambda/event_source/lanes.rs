//! Queues of a shard's records: one lane for each batch that may be processed at a time. Pure: the clock is passed in.
//!
//! A partition key always has the same lane, and a lane has one batch under way. So records of one key are never in two
//! invocations at once, and stay in order. AWS documents no more than that:
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html>.

mod lane;
mod progress;

use std::collections::VecDeque;

use super::batch::Attempts;
use super::record::Record;
use crate::kinesis::RecordRef;
use lane::{Lane, QueuedRecord};
use progress::lane_of;
pub use progress::{LaneProgress, UnfinishedBatch};

/// Limits of the batches of a shard.
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

/// A batch of one lane that is ready to be processed.
#[derive(Debug)]
pub struct LaneBatch {
    pub lane: usize,
    pub group: i64,
    pub records: Vec<Record>,
    /// Earlier attempts at the same batch.
    pub attempts: Option<Attempts>,
}

/// The records of one shard that were read and are not finished.
#[derive(Debug)]
pub struct Lanes {
    limits: Limits,
    lanes: Vec<Lane>,
    /// Every record that was read, in the shard's order, from the first unfinished one on.
    ledger: VecDeque<LedgerEntry>,
    /// The number of the ledger's first record. Records are numbered as they are read.
    first: u64,
    queued: usize,
    queued_bytes: usize,
    is_at_end: bool,
    /// The counter up to which the shard was read.
    read_to: Option<u64>,
    /// Batches that an earlier reader of the shard started.
    to_resume: Vec<UnfinishedBatch>,
    /// The records that earlier readers of the shard finished beyond the checkpoint.
    earlier: Vec<LaneProgress>,
}

#[derive(Debug)]
struct LedgerEntry {
    counter: u64,
    is_finished: bool,
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
            read_to: None,
            to_resume: Vec::new(),
            earlier: Vec::new(),
        }
    }

    /// Continues for an earlier reader of the shard. Its batches are retried as they were once their records are read again,
    /// and what it finished is not delivered again.
    pub fn resume(&mut self, unfinished: Vec<UnfinishedBatch>, progress: Vec<LaneProgress>) {
        self.to_resume = unfinished;
        // The batch size may have become smaller.
        self.to_resume.retain(|batch| batch.attempts.records() <= self.limits.batch_records);
        self.earlier = progress;
    }

    /// The batches to resume if the shard is read again from the checkpoint.
    pub fn unfinished(&self) -> Vec<UnfinishedBatch> {
        self.lanes.iter().filter_map(|lane| lane.unfinished.as_ref()).chain(&self.to_resume).cloned().collect()
    }

    /// The records that are finished beyond the checkpoint.
    pub fn progress(&self) -> Vec<LaneProgress> {
        let own = LaneProgress::new(self.lanes.iter().map(|lane| lane.next).collect());
        let checkpoint = self.ledger.front().map_or(u64::MAX, |first| first.counter);
        LaneProgress::merged(&self.earlier, own.filter(|own| own.is_beyond(checkpoint)))
    }

    /// Whether an earlier reader of the shard finished this record.
    pub fn is_finished(&self, record: RecordRef<'_>) -> bool {
        self.earlier.iter().any(|progress| progress.includes(record))
    }

    /// Notes that every record of the shard was pushed. Batches to resume whose records did not come are dropped.
    pub fn all_read(&mut self) {
        let read_to = self.read_to;
        self.to_resume.retain(|batch| batch.last <= read_to);
    }

    /// Queues the shard's next record, which takes `bytes` in an event, at `now`.
    pub fn push(&mut self, record: Record, bytes: usize, group: i64, now: i64) {
        let number = self.enter(record.counter, false);
        let lane = lane_of(record.as_ref().partition_key, self.lanes.len());
        self.lanes[lane].push(QueuedRecord { number, bytes, group, record }, now);
        self.queued += 1;
        self.queued_bytes += bytes;
    }

    /// Notes the shard's next record, which is not delivered.
    pub fn skip(&mut self, counter: u64) {
        self.enter(counter, true);
    }

    /// Notes that the shard is closed and that all of it was pushed: no batch waits for more.
    pub fn end(&mut self) {
        self.is_at_end = true;
    }

    /// How many more records may be read, and how many bytes: about one more batch for each lane. A blocked lane blocks the
    /// others once its records fill all of that.
    pub fn room(&self) -> (usize, usize) {
        let lanes = self.lanes.len();
        let records = (self.limits.batch_records * lanes).saturating_sub(self.queued);
        (records, (self.limits.batch_bytes * lanes).saturating_sub(self.queued_bytes))
    }

    pub fn has_room(&self) -> bool {
        let (records, bytes) = self.room();
        records > 0 && bytes > 0
    }

    /// Removes the next batch to process: one of a free lane that is full or was gathered long enough.
    pub fn next_batch(&mut self, now: i64) -> Option<LaneBatch> {
        let lane = (0..self.lanes.len()).find(|lane| self.is_ready(&self.lanes[*lane], now))?;
        let front = self.lanes[lane].queue.front()?;
        let group = front.group;
        let resumed = self.to_resume.iter().position(|batch| batch.first == Some(front.record.counter));
        let resumed = resumed.map(|index| self.to_resume.swap_remove(index));
        let most = resumed.as_ref().map_or(self.limits.batch_records, |batch| batch.attempts.records());
        let (limits, to_resume) = (self.limits, &self.to_resume);
        let starts_another = |record: &Record| to_resume.iter().any(|batch| batch.first == Some(record.counter));
        let (records, bytes) = self.lanes[lane].start_batch(|count, bytes, next| {
            let fits = count < most && bytes + next.bytes <= limits.batch_bytes && !starts_another(&next.record);
            // A batch has at least one record, whatever its size.
            next.group == group && (count == 0 || fits)
        });
        self.queued -= records.len();
        self.queued_bytes -= bytes;
        // With other filters or limits, the batch may have other records now. Then it has no attempts.
        let is_same = |batch: &UnfinishedBatch| {
            records.len() == most && records.last().is_some_and(|record| Some(record.counter) == batch.last)
        };
        let unfinished = resumed.filter(is_same);
        let attempts = unfinished.as_ref().map(|batch| batch.attempts.clone());
        self.lanes[lane].unfinished = unfinished;
        Some(LaneBatch { lane, group, records, attempts })
    }

    /// When the next batch will have been gathered long enough, in epoch milliseconds.
    pub fn due(&self) -> Option<i64> {
        let gathering = self.lanes.iter().filter(|lane| lane.is_free() && !lane.queue.is_empty());
        gathering.map(|lane| lane.gathering_since + self.limits.gather_ms).min()
    }

    /// Notes that the first `completed` records of a lane's batch are finished, and the attempts at the others.
    pub fn progressed(&mut self, lane: usize, completed: usize, unfinished: Option<UnfinishedBatch>) {
        let lane = &mut self.lanes[lane];
        lane.unfinished = unfinished;
        lane.completed(completed);
        for (number, _) in lane.under_way.iter().flatten().take(completed) {
            let index = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
            // Finished records before the first unfinished one were removed from the ledger.
            if *number >= self.first
                && let Some(entry) = self.ledger.get_mut(index)
            {
                entry.is_finished = true;
            }
        }
    }

    /// Frees a lane. Its next batch is gathered from now on.
    pub fn finished(&mut self, lane: usize, now: i64) {
        let lane = &mut self.lanes[lane];
        lane.under_way = None;
        lane.gathering_since = now;
    }

    /// The counter up to which all records are finished, if it has grown. The records of an aggregate have one counter and are
    /// finished together.
    pub fn checkpoint(&mut self) -> Option<u64> {
        let mut checkpoint = None;
        while let Some(first) = self.ledger.front() {
            let counter = first.counter;
            let together = self.ledger.iter().take_while(|entry| entry.counter == counter).count();
            if !self.ledger.iter().take(together).all(|entry| entry.is_finished) {
                break;
            }
            self.first += together as u64;
            self.ledger.drain(..together);
            checkpoint = Some(counter);
        }
        if let Some(checkpoint) = checkpoint {
            self.to_resume.retain(|batch| batch.first.is_none_or(|first| first > checkpoint));
            self.earlier.retain(|progress| progress.is_beyond(checkpoint + 1));
        }
        checkpoint
    }

    /// Whether a lane has no batch under way.
    pub fn is_free(&self, lane: usize) -> bool {
        self.lanes[lane].is_free()
    }

    /// Makes a lane busy with the final invocation of a window. Returns the earlier attempts at it.
    pub fn occupy(&mut self, lane: usize) -> Option<Attempts> {
        let resumed = self.to_resume.iter().position(|batch| batch.first.is_none());
        let lane = &mut self.lanes[lane];
        lane.under_way = Some(Vec::new());
        lane.unfinished = resumed.map(|index| self.to_resume.swap_remove(index));
        lane.unfinished.as_ref().map(|batch| batch.attempts.clone())
    }

    /// The group of the next record of a lane.
    pub fn next_group(&self, lane: usize) -> Option<i64> {
        self.lanes[lane].queue.front().map(|next| next.group)
    }

    /// Whether no record is queued and no batch under way.
    pub fn is_empty(&self) -> bool {
        self.queued == 0 && self.lanes.iter().all(Lane::is_free)
    }

    fn enter(&mut self, counter: u64, is_finished: bool) -> u64 {
        self.ledger.push_back(LedgerEntry { counter, is_finished });
        self.read_to = Some(counter);
        self.first + self.ledger.len() as u64 - 1
    }

    fn is_ready(&self, lane: &Lane, now: i64) -> bool {
        let (Some(first), Some(last)) = (lane.queue.front(), lane.queue.back()) else { return false };
        let is_full = lane.queue.len() >= self.limits.batch_records
            || lane.bytes >= self.limits.batch_bytes
            || first.group != last.group;
        let is_due = lane.gathering_since + self.limits.gather_ms <= now;
        let resumed = self.to_resume.iter().find(|batch| batch.first == Some(first.record.counter));
        let is_ready = match resumed {
            Some(batch) => batch.last <= self.read_to || !self.has_room(),
            None => is_full || is_due || self.is_at_end,
        };
        lane.is_free() && is_ready
    }
}

#[cfg(test)]
mod tests;
