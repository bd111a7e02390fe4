//! A set of 128-bit digests that holds a million of them in 20 to 27 MiB.
//!
//! `HashSet<u128>` needs up to 34 bytes per digest, and twice its size while it grows. This table grows by a quarter, one
//! shard at a time, and stores nothing but the digests.

/// Each shard grows separately, so that the copy of a growing table is a small part of the whole.
const SHARDS: usize = 32;
const SMALLEST: usize = 16;

/// A set of digests, which have to be uniformly distributed: the table uses their own bits as the hash.
#[derive(Debug, Default)]
pub struct DigestSet {
    shards: Vec<Shard>,
}

/// An open-addressing table with linear probing. The slot value 0 marks an empty slot.
#[derive(Debug, Default, Clone)]
struct Shard {
    slots: Vec<u128>,
    len: usize,
}

impl DigestSet {
    /// Adds a digest. Returns whether it was not in the set before.
    pub fn insert(&mut self, digest: u128) -> bool {
        if self.shards.is_empty() {
            self.shards.resize(SHARDS, Shard::default());
        }
        // The lowest bits choose the shard, and the highest bits the slot.
        self.shards[(digest % SHARDS as u128) as usize].insert(digest.max(1))
    }

    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len).sum()
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.slots.capacity() * size_of::<u128>()).sum()
    }
}

impl Shard {
    fn insert(&mut self, digest: u128) -> bool {
        // At most four fifths of the slots are in use: beyond that, linear probing slows down.
        if (self.len + 1) * 5 > self.slots.len() * 4 {
            self.grow();
        }
        let slot = self.slot(digest);
        let is_new = self.slots[slot] == 0;
        if is_new {
            self.slots[slot] = digest;
            self.len += 1;
        }
        is_new
    }

    /// Returns the slot of the digest, or the empty slot to insert it into.
    fn slot(&self, digest: u128) -> usize {
        let high = digest >> 64;
        let mut slot = ((high * self.slots.len() as u128) >> 64) as usize;
        while self.slots[slot] != 0 && self.slots[slot] != digest {
            slot = if slot + 1 == self.slots.len() { 0 } else { slot + 1 };
        }
        slot
    }

    fn grow(&mut self) {
        let larger = SMALLEST.max(self.slots.len() + self.slots.len() / 4);
        let old = std::mem::replace(&mut self.slots, vec![0; larger]);
        for digest in old.into_iter().filter(|&digest| digest != 0) {
            let slot = self.slot(digest);
            self.slots[slot] = digest;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_million_digests_need_at_most_27_mib() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut set = DigestSet::default();
        let mut largest = 0;
        for _ in 0..1_000_000 {
            assert!(set.insert(random.u128(..)));
            largest = largest.max(set.bytes());
        }
        assert_eq!(set.len(), 1_000_000);
        assert!(largest <= 27 << 20, "{largest}");
    }

    proptest! {
        #[test]
        fn a_digest_set_agrees_with_a_hash_set(seed: u64, count in 0_usize..2000, distinct in 1_usize..1500) {
            let mut random = fastrand::Rng::with_seed(seed);
            let digests: Vec<u128> = (0..distinct).map(|_| random.u128(..)).collect();
            let (mut set, mut expected) = (DigestSet::default(), HashSet::new());
            for _ in 0..count {
                let digest = digests[random.usize(..distinct)];
                prop_assert_eq!(set.insert(digest), expected.insert(digest));
            }
            prop_assert_eq!(set.len(), expected.len());
        }
    }
}
