//! How fast to send to one shard. Pure: the clock is passed in, as the time since the run began.
//!
//! A refused entry says that the shard's limit was exceeded, but not by whom. Only an experiment tells: send less, and see
//! whether the share of refused entries falls. The first guess needs none: a shard that has reached its limit refuses all
//! that follows in the request, so that refusals with accepted entries between them are not caused by our load.
//!
//! | mode | the refusals | the rate |
//! |---|---|---|
//! | `Free` | few or none | unlimited |
//! | `Testing` | many; their cause is unknown | lowered step by step, for one epoch each |
//! | `Limited` | ended when less was sent: our own load causes them | just above what the shard accepts |
//! | `Contended` | did not end: others write to the shard, or it refuses at random | raised as long as that is worth it; unlimited if the refusals were scattered from the start |

use std::time::Duration;

use super::bucket::Bucket;
use super::load::{DOCUMENTED, Load, Verdicts};

/// A share of refused entries that calls for no action.
const TOLERATED: f64 = 0.03;
/// The same in an epoch whose refused entries were in one request: another producer's burst may have preceded it.
const TOLERATED_ONCE: f64 = 0.2;
/// The same while nothing is known about the shard, where a mistake costs most.
const TOLERATED_IN_FREE: f64 = 0.05;
/// A test succeeds if it lowers the refused share to this part of what it was.
const CLEARED: f64 = 0.25;
/// A test fails if more than this part of the refused share remains.
const UNCHANGED: f64 = 0.5;
/// A test sends this part of what was accepted before.
const TEST: f64 = 0.75;
const TEST_STEPS: u32 = 4;
/// `Limited`: the rate grows by this part of the documented rate a second, and the growth itself grows by `ACCELERATION`
/// while there are few refusals.
const FIRST_GROWTH: f64 = 0.04;
const ACCELERATION: f64 = 3.0;
const FASTEST_GROWTH: f64 = 5.0;
const RECOVERY_GROWTH: f64 = 2.0;
/// A longer epoch counts as one of so many seconds: its growth is not tried in steps.
const LONGEST_STEP_SECONDS: f64 = 0.4;
/// `Contended`: the rate grows until an entry's chance of being accepted falls to this part of what it was in the test.
const WORTH_IT: f64 = 0.7;
/// The same while the rate is unlimited.
const UNLIMITED_WORTH_IT: f64 = 0.5;
const CONTENDED_DECREASE: f64 = 0.8;
/// `Contended`: the growth of the rate in each epoch, until refusals rise and from then on.
const UNAFFECTED: f64 = 0.9;
const FAST_RISE: f64 = 2.0;
const SLOW_RISE: f64 = 1.2;
/// `Contended`: with a larger share than this refused, sending more is of no use.
const HOPELESS: f64 = 0.98;
const HOPELESS_DECREASE: f64 = 0.3;
/// The time until the first test, if the refusals were scattered.
const FIRST_CHECK: Duration = Duration::from_secs(2);
const FIRST_RETEST: Duration = Duration::from_secs(5);
const LAST_RETEST: Duration = Duration::from_secs(20);
/// An epoch has this many seconds at least; one at a low rate has more.
const EPOCH_SECONDS: f64 = 0.15;
const TEST_SECONDS: f64 = 0.3;
/// The lowest rate: what is refused entirely is still tried.
const LOWEST: f64 = DOCUMENTED / 20.0;
/// A large record at a low rate holds back the next for this long at most.
const LONGEST_WAIT_SECONDS: f64 = 10.0;
/// How long a rate gathers while nothing is sent: an answer's time at least, as a shard has one request under way.
const BURST: Duration = Duration::from_secs(1);
/// Where less than this part of the rate was used, nothing is learned from its success.
const USED: f64 = 0.8;

/// One shard's pace.
#[derive(Debug, Clone)]
pub struct Pace {
    mode: Mode,
    bucket: Bucket,
    epoch: Epoch,
    /// The last request had to wait for the bucket.
    was_held_back: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Mode {
    Free,
    Testing(Test),
    Limited {
        growth: f64,
    },
    Contended {
        /// The share that the test found refused.
        baseline: f64,
        retest: Duration,
        interval: Duration,
    },
}

#[derive(Debug, Clone, PartialEq)]
struct Test {
    step: u32,
    /// The refused share before this step.
    refused: f64,
    resume: Resume,
}

/// What to return to if the rate turns out not to matter.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Resume {
    rate: f64,
    /// The time until the next test.
    interval: Duration,
}

