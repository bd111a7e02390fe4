//! The load that a shard accepts when refusals begin. Pure.

use super::DOCUMENTED;

/// Two loads are different if the logarithm of their ratio exceeds this.
const DIFFERENT: f64 = 0.35;

/// The accepted load at the last refusals, and how much it differed from the one before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Knee {
    last: Option<f64>,
    /// The last two differences, the later one first.
    differences: [f64; 2],
}

impl Knee {
    /// Adds the load that was accepted per second. It is capped at the documented limit, because more comes from the shard's
    /// burst capacity.
    pub(super) fn add(&mut self, accepted: f64) {
        let accepted = accepted.clamp(1.0, DOCUMENTED);
        let difference = self.last.map_or(0.0, |last| (accepted / last).ln().abs());
        self.differences = [difference, self.differences[0]];
        self.last = Some(accepted);
    }

    /// Whether the last load differed from the one before. Then the limit changed, or there is a competitor.
    pub(super) fn has_moved(&self) -> bool {
        self.differences[0] > DIFFERENT
    }

    /// Whether the load differs each time, as beside a competitor.
    pub(super) fn is_unsteady(&self) -> bool {
        self.differences.iter().all(|difference| *difference > DIFFERENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knee(loads: &[f64]) -> Knee {
        let mut knee = Knee::default();
        loads.iter().for_each(|load| knee.add(*load));
        knee
    }

    #[test]
    fn a_limit_is_steady_and_moves_once_when_it_changes() {
        assert!(!knee(&[1000.0, 980.0, 1020.0]).has_moved());
        assert!(knee(&[1000.0, 300.0]).has_moved() && !knee(&[1000.0, 300.0]).is_unsteady());
        assert!(!knee(&[1000.0, 300.0, 310.0]).has_moved());
        assert!(!knee(&[300.0, 3000.0, 1000.0]).is_unsteady(), "what the shard had saved is no limit");
    }

    #[test]
    fn loads_that_differ_each_time_are_unsteady() {
        assert!(knee(&[400.0, 80.0, 500.0]).is_unsteady());
        assert!(knee(&[900.0, 400.0, 0.0]).is_unsteady());
    }
}
