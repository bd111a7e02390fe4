//! Replaces the values that must not appear in a log.
//!
//! ```
//! use kinesis_event_logger_core::{Data, Payload, Redactor};
//! use kinesis_event_logger_core::redact::Redacted;
//!
//! let redactor = Redactor::new(["/card/number", "password"])?;
//! let redacted = redactor.redact(Data::Payload(Payload::Json(r#"{"user":7,"password":"x"}"#)));
//! let json = r#"{"user":7,"password":"[redacted]"}"#.to_owned();
//! assert_eq!(redacted, Redacted::Values { json, count: 1 });
//! # Ok::<_, kinesis_event_logger_core::redact::RuleError>(())
//! ```
//!
//! **A value is shown only if it can be proved that no rule names anything in it.** `Redactor::check_text` decides that for
//! every text: a record's data, a log event's message, a key or string in JSON, a field of the line that repeats a member
//! of the data. There are two ways to show it: none of the names is in the text, in any writing (module `search`), or the
//! text is JSON and every member was compared with the rules (module `replace`). Any other text is replaced whole.
//!
//! JSON is not parsed and serialized. A value that a rule names is replaced in place, and all other bytes stay the same.

mod escapes;
mod replace;
mod search;
#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::decode::{Data, Payload, Record};
use crate::json;
use crate::pointer::{Pointer, PointerError};

use replace::{Path, Replacer};
use search::NameSearch;

/// The text in place of a redacted value. In JSON it is a string.
pub const REDACTION_MARK: &str = "[redacted]";

/// The number of levels of JSON in strings in JSON that are read. A string with more levels is replaced whole.
const MAX_STRING_LEVELS: u32 = 4;

/// The reason for hiding data that is, as a whole, a value named by a rule.
const NAMED_BY_A_RULE: &str = "named by a rule";

/// Rules for the values that must not be shown.
///
/// A rule is a JSON pointer (RFC 6901: `/card/number`), which names one value, or else a key name (`password`), which is
/// looked for at any depth, in any case and in any Unicode form. Both apply inside strings that contain JSON, too. A pointer
/// also applies inside the items that a [shape](crate::shape) declares, as a path without the item's type names.
///
/// A value is shown only if it can be proved that no rule names anything in it. Text that is not JSON is hidden if it may
/// contain a name, or the last name in a pointer: behind escapes of JSON, of URLs or of HTML, in another Unicode form or in
/// UTF-16. In prose, a name counts only as a word of its own. A JSON key that may contain a name, such as `user[password]`,
/// is hidden with its value. A record that is not JSON is always hidden if there is a pointer, and binary data if there is
/// any rule. Base64 is not decoded, and pairs such as `{"name":"password","value":"x"}` are not understood.
///
/// ```
/// use kinesis_event_logger_core::{Data, Payload, Redactor};
/// use kinesis_event_logger_core::redact::Redacted;
///
/// let redactor = Redactor::new(["/card/number", "Password"])?;
/// let json = r#"{"card":{"number":4111},"list":[{"password":"x"}],"n": 1.50}"#;
/// let redacted = redactor.redact(Data::Payload(Payload::Json(json)));
/// let expected = r#"{"card":{"number":"[redacted]"},"list":[{"password":"[redacted]"}],"n": 1.50}"#;
/// assert_eq!(redacted, Redacted::Values { json: expected.to_owned(), count: 2 });
/// # Ok::<_, kinesis_event_logger_core::redact::RuleError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redactor {
    /// The number of rules that are names.
    names: usize,
    pointers: Vec<Pointer>,
    /// Searches for the names, then for the last name of each pointer. `None` if there are no rules.
    search: Option<NameSearch>,
}

/// The reason why a text is not a rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleError {
    /// The rule is empty.
    #[error("a redaction rule is empty; write a JSON pointer (/card/number) or a key name (password)")]
    Empty,
    /// The rule begins with a slash, but is not a JSON pointer.
    #[error(transparent)]
    Pointer(#[from] PointerError),
}

/// Data after redaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redacted {
    /// No rule names anything. The data can be shown as it is.
    Nothing,
    /// Values were replaced.
    Values {
        /// The data with [`REDACTION_MARK`] in place of the values. It is valid JSON.
        json: String,
        /// The number of values.
        count: usize,
    },
    /// No part of the data can be shown, because the rules could not be applied or name all of it.
    Whole {
        /// The reason.
        reason: &'static str,
    },
}

/// The decision about a text.
#[derive(Debug)]
enum Verdict {
    Shown,
    /// The text is JSON. This is the JSON after replacement, and the number of replaced values.
    Replaced(String, usize),
    Hidden,
}

impl Redactor {
    /// No rules.
    pub const NONE: Self = Self { names: 0, pointers: Vec::new(), search: None };

