//! One value out of a JSON text, by a JSON pointer (RFC 6901): the text is read through once, and nothing else of it kept.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The value that a pointer names, as it is written: a number keeps its digits. `None` if the text has none there. Of
/// members of one name the last counts.
///
/// # Errors
/// The text is not JSON.
pub fn find<'j>(json: &'j [u8], tokens: &[String]) -> serde_json::Result<Option<&'j str>> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let found = At(tokens).deserialize(&mut reader).and_then(|found| reader.end().map(|()| found));
    // A number on the way to a member is an error if it is out of range: but it is valid JSON, and has no members.
    let found = found.or_else(|error| serde_json::from_slice::<IgnoredAny>(json).map(|_| None).map_err(|_| error));
    found.map(|found| found.map(RawValue::get))
}

/// The pointer's parts, unescaped.
pub fn tokens(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect()
}

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

/// Looks for a member or an element, and below it for the rest.
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

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// A member's name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_a_pointer_names_is_what_serde_json_finds() {
        let json = r#"{"a":{"b":[1,{"c":"x"},null]},"a~b/c":true,"":0,"\u0061":{"b":[7]},"t":"s","n":-1.5}"#;
        let value: Value = serde_json::from_str(json).unwrap();
        for pointer in [
            "/a", "/a/b/0", "/a/b/1/c", "/a/b/2", "/a/b/00", "/a/b/+0", "/a~0b~1c", "/", "/t/x", "/n/0", "/z", "/a/b/9",
        ] {
            let found = find(json.as_bytes(), &tokens(pointer)).unwrap();
            let found = found.map(|raw| serde_json::from_str::<Value>(raw).unwrap());
            assert_eq!(found.as_ref(), value.pointer(pointer), "{pointer}");
        }
        for wrong in ["{", r#"{"a":1} x"#, r#"{"a":1,}"#, r#"{"a":1e}"#, r#"{"a":01}"#] {
            assert!(find(wrong.as_bytes(), &tokens("/a")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_number_out_of_range_has_no_members() {
        assert_eq!(find(br#"{"a":1e400}"#, &tokens("/a/b")).unwrap(), None);
        assert_eq!(find(b"1e400", &tokens("/a")).unwrap(), None);
    }

    proptest! {
        #[test]
        fn a_number_keeps_its_digits(number in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,5})?") {
            let json = format!(r#"{{"a":[{{"b": {number} }}],"other":{number}}}"#);
            prop_assert_eq!(find(json.as_bytes(), &tokens("/a/0/b")).unwrap(), Some(number.as_str()));
        }
    }
}
