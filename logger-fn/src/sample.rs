//! Which records are logged when not all of them are to be: all records of a partition key, or none.

use std::str::FromStr;

use thiserror::Error;

/// Hashes are compared by so many bits, which a double holds exactly.
const BITS: u32 = 53;

/// The share of partition keys whose records are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Keys whose hash is below this are logged; of 2^53.
    below: u64,
}

/// A text that is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("takes a number from 0 to 1")]
pub struct NotAShare;

impl Sample {
    pub const ALL: Self = Self { below: 1 << BITS };

    /// Whether the records of this key are logged: the same answer in every process and version.
    pub fn takes(self, partition_key: &str) -> bool {
        self == Self::ALL || hash(partition_key.as_bytes()) >> (u64::BITS - BITS) < self.below
    }
}

impl FromStr for Sample {
    type Err = NotAShare;

    fn from_str(text: &str) -> Result<Self, NotAShare> {
        let share: f64 = text.trim().parse().map_err(|_| NotAShare)?;
        if !(0.0..=1.0).contains(&share) {
            return Err(NotAShare);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 2^53")]
        let below = (share * Self::ALL.below as f64).round() as u64;
        Ok(Self { below })
    }
}

/// FNV-1a, mixed once more by SplitMix64's finalizer, since FNV alone leaves the high bits of short keys alike.
/// Not Kinesis's MD5: that places a key on its shard, and a sample by it could be all of one shard.
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
    fn the_share_of_keys_is_the_share_asked_for() {
        for share in [0.001, 0.1, 0.5, 0.9] {
            let sample = sample(&share.to_string());
            let taken = (0..100_000).filter(|key| sample.takes(&format!("key-{key}"))).count();
            let off = (taken as f64 - share * 100_000.0).abs();
            // Five standard deviations of a fair choice.
            assert!(off <= 5.0 * (100_000.0 * share * (1.0 - share)).sqrt(), "{share}: {taken}");
        }
    }

    #[test]
    fn none_and_all_are_exact() {
        for key in ["", "a", "\u{2028}", "key-1"] {
            assert!(!sample("0").takes(key) && sample("1").takes(key) && sample(" 1.0").takes(key));
        }
    }

    #[test]
    fn a_larger_sample_holds_the_smaller_and_no_version_takes_other_keys() {
        let keys: Vec<String> = (0..1000).map(|key| key.to_string()).collect();
        let (small, large) = (sample("0.2"), sample("0.4"));
        assert!(keys.iter().all(|key| !small.takes(key) || large.takes(key)));
        let taken: Vec<_> = keys.iter().filter(|key| sample("0.01").takes(key)).collect();
        assert_eq!(taken, ["104", "206", "332", "424", "633", "708", "852", "882"]);
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for text in ["-0.1", "1.01", "half", "NaN", "inf", "50%"] {
            assert_eq!(text.parse::<Sample>(), Err(NotAShare), "{text}");
        }
    }
}
