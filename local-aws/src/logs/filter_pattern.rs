//! CloudWatch Logs' filter patterns: what FilterLogEvents, live tail and metric filters select events with.
//!
//! Pure: a pattern and a message in, an answer out. The grammar is the one of "Filter pattern syntax for metric filters,
//! subscription filters, filter log events, and Live Tail" in the CloudWatch Logs user guide. What that page leaves open
//! is decided where it comes up and marked "unverified".

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
pub struct FilterPattern(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Everything,
    Terms(terms::Terms),
    Json(json::JsonPattern),
    SpaceDelimited(space_delimited::SpaceDelimited),
}

impl FilterPattern {
    /// Reads a pattern: `{…}` for JSON, `[…]` for space-delimited fields, terms otherwise; blank selects everything.
    ///
    /// # Errors
    /// [`PatternError`] with the place and what was expected there.
    pub fn parse(pattern: &str) -> Result<Self, PatternError> {
        let mut cursor = Cursor::new(pattern);
        cursor.skip_space();
        let kind = match cursor.peek() {
            None => Kind::Everything,
            Some('{') => Kind::Json(json::JsonPattern::parse(&mut cursor)?),
            Some('[') => Kind::SpaceDelimited(space_delimited::SpaceDelimited::parse(&mut cursor)?),
            Some(_) => Kind::Terms(terms::Terms::parse(&mut cursor)?),
        };
        Ok(Self(kind))
    }

    /// Whether the pattern selects this message.
    pub fn matches(&self, message: &str) -> bool {
        match &self.0 {
            Kind::Everything => true,
            Kind::Terms(terms) => terms.matches(message),
            Kind::Json(json) => json.matches(message),
            Kind::SpaceDelimited(fields) => fields.matches(message),
        }
    }

    /// Whether the pattern is blank, so that a reader need not look at messages at all.
    pub fn matches_everything(&self) -> bool {
        matches!(self.0, Kind::Everything)
    }
}
