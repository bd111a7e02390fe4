//! The identities of recent events, in bounded memory.

use std::collections::{HashSet, VecDeque};

/// The most identities of one generation. A generation ends at the next new timestamp.
const GENERATION: usize = 100_000;
/// The most identities in total. Above this limit, the generations with the oldest events are forgotten.
const MOST: usize = 1_000_000;

/// Identities by the time of their events, in generations that are forgotten as a whole.
#[derive(Debug)]
pub struct RecentIdentities {
    /// The generations, each with the first timestamp it covers. The first one also covers all earlier timestamps.
    generations: VecDeque<(i64, HashSet<u128>)>,
    len: usize,
    newest: i64,
    complete_since: i64,
}

impl Default for RecentIdentities {
    fn default() -> Self {
        let generations = VecDeque::from([(i64::MIN, HashSet::default())]);
        Self { generations, len: 0, newest: i64::MIN, complete_since: i64::MIN }
    }
}

impl RecentIdentities {
    /// Returns the timestamp from which on every added identity is remembered.
    pub fn complete_since(&self) -> i64 {
        self.complete_since
    }

    /// Adds an identity. Returns whether it is new. An identity is always new if its time is forgotten.
    pub fn insert(&mut self, timestamp: i64, identity: u128) -> bool {
        if timestamp < self.complete_since {
            return true;
        }
        let is_full = self.generations.back().is_some_and(|(_, last)| last.len() >= GENERATION);
        if is_full && timestamp > self.newest {
            self.generations.push_back((timestamp, HashSet::default()));
        }
        self.newest = self.newest.max(timestamp);
        let mut latest_first = self.generations.iter_mut().rev();
        let generation = latest_first.find(|(first, _)| *first <= timestamp);
        let is_new = generation.is_some_and(|(_, generation)| generation.insert(identity));
        self.len += usize::from(is_new);
        while self.len > MOST && self.generations.len() > 1 {
            self.forget_oldest();
        }
        is_new
    }

    /// Forgets generations whose events are all older than `timestamp`.
    pub fn forget_before(&mut self, timestamp: i64) {
        while self.generations.get(1).is_some_and(|(first, _)| *first <= timestamp) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, oldest)) = self.generations.pop_front() {
            self.len -= oldest.len();
        }
        if let Some((first, _)) = self.generations.front() {
            self.complete_since = *first;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_generations_are_forgotten_above_the_limit() {
        let mut remembered = RecentIdentities::default();
        let mut random = fastrand::Rng::with_seed(1);
        for timestamp in 0..1_300_000 {
            assert!(remembered.insert(timestamp, random.u128(..)));
        }
        assert!(remembered.len <= MOST && remembered.len > MOST - 2 * GENERATION);
        assert_eq!(remembered.complete_since(), 300_000);
    }

    #[test]
    fn events_of_one_timestamp_stay_in_one_generation() {
        let mut remembered = RecentIdentities::default();
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..150_000 {
            remembered.insert(5, random.u128(..));
        }
        remembered.insert(6, 7);
        remembered.forget_before(6);
        assert_eq!((remembered.complete_since(), remembered.len), (6, 1));
        assert!(!remembered.insert(6, 7));
    }

    #[test]
    fn a_late_event_is_remembered_in_the_generation_of_its_time() {
        let mut remembered = RecentIdentities::default();
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..GENERATION {
            remembered.insert(10, random.u128(..));
        }
        remembered.insert(20, 1);
        assert!(remembered.insert(15, 2));
        assert!(!remembered.insert(15, 2));
        remembered.forget_before(20);
        assert!(remembered.insert(15, 2), "it is forgotten");
    }
}
