//! The most frequent keys of a stream of any length, in bounded memory. Pure.
//!
//! The sketch of Misra and Gries (1982), with the purge of Anderson et al., "A High-Performance Algorithm for Identifying
//! Frequent Items in Data Streams" (2017): when too many keys are counted, the median count is subtracted from all of them. A key
//! that makes up more than [`FrequentKeys::error`] of the records is always found.

use std::collections::HashMap;

/// The number of keys that are counted at once.
const CAPACITY: usize = 4096;

#[derive(Debug, Default)]
pub struct FrequentKeys {
    counts: HashMap<Box<str>, u64>,
    subtracted: u64,
}

impl FrequentKeys {
    pub fn add(&mut self, key: &str) {
        if let Some(count) = self.counts.get_mut(key) {
            *count += 1;
            return;
        }
        if self.counts.len() >= CAPACITY {
            self.purge();
        }
        self.counts.insert(key.into(), 1);
    }

    fn purge(&mut self) {
        let mut counts: Vec<_> = self.counts.values().copied().collect();
        let middle = counts.len() / 2;
        let median = *counts.select_nth_unstable(middle).1;
        self.subtracted += median;
        self.counts.retain(|_, count| {
            *count = count.saturating_sub(median);
            *count > 0
        });
    }

    /// The largest number by which a count may be too small.
    pub fn error(&self) -> u64 {
        self.subtracted
    }

    /// Returns the keys with the largest counts, the largest first. A count is at most [`Self::error`] too small, and a key whose
    /// count is not larger than that may be as frequent as any other.
    pub fn top(&self, count: usize) -> Vec<(&str, u64)> {
        let certain = self.counts.iter().filter(|(_, count)| **count > self.subtracted);
        let mut keys: Vec<_> = certain.map(|(key, count)| (&**key, *count)).collect();
        keys.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        keys.truncate(count);
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_keys_are_counted_exactly() {
        let mut keys = FrequentKeys::default();
        ["b", "a", "c", "a", "c", "a"].into_iter().for_each(|key| keys.add(key));
        assert_eq!((keys.top(2), keys.error()), (vec![("a", 3), ("c", 2)], 0));
    }

    #[test]
    fn hot_keys_are_found_among_a_million_others_in_bounded_memory() {
        let mut keys = FrequentKeys::default();
        let total = 1_000_000;
        for n in 0..total {
            match n % 100 {
                0..5 => keys.add("five percent"),
                5..7 => keys.add("two percent"),
                _ => keys.add(&n.to_string()),
            }
            assert!(keys.counts.len() <= CAPACITY);
        }
        let top = keys.top(2);
        assert_eq!([top[0].0, top[1].0], ["five percent", "two percent"]);
        for ((_, count), exact) in top.into_iter().zip([50_000, 20_000]) {
            assert!(count <= exact && count + keys.error() >= exact, "{count} {exact} {}", keys.error());
        }
        assert!(keys.error() <= total / (CAPACITY as u64 / 2), "{}", keys.error());
    }
}
