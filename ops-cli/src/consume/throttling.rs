//! Decides when the user is notified of throttled reads: once when it begins, and once when it is over. Pure: the clock is passed
//! in.

use std::time::Duration;

/// Reads without throttling for this long end it.
const OVER_AFTER: Duration = Duration::from_secs(5);

/// The throttling of all shards of a run.
#[derive(Debug, Default)]
pub struct Throttling {
    began: Option<Duration>,
    last: Duration,
}

impl Throttling {
    /// Notes a throttled read. Returns whether it is the first.
    pub fn throttled(&mut self, now: Duration) -> bool {
        self.last = now;
        self.began.replace(self.began.unwrap_or(now)).is_none()
    }

    /// Notes an answer. Returns how long the throttling lasted, if it is over.
    pub fn answered(&mut self, now: Duration) -> Option<Duration> {
        let began = self.began.filter(|_| now.saturating_sub(self.last) >= OVER_AFTER)?;
        self.began = None;
        Some(self.last - began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_is_reported_once_when_it_begins_and_once_when_it_is_over() {
        let seconds = Duration::from_secs;
        let mut throttling = Throttling::default();
        assert_eq!(throttling.answered(seconds(1)), None);
        assert!(throttling.throttled(seconds(2)));
        assert_eq!(throttling.answered(seconds(3)), None);
        assert!(!throttling.throttled(seconds(5)));
        assert_eq!(throttling.answered(seconds(9)), None);
        assert_eq!(throttling.answered(seconds(10)), Some(seconds(3)));
        assert_eq!(throttling.answered(seconds(11)), None);
        assert!(throttling.throttled(seconds(12)));
    }
}