/// What was sent and answered since the last decision.
#[derive(Debug, Clone, Default)]
struct Epoch {
    begun: Option<Duration>,
    last: Duration,
    offered: f64,
    verdicts: Verdicts,
    answers: u32,
    /// Answers with refused entries.
    refusing_answers: u32,
}

/// The findings of an epoch.
#[derive(Debug, Clone, Copy)]
struct Findings {
    /// 0 to 1.
    refused: f64,
    are_scattered: bool,
    /// More than one request had refused entries.
    is_repeated: bool,
    /// Load a second that was accepted, or would have been if every entry had been judged.
    accepted: f64,
    /// As much was sent as the rate allowed.
    is_used: bool,
    seconds: f64,
}

impl Epoch {
    fn sent(&mut self, load: f64, now: Duration, is_new: bool) {
        if is_new {
            *self = Self::default();
        }
        self.begun.get_or_insert(now);
        self.last = now;
        self.offered += load;
    }

    /// The findings once there is enough to judge by. A test decides more, and needs more.
    fn findings(&self, rate: f64, is_test: bool, now: Duration) -> Option<Findings> {
        let elapsed = now.saturating_sub(self.begun?).as_secs_f64();
        let judged = self.verdicts.judged();
        let is_plenty = judged >= 100 && self.answers >= 3;
        let is_over = if is_test {
            elapsed >= TEST_SECONDS && is_plenty && self.verdicts.accepted.records >= 20
        } else {
            elapsed >= EPOCH_SECONDS && is_plenty
        };
        let is_over = is_over || (elapsed >= 1.0 && judged >= 20) || elapsed >= 5.0;
        if !is_over || judged == 0 {
            return None;
        }
        let refused = self.verdicts.refused_share();
        let offered = self.offered / elapsed;
        Some(Findings {
            refused,
            are_scattered: self.verdicts.are_scattered(),
            is_repeated: self.refusing_answers > 1,
            accepted: offered.min(rate) * (1.0 - refused),
            is_used: offered >= rate * USED,
            seconds: elapsed,
        })
    }

    /// Refusals that need no epoch: a request or two over the limit of a shard that had been idle.
    fn is_plain(&self) -> bool {
        let verdicts = &self.verdicts;
        verdicts.judged() >= 200 && verdicts.refused_share() > 2.0 * TOLERATED_IN_FREE && !verdicts.are_scattered()
    }
}

impl Pace {
    pub fn new() -> Self {
        let bucket = Bucket::new(f64::INFINITY, BURST, Duration::ZERO);
        Self { mode: Mode::Free, bucket, epoch: Epoch::default(), was_held_back: false }
    }

    /// How long until the next record may go to this shard.
    pub fn wait(&mut self, now: Duration) -> Duration {
        if self.is_unlimited() {
            return Duration::ZERO;
        }
        let wait = self.bucket.wait(now);
        self.was_held_back |= !wait.is_zero();
        wait
    }

    /// A record, or several in an aggregate, goes to this shard.
    pub fn take(&mut self, bytes: usize, now: Duration) {
        let load = Load::of(bytes).amount;
        let is_idle = !self.was_held_back && now.saturating_sub(self.epoch.last) > Duration::from_millis(100);
        self.epoch.sent(load, now, is_idle);
        self.was_held_back = false;
        if !self.is_unlimited() {
            self.bucket.take(load.min(self.bucket.per_second() * LONGEST_WAIT_SECONDS));
        }
    }

    fn is_unlimited(&self) -> bool {
        self.bucket.per_second().is_infinite()
    }

    /// The shard answered for the entries of a request that was sent at `sent`.
    pub fn answered(&mut self, verdicts: Verdicts, sent: Duration, now: Duration) {
        if self.epoch.begun.is_none_or(|begun| sent < begun) {
            return;
        }
        self.epoch.last = now;
        self.epoch.verdicts += verdicts;
        self.epoch.answers += 1;
        self.epoch.refusing_answers += u32::from(verdicts.refused.records > 0);
        let rate = self.bucket.per_second();
        let findings = self.epoch.findings(rate, matches!(self.mode, Mode::Testing(_)), now);
        let decided = match (&self.mode, findings) {
            (Mode::Free, _) if self.epoch.is_plain() => {
                Some(begin_test(DOCUMENTED, self.epoch.verdicts.refused_share()))
            }
            (_, Some(findings)) => Some(decide(&self.mode, rate, findings, now)),
            (_, None) => None,
        };
        if let Some((mode, rate)) = decided {
            self.mode = mode;
            self.bucket.set_rate(rate.max(LOWEST), now);
            self.epoch = Epoch { last: now, ..Epoch::default() };
        }
    }
}

