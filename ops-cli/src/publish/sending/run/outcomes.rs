//! The outcome of each record in an answer: acknowledged, resent or abandoned.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::super::put_records::Failure;
use super::super::response::Outcome;
use super::{AnsweredRequest, MisplacedAggregate, RESHARD_EVERY, Run, State};
use crate::error::{Error, Result};
use crate::publish::accounting::ledger::At;
use crate::publish::scheduling::batch::{Put, QueuedEntry, Request};
use crate::publish::scheduling::delays::{Extent, after_failure, after_refusal};
use crate::publish::scheduling::lane::Verdict;
use crate::publish::scheduling::load::{Fate, Load};
use crate::publish::scheduling::shards::ShardMap;
use crate::retry::Retry;

impl Run {
    pub(super) fn answered(&mut self, answered: AnsweredRequest) {
        let now = self.begun.elapsed();
        let AnsweredRequest { request, bytes, packed, sent, took, result } = answered;
        self.bytes_under_way -= bytes;
        self.turns.remove(&request.id);
        self.queue.answered(request.id, took);
        match result {
            Ok(answer) => {
                // The next request is sent first: with one request in flight, settling would cost throughput.
                if answer.accepts_all() && self.queue.has_a_full_request() {
                    self.send_what_may_be_sent();
                }
                match answer.outcomes(request.puts.len()) {
                    Ok(outcomes) => {
                        self.ledger.tally.latency.add(took);
                        self.settle(request, outcomes, (packed, sent), now);
                    }
                    Err(reason) => {
                        self.failed(request, Failure::Passing { reason, may_be_put: true }, (packed, sent), now);
                    }
                }
            }
            Err(failure) => self.failed(request, failure, (packed, sent), now),
        }
        self.ledger.flush();
    }

