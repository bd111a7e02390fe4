//! What is wrong with a pattern, and where.

/// A pattern that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (at character {position} of the filter pattern)")]
pub struct PatternError {
    /// The character at which reading stopped; the first is 1.
    pub position: usize,
    pub problem: Problem,
}

/// What was wrong there. The texts with `Invalid character(s)` and `must end with` are AWS's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error(
        "Invalid character(s) in term '{0}': enclose what has other than letters, digits and underscores in double quotes"
    )]
    InvalidCharacter(String),
    #[error(
        "Invalid character(s) in regular expression '{0}': letters, digits, blanks and : _ # = @ / ; , - stand for themselves, other ASCII \
         is written \\xhh, and there are no groups"
    )]
    RegexCharacter(char),
    #[error("Invalid filter pattern: expected {0}")]
    Expected(&'static str),
    #[error("If a filter pattern starts with '{0}' it must end with '{1}'")]
    Unclosed(char, char),
    #[error("Invalid filter pattern: {0}")]
    Refused(&'static str),
    #[error("Invalid filter pattern: the regular expression is not valid: {0}")]
    Regex(String),
}
