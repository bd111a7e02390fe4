//! What must not reach a log, replaced before a line is written.
//!
//! **A value is shown only if it can be shown that no rule names anything in it.** [`Redactor::text`] is the one judge of
//! that, wherever a text stands: as a record's data, as a log event's message, as a key or a string in JSON, as a field of
//! the line that repeats a member of the data. It knows two proofs: none of the names is in the text, in whatever writing
//! ([`names`]); or the text is JSON, every member of which has been compared with the rules ([`walk`]). A text with neither
//! is replaced whole.
//!
//! Data is never parsed and written again: a value that a rule names is replaced where it stands, and everything else
//! stays byte for byte.

mod escapes;
mod names;
#[cfg(test)]
mod tests;
mod walk;

use thiserror::Error;

use crate::decode::Payload;
use crate::json;
use crate::record::{Data, Origin, Record};

use names::Names;
use walk::{Path, Walk};

/// What stands where a value stood. In JSON it is a string.
pub const REDACTION_MARK: &str = "[redacted]";

/// Strings that hold JSON that holds such strings are read this deep; beyond, such a string is replaced whole.
const STRINGS_DEEP: u32 = 4;

/// Why all of the data is hidden that is a value which a rule names.
const NAMED: &str = "named by a rule";

/// Rules for what must not be shown.
///
/// A rule is a JSON pointer (RFC 6901: `/card/number`), which names one place, or else a key's name (`password`), which
/// is looked for at any depth, in any case and in any Unicode form. Both also look into strings that hold JSON, and a
/// pointer also into DynamoDB images, as a path through the item without DynamoDB's types.
///
/// A value is shown only if it can be shown that no rule names anything in it. Text that is not JSON is hidden if a name,
/// or the last name in a pointer, may be in it: behind escapes of JSON, of URLs or of HTML, in another Unicode form or in
/// UTF-16. In prose a name counts only as a word of its own. A key in JSON that may hold a name, such as `user[password]`,
/// is hidden with its value. A record that is not JSON is always hidden when there is a
/// pointer, and binary data when there is any rule. Base64 is not decoded, and pairs such as
/// `{"name":"password","value":"x"}` are not understood.
///
/// ```
/// use kinesis_event_logger_core::{Data, Payload, Redacted, Redactor};
///
/// let redactor = Redactor::new(["/card/number", "Password"])?;
/// let json = r#"{"card":{"number":4111},"list":[{"password":"x"}],"n": 1.50}"#;
/// let redacted = redactor.redact(Data::Payload(Payload::Json(json)));
/// let expected = r#"{"card":{"number":"[redacted]"},"list":[{"password":"[redacted]"}],"n": 1.50}"#;
/// assert_eq!(redacted, Redacted::Values { json: expected.to_owned(), count: 2 });
/// # Ok::<_, kinesis_event_logger_core::RuleError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redactor {
    /// How many rules are names.
    names: usize,
    /// The reference tokens of each pointer, unescaped; at least one.
    pointers: Vec<Vec<String>>,
    /// What texts are searched for: the names, then the last name of each pointer. `None` if there are no rules.
    search: Option<Names>,
}

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleError {
    /// There is nothing in it.
    #[error("a rule is empty; it takes a JSON pointer (/card/number) or a key's name (password)")]
    Empty,
    /// A `~` in a pointer that is neither `~0` nor `~1`.
    #[error("{rule:?} is not a JSON pointer: after ~ stands 0 or 1 (RFC 6901)")]
    Tilde {
        /// The rule.
        rule: String,
    },
}

/// What a redactor made of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redacted {
    /// No rule found anything: the data can be shown as it is.
    Nothing,
    /// Values were replaced.
    Values {
        /// The data with [`REDACTION_MARK`] in their places; it is valid JSON.
        json: String,
        /// How many.
        count: usize,
    },
    /// The rules could not be applied: nothing of the data can be shown.
    Whole {
        /// Why.
        reason: &'static str,
    },
}

/// What is to be done with a text.
#[derive(Debug)]
enum Verdict {
    Shown,
    /// It is JSON, in which so many values were replaced.
    Replaced(String, usize),
    Hidden,
}

impl Redactor {
    /// No rules.
    pub const NONE: Self = Self { names: 0, pointers: Vec::new(), search: None };

    /// A redactor from its rules.
    ///
    /// # Errors
    /// [`RuleError`], for the first that is not one.
    pub fn new<R: AsRef<str>>(rules: impl IntoIterator<Item = R>) -> Result<Self, RuleError> {
        let (mut names, mut pointers) = (Vec::new(), Vec::new());
        for rule in rules {
            match rule.as_ref() {
                "" => return Err(RuleError::Empty),
                rule => match rule.strip_prefix('/') {
                    Some(tokens) => pointers.push(
                        tokens
                            .split('/')
                            .map(unescape_token)
                            .collect::<Option<Vec<_>>>()
                            .ok_or_else(|| RuleError::Tilde { rule: rule.to_owned() })?,
                    ),
                    None => names.push(rule.to_owned()),
                },
            }
        }
        let count = names.len();
        names.extend(pointers.iter().map(|tokens| last_name(tokens).to_owned()));
        let search = (!names.is_empty()).then(|| Names::new(names.iter().map(String::as_str)));
        Ok(Self { names: count, pointers, search })
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.search.is_none()
    }

