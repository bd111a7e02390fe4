//! Changes of a stream that take some time, and their completion.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Stream, StreamState};
use crate::kinesis::shard::Shard;

/// A change that has not taken effect yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PendingChange {
    pub change: Change,
    /// The time when it takes effect, in epoch milliseconds.
    pub due: u64,
    /// The number of the change within its stream. Its timer has it too.
    #[serde(skip)]
    pub number: u64,
}

/// The kinds of changes. Shards are identified by their indexes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    Create { shards: u32 },
    Delete,
    Split { shard: u32, at: HashKey },
    Merge { shard: u32, adjacent: u32 },
    Resize { shards: u32 },
    Encrypt { key_id: String },
    Decrypt,
}

/// A hash key. It is stored as decimal digits, because JSON numbers are too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashKey(pub u128);

impl StreamState {
    /// Applies a change, except the deletion of the stream.
    pub(super) fn apply(&mut self, change: &Change, stream: &Stream, now: u64) {
        match *change {
            Change::Create { shards } => self.replace(stream, &[], uniform(shards), now),
            Change::Resize { shards } => {
                // Sorted by index, so that the first parent is the oldest.
                let open: Vec<_> = self.shards.iter().filter(|shard| shard.closed().is_none()).cloned().collect();
                self.replace(stream, &open, uniform(shards), now);
            }
            Change::Split { shard, at: HashKey(at) } => {
                let closing = self.by_index([shard]);
                let Some(keys) = closing.first().map(|shard| shard.hash_keys.clone()) else { return };
                self.replace(stream, &closing, vec![*keys.start()..=at.saturating_sub(1), at..=*keys.end()], now);
            }
            Change::Merge { shard, adjacent } => {
                let closing = self.by_index([shard, adjacent]);
                let [low, high] = closing.as_slice() else { return };
                let keys = *low.hash_keys.start()..=*high.hash_keys.end();
                self.replace(stream, &closing, vec![keys], now);
            }
            Change::Encrypt { ref key_id } => self.configuration.encryption_key = Some(key_id.clone()),
            Change::Decrypt => self.configuration.encryption_key = None,
            Change::Delete => {}
        }
    }

    fn by_index<const COUNT: usize>(&self, indexes: [u32; COUNT]) -> Vec<Arc<Shard>> {
        indexes.iter().filter_map(|index| self.shards.get(*index as usize).cloned()).collect()
    }
}

/// Divides the hash keys into equal ranges. The last one has the remainder.
fn uniform(count: u32) -> Vec<RangeInclusive<u128>> {
    let count = u128::from(count.max(1));
    // 2^128 / count, which overflows if there is one range.
    let Some(size) = (u128::MAX / count).checked_add(u128::from(u128::MAX % count == count - 1)) else {
        return vec![0..=u128::MAX];
    };
    let part = |index: u128| {
        let end = if index + 1 == count { u128::MAX } else { size * (index + 1) - 1 };
        size * index..=end
    };
    (0..count).map(part).collect()
}

impl Serialize for HashKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for HashKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

impl fmt::Display for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_parts_cover_all_hash_keys_once() {
        for count in [1, 2, 3, 4, 7, 256, 1000] {
            let parts = uniform(count);
            assert_eq!((parts.len(), *parts[0].start()), (count as usize, 0));
            assert_eq!(*parts.last().unwrap().end(), u128::MAX);
            assert!(parts.windows(2).all(|pair| pair[0].end() + 1 == *pair[1].start()), "{count}");
        }
        assert_eq!(uniform(2)[0], 0..=u128::MAX / 2);
        assert_eq!(uniform(3)[0], 0..=u128::MAX / 3 - 1);
    }
}
