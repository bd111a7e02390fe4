//! Sequence numbers: comparing, parsing and building them.
//!
//! Their format is not documented. It is what Kinesis has used since 2013, as compatible emulators parse it (kinesalite,
//! `lib/db.js`, `parseSequence`). In hexadecimal it has 47 digits: `2`, nine digits of the second in which the shard was
//! created, the lowest digit of the shard's index, sixteen digits of a counter, `00`, nine digits of the second of the put,
//! eight digits of the shard's index, `2`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A sequence number: a decimal number, which may be too large for every integer type. Sequence numbers compare as numbers.
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
    /// The digits without leading zeros.
    digits: String,
}

/// The error for a text that is not a sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a sequence number is a decimal number of at most {MAX_DIGITS} digits")]
pub struct InvalidSequenceNumber;

/// The largest number of digits, more than twice that of Kinesis' numbers (Kinesis API, `0|([1-9]\d{0,128})`).
const MAX_DIGITS: usize = 129;

impl FromStr for SequenceNumber {
    type Err = InvalidSequenceNumber;

    fn from_str(text: &str) -> Result<Self, InvalidSequenceNumber> {
        if text.is_empty() || text.len() > MAX_DIGITS || !text.bytes().all(|byte| byte.is_ascii_digit()) {
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

/// The parts of a sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceParts {
    /// The time at which the shard was created, in epoch seconds below 2^36.
    pub shard_created_seconds: u64,
    /// The shard's count of puts.
    pub counter: u64,
    /// The time at which the record was put, in epoch seconds below 2^36.
    pub put_seconds: u64,
    /// The shard's index: the number in `shardId-000000000006`.
    pub shard_index: u32,
}

/// The error for a time that does not fit in a sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a sequence number holds seconds below 2^36, not {seconds}")]
pub struct SecondsOutOfRange {
    /// The time.
    pub seconds: u64,
}

impl SequenceNumber {
    /// Splits the number into its parts. Returns `None` if it does not have Kinesis' format.
    pub fn parts(&self) -> Option<SequenceParts> {
        let hex = hexadecimal(&self.digits)?;
        let field = |from: usize, to: usize| u64::from_str_radix(hex.get(from..to)?, 16).ok();
        let has_format = hex.len() == 47 && hex.starts_with('2') && hex.ends_with('2') && field(27, 29)? == 0;
        let shard_index = u32::try_from(field(38, 46)?).ok()?;
        if !has_format || u64::from(shard_index & 0xF) != field(10, 11)? {
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
    /// Builds the number.
    ///
    /// # Errors
    /// Returns [`SecondsOutOfRange`] if a time does not fit.
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

/// The number of limbs of a big integer in base 2^32, the lowest first. 47 hexadecimal digits need six.
const LIMBS: usize = 6;

/// Converts a decimal number to hexadecimal. Returns `None` if it does not fit in [`LIMBS`].
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

/// Converts a hexadecimal number to decimal.
fn decimal(hex: &str) -> String {
    // Base 10^9 needs one more limb.
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

/// Multiplies and adds. Returns the overflow.
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
    fn other_texts_are_not_sequence_numbers() {
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
        fn sequence_numbers_compare_as_numbers(a: u128, b: u128) {
            prop_assert_eq!(number(&a.to_string()).cmp(&number(&b.to_string())), a.cmp(&b));
        }

        #[test]
        fn built_numbers_split_into_their_parts(created in 0_u64..1 << 36, counter: u64, put in 0_u64..1 << 36, shard_index: u32) {
            let parts = SequenceParts { shard_created_seconds: created, counter, put_seconds: put, shard_index };
            prop_assert_eq!(parts.build().unwrap().parts(), Some(parts));
        }

        #[test]
        fn numbers_of_the_format_build_again(text in "[0-9]{50,60}") {
            if let Some(parts) = number(&text).parts() {
                prop_assert_eq!(parts.build().unwrap(), number(&text));
            }
        }
    }
}
