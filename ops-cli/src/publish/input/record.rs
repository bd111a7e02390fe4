//! One record to put, and its position in the input.

use kinesis_event_logger_core::route::hash_key;

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub place: InputPosition,
    /// The data followed by the partition key: one allocation per record.
    bytes: Vec<u8>,
    key_bytes: u16,
    has_explicit_hash_key: bool,
    /// The number that determines the shard: the explicit hash key, or the hash of the partition key.
    pub hash_key: u128,
    /// The record on a stream that is sent again with this one, if it is one: its receipt names it.
    pub source: Option<Box<str>>,
}

/// A partition key, hashed once for all records that have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub text: String,
    pub hash_key: u128,
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self { hash_key: hash_key(&text), text }
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// A position in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InputPosition {
    /// The index among the records of all inputs, from 0. Rejected ones count.
    pub offset: u64,
    /// The index of the input, from 0.
    pub input: usize,
    /// The line, from 1; 0 if the input is not read by lines.
    pub line: u64,
}

impl InputPosition {
    /// Describes the position, given the names of the inputs: `line 2 of stdin`.
    pub fn of(&self, names: &[String]) -> String {
        let name = names.get(self.input).map_or("the input", String::as_str);
        if self.line > 0 { format!("line {} of {name}", self.line) } else { name.to_owned() }
    }
}

impl Record {
    /// The spare capacity that data should have, so that appending a usual key does not reallocate.
    pub const ROOM_FOR_KEY: usize = 32;

    pub fn new(place: InputPosition, mut data: Vec<u8>, key: &Key, explicit_hash_key: Option<u128>) -> Self {
        data.extend_from_slice(key.text.as_bytes());
        Self {
            place,
            bytes: data,
            // A key has at most 256 characters.
            key_bytes: key.text.len() as u16,
            has_explicit_hash_key: explicit_hash_key.is_some(),
            hash_key: explicit_hash_key.unwrap_or(key.hash_key),
            source: None,
        }
    }

    /// Marks the record as one that sends another again.
    #[must_use]
    pub fn sending_again(self, source: &str) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    pub fn data(&self) -> &[u8] {
        self.parts().0
    }

    pub fn partition_key(&self) -> &str {
        std::str::from_utf8(self.parts().1).expect("it was a text")
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        self.bytes.split_at(self.bytes.len() - usize::from(self.key_bytes))
    }

    pub fn explicit_hash_key(&self) -> Option<u128> {
        self.has_explicit_hash_key.then_some(self.hash_key)
    }

    /// The size that Kinesis counts: the bytes of data and key.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_key_is_the_explicit_one_or_the_md5_of_the_partition_key() {
        let place = InputPosition { offset: 0, input: 0, line: 1 };
        let record = |explicit_hash_key| Record::new(place, vec![1, 2], &"a".into(), explicit_hash_key);
        assert_eq!(record(None).hash_key, 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661);
        assert_eq!(record(None).size(), 3);
        assert_eq!((record(Some(7)).hash_key, record(Some(7)).explicit_hash_key()), (7, Some(7)));
        assert_eq!((record(None).data(), record(None).partition_key()), (&[1, 2][..], "a"));
    }
}
