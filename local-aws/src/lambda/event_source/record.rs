//! A record between its shard and the event: its number, its arrival and its bytes.

use crate::kinesis::RecordRef;

/// A copy of a record, in one allocation. A part of the chunk that it was put with would keep all of the chunk in memory.
#[derive(Debug, Clone)]
pub struct Record {
    pub counter: u64,
    /// Epoch milliseconds.
    pub arrival: u64,
    key_length: usize,
    /// The partition key, then the data.
    bytes: Box<[u8]>,
}

impl Record {
    pub fn new(record: RecordRef<'_>) -> Self {
        let RecordRef { counter, arrival, partition_key, data } = record;
        let bytes = [partition_key.as_bytes(), data].concat().into();
        Self { counter, arrival, key_length: partition_key.len(), bytes }
    }

    pub fn as_ref(&self) -> RecordRef<'_> {
        let (partition_key, data) = self.bytes.split_at(self.key_length);
        let partition_key = std::str::from_utf8(partition_key).expect("it was copied from a string");
        RecordRef { counter: self.counter, arrival: self.arrival, partition_key, data }
    }

    /// The record's arrival in epoch milliseconds, as the clock of this crate counts them.
    pub fn arrival_ms(&self) -> i64 {
        self.arrival.cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_key_and_the_data_of_the_original() {
        for (partition_key, data) in [("k", &b"data"[..]), ("", b""), ("ü", &[0xff, 0])] {
            let original = RecordRef { counter: 7, arrival: 8, partition_key, data };
            assert_eq!(Record::new(original).as_ref(), original);
        }
    }
}
