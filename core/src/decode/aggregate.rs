//! Aggregates, as the Kinesis Producer Library (KPL) writes them: one record that contains many.
//!
//! The format (<https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md>) is four bytes of
//! magic number, a protobuf message, and the message's MD5. Like AWS's libraries, this module treats data that deviates
//! from the format as an ordinary record. The message is read in place, because a protobuf crate would build a value for
//! every record inside.

mod encode;
mod hash;
mod protobuf;

use md5::{Digest, Md5};
use thiserror::Error;

use protobuf::{Field, Fields, InvalidMessage};

pub use encode::{AggregateBuilder, AggregateError};

/// The magic number at the beginning of every aggregate.
pub const AGGREGATE_MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];

/// The length of the MD5 at the end, in bytes.
const DIGEST_BYTES: usize = 16;

/// The field numbers of the message.
mod tag {
    pub(super) const PARTITION_KEY: u32 = 1;
    pub(super) const EXPLICIT_HASH_KEY: u32 = 2;
    pub(super) const RECORD: u32 = 3;
    pub(super) const RECORD_PARTITION_KEY_INDEX: u32 = 1;
    pub(super) const RECORD_EXPLICIT_HASH_KEY_INDEX: u32 = 2;
    pub(super) const RECORD_DATA: u32 = 3;
}

/// An aggregate that was parsed from a record's data.
///
/// ```
/// use kinesis_event_logger_core::decode::{Aggregate, AggregateBuilder};
///
/// let mut builder = AggregateBuilder::new(1024);
/// builder.add("pk-a", None, b"hello")?;
/// builder.add("pk-b", None, b"world")?;
/// let data = builder.build();
///
/// let aggregate = Aggregate::parse(&data).unwrap();
/// let records: Vec<_> = aggregate.records().collect();
/// assert_eq!((records[1].sub_sequence_number, records[1].partition_key, records[1].data), (1, Some("pk-b"), b"world".as_slice()));
/// assert!(Aggregate::parse(b"hello").is_none());
/// # Ok::<_, kinesis_event_logger_core::decode::AggregateError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate<'a> {
    message: &'a [u8],
    partition_keys: Vec<&'a [u8]>,
    explicit_hash_keys: Vec<&'a [u8]>,
}

/// Data that is an aggregate if its digest is that of its message.
struct Candidate<'a> {
    message: &'a [u8],
    digest: &'a [u8; DIGEST_BYTES],
}

impl<'a> Candidate<'a> {
    fn of(data: &'a [u8]) -> Option<Self> {
        let (message, digest) = data.strip_prefix(&AGGREGATE_MAGIC)?.split_last_chunk()?;
        (!message.is_empty()).then_some(Self { message, digest })
    }
}

/// Whether the digest of each data is that of the aggregate in it. They are computed several at a time.
pub(super) fn verify(all: &[&[u8]]) -> Vec<bool> {
    let candidates: Vec<_> = all.iter().map(|data| Candidate::of(data)).collect();
    let messages: Vec<_> = candidates.iter().map(|it| it.as_ref().map_or(&[][..], |it| it.message)).collect();
    let hashes = hash::hashes(&messages);
    candidates.iter().zip(hashes).map(|(it, hash)| it.as_ref().is_some_and(|it| *it.digest == hash)).collect()
}

/// The number of aggregates that are worth verifying together.
pub(super) const VERIFIED_AT_ONCE: usize = hash::LANES;

/// One record of an aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubRecord<'a> {
    /// The record's index in the aggregate, from 0.
    pub sub_sequence_number: u64,
    /// The record's partition key.
    pub partition_key: Option<&'a str>,
    /// The record's explicit hash key, if it has one.
    pub explicit_hash_key: Option<&'a str>,
    /// The record's data.
    pub data: &'a [u8],
    /// The problem with the record's keys.
    pub problem: Option<SubRecordProblem>,
}

/// A problem with the keys of one record of an aggregate. The record's data is valid.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubRecordProblem {
    /// The aggregate does not have the key.
    #[error("the aggregate has {keys} {table}s, and no number {index}")]
    NoSuchKey {
        /// `partition key` or `explicit hash key`.
        table: &'static str,
        /// The key's index, from 0.
        index: u64,
        /// The number of keys in the aggregate.
        keys: usize,
    },
    /// The key is not text.
    #[error("the {table} is not UTF-8")]
    NotUtf8 {
        /// `partition key` or `explicit hash key`.
        table: &'static str,
    },
}

