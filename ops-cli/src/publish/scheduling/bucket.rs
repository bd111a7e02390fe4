//! A token bucket, and the limits that the user sets for a run. Pure: the clock is passed in.

use std::time::Duration;

/// The time over which the user's allowance accumulates while nothing is sent.
const BURST: Duration = Duration::from_millis(250);
/// An empty bucket releases nothing for this long, so that a request contains more than one record.
const GATHERING: Duration = Duration::from_millis(10);

/// A token bucket that may be overdrawn by its last withdrawal, so that it need not hold the largest record.
#[derive(Debug, Clone)]
pub struct Bucket {
    per_second: f64,
    burst: Duration,
    tokens: f64,
    is_gathering: bool,
    at: Duration,
}

impl Bucket {
    /// Creates a bucket that holds the tokens of `burst` at most.
    pub fn new(per_second: f64, burst: Duration, now: Duration) -> Self {
        Self { per_second, burst, tokens: 1.0, is_gathering: false, at: now }
    }

    pub fn per_second(&self) -> f64 {
        self.per_second
    }

    /// Sets the rate. Tokens that were gathered at a higher rate are dropped, because they would be spent at that rate.
    pub fn set_rate(&mut self, per_second: f64, now: Duration) {
        self.refill(now);
        if per_second < self.per_second {
            self.tokens = self.tokens.min(0.0);
        }
        self.per_second = per_second;
    }

    fn refill(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.at).as_secs_f64();
        // The rate may be infinite, and zero seconds must add nothing.
        if elapsed == 0.0 {
            return;
        }
        let most = (self.per_second * self.burst.as_secs_f64()).max(1.0);
        self.tokens = (self.tokens + elapsed * self.per_second).min(most);
        self.at = self.at.max(now);
    }

    pub fn take(&mut self, tokens: f64) {
        self.tokens -= tokens;
    }

    /// Returns the time until tokens may be taken; zero if they may be taken now.
    pub fn wait(&mut self, now: Duration) -> Duration {
        self.refill(now);
        if self.tokens < 1.0 - 1e-6 {
            self.is_gathering = true;
        }
        let enough = if self.is_gathering { (self.per_second * GATHERING.as_secs_f64()).max(1.0) } else { 1.0 };
        let lacking = enough - self.tokens;
        // A rounding error must not cause another wait of zero seconds.
        if lacking > 1e-6 {
            return Duration::from_secs_f64(lacking / self.per_second + 1e-6);
        }
        self.is_gathering = false;
        Duration::ZERO
    }
}

/// The user's limits: records and bytes per second.
#[derive(Debug, Clone)]
pub struct Rate {
    records: Option<Bucket>,
    bytes: Option<Bucket>,
}

impl Rate {
    /// Limits either, both or neither of them.
    pub fn new(records: Option<f64>, bytes: Option<f64>, now: Duration) -> Self {
        let bucket = |rate| Bucket::new(rate, BURST, now);
        Self { records: records.map(bucket), bytes: bytes.map(bucket) }
    }

    pub fn is_unlimited(&self) -> bool {
        self.records.is_none() && self.bytes.is_none()
    }

    /// Returns the time until the next record may be sent.
    pub fn wait(&mut self, now: Duration) -> Duration {
        let of = |bucket: &mut Option<Bucket>| bucket.as_mut().map_or(Duration::ZERO, |bucket| bucket.wait(now));
        of(&mut self.records).max(of(&mut self.bytes))
    }

    pub fn take(&mut self, bytes: usize) {
        if let Some(bucket) = &mut self.records {
            bucket.take(1.0);
        }
        if let Some(bucket) = &mut self.bytes {
            bucket.take(bytes as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_releases_tokens_at_its_rate() {
        for rate in [1.0, 7.0, 100.0, 5000.0] {
            let mut limit = Rate::new(Some(rate), None, Duration::ZERO);
            let mut now = Duration::ZERO;
            let mut sent = 0;
            while now < Duration::from_secs(20) {
                let wait = limit.wait(now);
                if wait.is_zero() {
                    limit.take(10);
                    sent += 1;
                } else {
                    now += wait;
                }
            }
            let asked = rate * 20.0;
            assert!((f64::from(sent) - asked).abs() <= asked * 0.02 + 2.0, "{sent} at {rate}/s");
        }
    }
}
