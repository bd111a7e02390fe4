//! Decides which events of a sweep are new. Pure: the clock is passed in.
//!
//! Events become readable late and out of order, and no API lists them by the time at which they became readable. A reader
//! that resumes from the newest timestamp loses the late ones. Each sweep therefore goes back a little, and at intervals by
//! the whole overlap. Events that were shown before are recognized by their identity and dropped.

use super::identity::{IdentifyBy, IdentityParts, Pass};
use super::remembered::RecentIdentities;

/// How far an ordinary sweep goes back before the newest event.
const SHORT_OVERLAP_MS: i64 = 15_000;
/// The default of how late an event can be and still be shown.
pub const DEFAULT_OVERLAP_MS: i64 = 300_000;
/// The interval between deep sweeps.
const DEEP_EVERY_MS: i64 = 20_000;
/// Deep sweeps take at most one part in this many of the time, however long they last.
const DEEP_SHARE: i64 = 8;

/// The farthest that a sweep goes back beyond the overlap. Without this limit, a filter that nothing matches would read
/// everything since the start in each sweep. It is large enough for a clock that is some minutes ahead of the service's.
const FURTHEST_BACK_MS: i64 = 1_500_000;

/// The events shown so far, and the start of the next sweep.
#[derive(Debug)]
pub struct Follower {
    /// No event before this time is shown.
    since: i64,
    overlap: i64,
    identify_by: IdentifyBy,
    newest: i64,
    /// The start of the last deep sweep, and its duration.
    last_deep: i64,
    deep_took: i64,
    /// The start of the previous sweep; `None` before the first, which reads the whole requested range.
    last_sweep: Option<i64>,
    /// Events that were there when the run began, and were not asked for.
    old: Option<Old>,
    /// The sweep that has not read its last page yet.
    unfinished: Option<Sweep>,
    /// The events shown, for as long as a sweep may return them again.
    shown: RecentIdentities,
    pass: Pass,
}

/// The events before a time that the service had received up to another time.
#[derive(Debug, Clone, Copy)]
struct Old {
    before: i64,
    ingested: i64,
}

#[derive(Debug, Clone, Copy)]
struct Sweep {
    start: i64,
    began: i64,
    is_deep: bool,
}

impl Follower {
    /// Follows events from `since` on, in epoch milliseconds.
    pub fn new(since: i64) -> Self {
        Self {
            since,
            overlap: DEFAULT_OVERLAP_MS,
            identify_by: IdentifyBy::EventId,
            newest: since,
            last_deep: since,
            deep_took: 0,
            last_sweep: None,
            old: None,
            unfinished: None,
            shown: RecentIdentities::default(),
            pass: Pass::default(),
        }
    }

    /// Follows events that are up to `overlap` milliseconds late.
    #[must_use]
    pub fn with_overlap(self, overlap: i64) -> Self {
        Self { overlap, ..self }
    }

    #[must_use]
    pub fn identifying_by(self, identify_by: IdentifyBy) -> Self {
        Self { identify_by, ..self }
    }

    /// Notes that all events up to `now` were read another way, so that the first sweep goes back no further than others.
    #[must_use]
    pub fn resuming_at(self, now: i64) -> Self {
        Self { last_sweep: Some(now), newest: now, ..self }
    }

    /// Does not show the events before `before` that the service had received by `ingested`, both in epoch milliseconds. Those that it
    /// receives later are late events.
    #[must_use]
    pub fn without_old(self, before: i64, ingested: i64) -> Self {
        Self { old: Some(Old { before, ingested }), ..self }
    }

    /// Whether no sweep has read its last page, so that the next one reads the whole requested range.
    pub fn is_at_its_first_sweep(&self) -> bool {
        self.last_sweep.is_none() || self.unfinished.is_some()
    }

    /// Returns the start of the sweep that begins now, in epoch milliseconds. An interrupted sweep restarts where it began,
    /// or where the remembered events begin if that is later. The service sorts events by time, so that the older ones were
    /// read.
    pub fn begin_sweep(&mut self, now: i64) -> i64 {
        self.pass = Pass::default();
        if let Some(sweep) = &mut self.unfinished {
            sweep.began = now;
            return sweep.start.max(self.shown.complete_since());
        }
        let is_deep = now - self.last_deep >= self.deep_every();
        // Events may be dated ahead of the clock. They must not move the window past the others.
        let newest = self.newest.min(now);
        // An event that arrived just after the last deep sweep is older by the time that has passed since then.
        let deep = newest - self.overlap - (now - self.last_deep).max(self.deep_every());
        let furthest_back =
            self.last_sweep.replace(now).map_or(self.since, |last| last - self.overlap - FURTHEST_BACK_MS);
        let back = if is_deep { deep } else { newest - SHORT_OVERLAP_MS };
        let start = self.since.max(furthest_back).max(back);
        if is_deep {
            self.last_deep = now;
        }
        self.shown.forget_before(deep.min(start));
        let start = start.max(self.shown.complete_since());
        self.unfinished = Some(Sweep { start, began: now, is_deep });
        start
    }

