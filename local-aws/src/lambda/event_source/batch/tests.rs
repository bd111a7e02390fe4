use proptest::prelude::*;

use super::*;

const FOREVER: Policy = Policy { max_retries: None, max_age_ms: None, bisect: false, backoff: Backoff::FAST };

/// Runs a batch to its end on a clock of its own. Returns the invoked ranges and the abandoned records.
fn run(
    arrivals: Vec<i64>,
    policy: Policy,
    mut outcome: impl FnMut(Range<usize>) -> InvocationOutcome,
) -> (Vec<Range<usize>>, Vec<AbandonedRecords>) {
    let (mut batch, mut now) = (Batch::new(arrivals, policy), 0);
    let (mut invoked, mut abandoned) = (Vec::new(), Vec::new());
    loop {
        match batch.next(now) {
            Action::Invoke(range) => {
                invoked.push(range.clone());
                batch.invoked(outcome(range), now);
            }
            Action::Wait(ms) => {
                assert!(ms > 0);
                now += ms;
            }
            Action::Abandon(records) => abandoned.push(records),
            Action::Done => return (invoked, abandoned),
        }
        assert!(invoked.len() < 10_000, "the batch does not end");
    }
}

/// Fails whenever the poison record is among the records.
fn poisoned(poison: usize) -> impl FnMut(Range<usize>) -> InvocationOutcome {
    move |range| if range.contains(&poison) { InvocationOutcome::Failure } else { InvocationOutcome::Success }
}

fn exhausted(records: Range<usize>, invocations: u32) -> AbandonedRecords {
    AbandonedRecords { records, condition: FailureCondition::RetryAttemptsExhausted, invocations }
}

#[test]
fn a_batch_without_limits_is_retried_until_it_succeeds() {
    let mut left = 5;
    let (invoked, abandoned) = run(vec![0; 3], FOREVER, |_| {
        left -= 1;
        if left == 0 { InvocationOutcome::Success } else { InvocationOutcome::Failure }
    });
    assert_eq!(invoked, vec![0..3; 5]);
    assert!(abandoned.is_empty());
}

#[test]
fn a_batch_is_invoked_once_more_than_its_retries() {
    let policy = Policy { max_retries: Some(2), ..FOREVER };
    let (invoked, abandoned) = run(vec![0; 3], policy, |_| InvocationOutcome::Failure);
    assert_eq!(invoked, vec![0..3; 3]);
    assert_eq!(abandoned, [exhausted(0..3, 3)]);
    let (invoked, _) = run(vec![0; 3], Policy { max_retries: Some(0), ..FOREVER }, |_| InvocationOutcome::Failure);
    assert_eq!(invoked.len(), 1);
}

#[test]
fn bisecting_finds_the_poison_record_and_uses_no_retries() {
    let policy = Policy { max_retries: Some(1), bisect: true, ..FOREVER };
    let (invoked, abandoned) = run(vec![0; 4], policy, poisoned(2));
    assert_eq!(invoked, [0..4, 0..2, 2..4, 2..3, 2..3, 3..4]);
    assert_eq!(abandoned, [exhausted(2..3, 4)]);
}

#[test]
fn partial_progress_makes_the_rest_a_new_batch() {
    // Recorded against AWS: batch of two, the second fails always, three retries: it is seen five times.
    let policy = Policy { max_retries: Some(3), ..FOREVER };
    let (invoked, abandoned) = run(vec![0; 2], policy, |_| InvocationOutcome::DoneBefore(1));
    assert_eq!(invoked, [0..2, 1..2, 1..2, 1..2, 1..2]);
    assert_eq!(abandoned, [exhausted(1..2, 4)]);
}

#[test]
fn bisecting_splits_a_partial_response_where_it_says() {
    let policy = Policy { max_retries: Some(0), bisect: true, ..FOREVER };
    let (invoked, abandoned) = run(vec![0; 8], policy, |range| match range.contains(&5) {
        true => InvocationOutcome::DoneBefore(5),
        false => InvocationOutcome::Success,
    });
    assert_eq!(invoked, [0..8, 5..8, 5..7, 5..6, 6..7, 7..8]);
    assert_eq!(abandoned, [exhausted(5..6, 3)]);
}

#[test]
fn expired_records_are_removed_from_the_batch() {
    let policy = Policy { max_age_ms: Some(1000), ..FOREVER };
    let (invoked, abandoned) = run(vec![-2000, -1500, 500], policy, |_| InvocationOutcome::Success);
    assert_eq!(invoked, vec![2..3; 1]);
    let condition = FailureCondition::RecordAgeExceeded;
    assert_eq!(abandoned, [AbandonedRecords { records: 0..2, condition, invocations: 0 }]);
}

#[test]
fn a_batch_expires_while_it_is_retried_and_not_later() {
    let policy = Policy { max_age_ms: Some(250), ..FOREVER };
    let mut batch = Batch::new(vec![0], policy);
    batch.invoked(InvocationOutcome::Failure, 0);
    assert_eq!(batch.next(0), Action::Wait(100));
    batch.invoked(InvocationOutcome::Failure, 100);
    assert_eq!(batch.next(100), Action::Wait(151));
    assert!(matches!(batch.next(251), Action::Abandon(AbandonedRecords { invocations: 2, .. })));
    assert_eq!(batch.next(251), Action::Done);
}

