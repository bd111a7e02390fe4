//! The partition key of each record.

use super::encoding::{advice, of_wide_ascii, without_mark};
use super::record::Key;
use crate::error::{Error, Result};
use kinesis_event_logger_core::limits;
use kinesis_event_logger_core::pointer::Pointer;
use kinesis_event_logger_core::route::{hash_key, parse_hash_key};

/// Records that share a random key with `--aggregate`. An aggregate contains each of its keys, so that one key per record
/// would cost much and spread the records no better.
const AGGREGATED_RECORDS: u32 = 50;

/// The source of partition keys, and the hash key that overrides them.
#[derive(Debug)]
pub struct Keys {
    kind: KeySource,
    /// The last key.
    key: Key,
    pub explicit_hash_key: Option<u128>,
}

#[derive(Debug)]
enum KeySource {
    /// A new key after this many records, which spreads them over the shards.
    Random {
        every: u32,
        left: u32,
        generator: fastrand::Rng,
    },
    Text,
    /// The value at a JSON pointer (RFC 6901) in each record.
    Field {
        text: String,
        pointer: Pointer,
    },
}

/// The options that determine keys, as on the command line.
#[derive(Debug, Clone, Copy)]
pub struct KeyOptions<'a> {
    pub key: Option<&'a str>,
    pub field: Option<&'a str>,
    pub hash_key: Option<&'a str>,
    pub is_aggregating: bool,
}

impl Keys {
    pub fn new(options: KeyOptions<'_>) -> Result<Self> {
        let kind = match (options.key, options.field) {
            (Some(key), _) => {
                check(key).map_err(|reason| Error::usage(format!("--key {reason}")))?;
                KeySource::Text
            }
            (None, Some(text)) => {
                let pointer = text.parse().map_err(|error| Error::usage(format!("--key-field: {error}")))?;
                KeySource::Field { text: text.to_owned(), pointer }
            }
            (None, None) => random(if options.is_aggregating { AGGREGATED_RECORDS } else { 1 }),
        };
        let hash_key = options.hash_key.map(parse_hash_key).transpose();
        let explicit_hash_key = hash_key.map_err(|reason| Error::usage(format!("--hash-key: {reason}")))?;
        let key = options.key.unwrap_or_default().into();
        Ok(Self { kind, key, explicit_hash_key })
    }

    /// Uses one key for all records.
    pub fn fixed(key: &str) -> Self {
        Self { kind: KeySource::Text, key: key.into(), explicit_hash_key: None }
    }

    /// Uses a random key for each record.
    pub fn random() -> Self {
        Self { kind: random(1), key: "".into(), explicit_hash_key: None }
    }

    /// Returns the key of a record whose data was not read completely; `None` if the key depends on the data.
    pub fn without_data(&mut self) -> Option<&Key> {
        if matches!(self.kind, KeySource::Field { .. }) { None } else { self.of(b"").ok() }
    }

    /// Returns the key of a record with this data.
    ///
    /// # Errors
    /// The reason why the data has no valid key.
    pub fn of(&mut self, data: &[u8]) -> Result<&Key, String> {
        match &mut self.kind {
            KeySource::Random { left, .. } if *left > 0 => *left -= 1,
            KeySource::Random { every, left, generator } => {
                *left = *every - 1;
                self.key.text.clear();
                push_hexadecimal(&mut self.key.text, generator.u64(..));
                self.key.hash_key = hash_key(&self.key.text);
            }
            KeySource::Text => {}
            KeySource::Field { text, pointer } => self.key = field(data, text, pointer)?.into(),
        }
        Ok(&self.key)
    }
}

fn random(every: u32) -> KeySource {
    KeySource::Random { every, left: 0, generator: fastrand::Rng::new() }
}

fn push_hexadecimal(text: &mut String, number: u64) {
    let digit = |place: u32| char::from(b"0123456789abcdef"[(number >> (place * 4)) as usize & 15]);
    text.extend((0..16).rev().map(digit));
}

