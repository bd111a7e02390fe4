//! JSON pointers (RFC 6901): finds one value in a JSON text.
//!
//! ```
//! use kinesis_event_logger_core::pointer::Pointer;
//!
//! let pointer: Pointer = "/user/id".parse()?;
//! assert_eq!(pointer.find(br#"{"user":{"id":20000000000000000001}}"#)?, Some("20000000000000000001"));
//! assert_eq!(pointer.find(b"{}")?, None);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

/// A JSON pointer with at least one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The tokens, unescaped.
    tokens: Vec<String>,
}

/// The reason why a text is not a JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PointerError {
    /// The text does not begin with a slash.
    #[error("{text:?} is not a JSON pointer: it must begin with a slash, as in /user/id (RFC 6901)")]
    NoSlash {
        /// The text.
        text: String,
    },
    /// The text has a `~` that is neither `~0` nor `~1`.
    #[error("{text:?} is not a JSON pointer: ~ must be followed by 0 or 1 (RFC 6901)")]
    Tilde {
        /// The text.
        text: String,
    },
}

/// The error for a text that is not JSON.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the text is not valid JSON: {reason}")]
pub struct InvalidJson {
    /// The parser's message.
    pub reason: String,
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        let tokens = text.strip_prefix('/').ok_or_else(|| PointerError::NoSlash { text: text.to_owned() })?;
        let tokens: Option<_> = tokens.split('/').map(unescape).collect();
        tokens.map(|tokens| Self { tokens }).ok_or_else(|| PointerError::Tilde { text: text.to_owned() })
    }
}

/// Resolves `~1` and `~0` in a token.
fn unescape(token: &str) -> Option<String> {
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

impl Pointer {
    /// Returns the tokens, unescaped.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Returns the value that the pointer names, as it is written, so that a number keeps its digits. Returns `None` if
    /// there is no such value. Of members with the same name, the last counts. The text is read once.
    ///
    /// # Errors
    /// Returns [`InvalidJson`] if the text is not JSON.
    pub fn find<'j>(&self, json: &'j [u8]) -> Result<Option<&'j str>, InvalidJson> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let found = At(&self.tokens).deserialize(&mut reader).and_then(|found| reader.end().map(|()| found));
        // A number out of range on the way to a member is an error of the parser, but it is valid JSON without members.
        let found = found.or_else(|error| serde_json::from_slice::<IgnoredAny>(json).map(|_| None).map_err(|_| error));
        found.map(|found| found.map(RawValue::get)).map_err(|error| InvalidJson { reason: error.to_string() })
    }
}

/// Deserializes the value at some tokens.
struct At<'p>(&'p [String]);

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        match self.0 {
            [] => serde::Deserialize::deserialize(reader).map(Some),
            [token, rest @ ..] => reader.deserialize_any(Below { token, rest }),
        }
    }
}

/// Finds a member or an element, and in it the rest of the tokens.
struct Below<'p> {
    token: &'p str,
    rest: &'p [String],
}

impl<'de> Visitor<'de> for Below<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(Name(name)) = map.next_key()? {
            if name == self.token {
                found = map.next_value_seed(At(self.rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let is_number = self.token == "0" || !self.token.starts_with(['0', '+']);
        let index = self.token.parse().ok().filter(|_| is_number).unwrap_or(usize::MAX);
        let mut before = 0;
        while before < index && elements.next_element::<IgnoredAny>()?.is_some() {
            before += 1;
        }
        let found = elements.next_element_seed(At(self.rest))?.flatten();
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// A member's name, borrowed if it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn pointer_of(text: &str) -> Pointer {
        text.parse().unwrap()
    }

    #[test]
    fn texts_that_are_not_pointers_are_rejected() {
        let error = |text: &str| text.parse::<Pointer>().unwrap_err();
        assert_eq!(error("a/b"), PointerError::NoSlash { text: "a/b".to_owned() });
        assert_eq!(error(""), PointerError::NoSlash { text: String::new() });
        for text in ["/a~2", "/~", "/a/~x"] {
            assert_eq!(error(text), PointerError::Tilde { text: text.to_owned() });
        }
    }

    #[test]
    fn find_agrees_with_serde_json() {
        let json = r#"{"a":{"b":[1,{"c":"x"},null]},"a~b/c":true,"":0,"\u0061":{"b":[7]},"t":"s","n":-1.5}"#;
        let value: Value = serde_json::from_str(json).unwrap();
        for pointer in [
            "/a", "/a/b/0", "/a/b/1/c", "/a/b/2", "/a/b/00", "/a/b/+0", "/a~0b~1c", "/", "/t/x", "/n/0", "/z", "/a/b/9",
        ] {
            let found = pointer_of(pointer).find(json.as_bytes()).unwrap();
            let found = found.map(|raw| serde_json::from_str::<Value>(raw).unwrap());
            assert_eq!(found.as_ref(), value.pointer(pointer), "{pointer}");
        }
        for wrong in ["{", r#"{"a":1} x"#, r#"{"a":1,}"#, r#"{"a":1e}"#, r#"{"a":01}"#] {
            assert!(pointer_of("/a").find(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_number_out_of_range_has_no_members() {
        assert_eq!(pointer_of("/a/b").find(br#"{"a":1e400}"#).unwrap(), None);
        assert_eq!(pointer_of("/a").find(b"1e400").unwrap(), None);
    }

    proptest! {
        #[test]
        fn a_number_keeps_its_digits(number in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,5})?") {
            let json = format!(r#"{{"a":[{{"b": {number} }}],"other":{number}}}"#);
            prop_assert_eq!(pointer_of("/a/0/b").find(json.as_bytes()).unwrap(), Some(number.as_str()));
        }
    }
}
