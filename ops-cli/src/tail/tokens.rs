//! Detects page tokens that repeat. Pure.

/// Detects a cycle in a chain of tokens with one token of memory (Brent's algorithm).
#[derive(Debug, Default)]
pub struct Tokens {
    anchor: Option<String>,
    steps: u64,
}

impl Tokens {
    /// Whether the chain has a cycle. It is found within three times its length and its distance from the start.
    pub fn has_cycle(&mut self, token: &str) -> bool {
        if self.anchor.as_deref() == Some(token) {
            return true;
        }
        self.steps += 1;
        if self.steps.is_power_of_two() {
            self.anchor = Some(token.to_owned());
        }
        false
    }

    pub fn are_used(&self) -> bool {
        self.steps > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_of_any_length_is_detected() {
        for (before, length) in [(0_usize, 1_usize), (0, 2), (5, 3), (100, 17)] {
            let mut tokens = Tokens::default();
            let chain = (0..before).chain((0..length).cycle().map(|n| n + before));
            let found = chain.take(3 * (before + length) + 3).any(|n: usize| tokens.has_cycle(&n.to_string()));
            assert!(found, "{before} {length}");
        }
    }

    #[test]
    fn different_tokens_have_no_cycle() {
        let mut tokens = Tokens::default();
        assert!(!(0..10_000).any(|n| tokens.has_cycle(&n.to_string())));
    }
}