    /// Creates a redactor from its rules.
    ///
    /// # Errors
    /// Returns a [`RuleError`] for the first text that is not a rule.
    pub fn new<R: AsRef<str>>(rules: impl IntoIterator<Item = R>) -> Result<Self, RuleError> {
        let (mut names, mut pointers) = (Vec::new(), Vec::new());
        for rule in rules {
            match rule.as_ref() {
                "" => return Err(RuleError::Empty),
                rule if rule.starts_with('/') => pointers.push(rule.parse::<Pointer>()?),
                rule => names.push(rule.to_owned()),
            }
        }
        let count = names.len();
        names.extend(pointers.iter().map(|pointer| last_name(pointer.tokens()).to_owned()));
        let search = (!names.is_empty()).then(|| NameSearch::new(names.iter().map(String::as_str)));
        Ok(Self { names: count, pointers, search })
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.search.is_none()
    }

    /// Applies the rules to data that is all of what was put on the stream.
    pub fn redact(&self, data: Data<'_>) -> Redacted {
        self.redact_at(data, &[])
    }

    /// Applies the rules to a record's data, which may be a part of what was put on the stream.
    pub(crate) fn redact_record(&self, record: &Record<'_>) -> Redacted {
        let data_paths = record.origin.map_or(&[][..], |origin| origin.data_paths);
        if data_paths.iter().any(|path| self.names_member(path)) {
            return Redacted::Whole { reason: NAMED_BY_A_RULE };
        }
        let mut paths = Vec::new();
        for data_path in data_paths {
            let roots = Path::roots(&self.pointers).into_iter();
            paths.extend(roots.filter_map(|path| data_path.iter().try_fold(path, |path, key| path.step(key))));
        }
        self.redact_at(record.data, &paths)
    }

    /// Applies the rules to data, into which `paths` lead besides the pointers themselves.
    fn redact_at(&self, data: Data<'_>, paths: &[Path<'_>]) -> Redacted {
        if self.is_empty() {
            return Redacted::Nothing;
        }
        let (text, is_json) = match data {
            Data::Payload(Payload::Json(text)) => (text, true),
            Data::Payload(Payload::Text(text)) => (text, false),
            Data::Payload(Payload::Binary(_) | Payload::Cbor(_)) => return Redacted::Whole { reason: "binary" },
            Data::Undecodable(_) => return Redacted::Whole { reason: "undecodable" },
        };
        match self.check_text(text, paths, 0) {
            // A pointer names a value in JSON, and this is not JSON.
            Verdict::Shown if !is_json && !self.pointers.is_empty() && !text.is_empty() => {
                Redacted::Whole { reason: "not JSON" }
            }
            Verdict::Shown => Redacted::Nothing,
            Verdict::Replaced(json, count) => Redacted::Values { json, count },
            Verdict::Hidden => Redacted::Whole { reason: "not JSON" },
        }
    }

    /// Whether a field of the line may be shown that repeats the member of the data at `path`.
    pub(crate) fn shows_member(&self, path: &[&str], value: &str) -> bool {
        self.is_empty() || !self.names_member(path) && matches!(self.check_text(value, &[], 0), Verdict::Shown)
    }

    /// Decides about a text, into which `paths` lead besides the pointers themselves. `level` counts the strings around it.
    fn check_text(&self, text: &str, paths: &[Path<'_>], level: u32) -> Verdict {
        let Some(search) = &self.search else { return Verdict::Shown };
        if text.is_empty() || paths.is_empty() && search.is_surely_absent(text) {
            return Verdict::Shown;
        }
        let (mark, json) = json::split_byte_order_mark(text);
        if level <= MAX_STRING_LEVELS && json::is_container(json) {
            return match Replacer::apply(self, json, paths, level) {
                None => Verdict::Shown,
                Some((replaced, count)) => Verdict::Replaced(format!("{mark}{replaced}"), count),
            };
        }
        let may_lead_into = |path: &Path<'_>| last_name(path.tokens).is_empty() && text.contains(JSON_BEGINNINGS);
        if search.may_match(text) || paths.iter().any(may_lead_into) { Verdict::Hidden } else { Verdict::Shown }
    }

    /// Whether a rule names the member at `path`, or one that contains it.
    fn names_member(&self, path: &[&str]) -> bool {
        let leads_to = |pointer: &Pointer| {
            let tokens = pointer.tokens();
            tokens.len() <= path.len() && tokens.iter().zip(path).all(|(token, key)| token == key)
        };
        path.iter().any(|key| self.names(key)) || self.pointers.iter().any(leads_to)
    }

    /// Whether the rules name members with this key.
    fn names(&self, key: &str) -> bool {
        self.search.as_ref().is_some_and(|search| search.has_name(key, self.names))
    }
}

/// The characters of which a text has at least one if it contains JSON, be it behind an escape.
const JSON_BEGINNINGS: [char; 5] = ['{', '[', '\\', '%', '&'];

/// Returns the last token of a pointer that can only be a member's name, or the empty text, which is in every text.
fn last_name(tokens: &[String]) -> &str {
    let is_index = |token: &str| token.bytes().all(|byte| byte.is_ascii_digit());
    tokens.iter().rev().map(String::as_str).find(|token| !is_index(token)).unwrap_or_default()
}