    fn settle(
        &mut self,
        request: Request,
        outcomes: Vec<Outcome<'_>>,
        (packed, sent): (Duration, Duration),
        now: Duration,
    ) {
        let time = Timestamp::now().as_millisecond();
        let fate = |outcome: &Outcome<'_>| match outcome {
            Outcome::Put { .. } => Fate::Accepted,
            Outcome::Throttled(_) => Fate::Refused,
            Outcome::Failed(_) => Fate::Failed,
        };
        self.queue.judged(verdicts(&request, outcomes.iter().map(fate)), packed, now);
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
                    self.misplaced.push(MisplacedAggregate { entries, shard_id, sequence_number });
                    self.ask_for_shards();
                }
                Outcome::Throttled(reason) => {
                    self.throttled(entries, &reason, now);
                    self.stop_if_nothing_succeeds(sent, now, &reason);
                }
                Outcome::Failed(reason) => {
                    let extent = Extent::of_entry(self.queue.is_accepting(&entries[0]));
                    self.again(entries, &reason, extent, sent, now);
                }
            }
        }
    }

    /// Whether the shard that accepted these entries together is the shard of each of them. A single record is correct on
    /// any shard. If its shard is unexpected, the map is out of date.
    fn is_at_home(&mut self, entries: &[QueuedEntry], shard_id: &str) -> bool {
        let takes = self.queue.shards().takes(shard_id, entries.iter().map(|entry| entry.record.hash_key));
        if takes != Some(true) {
            self.ask_for_shards();
        }
        takes == Some(true) || entries.len() == 1
    }

    fn acknowledged(&mut self, entries: &[QueuedEntry], at: &At<'_>) {
        self.failing_since = None;
        self.pause.executed();
        let number = |number| (entries.len() > 1).then_some(number);
        self.ledger.acknowledged((0..).map(number).zip(entries), at);
        self.queue.settle(entries, Vec::new(), Duration::ZERO);
    }

    /// Resends the records of aggregates that a reshard put on the shard of another record. Consumers such as the KCL drop
    /// those records, others accept them, so that they may repeat.
    fn replace_misplaced(&mut self) {
        let (now, time) = (self.begun.elapsed(), Timestamp::now().as_millisecond());
        for MisplacedAggregate { entries, shard_id, sequence_number } in std::mem::take(&mut self.misplaced) {
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
            self.again(elsewhere, "it was put on a shard that its stream has no more", Extent::Entry, now, now);
        }
    }

    fn failed(&mut self, mut request: Request, failure: Failure, (packed, sent): (Duration, Duration), now: Duration) {
        self.ledger.tally.failed_requests += u64::from(!matches!(failure, Failure::NotSent));
        let (reason, may_be_put, is_throttled) = match failure {
            Failure::Passing { reason, may_be_put } => (reason, may_be_put, false),
            Failure::NotSent => return self.take_back(request.entries),
            Failure::Throttled(reason) => (reason, false, true),
            Failure::Lasting(error) => {
                let reason = error.message.clone();
                self.give_up(error, &reason);
                (reason, false, false)
            }
        };
        if is_throttled {
            self.pause.throttled(sent, now, fastrand::f64());
            let refused = request.puts.iter().map(|_| Fate::Refused);
            self.queue.judged(verdicts(&request, refused), packed, now);
        }
        for entry in &mut request.entries {
            entry.may_be_put |= may_be_put;
        }
        let mut entries = request.entries;
        for put in request.puts.iter().rev() {
            let entries = entries.split_off(entries.len() - put.entries);
            if is_throttled {
                self.throttled(entries, &reason, now);
            } else {
                self.again(entries, &reason, Extent::Request, sent, now);
            }
        }
        self.stop_if_nothing_succeeds(sent, now, &reason);
    }

    /// Takes the entries back of a request that was abandoned before it was complete.
    fn take_back(&mut self, entries: Vec<QueuedEntry>) {
        self.queue.settle(&entries, Vec::new(), Duration::ZERO);
        self.abandon(entries, super::INTERRUPTED);
    }

    /// Ends the run if no request was acknowledged for as long as a record is retried. The request sent at `sent` was not.
    fn stop_if_nothing_succeeds(&mut self, sent: Duration, now: Duration, reason: &str) {
        if self.queue.held() == 0 {
            // The next request is judged on its own.
            self.failing_since = None;
            return;
        }
        let since = *self.failing_since.get_or_insert(sent);
        if now.saturating_sub(since) > self.options.deadline {
            let seconds = self.options.deadline.as_secs();
            let error = Error::failed(format!("nothing was acknowledged for {seconds} s: {reason}"))
                .hint("check the network and the stream; --deadline sets how long to go on trying");
            self.give_up(error, reason);
        }
    }

    /// Resends the entries of a put that was sent at `sent` after a pause. Entries whose deadline would be over by the end
    /// of the pause are abandoned.
    fn again(&mut self, mut entries: Vec<QueuedEntry>, reason: &str, extent: Extent, sent: Duration, now: Duration) {
        let pause = after_failure(&mut entries, extent, fastrand::f64());
        for entry in &mut entries {
            entry.tried += now.saturating_sub(sent) + pause;
        }
        let deadline = self.options.deadline;
        self.retry(entries, reason, now + pause, |entry| entry.tried <= deadline);
    }

    /// Resends entries that a shard throttled. The pace decides when. No record is abandoned because of our pace: its
    /// deadline counts only while the shard accepts nothing.
    fn throttled(&mut self, entries: Vec<QueuedEntry>, reason: &str, now: Duration) {
        self.ledger.tally.throttled += entries.len() as u64;
        let Some(first) = entries.first() else { return };
        let pause = after_refusal(self.queue.is_accepting(first), fastrand::f64());
        let since = self.queue.refused_since(first);
        let deadline = self.options.deadline;
        let has_time =
            |entry: &QueuedEntry| since.is_none_or(|since| now.saturating_sub(since.max(entry.first_sent)) <= deadline);
        self.retry(entries, reason, now + pause, has_time);
    }

    fn retry(
        &mut self,
        entries: Vec<QueuedEntry>,
        reason: &str,
        due: Duration,
        has_time: impl Fn(&QueuedEntry) -> bool,
    ) {
        let is_sending = self.state != State::GivenUp;
        let (again, dead): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| is_sending && has_time(entry));
        self.queue.settle(&dead, again, due);
        if self.is_interrupted {
            return self.abandon(dead, reason);
        }
        for entry in &dead {
            self.ledger.dead(entry, reason);
        }
    }

    /// Fetches the map of shards again, because a record went to another shard than the map has.
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
        // An outdated map costs pacing, not records. It is fetched again when the next record shows that.
        if let Some(Ok(shards)) = shards {
            self.queue.reshard(shards);
        }
        self.replace_misplaced();
    }
}

/// Pairs the fates of a request's puts with their shards and loads.
fn verdicts(request: &Request, fates: impl Iterator<Item = Fate>) -> impl Iterator<Item = Verdict> {
    let mut entries = request.entries.iter();
    request.puts.iter().zip(fates).filter_map(move |(Put { entries: count, bytes, .. }, fate)| {
        let hash_key = entries.by_ref().take(*count).last()?.record.hash_key;
        Some(Verdict { hash_key, load: Load::of(*bytes), fate })
    })
}
