use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::super::batch::{Backoff, Batch, InvocationOutcome, Policy};
use super::*;

const FOREVER: Policy = Policy { max_retries: None, max_age_ms: None, bisect: false, backoff: Backoff::FAST };

fn record(counter: u64, partition_key: &str) -> Record {
    Record::new(RecordRef { counter, arrival: 0, partition_key, data: b"" })
}

fn limits(lanes: usize, batch_records: usize, gather_ms: i64) -> Limits {
    Limits { lanes, batch_records, batch_bytes: 1000, gather_ms }
}

fn filled(limits: Limits, keys: &[&str]) -> Lanes {
    let mut lanes = Lanes::new(limits);
    for (counter, key) in (0..).zip(keys) {
        lanes.push(record(counter, key), 10, 0, 0);
    }
    lanes
}

fn counters(batch: &LaneBatch) -> Vec<u64> {
    batch.records.iter().map(|record| record.counter).collect()
}

#[test]
fn a_lane_gathers_full_batches_and_processes_one_at_a_time() {
    let mut lanes = filled(limits(1, 2, 100), &["a", "b", "c"]);
    let first = lanes.next_batch(0).unwrap();
    assert_eq!(counters(&first), [0, 1]);
    assert!(lanes.next_batch(1000).is_none(), "its lane is busy");
    lanes.progressed(0, 2, None);
    assert_eq!(lanes.checkpoint(), Some(1));
    lanes.finished(0, 1000);
    assert!(lanes.next_batch(1099).is_none(), "the window begins when the previous invocation ends");
    assert_eq!(lanes.due(), Some(1100));
    assert_eq!(counters(&lanes.next_batch(1100).unwrap()), [2]);
}

#[test]
fn a_batch_ends_before_the_record_that_exceeds_its_bytes() {
    let mut lanes = Lanes::new(limits(1, 10, 0));
    for (number, bytes) in (0..).zip([600, 500, 1500, 1]) {
        lanes.push(record(number, "k"), bytes, 0, 0);
    }
    let mut batches = Vec::new();
    while let Some(batch) = lanes.next_batch(0) {
        batches.push(counters(&batch));
        lanes.finished(0, 0);
    }
    assert_eq!(batches, [[0], [1], [2], [3]]);
}

#[test]
fn a_batch_has_records_of_one_group_and_does_not_wait_for_another() {
    let mut lanes = Lanes::new(limits(1, 10, 1000));
    for (number, group) in (0..).zip([5, 5, 6]) {
        lanes.push(record(number, "k"), 1, group, 0);
    }
    assert_eq!(counters(&lanes.next_batch(0).unwrap()), [0, 1]);
    lanes.finished(0, 0);
    assert!(lanes.next_batch(0).is_none(), "the last group may grow");
    lanes.end();
    assert_eq!(counters(&lanes.next_batch(0).unwrap()), [2]);
}

#[test]
fn the_checkpoint_is_before_the_first_unfinished_record() {
    let keys: Vec<String> = (0..20).map(|key| key.to_string()).collect();
    let mut lanes = filled(limits(2, 20, 0), &keys.iter().map(String::as_str).collect::<Vec<_>>());
    let (one, other) = (lanes.next_batch(0).unwrap(), lanes.next_batch(0).unwrap());
    assert_ne!(one.lane, other.lane);
    let (with_first, without) = if one.records[0].counter == 0 { (one, other) } else { (other, one) };
    lanes.progressed(without.lane, without.records.len(), None);
    assert_eq!(lanes.checkpoint(), None);
    lanes.progressed(with_first.lane, with_first.records.len(), None);
    assert_eq!(lanes.checkpoint(), Some(19));
}

#[test]
fn skipped_records_move_the_checkpoint_and_an_aggregate_finishes_as_a_whole() {
    let mut lanes = Lanes::new(limits(1, 1, 0));
    lanes.skip(1);
    lanes.push(record(2, "k"), 1, 0, 0);
    lanes.push(record(2, "k"), 1, 0, 0);
    lanes.skip(3);
    assert_eq!(lanes.checkpoint(), Some(1));
    for expected in [None, Some(3)] {
        let batch = lanes.next_batch(0).unwrap();
        lanes.progressed(batch.lane, 1, None);
        lanes.finished(batch.lane, 0);
        assert_eq!(lanes.checkpoint(), expected);
    }
    assert!(lanes.is_empty());
}

/// A batch of these records that failed once.
fn failed(first: u64, last: u64) -> UnfinishedBatch {
    let mut batch = Batch::new((first..=last).map(|_| 0).collect(), FOREVER);
    batch.invoked(InvocationOutcome::Failure, 0);
    UnfinishedBatch { first: Some(first), last: Some(last), attempts: batch.attempts().unwrap() }
}

