//! Faults on request: a client's retries can be tried against what a service does on a bad day. None are set unless
//! `POST /_local/faults` sets them; `DELETE` ends them, `GET` shows them with how often each struck.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, HttpBody};
use axum::extract::State;
use bytes::Bytes;
use http_body::Frame;
use serde::{Deserialize, Serialize};

use super::{AwsError, operations};
use crate::Services;
use crate::kinesis::Bucket;

/// One kind of fault of one operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// An operation's name, for instance `PutRecords`; `*` is every operation.
    operation: String,
    kind: Kind,
    /// How likely it strikes, 0 to 1: each request, or each entry for the kinds that refuse entries.
    #[serde(default = "always")]
    probability: f64,
    /// The same seed and the same requests give the same faults.
    #[serde(default)]
    seed: u64,
    /// For `latency`: how long an answer is held back; for `functionCrash`: how long an invocation goes well. In milliseconds.
    #[serde(default)]
    milliseconds: u64,
    /// For `shardLimit`: the records a shard takes in a second.
    #[serde(default)]
    records_per_second: u32,
    /// How often it struck.
    #[serde(default, skip_deserializing)]
    struck: u64,
}

fn always() -> f64 {
    1.0
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    /// Entries of PutRecords are refused with `ProvisionedThroughputExceededException`.
    ThrottledEntries,
    /// Entries of PutRecords are refused with `InternalFailure`.
    FailedEntries,
    /// Entries above so many records a second and shard are refused, as by a provisioned stream.
    ShardLimit,
    /// The request is answered 500, and not executed.
    ServerError,
    /// The request is executed, and the connection closed without an answer.
    DroppedAnswer,
    /// The request waits before it is executed.
    Latency,
    /// Of the operation `Invoke`, however it comes about: the function's process is killed meanwhile.
    FunctionCrash,
}

/// What becomes of one request.
#[derive(Debug, Default, PartialEq)]
pub struct Verdict {
    pub wait: Duration,
    pub server_error: bool,
    pub drop_answer: bool,
}

/// Why one entry is refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub code: &'static str,
    pub message: String,
}

/// The faults that are set; clones share them.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<Active>>>);

struct Active {
    fault: Fault,
    random: u64,
    /// What each shard may still take, by its ID.
    shards: HashMap<String, Bucket>,
}

impl Active {
    fn strikes(&mut self) -> bool {
        let strikes = unit(&mut self.random) < self.fault.probability;
        self.fault.struck += u64::from(strikes);
        strikes
    }

    /// Whether one record more is above the limit of `shard` at `now`, in epoch milliseconds.
    fn is_over_limit(&mut self, shard: &str, now: u64) -> bool {
        let limit = self.fault.records_per_second as usize;
        let is_over = match self.shards.get_mut(shard) {
            Some(bucket) => !bucket.take(1, now),
            None => !self.shards.entry(shard.to_owned()).or_insert(Bucket::full(limit, now)).take(1, now),
        };
        self.fault.struck += u64::from(is_over);
        is_over
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014), as a number from 0 up to 1.
fn unit(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, Vec<Active>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, fault: Fault) -> Result<(), String> {
        if !(0.0..=1.0).contains(&fault.probability) {
            return Err(format!("probability {} is not from 0 to 1", fault.probability));
        }
        let only = match fault.kind {
            Kind::ThrottledEntries | Kind::FailedEntries | Kind::ShardLimit => Some("PutRecords"),
            Kind::FunctionCrash => Some("Invoke"),
            Kind::ServerError | Kind::DroppedAnswer | Kind::Latency => None,
        };
        // One that never strikes would be taken for a client that stands everything.
        match (only, fault.operation.as_str()) {
            (_, "*") => {}
            (Some(only), operation) if operation != only => return Err(format!("this kind of fault is of {only}")),
            (None, operation) if !operations::is_named_by_head(operation) => {
                return Err(format!("{operation} is no operation of Kinesis, Lambda or CloudWatch Logs"));
            }
            _ => {}
        }
        if fault.kind == Kind::ShardLimit && fault.records_per_second == 0 {
            return Err("a shardLimit needs recordsPerSecond".into());
        }
        if fault.kind == Kind::Latency && fault.milliseconds == 0 {
            return Err("latency needs milliseconds".into());
        }
        self.lock().push(Active { random: fault.seed, fault, shards: HashMap::new() });
        Ok(())
    }

    /// What becomes of a request for `operation`.
    pub fn of_request(&self, operation: &str) -> Verdict {
        let mut verdict = Verdict::default();
        for active in self.lock().iter_mut().filter(|active| active.applies(operation)) {
            let is_of_request = matches!(active.fault.kind, Kind::Latency | Kind::ServerError | Kind::DroppedAnswer);
            if !is_of_request || !active.strikes() {
                continue;
            }
            match active.fault.kind {
                Kind::Latency => verdict.wait += Duration::from_millis(active.fault.milliseconds),
                Kind::ServerError => verdict.server_error = true,
                _ => verdict.drop_answer = true,
            }
        }
        verdict
    }

