//! The poller of one shard: gathers a batch, has the function process it by the batch's rules, moves on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::batch::{Action, Batch, GivenUp, Outcome};
use super::event::{MAX_EVENT_BYTES, Source};
use super::mapping::{Orders, Place, ProcessingResult};
use super::poller::Poller;
use super::response;
use crate::kinesis::{Cursor, Record, Stream};
use crate::lambda::execution::Call;

/// Records of a shard's first read, when it is not known how large they are.
const FIRST_READ: usize = 16;

/// Reads one shard on behalf of a mapping.
pub struct ShardReader {
    poller: Arc<Poller>,
    stream: Arc<Stream>,
    shard_id: String,
    orders: Orders,
    stopped: watch::Receiver<bool>,
    changes: watch::Receiver<u64>,
    /// Read and not yet part of a batch.
    pending: VecDeque<Record>,
    pending_bytes: usize,
    /// How large the records of the last read were, on average.
    record_bytes: Option<usize>,
    is_at_end: bool,
}

/// Why there is no batch.
enum NoBatch {
    Stopped,
    /// The shard is closed and everything in it was processed.
    Drained,
}

impl ShardReader {
    pub fn new(
        poller: Arc<Poller>,
        stream: Arc<Stream>,
        shard_id: String,
        orders: Orders,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let changes = poller.kinesis.changes(&poller.stream_arn);
        Self {
            poller,
            stream,
            shard_id,
            orders,
            stopped,
            changes,
            pending: VecDeque::new(),
            pending_bytes: 0,
            record_bytes: None,
            is_at_end: false,
        }
    }

    /// Processes the shard from `cursor` on, until it is drained or there are new orders. Returns the shard's ID.
    pub async fn run(mut self, mut cursor: Cursor) -> String {
        loop {
            match self.gather(&mut cursor).await {
                Ok(records) => {
                    if self.process(&records).await.is_err() {
                        break;
                    }
                }
                Err(NoBatch::Drained) => {
                    self.poller.progress.set_place(&self.shard_id, Place::Drained);
                    break;
                }
                Err(NoBatch::Stopped) => break,
            }
        }
        self.shard_id
    }

    /// The next batch: full, at the payload limit, or as large as it got within the batching window. The window begins
    /// with the first record.
    async fn gather(&mut self, cursor: &mut Cursor) -> Result<Vec<Record>, NoBatch> {
        let window = Duration::from_secs(self.orders.settings.batching_window_seconds.into());
        let mut window_end = None;
        loop {
            if *self.stopped.borrow() {
                return Err(NoBatch::Stopped);
            }
            self.read(cursor).await;
            let until = if self.pending.is_empty() {
                if self.is_at_end {
                    return Err(NoBatch::Drained);
                }
                None
            } else {
                let end = *window_end.get_or_insert_with(|| Instant::now() + window);
                if self.is_full() || self.is_at_end || end <= Instant::now() {
                    return Ok(self.take_batch());
                }
                Some(end)
            };
            tokio::select! {
                () = changed(&mut self.changes) => {}
                () = changed(&mut self.stopped) => {}
                () = at(until) => {}
            }
        }
    }

    /// Reads on until a batch is full or nothing is left to read. Changes are marked as seen before the read that would
    /// show them, so that none is missed.
    async fn read(&mut self, cursor: &mut Cursor) {
        while !self.is_full() && !self.is_at_end {
            self.changes.borrow_and_update();
            let limit = self.read_limit();
            let page = self.poller.kinesis.read(&self.stream, &self.shard_id, cursor, limit).await;
            let is_all = page.records.len() < limit;
            if let Some(last) = page.records.last() {
                *cursor = Cursor::after(&self.shard_id, &last.sequence_number);
                let source = self.source("");
                let bytes = page.records.iter().map(|record| source.size(record)).sum::<usize>();
                self.pending_bytes += bytes;
                self.record_bytes = Some(bytes / page.records.len());
            }
            self.pending.extend(page.records);
            self.is_at_end = page.end_of_shard;
            if is_all {
                return;
            }
        }
    }

    /// No more records than the batch takes, by their number and by their size: those may be of megabytes each.
    fn read_limit(&self) -> usize {
        let by_number = self.orders.settings.batch_size - self.pending.len();
        let by_size = match self.record_bytes {
            Some(bytes) => (MAX_EVENT_BYTES.saturating_sub(self.pending_bytes) / bytes.max(1)).max(1),
            None => FIRST_READ,
        };
        by_number.min(by_size)
    }

