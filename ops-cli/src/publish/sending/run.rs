//! Runs several requests in flight. Only failed entries are resent, until they are acknowledged or their deadline is over.

mod outcomes;

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::put_records::{self, Failure};
use super::response::Response;
use super::turn::{Turn, TurnEnd};
use crate::error::{Error, Result};
use crate::output::counted;
use crate::progress::note;
use crate::publish::RunReport;
use crate::publish::accounting::ledger::Ledger;
use crate::publish::accounting::progress::Progress;
use crate::publish::input::read_ahead::Chunk;
use crate::publish::input::record::InputPosition;
use crate::publish::scheduling::batch::{Packing, QueuedEntry, Request};
use crate::publish::scheduling::bucket::Rate;
use crate::publish::scheduling::delays::RequestPause;
use crate::publish::scheduling::queue::{Next, Queue};
use crate::publish::scheduling::shards::ShardMap;

/// The most requests in flight, and the most bytes in them. The SDK's copies of a request are several times its size.
const REQUESTS: usize = 8;
const REQUEST_BYTES: usize = 4 * 1024 * 1024;
/// The time that records wait for others to share an aggregate with, if the input is slow.
const LINGER: Duration = Duration::from_millis(100);
/// The minimum interval between listings of the stream's shards.
const RESHARD_EVERY: Duration = Duration::from_secs(1);

/// The reason for abandoning a record after an interrupt.
const INTERRUPTED: &str = "was interrupted before it was acknowledged";

/// The options of a run.
#[derive(Debug, Clone)]
pub struct SendOptions {
    /// The time for which a record is retried, without the time spent waiting for its shard's pace.
    pub deadline: Duration,
    pub packing: Packing,
    /// Stop at the first input error.
    pub strict: bool,
    pub rate: Option<f64>,
    pub rate_bytes: Option<f64>,
}

/// The state of one run.
pub struct Run {
    client: Client,
    stream: String,
    options: SendOptions,
    begun: Instant,
    queue: Queue,
    ledger: Ledger,
    requests: JoinSet<AnsweredRequest>,
    /// The turns of the requests in flight.
    turns: HashMap<u64, TurnEnd>,
    bytes_under_way: usize,
    /// The time since which records are ready to be sent.
    ready_since: Duration,
    /// Aggregates on a shard that is not in the map.
    misplaced: Vec<MisplacedAggregate>,
    /// `Some` while the stream's shards are being listed.
    resharding: Option<JoinHandle<Result<ShardMap>>>,
    resharded: Instant,
    pause: RequestPause,
    /// The time at which the first request was sent that failed since the last acknowledgement.
    failing_since: Option<Duration>,
    next_place: InputPosition,
    state: State,
    is_interrupted: bool,
    /// Whether requests in flight are abandoned.
    leave: watch::Sender<bool>,
    /// The error that ends the run early.
    error: Option<Error>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Reading,
    /// Nothing more is read; queued records are still sent.
    Finishing,
    /// Nothing more is sent; requests in flight are waited for.
    GivenUp,
}

/// Records of an aggregate that was acknowledged by a shard that may not be the shard of all of them.
struct MisplacedAggregate {
    entries: Vec<QueuedEntry>,
    shard_id: String,
    sequence_number: String,
}

struct AnsweredRequest {
    request: Request,
    bytes: usize,
    /// The time at which its entries were taken from the queue.
    packed: Duration,
    /// The time at which its last byte was sent.
    sent: Duration,
    took: Duration,
    result: Result<Response, Failure>,
}

impl Run {
    pub fn new(client: &Client, stream: &str, shards: ShardMap, options: SendOptions, ledger: Ledger) -> Self {
        let rate = Rate::new(options.rate, options.rate_bytes, Duration::ZERO);
        let now = Instant::now();
        Self {
            client: put_records::client(client),
            stream: stream.to_owned(),
            begun: now,
            queue: Queue::new(shards, options.packing, rate),
            options,
            ledger,
            requests: JoinSet::new(),
            turns: HashMap::new(),
            bytes_under_way: 0,
            ready_since: Duration::ZERO,
            misplaced: Vec::new(),
            resharding: None,
            resharded: now,
            pause: RequestPause::default(),
            failing_since: None,
            next_place: InputPosition { offset: 0, input: 0, line: 0 },
            state: State::Reading,
            is_interrupted: false,
            leave: watch::Sender::new(false),
            error: None,
        }
    }

