use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::super::batch::{Backoff, Batch, Outcome, Policy};
use super::*;

const FOREVER: Policy = Policy { max_retries: None, max_age_ms: None, bisect: false, backoff: Backoff::FAST };

fn record(number: usize, key: &str) -> Record {
    Record { sequence_number: number.to_string(), partition_key: key.to_owned(), data: String::new(), arrival: 0.0 }
}

fn limits(lanes: usize, batch_records: usize, gather_ms: i64) -> Limits {
    Limits { lanes, batch_records, batch_bytes: 1000, gather_ms }
}

fn filled(limits: Limits, keys: &[&str]) -> Lanes {
    let mut lanes = Lanes::new(limits);
    for (number, key) in keys.iter().enumerate() {
        lanes.push(record(number, key), 10, 0, 0);
    }
    lanes
}

fn numbers(taken: &Taken) -> Vec<&str> {
    taken.records.iter().map(|record| record.sequence_number.as_str()).collect()
}

#[test]
fn one_lane_gathers_full_batches_and_processes_one_at_a_time() {
    let mut lanes = filled(limits(1, 2, 100), &["a", "b", "c"]);
    let first = lanes.take(0).unwrap();
    assert_eq!(numbers(&first), ["0", "1"]);
    assert!(lanes.take(1000).is_none(), "its lane is busy");
    lanes.progressed(0, 2, None);
    assert_eq!(lanes.checkpoint().as_deref(), Some("1"));
    lanes.finished(0, 1000);
    assert!(lanes.take(1099).is_none(), "the window begins when the previous invocation ends");
    assert_eq!(lanes.due(), Some(1100));
    assert_eq!(numbers(&lanes.take(1100).unwrap()), ["2"]);
}

#[test]
fn a_batch_ends_before_the_record_that_is_too_much() {
    let mut lanes = Lanes::new(limits(1, 10, 0));
    for (number, bytes) in [600, 500, 1500, 1].into_iter().enumerate() {
        lanes.push(record(number, "k"), bytes, 0, 0);
    }
    let mut batches = Vec::new();
    while let Some(taken) = lanes.take(0) {
        batches.push(numbers(&taken).join(" "));
        lanes.finished(0, 0);
    }
    assert_eq!(batches, ["0", "1", "2", "3"]);
}

#[test]
fn a_batch_does_not_reach_across_groups_and_waits_for_none() {
    let mut lanes = Lanes::new(limits(1, 10, 1000));
    for (number, group) in [5, 5, 6].into_iter().enumerate() {
        lanes.push(record(number, "k"), 1, group, 0);
    }
    assert_eq!(numbers(&lanes.take(0).unwrap()), ["0", "1"]);
    lanes.finished(0, 0);
    assert!(lanes.take(0).is_none(), "the last group may grow");
    lanes.end();
    assert_eq!(numbers(&lanes.take(0).unwrap()), ["2"]);
}

#[test]
fn the_checkpoint_is_before_the_first_record_that_is_not_done() {
    let keys: Vec<String> = (0..20).map(|key| key.to_string()).collect();
    let mut lanes = filled(limits(2, 20, 0), &keys.iter().map(String::as_str).collect::<Vec<_>>());
    let (one, other) = (lanes.take(0).unwrap(), lanes.take(0).unwrap());
    assert_ne!(one.lane, other.lane);
    let (with_first, without) = if one.records[0].sequence_number == "0" { (one, other) } else { (other, one) };
    lanes.progressed(without.lane, without.records.len(), None);
    assert_eq!(lanes.checkpoint(), None);
    lanes.progressed(with_first.lane, with_first.records.len(), None);
    assert_eq!(lanes.checkpoint().as_deref(), Some("19"));
}

#[test]
fn what_is_skipped_moves_the_checkpoint_and_an_aggregate_is_done_as_a_whole() {
    let mut lanes = Lanes::new(limits(1, 1, 0));
    lanes.skip(&record(1, "k"));
    lanes.push(record(2, "k"), 1, 0, 0);
    lanes.push(record(2, "k"), 1, 0, 0);
    lanes.skip(&record(3, "k"));
    assert_eq!(lanes.checkpoint().as_deref(), Some("1"));
    for expected in [None, Some("3")] {
        let taken = lanes.take(0).unwrap();
        lanes.progressed(taken.lane, 1, None);
        lanes.finished(taken.lane, 0);
        assert_eq!(lanes.checkpoint().as_deref(), expected);
    }
    assert!(lanes.is_empty());
}