#[test]
fn a_batch_without_limits_is_abandoned_when_retention_ends() {
    let mut batch = Batch::new(vec![0], FOREVER);
    batch.set_retention(1000);
    batch.invoked(InvocationOutcome::Failure, 950);
    assert_eq!(batch.next(950), Action::Wait(51));
    batch.set_retention(2000);
    assert_eq!(batch.next(1100), Action::Invoke(0..1));
    let condition = FailureCondition::RecordAgeExceeded;
    assert_eq!(batch.next(2001), Action::Abandon(AbandonedRecords { records: 0..1, condition, invocations: 1 }));
    let mut stricter = Batch::new(vec![0], Policy { max_age_ms: Some(10), ..FOREVER });
    stricter.set_retention(1000);
    assert!(matches!(stricter.next(11), Action::Abandon(_)));
}

#[test]
fn a_batch_that_was_not_invoked_has_no_attempt() {
    let mut left = 4;
    let policy = Policy { max_retries: Some(0), ..FOREVER };
    let (invoked, abandoned) = run(vec![0], policy, |_| {
        left -= 1;
        if left == 0 { InvocationOutcome::Success } else { InvocationOutcome::NotInvoked }
    });
    assert_eq!((invoked.len(), abandoned.len()), (4, 0));
}

#[test]
fn the_rest_of_a_batch_resumes_with_its_attempts() {
    let policy = Policy { max_retries: Some(1), bisect: true, ..FOREVER };
    let mut batch = Batch::new(vec![0; 4], policy);
    assert_eq!(batch.attempts(), None);
    // All of it fails, the first half succeeds, the second fails; then its first record does.
    for outcome in
        [InvocationOutcome::Failure, InvocationOutcome::Success, InvocationOutcome::Failure, InvocationOutcome::Failure]
    {
        batch.invoked(outcome, 0);
    }
    let left = batch.attempts().unwrap();
    assert_eq!((left.records(), left.invocations()), (2, 3));
    let mut again = Batch::new(vec![0; 2], policy);
    again.resume(serde_json::from_value(serde_json::to_value(&left).unwrap()).unwrap());
    assert_eq!(again.attempts(), Some(left));
    assert_eq!(again.next(100), Action::Invoke(0..1));
    again.invoked(InvocationOutcome::Failure, 100);
    assert_eq!(again.next(200), Action::Abandon(exhausted(0..1, 4)));
    assert_eq!(again.next(200), Action::Invoke(1..2));
    again.invoked(InvocationOutcome::Success, 200);
    assert_eq!((again.next(200), again.attempts()), (Action::Done, None));
}

#[test]
fn changed_retries_apply_to_a_batch_that_has_failed() {
    let mut batch = Batch::new(vec![0], Policy { max_retries: Some(0), ..FOREVER });
    batch.invoked(InvocationOutcome::Failure, 0);
    let mut patient = Batch::new(vec![0], Policy { max_retries: Some(1), ..FOREVER });
    patient.resume(batch.attempts().unwrap());
    assert_eq!(patient.next(100), Action::Invoke(0..1));
}

#[test]
fn waits_double_up_to_the_maximum() {
    let waits = |backoff| {
        let mut batch = Batch::new(vec![0], Policy { backoff, ..FOREVER });
        let waits = [(); 9].map(|()| {
            batch.invoked(InvocationOutcome::Failure, 0);
            let Action::Wait(ms) = batch.next(0) else { panic!("no wait") };
            ms
        });
        batch.invoked(InvocationOutcome::NotInvoked, 0);
        assert_eq!(batch.next(0), Action::Wait(400), "of a throttled batch");
        waits
    };
    assert_eq!(waits(Backoff::FAST), [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    assert_eq!(waits(Backoff::AWS), [300, 600, 1200, 2400, 4800, 9600, 19_200, 30_000, 30_000]);
}

#[test]
fn a_batch_fails_eight_times_within_a_record_age_of_60_seconds() {
    // Recorded against AWS, with a function that fails at once, and one second before the first attempt.
    let policy = Policy { max_age_ms: Some(60_000), backoff: Backoff::AWS, ..FOREVER };
    for (took_ms, first_ms) in [(5, 0), (5, 1500), (100, 0), (250, 3000)] {
        let (mut batch, mut now) = (Batch::new(vec![0], policy), first_ms);
        let abandoned = loop {
            match batch.next(now) {
                Action::Invoke(_) => {
                    now += took_ms;
                    batch.invoked(InvocationOutcome::Failure, now);
                }
                Action::Wait(ms) => now += ms,
                Action::Abandon(abandoned) => break abandoned,
                Action::Done => panic!("the batch never succeeds"),
            }
        };
        let condition = FailureCondition::RecordAgeExceeded;
        assert_eq!(abandoned, AbandonedRecords { records: 0..1, condition, invocations: 8 }, "after {first_ms} ms");
    }
}

proptest! {
    /// Whatever the function returns, each record is finished once and in order, and the batch ends.
    #[test]
    fn every_record_is_finished_once_and_in_order(
        count in 1usize..40,
        max_retries in 0u32..4,
        bisect: bool,
        ages in prop::option::of(1i64..3000),
        outcomes in prop::collection::vec((0u8..4, 0usize..40), 1..60),
    ) {
        let policy = Policy { max_retries: Some(max_retries), max_age_ms: ages, bisect, backoff: Backoff::FAST };
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
                        (0, _) => InvocationOutcome::Success,
                        (1, _) => InvocationOutcome::Failure,
                        (2, index) => InvocationOutcome::DoneBefore(index),
                        _ => InvocationOutcome::Failure,
                    };
                    batch.invoked(outcome, now);
                    now += 7;
                }
                Action::Wait(ms) => now += ms,
                Action::Abandon(abandoned) => prop_assert_eq!(abandoned.records.start, done),
                Action::Done => break,
            }
            done = batch.completed();
        }
        prop_assert_eq!(batch.completed(), count);
    }
}
