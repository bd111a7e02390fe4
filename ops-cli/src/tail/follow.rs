//! Which events of a sweep are new. Pure: the clock is passed in.
//!
//! Events become readable late and out of order, and no API tells them by the time they arrived: a reader that goes on
//! from the newest timestamp it saw loses the late ones. So each sweep goes back a little, now and then a lot, and what
//! was shown already is dropped by its event id.

use std::collections::HashMap;

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
    /// Event id → timestamp, for as long as a deep sweep may meet the event again.
    shown: HashMap<String, i64>,
}

impl Follower {
    /// Follows events from `since` on, in epoch milliseconds.
    pub fn new(since: i64) -> Self {
        Self { since, newest: since, last_deep: since, last_sweep: None, shown: HashMap::new() }
    }

    /// Where the sweep that starts now begins, in epoch milliseconds.
    pub fn begin_sweep(&mut self, now: i64) -> i64 {
        let is_deep = now - self.last_deep >= DEEP_EVERY_MS;
        if is_deep {
            self.last_deep = now;
        }
        // Events may be dated ahead of the clock: those must not move the window past the ones that are not.
        let newest = self.newest.min(now);
        self.shown.retain(|_, timestamp| *timestamp >= newest - DEEP_OVERLAP_MS);
        let furthest_back = self.last_sweep.replace(now).map_or(self.since, |last| last - FURTHEST_BACK_MS);
        self.since.max(furthest_back).max(newest - if is_deep { DEEP_OVERLAP_MS } else { OVERLAP_MS })
    }

    /// Whether the event is to be shown: once, and not if it is older than what was asked for.
    pub fn is_new(&mut self, event_id: &str, timestamp: i64) -> bool {
        if timestamp < self.since || self.shown.contains_key(event_id) {
            return false;
        }
        self.newest = self.newest.max(timestamp);
        self.shown.insert(event_id.to_owned(), timestamp);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    #[test]
    fn an_event_is_shown_once() {
        let mut follower = Follower::new(NOW);
        follower.begin_sweep(NOW);
        assert!(follower.is_new("a", NOW + 1));
        assert!(!follower.is_new("a", NOW + 1));
        follower.begin_sweep(NOW + 10);
        assert!(!follower.is_new("a", NOW + 1));
        assert!(follower.is_new("b", NOW + 1));
    }

    #[test]
    fn a_sweep_goes_back_before_the_newest_event() {
        let mut follower = Follower::new(NOW - 60_000);
        follower.is_new("a", NOW);
        follower.last_deep = NOW;
        assert_eq!(follower.begin_sweep(NOW + 1000), NOW - OVERLAP_MS);
    }

    #[test]
    fn a_deep_sweep_goes_back_further_but_not_before_what_was_asked_for() {
        let mut follower = Follower::new(NOW - 60_000);
        follower.is_new("a", NOW);
        assert_eq!(follower.begin_sweep(NOW + DEEP_EVERY_MS), NOW - 60_000);
        assert_eq!(follower.begin_sweep(NOW + DEEP_EVERY_MS + 1), NOW - OVERLAP_MS);
    }

    #[test]
    fn a_quiet_follower_does_not_read_everything_again() {
        let since = NOW - 86_400_000;
        let mut follower = Follower::new(since);
        assert_eq!(follower.begin_sweep(NOW), since, "the first sweep reads everything asked for");
        assert_eq!(follower.begin_sweep(NOW + 1000), NOW - FURTHEST_BACK_MS);
    }

    #[test]
    fn an_event_dated_ahead_does_not_hide_those_that_are_not() {
        let mut follower = Follower::new(NOW);
        follower.last_deep = NOW + 60_000;
        follower.is_new("ahead", NOW + 7_200_000);
        assert!(follower.begin_sweep(NOW + 60_000) <= NOW + 60_000 - OVERLAP_MS);
    }

    #[test]
    fn what_no_sweep_can_meet_again_is_forgotten() {
        let mut follower = Follower::new(0);
        follower.is_new("old", NOW - DEEP_OVERLAP_MS - 1);
        follower.is_new("new", NOW);
        follower.begin_sweep(NOW);
        assert_eq!(follower.shown.len(), 1);
    }
}
