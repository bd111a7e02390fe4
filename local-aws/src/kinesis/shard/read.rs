//! A read of a shard: its limits and its result.

use super::chunk::{Chunk, ChunkEntry};
use super::sequence::{SequenceText, ShardSequence};

/// The start and the limits of a read.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The counter of the first record to read.
    pub from: u64,
    pub records: usize,
    /// The most bytes of keys and data. One record is read whatever its size.
    pub bytes: usize,
    /// Records that arrived before this time are expired, in epoch milliseconds.
    pub cutoff: u64,
}

/// The result of a read.
#[derive(Debug)]
pub struct Read {
    pub(super) chunks: Vec<Chunk>,
    pub(super) span: Span,
    /// The counter after the last record of the shard.
    pub(super) end: u64,
    pub(super) is_closed: bool,
}

/// Selects as many of these consecutive chunks as a read returns.
pub(super) fn wanted(span: Span, chunks: impl Iterator<Item = Chunk>) -> impl Iterator<Item = Chunk> {
    let (mut records, mut bytes) = (0, 0);
    chunks.take_while(move |chunk| {
        let is_wanted = records < span.records && bytes < span.bytes;
        // A part of the first chunk may be before the span.
        records += usize::try_from(chunk.end() - chunk.first.max(span.from)).unwrap_or(usize::MAX);
        bytes += if chunk.first < span.from { 0 } else { chunk.bytes() };
        is_wanted
    })
}

/// A record that was read.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    pub counter: u64,
    /// Epoch milliseconds.
    pub arrival: u64,
    pub is_encrypted: bool,
    pub entry: ChunkEntry<'a>,
}

impl Item<'_> {
    pub fn number(&self, shard: ShardSequence) -> SequenceText {
        shard.number(self.counter, self.arrival / 1000)
    }
}

impl Read {
    /// The records, within the limits of the span.
    pub fn items(&self) -> Vec<Item<'_>> {
        let mut bytes = 0;
        let fits = |item: &Item<'_>| {
            let is_first = bytes == 0;
            bytes += item.entry.partition_key.len() + item.entry.data.len();
            is_first || bytes <= self.span.bytes
        };
        let of_chunk = |chunk| entries_of(chunk, self.span.from);
        self.chunks.iter().flat_map(of_chunk).take(self.span.records).take_while(fits).collect()
    }

    /// The counter after these items, where the next read starts.
    pub fn next(&self, items: &[Item<'_>]) -> u64 {
        items.last().map_or(self.span.from, |last| last.counter + 1)
    }

    /// Whether there are no records from counter `next` on.
    pub fn is_at_tip(&self, next: u64) -> bool {
        next >= self.end
    }

    /// Whether there are no records from counter `next` on, and there will be none.
    pub fn is_at_end(&self, next: u64) -> bool {
        self.is_closed && self.is_at_tip(next)
    }
}

fn entries_of(chunk: &Chunk, from: u64) -> impl Iterator<Item = Item<'_>> {
    let (arrival, is_encrypted) = (chunk.arrival, chunk.is_encrypted);
    chunk.entries(from).map(move |(counter, entry)| Item { counter, arrival, is_encrypted, entry })
}