fn begin_test(rate: f64, refused: f64) -> (Mode, f64) {
    test(rate, Test { step: 1, refused, resume: Resume { rate, interval: FIRST_RETEST } })
}

fn test(rate: f64, test: Test) -> (Mode, f64) {
    (Mode::Testing(test), rate)
}

/// The next mode and rate.
fn decide(mode: &Mode, rate: f64, findings: Findings, now: Duration) -> (Mode, f64) {
    let Findings { refused, are_scattered, is_repeated, accepted, is_used, seconds } = findings;
    let tolerated = if is_repeated { TOLERATED } else { TOLERATED_ONCE };
    match mode {
        Mode::Free if refused > TOLERATED_IN_FREE && refused <= HOPELESS && are_scattered => {
            (Mode::Contended { baseline: refused, retest: now + FIRST_CHECK, interval: FIRST_RETEST }, rate)
        }
        Mode::Free if refused > TOLERATED_IN_FREE => {
            // What was accepted after a pause says nothing about the shard's rate.
            begin_test(accepted.min(DOCUMENTED), refused)
        }
        Mode::Free => (Mode::Free, rate),
        Mode::Testing(of) => tested(of, rate, findings, now),
        Mode::Limited { .. } if refused > tolerated => begin_test(accepted, refused),
        Mode::Limited { growth } if is_used => {
            let seconds = seconds.min(LONGEST_STEP_SECONDS);
            // A small rate grows by a larger part, so that producers on one shard come to equal rates.
            let part = growth * seconds * (DOCUMENTED / rate).clamp(0.5, 2.0);
            let growth = (growth * (1.0 + ACCELERATION * seconds)).min(FASTEST_GROWTH);
            (Mode::Limited { growth }, rate * (1.0 + part.min(1.0)))
        }
        Mode::Limited { growth } => (Mode::Limited { growth: *growth }, rate),
        Mode::Contended { baseline, .. }
            if rate.is_infinite() && 1.0 - refused < (1.0 - baseline) * UNLIMITED_WORTH_IT =>
        {
            // The load matters after all.
            begin_test(accepted.min(DOCUMENTED), refused)
        }
        Mode::Contended { baseline, .. } if rate.is_infinite() && refused <= baseline * CLEARED => (Mode::Free, rate),
        Mode::Contended { .. } if refused > HOPELESS => (mode.clone(), rate * HOPELESS_DECREASE),
        Mode::Contended { baseline, .. } if refused <= baseline * CLEARED || *baseline > HOPELESS => {
            (Mode::Limited { growth: RECOVERY_GROWTH }, rate)
        }
        Mode::Contended { retest, interval, .. } if now >= *retest => {
            let interval = (*interval * 2).min(LAST_RETEST);
            test(accepted, Test { step: 1, refused, resume: Resume { rate, interval } })
        }
        Mode::Contended { baseline, .. } if 1.0 - refused < (1.0 - baseline) * WORTH_IT => {
            (mode.clone(), rate * CONTENDED_DECREASE)
        }
        Mode::Contended { .. } if !is_used => (mode.clone(), rate),
        Mode::Contended { baseline, .. } if 1.0 - refused > (1.0 - baseline) * UNAFFECTED => {
            (mode.clone(), rate * FAST_RISE)
        }
        Mode::Contended { .. } => (mode.clone(), rate * SLOW_RISE),
    }
}

fn tested(of: &Test, rate: f64, findings: Findings, now: Duration) -> (Mode, f64) {
    let Findings { refused, accepted, .. } = findings;
    if refused <= of.refused * CLEARED {
        // The first step sends what was accepted, the others less.
        let rate = if of.step == 1 { rate } else { rate / TEST };
        return (Mode::Limited { growth: FIRST_GROWTH }, rate);
    }
    if of.step > 1 && (refused >= of.refused * UNCHANGED || of.step == TEST_STEPS) {
        let Resume { rate, interval } = of.resume;
        return (Mode::Contended { baseline: refused, retest: now + interval, interval }, rate);
    }
    test(accepted * TEST, Test { step: of.step + 1, refused, resume: of.resume })
}

#[cfg(test)]
mod tests;
