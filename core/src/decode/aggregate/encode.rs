//! Builds aggregates that are byte for byte the same as those of AWS's library (`aws-kinesis-agg` on PyPI).

use std::collections::HashMap;

use md5::{Digest, Md5};
use thiserror::Error;

use super::protobuf::{push_bytes_field, push_length, push_varint_field, varint_length};
use super::{AGGREGATE_MAGIC, DIGEST_BYTES, tag};

/// The reason why a record was not added to an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AggregateError {
    /// The record is too large for an empty aggregate.
    #[error("a record of {bytes} bytes does not fit in an aggregate of {max_bytes}")]
    TooLarge {
        /// The length of an aggregate with only this record, in bytes.
        bytes: usize,
        /// The largest length of the aggregate, in bytes.
        max_bytes: usize,
    },
    /// The record does not fit any more. Build this aggregate, and add the record to the next.
    #[error("the aggregate is full")]
    Full,
}

/// Builds one aggregate from many records.
///
/// All records go to the shard of the aggregate. Put it with the partition key of any of its records or, like the KPL, with
/// the key `a` and an explicit hash key of the shard. A single record is better put without an aggregate.
#[derive(Debug, Clone)]
pub struct AggregateBuilder {
    max_bytes: usize,
    partition_keys: Table,
    explicit_hash_keys: Table,
    records: Vec<u8>,
    count: usize,
}

/// A table of keys. Records refer to a key by its index.
#[derive(Debug, Clone, Default)]
struct Table {
    indexes: HashMap<String, u64>,
    /// The encoded fields of the table.
    fields: Vec<u8>,
}

/// The index of a key in a table.
struct Index {
    number: u64,
    is_new: bool,
}

impl Table {
    /// Returns the index that a key has, or would get.
    fn index(&self, key: &str) -> Index {
        match self.indexes.get(key) {
            Some(number) => Index { number: *number, is_new: false },
            None => Index { number: self.indexes.len() as u64, is_new: true },
        }
    }

    fn add(&mut self, field: u32, key: &str, index: &Index) {
        if index.is_new {
            self.indexes.insert(key.to_owned(), index.number);
            push_bytes_field(&mut self.fields, field, key.as_bytes());
        }
    }
}

impl Index {
    /// Returns the number of bytes by which the table grows with this key.
    fn growth(&self, key: &str) -> usize {
        if self.is_new { field_bytes(key.len()) } else { 0 }
    }
}

/// Returns the encoded length of a field with a value of `length` bytes: tag, length, value.
fn field_bytes(length: usize) -> usize {
    1 + varint_length(length as u64) + length
}

impl AggregateBuilder {
    /// Creates an empty aggregate of at most `max_bytes` bytes, including magic number and MD5. Unless configured
    /// otherwise, a stream accepts records of [`RECORD_BYTES`](crate::limits::RECORD_BYTES), including their partition key.
    pub fn new(max_bytes: usize) -> Self {
        let (partition_keys, explicit_hash_keys) = (Table::default(), Table::default());
        Self { max_bytes, partition_keys, explicit_hash_keys, records: Vec::new(), count: 0 }
    }

    /// Adds a record. An empty explicit hash key counts as none.
    ///
    /// # Errors
    /// Returns an [`AggregateError`], and leaves the aggregate unchanged, if the record does not fit.
    pub fn add(
        &mut self,
        partition_key: &str,
        explicit_hash_key: Option<&str>,
        data: &[u8],
    ) -> Result<(), AggregateError> {
        let explicit_hash_key = explicit_hash_key.filter(|key| !key.is_empty());
        let explicit_hash_key = explicit_hash_key.map(|key| (key, self.explicit_hash_keys.index(key)));
        let index = self.partition_keys.index(partition_key);
        let record_bytes = 1
            + varint_length(index.number)
            + explicit_hash_key.as_ref().map_or(0, |(_, index)| 1 + varint_length(index.number))
            + field_bytes(data.len());
        let bytes = index.growth(partition_key)
            + explicit_hash_key.as_ref().map_or(0, |(key, index)| index.growth(key))
            + field_bytes(record_bytes);
        if self.len_bytes() + bytes > self.max_bytes {
            return Err(self.error(partition_key, explicit_hash_key.map(|(key, _)| key), data));
        }
        self.partition_keys.add(tag::PARTITION_KEY, partition_key, &index);
        push_length(&mut self.records, tag::RECORD, record_bytes);
        push_varint_field(&mut self.records, tag::RECORD_PARTITION_KEY_INDEX, index.number);
        if let Some((key, index)) = explicit_hash_key {
            self.explicit_hash_keys.add(tag::EXPLICIT_HASH_KEY, key, &index);
            push_varint_field(&mut self.records, tag::RECORD_EXPLICIT_HASH_KEY_INDEX, index.number);
        }
        push_bytes_field(&mut self.records, tag::RECORD_DATA, data);
        self.count += 1;
        Ok(())
    }

