//! Entries that wait out a pause before they are sent again. Pure.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

use super::pack::Entry;

#[derive(Debug, Default)]
pub struct Delays(BinaryHeap<Delayed>);

/// The next due is the greatest.
#[derive(Debug)]
struct Delayed {
    due: Reverse<Duration>,
    entry: Entry,
}

impl Delays {
    pub fn add(&mut self, entry: Entry, due: Duration) {
        self.0.push(Delayed { due: Reverse(due), entry });
    }

    /// One that has waited long enough.
    pub fn take_due(&mut self, now: Duration) -> Option<Entry> {
        self.0.peek().filter(|next| next.due.0 <= now)?;
        self.0.pop().map(|next| next.entry)
    }

    /// How long the next of them waits; none if there is none.
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        self.0.peek().map(|next| next.due.0.saturating_sub(now))
    }

    pub fn take_all(&mut self) -> impl Iterator<Item = Entry> {
        std::mem::take(&mut self.0).into_iter().map(|delayed| delayed.entry)
    }
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Delayed {}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due.cmp(&other.due)
    }
}
