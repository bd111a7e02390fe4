//! Tests of `ops-cli tail` against the real endpoint.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod bad_days;
mod live;
mod selecting;
mod stopping;
mod terminal;

use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use common::Endpoint;
use jiff::{SignedDuration, Timestamp};

const GROUP: &str = "/aws/lambda/test-dev";
const STREAM: &str = "stream";

/// An endpoint with log groups, and a client.
struct Fixture {
    endpoint: Endpoint,
    logs: Logs,
}

impl Fixture {
    async fn new() -> Self {
        Self::with_groups(&[GROUP]).await
    }

    async fn with_groups(groups: &[&str]) -> Self {
        let endpoint = Endpoint::start();
        let logs = Logs::new(&endpoint.sdk_config().await);
        let fixture = Self { endpoint, logs };
        for group in groups {
            fixture.create(group, STREAM).await;
        }
        fixture
    }

    /// Creates a log stream, and its group if necessary.
    async fn create(&self, group: &str, stream: &str) {
        self.logs.create_log_group().log_group_name(group).send().await.ok();
        self.logs.create_log_stream().log_group_name(group).log_stream_name(stream).send().await.unwrap();
    }

    async fn put(&self, messages: &[&str]) {
        self.put_to(GROUP, STREAM, Timestamp::now(), messages).await;
    }

    async fn put_at(&self, time: Timestamp, messages: &[&str]) {
        self.put_to(GROUP, STREAM, time, messages).await;
    }

    /// Writes messages with the same timestamp.
    async fn put_to(&self, group: &str, stream: &str, time: Timestamp, messages: &[&str]) {
        for messages in messages.chunks(10_000) {
            let event = |message: &&str| {
                InputLogEvent::builder().timestamp(time.as_millisecond()).message(*message).build().unwrap()
            };
            let events = messages.iter().map(event).collect();
            let request = self.logs.put_log_events().log_group_name(group).log_stream_name(stream);
            request.set_log_events(Some(events)).send().await.unwrap();
        }
    }
}

fn ago(seconds: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_secs(seconds)
}
