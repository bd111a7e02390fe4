//! The requests and answers of a shard since the last decision about its pace. Pure.

use std::time::Duration;

use super::super::load::Verdicts;
use super::mode::{TOLERATED, TOLERATED_IN_FREE, TOLERATED_ONCE};

/// The minimum duration of an epoch in seconds. At a low rate it is longer.
const SHORTEST: f64 = 0.15;
const SHORTEST_TEST: f64 = 0.3;
/// Seconds after which few entries are enough.
const LONG: f64 = 1.0;
/// Seconds after which any entry is enough.
const LONGEST: f64 = 5.0;
/// This many accepted entries determine an entry's chance to within a seventh.
const ENOUGH_ACCEPTED: u32 = 50;
/// This many entries are enough if the shard refuses nearly all of them.
const ENOUGH_JUDGED: u32 = 500;
/// The part of the rate that must be used for its success to count.
const USED: f64 = 0.8;

#[derive(Debug, Clone, Default)]
pub(super) struct Epoch {
    begun: Option<Duration>,
    /// The time of the last request or answer.
    pub(super) last: Duration,
    offered: f64,
    verdicts: Verdicts,
    answers: u32,
    /// Answers with refused entries.
    refusing_answers: u32,
}

/// The findings of an epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Findings {
    /// The refused share, 0 to 1.
    pub(super) refused: f64,
    pub(super) are_scattered: bool,
    /// More than one request had refused entries.
    is_repeated: bool,
    /// The load per second that was sent.
    pub(super) offered: f64,
    /// The load per second that was accepted, or would have been if every entry had been judged.
    pub(super) accepted: f64,
    /// The load that was sent reached the rate.
    pub(super) is_used: bool,
    pub(super) seconds: f64,
}

impl Findings {
    /// Whether so many entries were refused that the pace must change.
    pub(super) fn is_refusing(&self) -> bool {
        self.refused > if self.is_repeated { TOLERATED } else { TOLERATED_ONCE }
    }

    /// The chance of an entry to be accepted.
    pub(super) fn chance(&self) -> f64 {
        1.0 - self.refused
    }
}

impl Epoch {
    /// Starts an epoch after a decision.
    pub(super) fn after(now: Duration) -> Self {
        Self { last: now, ..Self::default() }
    }

    pub(super) fn sent(&mut self, load: f64, now: Duration, is_new: bool) {
        if is_new {
            *self = Self::default();
        }
        self.begun.get_or_insert(now);
        self.last = now;
        self.offered += load;
    }

    /// Adds an answer, unless its request was sent before the epoch began.
    pub(super) fn answered(&mut self, verdicts: Verdicts, sent: Duration, now: Duration) -> bool {
        if self.begun.is_none_or(|begun| sent < begun) {
            return false;
        }
        self.last = now;
        self.verdicts += verdicts;
        self.answers += 1;
        self.refusing_answers += u32::from(verdicts.refused.records > 0);
        true
    }

    pub(super) fn refused_share(&self) -> f64 {
        self.verdicts.refused_share()
    }

    /// Returns the findings once there are enough entries to judge by.
    pub(super) fn findings(&self, rate: f64, is_test: bool, now: Duration) -> Option<Findings> {
        let elapsed = now.saturating_sub(self.begun?).as_secs_f64();
        let (judged, accepted) = (self.verdicts.judged(), self.verdicts.accepted.records);
        let is_plenty = judged >= 100 && self.answers >= 3 && (accepted >= ENOUGH_ACCEPTED || judged >= ENOUGH_JUDGED);
        let is_over = (elapsed >= if is_test { SHORTEST_TEST } else { SHORTEST } && is_plenty)
            || (elapsed >= LONG && judged >= 20 && accepted >= 5)
            || elapsed >= LONGEST;
        if !is_over || judged == 0 {
            return None;
        }
        let refused = self.verdicts.refused_share();
        let offered = self.offered / elapsed;
        Some(Findings {
            refused,
            are_scattered: self.verdicts.are_scattered(),
            is_repeated: self.refusing_answers > 1,
            offered: offered.min(rate),
            accepted: offered.min(rate) * (1.0 - refused),
            is_used: offered >= rate * USED,
            seconds: elapsed,
        })
    }

    /// Whether the refusals need no epoch: they are from one or two requests over the limit of a shard that had been idle.
    pub(super) fn is_plain(&self) -> bool {
        let verdicts = &self.verdicts;
        verdicts.judged() >= 200 && verdicts.refused_share() > 2.0 * TOLERATED_IN_FREE && !verdicts.are_scattered()
    }
}
