//! Splits and merges while a stream is read.

use super::common::running::Running;
use super::{Fixture, assert_shown_once, numbered};

/// Puts records before, between and after a split and a merge.
async fn reshard(fixture: &Fixture) -> Vec<String> {
    let mut put = Vec::new();
    for (step, shards) in [2, 4, 2, 1].into_iter().enumerate() {
        if step > 0 {
            fixture.scale(shards).await;
        }
        let some = numbered(&format!("step {step}"), 0..400);
        fixture.put(&some).await;
        put.extend(some);
    }
    put
}

/// Asserts that the records of a key are in order: all have the step in which they were put.
#[track_caller]
fn assert_in_order(shown: &[String]) {
    for n in 0..400 {
        let key = format!(" {n:06}");
        let steps: Vec<_> = shown.iter().filter(|line| line.ends_with(&key)).collect();
        assert!(steps.is_sorted(), "{steps:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_records_are_read_once_and_in_order_over_splits_and_merges() {
    let fixture = Fixture::new(2).await;
    let put = reshard(&fixture).await;
    let shown: Vec<_> = fixture.consume(&[]).ok().stdout.lines().map(str::to_owned).collect();
    assert_shown_once(&shown, &put);
    assert_in_order(&shown);
    let from_last = fixture.consume(&["--from", "-300"]).ok().stdout;
    assert_eq!(from_last.lines().filter(|line| line.starts_with("step 3")).count(), 300);
    assert_eq!(from_last.lines().count(), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_reads_all_records_once_while_the_stream_is_split_and_merged() {
    let fixture = Fixture::new(2).await;
    let consume = Running::start(&mut fixture.endpoint.ops(["consume", "-f"]));
    let put = reshard(&fixture).await;
    put.iter().rev().take(400).for_each(|line| consume.stdout.has(line));
    let shown = consume.stdout.lines();
    assert_shown_once(&shown, &put);
    assert_in_order(&shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_in_a_parent_continues_in_its_children() {
    let fixture = Fixture::new(1).await;
    let first = numbered("first", 0..10);
    let positions = fixture.put(&first).await;
    fixture.scale(2).await;
    let second = numbered("second", 0..10);
    fixture.put(&second).await;
    let from = format!("0:{}", positions[4].sequence_number().unwrap());
    let expected = [&first[4..], &second[..]].concat();
    assert_shown_once(fixture.consume(&["--from", &from]).ok().stdout.lines(), &expected);
}
