//! What becomes of a batch: when it is tried, split, retried and given up. Pure: the clock is passed in.
//!
//! The rules: <https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html>. That partial progress makes
//! the rest a batch with all its retries was recorded against AWS.

use std::collections::VecDeque;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Waits between attempts, in milliseconds: each is twice as long as the one before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    first_ms: i64,
    longest_ms: i64,
}

impl Backoff {
    /// AWS does not publish its waits. It recorded 8 attempts within a record age of 60 seconds, which a first wait between
    /// 240 and 460 ms gives. The longest wait is unverified.
    pub const AWS: Self = Self { first_ms: 300, longest_ms: 30_000 };
    pub const FAST: Self = Self { first_ms: 100, longest_ms: 5_000 };
    /// Of a batch that was not invoked: shards that share a function's reserved concurrency would otherwise leave it idle.
    const THROTTLED: Self = Self { first_ms: 100, longest_ms: 400 };

    fn wait_ms(self, waits: u32) -> i64 {
        self.first_ms.saturating_mul(1 << waits.min(16)).min(self.longest_ms)
    }
}

/// The settings of a mapping that decide about a failed batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// None: until it succeeds.
    pub max_retries: Option<u32>,
    /// Milliseconds since a record's arrival; none: without limit.
    pub max_age_ms: Option<i64>,
    /// Whether a batch that failed is split in two.
    pub bisect: bool,
    pub backoff: Backoff,
}

/// What an invocation made of the records it was given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    Success,
    Failure,
    /// Everything before this index, counted from the batch's first record, is done.
    DoneBefore(usize),
    /// The function was not run at all, which counts as no attempt.
    NotInvoked,
}

/// What to do next with a batch. Ranges count from its first record.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Invoke(Range<usize>),
    /// Ask again after so many milliseconds.
    Wait(i64),
    GiveUp(GivenUp),
    Done,
}

/// Records that will not be tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenUp {
    pub records: Range<usize>,
    pub condition: Condition,
    /// How often the function was invoked with them.
    pub invocations: u32,
}

/// Why records are given up, as the on-failure document names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    RetryAttemptsExhausted,
    RecordAgeExceeded,
}

/// One batch on its way: its records are fixed, what is left of it is tried part by part, in order.
#[derive(Debug)]
pub struct Batch {
    policy: Policy,
    /// Milliseconds since its arrival for which the stream keeps a record.
    retention_ms: i64,
    /// Epoch milliseconds at which each record arrived.
    arrivals: Vec<i64>,
    parts: VecDeque<Part>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Part {
    records: Range<usize>,
    /// Failed attempts that count against the retries.
    failures: u32,
    invocations: u32,
    /// Waits so far, which lengthen the next one.
    waits: u32,
    retry_at: i64,
}

/// What is left of a batch that was begun, with the attempts made so far: who reads the same records again goes on with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempts(Vec<Part>);

impl Attempts {
    /// How many records they are of.
    pub fn records(&self) -> usize {
        self.0.last().map_or(0, |part| part.records.end)
    }

    /// How often the function was invoked with the part that is next.
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
    /// A batch of records that arrived at these times, in epoch milliseconds.
    pub fn new(arrivals: Vec<i64>, policy: Policy) -> Self {
        let all = Part::new(0..arrivals.len());
        Self { policy, retention_ms: i64::MAX, arrivals, parts: VecDeque::from([all]) }
    }

    /// Goes on with what is left of the same records' batch.
    pub fn resume(&mut self, attempts: Attempts) {
        self.parts = attempts.0.into();
    }

    /// What is left, if something of the batch was done or tried; counted from the first record that is left.
    pub fn attempts(&self) -> Option<Attempts> {
        let first = self.parts.front()?.records.start;
        let is_begun = first > 0 || self.parts.iter().any(|part| part.invocations > 0);
        let left = |part: &Part| Part { records: part.records.start - first..part.records.end - first, ..part.clone() };
        (is_begun && first < self.arrivals.len()).then(|| Attempts(self.parts.iter().map(left).collect()))
    }

    /// How long the stream keeps records: then they are given up, whatever the policy. It may change while a batch fails.
    /// That a destination is told so as of an age exceeded is unverified.
    pub fn set_retention(&mut self, milliseconds: i64) {
        self.retention_ms = milliseconds;
    }

    /// How many of the first records are done with: processed or given up.
    pub fn completed(&self) -> usize {
        self.parts.front().map_or(self.arrivals.len(), |part| part.records.start)
    }

    /// What to do at `now`, in epoch milliseconds.
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
            return Action::GiveUp(GivenUp { records, condition: Condition::RecordAgeExceeded, invocations });
        }
        if self.policy.max_retries.is_some_and(|retries| part.failures > retries) {
            let given_up = GivenUp {
                records: part.records.clone(),
                condition: Condition::RetryAttemptsExhausted,
                invocations: part.invocations,
            };
            self.parts.pop_front();
            return Action::GiveUp(given_up);
        }
        if part.retry_at > now {
            let until = part.retry_at.min(expires(part.records.start).saturating_add(1));
            return Action::Wait(until - now);
        }
        Action::Invoke(part.records.clone())
    }

    /// Notes how the invocation went that `next` asked for.
    pub fn finished(&mut self, outcome: Outcome, now: i64) {
        let Some(part) = self.parts.front_mut() else { return };
        match outcome {
            Outcome::Success => {
                self.parts.pop_front();
            }
            Outcome::NotInvoked => part.wait(now, Backoff::THROTTLED),
            Outcome::DoneBefore(index) if part.records.start < index && index < part.records.end => {
                *part = Part::new(index..part.records.end);
            }
            Outcome::DoneBefore(index) if index >= part.records.end => {
                self.parts.pop_front();
            }
            Outcome::Failure | Outcome::DoneBefore(_) => {
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

    /// Splitting is no retry: both halves keep what they have left.
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