/// A batch of these records that failed once.
fn failed(first: usize, last: usize) -> Unfinished {
    let mut batch = Batch::new(vec![0; last - first + 1], FOREVER);
    batch.finished(Outcome::Failure, 0);
    let (first, last) = (first.to_string(), last.to_string());
    Unfinished { first, last, attempts: batch.attempts().unwrap() }
}

#[test]
fn an_unfinished_batch_goes_on_with_its_own_records_once_they_are_read() {
    let mut lanes = Lanes::new(limits(1, 4, 0));
    lanes.resume(vec![failed(9, 10)]);
    assert_eq!(lanes.unfinished(), [failed(9, 10)]);
    for number in 7..10 {
        lanes.push(record(number, "k"), 10, 0, 0);
    }
    // What was done with behind the checkpoint comes again, and stays apart.
    assert_eq!(numbers(&lanes.take(0).unwrap()), ["7", "8"]);
    lanes.finished(0, 0);
    assert!(lanes.take(0).is_none(), "its last record is still to come");
    for number in 10..12 {
        lanes.push(record(number, "k"), 10, 0, 0);
    }
    let taken = lanes.take(0).unwrap();
    assert_eq!((numbers(&taken), &taken.attempts), (vec!["9", "10"], &Some(failed(9, 10).attempts)));
    assert_eq!(lanes.unfinished(), [failed(9, 10)]);
    lanes.progressed(0, 2, None);
    lanes.finished(0, 0);
    let next = lanes.take(0).unwrap();
    assert_eq!((numbers(&next), &next.attempts, lanes.unfinished()), (vec!["11"], &None, vec![]));
}

#[test]
fn a_batch_that_is_another_by_now_is_tried_as_any() {
    // Larger than batches are by now; its records filtered; never read again.
    for unfinished in [failed(0, 2), failed(5, 6), failed(1, 9)] {
        let mut lanes = Lanes::new(limits(1, 2, 0));
        lanes.resume(vec![unfinished]);
        for number in 0..2 {
            lanes.push(record(number, "k"), 10, 0, 0);
        }
        lanes.all_read();
        let mut seen = Vec::new();
        while let Some(taken) = lanes.take(0) {
            assert_eq!(taken.attempts, None);
            seen.extend(numbers(&taken).iter().map(ToString::to_string));
            lanes.progressed(0, taken.records.len(), None);
            lanes.finished(0, 0);
        }
        assert_eq!((seen, lanes.unfinished()), (vec!["0".to_owned(), "1".to_owned()], vec![]));
    }
}