    /// Applies the rules to data that stands by itself.
    pub fn redact(&self, data: Data<'_>) -> Redacted {
        self.redact_reached(data, &[])
    }

    /// Applies the rules to a record's data, which may be a part of what was put on the stream.
    pub(crate) fn redact_record(&self, record: &Record<'_>) -> Redacted {
        let Some(Origin::LogEvent(event)) = &record.origin else { return self.redact(record.data) };
        let (events, index) = ("logEvents", event.index.to_string());
        if self.names_member(&[events, &index, "message"]) {
            return Redacted::Whole { reason: NAMED };
        }
        // The data is the message, or the event where it has none.
        let event = Path::roots(&self.pointers).into_iter().filter_map(|path| path.step(events)?.step(&index));
        let reached: Vec<_> = event.flat_map(|path| [Some(path), path.step("message")]).flatten().collect();
        self.redact_reached(record.data, &reached)
    }

    fn redact_reached(&self, data: Data<'_>, reached: &[Path<'_>]) -> Redacted {
        if self.is_empty() {
            return Redacted::Nothing;
        }
        let (text, is_json) = match data {
            Data::Payload(Payload::Json(text)) => (text, true),
            Data::Payload(Payload::Text(text)) => (text, false),
            Data::Payload(Payload::Binary(_) | Payload::Cbor(_)) => return Redacted::Whole { reason: "binary" },
            Data::Undecodable(_) => return Redacted::Whole { reason: "undecodable" },
        };
        match self.text(text, reached, 0) {
            // A pointer is a rule about JSON.
            Verdict::Shown if !is_json && !self.pointers.is_empty() && !text.is_empty() => {
                Redacted::Whole { reason: "not JSON" }
            }
            Verdict::Shown => Redacted::Nothing,
            Verdict::Replaced(json, count) => Redacted::Values { json, count },
            Verdict::Hidden => Redacted::Whole { reason: "not JSON" },
        }
    }

    /// Whether a field of the line may be shown that repeats the member of the data at a path.
    pub(crate) fn shows_member(&self, path: &[&str], value: &str) -> bool {
        self.is_empty() || !self.names_member(path) && matches!(self.text(value, &[], 0), Verdict::Shown)
    }

    /// Judges a text, into which these pointers lead besides those that begin in it.
    fn text(&self, text: &str, reached: &[Path<'_>], strings_deep: u32) -> Verdict {
        let Some(search) = &self.search else { return Verdict::Shown };
        if text.is_empty() || reached.is_empty() && search.are_absent(text) {
            return Verdict::Shown;
        }
        let (mark, json) = json::split_mark(text);
        if strings_deep <= STRINGS_DEEP && json::is_container(json) {
            return match Walk::over(self, json, reached, strings_deep) {
                None => Verdict::Shown,
                Some((replaced, count)) => Verdict::Replaced(format!("{mark}{replaced}"), count),
            };
        }
        let is_led_into = |path: &Path<'_>| last_name(path.tokens).is_empty() && text.contains(BEGINS_JSON);
        if search.may_be_in(text) || reached.iter().any(is_led_into) { Verdict::Hidden } else { Verdict::Shown }
    }

    /// Whether a rule names the member at a path, or one that it is inside of.
    fn names_member(&self, path: &[&str]) -> bool {
        let leads_to = |tokens: &Vec<String>| {
            tokens.len() <= path.len() && tokens.iter().zip(path).all(|(token, key)| token == key)
        };
        path.iter().any(|key| self.names(key)) || self.pointers.iter().any(leads_to)
    }

    /// Whether a member of this name is to be replaced.
    fn names(&self, key: &str) -> bool {
        self.search.as_ref().is_some_and(|search| search.contain(key, self.names))
    }
}

/// What a text has in it that holds JSON, be it behind an escape.
const BEGINS_JSON: [char; 5] = ['{', '[', '\\', '%', '&'];

/// The last token of a pointer that can only be a member's name; the empty text if it has none, which is in every text.
fn last_name(tokens: &[String]) -> &str {
    let is_index = |token: &str| token.bytes().all(|byte| byte.is_ascii_digit());
    tokens.iter().rev().map(String::as_str).find(|token| !is_index(token)).unwrap_or_default()
}

/// A pointer's token with its `~1` and `~0` resolved.
fn unescape_token(token: &str) -> Option<String> {
    let mut pieces = token.split('~');
    let mut unescaped = pieces.next()?.to_owned();
    for piece in pieces {
        match piece.as_bytes().first()? {
            b'0' => unescaped.push('~'),
            b'1' => unescaped.push('/'),
            _ => return None,
        }
        unescaped.push_str(&piece[1..]);
    }
    Some(unescaped)
}
