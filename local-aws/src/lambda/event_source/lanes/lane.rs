//! One lane: the queue of its records, and the batch that is under way.

use std::collections::VecDeque;

use super::progress::UnfinishedBatch;
use crate::lambda::event_source::record::Record;

#[derive(Debug, Default)]
pub struct Lane {
    pub queue: VecDeque<QueuedRecord>,
    pub bytes: usize,
    /// The number and the counter of each record that is being processed.
    pub under_way: Option<Vec<(u64, u64)>>,
    /// The batch to resume if this reader ends before it is finished.
    pub unfinished: Option<UnfinishedBatch>,
    /// When the next batch began to be gathered, in epoch milliseconds.
    pub gathering_since: i64,
    /// Every record of this lane with a counter below this one is finished.
    pub next: u64,
}

#[derive(Debug)]
pub struct QueuedRecord {
    pub number: u64,
    pub bytes: usize,
    /// The tumbling window. A batch holds records of one group.
    pub group: i64,
    pub record: Record,
}

impl Lane {
    pub fn is_free(&self) -> bool {
        self.under_way.is_none()
    }

    pub fn push(&mut self, record: QueuedRecord, now: i64) {
        if self.queue.is_empty() {
            self.gathering_since = now;
        }
        self.bytes += record.bytes;
        self.queue.push_back(record);
    }

    /// Removes records from the queue while `belongs` accepts the next one. It gets the number of records and bytes so far.
    /// Returns the records and their bytes.
    pub fn start_batch(&mut self, belongs: impl Fn(usize, usize, &QueuedRecord) -> bool) -> (Vec<Record>, usize) {
        let (mut records, mut numbers, mut bytes) = (Vec::new(), Vec::new(), 0);
        while let Some(next) = self.queue.pop_front_if(|next| belongs(records.len(), bytes, next)) {
            bytes += next.bytes;
            numbers.push((next.number, next.record.counter));
            records.push(next.record);
        }
        self.bytes -= bytes;
        self.under_way = Some(numbers);
        (records, bytes)
    }

    /// Notes that the first `completed` records under way are finished. Of an aggregate that continues behind them, nothing
    /// counts as finished.
    pub fn completed(&mut self, completed: usize) {
        let Some(under_way) = &self.under_way else { return };
        let (finished, rest) = under_way.split_at(completed.min(under_way.len()));
        let queued = self.queue.front().map(|next| next.record.counter);
        let following = rest.first().map(|(_, counter)| *counter).or(queued);
        let last = finished.iter().rev().map(|(_, counter)| *counter).find(|counter| Some(*counter) != following);
        if let Some(last) = last {
            self.next = self.next.max(last + 1);
        }
    }
}
