//! The records of one put on one shard, in one block of bytes. The block is stored unchanged and evicted as a whole. A
//! record needs six bytes in addition to its key and its data.

use bytes::Bytes;

/// The bytes of a record in addition to its key and its data: the lengths of both.
pub const RECORD_OVERHEAD: usize = 6;

/// The bytes before the records: their number, their arrival, and whether they are encrypted.
const HEADER: usize = 4 + 8 + 1;

/// The records of one put on one shard, with consecutive counters and the same arrival time.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// The counter of the first record.
    pub first: u64,
    pub count: u32,
    /// Epoch milliseconds.
    pub arrival: u64,
    /// Whether the stream was encrypted at the time of the put.
    pub is_encrypted: bool,
    /// The header, then each record: the lengths of its key and its data, its key, its data.
    block: Bytes,
}

/// A record in its chunk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChunkEntry<'a> {
    /// Empty if the stream distributes its records and the put had no key.
    pub partition_key: &'a str,
    pub data: &'a [u8],
}

/// Collects the records of a chunk.
#[derive(Debug)]
pub struct ChunkBuilder {
    count: u32,
    block: Vec<u8>,
}

impl ChunkBuilder {
    /// Reserves room for this many bytes of records, including their overhead.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut block = Vec::with_capacity(HEADER + bytes);
        block.extend_from_slice(&[0; HEADER]);
        Self { count: 0, block }
    }

    /// Adds a record. `write` appends its data of `data_len` bytes, or returns an error.
    pub fn push<E>(
        &mut self,
        partition_key: &str,
        data_len: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        // Both were checked before: a partition key has at most 256 characters, a record at most 10 MiB.
        self.block.extend_from_slice(&(partition_key.len() as u16).to_le_bytes());
        self.block.extend_from_slice(&(data_len as u32).to_le_bytes());
        self.block.extend_from_slice(partition_key.as_bytes());
        let begun = self.block.len();
        write(&mut self.block)?;
        debug_assert_eq!(self.block.len() - begun, data_len);
        self.count += 1;
        Ok(())
    }

    /// Adds a record with this data.
    #[cfg(test)]
    pub fn push_data(&mut self, partition_key: &str, data: &[u8]) {
        let write = |bytes: &mut Vec<u8>| {
            bytes.extend_from_slice(data);
            Ok::<_, std::convert::Infallible>(())
        };
        let Ok(()) = self.push(partition_key, data.len(), write);
    }

    /// Builds the chunk. Its counters start with `first`.
    pub fn build(mut self, first: u64, arrival: u64, is_encrypted: bool) -> Chunk {
        self.block[..4].copy_from_slice(&self.count.to_le_bytes());
        self.block[4..12].copy_from_slice(&arrival.to_le_bytes());
        self.block[12] = is_encrypted.into();
        Chunk { first, count: self.count, arrival, is_encrypted, block: self.block.into() }
    }
}

impl Chunk {
    /// Reads a chunk from its block. Returns `None` if the block is too short.
    pub fn read(first: u64, block: Bytes) -> Option<Self> {
        let (count, rest) = block.split_first_chunk::<4>()?;
        let (arrival, rest) = rest.split_first_chunk::<8>()?;
        let (count, arrival) = (u32::from_le_bytes(*count), u64::from_le_bytes(*arrival));
        let is_encrypted = *rest.first()? != 0;
        Some(Self { first, count, arrival, is_encrypted, block })
    }

    /// Returns everything except the first counter, as one block.
    pub fn block(&self) -> Bytes {
        self.block.clone()
    }

    /// The counter after the last record's.
    pub fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }

    /// The chunk's size in memory.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.block.len()
    }

    /// The records from counter `from` on, each with its counter.
    pub fn entries(&self, from: u64) -> impl Iterator<Item = (u64, ChunkEntry<'_>)> {
        let entries = Entries { records: self.block.get(HEADER..).unwrap_or_default() };
        let skipped = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        (self.first..self.end()).zip(entries).skip(skipped)
    }
}

struct Entries<'a> {
    records: &'a [u8],
}

impl<'a> Iterator for Entries<'a> {
    type Item = ChunkEntry<'a>;

    /// Ends at bytes that are not a record, because a chunk may come from a file.
    fn next(&mut self) -> Option<ChunkEntry<'a>> {
        let (key_len, rest) = self.records.split_first_chunk::<2>()?;
        let (data_len, rest) = rest.split_first_chunk::<4>()?;
        let (partition_key, rest) = rest.split_at_checked(u16::from_le_bytes(*key_len).into())?;
        let (data, rest) = rest.split_at_checked(u32::from_le_bytes(*data_len) as usize)?;
        self.records = rest;
        Some(ChunkEntry { partition_key: std::str::from_utf8(partition_key).ok()?, data })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_chunk_returns_the_records_that_were_added(
            records: Vec<(String, Vec<u8>)>, first in 0_u64..1000, skip in 0_u64..10, arrival: u64, is_encrypted: bool,
        ) {
            let mut builder = ChunkBuilder::with_capacity(0);
            for (key, data) in &records {
                builder.push_data(key, data);
            }
            let chunk = builder.build(first, arrival, is_encrypted);
            let expected: Vec<_> = records
                .iter()
                .enumerate()
                .skip(skip as usize)
                .map(|(index, (key, data))| (first + index as u64, ChunkEntry { partition_key: key, data }))
                .collect();
            prop_assert_eq!(chunk.entries(first + skip).collect::<Vec<_>>(), expected);
            prop_assert_eq!(Chunk::read(first, chunk.block()), Some(chunk));
        }

        #[test]
        fn reading_any_block_ends(block: Vec<u8>) {
            if let Some(chunk) = Chunk::read(0, block.into()) {
                chunk.entries(0).count();
            }
        }
    }
}
