//! How far each lane of a shard is, for the readers that follow: lanes that are ahead of a blocked one are not delivered again.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize};

use crate::kinesis::RecordRef;
use crate::lambda::event_source::batch::Attempts;
use kinesis_event_logger_core::SequenceNumber;

/// A batch that was started and is not finished: the records that are left of it, and the attempts at them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnfinishedBatch {
    /// The counter of the first record that is left. `None` for the final invocation of a window.
    #[serde(deserialize_with = "counter")]
    pub first: Option<u64>,
    #[serde(deserialize_with = "counter")]
    pub last: Option<u64>,
    pub attempts: Attempts,
}

/// For each lane, the counter below which all of its records are finished. A partition key's lane depends on the number of
/// lanes, so progress made with another `ParallelizationFactor` stays valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneProgress(Vec<u64>);

impl LaneProgress {
    /// Returns `None` if there is one lane, which the checkpoint says all about, or if nothing is finished.
    pub fn new(next: Vec<u64>) -> Option<Self> {
        let is_needed = next.len() > 1 && next.iter().any(|next| *next > 0);
        is_needed.then_some(Self(next))
    }

    /// Whether the record is finished.
    pub fn includes(&self, record: RecordRef<'_>) -> bool {
        self.0.get(lane_of(record.partition_key, self.0.len().max(1))).is_some_and(|next| record.counter < *next)
    }

    /// Whether any lane has finished a record with this counter or a later one.
    pub fn is_beyond(&self, counter: u64) -> bool {
        self.0.iter().any(|next| *next > counter)
    }

    /// These and one more. Progress of the same number of lanes is one.
    pub fn merged(earlier: &[Self], own: Option<Self>) -> Vec<Self> {
        let mut merged = earlier.to_vec();
        if let Some(own) = own {
            match merged.iter_mut().find(|progress| progress.0.len() == own.0.len()) {
                Some(same) => same.0.iter_mut().zip(own.0).for_each(|(next, own)| *next = own.max(*next)),
                None => merged.push(own),
            }
        }
        merged
    }
}

/// The lane of a partition key among so many. The hash has no seed: a key has the same lane after a restart.
pub fn lane_of(partition_key: &str, lanes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    partition_key.hash(&mut hasher);
    usize::try_from(hasher.finish() % lanes as u64).unwrap_or_default()
}

/// Reads a counter. Earlier versions wrote the sequence number in decimal, and an empty string instead of `None`.
pub fn counter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Counter(Option<u64>),
        SequenceNumber(String),
    }
    Ok(match Stored::deserialize(deserializer)? {
        Stored::Counter(counter) => counter,
        Stored::SequenceNumber(number) => {
            let parts = number.parse::<SequenceNumber>().ok().and_then(|number| number.parts());
            parts.map(|parts| parts.counter)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::UnfinishedBatch;

    #[test]
    fn batches_of_earlier_versions_are_read() {
        let number = "49590338271490256608559692538361571095921575989136588898";
        let read = |first: serde_json::Value| {
            let stored = serde_json::json!({ "first": first, "last": first, "attempts": [] });
            serde_json::from_value::<UnfinishedBatch>(stored).unwrap().first
        };
        let stored = [read(number.into()), read("".into()), read(serde_json::Value::Null), read(7.into())];
        assert_eq!(stored, [Some(1_734_642_199), None, None, Some(7)]);
    }
}
