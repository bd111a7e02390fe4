//! Sequence numbers: compared as the numbers they are, read apart and built.
//!
//! What is inside them is not documented; it is what Kinesis has given since 2013, as the emulators that are compatible
//! with it read it (kinesalite, `lib/db.js`, `parseSequence`). Written in hexadecimal, 47 digits: `2`, nine of the second the shard was made, one of the
//! shard's index (its lowest), sixteen of a counter, two that are `00`, nine of the second of the put, eight of the
//! shard's index, `2`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A sequence number: any decimal number, which may be too large for every integer type.
///
/// ```
/// use kinesis_event_logger_core::SequenceNumber;
///
/// let (small, large): (SequenceNumber, SequenceNumber) = ("9".parse()?, "10".parse()?);
/// assert!(small < large);
///
/// let number: SequenceNumber = "49590338271490256608559692538361571095921575989136588898".parse()?;
/// let parts = number.parts().unwrap();
/// assert_eq!((parts.shard_index, parts.put_seconds), (6, 1_545_084_650));
/// assert_eq!(parts.build()?, number);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SequenceNumber {
    /// Without leading zeros.
    digits: String,
}

/// A text that is no sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("takes a decimal number of at most 128 digits")]
pub struct InvalidSequenceNumber;

/// The most digits taken: twice what Kinesis gives (its API says `0|([1-9]\d{0,128})`).
const DIGITS: usize = 129;

impl FromStr for SequenceNumber {
    type Err = InvalidSequenceNumber;

    fn from_str(text: &str) -> Result<Self, InvalidSequenceNumber> {
        if text.is_empty() || text.len() > DIGITS || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidSequenceNumber);
        }
        let digits = text.trim_start_matches('0');
        Ok(Self { digits: if digits.is_empty() { "0" } else { digits }.to_owned() })
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.digits)
    }
}

impl Ord for SequenceNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        self.digits.len().cmp(&other.digits.len()).then_with(|| self.digits.cmp(&other.digits))
    }
}

impl PartialOrd for SequenceNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What a sequence number is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceParts {
    /// When the shard was made, in epoch seconds: below 2^36.
    pub shard_created_seconds: u64,
    /// Counts the shard's puts.
    pub counter: u64,
    /// When the record was put, in epoch seconds: below 2^36.
    pub put_seconds: u64,
    /// The shard's index: the number in `shardId-000000000006`.
    pub shard_index: u32,
}

/// A time that a sequence number has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a sequence number holds seconds below 2^36, not {seconds}")]
pub struct SecondsOutOfRange {
    /// The time.
    pub seconds: u64,
}

impl SequenceNumber {
    /// Reads the number apart; `None` if it is not laid out as Kinesis lays it out.
    pub fn parts(&self) -> Option<SequenceParts> {
        let hex = hexadecimal(&self.digits)?;
        let field = |from: usize, to: usize| u64::from_str_radix(hex.get(from..to)?, 16).ok();
        let known = hex.len() == 47 && hex.starts_with('2') && hex.ends_with('2') && field(27, 29)? == 0;
        let shard_index = u32::try_from(field(38, 46)?).ok()?;
        if !known || u64::from(shard_index & 0xF) != field(10, 11)? {
            return None;
        }
        Some(SequenceParts {
            shard_created_seconds: field(1, 10)?,
            counter: field(11, 27)?,
            put_seconds: field(29, 38)?,
            shard_index,
        })
    }
}

impl SequenceParts {
    /// Makes the number.
    ///
    /// # Errors
    /// When a time has no room in it.
    pub fn build(&self) -> Result<SequenceNumber, SecondsOutOfRange> {
        for seconds in [self.shard_created_seconds, self.put_seconds] {
            if seconds >> 36 != 0 {
                return Err(SecondsOutOfRange { seconds });
            }
        }
        let hex = format!(
            "2{:09x}{:01x}{:016x}00{:09x}{:08x}2",
            self.shard_created_seconds,
            self.shard_index & 0xF,
            self.counter,
            self.put_seconds,
            self.shard_index
        );
        Ok(SequenceNumber { digits: decimal(&hex) })
    }
}

/// Base 2^32, the lowest limb first: 47 hexadecimal digits need six.
const LIMBS: usize = 6;

/// The hexadecimal digits of a decimal number; `None` if it has more bits than [`LIMBS`] hold.
fn hexadecimal(decimal: &str) -> Option<String> {
    let mut limbs = [0_u32; LIMBS];
    for digit in decimal.bytes() {
        if carry(&mut limbs, 10, u64::from(digit - b'0')) != 0 {
            return None;
        }
    }
    let hex: String = limbs.iter().rev().map(|limb| format!("{limb:08x}")).collect();
    Some(hex.trim_start_matches('0').to_owned())
}

/// The decimal digits of a hexadecimal number.
fn decimal(hex: &str) -> String {
    // Base 10^9, which needs one limb more.
    const BILLION: u64 = 1_000_000_000;
    let mut limbs = [0_u64; LIMBS + 1];
    for digit in hex.chars().filter_map(|digit| digit.to_digit(16)) {
        let mut carry = u64::from(digit);
        for limb in &mut limbs {
            carry += *limb * 16;
            *limb = carry % BILLION;
            carry /= BILLION;
        }
    }
    let digits: String = limbs.iter().rev().map(|limb| format!("{limb:09}")).collect();
    digits.trim_start_matches('0').to_owned()
}

/// Multiplies and adds; gives what overflowed.
fn carry(limbs: &mut [u32; LIMBS], factor: u64, summand: u64) -> u64 {
    limbs.iter_mut().fold(summand, |carry, limb| {
        let value = u64::from(*limb) * factor + carry;
        *limb = value as u32;
        value >> 32
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> SequenceNumber {
        text.parse().unwrap()
    }

    #[test]
    fn other_texts_are_none() {
        for text in ["", "-1", "+1", "1e3", " 1", "x", "TRIM_HORIZON", &"1".repeat(130)] {
            assert_eq!(text.parse::<SequenceNumber>(), Err(InvalidSequenceNumber), "{text}");
        }
        assert_eq!(number("007"), number("7"));
        assert_eq!(number("000").to_string(), "0");
        assert_eq!(number("7").parts(), None);
        assert_eq!(number(&"9".repeat(129)).parts(), None);
        let parts = SequenceParts { shard_created_seconds: 1 << 36, counter: 0, put_seconds: 0, shard_index: 0 };
        assert_eq!(parts.build(), Err(SecondsOutOfRange { seconds: 1 << 36 }));
    }

    proptest! {
        #[test]
        fn numbers_compare_as_numbers(a: u128, b: u128) {
            prop_assert_eq!(number(&a.to_string()).cmp(&number(&b.to_string())), a.cmp(&b));
        }

        #[test]
        fn what_is_built_is_read(created in 0_u64..1 << 36, counter: u64, put in 0_u64..1 << 36, shard_index: u32) {
            let parts = SequenceParts { shard_created_seconds: created, counter, put_seconds: put, shard_index };
            prop_assert_eq!(parts.build().unwrap().parts(), Some(parts));
        }

        #[test]
        fn any_number_is_read_or_not(text in "[0-9]{50,60}") {
            if let Some(parts) = number(&text).parts() {
                prop_assert_eq!(parts.build().unwrap(), number(&text));
            }
        }
    }
}
