//! The run: several requests at once; what fails is sent again, alone, until it is acknowledged or its time is up.

use std::future::Future;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::ledger::{At, Ledger};
use super::pace::{Rate, backoff};
use super::pack::{Entry, Packing, Request};
use super::progress::Progress;
use super::queue::{Next, Queue};
use super::read_ahead::Chunk;
use super::record::Place;
use super::request::{self, Failure, Outcome};
use super::shards::ShardMap;
use crate::error::{Error, Kind, Result};

/// Requests under way at once, and what they may hold together: the SDK's copies of a request are several times its size.
const REQUESTS: usize = 8;
const REQUEST_BYTES: usize = 4 * 1024 * 1024;
/// How long records wait for company in an aggregate, where the input is slow.
const LINGER: Duration = Duration::from_millis(100);
/// The stream's shards are asked for again at most this often.
const RESHARD_EVERY: Duration = Duration::from_secs(1);

/// How to send.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a record is tried, from the first time it is sent.
    pub deadline: Duration,
    pub packing: Packing,
    /// Stop at the first input error.
    pub strict: bool,
    pub rate: Option<f64>,
    pub rate_bytes: Option<f64>,
}

/// One run.
pub struct Run {
    client: Client,
    stream: String,
    options: Options,
    begun: Instant,
    queue: Queue,
    pub ledger: Ledger,
    requests: JoinSet<Answer>,
    bytes_under_way: usize,
    /// Since when something is ready to be sent.
    ready_since: Duration,
    /// Aggregates on a shard that the map does not have.
    misplaced: Vec<Misplaced>,
    /// Some: the stream's shards are being asked for.
    resharding: Option<JoinHandle<Result<ShardMap>>>,
    resharded: Instant,
    last_progress: Instant,
    next_place: Place,
    state: State,
    /// Why it ends early, if it does.
    error: Option<Error>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Reading,
    /// Nothing more is read; what is held is still sent.
    Finishing,
    /// Nothing is sent any more; what is under way is waited for.
    GivenUp,
}

/// Records that were acknowledged together, by a shard that may not be that of each of them.
struct Misplaced {
    entries: Vec<Entry>,
    shard_id: String,
    sequence_number: String,
}

struct Answer {
    request: Request,
    bytes: usize,
    sent: Duration,
    took: Duration,
    result: Result<Vec<Outcome>, Failure>,
}

impl Run {
    pub fn new(client: &Client, stream: &str, shards: ShardMap, options: Options, ledger: Ledger) -> Self {
        let rate = Rate::new(options.rate, options.rate_bytes, Duration::ZERO);
        let now = Instant::now();
        Self {
            client: request::client(client),
            stream: stream.to_owned(),
            begun: now,
            queue: Queue::new(shards, options.packing, rate),
            options,
            ledger,
            requests: JoinSet::new(),
            bytes_under_way: 0,
            ready_since: Duration::ZERO,
            misplaced: Vec::new(),
            resharding: None,
            resharded: now,
            last_progress: now,
            next_place: Place { offset: 0, input: 0, line: 0 },
            state: State::Reading,
            error: None,
        }
    }

    /// Sends what comes until there is no more, or until `stop` resolves: once to stop reading, once more to give up.
    pub async fn drive<S: Future<Output = ()>>(
        &mut self,
        mut chunks: mpsc::Receiver<Chunk>,
        mut stop: impl FnMut() -> S,
        progress: &mut Progress,
    ) -> Result<()> {
        let mut stopping = Box::pin(stop());
        let mut tick = tokio::time::interval(Progress::TICK);
        loop {
            let wait = self.send_what_may_be_sent();
            if self.state != State::Reading && self.queue.held() == 0 {
                break;
            }
            let may_read = self.state == State::Reading && self.queue.has_room() && !self.ledger.is_full();
            tokio::select! {
                Some(answer) = self.requests.join_next(), if !self.requests.is_empty() => {
                    let answer = answer.map_err(|error| Error::failed(format!("a request's task failed: {error}")))?;
                    self.answered(answer)?;
                }
                chunk = chunks.recv(), if may_read => self.take(chunk)?,
                shards = async { self.resharding.as_mut().expect("it is checked to be there").await },
                    if self.resharding.is_some() => self.reshard(shards.ok())?,
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
                () = &mut stopping => {
                    self.interrupted()?;
                    stopping = Box::pin(stop());
                }
                _ = tick.tick() => {
                    progress.show(&self.ledger.tally, self.begun.elapsed());
                    if !self.misplaced.is_empty() {
                        self.ask_for_shards();
                    }
                }
            }
        }
        self.ledger.flush()
    }

