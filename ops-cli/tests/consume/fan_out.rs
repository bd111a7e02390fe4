//! `--fan-out`.

use std::process::Stdio;

use serde_json::json;

use super::common::running::Running;
use super::{Fixture, STREAM, assert_shown_once, numbered};

impl Fixture {
    async fn consumers(&self) -> Vec<String> {
        let described = self.kinesis.describe_stream_summary().stream_name(STREAM).send().await.unwrap();
        let arn = described.stream_description_summary.unwrap().stream_arn;
        let listed = self.kinesis.list_stream_consumers().stream_arn(arn).send().await.unwrap();
        listed.consumers.unwrap_or_default().into_iter().map(|consumer| consumer.consumer_name).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_reads_over_a_split_and_is_removed_at_the_end() {
    let fixture = Fixture::new(1).await;
    let mut put = numbered("first", 0..500);
    fixture.put(&put).await;
    fixture.scale(2).await;
    let second = numbered("second", 0..500);
    fixture.put(&second).await;
    put.extend(second);
    assert_shown_once(fixture.consume(&["--fan-out", "mine"]).ok().stdout.lines(), &put);
    assert!(fixture.consumers().await.is_empty());
    assert_eq!(fixture.consume(&["--fan-out", "mine", "--count", "7"]).ok().stdout.lines().count(), 7);
    assert!(fixture.consumers().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consumer_is_removed_after_signals_and_a_closed_pipe() {
    let fixture = Fixture::new(2).await;
    let put = numbered("record", 0..10);
    fixture.put(&put).await;
    for signal in ["-INT", "-TERM"] {
        let mut consume = Running::start(&mut fixture.endpoint.ops(["consume", "-f", "--fan-out", "mine"]));
        put.iter().for_each(|line| consume.stdout.has(line));
        assert_eq!(fixture.consumers().await, ["mine"]);
        consume.signal(signal);
        assert_eq!(consume.ended(), 130);
        assert!(fixture.consumers().await.is_empty(), "{signal}");
    }
    let mut consume = fixture.endpoint.ops(["consume", "-f", "--fan-out", "mine"]);
    let mut child = consume.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(fixture.consumers().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_of_another_program_is_neither_used_nor_removed() {
    let fixture = Fixture::new(1).await;
    let described = fixture.kinesis.describe_stream_summary().stream_name(STREAM).send().await.unwrap();
    let arn = described.stream_description_summary.unwrap().stream_arn;
    fixture.kinesis.register_stream_consumer().stream_arn(arn).consumer_name("theirs").send().await.unwrap();
    fixture.consume(&["--fan-out", "theirs"]).failed(1, "already has a consumer theirs", "use another name");
    assert_eq!(fixture.consumers().await, ["theirs"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_fails_or_breaks_off_is_renewed() {
    let fixture = Fixture::new(1).await;
    fixture
        .endpoint
        .fault(&json!({ "operation": "SubscribeToShard", "kind": "serverError", "probability": 0.5, "seed": 3 }));
    let consume = Running::start(&mut fixture.endpoint.ops(["consume", "-f", "--fan-out", "mine"]));
    let put = numbered("record", 0..100);
    for (n, records) in put.chunks(20).enumerate() {
        fixture.put(records).await;
        records.iter().for_each(|line| consume.stdout.has(line));
        if n == 2 {
            // Another subscription of the same consumer ends the first.
            let described = fixture.kinesis.describe_stream_summary().stream_name(STREAM).send().await.unwrap();
            let arn = described.stream_description_summary.unwrap().stream_arn;
            let listed = fixture.kinesis.list_stream_consumers().stream_arn(arn).send().await.unwrap();
            let consumer_arn = &listed.consumers()[0].consumer_arn;
            let position = aws_sdk_kinesis::types::StartingPosition::builder().r#type("LATEST".into()).build().unwrap();
            let subscribe = fixture.kinesis.subscribe_to_shard().consumer_arn(consumer_arn);
            let subscribe = subscribe.shard_id("shardId-000000000000").starting_position(position);
            while subscribe.clone().send().await.is_err() {}
        }
    }
    assert_shown_once(consume.stdout.lines(), &put);
}
