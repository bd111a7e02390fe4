use proptest::prelude::*;

use super::super::delays::{Extent, after_failure};
use super::super::load::{Fate, Load};
use super::*;
use crate::publish::input::record::InputPosition;

fn record(offset: u64, key: &str, size: usize) -> Record {
    let place = InputPosition { offset, input: 0, line: offset + 1 };
    Record::new(place, vec![b'x'; size], &key.into(), None)
}

fn queue(ordered: bool) -> Queue {
    packing(Packing { ordered, aggregate_bytes: None })
}

fn packing(packing: Packing) -> Queue {
    Queue::new(ShardMap::even(4), packing, Rate::new(None, None, Duration::ZERO))
}

/// Returns the entries of the next request, which is answered at once.
fn sent(queue: &mut Queue, now: Duration) -> Vec<QueuedEntry> {
    match queue.next(now) {
        Next::Send(request) => {
            queue.answered(request.id, Duration::ZERO);
            request.entries
        }
        other => panic!("{other:?}"),
    }
}

/// Refuses so many of the record's shard that its pace is lowered.
fn refuse(queue: &mut Queue, record: &Record) {
    let load = Load { records: 500, amount: 500.0 };
    queue.lanes[queue.shards.index_of(record.hash_key)].pace.take(10, Duration::ZERO);
    let verdict = Verdict { hash_key: record.hash_key, load, fate: Fate::Refused };
    queue.judged([verdict].into_iter(), Duration::ZERO, Duration::ZERO);
}

#[test]
fn a_request_mixes_shards_and_has_500_records() {
    let mut queue = queue(false);
    for offset in 0..1200 {
        queue.push(record(offset, &format!("k{offset}"), 10));
    }
    let lengths: Vec<_> = (0..3).map(|_| sent(&mut queue, Duration::ZERO).len()).collect();
    assert_eq!(lengths, [500, 500, 200]);
    assert!(matches!(queue.next(Duration::ZERO), Next::Nothing));
    assert_eq!(queue.held(), 1200);
}

#[test]
fn a_shard_has_one_request_in_flight_and_one_prepared() {
    let mut queue = Queue::new(
        ShardMap::even(1),
        Packing { ordered: false, aggregate_bytes: None },
        Rate::new(None, None, Duration::ZERO),
    );
    (0..1400).for_each(|offset| queue.push(record(offset, "k", 10)));
    let next = |queue: &mut Queue| match queue.next(Duration::ZERO) {
        Next::Send(request) => Some((request.id, request.after, request.entries.len())),
        _ => None,
    };
    assert_eq!(next(&mut queue), Some((0, None, 500)));
    assert_eq!(next(&mut queue), None, "nothing is known of the latency");
    queue.latency = WORTH_PREPARING;
    assert_eq!(next(&mut queue), Some((1, Some(0), 500)));
    assert_eq!(next(&mut queue), None);
    queue.answered(0, WORTH_PREPARING);
    assert_eq!(next(&mut queue), None, "400 records are no full request");
    (0..100).for_each(|offset| queue.push(record(1400 + offset, "k", 10)));
    assert_eq!(next(&mut queue), Some((2, Some(1), 500)));
    queue.push(record(1500, "k", 10));
    queue.answered(1, Duration::ZERO);
    queue.answered(2, Duration::ZERO);
    assert_eq!(next(&mut queue), Some((3, None, 1)));
}

#[test]
fn a_shard_that_refuses_entries_delays_no_other_shard() {
    let mut queue = queue(false);
    let refused = record(0, "a", 10);
    refuse(&mut queue, &refused);
    let lane = queue.shards().index_of(refused.hash_key);
    for offset in 0..400 {
        queue.push(record(offset, &format!("k{offset}"), 10));
    }
    let request = sent(&mut queue, Duration::ZERO);
    let to_it = request.iter().filter(|entry| queue.shards().index_of(entry.record.hash_key) == lane).count();
    assert!(to_it <= 1, "{to_it}");
    assert!(request.len() > 250, "{}", request.len());
    let Next::Wait(wait) = queue.next(Duration::ZERO) else { panic!("it waits for the refusing shard") };
    assert!(wait < Duration::from_millis(100));
    assert!(!sent(&mut queue, wait).is_empty());
}

#[test]
fn a_refused_entry_pauses_and_is_sent_first() {
    let mut queue = queue(false);
    queue.push(record(0, "k", 10));
    let entry = sent(&mut queue, Duration::ZERO).remove(0);
    queue.push(record(1, "k", 10));
    queue.settle(&[], vec![entry], Duration::from_millis(50));
    assert_eq!(sent(&mut queue, Duration::ZERO)[0].record.place.offset, 1);
    assert!(matches!(queue.next(Duration::ZERO), Next::Wait(wait) if wait == Duration::from_millis(50)));
    queue.push(record(2, "k", 10));
    let offsets: Vec<_> =
        sent(&mut queue, Duration::from_millis(50)).iter().map(|entry| entry.record.place.offset).collect();
    assert_eq!(offsets, [0, 2]);
}

#[test]
fn entries_of_a_split_shard_are_sent_to_its_children() {
    let mut queue = queue(false);
    for offset in 0..100 {
        queue.push(record(offset, &format!("k{offset}"), 10));
    }
    queue.reshard(ShardMap::even(7));
    assert_eq!(sent(&mut queue, Duration::ZERO).len(), 100);
}

