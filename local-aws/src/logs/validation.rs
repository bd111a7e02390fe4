//! The constraints of the service model, with AWS's messages for violations.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::error::AwsError;
use crate::validation::Input;

/// Collects the violations of an input, so that one error reports them all.
#[derive(Default)]
pub(super) struct Checks {
    /// An error with its own message, which takes precedence over the collected ones.
    special: Option<AwsError>,
    errors: Vec<String>,
}

impl Checks {
    pub(super) fn finish(self) -> Result<(), AwsError> {
        if let Some(error) = self.special {
            return Err(error);
        }
        let count = self.errors.len();
        if count == 0 {
            return Ok(());
        }
        let errors = if count == 1 { "error" } else { "errors" };
        Err(invalid_parameter(format!("{count} validation {errors} detected: {}", self.errors.join("; "))))
    }

    fn violated(&mut self, value: &dyn Display, member: &str, constraint: &str) {
        self.errors.push(format!("Value {value} at '{member}' failed to satisfy constraint: {constraint}"));
    }

    /// A required member. If it is missing, records the violation and returns the default.
    pub(super) fn required<T: Default>(&mut self, member: &str, value: Option<T>) -> T {
        value.unwrap_or_else(|| {
            self.violated(&"null", member, "Member must not be null");
            T::default()
        })
    }

    pub(super) fn length(&mut self, member: &str, value: &str, min: usize, max: usize) {
        let length = value.chars().count();
        if length < min {
            let constraint = format!("Member must have length greater than or equal to {min}");
            self.violated(&format_args!("'{value}'"), member, &constraint);
        }
        if length > max {
            let constraint = format!("Member must have length less than or equal to {max}");
            self.violated(&format_args!("'{value}'"), member, &constraint);
        }
    }

    pub(super) fn pattern(&mut self, member: &str, value: &str, pattern: &str, allowed: impl Fn(char) -> bool) {
        self.must_match(member, value, pattern, value.chars().all(allowed));
    }

    pub(super) fn must_match(&mut self, member: &str, value: &str, pattern: &str, matches: bool) {
        if !matches {
            let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
            self.violated(&format_args!("'{value}'"), member, &constraint);
        }
    }

    pub(super) fn one_of(&mut self, member: &str, value: &str, allowed: &[&str]) {
        if !allowed.contains(&value) {
            let constraint = format!("Member must satisfy enum value set: [{}]", allowed.join(", "));
            self.violated(&format_args!("'{value}'"), member, &constraint);
        }
    }

    pub(super) fn not_negative(&mut self, member: &str, value: Option<i64>) {
        if let Some(value) = value.filter(|&value| value < 0) {
            self.violated(&format_args!("'{value}'"), member, "Member must have value greater than or equal to 0");
        }
    }

    /// Checks the length of a list or map. The message does not repeat the value, which may be 10,001 events.
    pub(super) fn count(&mut self, member: &str, count: usize, min: usize, max: usize) {
        let value = format!("'[{count} members]'");
        if count < min {
            self.violated(&value, member, &format!("Member must have length greater than or equal to {min}"));
        }
        if count > max {
            self.violated(&value, member, &format!("Member must have length less than or equal to {max}"));
        }
    }

    /// The size of a page: the requested limit, or the maximum.
    pub(super) fn limit(&mut self, value: Option<i64>, max: usize) -> usize {
        let Some(limit) = value else { return max };
        if limit < 1 {
            self.violated(&format_args!("'{limit}'"), "limit", "Member must have value greater than or equal to 1");
        }
        match usize::try_from(limit) {
            Ok(limit) if limit > max => {
                let constraint = format!("Member must have value less than or equal to {max}");
                self.violated(&format_args!("'{limit}'"), "limit", &constraint);
                max
            }
            Ok(limit) => limit,
            Err(_) => max,
        }
    }

    pub(super) fn group_name(&mut self, member: &str, name: &str) {
        self.name_length(member, name);
        self.pattern(member, name, r"[\.\-_/#A-Za-z0-9]+", |c| c.is_ascii_alphanumeric() || ".-_/#".contains(c));
    }

    pub(super) fn stream_name(&mut self, member: &str, name: &str) {
        self.name_length(member, name);
        self.pattern(member, name, "[^:*]*", |c| c != ':' && c != '*');
    }

    /// Checks a required `logGroupName`.
    pub(super) fn required_group_name(&mut self, name: Option<String>) -> String {
        if let Some(name) = &name {
            self.group_name("logGroupName", name);
        }
        self.required("logGroupName", name)
    }

    /// Checks a required `logStreamName`.
    pub(super) fn required_stream_name(&mut self, name: Option<String>) -> String {
        if let Some(name) = &name {
            self.stream_name("logStreamName", name);
        }
        self.required("logStreamName", name)
    }

    fn name_length(&mut self, member: &str, name: &str) {
        if name.chars().count() > 512 {
            self.special.get_or_insert_with(name_too_long);
        } else {
            self.length(member, name, 1, 512);
        }
    }

    pub(super) fn tags(&mut self, tags: &BTreeMap<String, String>) {
        const SYMBOLS: &str = "_.:/=+-@";
        let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || SYMBOLS.contains(c);
        self.count("tags", tags.len(), 1, 50);
        for (key, value) in tags {
            if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
                // Unverified: AWS's message is not recorded.
                let text = "aws: prefixed tag key names are not allowed for external use.";
                self.special.get_or_insert_with(|| invalid_parameter(text));
            }
            self.length("tags", key, 1, 128);
            self.pattern("tags", key, r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]+)$", allowed);
            self.length("tags", value, 0, 256);
            self.pattern("tags", value, r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$", allowed);
        }
    }
}

/// Checks the rules that AWS checks before the model.
pub(super) fn check_names(input: &Input) -> Result<(), AwsError> {
    let Input::Structure(members) = input else { return Ok(()) };
    let is_too_long = |(member, value): &(String, Input)| {
        ["logGroupName", "logStreamName"].contains(&member.as_str())
            && matches!(value, Input::Text(name) if name.chars().count() > 512)
    };
    if members.iter().any(is_too_long) { Err(name_too_long()) } else { Ok(()) }
}

/// Recorded: a name that is too long has its own message.
fn name_too_long() -> AwsError {
    invalid_parameter("Invalid LogGroup or LogStream, both must have length less than or equal to 512.")
}

pub(super) fn invalid_parameter(text: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidParameterException", text)
}
