//! The records of one shard, in order. One lock does it all: a record has its number and its place in one step, so that no
//! reader can pass over one that comes later with an earlier number.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use super::chunk::{Chunk, Entry};
use super::sequence::{SequenceText, ShardSequence};

/// A shard and its records.
#[derive(Debug)]
pub struct ShardLog {
    pub id: String,
    pub sequence: ShardSequence,
    /// The hash keys of its records.
    pub hash_keys: RangeInclusive<u128>,
    /// The shards whose end this one begins at: none, one (split) or two (merge).
    pub parents: Vec<String>,
    /// Epoch milliseconds from which on it took records.
    pub opened: u64,
    records: Mutex<Records>,
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Records {
    chunks: VecDeque<Chunk>,
    /// The counter of the next record put. The shard's own number has counter 0.
    next: u64,
    /// Epoch milliseconds after which it took no more.
    closed: Option<u64>,
    /// The latest arrival: times never go back within a shard.
    arrival: u64,
}

/// What is put on a shard in one go.
#[derive(Debug)]
pub struct Appended {
    /// The counter of the first record; the others follow.
    pub first: u64,
    /// Epoch milliseconds.
    pub arrival: u64,
}

/// Where a read begins, and how much it may take.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// A counter.
    pub from: u64,
    pub records: usize,
    /// Bytes of keys and data; one record is read whatever its size.
    pub bytes: usize,
    /// Records that arrived before this are past retention, in epoch milliseconds.
    pub cutoff: u64,
}

/// What was there to read.
#[derive(Debug)]
pub struct Read {
    chunks: Vec<Chunk>,
    span: Span,
    /// The counter after the last record of the shard.
    end: u64,
    is_closed: bool,
}

impl ShardLog {
    pub fn new(
        id: String,
        sequence: ShardSequence,
        hash_keys: RangeInclusive<u128>,
        parents: Vec<String>,
        opened: u64,
    ) -> Self {
        let records = Records { chunks: VecDeque::new(), next: 1, closed: None, arrival: 0 };
        Self { id, sequence, hash_keys, parents, opened, records: Mutex::new(records), changes: watch::channel(0).0 }
    }

    /// Puts `count` records, laid out as a [`Chunk`] has them.
    pub fn append(&self, count: u32, records: Bytes, now: u64, is_encrypted: bool) -> Appended {
        let mut log = self.lock();
        let (first, arrival) = (log.next, now.max(log.arrival));
        log.chunks.push_back(Chunk { first, count, arrival, is_encrypted, records });
        log.next += u64::from(count);
        log.arrival = arrival;
        drop(log);
        self.changed();
        Appended { first, arrival }
    }

    /// Takes no more records.
    pub fn close(&self, now: u64) {
        self.lock().closed.get_or_insert(now);
        self.changed();
    }

    /// Epoch milliseconds at which it was closed; none while it is open.
    pub fn closed(&self) -> Option<u64> {
        self.lock().closed
    }

    /// The counter of the next record put.
    pub fn next(&self) -> u64 {
        self.lock().next
    }

    /// The counter of the first record that arrived at `time` or later, in epoch milliseconds; of the next record put if
    /// there is none.
    pub fn at_time(&self, time: u64) -> u64 {
        let log = self.lock();
        let index = log.chunks.partition_point(|chunk| chunk.arrival < time);
        log.chunks.get(index).map_or(log.next, |chunk| chunk.first)
    }

    pub fn read(&self, mut span: Span) -> Read {
        let log = self.lock();
        let begin = log.chunks.partition_point(|chunk| chunk.arrival < span.cutoff || chunk.end() <= span.from);
        let (mut records, mut bytes) = (0_usize, 0_usize);
        let is_wanted = |chunk: &&Chunk| {
            let is_wanted = records < span.records && bytes < span.bytes;
            // Of the first chunk, a part may come before the span.
            records += usize::try_from(chunk.end() - chunk.first.max(span.from)).unwrap_or(usize::MAX);
            bytes += if chunk.first < span.from { 0 } else { chunk.records.len() };
            is_wanted
        };
        let chunks: Vec<Chunk> = log.chunks.range(begin..).take_while(is_wanted).cloned().collect();
        // What was before the first chunk is gone.
        span.from = span.from.max(chunks.first().map_or(log.next, |chunk| chunk.first));
        Read { chunks, span, end: log.next, is_closed: log.closed.is_some() }
    }

    /// Lets go of what arrived before `cutoff`, in epoch milliseconds.
    pub fn trim(&self, cutoff: u64) {
        let mut log = self.lock();
        while log.chunks.front().is_some_and(|chunk| chunk.arrival < cutoff) {
            log.chunks.pop_front();
        }
        if log.chunks.is_empty() {
            log.chunks.shrink_to_fit();
        }
    }

    /// Changes whenever a record was put or the shard was closed. Never missed: subscribe, read, then wait.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|version| *version += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record that was read.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    pub counter: u64,
    /// Epoch milliseconds.
    pub arrival: u64,
    pub is_encrypted: bool,
    pub entry: Entry<'a>,
}

impl Item<'_> {
    pub fn number(&self, shard: ShardSequence) -> SequenceText {
        shard.number(self.counter, self.arrival / 1000)
    }
}

impl Read {
    /// The records, no more than the span allows.
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

