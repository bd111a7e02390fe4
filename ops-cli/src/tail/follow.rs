//! Which events of a sweep are new. Pure: the clock is passed in.
//!
//! Events become readable late and out of order, and no API tells them by the time they arrived: a reader that goes on
//! from the newest timestamp it saw loses the late ones. So each sweep goes back a little, now and then a lot, and what
//! was shown already is dropped by its event ID. Where a service gives events no ID, an event is what it says, by whom and
//! when, and the how many-th of that it is within its sweep.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// How far an ordinary sweep goes back before the newest event.
const OVERLAP_MS: i64 = 15_000;
/// How far a deep sweep goes back, and how far a late event can be behind and still be shown.
const DEEP_OVERLAP_MS: i64 = 300_000;
/// Time between deep sweeps.
const DEEP_EVERY_MS: i64 = 30_000;

/// How far a sweep goes back at most, however long ago the last event was: without it, following a filter that nothing
/// matches would read everything since the start again each time. Well above [`DEEP_OVERLAP_MS`], so that a clock
/// that is some minutes ahead of the service's hides nothing.
const FURTHEST_BACK_MS: i64 = 1_800_000;

/// What has been shown, and where the next sweep begins.
#[derive(Debug)]
pub struct Follower {
    /// Nothing before this is shown.
    since: i64,
    newest: i64,
    last_deep: i64,
    /// When the sweep before began; `None` before the first, which reads everything asked for.
    last_sweep: Option<i64>,
    /// Where the present sweep began, until it has read its last page.
    unfinished: Option<i64>,
    /// The events shown, for as long as a deep sweep may meet them again.
    shown: HashMap<Identity, Shown>,
    /// Of events without an ID, how many alike the present sweep has met.
    met: HashMap<Identity, u32>,
}

/// What tells an event from others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    Id(String),
    /// A digest of log stream, time and message. Events of the same content are told apart by counting them.
    Content([u8; 32]),
}

#[derive(Debug)]
struct Shown {
    timestamp: i64,
    times: u32,
}

impl Identity {
    /// The identity of an event. An empty ID is none.
    pub fn of(event_id: Option<&str>, log_stream: &str, timestamp: i64, message: &str) -> Self {
        match event_id {
            Some(id) if !id.is_empty() => Self::Id(id.to_owned()),
            _ => {
                let mut digest = Sha256::new();
                digest.update(timestamp.to_le_bytes());
                digest.update(log_stream.len().to_le_bytes());
                digest.update(log_stream);
                digest.update(message);
                Self::Content(digest.finalize().into())
            }
        }
    }
}

impl Follower {
    /// Follows events from `since` on, in epoch milliseconds.
    pub fn new(since: i64) -> Self {
        Self {
            since,
            newest: since,
            last_deep: since,
            last_sweep: None,
            unfinished: None,
            shown: HashMap::new(),
            met: HashMap::new(),
        }
    }

    /// Where the sweep that starts now begins, in epoch milliseconds. A sweep that broke off is begun again where it began:
    /// pages that it did not read may have older events than those it showed.
    pub fn begin_sweep(&mut self, now: i64) -> i64 {
        self.met.clear();
        if let Some(start) = self.unfinished {
            return start;
        }
        let is_deep = now - self.last_deep >= DEEP_EVERY_MS;
        if is_deep {
            self.last_deep = now;
        }
        // Events may be dated ahead of the clock: those must not move the window past the ones that are not.
        let newest = self.newest.min(now);
        self.shown.retain(|_, shown| shown.timestamp >= newest - DEEP_OVERLAP_MS);
        let furthest_back = self.last_sweep.replace(now).map_or(self.since, |last| last - FURTHEST_BACK_MS);
        let start = self.since.max(furthest_back).max(newest - if is_deep { DEEP_OVERLAP_MS } else { OVERLAP_MS });
        self.unfinished = Some(start);
        start
    }

    /// The sweep has read its last page.
    pub fn end_sweep(&mut self) {
        self.unfinished = None;
    }

