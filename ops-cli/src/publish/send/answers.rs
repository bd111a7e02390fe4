//! What an answer says of each record: acknowledged, to be sent again, or given up.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::super::answer::Outcome;
use super::super::ledger::At;
use super::super::pace::backoff;
use super::super::pack::{Entry, Request};
use super::super::request::Failure;
use super::super::shards::ShardMap;
use super::{Answered, Misplaced, RESHARD_EVERY, Run, State};
use crate::error::{Error, Result};
use crate::retry::Retry;

impl Run {
    pub(super) fn answered(&mut self, answered: Answered) {
        let now = self.begun.elapsed();
        let Answered { request, bytes, sent, took, result } = answered;
        self.bytes_under_way -= bytes;
        match result {
            Ok(answer) => match answer.outcomes(request.puts.len()) {
                Ok(outcomes) => {
                    self.ledger.tally.latency.add(took);
                    self.settle(request, outcomes, sent, now);
                }
                Err(reason) => self.failed(request, Failure::Passing { reason, may_be_put: true }, sent, now),
            },
            Err(failure) => self.failed(request, failure, sent, now),
        }
        self.ledger.flush();
    }

    fn settle(&mut self, request: Request, outcomes: Vec<Outcome<'_>>, sent: Duration, now: Duration) {
        let time = Timestamp::now().as_millisecond();
        let mut entries = request.entries;
        let mut unsettled = Vec::new();
        let mut end = 0;
        for (put, outcome) in request.puts.iter().zip(outcomes) {
            let begin = end;
            end += put.entries;
            match outcome {
                Outcome::Put { shard_id, sequence_number } if self.is_at_home(&entries[begin..end], &shard_id) => {
                    let at = At { shard_id: &shard_id, sequence_number: &sequence_number, time };
                    self.acknowledged(&entries[begin..end], &at);
                }
                outcome => unsettled.push((begin..end, outcome)),
            }
        }
        for (range, outcome) in unsettled.into_iter().rev() {
            entries.truncate(range.end);
            let entries = entries.split_off(range.start);
            match outcome {
                Outcome::Put { shard_id, sequence_number } => {
                    let (shard_id, sequence_number) = (shard_id.into_owned(), sequence_number.into_owned());
                    self.misplaced.push(Misplaced { entries, shard_id, sequence_number });
                    self.ask_for_shards();
                }
                Outcome::Throttled(reason) => {
                    self.throttled(&entries, sent, now);
                    self.again(entries, &reason, now);
                }
                Outcome::Failed(reason) => self.again(entries, &reason, now),
            }
        }
    }

    /// Whether the shard that took these entries together is the one of each of them. A record alone is at home wherever
    /// it is; where that is not expected, the map is out of date.
    fn is_at_home(&mut self, entries: &[Entry], shard_id: &str) -> bool {
        let takes = self.queue.shards().takes(shard_id, entries.iter().map(|entry| entry.record.hash_key));
        if takes != Some(true) {
            self.ask_for_shards();
        }
        takes == Some(true) || entries.len() == 1
    }

    fn acknowledged(&mut self, entries: &[Entry], at: &At<'_>) {
        self.failing_since = None;
        let number = |number| (entries.len() > 1).then_some(number);
        self.ledger.acknowledged((0..).map(number).zip(entries), at);
        self.queue.settle(entries, Vec::new(), Duration::ZERO);
    }

    /// Aggregates that were put on one shard with records of another in them, as a split does: consumers drop those (as
    /// the KCL does) or take them, so that they are sent again, and may repeat.
    fn replace_misplaced(&mut self) {
        let (now, time) = (self.begun.elapsed(), Timestamp::now().as_millisecond());
        for Misplaced { entries, shard_id, sequence_number } in std::mem::take(&mut self.misplaced) {
            let at = At { shard_id: &shard_id, sequence_number: &sequence_number, time };
            let (mut at_home, mut elsewhere) = (Vec::new(), Vec::new());
            for (number, mut entry) in (0..).zip(entries) {
                if self.queue.shards().takes(&shard_id, [entry.record.hash_key].into_iter()) == Some(true) {
                    self.ledger.acknowledged([(Some(number), &entry)].into_iter(), &at);
                    at_home.push(entry);
                } else {
                    entry.may_be_put = true;
                    elsewhere.push(entry);
                }
            }
            self.queue.settle(&at_home, Vec::new(), Duration::ZERO);
            self.again(elsewhere, "it was put on a shard that its stream has no more", now);
        }
    }

    fn throttled(&mut self, entries: &[Entry], sent: Duration, now: Duration) {
        self.ledger.tally.throttled += entries.len() as u64;
        if let Some(entry) = entries.first() {
            self.queue.throttled(&entry.record, sent, now);
        }
    }

    fn failed(&mut self, mut request: Request, failure: Failure, sent: Duration, now: Duration) {
        self.ledger.tally.failed_requests += 1;
        let (reason, may_be_put, is_throttled) = match failure {
            Failure::Passing { reason, may_be_put } => (reason, may_be_put, false),
            Failure::Throttled(reason) => (reason, false, true),
            Failure::Lasting(error) => {
                let reason = error.message.clone();
                self.give_up(error, &reason);
                (reason, false, false)
            }
        };
        for entry in &mut request.entries {
            entry.may_be_put |= may_be_put;
        }
        let mut entries = request.entries;
        for put in request.puts.iter().rev() {
            let entries = entries.split_off(entries.len() - put.entries);
            if is_throttled {
                self.throttled(&entries, sent, now);
            }
            self.again(entries, &reason, now);
        }
        let since = *self.failing_since.get_or_insert(sent);
        if now.saturating_sub(since) > self.options.deadline {
            let seconds = self.options.deadline.as_secs();
            let error = Error::failed(format!("nothing was acknowledged for {seconds} s: {reason}"))
                .hint("check the network and the stream; --deadline sets how long to go on trying");
            self.give_up(error, &reason);
        }
    }

    /// Sends the entries of a put again after a pause; but not those whose time would be up by then.
    fn again(&mut self, entries: Vec<Entry>, reason: &str, now: Duration) {
        let attempts = entries.iter().map(|entry| entry.attempts).max().unwrap_or_default();
        let due = now + backoff(attempts, fastrand::f64());
        let has_time = |entry: &Entry| {
            self.state != State::GivenUp && due.saturating_sub(entry.first_sent) <= self.options.deadline
        };
        let (again, dead): (Vec<_>, Vec<_>) = entries.into_iter().partition(has_time);
        for entry in &dead {
            self.ledger.dead(entry, reason);
        }
        self.queue.settle(&dead, again, due);
    }

    /// A record went to another shard than the map has: the stream was resharded.
    pub(super) fn ask_for_shards(&mut self) {
        if self.resharding.is_none() && self.resharded.elapsed() > RESHARD_EVERY {
            let (client, stream) = (self.client.clone(), self.stream.clone());
            self.resharding =
                Some(tokio::spawn(async move { ShardMap::fetch(&client, &stream, &Retry::default()).await }));
        }
    }

    pub(super) fn reshard(&mut self, shards: Option<Result<ShardMap>>) {
        self.resharding = None;
        self.resharded = Instant::now();
        // A map that is out of date costs pacing, not records: it is asked for again when the next record shows it.
        if let Some(Ok(shards)) = shards {
            self.queue.reshard(shards);
        }
        self.replace_misplaced();
    }
}