impl<'a> Aggregate<'a> {
    /// Parses an aggregate. Returns `None` if `data` is not an aggregate.
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        let candidate = Candidate::of(data)?;
        (Md5::digest(candidate.message)[..] == candidate.digest[..]).then_some(())?;
        Self::read(candidate.message).ok()
    }

    /// Parses an aggregate whose digest was verified. Returns `None` if its message is invalid.
    pub(super) fn parse_verified(data: &'a [u8]) -> Option<Self> {
        Self::read(Candidate::of(data)?.message).ok()
    }

    /// Reads the tables of keys, and validates every record.
    fn read(message: &'a [u8]) -> Result<Self, InvalidMessage> {
        let mut aggregate = Self { message, partition_keys: Vec::new(), explicit_hash_keys: Vec::new() };
        for field in Fields(message) {
            match field? {
                (tag::PARTITION_KEY, Field::Bytes(key)) => aggregate.partition_keys.push(key),
                (tag::EXPLICIT_HASH_KEY, Field::Bytes(key)) => aggregate.explicit_hash_keys.push(key),
                (tag::RECORD, Field::Bytes(record)) => {
                    RawRecord::read(record)?;
                }
                _ => {}
            }
        }
        Ok(aggregate)
    }

    /// Returns the records in order.
    pub fn records(&self) -> impl Iterator<Item = SubRecord<'a>> + use<'_, 'a> {
        let records = Fields(self.message).filter_map(|field| match field {
            Ok((tag::RECORD, Field::Bytes(record))) => RawRecord::read(record).ok(),
            _ => None,
        });
        records.zip(0..).map(|(record, number)| self.record(record, number))
    }

    fn record(&self, record: RawRecord<'a>, sub_sequence_number: u64) -> SubRecord<'a> {
        let partition_key = key("partition key", &self.partition_keys, record.partition_key_index);
        let explicit_hash_key = match record.explicit_hash_key_index {
            Some(index) => key("explicit hash key", &self.explicit_hash_keys, index).map(Some),
            None => Ok(None),
        };
        SubRecord {
            sub_sequence_number,
            data: record.data,
            problem: partition_key.clone().err().or_else(|| explicit_hash_key.clone().err()),
            partition_key: partition_key.ok(),
            explicit_hash_key: explicit_hash_key.ok().flatten(),
        }
    }
}

fn key<'a>(table: &'static str, keys: &[&'a [u8]], index: u64) -> Result<&'a str, SubRecordProblem> {
    let found = usize::try_from(index).ok().and_then(|index| keys.get(index));
    let key = found.ok_or(SubRecordProblem::NoSuchKey { table, index, keys: keys.len() })?;
    std::str::from_utf8(key).map_err(|_| SubRecordProblem::NotUtf8 { table })
}

/// A record of the message. Its keys are indexes into the tables.
struct RawRecord<'a> {
    partition_key_index: u64,
    explicit_hash_key_index: Option<u64>,
    data: &'a [u8],
}

