//! Writes the sequence numbers of one shard quickly, because a put needs one for each record. `core::route` documents
//! their parts and parses them.

use std::fmt;

use kinesis_event_logger_core::SequenceNumber;
use serde::{Serialize, Serializer};

/// The decimal digits of a sequence number. All numbers from 2·16^46 to below 3·16^46 have the same count.
const DIGITS: usize = 56;

/// The common part of all sequence numbers of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardSequence {
    /// When the shard was created, in epoch seconds: below 2^36.
    pub created_seconds: u64,
    /// The shard's index: the number in `shardId-000000000006`.
    pub index: u32,
}

/// A sequence number in decimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SequenceText([u8; DIGITS]);

impl ShardSequence {
    /// The number of the shard's record with this counter, put at `put_seconds`.
    pub fn number(self, counter: u64, put_seconds: u64) -> SequenceText {
        const SECONDS: u64 = (1 << 36) - 1;
        // 47 hexadecimal digits: 2, created 9, index 1, counter 16, 00, put 9, index 8, 2.
        let high = (2 << 40) | ((self.created_seconds & SECONDS) << 4) | u64::from(self.index & 0xF);
        let low = (u128::from(put_seconds & SECONDS) << 36) | (u128::from(self.index) << 4) | 2;
        let limbs = [low as u64, (low >> 64) as u64 | (counter << 16), (counter >> 48) | (high << 16)];
        SequenceText(decimal(limbs))
    }

    /// The sequence of a shard with these parents. Its numbers are higher than all of theirs, even if the clock was set
    /// back or has stood still since they were created.
    pub fn after(self, parents: impl Iterator<Item = Self>) -> Self {
        let created_seconds = parents.map(|parent| parent.created_seconds + 1).fold(self.created_seconds, u64::max);
        Self { created_seconds, ..self }
    }

    /// The counter in a sequence number of this shard. Returns `None` for another shard's.
    pub fn counter(self, number: &str) -> Option<u64> {
        let parts = number.parse::<SequenceNumber>().ok()?.parts()?;
        let is_ours = parts.shard_index == self.index && parts.shard_created_seconds == self.created_seconds;
        is_ours.then_some(parts.counter)
    }
}

/// Converts a number of three limbs, the lowest first, to decimal digits.
fn decimal(limbs: [u64; 3]) -> [u8; DIGITS] {
    const BILLION: u64 = 1_000_000_000;
    let mut limbs = limbs.map(|limb| [limb & 0xFFFF_FFFF, limb >> 32]);
    let mut digits = [b'0'; DIGITS];
    for group in digits.rchunks_mut(9) {
        let mut rest = 0;
        for limb in limbs.as_flattened_mut().iter_mut().rev() {
            let value = (rest << 32) | *limb;
            *limb = value / BILLION;
            rest = value % BILLION;
        }
        for digit in group.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
    digits
}

impl SequenceText {
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }
}

impl fmt::Display for SequenceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SequenceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for SequenceText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use kinesis_event_logger_core::route::SequenceParts;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_equal_those_of_core(created in 0_u64..1 << 36, counter: u64, put in 0_u64..1 << 36, index: u32) {
            let shard = ShardSequence { created_seconds: created, index };
            let parts = SequenceParts { shard_created_seconds: created, counter, put_seconds: put, shard_index: index };
            let number = shard.number(counter, put);
            prop_assert_eq!(number.as_str(), parts.build().unwrap().to_string());
            prop_assert_eq!(shard.counter(number.as_str()), Some(counter));
            let other = ShardSequence { index: index ^ 1, ..shard };
            prop_assert_eq!(other.counter(number.as_str()), None);
        }
    }
}