    /// Whether one entry for `shard` of `stream` is refused.
    pub fn of_entry(&self, stream: &str, shard: &str) -> Option<Refusal> {
        let throttled = || Refusal {
            code: "ProvisionedThroughputExceededException",
            message: format!("Rate exceeded for shard {shard} in stream {stream} under account 000000000000."),
        };
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        let mut active = self.lock();
        active.iter_mut().filter(|active| active.applies("PutRecords")).find_map(|active| match active.fault.kind {
            Kind::ThrottledEntries => active.strikes().then(throttled),
            Kind::FailedEntries => active
                .strikes()
                .then(|| Refusal { code: "InternalFailure", message: "Internal service failure.".to_owned() }),
            Kind::ShardLimit => active.is_over_limit(shard, now).then(throttled),
            Kind::ServerError | Kind::DroppedAnswer | Kind::Latency | Kind::FunctionCrash => None,
        })
    }

    /// After how long the process of an invocation is to be killed, if at all.
    pub fn of_invocation(&self) -> Option<Duration> {
        let mut active = self.lock();
        let mut crashes =
            active.iter_mut().filter(|active| active.fault.kind == Kind::FunctionCrash && active.applies("Invoke"));
        crashes.find_map(|active| active.strikes().then_some(Duration::from_millis(active.fault.milliseconds)))
    }

    /// Whether there is anything that refuses entries.
    pub fn refuse_entries(&self) -> bool {
        self.lock()
            .iter()
            .any(|active| matches!(active.fault.kind, Kind::ThrottledEntries | Kind::FailedEntries | Kind::ShardLimit))
    }
}

impl Active {
    fn applies(&self, operation: &str) -> bool {
        self.fault.operation == "*" || self.fault.operation == operation
    }
}

/// The 500 that a fault asks for.
pub fn server_error() -> AwsError {
    AwsError::new(500, "InternalFailure", "A fault that was set with /_local/faults.")
}

/// A body that fails at once, upon which the connection is closed.
pub struct NoAnswer;

impl HttpBody for NoAnswer {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::Error::other("a fault that was set with /_local/faults"))))
    }
}

/// `/_local/faults`.
pub fn routes() -> axum::routing::MethodRouter<Services> {
    axum::routing::get(show).post(add).delete(clear)
}

async fn show(State(services): State<Services>) -> Json<Vec<Fault>> {
    Json(services.faults.lock().iter().map(|active| active.fault.clone()).collect())
}

async fn add(State(services): State<Services>, body: Bytes) -> Result<(), (http::StatusCode, String)> {
    let refuse = |reason: String| (http::StatusCode::BAD_REQUEST, format!("{reason}\n"));
    let fault = serde_json::from_slice(&body).map_err(|error| refuse(error.to_string()))?;
    services.faults.set(fault).map_err(refuse)
}

async fn clear(State(services): State<Services>) {
    services.faults.lock().clear();
}

/// An answer that never comes.
pub fn no_answer() -> http::Response<Body> {
    http::Response::new(Body::new(NoAnswer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(fault: serde_json::Value) -> Faults {
        let faults = Faults::default();
        faults.set(serde_json::from_value(fault).unwrap()).unwrap();
        faults
    }

    #[test]
    fn a_fault_strikes_its_operation_as_often_as_it_is_likely_and_alike_for_a_seed() {
        let fault =
            serde_json::json!({ "operation": "PutRecords", "kind": "serverError", "probability": 0.25, "seed": 7 });
        let run = || -> Vec<bool> {
            let faults = faults(fault.clone());
            (0..10_000).map(|_| faults.of_request("PutRecords").server_error).collect()
        };
        let struck = run().iter().filter(|struck| **struck).count();
        assert!((2300..2700).contains(&struck), "{struck}");
        assert_eq!(run(), run());
        assert_eq!(faults(fault).of_request("PutRecord"), Verdict::default());
        let crash = serde_json::json!({ "operation": "Invoke", "kind": "functionCrash", "milliseconds": 3 });
        assert_eq!(faults(crash.clone()).of_invocation(), Some(Duration::from_millis(3)));
        assert_eq!(faults(crash).of_request("Invoke"), Verdict::default());
    }

    #[test]
    fn a_shard_takes_its_limit_and_no_more() {
        let fault = serde_json::json!({ "operation": "PutRecords", "kind": "shardLimit", "recordsPerSecond": 10 });
        let faults = faults(fault);
        let mut active = faults.lock();
        let mut taken = |shard: &str, now: u64| (0..100).filter(|_| !active[0].is_over_limit(shard, now)).count();
        assert_eq!((taken("a", 0), taken("b", 0), taken("a", 500)), (10, 10, 5));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let wrong = |fault: serde_json::Value| Faults::default().set(serde_json::from_value(fault).unwrap()).is_err();
        assert!(wrong(serde_json::json!({ "operation": "*", "kind": "latency" })));
        assert!(wrong(serde_json::json!({ "operation": "*", "kind": "shardLimit" })));
        assert!(wrong(serde_json::json!({ "operation": "*", "kind": "serverError", "probability": 2 })));
        // They would never strike.
        assert!(wrong(serde_json::json!({ "operation": "PutRecrods", "kind": "serverError" })));
        assert!(wrong(serde_json::json!({ "operation": "CreateRole", "kind": "serverError" })));
        assert!(wrong(serde_json::json!({ "operation": "PutRecord", "kind": "throttledEntries" })));
        assert!(wrong(serde_json::json!({ "operation": "PutRecords", "kind": "functionCrash", "milliseconds": 1 })));
    }
}