    /// Sends all chunks. When `stop` resolves the first time, nothing more is read or sent. The second time, requests in flight are
    /// abandoned.
    pub async fn drive<S: Future<Output = ()>>(
        &mut self,
        mut chunks: mpsc::Receiver<Chunk>,
        mut stop: impl FnMut() -> S,
        progress: &mut Progress,
    ) -> Result<()> {
        let mut stopping = Box::pin(stop());
        let mut tick = tokio::time::interval(Progress::TICK);
        loop {
            self.stop_at_failure();
            let wait = self.send_what_may_be_sent();
            if self.state != State::Reading && self.queue.held() == 0 {
                break;
            }
            let may_read = self.state == State::Reading && self.queue.has_room() && !self.ledger.is_full();
            tokio::select! {
                Some(answer) = self.requests.join_next(), if !self.requests.is_empty() => {
                    let answer = answer.map_err(|error| Error::failed(format!("a request's task failed: {error}")))?;
                    self.answered(answer);
                }
                chunk = chunks.recv(), if may_read => self.take(chunk),
                shards = async { self.resharding.as_mut().expect("it is checked to be there").await },
                    if self.resharding.is_some() => self.reshard(shards.ok()),
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
                () = &mut stopping => {
                    self.interrupted();
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
        self.ledger.flush();
        self.stop_at_failure();
        Ok(())
    }

    /// Stops reading if a receipt or dead letter could not be written, because nothing is sent without one.
    fn stop_at_failure(&mut self) {
        if let Some(error) = self.ledger.take_failure() {
            self.stop_reading();
            self.error = Some(error);
        }
    }

    /// Returns the report of a run that has ended.
    pub fn report(self) -> Result<RunReport> {
        let first_unread = self.ledger.first_unread;
        let (summary, receipts) = self.ledger.close(self.begun.elapsed())?;
        Ok(RunReport { summary, receipts, error: self.error, first_unread })
    }

    /// Sends all requests that may be sent now. Returns the time until the next one, if only time is lacking.
    fn send_what_may_be_sent(&mut self) -> Option<Duration> {
        if self.state == State::GivenUp {
            return None;
        }
        while self.requests.len() < REQUESTS && self.bytes_under_way < REQUEST_BYTES {
            let now = self.begun.elapsed();
            if let Some(wait) = self.pause.wait(now) {
                return Some(wait);
            }
            if self.state == State::Reading && self.queue.has_room() && !self.queue.has_a_full_request() {
                let is_aggregating = self.options.packing.aggregate_bytes.is_some();
                let lingers = (self.ready_since + LINGER).saturating_sub(now);
                if is_aggregating && self.queue.has_ready() && !lingers.is_zero() {
                    return Some(lingers);
                }
                // A request that is not full is sent at once if none is in flight. Otherwise it waits for more records.
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

    fn send(&mut self, mut request: Request, packed: Duration) {
        self.ready_since = packed;
        let (client, stream) = (self.client.clone(), self.stream.clone());
        let bytes = request.entries.iter().map(|entry| entry.record.size()).sum();
        self.bytes_under_way += bytes;
        let tally = &mut self.ledger.tally;
        tally.requests += 1;
        tally.puts += request.puts.len() as u64;
        tally.sent_again += request.entries.iter().filter(|entry| entry.attempts > 1).count() as u64;
        let mut leave = self.leave.subscribe();
        let after = request.after.and_then(|before| self.turns.get(&before).cloned());
        let (turn, turn_end) = Turn::new();
        self.turns.insert(request.id, turn_end);
        self.requests.spawn(async move {
            let begun = Instant::now();
            let result = tokio::select! {
                result = put_records::put(&client, &stream, &mut request, after.clone()) => result,
                _ = leave.wait_for(|leave| *leave) => {
                    let is_sent = after.as_ref().is_none_or(|after| after.time().is_some());
                    Err(if is_sent {
                        Failure::Passing { reason: INTERRUPTED.to_owned(), may_be_put: true }
                    } else {
                        Failure::NotSent
                    })
                }
            };
            drop(turn);
            let waited = after.and_then(|after| after.time()).unwrap_or(begun).saturating_duration_since(begun);
            AnsweredRequest { request, bytes, packed, sent: packed + waited, took: begun.elapsed() - waited, result }
        });
    }

    fn take(&mut self, chunk: Option<Chunk>) {
        let Some(chunk) = chunk else {
            self.state = State::Finishing;
            return;
        };
        self.ledger.tally.skipped += chunk.skipped;
        if !self.queue.has_ready() {
            self.ready_since = self.begun.elapsed();
        }
        for item in chunk.items {
            match item {
                Ok(record) => {
                    self.next_place = InputPosition { offset: record.place.offset + 1, ..record.place };
                    self.ledger.read(record.place);
                    self.queue.push(record);
                }
                Err(rejected) if self.options.strict || rejected.is_other_form => {
                    let what = format!("{} {}", rejected.place.of(self.ledger.names()), rejected.reason);
                    self.ledger.stopped_at(rejected.place);
                    self.state = State::Finishing;
                    self.error = Some(Error::usage(what).hint(rejected.remedy));
                    return;
                }
                Err(rejected) => {
                    self.next_place = InputPosition { offset: rejected.place.offset + 1, ..rejected.place };
                    self.ledger.rejected(&rejected);
                }
            }
        }
    }

    /// Ends sending: records that were never sent count as unread, the others become dead letters.
    fn give_up(&mut self, error: Error, reason: &str) {
        self.stop_reading();
        self.state = State::GivenUp;
        for entry in self.queue.take_all() {
            self.ledger.dead(&entry, reason);
        }
        self.error.get_or_insert(error);
    }

    fn stop_reading(&mut self) {
        if self.state == State::Reading {
            self.ledger.stopped_at(self.next_place);
            self.state = State::Finishing;
        }
        let unsent = self.queue.take_unsent();
        self.ledger.unread(&unsent);
    }

    /// Ends sending. The first interrupt waits for the requests in flight, whose records are otherwise in doubt.
    fn interrupted(&mut self) {
        if self.is_interrupted {
            self.leave.send_replace(true);
            return;
        }
        self.is_interrupted = true;
        self.stop_reading();
        self.state = State::GivenUp;
        let waiting = self.queue.take_all();
        self.abandon(waiting, INTERRUPTED);
        self.error.get_or_insert(Error::interrupted());
        if !self.requests.is_empty() {
            let requests = counted(self.requests.len() as u64, "request");
            note(&format!("waiting for the answers to {requests}; interrupt again to stop at once"));
        }
    }

    /// Ends the attempts at records of an interrupted run. Those that are known not to be on the stream are as good as unread; the
    /// others become dead letters.
    fn abandon(&mut self, entries: Vec<QueuedEntry>, reason: &str) {
        let (in_doubt, unread): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.may_be_put);
        self.ledger.unread(&unread.into_iter().map(|entry| entry.record).collect::<Vec<_>>());
        for entry in &in_doubt {
            self.ledger.dead(entry, reason);
        }
    }
}
