//! Tracks how far each shard is behind its tip, and decides when that is reported. Pure: the clock is passed in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A shard that is behind by less is at its tip.
const BEHIND_MS: i64 = 5000;
const NOTED_EVERY: Duration = Duration::from_secs(10);
/// The number of shards that are named.
const NAMED: usize = 4;

#[derive(Debug, Default)]
pub struct Lag {
    behind_ms: BTreeMap<Arc<str>, i64>,
    /// When the lag was noted last; none if all shards were at their tips.
    noted: Option<Duration>,
    checked: Duration,
}

impl Lag {
    pub fn seen(&mut self, shard: &Arc<str>, behind_ms: i64) {
        match self.behind_ms.get_mut(shard) {
            Some(before) => *before = behind_ms,
            None => drop(self.behind_ms.insert(Arc::clone(shard), behind_ms)),
        }
    }

    /// Forgets a shard that is read no further.
    pub fn done(&mut self, shard: &str) {
        self.behind_ms.remove(shard);
    }

    /// Returns a notice if shards have been behind for a while, or are not any more.
    pub fn notice(&mut self, now: Duration) -> Option<String> {
        if now.saturating_sub(self.checked) < NOTED_EVERY && self.noted.is_none() {
            return None;
        }
        self.checked = now;
        match (self.describe(), self.noted) {
            (Some(behind), noted) if noted.is_none_or(|noted| now.saturating_sub(noted) >= NOTED_EVERY) => {
                self.noted = Some(now);
                Some(behind)
            }
            (None, Some(_)) => {
                self.noted = None;
                Some("at the tip of every shard".to_owned())
            }
            _ => None,
        }
    }

    /// Names the shards that are behind, the furthest first.
    pub fn describe(&self) -> Option<String> {
        let mut behind: Vec<_> = self.behind_ms.iter().filter(|(_, behind_ms)| **behind_ms >= BEHIND_MS).collect();
        behind.sort_by_key(|(_, behind_ms)| std::cmp::Reverse(**behind_ms));
        let named: Vec<_> = behind
            .iter()
            .take(NAMED)
            .map(|(shard, behind_ms)| format!("{shard} by {}", duration(**behind_ms)))
            .collect();
        let others = match behind.len().saturating_sub(NAMED) {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        (!named.is_empty()).then(|| format!("behind the tip: {}{others}", named.join(", ")))
    }

    pub fn of(&self, shard: &str) -> Option<i64> {
        self.behind_ms.get(shard).copied()
    }
}

/// A duration for people, in its two largest units.
pub fn duration(ms: i64) -> String {
    let seconds = ms / 1000;
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, _) => format!("{:.1} s", ms as f64 / 1000.0),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn lag_is_noted_every_ten_seconds_until_every_shard_is_at_its_tip() {
        let mut lag = Lag::default();
        lag.seen(&"a".into(), 90_000);
        lag.seen(&"b".into(), 10);
        assert_eq!(lag.notice(SECOND), None, "it may catch up at once");
        assert_eq!(lag.notice(11 * SECOND).as_deref(), Some("behind the tip: a by 1 min 30 s"));
        assert_eq!(lag.notice(12 * SECOND), None);
        assert!(lag.notice(21 * SECOND).is_some());
        lag.seen(&"a".into(), 0);
        assert_eq!(lag.notice(22 * SECOND).as_deref(), Some("at the tip of every shard"));
        assert_eq!(lag.notice(40 * SECOND), None);
    }

    #[test]
    fn the_shards_that_are_furthest_behind_are_named() {
        let mut lag = Lag::default();
        (0..6).for_each(|n| lag.seen(&n.to_string().into(), (n + 1) * 10_000));
        lag.done("5");
        let expected = "behind the tip: 4 by 50.0 s, 3 by 40.0 s, 2 by 30.0 s, 1 by 20.0 s and 1 more";
        assert_eq!(lag.describe().as_deref(), Some(expected));
    }

    #[test]
    fn a_duration_has_two_units() {
        let durations = [1500, 61_000, 3_720_000, 93_600_000].map(duration);
        assert_eq!(durations, ["1.5 s", "1 min 1 s", "1 h 2 min", "1 d 2 h"]);
    }
}
