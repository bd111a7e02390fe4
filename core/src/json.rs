//! Reads JSON in place: text is walked and sliced, and no values are built.
//!
//! Every function here is total: on text that is not JSON it returns some span or none, and never panics.

mod reader;
mod unescape;
mod validator;

use std::borrow::Cow;
use std::fmt;

use crate::scan;

pub(crate) use reader::{Reader, long_string, number_length, plain_string_length, string_literal};
pub use validator::MAX_JSON_DEPTH;
pub(crate) use validator::{MemberSet, is_container, is_container_sequence, next_container, validate_container};

/// Splits a text into its byte order mark, which many Windows programs write, and the rest.
pub(crate) fn split_byte_order_mark(text: &str) -> (&str, &str) {
    text.split_at(if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 })
}

/// The type of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl fmt::Display for JsonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

/// A JSON value, as the text from its beginning on. Its end is searched for only when needed, so that walking into a value
/// does not read it twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value<'a>(&'a str);

impl<'a> Value<'a> {
    /// Creates the value of `text`, which is valid JSON.
    pub(crate) fn new(text: &'a str) -> Self {
        Self(text.trim_start_matches([' ', '\t', '\n', '\r']))
    }

    /// The value as it is written.
    pub(crate) fn text(self) -> &'a str {
        self.prefix(end_of_value(self.0.as_bytes(), 0))
    }

    /// The first `length` bytes from the value's beginning.
    pub(crate) fn prefix(self, length: usize) -> &'a str {
        self.0.get(..length).unwrap_or(self.0)
    }

    pub(crate) fn kind(self) -> JsonKind {
        match self.0.as_bytes().first() {
            Some(b'{') => JsonKind::Object,
            Some(b'[') => JsonKind::Array,
            Some(b'"') => JsonKind::String,
            Some(b't' | b'f') => JsonKind::Boolean,
            Some(b'-' | b'0'..=b'9') => JsonKind::Number,
            _ => JsonKind::Null,
        }
    }

    /// The offset of the value's beginning in `text`, which contains it.
    pub(crate) fn offset_in(self, text: &str) -> usize {
        text.len().saturating_sub(self.0.len())
    }

    /// Returns the string's value, borrowed unless it contains escapes. A lone surrogate becomes U+FFFD.
    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?;
        match scan::quote_or_backslash(inner.as_bytes()) {
            Some(end) if inner.as_bytes()[end] == b'"' => Some(Cow::Borrowed(&inner[..end])),
            _ => Some(unescape::unescape(self.text().strip_prefix('"')?.strip_suffix('"')?)),
        }
    }

    /// Returns key and value of each member in order, duplicates included. There are none unless this is an object.
    pub(crate) fn members(self) -> Members<'a> {
        Members(Items::of(self, JsonKind::Object))
    }

    /// Returns each element in order. There are none unless this is an array.
    pub(crate) fn elements(self) -> Elements<'a> {
        Elements(Items::of(self, JsonKind::Array))
    }
}

/// A cursor over the values in a container.
#[derive(Debug, Clone)]
struct Items<'a> {
    text: &'a str,
    position: usize,
    /// Whether `position` is the beginning of the last value, whose end is not known yet.
    inside: bool,
}

impl<'a> Items<'a> {
    fn of(value: Value<'a>, kind: JsonKind) -> Self {
        let text = if value.kind() == kind { value.0 } else { "" };
        Self { text, position: 1, inside: false }
    }

    /// Skips separators and returns the next value, or `None` at the end of the container.
    fn next_value(&mut self) -> Option<Value<'a>> {
        let bytes = self.text.as_bytes();
        if self.inside {
            self.position = end_of_value(bytes, self.position);
            self.inside = false;
        }
        while let Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b':') = bytes.get(self.position) {
            self.position += 1;
        }
        if matches!(bytes.get(self.position), None | Some(b'}' | b']')) {
            return None;
        }
        self.inside = true;
        self.text.get(self.position..).map(Value)
    }

    /// Skips the last value. For callers that know its `length` in bytes, because they walked through it.
    fn skip_value(&mut self, length: usize) {
        if self.inside {
            self.position += length;
            self.inside = false;
        }
    }
}

/// The members of an object.
#[derive(Debug, Clone)]
pub(crate) struct Members<'a>(Items<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.next_with_literal().map(|(_, key, value)| (key, value))
    }
}

impl<'a> Members<'a> {
    /// Returns the next member, and before it the key as it is written.
    pub(crate) fn next_with_literal(&mut self) -> Option<(Value<'a>, Cow<'a, str>, Value<'a>)> {
        let literal = self.0.next_value()?;
        let key = literal.string()?;
        if let Cow::Borrowed(key) = key {
            // The key has no escapes, so its end is known.
            self.0.skip_value(key.len() + 2);
        }
        Some((literal, key, self.0.next_value()?))
    }