    /// Whether the event is to be shown: once, and not if it is older than what was asked for.
    pub fn is_new(&mut self, identity: Identity, timestamp: i64) -> bool {
        if timestamp < self.since {
            return false;
        }
        let ordinal = match &identity {
            Identity::Id(_) => 1,
            Identity::Content(_) => {
                let met = self.met.entry(identity.clone()).or_default();
                *met += 1;
                *met
            }
        };
        let shown = self.shown.entry(identity).or_insert(Shown { timestamp, times: 0 });
        if ordinal <= shown.times {
            return false;
        }
        shown.times = ordinal;
        self.newest = self.newest.max(timestamp);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    /// A sweep that reads to its end.
    fn sweep(follower: &mut Follower, now: i64) -> i64 {
        let start = follower.begin_sweep(now);
        follower.end_sweep();
        start
    }

    fn shows(follower: &mut Follower, id: &str, timestamp: i64) -> bool {
        follower.is_new(Identity::of(Some(id), "stream", timestamp, "message"), timestamp)
    }

    #[test]
    fn an_event_is_shown_once() {
        let mut follower = Follower::new(NOW);
        sweep(&mut follower, NOW);
        assert!(shows(&mut follower, "a", NOW + 1));
        assert!(!shows(&mut follower, "a", NOW + 1));
        sweep(&mut follower, NOW + 10);
        assert!(!shows(&mut follower, "a", NOW + 1));
        assert!(shows(&mut follower, "b", NOW + 1));
    }

    #[test]
    fn a_sweep_goes_back_before_the_newest_event() {
        let mut follower = Follower::new(NOW - 60_000);
        shows(&mut follower, "a", NOW);
        follower.last_deep = NOW;
        assert_eq!(sweep(&mut follower, NOW + 1000), NOW - OVERLAP_MS);
    }

    #[test]
    fn a_deep_sweep_goes_back_further_but_not_before_what_was_asked_for() {
        let mut follower = Follower::new(NOW - 60_000);
        shows(&mut follower, "a", NOW);
        assert_eq!(sweep(&mut follower, NOW + DEEP_EVERY_MS), NOW - 60_000);
        assert_eq!(sweep(&mut follower, NOW + DEEP_EVERY_MS + 1), NOW - OVERLAP_MS);
    }

    #[test]
    fn a_quiet_follower_does_not_read_everything_again() {
        let since = NOW - 86_400_000;
        let mut follower = Follower::new(since);
        assert_eq!(sweep(&mut follower, NOW), since, "the first sweep reads everything asked for");
        assert_eq!(sweep(&mut follower, NOW + 1000), NOW - FURTHEST_BACK_MS);
    }

    #[test]
    fn an_event_dated_ahead_does_not_hide_those_that_are_not() {
        let mut follower = Follower::new(NOW);
        follower.last_deep = NOW + 60_000;
        shows(&mut follower, "ahead", NOW + 7_200_000);
        assert!(sweep(&mut follower, NOW + 60_000) <= NOW + 60_000 - OVERLAP_MS);
    }

    #[test]
    fn what_no_sweep_can_meet_again_is_forgotten() {
        let mut follower = Follower::new(0);
        shows(&mut follower, "old", NOW - DEEP_OVERLAP_MS - 1);
        shows(&mut follower, "new", NOW);
        sweep(&mut follower, NOW);
        assert_eq!(follower.shown.len(), 1);
    }

    #[test]
    fn a_sweep_that_broke_off_is_begun_again_where_it_began() {
        let mut follower = Follower::new(NOW - 86_400_000);
        assert_eq!(follower.begin_sweep(NOW), NOW - 86_400_000);
        assert!(shows(&mut follower, "of the first page", NOW));
        // The second page failed. It may have older events.
        assert_eq!(follower.begin_sweep(NOW + 600_000), NOW - 86_400_000);
        assert!(!shows(&mut follower, "of the first page", NOW));
        assert!(shows(&mut follower, "of the second page", NOW - 80_000_000));
        follower.end_sweep();
        assert_eq!(follower.begin_sweep(NOW + 600_100), NOW - DEEP_OVERLAP_MS);
    }

    #[test]
    fn identities_are_told_apart_by_all_they_are_made_of() {
        let of = |stream: &str, timestamp, message: &str| Identity::of(None, stream, timestamp, message);
        let one = of("a", 1, "bc");
        assert_eq!(one, Identity::of(Some(""), "a", 1, "bc"));
        for other in [of("ab", 1, "c"), of("a", 2, "bc"), of("a", 1, "bd"), Identity::of(Some("a"), "a", 1, "bc")] {
            assert_ne!(one, other);
        }
    }

    /// One log event: its log stream, its time, its text, and when it becomes readable.
    type Event = (u8, i64, u8, i64);

    /// What a follower shows of the events, sweep by sweep. Sweeps are `step` apart; each returns what is readable from
    /// where it begins, and those in `broken` break off after half of it.
    fn follow(events: &[Event], has_ids: bool, step: i64, broken: &[bool]) -> HashMap<(u8, i64, u8), usize> {
        let mut follower = Follower::new(NOW);
        let mut shown = HashMap::new();
        let last = events.iter().map(|event| event.3).max().unwrap_or(NOW);
        let mut now = NOW;
        let mut sweeps = 0;
        // Long enough for a sweep that is whole, and deep, after the last event became readable.
        while now <= last + 2 * DEEP_EVERY_MS + step {
            let start = follower.begin_sweep(now);
            let mut page: Vec<_> = events.iter().enumerate().collect();
            page.retain(|(_, event)| event.3 <= now && event.1 >= start);
            page.sort_by_key(|(_, event)| event.1);
            let breaks = now <= last && broken.get(sweeps).copied().unwrap_or(false);
            let read = if breaks { page.len() / 2 } else { page.len() };
            for (n, (stream, timestamp, text, _)) in &page[..read] {
                let id = has_ids.then(|| n.to_string());
                let identity = Identity::of(id.as_deref(), &stream.to_string(), *timestamp, &text.to_string());
                if follower.is_new(identity, *timestamp) {
                    *shown.entry((*stream, *timestamp, *text)).or_default() += 1;
                }
            }
            if !breaks {
                follower.end_sweep();
            }
            sweeps += 1;
            now += step;
        }
        shown
    }

    proptest! {
        /// With IDs and without, whatever arrives late and whichever sweeps break off: every event is shown, identical ones as
        /// often as there are, and none twice.
        #[test]
        fn every_event_is_shown_once(
            events in prop::collection::vec((0_u8..2, 0_i64..120_000, 0_u8..3, 0_i64..200_000), 0..60),
            has_ids: bool,
            step in 100_i64..20_000,
            broken in prop::collection::vec(any::<bool>(), 0..40),
        ) {
            // Coarse times make identical events likely.
            let events: Vec<Event> = events
                .into_iter()
                .map(|(stream, at, text, delay)| (stream, NOW + at / 10_000 * 10_000, text, NOW + at + delay))
                .collect();
            let mut expected = HashMap::new();
            for (stream, timestamp, text, _) in &events {
                *expected.entry((*stream, *timestamp, *text)).or_insert(0_usize) += 1;
            }
            prop_assert_eq!(follow(&events, has_ids, step, &broken), expected);
        }
    }
}