    /// Marks the sweep as complete at `now`.
    pub fn end_sweep(&mut self, now: i64) {
        if let Some(sweep) = self.unfinished.take().filter(|sweep| sweep.is_deep) {
            self.deep_took = now - sweep.began;
        }
    }

    fn deep_every(&self) -> i64 {
        DEEP_EVERY_MS.min(self.overlap.max(1000)).max(self.deep_took * DEEP_SHARE)
    }

    /// Whether an event of this sweep is shown: once, and only if it is in the requested range.
    pub fn is_new(&mut self, event: IdentityParts<'_>) -> bool {
        let identity = self.pass.identity(event, self.identify_by);
        self.is_unseen(identity, event)
    }

    /// Does the same as [`Self::is_new`] for an event of another pass over the same log group: a Live Tail session.
    pub fn is_new_in(&mut self, pass: &mut Pass, event: IdentityParts<'_>) -> bool {
        let identity = pass.identity(event, self.identify_by);
        self.is_unseen(identity, event)
    }

    fn is_unseen(&mut self, identity: u128, event: IdentityParts<'_>) -> bool {
        let IdentityParts { timestamp, ingestion_time, .. } = event;
        let is_old = |old: Old| timestamp < old.before && ingestion_time <= old.ingested;
        if timestamp < self.since || self.old.is_some_and(is_old) {
            return false;
        }
        let is_new = self.shown.insert(timestamp, identity);
        if is_new {
            self.newest = self.newest.max(timestamp);
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    /// Runs a sweep to its end.
    fn sweep(follower: &mut Follower, now: i64) -> i64 {
        let start = follower.begin_sweep(now);
        follower.end_sweep(now);
        start
    }

    fn shows(follower: &mut Follower, id: &str, timestamp: i64) -> bool {
        shows_ingested(follower, id, timestamp, timestamp)
    }

    fn shows_ingested(follower: &mut Follower, id: &str, timestamp: i64, ingestion_time: i64) -> bool {
        let (event_id, message) = (Some(id), "message");
        follower.is_new(IdentityParts { event_id, log_stream: "stream", timestamp, ingestion_time, message })
    }

    #[test]
    fn a_late_event_is_distinguished_from_an_old_one_by_the_time_at_which_it_was_received() {
        let mut follower = Follower::new(NOW - 300_000).without_old(NOW - 2000, NOW - 50).resuming_at(NOW);
        sweep(&mut follower, NOW);
        assert!(!shows_ingested(&mut follower, "old", NOW - 3000, NOW - 2900));
        assert!(!shows_ingested(&mut follower, "old, just received", NOW - 3000, NOW - 50));
        assert!(shows_ingested(&mut follower, "late", NOW - 3000, NOW + 10));
        assert!(shows_ingested(&mut follower, "not old", NOW - 2000, NOW - 1900));
        assert!(!shows_ingested(&mut follower, "before the overlap", NOW - 300_001, NOW + 10));
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
        assert_eq!(sweep(&mut follower, NOW + 1000), NOW - SHORT_OVERLAP_MS);
    }

    #[test]
    fn a_deep_sweep_goes_back_further_but_not_before_the_requested_start() {
        let mut follower = Follower::new(NOW - 60_000);
        shows(&mut follower, "a", NOW);
        assert_eq!(sweep(&mut follower, NOW + DEEP_EVERY_MS), NOW - 60_000);
        assert_eq!(sweep(&mut follower, NOW + DEEP_EVERY_MS + 1), NOW - SHORT_OVERLAP_MS);
    }

    #[test]
    fn an_event_that_arrives_between_deep_sweeps_is_shown_however_late_within_the_overlap() {
        let mut follower = Follower::new(NOW - 3_600_000).with_overlap(60_000);
        sweep(&mut follower, NOW);
        shows(&mut follower, "newest", NOW + DEEP_EVERY_MS);
        assert!(sweep(&mut follower, NOW + DEEP_EVERY_MS) <= NOW - 60_000);
    }

    #[test]
    fn deep_sweeps_that_take_long_are_rare() {
        let mut follower = Follower::new(NOW - 3_600_000);
        follower.begin_sweep(NOW);
        shows(&mut follower, "a", NOW);
        follower.end_sweep(NOW + 10_000);
        assert_eq!(sweep(&mut follower, NOW + 10_000 * DEEP_SHARE - 1), NOW - SHORT_OVERLAP_MS);
        assert!(sweep(&mut follower, NOW + 10_000 * DEEP_SHARE) < NOW - DEFAULT_OVERLAP_MS);
    }

    #[test]
    fn a_quiet_follower_does_not_read_everything_again() {
        let since = NOW - 86_400_000;
        let mut follower = Follower::new(since);
        assert_eq!(sweep(&mut follower, NOW), since, "the first sweep reads everything asked for");
        assert_eq!(sweep(&mut follower, NOW + 1000), NOW - DEFAULT_OVERLAP_MS - FURTHEST_BACK_MS);
    }

    #[test]
    fn an_event_dated_ahead_does_not_hide_those_that_are_not() {
        let mut follower = Follower::new(NOW);
        follower.last_deep = NOW + 60_000;
        shows(&mut follower, "ahead", NOW + 7_200_000);
        assert!(sweep(&mut follower, NOW + 60_000) <= NOW + 60_000 - SHORT_OVERLAP_MS);
    }

    #[test]
    fn an_interrupted_sweep_restarts_where_it_began() {
        let mut follower = Follower::new(NOW - 86_400_000);
        assert_eq!(follower.begin_sweep(NOW), NOW - 86_400_000);
        assert!(shows(&mut follower, "of the first page", NOW));
        // The second page failed.
        assert_eq!(follower.begin_sweep(NOW + 600_000), NOW - 86_400_000);
        assert!(!shows(&mut follower, "of the first page", NOW));
        assert!(shows(&mut follower, "of the second page", NOW - 80_000_000));
        follower.end_sweep(NOW + 600_000);
        // The last deep sweep began at NOW, so that another is due and finds late events of the whole overlap.
        assert!(follower.begin_sweep(NOW + 600_100) <= NOW - DEFAULT_OVERLAP_MS);
    }

    #[test]
    fn a_sweep_over_millions_of_events_resumes_where_the_remembered_events_begin() {
        let mut follower = Follower::new(NOW);
        follower.begin_sweep(NOW + 3_000_000);
        for n in 0..1_200_000 {
            assert!(shows(&mut follower, &n.to_string(), NOW + n));
        }
        let resumed = follower.begin_sweep(NOW + 3_000_100);
        assert!((NOW + 200_000..=NOW + 300_000).contains(&resumed), "{}", resumed - NOW);
        for n in resumed - NOW..1_200_000 {
            assert!(!shows(&mut follower, &n.to_string(), NOW + n));
        }
    }

    #[test]
    fn polled_events_and_those_of_a_live_session_are_shown_once_and_identical_lines_all() {
        let mut follower = Follower::new(NOW).identifying_by(IdentifyBy::Content);
        let event = |event_id| IdentityParts {
            event_id,
            log_stream: "s",
            timestamp: NOW + 5,
            ingestion_time: 0,
            message: "same",
        };
        let (mut live, mut shown) = (Pass::default(), 0);
        // Two existed when the session began, and the session receives two more.
        for polled in [vec!["1", "2"], vec!["1", "2", "3", "4"]] {
            follower.begin_sweep(NOW + 10);
            shown += polled.iter().filter(|id| follower.is_new(event(Some(id)))).count();
            follower.end_sweep(NOW + 10);
            shown += (0..1).filter(|_| follower.is_new_in(&mut live, event(None))).count();
        }
        assert_eq!(shown, 4);
    }

    /// One log event: its log stream, its time, its text, and the time at which it becomes readable.
    type Event = (u8, i64, u8, i64);

    /// Returns the events that a follower shows. Sweeps are `step` apart. Each returns the readable events from its start,
    /// and those in `broken` are interrupted after half of them.
    fn follow(events: &[Event], has_ids: bool, step: i64, broken: &[bool]) -> HashMap<(u8, i64, u8), usize> {
        let mut follower = Follower::new(NOW);
        let mut shown = HashMap::new();
        let last = events.iter().map(|event| event.3).max().unwrap_or(NOW);
        let mut now = NOW;
        let mut sweeps = 0;
        // Long enough for a complete deep sweep after the last event became readable.
        while now <= last + 2 * DEEP_EVERY_MS + step {
            let start = follower.begin_sweep(now);
            let mut page: Vec<_> = events.iter().enumerate().collect();
            page.retain(|(_, event)| event.3 <= now && event.1 >= start);
            page.sort_by_key(|(_, event)| event.1);
            let breaks = now <= last && broken.get(sweeps).copied().unwrap_or(false);
            let read = if breaks { page.len() / 2 } else { page.len() };
            for (n, (stream, timestamp, text, _)) in &page[..read] {
                let id = has_ids.then(|| n.to_string());
                let (log_stream, message) = (stream.to_string(), text.to_string());
                let event = IdentityParts {
                    event_id: id.as_deref(),
                    log_stream: &log_stream,
                    timestamp: *timestamp,
                    ingestion_time: 0,
                    message: &message,
                };
                if follower.is_new(event) {
                    *shown.entry((*stream, *timestamp, *text)).or_default() += 1;
                }
            }
            if !breaks {
                follower.end_sweep(now);
            }
            sweeps += 1;
            now += step;
        }
        shown
    }

    proptest! {
        /// With and without IDs, late events and interrupted sweeps: every event is shown once, and identical ones as often
        /// as they exist.
        #[test]
        fn every_event_is_shown_once(
            events in prop::collection::vec((0_u8..2, 0_i64..120_000, 0_u8..3, 0_i64..290_000), 0..60),
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