    /// Skips the last value. For callers that know its `length` in bytes, because they walked through it.
    pub(crate) fn skip_value(&mut self, length: usize) {
        self.0.skip_value(length);
    }

    /// The object's length in bytes, once every member has been returned.
    pub(crate) fn length(&self) -> usize {
        self.0.position + 1
    }
}

/// The elements of an array.
#[derive(Debug, Clone)]
pub(crate) struct Elements<'a>(Items<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.0.next_value()
    }
}

impl Elements<'_> {
    /// Skips the last element. For callers that know its `length` in bytes, because they walked through it.
    pub(crate) fn skip_value(&mut self, length: usize) {
        self.0.skip_value(length);
    }

    /// The array's length in bytes, once every element has been returned.
    pub(crate) fn length(&self) -> usize {
        self.0.position + 1
    }
}

/// Returns the end of the value that begins at `start`. It is always beyond `start`, so that a walk over text that is not
/// JSON ends.
fn end_of_value(bytes: &[u8], start: usize) -> usize {
    match bytes.get(start) {
        Some(b'"') => end_of_string(bytes, start),
        Some(b'{' | b'[') => end_of_container(bytes, start),
        _ => {
            let rest = bytes.get(start + 1..).unwrap_or_default();
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':' | b' ' | b'\t' | b'\n' | b'\r');
            start + 1 + rest.iter().position(ends).unwrap_or(rest.len())
        }
    }
}

/// Returns the end of the string whose opening quote is at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut position = start + 1;
    while let Some(rest) = bytes.get(position..) {
        match scan::quote_or_backslash(rest) {
            Some(found) if rest[found] == b'"' => return position + found + 1,
            Some(found) => position += found + 2,
            None => break,
        }
    }
    bytes.len()
}

/// Returns the end of the container that opens at `start`. It counts brackets, so that deep nesting needs no stack.
fn end_of_container(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut position = start;
    while let Some(byte) = bytes.get(position) {
        match byte {
            b'"' => {
                position = end_of_string(bytes, position);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        position += 1;
        if depth == 0 {
            return position;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts<'a>(values: impl Iterator<Item = Value<'a>>) -> Vec<&'a str> {
        values.map(Value::text).collect()
    }

    #[test]
    fn elements_are_slices_of_the_text() {
        let array = Value::new(" [ 1 ,\"a]\\\"\",[2,{\"x\":\"}\"}], null,true ]\n");
        assert_eq!(texts(array.elements()), ["1", "\"a]\\\"\"", "[2,{\"x\":\"}\"}]", "null", "true"]);
        assert_eq!(texts(Value::new("[]").elements()), Vec::<&str>::new());
        assert_eq!(texts(Value::new("{\"a\":1}").elements()), Vec::<&str>::new());
    }

    #[test]
    fn members_keep_order_and_duplicates() {
        let object = Value::new(r#"{ "a" : 1 , "b":{"c":[]}, "a" :"z", "\u0061":-2.5e3 }"#);
        let members: Vec<_> = object.members().map(|(key, value)| (key.into_owned(), value.text())).collect();
        let expected = [("a", "1"), ("b", "{\"c\":[]}"), ("a", "\"z\""), ("a", "-2.5e3")];
        assert_eq!(members, expected.map(|(key, value)| (key.to_owned(), value)));
    }

    #[test]
    fn kind_depends_on_the_first_byte() {
        let kinds = ["null", "false", "-1", "\"\"", "[]", "{}"].map(|text| Value::new(text).kind());
        use JsonKind::*;
        assert_eq!(kinds, [Null, Boolean, Number, String, Array, Object]);
    }

    #[test]
    fn skip_value_continues_behind_a_walked_value() {
        let object = Value::new(r#" {"a": {"b": [1, 2], "c": {}} , "d": 3} "#);
        let mut members = object.members();
        let (_, inner) = members.next().unwrap();
        let mut inner_members = inner.members();
        assert_eq!(inner_members.by_ref().count(), 2);
        assert_eq!(inner.prefix(inner_members.length()), inner.text());
        members.skip_value(inner_members.length());
        assert_eq!(members.next().map(|(_, value)| value.text()), Some("3"));
        assert!(members.next().is_none());
        assert_eq!(object.prefix(members.length()), object.text());
    }

    #[test]
    fn deep_nesting_needs_no_stack() {
        let deep = format!("[{}{}]", "[".repeat(500_000), "]".repeat(500_000));
        assert_eq!(Value::new(&deep).elements().count(), 1);
    }

    proptest! {
        #[test]
        fn walking_any_text_ends(text in "\\PC{0,8}[\\[{\"\\\\,:\\]} a1é]{0,40}") {
            let value = Value::new(&text);
            prop_assert!(value.elements().count() <= text.len());
            prop_assert!(value.members().count() <= text.len());
        }
    }
}
