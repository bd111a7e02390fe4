//! Finds the shard of a record by its hash key, and compares and parses sequence numbers.
//!
//! ```
//! use kinesis_event_logger_core::route::{hash_key, shard_index};
//!
//! let half = u128::MAX / 2;
//! let shards = [("shardId-000000000000", 0..=half), ("shardId-000000000001", half + 1..=u128::MAX)];
//! assert_eq!(shard_index(hash_key("user-1"), &shards, |(_, hash_keys)| hash_keys), Some(1));
//! ```
//!
//! A record goes to the shard whose range contains its hash key. The hash key is the record's explicit hash key, or else
//! the MD5 of its partition key as a 128-bit number
//! (<https://docs.aws.amazon.com/streams/latest/dev/key-concepts.html#partition-key>).

mod sequence;

use std::ops::RangeInclusive;

use md5::{Digest, Md5};
use thiserror::Error;

use crate::limits::EXPLICIT_HASH_KEY_DIGITS;

pub use sequence::{InvalidSequenceNumber, SecondsOutOfRange, SequenceNumber, SequenceParts};

/// Returns the hash key of a partition key.
///
/// ```
/// use kinesis_event_logger_core::route::hash_key;
///
/// assert_eq!(hash_key("a"), 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661);
/// ```
pub fn hash_key(partition_key: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(partition_key).into())
}

/// The error for a text that is not a hash key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a hash key is a decimal number below 2^128, without sign or leading zeros")]
pub struct InvalidHashKey;

/// Parses an explicit hash key, or an end of a shard's range.
///
/// # Errors
/// Returns [`InvalidHashKey`] unless the text matches `0|([1-9]\d{0,38})` and is below 2^128 (Kinesis API, `PutRecord`).
pub fn parse_hash_key(text: &str) -> Result<u128, InvalidHashKey> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= EXPLICIT_HASH_KEY_DIGITS;
    if !digits || text.len() > 1 && text.starts_with('0') {
        return Err(InvalidHashKey);
    }
    text.parse().map_err(|_| InvalidHashKey)
}

/// Returns the index of the shard whose range contains a hash key, or `None` if no range does.
///
/// `shards` are the *open* shards of a stream in the order of their hash keys, and `hash_keys` returns a shard's range, from
/// `StartingHashKey` to `EndingHashKey` of `ListShards`.
pub fn shard_index<T>(hash_key: u128, shards: &[T], hash_keys: impl Fn(&T) -> &RangeInclusive<u128>) -> Option<usize> {
    let index = shards.partition_point(|shard| *hash_keys(shard).end() < hash_key);
    shards.get(index).is_some_and(|shard| hash_keys(shard).contains(&hash_key)).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_key_is_the_md5_as_a_number() {
        // `printf '' | md5sum`, `printf 'é' | md5sum`
        assert_eq!(hash_key(""), 0xd41d_8cd9_8f00_b204_e980_0998_ecf8_427e);
        assert_eq!(hash_key("é"), 0x66dd_cd97_cfde_abb2_f6fb_8a99_9b4b_c76f);
    }

    #[test]
    fn parse_hash_key_accepts_what_kinesis_accepts() {
        assert_eq!(parse_hash_key("0"), Ok(0));
        assert_eq!(parse_hash_key("340282366920938463463374607431768211455"), Ok(u128::MAX));
        for text in
            ["", "00", "01", "+1", "-1", "1 ", "x", "340282366920938463463374607431768211456", "1".repeat(40).as_str()]
        {
            assert_eq!(parse_hash_key(text), Err(InvalidHashKey), "{text}");
        }
    }

    #[test]
    fn a_range_includes_both_ends() {
        let shards = [0..=9, 10..=20];
        let found = [0, 9, 10, 20, 21].map(|key| shard_index(key, &shards, |hash_keys| hash_keys));
        assert_eq!(found, [Some(0), Some(0), Some(1), Some(1), None]);
    }
}
