//! Faults on request: a client's retries can be tried against what a service does on a bad day. None are set unless
//! `POST /_local/faults` sets them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bucket::Bucket;

/// One kind of fault of one operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// An operation's name, for instance `PutRecords`; `*` is every operation.
    pub operation: String,
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
    /// The request is answered as the service answers a caller that sends too many, and not executed.
    Throttled,
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
    pub throttled: bool,
    pub server_error: bool,
    pub drop_answer: bool,
}

/// Why one entry is refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refusal {
    /// Its shard has reached its limit.
    Throttled,
    Failed,
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

    /// Those that are set, with how often each struck.
    pub fn list(&self) -> Vec<Fault> {
        self.lock().iter().map(|active| active.fault.clone()).collect()
    }

    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Sets one more.
    ///
    /// # Errors
    /// It makes no sense, and why.
    pub fn set(&self, fault: Fault) -> Result<(), String> {
        if !(0.0..=1.0).contains(&fault.probability) {
            return Err(format!("probability {} is not from 0 to 1", fault.probability));
        }
        let only = match fault.kind {
            Kind::ThrottledEntries | Kind::FailedEntries | Kind::ShardLimit => Some("PutRecords"),
            Kind::FunctionCrash => Some("Invoke"),
            Kind::Throttled | Kind::ServerError | Kind::DroppedAnswer | Kind::Latency => None,
        };
        if let Some(only) = only.filter(|only| ![*only, "*"].contains(&fault.operation.as_str())) {
            return Err(format!("this kind of fault is of {only}"));
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
            let is_of_request =
                matches!(active.fault.kind, Kind::Latency | Kind::Throttled | Kind::ServerError | Kind::DroppedAnswer);
            if !is_of_request || !active.strikes() {
                continue;
            }
            match active.fault.kind {
                Kind::Latency => verdict.wait += Duration::from_millis(active.fault.milliseconds),
                Kind::Throttled => verdict.throttled = true,
                Kind::ServerError => verdict.server_error = true,
                _ => verdict.drop_answer = true,
            }
        }
        verdict
    }

    /// Whether one entry for this shard is refused.
    pub fn of_entry(&self, shard: &str) -> Option<Refusal> {
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        let mut active = self.lock();
        active.iter_mut().filter(|active| active.applies("PutRecords")).find_map(|active| match active.fault.kind {
            Kind::ThrottledEntries => active.strikes().then_some(Refusal::Throttled),
            Kind::FailedEntries => active.strikes().then_some(Refusal::Failed),
            Kind::ShardLimit => active.is_over_limit(shard, now).then_some(Refusal::Throttled),
            Kind::Throttled | Kind::ServerError | Kind::DroppedAnswer | Kind::Latency | Kind::FunctionCrash => None,
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
    fn every_operation_can_be_throttled() {
        let faults = faults(serde_json::json!({ "operation": "*", "kind": "throttled" }));
        assert!(faults.of_request("FilterLogEvents").throttled && faults.of_request("").throttled);
        assert_eq!(faults.of_entry("shard"), None);
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
        assert!(wrong(serde_json::json!({ "operation": "PutRecord", "kind": "throttledEntries" })));
        assert!(wrong(serde_json::json!({ "operation": "PutRecords", "kind": "functionCrash", "milliseconds": 1 })));
    }
}
