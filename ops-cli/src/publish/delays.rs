//! Entries that wait out a pause before they are sent again, and how long that is. Pure.

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

/// The longest pause of a record that failed alone: the service accepts others.
pub const LONGEST_ALONE: Duration = Duration::from_millis(500);
/// The longest pause after a request that failed as a whole.
pub const LONGEST: Duration = Duration::from_secs(2);

/// The pause after a failure: doubling from 50 ms to the longest, anywhere in its upper half (`random` is 0 to 1), so that
/// what failed together does not come back together.
pub fn backoff(failures: u32, longest: Duration, random: f64) -> Duration {
    const FIRST: f64 = 0.05;
    let most = (FIRST * f64::from(1_u32 << failures.saturating_sub(1).min(16))).min(longest.as_secs_f64());
    Duration::from_secs_f64(most * (0.5 + random / 2.0))
}

/// The pause after a refusal for the shard's limit. It is short: the shard's pace decides how much is sent.
pub fn after_refusal(random: f64) -> Duration {
    Duration::from_secs_f64(0.01 + random * 0.01)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        assert_eq!(backoff(1, LONGEST, 1.0), Duration::from_millis(50));
        assert_eq!(backoff(1, LONGEST, 0.0), Duration::from_millis(25));
        assert_eq!(backoff(3, LONGEST, 1.0), Duration::from_millis(200));
        assert_eq!(backoff(60, LONGEST, 1.0), Duration::from_secs(2));
        assert_eq!(backoff(60, LONGEST_ALONE, 1.0), Duration::from_millis(500));
    }
}
