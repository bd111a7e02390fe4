//! One record to put, and where in the input it stood.

use std::sync::Arc;

use kinesis_event_logger_core::hash_key;

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub place: Place,
    pub data: Vec<u8>,
    pub partition_key: Arc<str>,
    pub explicit_hash_key: Option<u128>,
    /// The number that decides the shard: the explicit hash key, or that of the partition key.
    pub hash_key: u128,
}

/// A partition key: shared by the records that have it, and hashed once.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub text: Arc<str>,
    pub hash_key: u128,
}

impl<Text: Into<Arc<str>>> From<Text> for Key {
    fn from(text: Text) -> Self {
        let text = text.into();
        Self { hash_key: hash_key(&text), text }
    }
}

/// Where in the input something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Counts the records of all inputs, from 0; those with errors too.
    pub offset: u64,
    /// Which input, counted from 0.
    pub input: usize,
    /// Its line, counted from 1; 0 where the input is not read by lines.
    pub line: u64,
}

impl Place {
    /// In words, given the inputs' names: `line 2 of stdin`.
    pub fn of(&self, names: &[String]) -> String {
        let name = names.get(self.input).map_or("the input", String::as_str);
        if self.line > 0 { format!("line {} of {name}", self.line) } else { name.to_owned() }
    }
}

impl Record {
    pub fn new(place: Place, data: Vec<u8>, key: Key, explicit_hash_key: Option<u128>) -> Self {
        let Key { text: partition_key, hash_key } = key;
        Self { place, data, partition_key, explicit_hash_key, hash_key: explicit_hash_key.unwrap_or(hash_key) }
    }

    /// What Kinesis counts: data and key, in bytes.
    pub fn size(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_key_is_the_md5_of_the_partition_key_or_what_is_given() {
        let place = Place { offset: 0, input: 0, line: 1 };
        let record = |explicit_hash_key| Record::new(place, vec![1, 2], "a".into(), explicit_hash_key);
        assert_eq!(record(None).hash_key, 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661);
        assert_eq!(record(None).size(), 3);
        assert_eq!(record(Some(7)).hash_key, 7);
    }
}
