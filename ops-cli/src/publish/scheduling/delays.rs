//! Entries that pause before they are resent, and the length of the pause. Pure.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

use super::batch::QueuedEntry;

#[derive(Debug, Default)]
pub struct Delays(BinaryHeap<DelayedEntry>);

/// Ordered so that the earliest due is the greatest, for a max-heap.
#[derive(Debug)]
struct DelayedEntry {
    due: Reverse<Duration>,
    entry: QueuedEntry,
}

impl Delays {
    pub fn add(&mut self, entry: QueuedEntry, due: Duration) {
        self.0.push(DelayedEntry { due: Reverse(due), entry });
    }

    /// Removes an entry whose pause is over.
    pub fn take_due(&mut self, now: Duration) -> Option<QueuedEntry> {
        self.0.peek().filter(|next| next.due.0 <= now)?;
        self.0.pop().map(|next| next.entry)
    }

    /// Returns the time until the first pause is over; `None` if no entry pauses.
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        self.0.peek().map(|next| next.due.0.saturating_sub(now))
    }

    pub fn take_all(&mut self) -> impl Iterator<Item = QueuedEntry> {
        std::mem::take(&mut self.0).into_iter().map(|delayed| delayed.entry)
    }
}

/// The entries that failed together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Extent {
    /// An entry whose shard accepts others, so that neither load nor an outage explains its failure.
    Entry,
    /// All entries of a shard.
    Shard,
    /// All entries of a request.
    Request,
}

impl Extent {
    /// Returns the extent of an entry's failure.
    pub const fn of_entry(is_accepting: bool) -> Self {
        if is_accepting { Self::Entry } else { Self::Shard }
    }

    const fn longest_pause(self) -> Duration {
        match self {
            Self::Entry | Self::Shard => Duration::from_millis(500),
            Self::Request => Duration::from_secs(2),
        }
    }
}

/// An entry that fails alone is resent this many times with its shard's next request. After that it pauses.
const SENT_AT_ONCE: u32 = 32;

/// Counts a failure of the entries of a put, and returns the pause before they are resent (`random` is 0 to 1).
pub fn after_failure(entries: &mut [QueuedEntry], extent: Extent, random: f64) -> Duration {
    let count = |entry: &mut QueuedEntry| match extent {
        Extent::Entry => {
            entry.failures_alone += 1;
            entry.failures_alone.saturating_sub(SENT_AT_ONCE)
        }
        Extent::Shard | Extent::Request => {
            entry.failures += 1;
            entry.failures
        }
    };
    match entries.iter_mut().map(count).max() {
        None | Some(0) => Duration::ZERO,
        Some(failures) => backoff(failures, extent.longest_pause(), random),
    }
}

/// Returns the pause after a failure. It doubles from 10 ms to `longest` and is drawn from its upper half (`random` is 0 to
/// 1), so that entries that failed together are not resent together.
fn backoff(failures: u32, longest: Duration, random: f64) -> Duration {
    const FIRST: f64 = 0.01;
    let most = (FIRST * f64::from(1_u32 << failures.saturating_sub(1).min(16))).min(longest.as_secs_f64());
    Duration::from_secs_f64(most * (0.5 + random / 2.0))
}

/// Returns the pause after throttling. It is short, because the shard's pace decides how much is sent, and zero if the shard
/// accepts others.
pub fn after_refusal(is_accepting: bool, random: f64) -> Duration {
    if is_accepting { Duration::ZERO } else { Duration::from_secs_f64(0.01 + random * 0.01) }
}

/// The pause of all requests after one was throttled as a whole, which says nothing about a shard. Each further throttled request
/// doubles it, up to two seconds, until one is executed.
#[derive(Debug, Default)]
pub struct RequestPause {
    throttled: u32,
    until: Duration,
}

impl RequestPause {
    /// Counts a throttled request, unless it was sent before the present pause (`random` is 0 to 1).
    pub fn throttled(&mut self, sent: Duration, now: Duration, random: f64) {
        if self.throttled > 0 && sent < self.until {
            return;
        }
        self.throttled += 1;
        self.until = now + backoff(self.throttled, Extent::Request.longest_pause(), random);
    }

    pub fn executed(&mut self) {
        *self = Self::default();
    }

    /// Returns the time until the next request may be sent; `None` if it may be sent now.
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        Some(self.until.saturating_sub(now)).filter(|wait| !wait.is_zero())
    }
}

impl PartialEq for DelayedEntry {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for DelayedEntry {}

impl PartialOrd for DelayedEntry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DelayedEntry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due.cmp(&other.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::input::record::{InputPosition, Record};

    /// The pauses after consecutive failures, in milliseconds.
    fn pauses(extent: Extent, random: f64) -> impl Iterator<Item = u128> {
        let record = Record::new(InputPosition { offset: 0, input: 0, line: 1 }, Vec::new(), &"k".into(), None);
        let mut entries = [QueuedEntry::of(record)];
        std::iter::repeat_with(move || after_failure(&mut entries, extent, random).as_millis())
    }

    #[test]
    fn pauses_grow_and_differ() {
        let first: Vec<_> = pauses(Extent::Request, 1.0).take(3).collect();
        assert_eq!(first, [10, 20, 40]);
        assert_eq!(pauses(Extent::Request, 0.0).next(), Some(5));
        assert_eq!(pauses(Extent::Request, 1.0).nth(60), Some(2000));
        assert_eq!(pauses(Extent::Shard, 1.0).nth(60), Some(500));
    }

    #[test]
    fn requests_pause_longer_with_each_throttled_one_until_one_is_executed() {
        let milliseconds = Duration::from_millis;
        let mut pause = RequestPause::default();
        assert_eq!(pause.wait(milliseconds(0)), None);
        pause.throttled(milliseconds(0), milliseconds(5), 1.0);
        assert_eq!(pause.wait(milliseconds(5)), Some(milliseconds(10)));
        // It was in flight when the first one was throttled.
        pause.throttled(milliseconds(1), milliseconds(6), 1.0);
        assert_eq!(pause.wait(milliseconds(15)), None);
        let mut now = milliseconds(15);
        for _ in 0..20 {
            pause.throttled(now, now, 1.0);
            now += pause.wait(now).unwrap();
        }
        pause.throttled(now, now, 1.0);
        assert_eq!(pause.wait(now), Some(milliseconds(2000)));
        pause.executed();
        assert_eq!(pause.wait(now), None);
    }

    #[test]
    fn an_entry_that_fails_alone_waits_only_after_32_failures() {
        assert!(pauses(Extent::Entry, 1.0).take(32).all(|pause| pause == 0));
        assert_eq!(pauses(Extent::Entry, 1.0).skip(32).take(2).collect::<Vec<_>>(), [10, 20]);
        assert_eq!(pauses(Extent::Entry, 1.0).nth(60), Some(500));
    }
}

#[cfg(test)]
mod simulation;
