//! Reads JSON that has not been validated: one pass validates the text and finds the values.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::unescape::unescape;
use super::validator::Validator;
use super::{JsonKind, Value};
use crate::scan;

/// A cursor over unvalidated JSON. A method returns `None` if the text is not JSON. After that, the cursor's position is
/// unspecified.
///
/// It accepts what RFC 8259 accepts, which is more than [`is_container`](super::is_container) accepts: any depth, any
/// number, half a surrogate pair.
pub(crate) struct Reader<'a> {
    text: &'a str,
    strict: Validator<'a, 'static>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, strict: Validator::new(text) }
    }

    /// Returns the type of the next value.
    pub(crate) fn kind(&mut self) -> Option<JsonKind> {
        self.strict.peek().map(|_| Value(self.rest()).kind())
    }

    /// Enters the next container, which is of `kind`.
    pub(crate) fn enter(&mut self, kind: JsonKind) -> Option<()> {
        self.strict.peek()?;
        self.strict.take_exactly(if kind == JsonKind::Object { b'{' } else { b'[' })
    }

    /// Moves to the next member or element of the container of `kind`. Returns `false` if there is none, and leaves the
    /// container.
    pub(crate) fn more(&mut self, kind: JsonKind, first: bool) -> Option<bool> {
        let end = if kind == JsonKind::Object { b'}' } else { b']' };
        if self.strict.peek()? == end {
            self.strict.take_exactly(end)?;
            return Some(false);
        }
        if !first {
            self.strict.take_exactly(b',')?;
        }
        Some(true)
    }

    /// Reads a member's key and colon.
    pub(crate) fn key(&mut self) -> Option<Cow<'a, str>> {
        (self.strict.peek()? == b'"').then_some(())?;
        let (key, plain) = self.string()?;
        self.strict.peek()?;
        self.strict.take_exactly(b':')?;
        let key = &key[1..key.len() - 1];
        Some(if plain { Cow::Borrowed(key) } else { unescape(key) })
    }

    /// Reads a value of any kind.
    pub(crate) fn value(&mut self) -> Option<Value<'a>> {
        self.strict.peek()?;
        let text = self.rest();
        let read = self.strict.value();
        self.or_leniently(text, read)?;
        Some(Value(text))
    }

    /// Reads a value that is most likely a [`long_string`]. Returns the text between its quotes if it is.
    pub(crate) fn long_string(&mut self) -> Option<(Value<'a>, Option<&'a str>)> {
        self.strict.peek()?;
        let text = self.rest();
        match long_string(text) {
            Some(inside) => {
                self.skip(inside.len() + 2);
                Some((Value(text), Some(inside)))
            }
            None => self.value().map(|value| (value, None)),
        }
    }

    /// Skips bytes that the caller has read.
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.strict.skip(bytes);
    }

    /// Whether the rest of the text is whitespace.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.strict.peek().is_none()
    }

    /// The text that was read since [`Self::rest`] returned `rest`.
    pub(crate) fn read_since(&self, rest: &'a str) -> &'a str {
        &rest[..rest.len() - self.rest().len()]
    }

    /// The text that is still unread.
    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.text.len() - self.strict.remaining()..]
    }

    /// Reads a string with its quotes. Returns it, and whether it has no escapes.
    fn string(&mut self) -> Option<(&'a str, bool)> {
        let text = self.rest();
        self.strict.escapes = false;
        let read = self.strict.string();
        self.or_leniently(text, read)?;
        Some((self.read_since(text), read.is_some() && !self.strict.escapes))
    }

    /// Reads JSON that the strict reader rejected and some parsers accept.
    #[inline]
    fn or_leniently(&mut self, text: &'a str, read: Option<()>) -> Option<()> {
        if read.is_some() { read } else { self.leniently(text) }
    }

    #[cold]
    fn leniently(&mut self, text: &'a str) -> Option<()> {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        self.strict = Validator::new(&text[values.byte_offset()..]);
        Some(())
    }
}

/// Returns the text between the quotes of the string at the beginning of `text`, if there is a string without escapes.
/// Control characters in it, which JSON does not allow, are accepted: the caller decodes the string and rejects them.
pub(crate) fn long_string(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('"')?;
    let end = memchr::memchr2(b'"', b'\\', inside.as_bytes())?;
    (inside.as_bytes()[end] == b'"').then(|| &inside[..end])
}

/// Returns the length of the string at the beginning of `text` with its quotes, if there is a string without escapes.
pub(crate) fn plain_string_length(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('"')?.as_bytes();
    let end = scan::end_of_plain(inside)?;
    (inside[end] == b'"').then_some(end + 2)
}

/// Returns the length of the number at the beginning of `text`, if there is one that every parser accepts.
pub(crate) fn number_length(text: &str) -> Option<usize> {
    let mut validator = Validator::new(text);
    validator.number()?;
    Some(text.len() - validator.remaining())
}

/// Returns the value of the string literal at the beginning of `text`, and the literal's length.
pub(crate) fn string_literal(text: &str) -> Option<(Cow<'_, str>, usize)> {
    let mut validator = Validator::new(text);
    text.starts_with('"').then_some(())?;
    validator.string()?;
    let length = text.len() - validator.remaining();
    Some((unescape(&text[1..length - 1]), length))
}