    /// How the run ended, if not well.
    pub fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }

    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How long until something may be sent, where nothing else will change that.
    fn send_what_may_be_sent(&mut self) -> Option<Duration> {
        if self.state == State::GivenUp {
            return None;
        }
        while self.requests.len() < REQUESTS && self.bytes_under_way < REQUEST_BYTES {
            let now = self.begun.elapsed();
            if self.state == State::Reading && self.queue.has_room() && !self.queue.has_a_full_request() {
                let is_aggregating = self.options.packing.aggregate_bytes.is_some();
                let lingers = (self.ready_since + LINGER).saturating_sub(now);
                if is_aggregating && self.queue.has_ready() && !lingers.is_zero() {
                    return Some(lingers);
                }
                // A request that is not full goes at once when nothing is under way, and else waits for company.
                if !is_aggregating && !self.requests.is_empty() {
                    return None;
                }
            }
            match self.queue.next(now) {
                Next::Send(request) => self.send(request, now),
                Next::Wait(wait) => return Some(wait),
                Next::Nothing => return None,
            }
        }
        None
    }

    fn send(&mut self, mut request: Request, sent: Duration) {
        self.ready_since = sent;
        let (client, stream) = (self.client.clone(), self.stream.clone());
        let bytes = request.entries.iter().map(|entry| entry.record.size()).sum();
        self.bytes_under_way += bytes;
        let tally = &mut self.ledger.tally;
        tally.requests += 1;
        tally.puts += request.puts.len() as u64;
        tally.sent_again += request.entries.iter().filter(|entry| entry.attempts > 1).count() as u64;
        self.requests.spawn(async move {
            let begun = Instant::now();
            let result = request::put(&client, &stream, &mut request).await;
            Answer { request, bytes, sent, took: begun.elapsed(), result }
        });
    }

    fn take(&mut self, chunk: Option<Chunk>) -> Result<()> {
        let Some(chunk) = chunk else {
            self.state = State::Finishing;
            return Ok(());
        };
        self.ledger.tally.skipped += chunk.skipped;
        if !self.queue.has_ready() {
            self.ready_since = self.begun.elapsed();
        }
        for item in chunk.items {
            match item {
                Ok(record) => {
                    self.next_place = Place { offset: record.place.offset + 1, ..record.place };
                    self.ledger.read(record.place);
                    self.queue.push(record);
                }
                Err(rejected) if self.options.strict => {
                    let what = format!("{} {}", rejected.place.of(self.ledger.names()), rejected.reason);
                    self.ledger.stopped_at(rejected.place);
                    self.state = State::Finishing;
                    self.error = Some(Error::usage(what).hint(
                        "what came before it has been published; split the record or correct it, or go on past such records with --dead-letter FILE",
                    ));
                    return Ok(());
                }
                Err(rejected) => self.ledger.rejected(&rejected)?,
            }
        }
        Ok(())
    }

    fn answered(&mut self, answer: Answer) -> Result<()> {
        let now = self.begun.elapsed();
        self.bytes_under_way -= answer.bytes;
        match answer.result {
            Ok(outcomes) => {
                self.ledger.tally.latency.add(answer.took);
                self.settle(answer.request, outcomes, answer.sent, now)?;
            }
            Err(failure) => {
                self.ledger.tally.failed_requests += 1;
                self.failed(answer.request, failure, answer.sent, now)?;
            }
        }
        self.ledger.flush()
    }

    fn settle(&mut self, request: Request, outcomes: Vec<Outcome>, sent: Duration, now: Duration) -> Result<()> {
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
                    self.acknowledged(&entries[begin..end], &at)?;
                }
                outcome => unsettled.push((begin..end, outcome)),
            }
        }
        for (range, outcome) in unsettled.into_iter().rev() {
            entries.truncate(range.end);
            let entries = entries.split_off(range.start);
            match outcome {
                Outcome::Put { shard_id, sequence_number } => {
                    self.misplaced.push(Misplaced { entries, shard_id, sequence_number });
                    self.ask_for_shards();
                }
                Outcome::Throttled(reason) => {
                    self.throttled(&entries, sent, now);
                    self.again(entries, &reason, now)?;
                }
                Outcome::Failed(reason) => self.again(entries, &reason, now)?,
            }
        }
        Ok(())
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

    fn acknowledged(&mut self, entries: &[Entry], at: &At<'_>) -> Result<()> {
        self.last_progress = Instant::now();
        let number = |number| (entries.len() > 1).then_some(number);
        self.ledger.acknowledged((0..).map(number).zip(entries), at)?;
        self.queue.settle(entries, Vec::new(), Duration::ZERO);
        Ok(())
    }

    /// Aggregates that were put on one shard with records of another in them, as a split does: consumers drop those (as
    /// the KCL does) or take them, so that they are sent again, and may repeat.
    fn replace_misplaced(&mut self) -> Result<()> {
        let (now, time) = (self.begun.elapsed(), Timestamp::now().as_millisecond());
        for Misplaced { entries, shard_id, sequence_number } in std::mem::take(&mut self.misplaced) {
            let at = At { shard_id: &shard_id, sequence_number: &sequence_number, time };
            let (mut at_home, mut elsewhere) = (Vec::new(), Vec::new());
            for (number, mut entry) in (0..).zip(entries) {
                if self.queue.shards().takes(&shard_id, [entry.record.hash_key].into_iter()) == Some(true) {
                    self.ledger.acknowledged([(Some(number), &entry)].into_iter(), &at)?;
                    at_home.push(entry);
                } else {
                    entry.may_be_put = true;
                    elsewhere.push(entry);
                }
            }
            self.queue.settle(&at_home, Vec::new(), Duration::ZERO);
            self.again(elsewhere, "it was put on a shard that its stream has no more", now)?;
        }
        Ok(())
    }

    fn throttled(&mut self, entries: &[Entry], sent: Duration, now: Duration) {
        self.ledger.tally.throttled += entries.len() as u64;
        if let Some(entry) = entries.first() {
            self.queue.throttled(&entry.record, sent, now);
        }
    }

    fn failed(&mut self, mut request: Request, failure: Failure, sent: Duration, now: Duration) -> Result<()> {
        let (reason, may_be_put, is_throttled) = match failure {
            Failure::Passing { reason, may_be_put } => (reason, may_be_put, false),
            Failure::Throttled(reason) => (reason, false, true),
            Failure::Lasting(error) => {
                let reason = error.message.clone();
                self.give_up(error, &reason)?;
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
            self.again(entries, &reason, now)?;
        }
        if self.last_progress.elapsed() > self.options.deadline {
            let seconds = self.options.deadline.as_secs();
            let error = Error::failed(format!("nothing was acknowledged for {seconds} s: {reason}"))
                .hint("check the network and the stream; --deadline sets how long to go on trying");
            self.give_up(error, &reason)?;
        }
        Ok(())
    }

    /// Sends the entries of a put again after a pause; but not those whose time would be up by then.
    fn again(&mut self, entries: Vec<Entry>, reason: &str, now: Duration) -> Result<()> {
        let attempts = entries.iter().map(|entry| entry.attempts).max().unwrap_or_default();
        let due = now + backoff(attempts, fastrand::f64());
        let has_time = |entry: &Entry| {
            self.state != State::GivenUp && due.saturating_sub(entry.first_sent) <= self.options.deadline
        };
        let (again, dead): (Vec<_>, Vec<_>) = entries.into_iter().partition(has_time);
        for entry in &dead {
            self.ledger.dead(entry, reason)?;
        }
        self.queue.settle(&dead, again, due);
        Ok(())
    }

    /// No more is sent: what was never sent counts as not read, what was refused goes to the dead letters.
    fn give_up(&mut self, error: Error, reason: &str) -> Result<()> {
        self.stop_reading();
        self.state = State::GivenUp;
        for entry in self.queue.take_all() {
            self.ledger.dead(&entry, reason)?;
        }
        self.error.get_or_insert(error);
        Ok(())
    }

    fn stop_reading(&mut self) {
        if self.state == State::Reading {
            self.ledger.stopped_at(self.next_place);
        }
        let unsent = self.queue.take_unsent();
        self.ledger.unread(&unsent);
        self.state = State::Finishing;
    }

    fn interrupted(&mut self) -> Result<()> {
        if self.error.as_ref().is_some_and(|error| error.kind == Kind::Interrupted) {
            return self.give_up(Error::interrupted(), "interrupted before it was acknowledged");
        }
        self.stop_reading();
        self.error = Some(Error::interrupted());
        Ok(())
    }

    /// A record went to another shard than the map has: the stream was resharded.
    fn ask_for_shards(&mut self) {
        if self.resharding.is_none() && self.resharded.elapsed() > RESHARD_EVERY {
            let (client, stream) = (self.client.clone(), self.stream.clone());
            self.resharding = Some(tokio::spawn(async move { ShardMap::fetch(&client, &stream).await }));
        }
    }

    fn reshard(&mut self, shards: Option<Result<ShardMap>>) -> Result<()> {
        self.resharding = None;
        self.resharded = Instant::now();
        // A map that is out of date costs pacing, not records: it is asked for again when the next record shows it.
        if let Some(Ok(shards)) = shards {
            self.queue.reshard(shards);
        }
        self.replace_misplaced()
    }
}
