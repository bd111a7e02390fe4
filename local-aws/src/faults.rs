//! Fault injection: lets a client test its retries. There are no faults until `POST /_local/faults` adds them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::token_bucket::TokenBucket;

/// A fault of one operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The operation's name, for example `PutRecords`. `*` matches every operation.
    pub operation: String,
    kind: FaultKind,
    /// The probability from 0 to 1 that the fault occurs, for each request, or for each entry if the kind rejects entries.
    #[serde(default = "always")]
    probability: f64,
    /// The same seed and the same requests give the same faults.
    #[serde(default)]
    seed: u64,
    /// For `latency`, the delay of the response. For `functionCrash`, the time that an invocation runs before the crash. In
    /// milliseconds.
    #[serde(default)]
    milliseconds: u64,
    /// For `shardLimit`, the records that a shard accepts per second.
    #[serde(default)]
    records_per_second: u32,
    /// The number of times that the fault occurred.
    #[serde(default, skip_deserializing)]
    struck: u64,
}

fn always() -> f64 {
    1.0
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum FaultKind {
    /// Rejects entries of PutRecords with `ProvisionedThroughputExceededException`.
    ThrottledEntries,
    /// Rejects entries of PutRecords with `InternalFailure`.
    FailedEntries,
    /// Rejects entries above a number of records per second and shard, as a provisioned stream does.
    ShardLimit,
    /// Rejects the request with the service's error for too many requests.
    Throttled,
    /// Rejects the request with status 500.
    ServerError,
    /// Executes the request and closes the connection without a response.
    DroppedAnswer,
    /// Delays the request before it is executed.
    Latency,
    /// Kills the function's process during an invocation. The operation is `Invoke` for every kind of invocation.
    FunctionCrash,
}

/// The faults that occur for one request.
#[derive(Debug, Default, PartialEq)]
pub struct RequestFaults {
    pub wait: Duration,
    pub throttled: bool,
    pub server_error: bool,
    pub drop_answer: bool,
}

/// The fault that occurs for one entry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EntryFault {
    /// The shard has reached its limit.
    Throttled,
    Failed,
}

/// The active faults. Clones share them.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<Active>>>);

struct Active {
    fault: Fault,
    random: u64,
    /// The remaining allowance of each shard, by its ID.
    shards: HashMap<String, TokenBucket>,
}

impl Active {
    fn occurs(&mut self) -> bool {
        let occurs = unit(&mut self.random) < self.fault.probability;
        self.fault.struck += u64::from(occurs);
        occurs
    }

    /// Returns whether one more record exceeds the limit of `shard` at `now`, in epoch milliseconds.
    fn is_over_limit(&mut self, shard: &str, now: u64) -> bool {
        let limit = self.fault.records_per_second as usize;
        let is_over = match self.shards.get_mut(shard) {
            Some(bucket) => !bucket.take(1, now),
            None => !self.shards.entry(shard.to_owned()).or_insert(TokenBucket::full(limit, now)).take(1, now),
        };
        self.fault.struck += u64::from(is_over);
        is_over
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014), as a number from 0 to below 1.
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

    /// Lists the active faults with the number of times that each occurred.
    pub fn list(&self) -> Vec<Fault> {
        self.lock().iter().map(|active| active.fault.clone()).collect()
    }

    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Adds a fault.
    ///
    /// # Errors
    /// The fault is invalid. Returns the reason.
    pub fn set(&self, fault: Fault) -> Result<(), String> {
        if !(0.0..=1.0).contains(&fault.probability) {
            return Err(format!("probability {} is not from 0 to 1", fault.probability));
        }
        let only = match fault.kind {
            FaultKind::ThrottledEntries | FaultKind::FailedEntries | FaultKind::ShardLimit => Some("PutRecords"),
            FaultKind::FunctionCrash => Some("Invoke"),
            FaultKind::Throttled | FaultKind::ServerError | FaultKind::DroppedAnswer | FaultKind::Latency => None,
        };
        if let Some(only) = only.filter(|only| ![*only, "*"].contains(&fault.operation.as_str())) {
            return Err(format!("this kind of fault needs the operation {only}"));
        }
        if fault.kind == FaultKind::ShardLimit && fault.records_per_second == 0 {
            return Err("a shardLimit needs recordsPerSecond".into());
        }
        if fault.kind == FaultKind::Latency && fault.milliseconds == 0 {
            return Err("latency needs milliseconds".into());
        }
        self.lock().push(Active { random: fault.seed, fault, shards: HashMap::new() });
        Ok(())
    }

