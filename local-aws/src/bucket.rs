//! What may be taken in a second, and what is owed. Pure: the clock is passed in.

/// An allowance that fills up by `rate` a second and holds a second's worth. What is larger than that is taken from a full
/// one, which then owes.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// What it holds, and gets in a second; in thousandths of what it counts, so that a millisecond gives it whole ones.
    full: i64,
    level: i64,
    /// Epoch milliseconds of the level.
    at: u64,
}

impl Bucket {
    /// A full one, at `now` in epoch milliseconds.
    pub fn full(rate: usize, now: u64) -> Self {
        let full = thousandths(rate);
        Self { full, level: full, at: now }
    }

    /// Takes `amount` if it is there.
    pub fn take(&mut self, amount: usize, now: u64) -> bool {
        let has = self.has(amount, now);
        if has {
            self.charge(amount);
        }
        has
    }

    /// Takes `amount`, there or not; how many milliseconds later nothing is owed.
    pub fn pay(&mut self, amount: usize, now: u64) -> u64 {
        self.has(amount, now);
        self.charge(amount);
        u64::try_from(-self.level).map_or(0, |owed| owed.div_ceil(self.full.unsigned_abs() / 1000))
    }

    /// Whether `amount` is there.
    pub fn has(&mut self, amount: usize, now: u64) -> bool {
        let elapsed = i64::try_from(now.saturating_sub(self.at)).unwrap_or(i64::MAX);
        self.level = self.level.saturating_add(elapsed.saturating_mul(self.full / 1000)).min(self.full);
        self.at = self.at.max(now);
        self.level >= thousandths(amount).min(self.full)
    }

    /// Takes `amount`, there or not.
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
    fn what_is_owed_is_waited_for() {
        let mut bucket = Bucket::full(2000, 0);
        assert_eq!([bucket.pay(2000, 0), bucket.pay(1000, 0), bucket.pay(1000, 500)], [0, 500, 500]);
        assert_eq!(bucket.pay(1, 60_000), 0);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let mut bucket = Bucket::full(10, 1000);
        assert!(bucket.take(10, 1000));
        assert!(!bucket.take(1, 0) && !bucket.take(1, 1099) && bucket.take(1, 1100));
    }
}
