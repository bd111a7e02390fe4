//! A token bucket for limits per second. Pure: the clock is passed in.

/// A token bucket that refills at `rate` tokens a second and holds at most one second's worth. An amount that is larger
/// than the capacity is taken from a full bucket, whose level then becomes negative.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    /// The capacity, which is also the refill per second. In thousandths of a token, so that one millisecond adds a whole
    /// number.
    full: i64,
    level: i64,
    /// The time of the level, in epoch milliseconds.
    at: u64,
}

impl TokenBucket {
    /// Creates a full bucket at `now`, in epoch milliseconds.
    pub fn full(rate: usize, now: u64) -> Self {
        let full = thousandths(rate);
        Self { full, level: full, at: now }
    }

    /// Takes `amount` if the bucket has it. Returns whether it did.
    pub fn take(&mut self, amount: usize, now: u64) -> bool {
        let has = self.has(amount, now);
        if has {
            self.charge(amount);
        }
        has
    }

    /// Takes `amount` even if the level becomes negative. Returns the milliseconds until the level is not negative any
    /// more.
    pub fn pay(&mut self, amount: usize, now: u64) -> u64 {
        self.has(amount, now);
        self.charge(amount);
        u64::try_from(-self.level).map_or(0, |owed| owed.div_ceil(self.full.unsigned_abs() / 1000))
    }

    /// Refills the bucket. Returns whether it has `amount`.
    pub fn has(&mut self, amount: usize, now: u64) -> bool {
        let elapsed = i64::try_from(now.saturating_sub(self.at)).unwrap_or(i64::MAX);
        self.level = self.level.saturating_add(elapsed.saturating_mul(self.full / 1000)).min(self.full);
        self.at = self.at.max(now);
        self.level >= thousandths(amount).min(self.full)
    }

    /// Takes `amount` even if the level becomes negative.
    pub fn charge(&mut self, amount: usize) {
        self.level = self.level.saturating_sub(thousandths(amount));
    }
}

fn thousandths(amount: usize) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX).saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_level_reports_the_time_until_it_is_repaid() {
        let mut bucket = TokenBucket::full(2000, 0);
        assert_eq!([bucket.pay(2000, 0), bucket.pay(1000, 0), bucket.pay(1000, 500)], [0, 500, 500]);
        assert_eq!(bucket.pay(1, 60_000), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_adds_no_tokens() {
        let mut bucket = TokenBucket::full(10, 1000);
        assert!(bucket.take(10, 1000));
        assert!(!bucket.take(1, 0) && !bucket.take(1, 1099) && bucket.take(1, 1100));
    }
}
