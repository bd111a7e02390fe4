//! Broken constraints, as AWS words them: all of a request's at once.

use std::fmt::Display;

use crate::error::AwsError;

/// The constraints a request breaks.
#[derive(Default)]
pub struct Constraints {
    broken: Vec<String>,
}

impl Constraints {
    /// Notes that `value` at `member` does not satisfy `constraint`, unless it does.
    pub fn require(&mut self, holds: bool, value: impl Display, member: &str, constraint: impl Display) {
        if !holds {
            self.broken.push(format!("Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"));
        }
    }

    pub fn range(&mut self, value: Option<i64>, member: &str, least: i64, most: i64) {
        let Some(value) = value else { return };
        let constraint = format!("Member must have value greater than or equal to {least}");
        self.require(value >= least, value, member, constraint);
        let constraint = format!("Member must have value less than or equal to {most}");
        self.require(value <= most, value, member, constraint);
    }

    pub fn max_length(&mut self, value: Option<&str>, member: &str, most: usize) {
        let Some(value) = value else { return };
        let constraint = format!("Member must have length less than or equal to {most}");
        self.require(value.chars().count() <= most, value, member, constraint);
    }

    pub fn one_of(&mut self, value: Option<&str>, member: &str, values: &[&str]) {
        let Some(value) = value else { return };
        let constraint = format!("Member must satisfy enum value set: [{}]", values.join(", "));
        self.require(values.contains(&value), value, member, constraint);
    }

    pub fn pattern(&mut self, matches: bool, value: &str, member: &str, pattern: &str) {
        self.require(matches, value, member, format!("Member must satisfy regular expression pattern: {pattern}"));
    }

    /// # Errors
    /// A `ValidationException` that names every broken constraint.
    pub fn finish(self) -> Result<(), AwsError> {
        let count = self.broken.len();
        if count == 0 {
            return Ok(());
        }
        let noun = if count == 1 { "error" } else { "errors" };
        let message = format!("{count} validation {noun} detected: {}", self.broken.join("; "));
        Err(AwsError::bad_request("ValidationException", message))
    }
}

/// What Lambda refuses with most often.
pub fn invalid_parameter(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidParameterValueException", message)
}

pub fn not_found(message: impl Into<String>) -> AwsError {
    AwsError::new(404, "ResourceNotFoundException", message)
}

pub fn conflict(message: impl Into<String>) -> AwsError {
    AwsError::new(409, "ResourceConflictException", message)
}

/// The endpoint itself could not do it.
pub fn service_failure(what: &str, error: &dyn Display) -> AwsError {
    AwsError::new(500, "ServiceException", format!("The local endpoint could not {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_constraint_is_named() {
        let mut constraints = Constraints::default();
        constraints.range(Some(0), "batchSize", 1, 10_000);
        constraints.range(Some(5), "parallelizationFactor", 1, 10);
        constraints.one_of(Some("invalid"), "startingPosition", &["LATEST", "TRIM_HORIZON"]);
        let error = constraints.finish().unwrap_err();
        assert_eq!(error.code, "ValidationException");
        assert_eq!(
            error.message,
            "2 validation errors detected: Value '0' at 'batchSize' failed to satisfy constraint: Member must have value \
             greater than or equal to 1; Value 'invalid' at 'startingPosition' failed to satisfy constraint: Member must \
             satisfy enum value set: [LATEST, TRIM_HORIZON]"
        );
    }
}
