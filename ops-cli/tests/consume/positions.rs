//! `--from`, `--to`, `--shard`, `--key` and `--grep`.

use super::common::running::Running;
use super::{Fixture, assert_shown_once, numbered};

#[tokio::test(flavor = "multi_thread")]
async fn every_position_begins_where_it_says() {
    let fixture = Fixture::new(2).await;
    let old = numbered("old", 0..300);
    let positions = fixture.put(&old).await;
    let between = jiff::Timestamp::now();
    // Arrival times have milliseconds.
    while jiff::Timestamp::now().as_millisecond() <= between.as_millisecond() + 1 {
        std::thread::yield_now();
    }
    let new = numbered("new", 0..300);
    fixture.put(&new).await;
    let all = [old.clone(), new.clone()].concat();

    assert_shown_once(fixture.consume(&[]).ok().stdout.lines(), &all);
    assert_shown_once(fixture.consume(&["--from", "trim-horizon"]).ok().stdout.lines(), &all);
    assert_eq!(fixture.consume(&["--from", "latest", "--idle-exit", "300ms"]).ok().stdout, "");
    let since = (between.as_millisecond() + 1).to_string();
    assert_shown_once(fixture.consume(&["--from", &since]).ok().stdout.lines(), &new);
    let until = between.as_millisecond().to_string();
    assert_shown_once(fixture.consume(&["--to", &until]).ok().stdout.lines(), &old);

    // From a record on in one shard, and from one on in each.
    let (index, first) = (100, &positions[100]);
    let from = format!("{}:{}", first.shard_id().unwrap(), first.sequence_number().unwrap());
    let of_shard = fixture.consume(&["--shard", first.shard_id().unwrap()]).ok().stdout;
    let expected: Vec<_> = of_shard.lines().skip_while(|line| **line != old[index]).map(str::to_owned).collect();
    assert!(expected.len() > 50 && expected.len() < of_shard.lines().count());
    assert_eq!(fixture.consume(&["--from", &from]).ok().stdout.lines().collect::<Vec<_>>(), expected);
    let other = positions.iter().rev().find(|other| other.shard_id() != first.shard_id()).unwrap();
    let from_other = format!("{}:{}", other.shard_id().unwrap(), other.sequence_number().unwrap());
    let both = fixture.consume(&["--from", &from, "--from", &from_other]).ok().stdout;
    let other_only = fixture.consume(&["--from", &from_other]).ok().stdout;
    let expected: Vec<_> = expected.into_iter().chain(other_only.lines().map(str::to_owned)).collect();
    assert_shown_once(both.lines(), &expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_records_over_all_shards_are_found_and_the_next_ones_follow() {
    let fixture = Fixture::new(4).await;
    assert_eq!(fixture.consume(&["--from", "-10"]).ok().stdout, "", "an empty stream has none");
    let mut put = Vec::new();
    // One request at a time, so that records arrive in this order.
    for batch in 0..6 {
        let some = numbered(&format!("batch {batch}"), 0..100);
        fixture.put(&some).await;
        put.extend(some);
        let now = jiff::Timestamp::now().as_millisecond();
        while jiff::Timestamp::now().as_millisecond() <= now {
            std::thread::yield_now();
        }
    }
    assert_shown_once(fixture.consume(&["--from", "-200"]).ok().stdout.lines(), &put[400..]);
    assert_shown_once(fixture.consume(&["--from", "-5000"]).ok().stdout.lines(), &put);
    let consume = Running::start(&mut fixture.endpoint.ops(["consume", "--from", "-200", "-f"]));
    consume.stdout.has("batch 5 000099");
    let more = numbered("more", 0..50);
    fixture.put(&more).await;
    more.iter().for_each(|line| consume.stdout.has(line));
    assert_shown_once(consume.stdout.lines(), &[&put[400..], &more[..]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_patterns_select_records() {
    let fixture = Fixture::new(2).await;
    fixture.put(&numbered("order", 0..50)).await;
    let run = fixture.consume(&["--key", "000007", "--key", "000008"]).ok();
    assert_shown_once(run.stdout.lines(), &numbered("order", 7..9));
    assert_shown_once(fixture.consume(&["--grep", "00001[0-4]$"]).ok().stdout.lines(), &numbered("order", 10..15));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_position_is_rejected_before_anything_is_read() {
    let fixture = Fixture::new(2).await;
    let number = "49590338271490256608559692538361571095921575989136588898";
    fixture.consume(&["--from", "oldest"]).failed(2, "--from oldest is neither", "it is trim-horizon, latest, a time");
    fixture.consume(&["--from", "-0"]).failed(2, "not a number of records", "--from 1h");
    fixture.consume(&["--from", "1h", "--to", "2h"]).failed(2, "--to is before --from", "begins at --from");
    fixture.consume(&["--from", &format!("7:{number}")]).failed(
        2,
        "has no shard shardId-000000000007",
        "shardId-000000000000, shardId-000000000001",
    );
    fixture.consume(&["--shard", "orders"]).failed(2, "\"orders\" is not a shard", "ops-cli status");
    fixture.consume(&["--format", "%q"]).failed(2, "there is no directive %q", "%s data");
    fixture.consume(&["--grep", "("]).failed(2, "--grep ( is not a regular expression", "backslash");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_stream_is_an_error_with_similar_names() {
    let fixture = Fixture::new(1).await;
    let run = fixture.endpoint.run(["--stream", "tset-dev", "consume"]);
    run.failed(1, "there is no stream tset-dev in us-east-1", "similar names: test-dev");
}