proptest! {
    /// However records come and invocations end: a key is in one invocation at a time and in order, nothing is skipped
    /// or done twice, and the checkpoint is never past what is not done.
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
        let mut under_way: Vec<Taken> = Vec::new();
        let mut done: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut all_done = HashSet::new();
        let mut checkpoint = None;
        let mut steps = steps.into_iter().cycle();
        for turn in 0usize.. {
            prop_assert!(turn < 100_000, "it does not end");
            // Whatever the steps: records come, every invocation ends, and time passes.
            let (step, index) = steps.next().unwrap();
            let step = [3, 0, step][turn % 3];
            now += i64::from(turn % 5 == 0);
            prop_assert!(lanes.room().0 <= factor * batch_records);
            if step < 3 && pushed < keys.len() && lanes.room().0 > 0 {
                lanes.push(record(pushed, &keys[pushed]), 1, 0, now);
                pushed += 1;
            } else if step == 3 && !under_way.is_empty() {
                let taken = under_way.swap_remove(index.index(under_way.len()));
                lanes.progressed(taken.lane, taken.records.len(), None);
                lanes.finished(taken.lane, now);
                for record in taken.records {
                    let number: usize = record.sequence_number.parse().unwrap();
                    prop_assert!(all_done.insert(number), "done twice");
                    done.entry(record.partition_key).or_default().push(number);
                }
            } else {
                now += 7;
            }
            if pushed == keys.len() {
                lanes.end();
            }
            while let Some(taken) = lanes.take(now) {
                prop_assert!((1..=batch_records).contains(&taken.records.len()));
                let new: HashSet<&String> = taken.records.iter().map(|record| &record.partition_key).collect();
                let busy = under_way.iter().flat_map(|other| &other.records);
                prop_assert!(!busy.map(|record| &record.partition_key).any(|key| new.contains(key)));
                under_way.push(taken);
                prop_assert!(under_way.len() <= factor);
            }
            if let Some(number) = lanes.checkpoint() {
                let number: usize = number.parse().unwrap();
                prop_assert!(checkpoint.is_none_or(|before| before < number));
                prop_assert!((0..=number).all(|earlier| all_done.contains(&earlier)));
                checkpoint = Some(number);
            }
            if pushed == keys.len() && lanes.is_empty() {
                break;
            }
        }
        prop_assert_eq!(checkpoint, Some(keys.len() - 1));
        for numbers in done.values() {
            prop_assert!(numbers.is_sorted());
        }
    }

    /// Whenever the shard is read anew: a batch that has failed is tried again with the records it had, and all are done with.
    #[test]
    fn what_has_failed_stays_as_it_is_however_often_the_shard_is_read_anew(
        factor in 1usize..=4,
        batch_records in 1usize..6,
        keys in prop::collection::vec("[a-h]", 1..60),
        steps in prop::collection::vec((0u8..8, any::<prop::sample::Index>()), 1..60),
    ) {
        let mut lanes = Lanes::new(limits(factor, batch_records, 0));
        let (mut next, mut checkpoint) = (0, None);
        let mut under_way: Vec<Taken> = Vec::new();
        let mut frozen: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut done = HashSet::new();
        let mut steps = steps.into_iter().cycle();
        for turn in 0.. {
            prop_assert!(turn < 10_000, "it does not end");
            let (step, index) = steps.next().unwrap();
            // In the end records come and batches succeed.
            match if turn < 300 { step } else { [2, 4][turn % 2] } {
                0 if !under_way.is_empty() => {
                    let taken = &under_way[index.index(under_way.len())];
                    let (first, last) = (&taken.records[0], &taken.records[taken.records.len() - 1]);
                    let numbers: Vec<String> = numbers(taken).into_iter().map(str::to_owned).collect();
                    let mut batch = Batch::new(vec![0; numbers.len()], FOREVER);
                    batch.finished(Outcome::Failure, 0);
                    let unfinished = Unfinished {
                        first: first.sequence_number.clone(),
                        last: last.sequence_number.clone(),
                        attempts: batch.attempts().unwrap(),
                    };
                    lanes.progressed(taken.lane, 0, Some(unfinished));
                    frozen.insert(first.sequence_number.clone(), numbers);
                }
                1 => {
                    let unfinished = lanes.unfinished();
                    lanes = Lanes::new(limits(factor, batch_records, 0));
                    lanes.resume(unfinished);
                    under_way.clear();
                    next = checkpoint.map_or(0, |number: usize| number + 1);
                }
                2 | 3 if !under_way.is_empty() => {
                    let taken = under_way.swap_remove(index.index(under_way.len()));
                    lanes.progressed(taken.lane, taken.records.len(), None);
                    lanes.finished(taken.lane, 0);
                    frozen.remove(&taken.records[0].sequence_number);
                    done.extend(taken.records.into_iter().map(|record| record.sequence_number));
                }
                _ if next < keys.len() && lanes.has_room() => {
                    lanes.push(record(next, &keys[next]), 1, 0, 0);
                    next += 1;
                }
                _ => {}
            }
            if next == keys.len() {
                lanes.all_read();
            }
            while let Some(taken) = lanes.take(0) {
                let expected = frozen.get(&taken.records[0].sequence_number);
                prop_assert_eq!(taken.attempts.is_some(), expected.is_some());
                if let Some(expected) = expected {
                    prop_assert_eq!(&numbers(&taken), expected);
                }
                prop_assert!(!numbers(&taken)[1..].iter().any(|number| frozen.contains_key(*number)), "swallowed");
                under_way.push(taken);
            }
            if let Some(number) = lanes.checkpoint() {
                checkpoint = Some(number.parse().unwrap());
            }
            if checkpoint == Some(keys.len() - 1) {
                break;
            }
        }
        prop_assert_eq!(done.len(), keys.len());
    }
}