    /// Returns the reason why a record does not fit.
    fn error(&self, partition_key: &str, explicit_hash_key: Option<&str>, data: &[u8]) -> AggregateError {
        let keys = field_bytes(partition_key.len()) + explicit_hash_key.map_or(0, |key| field_bytes(key.len()));
        let indexes = 2 + explicit_hash_key.map_or(0, |_| 2);
        let bytes = AGGREGATE_MAGIC.len() + keys + field_bytes(indexes + field_bytes(data.len())) + DIGEST_BYTES;
        if bytes > self.max_bytes {
            AggregateError::TooLarge { bytes, max_bytes: self.max_bytes }
        } else {
            AggregateError::Full
        }
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether the aggregate is empty.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The length of the aggregate, in bytes.
    pub fn len_bytes(&self) -> usize {
        let message = self.partition_keys.fields.len() + self.explicit_hash_keys.fields.len() + self.records.len();
        AGGREGATE_MAGIC.len() + message + DIGEST_BYTES
    }

    /// Returns the aggregate as the data of a record, and empties the builder.
    pub fn build(&mut self) -> Vec<u8> {
        let mut data = Vec::with_capacity(self.len_bytes());
        data.extend_from_slice(&AGGREGATE_MAGIC);
        data.extend_from_slice(&self.partition_keys.fields);
        data.extend_from_slice(&self.explicit_hash_keys.fields);
        data.extend_from_slice(&self.records);
        let digest = Md5::digest(&data[AGGREGATE_MAGIC.len()..]);
        data.extend_from_slice(&digest);
        *self = Self::new(self.max_bytes);
        data
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Aggregate;
    use super::*;

    fn built(records: &[(&str, Option<&str>, &[u8])]) -> String {
        let mut builder = AggregateBuilder::new(1 << 20);
        for (partition_key, explicit_hash_key, data) in records {
            builder.add(partition_key, *explicit_hash_key, data).unwrap();
        }
        let length = builder.len_bytes();
        let data = builder.build();
        assert_eq!((data.len(), builder.is_empty()), (length, true));
        base64_simd::STANDARD.encode_to_string(data)
    }

    #[test]
    fn built_aggregates_equal_those_of_the_aws_library() {
        for (records, expected) in VECTORS {
            assert_eq!(built(records), *expected);
        }
        let long = "x".repeat(300);
        assert_eq!(built(&[(&long, None, long.as_bytes())]), LONG);
    }

    type Vector = (&'static [(&'static str, Option<&'static str>, &'static [u8])], &'static str);

    /// Built by `aws-kinesis-agg` 1.2.3: `RecordAggregator().add_user_record(key, data, hash_key)`, `clear_and_get()`.
    const VECTORS: &[Vector] = &[
        (
            &[("pk-a", None, b"hello"), ("pk-b", None, b"world")],
            "84mawgoEcGstYQoEcGstYhoJCAAaBWhlbGxvGgkIARoFd29ybGRkyOI49Vm4v3rGmD9fHJq1",
        ),
        (&[("a", None, b"")], "84mawgoBYRoECAAaAN9EM4XPcJcEGOuQRHOK2JE="),
        (
            &[
                ("a", Some("0"), b"1"),
                ("b", Some("340282366920938463463374607431768211455"), b"2"),
                ("a", None, b"3"),
                ("b", Some("0"), b"\x00\xff"),
            ],
            "84mawgoBYQoBYhIBMBInMzQwMjgyMzY2OTIwOTM4NDYzNDYzMzc0NjA3NDMxNzY4MjExNDU1GgcIABAAGgExGgcIARABGgEyGgUIABoBMxoICAEQABoCAP/NqxzXYaDWPv0lYIvROM6l",
        ),
        (
            &[("é", Some(""), b"{}"), ("漢字", Some("7"), b"x"), ("é", Some("7"), b"y")],
            "84mawgoCw6kKBua8ouWtlxIBNxoGCAAaAnt9GgcIARAAGgF4GgcIABAAGgF5LT53GJK6ldviBXm83S8INw==",
        ),
    ];

    /// One record of 300 bytes with a key of 300 bytes, whose lengths need two bytes.
    const LONG: &str = "84mawgqsAnh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eBqxAggAGqwCeHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4y5AyEOonKJEuES4J1UfMLQ==";

    #[test]
    fn a_full_aggregate_rejects_a_record_and_keeps_the_others() {
        let mut builder = AggregateBuilder::new(60);
        builder.add("k", None, b"0123456789").unwrap();
        assert_eq!(builder.add("k", None, &[b'x'; 100]), Err(AggregateError::TooLarge { bytes: 129, max_bytes: 60 }));
        builder.add("k", None, b"01").unwrap();
        let before = builder.len_bytes();
        assert_eq!(builder.add("another", None, b"0123456789"), Err(AggregateError::Full));
        assert_eq!(builder.len_bytes(), before);
        let data = builder.build();
        assert_eq!((data.len(), Aggregate::parse(&data).unwrap().records().count()), (before, 2));
    }

    proptest! {
        #[test]
        fn a_built_aggregate_parses_to_its_records(records in prop::collection::vec(("[a-cé]{0,2}", prop::option::of("[0-9]{1,3}"), prop::collection::vec(any::<u8>(), 0..200)), 1..20)) {
            let mut builder = AggregateBuilder::new(1 << 20);
            for (partition_key, explicit_hash_key, data) in &records {
                builder.add(partition_key, explicit_hash_key.as_deref(), data).unwrap();
            }
            let data = builder.build();
            let aggregate = Aggregate::parse(&data).unwrap();
            let read: Vec<_> = aggregate.records().map(|record| {
                assert_eq!(record.problem, None);
                (record.partition_key.unwrap().to_owned(), record.explicit_hash_key.map(str::to_owned), record.data.to_vec())
            }).collect();
            prop_assert_eq!(read, records);
        }
    }
}
