//! Explains why the service rejected a filter pattern. Pure.

use local_aws::FilterPattern;

/// Names the column of the error, if our own parser of the same grammar rejects the pattern too.
pub fn hint(pattern: &str) -> String {
    let Err(error) = FilterPattern::parse(pattern) else {
        return format!(
            "the pattern is {pattern}; terms with other characters than letters, digits and _ need double quotes: '\"user-42\"'"
        );
    };
    let rest: String = pattern.chars().skip(error.position.saturating_sub(1)).take(20).collect();
    let place = if rest.is_empty() { "its end".to_owned() } else { format!("`{rest}`") };
    format!("column {} of the pattern, at {place}: {}", error.position, error.problem)
}

#[cfg(test)]
mod tests {
    use super::hint;

    #[test]
    fn a_rejected_pattern_is_shown_with_its_column() {
        assert!(
            hint("user-42").starts_with("column 5 of the pattern, at `-42`: Invalid character(s) in term"),
            "{}",
            hint("user-42")
        );
        assert!(hint("{ $.a = }").starts_with("column 9 of the pattern, at `}`: "), "{}", hint("{ $.a = }"));
        assert!(hint("plain").contains("need double quotes"));
    }
}