#[test]
fn an_unfinished_batch_resumes_once_all_of_its_records_are_read() {
    let mut lanes = Lanes::new(limits(1, 4, 0));
    lanes.resume(vec![failed(9, 10)], Vec::new());
    assert_eq!(lanes.unfinished(), [failed(9, 10)]);
    for number in 7..10 {
        lanes.push(record(number, "k"), 10, 0, 0);
    }
    // Records before the batch are in a batch of their own.
    assert_eq!(counters(&lanes.next_batch(0).unwrap()), [7, 8]);
    lanes.finished(0, 0);
    assert!(lanes.next_batch(0).is_none(), "its last record was not pushed yet");
    for number in 10..12 {
        lanes.push(record(number, "k"), 10, 0, 0);
    }
    let batch = lanes.next_batch(0).unwrap();
    assert_eq!((counters(&batch), &batch.attempts), (vec![9, 10], &Some(failed(9, 10).attempts)));
    assert_eq!(lanes.unfinished(), [failed(9, 10)]);
    lanes.progressed(0, 2, None);
    lanes.finished(0, 0);
    let next = lanes.next_batch(0).unwrap();
    assert_eq!((counters(&next), &next.attempts, lanes.unfinished()), (vec![11], &None, vec![]));
}

#[test]
fn an_unfinished_batch_whose_records_changed_loses_its_attempts() {
    // Larger than the batch size; its records are filtered; its last record is not read again.
    for unfinished in [failed(0, 2), failed(5, 6), failed(1, 9)] {
        let mut lanes = Lanes::new(limits(1, 2, 0));
        lanes.resume(vec![unfinished], Vec::new());
        for number in 0..2 {
            lanes.push(record(number, "k"), 10, 0, 0);
        }
        lanes.all_read();
        let mut seen = Vec::new();
        while let Some(batch) = lanes.next_batch(0) {
            assert_eq!(batch.attempts, None);
            seen.extend(counters(&batch));
            lanes.progressed(0, batch.records.len(), None);
            lanes.finished(0, 0);
        }
        assert_eq!((seen, lanes.unfinished()), (vec![0, 1], vec![]));
    }
}

#[test]
fn an_aggregate_that_is_finished_in_part_is_delivered_again() {
    let mut lanes = Lanes::new(limits(2, 2, 0));
    let key = ["a", "b", "c"].into_iter().find(|key| lane_of(key, 2) == 0).unwrap();
    let other = ["a", "b", "c", "d"].into_iter().find(|key| lane_of(key, 2) == 1).unwrap();
    lanes.push(record(1, other), 1, 0, 0);
    for counter in [2, 3, 3] {
        lanes.push(record(counter, key), 1, 0, 0);
    }
    let batch = lanes.next_batch(0).unwrap();
    assert_eq!((batch.lane, counters(&batch)), (0, vec![2, 3]));
    lanes.progressed(0, 2, None);
    assert_eq!(lanes.checkpoint(), None);
    let mut next = Lanes::new(limits(2, 2, 0));
    next.resume(lanes.unfinished(), lanes.progress());
    let finished = [1, 2, 3].map(|counter| next.is_finished(record(counter, key).as_ref()));
    assert_eq!(finished, [true, true, false]);
    assert!(!next.is_finished(record(1, other).as_ref()));
    assert_eq!(next.progress(), lanes.progress(), "until the checkpoint has passed it");
    (1..=2).for_each(|counter| next.skip(counter));
    next.checkpoint();
    assert_eq!(next.progress(), []);
}

