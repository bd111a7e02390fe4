//! The request budget that all log groups share. Pure: the clock is passed in.
//!
//! FilterLogEvents allows 5 or 10 requests per second, account and region. Reading existing events runs as fast as the
//! service answers. Once the service throttles, requests are spaced by a gap, which grows with each throttled request and
//! shrinks with each answer.

use std::time::Duration;

const SHORTEST_GAP: Duration = Duration::from_millis(100);
const LONGEST_GAP: Duration = Duration::from_secs(5);

/// The pauses between rounds over all groups: short after an event, longer while there are none.
const BUSY_PAUSE: Duration = Duration::from_millis(200);
const QUIET_PAUSE: Duration = Duration::from_millis(350);
/// Each group adds this to the pause, so that many groups send no more requests per second than one does.
const PAUSE_PER_GROUP: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
pub struct Pace {
    gap: Duration,
    next: Duration,
}

impl Pace {
    /// Returns the time that the next request has to wait.
    pub fn turn(&mut self, now: Duration) -> Duration {
        let at = self.next.max(now);
        self.next = at + self.gap;
        at - now
    }

    pub fn throttled(&mut self, now: Duration) {
        self.gap = (self.gap * 2).clamp(SHORTEST_GAP, LONGEST_GAP);
        self.next = self.next.max(now + self.gap);
    }

    /// Notes an answer. The gap shrinks by a tenth, and ends below its shortest.
    pub fn answered(&mut self) {
        self.gap = self.gap * 9 / 10;
        if self.gap < SHORTEST_GAP / 2 {
            self.gap = Duration::ZERO;
        }
    }
}

/// Returns the pause after a round over this many groups.
pub fn pause(is_quiet: bool, groups: usize) -> Duration {
    let pause = if is_quiet { QUIET_PAUSE } else { BUSY_PAUSE };
    pause.max(PAUSE_PER_GROUP * u32::try_from(groups).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_do_not_wait_until_the_service_throttles() {
        let mut pace = Pace::default();
        assert_eq!([(); 3].map(|()| pace.turn(Duration::ZERO)), [Duration::ZERO; 3]);
        pace.throttled(Duration::ZERO);
        assert_eq!(pace.turn(Duration::ZERO), SHORTEST_GAP);
        assert_eq!(pace.turn(Duration::ZERO), SHORTEST_GAP * 2, "two requests never share a turn");
    }

    #[test]
    fn the_gap_grows_to_a_limit_and_ends_after_answers() {
        let mut pace = Pace::default();
        (0..20).for_each(|_| pace.throttled(Duration::ZERO));
        assert_eq!(pace.gap, LONGEST_GAP);
        (0..60).for_each(|_| pace.answered());
        assert_eq!(pace.gap, Duration::ZERO);
    }

    #[test]
    fn many_groups_send_no_more_requests_than_one() {
        assert_eq!(pause(false, 1), BUSY_PAUSE);
        assert_eq!(pause(true, 1), QUIET_PAUSE);
        assert_eq!(pause(true, 50), Duration::from_secs(10));
    }
}
