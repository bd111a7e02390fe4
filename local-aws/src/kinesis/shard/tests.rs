use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;
use crate::store::Store;

const ALL: Span = Span { from: 0, records: 10_000, bytes: 1 << 20, cutoff: 0 };

fn shard() -> Arc<Shard> {
    shard_with(&Store::default(), usize::MAX)
}

fn shard_with(store: &Store, memory: usize) -> Arc<Shard> {
    let storage = Storage { store: store.clone(), budget: Budget::new(memory) };
    let sequence = ShardSequence { created_seconds: 1, index: 0 };
    let description = ShardDescription { sequence, hash_keys: 0..=u128::MAX, parents: Vec::new(), opened: 0 };
    Shard::restore(description, None, 7, &storage)
}

fn put(shard: &Shard, data: &[&[u8]], now: u64) -> u64 {
    let mut chunk = ChunkBuilder::with_capacity(0);
    for data in data {
        chunk.push_data("k", data);
    }
    shard.append(chunk, now, false).first
}

fn counters(shard: &Shard, span: Span) -> Vec<u64> {
    shard.read(span).unwrap().items().iter().map(|item| item.counter).collect()
}

fn at_time(shard: &Arc<Shard>, time: u64) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(shard.at_time(time)).unwrap()
}

#[test]
fn a_time_finds_the_first_record_at_it_or_later() {
    let shard = shard();
    put(&shard, &[b"a", b"b"], 10);
    put(&shard, &[b"c"], 20);
    // A clock that is set back does not affect arrivals.
    put(&shard, &[b"d"], 15);
    assert_eq!([0, 10, 11, 20, 21].map(|time| at_time(&shard, time)), [1, 1, 3, 3, 5]);
}

#[test]
fn expired_records_are_skipped_and_removed() {
    let shard = shard();
    put(&shard, &[b"a", b"b"], 10);
    put(&shard, &[b"c"], 20);
    assert_eq!(counters(&shard, Span { cutoff: 11, ..ALL }), [3]);
    assert_eq!(counters(&shard, ALL), [1, 2, 3]);
    shard.trim(11);
    assert_eq!(counters(&shard, ALL), [3]);
    // The last chunk stays, but is not returned.
    shard.trim(21);
    assert_eq!((counters(&shard, Span { cutoff: 21, ..ALL }), counters(&shard, ALL)), (vec![], vec![3]));
    assert_eq!(put(&shard, &[b"d"], 30), 4);
}

#[test]
fn evicted_records_are_read_from_the_store_and_numbers_continue_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    let shard = shard_with(&store, 1000);
    for now in 0..100 {
        put(&shard, &[&[0; 50], &[1; 50]], now);
    }
    assert!(shard.lock().chunks.len() < 10);
    let check = |shard: &Arc<Shard>| {
        for from in 0..=200 {
            let expected: Vec<u64> = (from.max(1)..=200).take(7).collect();
            assert_eq!(counters(shard, Span { from, records: 7, ..ALL }), expected);
        }
        for time in 0..100 {
            assert_eq!(at_time(shard, time), time * 2 + 1);
        }
        assert_eq!(counters(shard, Span { cutoff: 60, records: 1, ..ALL }), [121]);
    };
    check(&shard);
    drop(shard);
    let shard = shard_with(&store, 1000);
    check(&shard);
    shard.trim(60);
    assert_eq!(counters(&shard, Span { records: 1, ..ALL }), [121]);
    shard.trim(1000);
    assert_eq!(counters(&shard, ALL), [199, 200]);
    drop(shard);
    assert_eq!(put(&shard_with(&store, 1000), &[b"next"], 0), 201);
}

#[test]
fn a_closed_shard_ends_after_its_last_record() {
    let shard = shard();
    put(&shard, &[b"a", b"b"], 10);
    let end = |from| {
        let read = shard.read(Span { from, records: 1, ..ALL }).unwrap();
        let next = read.next(&read.items());
        (next, read.is_at_tip(next), read.is_at_end(next))
    };
    assert_eq!(end(2), (3, true, false));
    shard.close(20);
    assert_eq!([end(0), end(2), end(3)], [(2, false, false), (3, true, true), (3, true, true)]);
}

#[test]
fn readers_skip_no_record_during_concurrent_writes() {
    let (shard, is_done) = (shard(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let writers: Vec<_> =
            (0..3).map(|_| scope.spawn(|| (0..2000).map(|_| put(&shard, &[b"a", b"b"], 1)).max())).collect();
        let reader = scope.spawn(|| {
            let mut next = 1;
            while !(is_done.load(Ordering::Acquire) && next == shard.next()) {
                for item in shard.read(Span { from: next, records: 7, ..ALL }).unwrap().items() {
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
    fn pages_contain_all_records_in_order(
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
            let read = shard.read(Span { from, records, bytes, cutoff: 0 }).unwrap();
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