proptest! {
    /// In whatever order records come and invocations end, a key is in one invocation at a time and in order, no record is
    /// skipped or finished twice, and the checkpoint is never past an unfinished record.
    #[test]
    fn keys_stay_in_order_and_nothing_is_lost(
        factor in 1usize..=10,
        batch_records in 1usize..6,
        gather_ms in 0i64..30,
        keys in prop::collection::vec("[a-h]", 1..80),
        steps in prop::collection::vec((0u8..4, any::<prop::sample::Index>()), 1..60),
    ) {
        let mut lanes = Lanes::new(limits(factor, batch_records, gather_ms));
        let (mut now, mut pushed) = (0i64, 0usize);
        let mut under_way: Vec<LaneBatch> = Vec::new();
        let mut done: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut all_done = HashSet::new();
        let mut checkpoint = None;
        let mut steps = steps.into_iter().cycle();
        for turn in 0usize.. {
            prop_assert!(turn < 100_000, "the test does not end");
            // Whatever the steps are, records come, every invocation ends, and time passes.
            let (step, index) = steps.next().unwrap();
            let step = [3, 0, step][turn % 3];
            now += i64::from(turn % 5 == 0);
            prop_assert!(lanes.room().0 <= factor * batch_records);
            if step < 3 && pushed < keys.len() && lanes.room().0 > 0 {
                lanes.push(record(pushed as u64, &keys[pushed]), 1, 0, now);
                pushed += 1;
            } else if step == 3 && !under_way.is_empty() {
                let batch = under_way.swap_remove(index.index(under_way.len()));
                lanes.progressed(batch.lane, batch.records.len(), None);
                lanes.finished(batch.lane, now);
                for record in batch.records {
                    prop_assert!(all_done.insert(record.counter), "finished twice");
                    done.entry(record.as_ref().partition_key.to_owned()).or_default().push(record.counter);
                }
            } else {
                now += 7;
            }
            if pushed == keys.len() {
                lanes.end();
            }
            while let Some(batch) = lanes.next_batch(now) {
                prop_assert!((1..=batch_records).contains(&batch.records.len()));
                let new: HashSet<&str> = batch.records.iter().map(|record| record.as_ref().partition_key).collect();
                let busy = under_way.iter().flat_map(|other| &other.records);
                prop_assert!(!busy.map(|record| record.as_ref().partition_key).any(|key| new.contains(key)));
                under_way.push(batch);
                prop_assert!(under_way.len() <= factor);
            }
            if let Some(number) = lanes.checkpoint() {
                prop_assert!(checkpoint.is_none_or(|before| before < number));
                prop_assert!((0..=number).all(|earlier| all_done.contains(&earlier)));
                checkpoint = Some(number);
            }
            if pushed == keys.len() && lanes.is_empty() {
                break;
            }
        }
        prop_assert_eq!(checkpoint, Some(keys.len() as u64 - 1));
        for numbers in done.values() {
            prop_assert!(numbers.is_sorted());
        }
    }

    /// However often the shard is read again from the checkpoint, also with other numbers of lanes: a failed batch is retried
    /// with its records, all records are finished, and none that was finished is delivered again.
    #[test]
    fn a_new_reader_retries_failed_batches_and_delivers_nothing_again(
        factors in prop::collection::vec(1usize..=4, 1..4),
        batch_records in 1usize..6,
        keys in prop::collection::vec("[a-h]", 1..60),
        steps in prop::collection::vec((0u8..8, any::<prop::sample::Index>()), 1..60),
    ) {
        let is_one_factor = factors.iter().all(|factor| *factor == factors[0]);
        let mut factors = factors.into_iter().cycle();
        let mut lanes = Lanes::new(limits(factors.next().unwrap(), batch_records, 0));
        let (mut next, mut checkpoint) = (0, None);
        let mut under_way: Vec<LaneBatch> = Vec::new();
        let mut failed: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let mut done = HashSet::new();
        let mut steps = steps.into_iter().cycle();
        for turn in 0.. {
            prop_assert!(turn < 10_000, "the test does not end");
            let (step, index) = steps.next().unwrap();
            // In the end, records come and batches succeed.
            match if turn < 300 { step } else { [2, 4][turn % 2] } {
                0 if !under_way.is_empty() => {
                    let batch = &under_way[index.index(under_way.len())];
                    let (first, last) = (batch.records.first().unwrap().counter, batch.records.last().unwrap().counter);
                    let mut attempts = Batch::new(vec![0; batch.records.len()], FOREVER);
                    attempts.invoked(InvocationOutcome::Failure, 0);
                    let attempts = attempts.attempts().unwrap();
                    let unfinished = UnfinishedBatch { first: Some(first), last: Some(last), attempts };
                    lanes.progressed(batch.lane, 0, Some(unfinished));
                    failed.insert(first, counters(batch));
                }
                1 => {
                    let (unfinished, progress) = (lanes.unfinished(), lanes.progress());
                    lanes = Lanes::new(limits(factors.next().unwrap(), batch_records, 0));
                    lanes.resume(unfinished, progress);
                    under_way.clear();
                    next = checkpoint.map_or(0, |counter: u64| counter + 1);
                }
                2 | 3 if !under_way.is_empty() => {
                    let batch = under_way.swap_remove(index.index(under_way.len()));
                    lanes.progressed(batch.lane, batch.records.len(), None);
                    lanes.finished(batch.lane, 0);
                    failed.remove(&batch.records[0].counter);
                    for record in batch.records {
                        prop_assert!(done.insert(record.counter), "{} is delivered again", record.counter);
                    }
                }
                _ if next < keys.len() as u64 && lanes.has_room() => {
                    let record = record(next, &keys[usize::try_from(next).unwrap()]);
                    prop_assert_eq!(lanes.is_finished(record.as_ref()), done.contains(&next));
                    if lanes.is_finished(record.as_ref()) {
                        lanes.skip(next);
                    } else {
                        lanes.push(record, 1, 0, 0);
                    }
                    next += 1;
                }
                _ => {}
            }
            if next == keys.len() as u64 {
                lanes.all_read();
            }
            while let Some(batch) = lanes.next_batch(0) {
                // Another number of lanes gives other batches.
                if is_one_factor {
                    let expected = failed.get(&batch.records[0].counter);
                    prop_assert_eq!(batch.attempts.is_some(), expected.is_some());
                    if let Some(expected) = expected {
                        prop_assert_eq!(&counters(&batch), expected);
                    }
                    prop_assert!(!counters(&batch)[1..].iter().any(|counter| failed.contains_key(counter)), "swallowed");
                }
                under_way.push(batch);
            }
            checkpoint = lanes.checkpoint().or(checkpoint);
            if checkpoint == Some(keys.len() as u64 - 1) {
                break;
            }
        }
        prop_assert_eq!(done.len(), keys.len());
    }
}
