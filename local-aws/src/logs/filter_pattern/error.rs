//! Errors of filter patterns.

/// The pattern is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (at character {position} of the filter pattern)")]
pub struct PatternError {
    /// The number of the character at which parsing stopped. The first is 1.
    pub position: usize,
    pub problem: Problem,
}

/// The problem at that position. The messages with `Invalid character(s)` and `must end with` are AWS's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error(
        "Invalid character(s) in term '{0}': enclose a term in double quotes unless it has only letters, digits and underscores"
    )]
    InvalidCharacter(String),
    #[error(
        "Invalid character(s) in regular expression '{0}': letters, digits, blanks and : _ # = @ / ; , - stand for themselves; write other \
         ASCII characters as \\xhh; groups are not supported"
    )]
    RegexCharacter(char),
    #[error("Invalid filter pattern: expected {0}")]
    Expected(&'static str),
    #[error("If a filter pattern starts with '{0}' it must end with '{1}'")]
    Unclosed(char, char),
    #[error("Invalid filter pattern: {0}")]
    Rejected(&'static str),
    #[error("Invalid filter pattern: the regular expression is not valid: {0}")]
    Regex(String),
}
