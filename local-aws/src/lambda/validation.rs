//! Broken constraints, as AWS words them: all of a request's at once.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::names::is_region;
use crate::error::AwsError;
use crate::iam::is_tag_text;

/// A regular expression of the model, and what checks it.
pub struct Pattern {
    pub regex: &'static str,
    pub matches: fn(&str) -> bool,
}

/// Of ARNs of other services.
pub const ARN: Pattern = Pattern {
    regex: r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)",
    matches: is_arn,
};

const TAG_KEY: &str = r"Member must have length less than or equal to 128, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ([\p{L}\p{Z}\p{N}_.:/=+\-@]*)";
const TAG_VALUE: &str = r"Member must have length less than or equal to 256, Member must have length greater than or equal to 0, Member must satisfy regular expression pattern: ([\p{L}\p{Z}\p{N}_.:/=+\-@]*), Member must not be null";

fn is_tag_key(key: &str) -> bool {
    (1..=128).contains(&key.chars().count()) && is_tag_text(key)
}

fn is_arn(value: &str) -> bool {
    let parts: Vec<&str> = value.splitn(6, ':').collect();
    let [arn, partition, service, region, account, _] = parts[..] else { return false };
    let is_word = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    arn == "arn"
        && partition.strip_prefix("aws").is_some_and(is_word)
        && !service.is_empty()
        && is_word(service)
        && (region.is_empty() || is_region(region))
        && (account.is_empty() || is_account)
}

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

    /// [`range`](Self::range) with one of core's limits.
    pub fn within(&mut self, value: Option<i64>, member: &str, limit: RangeInclusive<i64>) {
        self.range(value, member, *limit.start(), *limit.end());
    }

    pub fn max_length(&mut self, value: Option<&str>, member: &str, most: usize) {
        let Some(value) = value else { return };
        let constraint = format!("Member must have length less than or equal to {most}");
        self.require(value.chars().count() <= most, value, member, constraint);
    }

    /// A text of so many characters that match.
    pub fn text(&mut self, value: Option<&str>, member: &str, lengths: RangeInclusive<usize>, pattern: &Pattern) {
        let Some(value) = value else { return };
        self.max_length(Some(value), member, *lengths.end());
        let constraint = format!("Member must have length greater than or equal to {}", lengths.start());
        self.require(value.chars().count() >= *lengths.start(), value, member, constraint);
        self.pattern((pattern.matches)(value), value, member, pattern.regex);
    }

    /// The tags of a request, as maps are reported: see an alias's weights.
    pub fn tags(&mut self, tags: &BTreeMap<String, String>) {
        for (key, value) in tags {
            let shown = format!("{{{key}={value}}}");
            self.require(is_tag_key(key), &shown, "tags", format!("Map keys must satisfy constraint: [{TAG_KEY}]"));
            let is_value = value.chars().count() <= 256 && is_tag_text(value);
            self.require(is_value, &shown, "tags", format!("Map value must satisfy constraint: [{TAG_VALUE}]"));
        }
    }

    pub fn tag_keys(&mut self, keys: &[&str]) {
        let shown = format!("[{}]", keys.join(", "));
        let constraint = format!("Member must satisfy constraint: [{TAG_KEY}]");
        self.require(keys.iter().all(|key| is_tag_key(key)), shown, "tagKeys", constraint);
    }

    /// A list of names (of `architectures`, recorded).
    pub fn list_of(&mut self, items: &[String], member: &str, most: usize, values: &[&str]) {
        let shown = format!("[{}]", items.join(", "));
        let constraint = format!("Member must have length less than or equal to {most}");
        self.require(items.len() <= most, &shown, member, constraint);
        let constraint = format!(
            "Member must satisfy constraint: [Member must satisfy enum value set: [{}], Member must not be null]",
            values.join(", ")
        );
        self.require(items.iter().all(|item| values.contains(&item.as_str())), &shown, member, constraint);
    }

    pub fn one_of(&mut self, value: Option<&str>, member: &str, values: &[&str]) {
        let Some(value) = value else { return };
        let constraint = format!("Member must satisfy enum value set: [{}]", values.join(", "));
        self.require(values.contains(&value), value, member, constraint);
    }

    pub fn pattern(&mut self, matches: bool, value: &str, member: &str, pattern: &str) {
        self.require(matches, value, member, format!("Member must satisfy regular expression pattern: {pattern}"));
    }

    /// The keys of a map whose entries AWS does not repeat: they may be secrets.
    pub fn secret_keys(&mut self, match_all: bool, member: &str, pattern: &str) {
        if !match_all {
            self.broken.push(format!(
                "Value at '{member}' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy \
                 regular expression pattern: {pattern}]"
            ));
        }
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
    fn tags_break_constraints_of_length_and_characters() {
        let message = |key: &str, value: &str| {
            let mut constraints = Constraints::default();
            constraints.tags(&[(key.to_owned(), value.to_owned())].into());
            constraints.finish().err().map(|error| error.message).unwrap_or_default()
        };
        assert_eq!(message("a key: /=+-@é", ""), "");
        for key in ["", "a*b", "a\tb", &"k".repeat(129)] {
            assert!(message(key, "v").contains("at 'tags' failed to satisfy constraint: Map keys must"), "{key:?}");
        }
        for value in ["<", &"v".repeat(257)] {
            assert!(
                message("k", value).contains("at 'tags' failed to satisfy constraint: Map value must"),
                "{value:?}"
            );
        }
    }

    #[test]
    fn an_arn_has_six_parts_of_the_models_form() {
        for arn in [
            "arn:aws:s3:::bucket",
            "arn:aws-cn:sqs:cn-north-1:123456789012:q",
            "arn:aws:events:us-east-1:123456789012:rule/r:x",
        ] {
            assert!(is_arn(arn), "{arn}");
        }
        for text in ["", "bucket", "arn:aws:s3::bucket", "arn:gcp:s3:::b", "arn:aws:s3:nowhere::b", "arn:aws:s3::12:b"]
        {
            assert!(!is_arn(text), "{text}");
        }
    }

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
