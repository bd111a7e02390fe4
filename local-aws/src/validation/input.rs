//! A request's input before its types are validated.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A value in any of the encodings. Members keep the order of the request.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Null,
    Bool(bool),
    Integer(i64),
    /// Includes integers that do not fit into an `i64`.
    Float(f64),
    Text(String),
    /// Only CBOR has byte strings.
    Bytes(Vec<u8>),
    List(Vec<Input>),
    /// A structure or a map.
    Structure(Vec<(String, Input)>),
}

/// Converts the value to JSON: bytes become base64.
impl From<Input> for Value {
    fn from(input: Input) -> Self {
        match input {
            Input::Null => Self::Null,
            Input::Bool(flag) => flag.into(),
            Input::Integer(number) => number.into(),
            Input::Float(number) => number.into(),
            Input::Text(text) => text.into(),
            Input::Bytes(bytes) => base64_simd::STANDARD.encode_to_string(bytes).into(),
            Input::List(items) => items.into_iter().map(Self::from).collect(),
            Input::Structure(members) => members.into_iter().map(|(name, value)| (name, Self::from(value))).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InputVisitor)
    }
}

struct InputVisitor;

impl<'de> Visitor<'de> for InputVisitor {
    type Value = Input;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Input, E> {
        Ok(Input::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Input, E> {
        Ok(Input::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Input, E> {
        Ok(Input::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Input, E> {
        Ok(i64::try_from(number).map_or(Input::Float(number as f64), Input::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Input, E> {
        Ok(Input::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Input, E> {
        Ok(Input::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Input, E> {
        Ok(Input::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Input, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Input::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Input, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = entries.next_entry()? {
            members.push(member);
        }
        Ok(Input::Structure(members))
    }
}
