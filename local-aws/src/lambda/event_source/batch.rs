//! What becomes of a batch: when it is tried, split, retried and given up. Pure: the clock is passed in.
//!
//! The rules: <https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html>. That partial progress makes
//! the rest a batch with all its retries was recorded against AWS.

use std::collections::VecDeque;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The first wait before a retry, in milliseconds; each further one is twice as long. AWS's own waits are unverified.
const FIRST_WAIT_MS: i64 = 100;
const LONGEST_WAIT_MS: i64 = 5_000;
/// Of what was not invoked: shards that share a function's reserved concurrency would otherwise leave it idle.
const LONGEST_THROTTLED_WAIT_MS: i64 = 400;

/// The settings of a mapping that decide about a failed batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// None: until it succeeds.
    pub max_retries: Option<u32>,
    /// Milliseconds since a record's arrival; none: without limit.
    pub max_age_ms: Option<i64>,
    /// Whether a batch that failed is split in two.
    pub bisect: bool,
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

    fn wait(&mut self, now: i64, longest: i64) {
        let wait = FIRST_WAIT_MS.saturating_mul(1 << self.waits.min(16)).min(longest);
        self.waits += 1;
        self.retry_at = now + wait;
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
            Outcome::NotInvoked => part.wait(now, LONGEST_THROTTLED_WAIT_MS),
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
                    part.wait(now, LONGEST_WAIT_MS);
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FOREVER: Policy = Policy { max_retries: None, max_age_ms: None, bisect: false };

    /// Runs a batch to its end on a clock of its own. Returns the ranges invoked and what was given up.
    fn run(
        arrivals: Vec<i64>,
        policy: Policy,
        mut outcome: impl FnMut(Range<usize>) -> Outcome,
    ) -> (Vec<Range<usize>>, Vec<GivenUp>) {
        let (mut batch, mut now) = (Batch::new(arrivals, policy), 0);
        let (mut invoked, mut given_up) = (Vec::new(), Vec::new());
        loop {
            match batch.next(now) {
                Action::Invoke(range) => {
                    invoked.push(range.clone());
                    batch.finished(outcome(range), now);
                }
                Action::Wait(ms) => {
                    assert!(ms > 0);
                    now += ms;
                }
                Action::GiveUp(records) => given_up.push(records),
                Action::Done => return (invoked, given_up),
            }
            assert!(invoked.len() < 10_000, "the batch does not end");
        }
    }

    /// Fails whenever the poison record is among the records.
    fn poisoned(poison: usize) -> impl FnMut(Range<usize>) -> Outcome {
        move |range| if range.contains(&poison) { Outcome::Failure } else { Outcome::Success }
    }

    fn exhausted(records: Range<usize>, invocations: u32) -> GivenUp {
        GivenUp { records, condition: Condition::RetryAttemptsExhausted, invocations }
    }

    #[test]
    fn without_a_limit_the_same_batch_is_tried_until_it_succeeds() {
        let mut left = 5;
        let (invoked, given_up) = run(vec![0; 3], FOREVER, |_| {
            left -= 1;
            if left == 0 { Outcome::Success } else { Outcome::Failure }
        });
        assert_eq!(invoked, vec![0..3; 5]);
        assert!(given_up.is_empty());
    }

    #[test]
    fn a_batch_is_invoked_once_more_than_its_retries() {
        let policy = Policy { max_retries: Some(2), ..FOREVER };
        let (invoked, given_up) = run(vec![0; 3], policy, |_| Outcome::Failure);
        assert_eq!(invoked, vec![0..3; 3]);
        assert_eq!(given_up, [exhausted(0..3, 3)]);
        let (invoked, _) = run(vec![0; 3], Policy { max_retries: Some(0), ..FOREVER }, |_| Outcome::Failure);
        assert_eq!(invoked.len(), 1);
    }

    #[test]
    fn bisecting_finds_the_poison_record_and_uses_no_retries() {
        let policy = Policy { max_retries: Some(1), bisect: true, ..FOREVER };
        let (invoked, given_up) = run(vec![0; 4], policy, poisoned(2));
        assert_eq!(invoked, [0..4, 0..2, 2..4, 2..3, 2..3, 3..4]);
        assert_eq!(given_up, [exhausted(2..3, 4)]);
    }

    #[test]
    fn partial_progress_makes_the_rest_a_new_batch() {
        // Recorded against AWS: batch of two, the second fails always, three retries: it is seen five times.
        let policy = Policy { max_retries: Some(3), ..FOREVER };
        let (invoked, given_up) = run(vec![0; 2], policy, |_| Outcome::DoneBefore(1));
        assert_eq!(invoked, [0..2, 1..2, 1..2, 1..2, 1..2]);
        assert_eq!(given_up, [exhausted(1..2, 4)]);
    }

    #[test]
    fn with_bisecting_a_partial_answer_splits_where_it_says() {
        let policy = Policy { max_retries: Some(0), bisect: true, ..FOREVER };
        let (invoked, given_up) = run(vec![0; 8], policy, |range| match range.contains(&5) {
            true => Outcome::DoneBefore(5),
            false => Outcome::Success,
        });
        assert_eq!(invoked, [0..8, 5..8, 5..7, 5..6, 6..7, 7..8]);
        assert_eq!(given_up, [exhausted(5..6, 3)]);
    }

    #[test]
    fn expired_records_are_cut_from_the_batch() {
        let policy = Policy { max_age_ms: Some(1000), ..FOREVER };
        let (invoked, given_up) = run(vec![-2000, -1500, 500], policy, |_| Outcome::Success);
        assert_eq!(invoked, vec![2..3; 1]);
        let condition = Condition::RecordAgeExceeded;
        assert_eq!(given_up, [GivenUp { records: 0..2, condition, invocations: 0 }]);
    }

    #[test]
    fn a_batch_expires_while_it_is_retried_and_not_later() {
        let policy = Policy { max_age_ms: Some(250), ..FOREVER };
        let mut batch = Batch::new(vec![0], policy);
        batch.finished(Outcome::Failure, 0);
        assert_eq!(batch.next(0), Action::Wait(100));
        batch.finished(Outcome::Failure, 100);
        assert_eq!(batch.next(100), Action::Wait(151));
        assert!(matches!(batch.next(251), Action::GiveUp(GivenUp { invocations: 2, .. })));
        assert_eq!(batch.next(251), Action::Done);
    }

    #[test]
    fn a_batch_without_limits_is_given_up_when_retention_ends() {
        let mut batch = Batch::new(vec![0], FOREVER);
        batch.set_retention(1000);
        batch.finished(Outcome::Failure, 950);
        assert_eq!(batch.next(950), Action::Wait(51));
        batch.set_retention(2000);
        assert_eq!(batch.next(1100), Action::Invoke(0..1));
        let condition = Condition::RecordAgeExceeded;
        assert_eq!(batch.next(2001), Action::GiveUp(GivenUp { records: 0..1, condition, invocations: 1 }));
        let mut stricter = Batch::new(vec![0], Policy { max_age_ms: Some(10), ..FOREVER });
        stricter.set_retention(1000);
        assert!(matches!(stricter.next(11), Action::GiveUp(_)));
    }

    #[test]
    fn not_being_invoked_counts_as_no_attempt() {
        let mut left = 4;
        let policy = Policy { max_retries: Some(0), ..FOREVER };
        let (invoked, given_up) = run(vec![0], policy, |_| {
            left -= 1;
            if left == 0 { Outcome::Success } else { Outcome::NotInvoked }
        });
        assert_eq!((invoked.len(), given_up.len()), (4, 0));
    }

    #[test]
    fn what_is_left_of_a_batch_goes_on_where_it_was() {
        let policy = Policy { max_retries: Some(1), bisect: true, ..FOREVER };
        let mut batch = Batch::new(vec![0; 4], policy);
        assert_eq!(batch.attempts(), None);
        // All of it fails, the first half succeeds, the second fails; then its first record does.
        for outcome in [Outcome::Failure, Outcome::Success, Outcome::Failure, Outcome::Failure] {
            batch.finished(outcome, 0);
        }
        let left = batch.attempts().unwrap();
        assert_eq!((left.records(), left.invocations()), (2, 3));
        let mut again = Batch::new(vec![0; 2], policy);
        again.resume(serde_json::from_value(serde_json::to_value(&left).unwrap()).unwrap());
        assert_eq!(again.attempts(), Some(left));
        assert_eq!(again.next(100), Action::Invoke(0..1));
        again.finished(Outcome::Failure, 100);
        assert_eq!(again.next(200), Action::GiveUp(exhausted(0..1, 4)));
        assert_eq!(again.next(200), Action::Invoke(1..2));
        again.finished(Outcome::Success, 200);
        assert_eq!((again.next(200), again.attempts()), (Action::Done, None));
    }

    #[test]
    fn a_change_of_the_retries_holds_for_what_has_failed() {
        let mut batch = Batch::new(vec![0], Policy { max_retries: Some(0), ..FOREVER });
        batch.finished(Outcome::Failure, 0);
        let mut patient = Batch::new(vec![0], Policy { max_retries: Some(1), ..FOREVER });
        patient.resume(batch.attempts().unwrap());
        assert_eq!(patient.next(100), Action::Invoke(0..1));
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut batch = Batch::new(vec![0], FOREVER);
        let mut waits = Vec::new();
        for _ in 0..8 {
            batch.finished(Outcome::Failure, 0);
            let Action::Wait(ms) = batch.next(0) else { panic!("no wait") };
            waits.push(ms);
        }
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        batch.finished(Outcome::NotInvoked, 0);
        assert_eq!(batch.next(0), Action::Wait(LONGEST_THROTTLED_WAIT_MS));
    }

    proptest! {
        /// Whatever the function answers: each record is done once, in order, and the batch ends.
        #[test]
        fn every_record_is_done_with_once_and_in_order(
            count in 1usize..40,
            max_retries in 0u32..4,
            bisect: bool,
            ages in prop::option::of(1i64..3000),
            outcomes in prop::collection::vec((0u8..4, 0usize..40), 1..60),
        ) {
            let policy = Policy { max_retries: Some(max_retries), max_age_ms: ages, bisect };
            let arrivals = (0..count).map(|index| i64::try_from(index).unwrap() * 100).collect();
            let (mut batch, mut now, mut done) = (Batch::new(arrivals, policy), 0, 0);
            let mut outcomes = outcomes.into_iter().cycle();
            for step in 0.. {
                prop_assert!(step < 20_000, "the batch does not end");
                prop_assert!(batch.completed() >= done);
                match batch.next(now) {
                    Action::Invoke(range) => {
                        prop_assert_eq!(range.start, done);
                        prop_assert!(!range.is_empty());
                        let outcome = match outcomes.next().unwrap() {
                            (0, _) => Outcome::Success,
                            (1, _) => Outcome::Failure,
                            (2, index) => Outcome::DoneBefore(index),
                            _ => Outcome::Failure,
                        };
                        batch.finished(outcome, now);
                        now += 7;
                    }
                    Action::Wait(ms) => now += ms,
                    Action::GiveUp(given_up) => prop_assert_eq!(given_up.records.start, done),
                    Action::Done => break,
                }
                done = batch.completed();
            }
            prop_assert_eq!(batch.completed(), count);
        }
    }
}