    /// The counter after these items: where the next read begins.
    pub fn next(&self, items: &[Item<'_>]) -> u64 {
        items.last().map_or(self.span.from, |last| last.counter + 1)
    }

    /// Nothing is left to read from counter `next` on.
    pub fn is_at_tip(&self, next: u64) -> bool {
        next >= self.end
    }

    /// Nothing is left to read from counter `next` on, and nothing will come.
    pub fn is_at_end(&self, next: u64) -> bool {
        self.is_closed && self.is_at_tip(next)
    }
}

fn entries_of(chunk: &Chunk, from: u64) -> impl Iterator<Item = Item<'_>> {
    let (arrival, is_encrypted) = (chunk.arrival, chunk.is_encrypted);
    chunk.entries(from).map(move |(counter, entry)| Item { counter, arrival, is_encrypted, entry })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use proptest::prelude::*;

    use super::super::chunk::ChunkBuilder;
    use super::*;

    const ALL: Span = Span { from: 0, records: 10_000, bytes: 1 << 20, cutoff: 0 };

    fn shard() -> ShardLog {
        let sequence = ShardSequence { created_seconds: 1, index: 0 };
        ShardLog::new("shardId-000000000000".into(), sequence, 0..=u128::MAX, Vec::new(), 0)
    }

    fn put(shard: &ShardLog, data: &[&[u8]], now: u64) -> u64 {
        let mut chunk = ChunkBuilder::default();
        for data in data {
            chunk.push_data("k", data);
        }
        shard.append(chunk.count, chunk.into_bytes(), now, false).first
    }

    fn counters(shard: &ShardLog, span: Span) -> Vec<u64> {
        shard.read(span).items().iter().map(|item| item.counter).collect()
    }

    #[test]
    fn a_time_finds_the_first_record_at_it_or_later() {
        let shard = shard();
        put(&shard, &[b"a", b"b"], 10);
        put(&shard, &[b"c"], 20);
        // A clock that goes back does not take the arrivals with it.
        put(&shard, &[b"d"], 15);
        assert_eq!([0, 10, 11, 20, 21].map(|time| shard.at_time(time)), [1, 1, 3, 3, 5]);
    }

    #[test]
    fn what_is_past_retention_is_passed_over_and_let_go() {
        let shard = shard();
        put(&shard, &[b"a", b"b"], 10);
        put(&shard, &[b"c"], 20);
        assert_eq!(counters(&shard, Span { cutoff: 11, ..ALL }), [3]);
        assert_eq!(counters(&shard, ALL), [1, 2, 3]);
        shard.trim(11);
        assert_eq!(counters(&shard, ALL), [3]);
        shard.trim(21);
        assert_eq!(put(&shard, &[b"d"], 30), 4);
    }

    #[test]
    fn a_closed_shard_ends_after_its_last_record() {
        let shard = shard();
        put(&shard, &[b"a", b"b"], 10);
        let end = |from| {
            let read = shard.read(Span { from, records: 1, ..ALL });
            let next = read.next(&read.items());
            (next, read.is_at_tip(next), read.is_at_end(next))
        };
        assert_eq!(end(2), (3, true, false));
        shard.close(20);
        assert_eq!([end(0), end(2), end(3)], [(2, false, false), (3, true, true), (3, true, true)]);
    }

    #[test]
    fn readers_beside_writers_pass_over_nothing() {
        let (shard, is_done) = (shard(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let writers: Vec<_> =
                (0..3).map(|_| scope.spawn(|| (0..2000).map(|_| put(&shard, &[b"a", b"b"], 1)).max())).collect();
            let reader = scope.spawn(|| {
                let mut next = 1;
                while !(is_done.load(Ordering::Acquire) && next == shard.next()) {
                    for item in shard.read(Span { from: next, records: 7, ..ALL }).items() {
                        assert_eq!(item.counter, next);
                        next += 1;
                    }
                }
                next
            });
            writers.into_iter().for_each(|writer| assert!(writer.join().unwrap().is_some()));
            is_done.store(true, Ordering::Release);
            assert_eq!(reader.join().unwrap(), 12_001);
        });
    }

    proptest! {
        #[test]
        fn pages_are_all_records_in_order(
            puts in proptest::collection::vec(proptest::collection::vec(0_usize..50, 1..5), 0..20),
            records in 1_usize..6,
            bytes in 1_usize..120,
        ) {
            let shard = shard();
            for sizes in &puts {
                let data: Vec<Vec<u8>> = sizes.iter().map(|size| vec![0; *size]).collect();
                put(&shard, &data.iter().map(Vec::as_slice).collect::<Vec<_>>(), 1);
            }
            let (mut from, mut found) = (0, Vec::new());
            loop {
                let read = shard.read(Span { from, records, bytes, cutoff: 0 });
                let items = read.items();
                let size: usize = items.iter().map(|item| item.entry.data.len() + 1).sum();
                prop_assert!(items.len() <= records && (size <= bytes || items.len() == 1));
                found.extend(items.iter().map(|item| (item.counter, item.entry.data.len())));
                from = read.next(&items);
                if read.is_at_tip(from) {
                    break;
                }
                prop_assert!(!items.is_empty());
            }
            let expected: Vec<_> = puts.into_iter().flatten().enumerate().map(|(at, size)| (at as u64 + 1, size)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
