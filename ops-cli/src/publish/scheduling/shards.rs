//! Maps records to shards, so that each shard has its own pace.

use std::ops::RangeInclusive;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::Shard;
use kinesis_event_logger_core::route::shard_index;

use crate::error::{Error, Result};
use crate::retry::Retry;

/// The shards of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardMap {
    /// The open shards, sorted by hash keys. Together they cover every hash key.
    open: Vec<HashKeys>,
    /// The closed shards: an answer may arrive after the map that lists its shard as closed.
    closed: Vec<HashKeys>,
}

/// The range of hash keys of a shard.
#[derive(Debug, Clone, PartialEq)]
struct HashKeys {
    id: String,
    range: RangeInclusive<u128>,
}

impl ShardMap {
    /// Lists the stream's shards.
    pub async fn fetch(client: &Client, stream: &str, retry: &Retry) -> Result<Self> {
        let mut shards = Vec::new();
        let mut request = client.list_shards().stream_name(stream);
        let doing = "list the stream's shards";
        loop {
            let page = retry.call(doing, || request.clone().send()).await;
            let page = page.map_err(|error| Error::aws(doing, error))?;
            shards.extend(page.shards.unwrap_or_default());
            match page.next_token {
                // A request with a token must not name the stream.
                Some(token) => request = client.list_shards().next_token(token),
                None => break,
            }
        }
        let map = Self::new(&shards);
        if map.open.is_empty() {
            return Err(Error::failed(format!("the stream {stream} has no open shard")).hint("try again in a moment"));
        }
        Ok(map)
    }

    fn new(shards: &[Shard]) -> Self {
        let is_open = |shard: &&Shard| {
            shard.sequence_number_range.as_ref().is_none_or(|range| range.ending_sequence_number.is_none())
        };
        let hash_keys = |shard: &Shard| {
            let range = shard.hash_key_range.as_ref()?;
            let (first, last) = (range.starting_hash_key.parse().ok()?, range.ending_hash_key.parse().ok()?);
            Some(HashKeys { id: shard.shard_id.clone(), range: first..=last })
        };
        let (open, closed): (Vec<_>, Vec<_>) = shards.iter().partition(is_open);
        let mut open: Vec<_> = open.into_iter().filter_map(hash_keys).collect();
        open.sort_by_key(|shard| *shard.range.start());
        Self { open, closed: closed.into_iter().filter_map(hash_keys).collect() }
    }

    /// Creates shards of equal size.
    #[cfg(test)]
    pub fn even(count: u32) -> Self {
        let size = u128::MAX / u128::from(count);
        let shard = |index: u32| HashKeys {
            id: format!("shardId-{index:012}"),
            range: u128::from(index) * size..=if index + 1 == count {
                u128::MAX
            } else {
                u128::from(index + 1) * size - 1
            },
        };
        Self { open: (0..count).map(shard).collect(), closed: Vec::new() }
    }

    /// The number of open shards.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    pub fn id(&self, index: usize) -> &str {
        &self.open[index].id
    }

    /// The first hash key of the shard.
    pub fn first_hash_key(&self, index: usize) -> u128 {
        *self.open[index].range.start()
    }

    /// The first hash key of the shard with this id, open or closed.
    pub fn first_hash_key_of(&self, id: &str) -> Option<u128> {
        self.open.iter().chain(&self.closed).find(|shard| shard.id == id).map(|shard| *shard.range.start())
    }

    /// Whether the shard with this id has, or had while it was open, all these hash keys; `None` if it is not found.
    pub fn takes(&self, id: &str, hash_keys: impl Iterator<Item = u128> + Clone) -> Option<bool> {
        let likely = hash_keys.clone().next().and_then(|key| self.open.get(self.index_of(key)));
        let mut all = likely.into_iter().chain(&self.open).chain(&self.closed);
        let shard = all.find(|shard| shard.id == id)?;
        Some({ hash_keys }.all(|key| shard.range.contains(&key)))
    }

    /// Returns the shard of this hash key.
    pub fn index_of(&self, hash_key: u128) -> usize {
        // During resharding, a key may belong to no open shard for a moment. Any shard will do until the map is fetched
        // again.
        shard_index(hash_key, &self.open, |shard| &shard.range).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_kinesis::types::{HashKeyRange, SequenceNumberRange};

    use super::*;

    #[test]
    fn a_hash_key_belongs_to_the_shard_whose_range_holds_it() {
        let map = ShardMap::even(4);
        let size = u128::MAX / 4;
        assert_eq!(map.index_of(0), 0);
        assert_eq!(map.index_of(size - 1), 0);
        assert_eq!(map.index_of(size), 1);
        assert_eq!(map.index_of(u128::MAX), 3);
        let takes = |id: &str, keys: &[u128]| map.takes(id, keys.iter().copied());
        assert_eq!(takes("shardId-000000000000", &[0, size - 1]), Some(true));
        assert_eq!(takes("shardId-000000000000", &[0, size]), Some(false));
        assert_eq!(takes("shardId-000000000001", &[0]), Some(false));
        assert_eq!(takes("shardId-000000000004", &[0]), None);
    }

    #[test]
    fn a_closed_shard_is_found_with_its_hash_keys() {
        let half = u128::MAX / 2;
        let shard = |id: &str, first: u128, last: u128, end: Option<&str>| {
            let keys = HashKeyRange::builder().starting_hash_key(first.to_string()).ending_hash_key(last.to_string());
            let numbers = SequenceNumberRange::builder()
                .starting_sequence_number("1")
                .set_ending_sequence_number(end.map(Into::into));
            let shard = Shard::builder().shard_id(id).hash_key_range(keys.build().unwrap());
            shard.sequence_number_range(numbers.build().unwrap()).build().unwrap()
        };
        let parent = shard("parent", 0, u128::MAX, Some("9"));
        let map = ShardMap::new(&[parent, shard("upper", half + 1, u128::MAX, None), shard("lower", 0, half, None)]);
        assert_eq!((map.len(), map.id(0), map.id(1)), (2, "lower", "upper"));
        assert_eq!(map.takes("parent", [0, u128::MAX].into_iter()), Some(true));
        assert_eq!(map.takes("lower", [0, u128::MAX].into_iter()), Some(false));
    }
}
