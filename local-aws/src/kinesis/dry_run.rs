//! `DryRun`: a request is validated like any other, but nothing is written or read.
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html>

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{Kinesis, THROUGHPUT_EXCEEDED, now};
use crate::error::AwsError;

/// With limits, the shortest time between two dry runs on a stream.
const MIN_INTERVAL_MS: u64 = 1000;

/// The time of each stream's last dry run, in epoch milliseconds.
#[derive(Default)]
pub(super) struct DryRuns(Mutex<HashMap<String, u64>>);

impl DryRuns {
    /// Counts a dry run on a stream. Returns whether it is allowed now.
    fn accept(&self, stream: &str, now: u64) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|_, last| now < *last + MIN_INTERVAL_MS);
        let is_accepted = !last.contains_key(stream);
        if is_accepted {
            last.insert(stream.to_owned(), now);
        }
        is_accepted
    }
}

impl Kinesis {
    /// The response to a dry run of a request that would have succeeded. With limits, a stream accepts one dry run per
    /// second.
    pub(super) fn dry_run(&self, stream: &str, operation: &str) -> AwsError {
        if !self.shared.has_limits || self.shared.dry_runs.accept(stream, now()) {
            let message = "The request was rejected because the DryRun parameter was specified.";
            return AwsError::bad_request("DryRunOperationException", message);
        }
        // Unverified: AWS's error and message. SubscribeToShard does not have the error of the other operations.
        let code = if operation == "SubscribeToShard" { "LimitExceededException" } else { THROUGHPUT_EXCEEDED };
        let account = &self.shared.account_id;
        AwsError::bad_request(code, format!("Rate exceeded for dry runs on stream {stream} under account {account}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_accepts_one_dry_run_a_second() {
        let dry_runs = DryRuns::default();
        assert!(dry_runs.accept("s", 5000) && !dry_runs.accept("s", 5999) && dry_runs.accept("t", 5999));
        assert!(dry_runs.accept("s", 6000));
    }
}
