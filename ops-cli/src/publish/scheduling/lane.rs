//! The part of the queue that belongs to one shard. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use super::batch::QueuedEntry;
use super::load::{Fate, Load, Verdicts};
use super::pace::Pace;

/// The entries that wait for one shard, and its pace.
#[derive(Debug)]
pub struct Lane {
    pub ready: VecDeque<QueuedEntry>,
    pub ready_bytes: usize,
    pub pace: Pace,
    /// The requests in flight with records of this shard.
    pub under_way: Vec<u64>,
    /// The time at which the first record was sent that the shard refused since it last accepted one.
    pub refusing_since: Option<Duration>,
    /// The verdicts on the request that was answered last.
    last: Verdicts,
    /// The number of consecutive entries that were not accepted.
    unaccepted: u32,
}

impl Lane {
    pub fn new() -> Self {
        let pace = Pace::new();
        Self {
            ready: VecDeque::new(),
            ready_bytes: 0,
            pace,
            under_way: Vec::new(),
            refusing_since: None,
            last: Verdicts::default(),
            unaccepted: 0,
        }
    }

    pub fn push_back(&mut self, entry: QueuedEntry) {
        self.ready_bytes += entry.record.size();
        self.ready.push_back(entry);
    }

    pub fn push_front(&mut self, entry: QueuedEntry) {
        self.ready_bytes += entry.record.size();
        self.ready.push_front(entry);
    }

    pub fn pop_front(&mut self) -> Option<QueuedEntry> {
        let entry = self.ready.pop_front()?;
        self.ready_bytes -= entry.record.size();
        Some(entry)
    }

    /// Whether the shard accepts entries besides those that it refused. A refused entry then needs no pause.
    pub fn is_accepting(&self) -> bool {
        const FEW: u32 = 8;
        self.unaccepted < FEW || (self.last.accepted.records > 0 && self.last.are_scattered())
    }

    /// Adds the shard's verdicts on its entries of a request that was sent at `sent`.
    pub fn judged(&mut self, verdicts: Verdicts, sent: Duration, now: Duration) {
        self.last = verdicts;
        if verdicts.accepted.records > 0 {
            self.unaccepted = 0;
        }
        self.unaccepted = self.unaccepted.saturating_add(verdicts.unaccepted_last);
        if verdicts.judged() > 0 {
            self.pace.answered(verdicts, sent, now);
        }
        if verdicts.accepted.records > 0 {
            self.refusing_since = None;
        } else if verdicts.refused.records > 0 {
            self.refusing_since.get_or_insert(sent);
        }
    }
}

/// The verdict of a shard on one put.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    /// A hash key of the shard.
    pub hash_key: u128,
    pub load: Load,
    pub fate: Fate,
}
