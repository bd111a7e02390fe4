//! Selects the records that are logged: all records of a partition key, or none.

use std::str::FromStr;

use thiserror::Error;

/// The number of compared bits of a hash, which a double represents exactly.
const BITS: u32 = 53;

/// The share of partition keys whose records are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Keys with a hash below this are logged. Hashes are below 2^53.
    below: u64,
}

/// The error for a text that is not a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a share is a number from 0 to 1")]
pub struct InvalidShare;

impl Sample {
    /// All partition keys.
    pub const ALL: Self = Self { below: 1 << BITS };

    /// Whether the records of this key are logged. The answer is the same in every process and version.
    pub fn includes(self, partition_key: &str) -> bool {
        self == Self::ALL || hash(partition_key.as_bytes()) >> (u64::BITS - BITS) < self.below
    }
}

impl FromStr for Sample {
    type Err = InvalidShare;

    fn from_str(text: &str) -> Result<Self, InvalidShare> {
        let share: f64 = text.trim().parse().map_err(|_| InvalidShare)?;
        if !(0.0..=1.0).contains(&share) {
            return Err(InvalidShare);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 2^53")]
        let below = (share * Self::ALL.below as f64).round() as u64;
        Ok(Self { below })
    }
}

/// FNV-1a, mixed by SplitMix64's finalizer, because FNV alone leaves the high bits of short keys alike. Kinesis' MD5 does not
/// suit: it determines a key's shard, so that a sample could be all of one shard.
fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(share: &str) -> Sample {
        share.parse().unwrap()
    }

    #[test]
    fn the_share_of_keys_is_close_to_the_requested_share() {
        for share in [0.001, 0.1, 0.5, 0.9] {
            let sample = sample(&share.to_string());
            let taken = (0..100_000).filter(|key| sample.includes(&format!("key-{key}"))).count();
            let off = (taken as f64 - share * 100_000.0).abs();
            // Five standard deviations of a random choice.
            assert!(off <= 5.0 * (100_000.0 * share * (1.0 - share)).sqrt(), "{share}: {taken}");
        }
    }

    #[test]
    fn shares_of_zero_and_one_are_exact() {
        for key in ["", "a", "\u{2028}", "key-1"] {
            assert!(!sample("0").includes(key) && sample("1").includes(key) && sample(" 1.0").includes(key));
        }
    }

    #[test]
    fn a_larger_sample_includes_a_smaller_one_and_keys_stay_the_same() {
        let keys: Vec<String> = (0..1000).map(|key| key.to_string()).collect();
        let (small, large) = (sample("0.2"), sample("0.4"));
        assert!(keys.iter().all(|key| !small.includes(key) || large.includes(key)));
        let taken: Vec<_> = keys.iter().filter(|key| sample("0.01").includes(key)).collect();
        assert_eq!(taken, ["104", "206", "332", "424", "633", "708", "852", "882"]);
    }

    #[test]
    fn texts_that_are_not_shares_are_rejected() {
        for text in ["-0.1", "1.01", "half", "NaN", "inf", "50%"] {
            assert_eq!(text.parse::<Sample>(), Err(InvalidShare), "{text}");
        }
    }
}