#[test]
fn an_interrupt_takes_back_records_that_were_never_sent() {
    let mut queue = queue(true);
    for offset in 0..10 {
        queue.push(record(offset, "one", 10));
    }
    let first = sent(&mut queue, Duration::ZERO);
    assert_eq!(queue.take_unsent().len(), 9);
    assert_eq!(queue.held(), 1);
    queue.settle(&first, Vec::new(), Duration::ZERO);
    assert_eq!((queue.held(), queue.held_bytes), (0, 0));
}

#[test]
fn an_aggregate_is_for_one_shard_and_has_at_least_two_records() {
    let mut queue = packing(Packing { ordered: false, aggregate_bytes: Some(1000) });
    for offset in 0..200 {
        queue.push(record(offset, &format!("k{offset}"), 50));
    }
    queue.push(record(200, "large", 1000));
    let Next::Send(request) = queue.next(Duration::ZERO) else { panic!("nothing is sent") };
    let mut entries = request.entries.iter();
    let mut plain = Vec::new();
    for put in &request.puts {
        let inside: Vec<_> = entries.by_ref().take(put.entries).collect();
        let shards: Vec<_> = inside.iter().map(|entry| queue.shards().index_of(entry.record.hash_key)).collect();
        match &put.aggregate {
            Some(aggregate) => {
                assert!(inside.len() > 1 && aggregate.builder.len() == inside.len());
                assert!(shards.iter().all(|shard| *shard == queue.shards().index_of(aggregate.hash_key)));
                assert!(aggregate.builder.len_bytes() <= 1000);
            }
            None => plain.extend(inside),
        }
    }
    assert_eq!(entries.count(), 0);
    assert!(plain.iter().any(|entry| entry.record.place.offset == 200));
    assert!(request.puts.len() < 20, "{}", request.puts.len());
}

#[test]
fn a_key_has_one_aggregate_in_flight_with_as_many_records_as_fit() {
    let mut queue = packing(Packing { ordered: true, aggregate_bytes: Some(1000) });
    for offset in 0..20 {
        queue.push(record(offset, "one", 100));
    }
    let offsets = |entries: &[QueuedEntry]| entries.iter().map(|entry| entry.record.place.offset).collect::<Vec<_>>();
    let mut first = sent(&mut queue, Duration::ZERO);
    assert_eq!(offsets(&first), (0..9).collect::<Vec<_>>());
    assert!(matches!(queue.next(Duration::ZERO), Next::Nothing));
    // The first two are abandoned. The others are resent, before entries that were never sent.
    let again = first.split_off(2);
    queue.settle(&first, again, Duration::from_millis(50));
    let second = sent(&mut queue, Duration::from_millis(50));
    assert_eq!(offsets(&second), (2..11).collect::<Vec<_>>());
    assert_eq!(queue.take_unsent().len(), 9);
    queue.settle(&second, Vec::new(), Duration::ZERO);
    assert_eq!((queue.held(), queue.held_bytes), (0, 0));
}

proptest! {
    /// Whatever fails, each record is settled once, and the records of a key in order.
    #[test]
    fn no_entry_is_lost_and_each_key_keeps_its_order(
        keys in prop::collection::vec((0_u8..6, 1_usize..200), 1..300),
        fates in prop::collection::vec(0_u8..5, 50),
        ordered in any::<bool>(),
        aggregate_bytes in prop::option::of(300_usize..1000),
    ) {
        let mut queue = packing(Packing { ordered, aggregate_bytes });
        for (offset, (key, size)) in keys.iter().enumerate() {
            queue.push(record(offset as u64, &key.to_string(), *size));
        }
        let (mut now, mut settled, mut turn) = (Duration::ZERO, Vec::new(), 0_usize);
        loop {
            let mut request = match queue.next(now) {
                Next::Nothing => break,
                Next::Wait(wait) => {
                    now += wait;
                    continue;
                }
                Next::Send(request) => request,
            };
            queue.answered(request.id, Duration::ZERO);
            for put in &request.puts {
                let mut entries: Vec<_> = request.entries.drain(..put.entries).collect();
                turn += 1;
                let fate = if entries[0].attempts < 10 { fates[turn % fates.len()] } else { 4 };
                let (done, again) = match fate {
                    0 => (0, now + after_failure(&mut entries, Extent::Request, 0.5)),
                    1 => {
                        refuse(&mut queue, &entries[0].record);
                        (0, now)
                    }
                    // Some are abandoned, or were put on their shard.
                    2 => (entries.len() / 2, now),
                    _ => (entries.len(), now),
                };
                let unsettled = entries.split_off(done);
                settled.extend(entries.iter().map(|entry| entry.record.place.offset));
                queue.settle(&entries, unsettled, again);
            }
            prop_assert!(request.entries.is_empty());
            if turn % 7 == 0 {
                queue.reshard(ShardMap::even(3 + turn as u32 % 4));
            }
        }
        prop_assert_eq!((queue.held(), queue.held_bytes, queue.ready), (0, 0, 0));
        prop_assert!(queue.lanes.iter().all(|lane| lane.ready_bytes == 0 && lane.under_way.is_empty()));
        if ordered {
            for key in 0..6 {
                let of_key: Vec<_> = settled.iter().filter(|offset| keys[**offset as usize].0 == key).collect();
                prop_assert!(of_key.is_sorted());
            }
        }
        settled.sort_unstable();
        prop_assert_eq!(settled, (0..keys.len() as u64).collect::<Vec<_>>());
    }
}
