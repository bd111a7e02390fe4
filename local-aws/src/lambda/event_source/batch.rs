//! The rules of a batch: when it is invoked, split, retried and abandoned. Pure: the clock is passed in.
//!
//! The rules: <https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html>. It was
//! recorded on AWS that after partial progress, the rest is a batch with all of its retries.

use std::collections::VecDeque;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Waits between attempts, in milliseconds. Each is twice as long as the one before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    first_ms: i64,
    longest_ms: i64,
}

impl Backoff {
    /// AWS does not publish its waits. 8 attempts within a record age of 60 seconds were recorded, which a first wait between 240
    /// and 460 ms gives. The longest wait is unverified.
    pub const AWS: Self = Self { first_ms: 300, longest_ms: 30_000 };
    pub const FAST: Self = Self { first_ms: 100, longest_ms: 5_000 };
    /// Waits of a batch that was not invoked. They are short, because shards that share a function's reserved concurrency would
    /// otherwise leave it idle.
    const THROTTLED: Self = Self { first_ms: 100, longest_ms: 400 };

    fn wait_ms(self, waits: u32) -> i64 {
        self.first_ms.saturating_mul(1 << waits.min(16)).min(self.longest_ms)
    }
}

/// The settings of a mapping for failed batches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Without a limit, a batch is retried until it succeeds.
    pub max_retries: Option<u32>,
    /// Milliseconds since a record's arrival.
    pub max_age_ms: Option<i64>,
    /// Whether a batch that failed is split in two.
    pub bisect: bool,
    pub backoff: Backoff,
}

/// The outcome of an invocation for the records of its event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum InvocationOutcome {
    Success,
    Failure,
    /// Everything before this index, counted from the batch's first record, is finished.
    DoneBefore(usize),
    /// The function was not run, which does not count as an attempt.
    NotInvoked,
}

/// The next step for a batch. Ranges count from its first record.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Invoke(Range<usize>),
    /// Ask again after this many milliseconds.
    Wait(i64),
    Abandon(AbandonedRecords),
    Done,
}

/// Records that are not retried any more.
#[derive(Debug, Clone, PartialEq)]
pub struct AbandonedRecords {
    pub records: Range<usize>,
    pub condition: FailureCondition,
    /// The number of invocations with them.
    pub invocations: u32,
}

/// The reason why records are abandoned, as the on-failure document names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureCondition {
    RetryAttemptsExhausted,
    RecordAgeExceeded,
}

/// A batch that is being processed. Its records are fixed. What is left of it is invoked part by part, in order.
#[derive(Debug)]
pub struct Batch {
    policy: Policy,
    /// The stream's retention, in milliseconds.
    retention_ms: i64,
    /// Epoch milliseconds at which each record arrived.
    arrivals: Vec<i64>,
    parts: VecDeque<Part>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Part {
    records: Range<usize>,
    /// Failed attempts that use retries.
    failures: u32,
    invocations: u32,
    /// The number of waits so far. It determines the length of the next one.
    waits: u32,
    retry_at: i64,
}

/// The parts that are left of a batch, with the attempts so far. A later reader of the same records resumes them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempts(Vec<Part>);

impl Attempts {
    /// The number of records in the parts.
    pub fn records(&self) -> usize {
        self.0.last().map_or(0, |part| part.records.end)
    }

    /// The number of invocations with the next part.
    pub fn invocations(&self) -> u32 {
        self.0.first().map_or(0, |part| part.invocations)
    }
}

impl Part {
    fn new(records: Range<usize>) -> Self {
        Self { records, failures: 0, invocations: 0, waits: 0, retry_at: i64::MIN }
    }

    fn wait(&mut self, now: i64, backoff: Backoff) {
        self.retry_at = now + backoff.wait_ms(self.waits);
        self.waits += 1;
    }
}

impl Batch {
    /// Creates a batch of records with these arrivals, in epoch milliseconds.
    pub fn new(arrivals: Vec<i64>, policy: Policy) -> Self {
        let all = Part::new(0..arrivals.len());
        Self { policy, retention_ms: i64::MAX, arrivals, parts: VecDeque::from([all]) }
    }

