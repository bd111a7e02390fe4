//! Tests of the operations: request bodies in, responses out, with a clock that the test sets.

mod durable;
mod events;
mod filter;
mod groups;
mod live_tail;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};

use super::{InputEvent, Logs};
use crate::error::AwsError;
use crate::store::{Budget, Store};

/// 2025-01-01T00:00:00Z.
const NOW: i64 = 1_735_689_600_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

struct Fixture {
    logs: Logs,
    clock: Arc<AtomicI64>,
}

impl Fixture {
    fn new() -> Self {
        Self::on(Store::default(), usize::MAX)
    }

    fn on(store: Store, memory_limit: usize) -> Self {
        let clock = Arc::new(AtomicI64::new(NOW));
        let now = Arc::clone(&clock);
        let now = move || now.load(Ordering::SeqCst);
        let budget = Budget::new(memory_limit);
        Self { logs: Logs::with_clock("eu-central-1", "111111111111", store, budget, now).unwrap(), clock }
    }

    /// Creates group `g` and stream `s`.
    fn with_stream() -> Self {
        let fixture = Self::new();
        fixture.ok("CreateLogGroup", json!({"logGroupName": "g"}));
        fixture.ok("CreateLogStream", json!({"logGroupName": "g", "logStreamName": "s"}));
        fixture
    }

    fn advance(&self, milliseconds: i64) {
        self.clock.fetch_add(milliseconds, Ordering::SeqCst);
    }

    fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        self.logs.call(operation, input.to_string().as_bytes())
    }

    fn ok(&self, operation: &str, input: Value) -> Value {
        match self.call(operation, input) {
            Ok(output) => output,
            Err(error) => panic!("{operation}: {error:?}"),
        }
    }

    /// The code and message of an expected error.
    fn refused(&self, operation: &str, input: Value) -> (String, String) {
        match self.call(operation, input) {
            Ok(output) => panic!("{operation} answered {output}"),
            Err(error) => {
                assert_eq!(error.status, 400);
                (error.code.into_owned(), error.message)
            }
        }
    }

    /// Puts events, each a timestamp and a message, on a stream of group `g`.
    fn put(&self, stream: &str, events: &[(i64, &str)]) -> Value {
        let events: Vec<Value> = events.iter().map(|(t, m)| json!({"timestamp": t, "message": m})).collect();
        self.ok("PutLogEvents", json!({"logGroupName": "g", "logStreamName": stream, "logEvents": events}))
    }
}

/// The value of a member in each element.
fn each<'a>(list: &'a Value, member: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|element| element[member].as_str().unwrap()).collect()
}

#[test]
fn unknown_operations_and_bodies_that_are_not_json_are_refused() {
    let fixture = Fixture::new();
    let (code, text) = fixture.refused("StartQuery", json!({}));
    assert_eq!(code, "UnknownOperationException");
    assert!(text.contains("StartQuery"), "{text}");
    assert_eq!(fixture.logs.call("DescribeLogGroups", b"{").unwrap_err().code, "SerializationException");
    assert_eq!(fixture.refused("DescribeLogGroups", json!({"limit": "ten"})).0, "SerializationException");
    assert_eq!(fixture.logs.call("DescribeLogGroups", b"").unwrap(), json!({"logGroups": []}));
}