impl<'a> RawRecord<'a> {
    fn read(record: &'a [u8]) -> Result<Self, InvalidMessage> {
        let (mut partition_key_index, mut explicit_hash_key_index, mut data) = (None, None, None);
        for field in Fields(record) {
            match field? {
                (tag::RECORD_PARTITION_KEY_INDEX, Field::Varint(index)) => partition_key_index = Some(index),
                (tag::RECORD_EXPLICIT_HASH_KEY_INDEX, Field::Varint(index)) => explicit_hash_key_index = Some(index),
                (tag::RECORD_DATA, Field::Bytes(bytes)) => data = Some(bytes),
                _ => {}
            }
        }
        Ok(Self {
            partition_key_index: partition_key_index.ok_or(InvalidMessage)?,
            explicit_hash_key_index,
            data: data.ok_or(InvalidMessage)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A message between magic number and MD5.
    fn aggregate_of(message: &[u8]) -> Vec<u8> {
        [&AGGREGATE_MAGIC, message, &Md5::digest(message)[..]].concat()
    }

    /// Partition key, explicit hash key, data and problem.
    type Read = (Option<String>, Option<String>, Vec<u8>, Option<String>);

    fn records(message: &[u8]) -> Option<Vec<Read>> {
        let data = aggregate_of(message);
        let aggregate = Aggregate::parse(&data)?;
        let owned = |key: Option<&str>| key.map(str::to_owned);
        let records = aggregate.records().map(|record| {
            let problem = record.problem.map(|problem| problem.to_string());
            (owned(record.partition_key), owned(record.explicit_hash_key), record.data.to_vec(), problem)
        });
        Some(records.collect())
    }

    #[test]
    fn an_invalid_key_index_affects_only_its_record() {
        let message = b"\x0a\x01k\x12\x017\x1a\x05\x08\x05\x1a\x01a\x1a\x07\x08\x00\x10\x01\x1a\x01b\x1a\x07\x08\x00\x10\x00\x1a\x01c\x1a\x05\x08\x00\x1a\x01d";
        let read = records(message).unwrap();
        let k = Some("k".to_owned());
        assert_eq!(
            read[0],
            (None, None, b"a".to_vec(), Some("the aggregate has 1 partition keys, and no number 5".to_owned()))
        );
        assert_eq!(
            read[1],
            (
                k.clone(),
                None,
                b"b".to_vec(),
                Some("the aggregate has 1 explicit hash keys, and no number 1".to_owned())
            )
        );
        assert_eq!(read[2], (k.clone(), Some("7".to_owned()), b"c".to_vec(), None));
        // An index that is not set is not index 0.
        assert_eq!(read[3], (k, None, b"d".to_vec(), None));
    }

    #[test]
    fn tables_may_follow_records_and_unknown_fields_are_skipped() {
        let message = b"\x1a\x0d\x22\x03\x0a\x01t\x08\x00\x1a\x01a\x30\x01\x15\x00\x00\x00\x00\x0a\x01k";
        let message = [&message[..], b"\x19\x00\x00\x00\x00\x00\x00\x00\x00"].concat();
        assert!(records(&message).is_none(), "the record's length is 13 bytes, but it has 12");
        let message = b"\x1a\x0c\x22\x03\x0a\x01t\x08\x00\x1a\x01a\x30\x01\x15\x00\x00\x00\x00\x0a\x01k\x31\x00\x00\x00\x00\x00\x00\x00\x00";
        assert_eq!(records(message).unwrap(), [(Some("k".to_owned()), None, b"a".to_vec(), None)]);
        let message = b"\x0a\x01\xff\x1a\x05\x08\x00\x1a\x01a";
        assert_eq!(records(message).unwrap()[0].3.as_deref(), Some("the partition key is not UTF-8"));
    }

    #[test]
    fn parse_returns_none_for_data_that_deviates_from_the_format() {
        let good = aggregate_of(b"\x0a\x01k\x1a\x05\x08\x00\x1a\x01a");
        assert!(Aggregate::parse(&good).is_some());
        assert!(Aggregate::parse(&aggregate_of(b"")).is_none());
        assert!(Aggregate::parse(&good[..good.len() - 1]).is_none());
        assert!(Aggregate::parse(&good[1..]).is_none());
        for message in [
            &b"\x1a\x03\x1a\x01a"[..],                       // no partition key index
            b"\x1a\x02\x08\x00",                             // no data
            b"\x1a\x7f\x08",                                 // a length beyond the end
            b"\x00",                                         // field number 0
            b"\x0f",                                         // wire type 7
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", // a varint of more than 64 bits
            b"\x0d\x00\x00",                                 // half a fixed32
        ] {
            assert!(Aggregate::parse(&aggregate_of(message)).is_none(), "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn a_flipped_bit_makes_the_data_no_aggregate(at: prop::sample::Index, bit in 0_u32..8) {
            let mut data = aggregate_of(b"\x0a\x01k\x1a\x05\x08\x00\x1a\x01a");
            let at = at.index(data.len());
            data[at] ^= 1_u8 << bit;
            prop_assert!(Aggregate::parse(&data).is_none());
        }

        #[test]
        fn any_message_is_read_to_its_end(message in prop::collection::vec(prop_oneof![0_u8..40, any::<u8>()], 0..60)) {
            let data = aggregate_of(&message);
            if let Some(aggregate) = Aggregate::parse(&data) {
                prop_assert!(aggregate.records().count() <= message.len());
            }
        }
    }
}
