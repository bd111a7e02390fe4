//! Decides how fast to send to one shard. Pure: the clock is passed in, as the time since the run began.
//!
//! A refused entry shows that the shard's limit was exceeded, but not by whom. Only an experiment shows that: send less, and
//! see whether the share of refused entries falls. The first guess needs no experiment: a shard at its limit refuses all
//! later entries of the request, so that refusals with accepted entries between them are not caused by our load.
//!
//! The load that is accepted when refusals begin shows more. A limit accepts the same load each time. Beside a competitor
//! the load differs each time, because a request finds what the competitor left.
//!
//! [`Mode`] lists the reactions to refusals.

mod epoch;
mod knee;
mod mode;

use std::time::Duration;

use super::bucket::Bucket;
use super::load::{DOCUMENTED, Load, Verdicts};
use epoch::Epoch;
use knee::Knee;
use mode::Mode;

/// The lowest rate, at which a shard that refuses everything is still tested.
const LOWEST: f64 = DOCUMENTED / 20.0;
/// A large record at a low rate delays the next one by at most this long.
const LONGEST_WAIT_SECONDS: f64 = 10.0;
/// The time over which a rate accumulates while nothing is sent. It covers the latency of a request, because a shard has one
/// in flight.
const BURST: Duration = Duration::from_secs(1);
/// An epoch starts over after this long without a request.
const IDLE: Duration = Duration::from_millis(100);

/// One shard's pace.
#[derive(Debug, Clone)]
pub struct Pace {
    mode: Mode,
    bucket: Bucket,
    epoch: Epoch,
    knee: Knee,
    /// The last request had to wait for the bucket.
    was_held_back: bool,
}

impl Pace {
    pub fn new() -> Self {
        let bucket = Bucket::new(f64::INFINITY, BURST, Duration::ZERO);
        Self { mode: Mode::Free, bucket, epoch: Epoch::default(), knee: Knee::default(), was_held_back: false }
    }

    /// Returns the time until the next record may go to this shard.
    pub fn wait(&mut self, now: Duration) -> Duration {
        if self.is_unlimited() {
            return Duration::ZERO;
        }
        let wait = self.bucket.wait(now);
        self.was_held_back |= !wait.is_zero();
        wait
    }

    /// Counts a record, or the records of an aggregate, that goes to this shard.
    pub fn take(&mut self, bytes: usize, now: Duration) {
        let load = Load::of(bytes).amount;
        let is_idle = !self.was_held_back && now.saturating_sub(self.epoch.last) > IDLE;
        self.epoch.sent(load, now, is_idle);
        self.was_held_back = false;
        if !self.is_unlimited() {
            self.bucket.take(load.min(self.bucket.per_second() * LONGEST_WAIT_SECONDS));
        }
    }

    pub fn is_unlimited(&self) -> bool {
        self.bucket.per_second().is_infinite()
    }

    /// Adjusts the rate to the shard's answer for the entries of a request that was sent at `sent`.
    pub fn answered(&mut self, verdicts: Verdicts, sent: Duration, now: Duration) {
        if !self.epoch.answered(verdicts, sent, now) {
            return;
        }
        let rate = self.bucket.per_second();
        let findings = self.epoch.findings(rate, self.mode.is_test(), now);
        let decided = match findings {
            _ if self.mode == Mode::Free && self.epoch.is_plain() => Some(mode::first_test(self.epoch.refused_share())),
            Some(findings) => {
                if self.mode.is_at_its_knee(&findings) {
                    self.knee.add(findings.accepted);
                }
                Some(mode::decide(&self.mode, rate, findings, &self.knee, now))
            }
            None => None,
        };
        if let Some((mode, rate)) = decided {
            self.mode = mode;
            self.bucket.set_rate(rate.max(LOWEST), now);
            self.epoch = Epoch::after(now);
        }
    }
}

#[cfg(test)]
mod tests;
