//! A histogram of any number of durations in 3 KB, in classes that are 5 % apart.

use std::time::Duration;

const GROWTH: f64 = 1.05;
/// The last class begins at about a day.
const CLASSES: usize = 520;

#[derive(Debug, Clone)]
pub struct Histogram {
    classes: Vec<u64>,
    count: u64,
    longest: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { classes: vec![0; CLASSES], count: 0, longest: Duration::ZERO }
    }
}

impl Histogram {
    pub fn add(&mut self, duration: Duration) {
        let microseconds = duration.as_secs_f64() * 1e6;
        let class = if microseconds < 1.0 { 0.0 } else { microseconds.log(GROWTH) };
        self.classes[(class as usize).min(CLASSES - 1)] += 1;
        self.count += 1;
        self.longest = self.longest.max(duration);
    }

    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// Returns the quantile of the durations, at most 5 % too high; zero if there are none.
    pub fn at(&self, share: f64) -> Duration {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (class, count) in self.classes.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Self::ceiling(class).min(self.longest);
            }
        }
        Duration::ZERO
    }

    fn ceiling(class: usize) -> Duration {
        Duration::from_secs_f64(GROWTH.powi(class as i32 + 1) / 1e6)
    }

    /// Returns at most `rows` rows, evenly spaced on a logarithmic scale: the upper bound and the count of each.
    pub fn rows(&self, rows: usize) -> Vec<(Duration, u64)> {
        let Some(first) = self.classes.iter().position(|count| *count > 0) else { return Vec::new() };
        let last = self.classes.iter().rposition(|count| *count > 0).unwrap_or(first);
        let width = (last - first + 1).div_ceil(rows.max(1));
        let chunks = self.classes[first..=last].chunks(width).enumerate();
        chunks.map(|(n, chunk)| (Self::ceiling(first + n * width + chunk.len() - 1), chunk.iter().sum())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_at_most_five_percent_too_high() {
        let mut histogram = Histogram::default();
        for milliseconds in 1..=1000 {
            histogram.add(Duration::from_millis(milliseconds));
        }
        for (share, exact) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0), (1.0, 1000.0)] {
            let told = histogram.at(share).as_secs_f64() * 1000.0;
            assert!(told >= exact && told <= exact * 1.051, "{share}: {told}");
        }
        assert_eq!(histogram.longest(), Duration::from_secs(1));
        assert_eq!(Histogram::default().at(0.5), Duration::ZERO);
    }

    #[test]
    fn rows_count_everything_once() {
        let mut histogram = Histogram::default();
        for microseconds in [0, 1, 10, 500, 70_000, 3_000_000_000_000] {
            histogram.add(Duration::from_micros(microseconds));
        }
        let rows = histogram.rows(8);
        assert!(rows.len() <= 8);
        assert_eq!(rows.iter().map(|(_, count)| count).sum::<u64>(), 6);
        assert!(rows.is_sorted_by_key(|(ceiling, _)| *ceiling));
    }
}