    fn is_full(&self) -> bool {
        self.pending.len() >= self.orders.settings.batch_size || self.pending_bytes >= MAX_EVENT_BYTES
    }

    /// The records of one event: at least one, whatever its size.
    fn take_batch(&mut self) -> Vec<Record> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while let Some(record) = self.pending.front() {
            let size = self.source("").size(record);
            if !batch.is_empty() && (batch.len() >= self.orders.settings.batch_size || bytes + size > MAX_EVENT_BYTES) {
                break;
            }
            bytes += size;
            batch.extend(self.pending.pop_front());
        }
        self.pending_bytes = self.pending_bytes.saturating_sub(bytes);
        batch
    }

    /// Has the function process a batch until nothing of it is left.
    async fn process(&mut self, records: &[Record]) -> Result<(), NoBatch> {
        let arrivals = records.iter().map(|record| milliseconds(record.arrival)).collect();
        let mut batch = Batch::new(arrivals, self.orders.settings.policy());
        loop {
            if *self.stopped.borrow() {
                return Err(NoBatch::Stopped);
            }
            match batch.next(Timestamp::now().as_millisecond()) {
                Action::Invoke(range) => {
                    let outcome = self.invoke(&records[range.clone()], range.start).await;
                    let result = match outcome {
                        Outcome::Success | Outcome::DoneBefore(_) => ProcessingResult::Ok,
                        Outcome::Failure | Outcome::NotInvoked => ProcessingResult::FunctionCallFailed,
                    };
                    self.poller.progress.set_result(result);
                    batch.finished(outcome, Timestamp::now().as_millisecond());
                }
                Action::Wait(ms) => {
                    let wait = Duration::from_millis(u64::try_from(ms).unwrap_or_default());
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = changed(&mut self.stopped) => {}
                    }
                }
                Action::GiveUp(given_up) => self.give_up(&given_up),
                Action::Done => {}
            }
            self.checkpoint(records, batch.completed());
            if batch.completed() == records.len() {
                return Ok(());
            }
        }
    }

    async fn invoke(&self, records: &[Record], first: usize) -> Outcome {
        let functions = &self.poller.functions;
        let function = &self.orders.function;
        let Ok(role) = functions.role(function) else { return Outcome::NotInvoked };
        let call = Call {
            payload: self.source(&role).event(records),
            invoked_arn: functions.arn(function),
            client_context: None,
        };
        let request_id = Uuid::new_v4().to_string();
        match functions.invoke(function, call, request_id.clone()).await {
            Err(_) => Outcome::NotInvoked,
            Ok(invoked) if invoked.is_error => {
                let (mapping, shard) = (&self.poller.uuid, &self.shard_id);
                let error = String::from_utf8_lossy(&invoked.payload);
                tracing::warn!(mapping, shard, function, request_id, records = records.len(), %error, "batch failed");
                Outcome::Failure
            }
            Ok(invoked) if self.orders.settings.reports_item_failures => {
                let numbers: Vec<&str> = records.iter().map(|record| record.sequence_number.as_str()).collect();
                response::outcome(&invoked.payload, &numbers, first)
            }
            Ok(_) => Outcome::Success,
        }
    }

    fn give_up(&self, given_up: &GivenUp) {
        self.poller.progress.set_result(ProcessingResult::FunctionCallFailed);
        tracing::warn!(
            mapping = self.poller.uuid,
            shard = self.shard_id,
            function = self.orders.function,
            records = given_up.records.len(),
            invocations = given_up.invocations,
            condition = ?given_up.condition,
            "records given up"
        );
    }

    fn checkpoint(&self, records: &[Record], completed: usize) {
        if let Some(last) = completed.checked_sub(1).and_then(|index| records.get(index)) {
            let cursor = Cursor::after(&self.shard_id, &last.sequence_number);
            self.poller.progress.set_place(&self.shard_id, Place::At(cursor));
        }
    }

    /// What the events of this shard have in common; a size is the same with a role of no length, less that length.
    fn source<'a>(&'a self, role_arn: &'a str) -> Source<'a> {
        Source {
            region: &self.poller.functions.config().region,
            stream_arn: &self.poller.stream_arn,
            shard_id: &self.shard_id,
            role_arn,
        }
    }
}

/// Resolves with the next change; never when there can be none.
async fn changed<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}