fn field(data: &[u8], name: &str, pointer: &Pointer) -> Result<String, String> {
    let found = pointer.find(without_mark(data)).map_err(|error| match of_wide_ascii(data) {
        Some(encoding) => format!("is not JSON: {}", advice(encoding)),
        None => format!("is not valid JSON: {}", error.reason),
    })?;
    let key = match found {
        None => return Err(format!("has no field {name}")),
        Some(text) if text.starts_with('"') => {
            serde_json::from_str(text).map_err(|error| format!("has in {name} a text that is not Unicode: {error}"))?
        }
        Some(other) if other.starts_with(['{', '[', 'n']) => {
            return Err(format!("has no text or number in {name}"));
        }
        // The digits of a number are the key as they are written. Parsing could round it.
        Some(literal) => literal.to_owned(),
    };
    check(&key).map_err(|reason| format!("has in {name} a key that {reason}"))?;
    Ok(key)
}

/// Checks that a text can be a partition key.
pub fn check(key: &str) -> Result<(), String> {
    let chars = key.chars().count();
    if limits::PARTITION_KEY_CHARS.contains(&chars) {
        return Ok(());
    }
    Err(format!("has {chars} characters, a partition key has 1 to {}", limits::PARTITION_KEY_CHARS.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_empty_or_too_long_are_rejected() {
        assert!(check(&"é".repeat(256)).is_ok());
        assert!(check(&"é".repeat(257)).is_err());
        assert!(check("").is_err());
    }

    #[test]
    fn random_keys_differ_and_are_hexadecimal() {
        let mut text = String::new();
        push_hexadecimal(&mut text, 0x0123_4567_89ab_cdef);
        assert_eq!(text, "0123456789abcdef");
        let mut keys = Keys { kind: random(2), ..Keys::random() };
        let keys: Vec<_> = (0..6).map(|_| keys.of(b"").unwrap().clone()).collect();
        assert!(keys[0] == keys[1] && keys[1] != keys[2] && keys[2] == keys[3] && keys[3] != keys[4]);
        assert_eq!((keys[0].text.len(), keys[0].hash_key), (16, hash_key(&keys[0].text)));
    }

    #[test]
    fn a_key_field_must_be_text_or_a_number() {
        let of = |data: &str| field(data.as_bytes(), "/user/id", &"/user/id".parse().unwrap());
        assert_eq!(of(r#"{"user":{"id":"u-1"}}"#).unwrap(), "u-1");
        assert_eq!(of(r#"{"user":{"id":42}}"#).unwrap(), "42");
        assert_eq!(of(r#"{"user":{}}"#).unwrap_err(), "has no field /user/id");
        assert_eq!(of(r#"{"user":{"id":null}}"#).unwrap_err(), "has no text or number in /user/id");
        assert!(of(r#"{"user":{"id":""}}"#).unwrap_err().contains("has 0 characters"));
        assert!(of("{").unwrap_err().starts_with("is not valid JSON"));
        assert_eq!(of("\u{feff}{\"user\":{\"id\":\"u-1\"}}").unwrap(), "u-1");
        assert!(
            of(r#"{"user":{"id":"\ud800"}}"#).unwrap_err().starts_with("has in /user/id a text that is not Unicode")
        );
        let utf_16: Vec<u8> = r#"{"user":1}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(field(&utf_16, "/user", &"/user".parse().unwrap()).unwrap_err().contains("iconv -f UTF-16"));
    }

    #[test]
    fn the_digits_of_a_number_are_the_key() {
        for digits in ["20000000000000000001", "20000000000000000002", "1e2", "0.1000", "1e400", "-0", "1E+2", "-1.50"]
        {
            let data = format!("{{\"id\": {digits} }}");
            assert_eq!(field(data.as_bytes(), "/id", &"/id".parse().unwrap()).unwrap(), digits);
        }
    }
}
