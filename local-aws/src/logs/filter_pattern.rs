//! Filter patterns, by which FilterLogEvents and StartLiveTail select events.
//!
//! Pure: a function of a pattern and a message. The grammar is the one of "Filter pattern syntax for metric filters,
//! subscription filters, filter log events, and Live Tail" in the CloudWatch Logs user guide. What that page leaves open
//! is marked "unverified" in the code.

mod comparison;
mod cursor;
mod error;
mod expression;
mod json;
mod limited_regex;
mod selector;
mod space_delimited;
mod terms;
#[cfg(test)]
mod tests;

pub use error::PatternError;

use cursor::Cursor;

/// A parsed filter pattern.
#[derive(Debug, Clone)]
pub struct FilterPattern(PatternKind);

#[derive(Debug, Clone)]
enum PatternKind {
    Everything,
    Terms(terms::Terms),
    Json(json::JsonPattern),
    SpaceDelimited(space_delimited::SpaceDelimited),
}

impl FilterPattern {
    /// Parses a pattern: `{…}` for JSON, `[…]` for space-delimited fields, otherwise terms. A blank pattern selects everything.
    ///
    /// # Errors
    /// The pattern is invalid. The error has the position and the problem.
    pub fn parse(pattern: &str) -> Result<Self, PatternError> {
        let mut cursor = Cursor::new(pattern);
        cursor.skip_space();
        let kind = match cursor.peek() {
            None => PatternKind::Everything,
            Some('{') => PatternKind::Json(json::JsonPattern::parse(&mut cursor)?),
            Some('[') => PatternKind::SpaceDelimited(space_delimited::SpaceDelimited::parse(&mut cursor)?),
            Some(_) => PatternKind::Terms(terms::Terms::parse(&mut cursor)?),
        };
        Ok(Self(kind))
    }

    /// Whether the pattern selects this message.
    pub fn matches(&self, message: &str) -> bool {
        match &self.0 {
            PatternKind::Everything => true,
            PatternKind::Terms(terms) => terms.matches(message),
            PatternKind::Json(json) => json.matches(message),
            PatternKind::SpaceDelimited(fields) => fields.matches(message),
        }
    }

    /// Whether the pattern is blank, so that a reader need not match messages.
    pub fn matches_everything(&self) -> bool {
        matches!(self.0, PatternKind::Everything)
    }
}