    /// Decides which faults occur for a request.
    pub fn for_request(&self, operation: &str) -> RequestFaults {
        let mut faults = RequestFaults::default();
        for active in self.lock().iter_mut().filter(|active| active.applies(operation)) {
            let concerns_requests = matches!(
                active.fault.kind,
                FaultKind::Latency | FaultKind::Throttled | FaultKind::ServerError | FaultKind::DroppedAnswer
            );
            if !concerns_requests || !active.occurs() {
                continue;
            }
            match active.fault.kind {
                FaultKind::Latency => faults.wait += Duration::from_millis(active.fault.milliseconds),
                FaultKind::Throttled => faults.throttled = true,
                FaultKind::ServerError => faults.server_error = true,
                _ => faults.drop_answer = true,
            }
        }
        faults
    }

    /// Decides whether a fault occurs for one entry for this shard.
    pub fn for_entry(&self, shard: &str) -> Option<EntryFault> {
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        let mut active = self.lock();
        active.iter_mut().filter(|active| active.applies("PutRecords")).find_map(|active| match active.fault.kind {
            FaultKind::ThrottledEntries => active.occurs().then_some(EntryFault::Throttled),
            FaultKind::FailedEntries => active.occurs().then_some(EntryFault::Failed),
            FaultKind::ShardLimit => active.is_over_limit(shard, now).then_some(EntryFault::Throttled),
            FaultKind::Throttled
            | FaultKind::ServerError
            | FaultKind::DroppedAnswer
            | FaultKind::Latency
            | FaultKind::FunctionCrash => None,
        })
    }

    /// Decides whether the process of an invocation is killed, and after which time.
    pub fn crash_delay(&self) -> Option<Duration> {
        let mut active = self.lock();
        let mut crashes = active
            .iter_mut()
            .filter(|active| active.fault.kind == FaultKind::FunctionCrash && active.applies("Invoke"));
        crashes.find_map(|active| active.occurs().then_some(Duration::from_millis(active.fault.milliseconds)))
    }

    /// Returns whether any fault rejects entries.
    pub fn reject_entries(&self) -> bool {
        self.lock().iter().any(|active| {
            matches!(active.fault.kind, FaultKind::ThrottledEntries | FaultKind::FailedEntries | FaultKind::ShardLimit)
        })
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
    fn a_fault_occurs_with_its_probability_and_repeats_with_its_seed() {
        let fault =
            serde_json::json!({ "operation": "PutRecords", "kind": "serverError", "probability": 0.25, "seed": 7 });
        let run = || -> Vec<bool> {
            let faults = faults(fault.clone());
            (0..10_000).map(|_| faults.for_request("PutRecords").server_error).collect()
        };
        let struck = run().iter().filter(|struck| **struck).count();
        assert!((2300..2700).contains(&struck), "{struck}");
        assert_eq!(run(), run());
        assert_eq!(faults(fault).for_request("PutRecord"), RequestFaults::default());
        let crash = serde_json::json!({ "operation": "Invoke", "kind": "functionCrash", "milliseconds": 3 });
        assert_eq!(faults(crash.clone()).crash_delay(), Some(Duration::from_millis(3)));
        assert_eq!(faults(crash).for_request("Invoke"), RequestFaults::default());
    }

    #[test]
    fn every_operation_can_be_throttled() {
        let faults = faults(serde_json::json!({ "operation": "*", "kind": "throttled" }));
        assert!(faults.for_request("FilterLogEvents").throttled && faults.for_request("").throttled);
        assert_eq!(faults.for_entry("shard"), None);
    }

    #[test]
    fn a_shard_accepts_no_more_than_its_limit() {
        let fault = serde_json::json!({ "operation": "PutRecords", "kind": "shardLimit", "recordsPerSecond": 10 });
        let faults = faults(fault);
        let mut active = faults.lock();
        let mut accepted = |shard: &str, now: u64| (0..100).filter(|_| !active[0].is_over_limit(shard, now)).count();
        assert_eq!((accepted("a", 0), accepted("b", 0), accepted("a", 500)), (10, 10, 5));
    }

    #[test]
    fn invalid_faults_are_rejected() {
        let wrong = |fault: serde_json::Value| Faults::default().set(serde_json::from_value(fault).unwrap()).is_err();
        assert!(wrong(serde_json::json!({ "operation": "*", "kind": "latency" })));
        assert!(wrong(serde_json::json!({ "operation": "*", "kind": "shardLimit" })));
        assert!(wrong(serde_json::json!({ "operation": "*", "kind": "serverError", "probability": 2 })));
        // These would never occur.
        assert!(wrong(serde_json::json!({ "operation": "PutRecord", "kind": "throttledEntries" })));
        assert!(wrong(serde_json::json!({ "operation": "PutRecords", "kind": "functionCrash", "milliseconds": 1 })));
    }
}