    /// Continues with what was left of a batch of the same records.
    pub fn resume(&mut self, attempts: Attempts) {
        self.parts = attempts.0.into();
    }

    /// The parts that are left, counted from the first record that is left. `None` if nothing was finished or invoked.
    pub fn attempts(&self) -> Option<Attempts> {
        let first = self.parts.front()?.records.start;
        let is_started = first > 0 || self.parts.iter().any(|part| part.invocations > 0);
        let left = |part: &Part| Part { records: part.records.start - first..part.records.end - first, ..part.clone() };
        (is_started && first < self.arrivals.len()).then(|| Attempts(self.parts.iter().map(left).collect()))
    }

    /// Sets the stream's retention, after which records are abandoned whatever the policy. It may change while a batch fails. That
    /// the destination gets the condition `RecordAgeExceeded` is unverified.
    pub fn set_retention(&mut self, milliseconds: i64) {
        self.retention_ms = milliseconds;
    }

    /// The number of records at the beginning that are finished: processed or abandoned.
    pub fn completed(&self) -> usize {
        self.parts.front().map_or(self.arrivals.len(), |part| part.records.start)
    }

    /// The next step at `now`, in epoch milliseconds.
    pub fn next(&mut self, now: i64) -> Action {
        if self.parts.front().is_some_and(|part| part.records.is_empty()) {
            self.parts.pop_front();
        }
        let Some(part) = self.parts.front_mut() else { return Action::Done };
        let max_age = self.policy.max_age_ms.unwrap_or(i64::MAX).min(self.retention_ms);
        let expires = |index: usize| self.arrivals[index].saturating_add(max_age);
        let expired = part.records.clone().take_while(|index| expires(*index) < now).count();
        if expired > 0 {
            let records = part.records.start..part.records.start + expired;
            part.records.start = records.end;
            let invocations = part.invocations;
            return Action::Abandon(AbandonedRecords {
                records,
                condition: FailureCondition::RecordAgeExceeded,
                invocations,
            });
        }
        if self.policy.max_retries.is_some_and(|retries| part.failures > retries) {
            let abandoned = AbandonedRecords {
                records: part.records.clone(),
                condition: FailureCondition::RetryAttemptsExhausted,
                invocations: part.invocations,
            };
            self.parts.pop_front();
            return Action::Abandon(abandoned);
        }
        if part.retry_at > now {
            let until = part.retry_at.min(expires(part.records.start).saturating_add(1));
            return Action::Wait(until - now);
        }
        Action::Invoke(part.records.clone())
    }

    /// Notes the outcome of the invocation that `next` asked for.
    pub fn invoked(&mut self, outcome: InvocationOutcome, now: i64) {
        let Some(part) = self.parts.front_mut() else { return };
        match outcome {
            InvocationOutcome::Success => {
                self.parts.pop_front();
            }
            InvocationOutcome::NotInvoked => part.wait(now, Backoff::THROTTLED),
            InvocationOutcome::DoneBefore(index) if part.records.start < index && index < part.records.end => {
                *part = Part::new(index..part.records.end);
            }
            InvocationOutcome::DoneBefore(index) if index >= part.records.end => {
                self.parts.pop_front();
            }
            InvocationOutcome::Failure | InvocationOutcome::DoneBefore(_) => {
                part.invocations += 1;
                if self.policy.bisect && part.records.len() > 1 {
                    self.bisect();
                } else {
                    part.failures += 1;
                    part.wait(now, self.policy.backoff);
                }
            }
        }
    }

    /// Splits the first part. That uses no retry: both halves keep the failures so far.
    fn bisect(&mut self) {
        let Some(mut first) = self.parts.pop_front() else { return };
        let middle = first.records.start + first.records.len().div_ceil(2);
        let mut second = first.clone();
        second.records.start = middle;
        first.records.end = middle;
        self.parts.push_front(second);
        self.parts.push_front(first);
    }
}

#[cfg(test)]
mod tests;
