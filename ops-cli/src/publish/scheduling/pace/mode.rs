//! The reaction to a shard's refusals: a state machine over the findings of each epoch. Pure.

use std::time::Duration;

use super::super::load::DOCUMENTED;
use super::epoch::Findings;
use super::knee::Knee;

/// A refused share that needs no reaction.
pub(super) const TOLERATED: f64 = 0.03;
/// The same in an epoch whose refused entries were in one request: another producer's burst may have preceded it.
pub(super) const TOLERATED_ONCE: f64 = 0.2;
/// The same while the cause of refusals is not known, where a mistake costs most.
pub(super) const TOLERATED_IN_FREE: f64 = 0.05;
/// A test succeeds if it lowers the refused share to this part of what it was, and below `TOLERATED`.
const CLEARED: f64 = 0.25;
/// A test fails if more than this part of the refused share remains.
const UNCHANGED: f64 = 0.5;
/// A test after the first step sends this part of what was accepted.
const TEST: f64 = 0.75;
const TEST_STEPS: u32 = 4;
/// A check sends this part of what was sent before.
const CHECK: f64 = 0.5;
/// A check succeeds if an entry's chance of being accepted rises to this multiple. Refusals at random leave it the same.
const RAISED: f64 = 1.4;
/// `Limited`: the rate grows by this part of the documented rate a second, and the growth itself grows by `ACCELERATION`
/// while there are few refusals.
const FIRST_GROWTH: f64 = 0.04;
const ACCELERATION: f64 = 3.0;
const FASTEST_GROWTH: f64 = 5.0;
const RECOVERY_GROWTH: f64 = 2.0;
/// A longer epoch counts as this many seconds, because its growth is not tested in steps.
const LONGEST_STEP_SECONDS: f64 = 0.4;
/// `Contended`: the refused share beside a competitor at a low rate, as long as no test has found it.
const ASSUMED_BASELINE: f64 = 0.1;
/// `Contended`: the rate grows until an entry's chance of being accepted falls to this part of what it was in the test.
const WORTH_IT: f64 = 0.7;
/// The same while the rate is unlimited.
const UNLIMITED_WORTH_IT: f64 = 0.5;
const CONTENDED_DECREASE: f64 = 0.8;
/// `Contended`: the growth of the rate in each epoch, before and after refusals rise.
const UNAFFECTED: f64 = 0.9;
const FAST_RISE: f64 = 2.0;
const SLOW_RISE: f64 = 1.2;
/// With a larger refused share than this, the shard accepts nothing, and sending more is useless.
const HOPELESS: f64 = 0.999;
const HOPELESS_DECREASE: f64 = 0.3;
/// The time until the first test, if the refusals were scattered.
const FIRST_CHECK: Duration = Duration::from_secs(2);
const FIRST_RETEST: Duration = Duration::from_secs(5);
const LAST_RETEST: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mode {
    /// Few refusals, or none. The rate is unlimited.
    Free,
    /// Many refusals of unknown cause. The rate is halved to see whether it matters.
    Checking(Test),
    /// Many refusals of unknown cause. The rate is lowered step by step, for one epoch each.
    Testing(Test),
    /// The refusals ended when less was sent, so that our own load causes them. The rate is just above the load that the
    /// shard accepts.
    Limited { growth: f64 },
    /// The refusals did not end: others write to the shard, or it refuses at random. The rate is raised as long as that is
    /// worth it. It is unlimited if the refusals were scattered from the start.
    Contended {
        /// The refused share that the test found.
        baseline: f64,
        retest: Duration,
        interval: Duration,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Test {
    step: u32,
    /// The refused share before this step.
    refused: f64,
    /// The accepted load before the first step.
    accepted: f64,
    resume: Resume,
}

/// The mode to return to if the rate turns out not to matter.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Resume {
    rate: f64,
    /// The time until the next test.
    interval: Duration,
}

impl Mode {
    /// Whether a decision needs more evidence than usual.
    pub(super) fn is_test(&self) -> bool {
        matches!(self, Self::Checking(_) | Self::Testing(_))
    }

    /// Whether refusals have just begun at a rate that had none.
    pub(super) fn is_at_its_knee(&self, findings: &Findings) -> bool {
        matches!(self, Self::Limited { .. }) && findings.is_refusing()
    }
}

/// Starts the first test, at the documented rate.
pub(super) fn first_test(refused: f64) -> (Mode, f64) {
    test(DOCUMENTED, refused)
}

/// Starts a test at a rate.
fn test(rate: f64, refused: f64) -> (Mode, f64) {
    let resume = Resume { rate, interval: FIRST_RETEST };
    (Mode::Testing(Test { step: 1, refused, accepted: rate, resume }), rate)
}

/// Starts a check whether the rate matters.
fn check(rate: f64, findings: Findings, interval: Duration) -> (Mode, f64) {
    let Findings { refused, offered, accepted, .. } = findings;
    let resume = Resume { rate, interval: (interval * 2).min(LAST_RETEST) };
    let accepted = if rate.is_infinite() { accepted.min(DOCUMENTED) } else { accepted };
    (Mode::Checking(Test { step: 0, refused, accepted, resume }), offered * CHECK)
}

/// Returns the next mode and rate.
pub(super) fn decide(mode: &Mode, rate: f64, findings: Findings, knee: &Knee, now: Duration) -> (Mode, f64) {
    let Findings { refused, accepted, .. } = findings;
    match mode {
        Mode::Free if refused <= TOLERATED_IN_FREE => (Mode::Free, rate),
        Mode::Free if refused <= HOPELESS && findings.are_scattered => {
            (Mode::Contended { baseline: refused, retest: now + FIRST_CHECK, interval: FIRST_RETEST }, rate)
        }
        // The load that was accepted after a pause does not show the shard's rate.
        Mode::Free => test(accepted.min(DOCUMENTED), refused),
        Mode::Checking(of) => checked(of, findings, now),
        Mode::Testing(of) => tested(of, rate, findings, knee, now),
        Mode::Limited { .. } if findings.is_refusing() && knee.is_unsteady() => {
            let retest = now + FIRST_RETEST;
            (Mode::Contended { baseline: ASSUMED_BASELINE, retest, interval: FIRST_RETEST }, rate)
        }
        Mode::Limited { .. } if findings.is_refusing() => test(accepted, refused),
        Mode::Limited { growth } if findings.is_used => grown(*growth, rate, findings.seconds),
        Mode::Limited { .. } => (mode.clone(), rate),
        Mode::Contended { baseline, retest, interval } if rate.is_infinite() => {
            let matters_after_all = findings.chance() < (1.0 - baseline) * UNLIMITED_WORTH_IT;
            if refused <= baseline * CLEARED {
                (Mode::Free, rate)
            } else if matters_after_all || now >= *retest {
                check(rate, findings, *interval)
            } else {
                (mode.clone(), rate)
            }
        }
        Mode::Contended { baseline, retest, interval } => {
            contended(mode, (*baseline, *retest, *interval), rate, findings, now)
        }
    }
}

fn grown(growth: f64, rate: f64, seconds: f64) -> (Mode, f64) {
    let seconds = seconds.min(LONGEST_STEP_SECONDS);
    // A small rate grows by a larger part, so that producers on one shard converge to equal rates.
    let part = growth * seconds * (DOCUMENTED / rate).clamp(0.5, 2.0);
    let growth = (growth * (1.0 + ACCELERATION * seconds)).min(FASTEST_GROWTH);
    (Mode::Limited { growth }, rate * (1.0 + part.min(1.0)))
}

fn contended(
    mode: &Mode,
    (baseline, retest, interval): (f64, Duration, Duration),
    rate: f64,
    findings: Findings,
    now: Duration,
) -> (Mode, f64) {
    let refused = findings.refused;
    let usual = 1.0 - baseline;
    if refused > HOPELESS {
        (mode.clone(), rate * HOPELESS_DECREASE)
    } else if refused <= baseline * CLEARED {
        (Mode::Limited { growth: RECOVERY_GROWTH }, rate)
    } else if baseline > HOPELESS {
        (Mode::Contended { baseline: refused, retest, interval }, rate * FAST_RISE)
    } else if now >= retest {
        check(rate, findings, interval)
    } else if findings.chance() < usual * WORTH_IT {
        (mode.clone(), rate * CONTENDED_DECREASE)
    } else if !findings.is_used {
        (mode.clone(), rate)
    } else if findings.chance() > usual * UNAFFECTED {
        (mode.clone(), rate * FAST_RISE)
    } else {
        (mode.clone(), rate * SLOW_RISE)
    }
}

impl Test {
    fn is_cleared(&self, refused: f64) -> bool {
        refused <= (self.refused * CLEARED).min(TOLERATED)
    }

    /// The mode if less load does not end the refusals.
    fn failed(&self, baseline: f64, now: Duration) -> (Mode, f64) {
        let Resume { rate, interval } = self.resume;
        (Mode::Contended { baseline, retest: now + interval, interval }, rate)
    }
}

fn checked(of: &Test, findings: Findings, now: Duration) -> (Mode, f64) {
    let matters = of.is_cleared(findings.refused) || findings.chance() >= (1.0 - of.refused) * RAISED;
    if !matters {
        return of.failed(findings.refused, now);
    }
    let rate = if of.resume.rate.is_infinite() { DOCUMENTED } else { of.resume.rate };
    (Mode::Testing(Test { step: 1, resume: Resume { rate, ..of.resume }, ..*of }), of.accepted)
}

fn tested(of: &Test, rate: f64, findings: Findings, knee: &Knee, now: Duration) -> (Mode, f64) {
    let Findings { refused, accepted, .. } = findings;
    if of.is_cleared(refused) {
        let growth = if knee.has_moved() { RECOVERY_GROWTH } else { FIRST_GROWTH };
        // The first step sends the load that was accepted, later steps send less.
        return (Mode::Limited { growth }, if of.step == 1 { rate } else { rate / TEST });
    }
    let is_unchanged = of.step > 1 && (refused >= of.refused * UNCHANGED || of.step == TEST_STEPS);
    if refused > HOPELESS || is_unchanged {
        return of.failed(refused, now);
    }
    (Mode::Testing(Test { step: of.step + 1, refused, ..*of }), accepted * TEST)
}
