//! Walking through text that nobody has checked yet: one pass finds the values and knows that they are JSON.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::unescape::unescape;
use super::validate::Validator;
use super::{JsonKind, Value};
use crate::scan;

/// Stands somewhere in a text. Every step gives `None` where the text is not JSON; from then on it stands anywhere.
///
/// It takes what RFC 8259 takes, and so more than [`is_container`](super::is_container): any depth, any number, half a
/// surrogate pair.
pub(crate) struct Reader<'a> {
    text: &'a str,
    strict: Validator<'a>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, strict: Validator::new(text) }
    }

    /// What the next value is, if it is one at all.
    pub(crate) fn kind(&mut self) -> Option<JsonKind> {
        self.strict.peek().map(|_| Value(self.ahead()).kind())
    }

    /// Enters the container of that kind which comes next.
    pub(crate) fn enter(&mut self, kind: JsonKind) -> Option<()> {
        self.strict.peek()?;
        self.strict.take_exactly(if kind == JsonKind::Object { b'{' } else { b'[' })
    }

    /// Whether the container of that kind has another member or element; stands before it, or after the container.
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
        let text = self.ahead();
        let read = self.strict.value();
        self.or_leniently(text, read)?;
        Some(Value(text))
    }

    /// Reads a value that is most likely a [`long_string`]; what stands between its quotes, if it is that.
    pub(crate) fn long_string(&mut self) -> Option<(Value<'a>, Option<&'a str>)> {
        self.strict.peek()?;
        let text = self.ahead();
        match long_string(text) {
            Some(inside) => {
                self.pass(inside.len() + 2);
                Some((Value(text), Some(inside)))
            }
            None => self.value().map(|value| (value, None)),
        }
    }

    /// Goes on so many bytes further, which the caller has read.
    pub(crate) fn pass(&mut self, bytes: usize) {
        self.strict.pass(bytes);
    }

    /// Whether nothing but whitespace comes.
    pub(crate) fn is_at_the_end(&mut self) -> bool {
        self.strict.peek().is_none()
    }

    /// The text from a place where [`Self::ahead`] was this, up to here.
    pub(crate) fn since(&self, ahead: &'a str) -> &'a str {
        &ahead[..ahead.len() - self.ahead().len()]
    }

    /// The text that is still to be read.
    pub(crate) fn ahead(&self) -> &'a str {
        &self.text[self.text.len() - self.strict.left()..]
    }

    /// Reads a string, quotes and all, and whether it is without escapes.
    fn string(&mut self) -> Option<(&'a str, bool)> {
        let text = self.ahead();
        self.strict.escapes = false;
        let read = self.strict.string();
        self.or_leniently(text, read)?;
        Some((self.since(text), read.is_some() && !self.strict.escapes))
    }

    /// Where the strict reader gave up: it may be JSON that not every reader takes.
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

/// What stands between the quotes of the string at the front of a text, if there is a string and it has no escapes.
/// Control characters in it, which JSON does not allow, are left to who reads what the string says.
pub(crate) fn long_string(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('"')?;
    let end = memchr::memchr2(b'"', b'\\', inside.as_bytes())?;
    (inside.as_bytes()[end] == b'"').then(|| &inside[..end])
}

/// How long the string at the front of a text is, quotes and all, if there is a string and it has no escapes.
pub(crate) fn plain_string_length(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('"')?.as_bytes();
    let end = scan::end_of_plain(inside)?;
    (inside[end] == b'"').then_some(end + 2)
}

/// How long the number at the front of a text is, if there is one that every reader takes.
pub(crate) fn number_length(text: &str) -> Option<usize> {
    let mut validator = Validator::new(text);
    validator.number()?;
    Some(text.len() - validator.left())
}
