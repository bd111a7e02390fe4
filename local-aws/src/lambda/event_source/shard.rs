//! The poller of one shard: reads records, filters them, and starts the delivery of each lane's batches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::checkpoint::{ProcessingResult, ReadPosition, set};
use super::context::ShardContext;
use super::deaggregate;
use super::delivery::{Delivery, DeliveryProgress, changed, now};
use super::event::MAX_EVENT_BYTES;
use super::lanes::{LaneBatch, Lanes, Limits};
use super::record::Record;
use super::window::{self, MAX_STATE_BYTES, Window};
use crate::kinesis::{Cursor, RecordRef};
use crate::store::StoreError;

/// The limit of a shard's first read, before the size of its records is known.
const FIRST_READ_RECORDS: usize = 16;

/// The bytes of an event that a window can take: its state, and the members around it.
const WINDOW_BYTES: usize = MAX_STATE_BYTES + 1024;

/// How long the poller waits before it reads again after the data directory could not be read, in milliseconds.
const READ_RETRY_MS: i64 = 1000;

/// The only lane of a shard with tumbling windows: a window belongs to its shard.
const WINDOW_LANE: usize = 0;

/// Reads one shard on behalf of a mapping.
pub struct ShardReader {
    context: Arc<ShardContext>,
    stopped: watch::Receiver<bool>,
    changes: watch::Receiver<u64>,
    lanes: Arc<Mutex<Lanes>>,
    /// The deliveries that are under way.
    deliveries: JoinSet<()>,
    /// The position of the next read.
    cursor: Cursor,
    /// The average size of the last read's records in an event, in bytes.
    record_bytes: Option<usize>,
    is_at_end: bool,
    /// When to read again after a read that failed, in epoch milliseconds.
    retry_read_at: Option<i64>,
}

impl ShardReader {
    pub fn new(context: ShardContext, stopped: watch::Receiver<bool>, cursor: Cursor) -> Self {
        let changes = context.poller.kinesis.shard_changes(&context.stream, &context.shard_id);
        let settings = &context.config.settings;
        let mut lanes = Lanes::new(Limits {
            lanes: settings.parallelization_factor,
            batch_records: settings.batch_size,
            batch_bytes: MAX_EVENT_BYTES - if settings.window_ms().is_some() { WINDOW_BYTES } else { 0 },
            gather_ms: i64::from(settings.batching_window_seconds) * 1000,
        });
        let mut progress = context.poller.progress.shard(&context.shard_id);
        // Without windows, there is no final invocation to resume.
        progress.unfinished.retain(|batch| settings.window_ms().is_some() || batch.first.is_some());
        lanes.resume(progress.unfinished, progress.lanes);
        Self {
            context: Arc::new(context),
            stopped,
            changes,
            lanes: Arc::new(Mutex::new(lanes)),
            deliveries: JoinSet::new(),
            cursor,
            record_bytes: None,
            is_at_end: false,
            retry_read_at: None,
        }
    }

    /// Processes the shard until it is drained or the configuration changes. Returns the shard's ID.
    pub async fn run(mut self) -> String {
        while !*self.stopped.borrow() {
            let read_at = now();
            self.read().await;
            self.close_window(read_at);
            while let Some(batch) = self.next_batch() {
                let window = self.window_of(batch.group);
                self.deliver(batch, window);
            }
            if self.is_at_end && self.lanes().is_empty() {
                let progress = &self.context.poller.progress;
                let drained = Some(ReadPosition::Drained);
                progress
                    .update(&self.context.stream, &self.context.shard_id, |shard| set(&mut shard.position, drained));
                break;
            }
            let due = self.due();
            tokio::select! {
                // Without room, a change is not consumed, so that it is seen later.
                () = changed(&mut self.changes), if self.has_room() => {}
                () = changed(&mut self.stopped) => {}
                Some(ended) = self.deliveries.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(shard = self.context.shard_id, %error, "a delivery failed");
                        break;
                    }
                }
                () = at(due) => {}
            }
        }
        // Each lane finishes its present invocation.
        while self.deliveries.join_next().await.is_some() {}
        self.context.shard_id.clone()
    }

    /// Reads until there is no room or nothing left to read. Changes are marked as seen before the read that would return them,
    /// so that none is missed.
    async fn read(&mut self) {
        if self.retry_read_at.is_some_and(|at| at > now()) {
            return;
        }
        while self.has_room() && !self.is_at_end && !*self.stopped.borrow() {
            self.changes.borrow_and_update();
            let limit = self.read_limit();
            let ShardContext { poller, stream, shard_id, .. } = &*self.context;
            let page = match poller.kinesis.read(stream, shard_id, &self.cursor, limit).await {
                Ok(page) => page,
                Err(error) => return self.read_failed(&error),
            };
            self.retry_read_at = None;
            let records = page.records();
            let is_all = records.len() < limit;
            self.is_at_end = page.end_of_shard;
            if let Some(last) = records.last() {
                self.cursor = Cursor::after(last.counter);
            }
            self.queue(&records);
            if is_all {
                self.lanes().all_read();
                return;
            }
        }
    }

    /// Logs that the shard cannot be read, once until a read succeeds, and schedules the next read.
    fn read_failed(&mut self, error: &StoreError) {
        let ShardContext { poller, shard_id, .. } = &*self.context;
        if self.retry_read_at.is_none() {
            let (mapping, stream) = (&poller.uuid, &self.context.stream.name);
            tracing::error!(
                mapping,
                stream,
                shard = shard_id,
                "the shard could not be read; the poller retries every second: {error}"
            );
        }
        poller.progress.set_result(ProcessingResult::ReadFailed);
        self.retry_read_at = Some(now() + READ_RETRY_MS);
    }

    /// Queues the records in their lanes. Skips those that no filter passes and those that an earlier reader finished.
    fn queue(&mut self, records: &[RecordRef<'_>]) {
        let (now, role) = (now(), self.context.role());
        let fields = self.context.fields(&role);
        let filters = self.context.config.settings.filters.as_ref();
        let window_ms = self.context.config.settings.window_ms();
        let is_consumer = self.context.poller.source.is_consumer;
        let mut bytes = 0;
        let mut lanes = lock(&self.lanes);
        let mut queue = |record: RecordRef<'_>| {
            let size = fields.size(record);
            bytes += size;
            if lanes.is_finished(record) || filters.is_some_and(|filters| !filters.pass(record, &fields)) {
                return lanes.skip(record.counter);
            }
            let record = Record::new(record);
            let window = window_ms.map_or(0, |length| window::start_of(record.arrival_ms(), length));
            lanes.push(record, size, window, now);
        };
        for record in records {
            if is_consumer {
                deaggregate::records(*record, &mut queue);
            } else {
                queue(*record);
            }
        }
        if self.is_at_end {
            lanes.end();
        }
        persist_progress(&self.context, &mut lanes, None);
        drop(lanes);
        self.record_bytes = bytes.checked_div(records.len()).or(self.record_bytes);
    }

    /// Starts the final invocation of a window that is due.
    fn close_window(&mut self, read_at: i64) {
        let Some(window) = self.open_window() else { return };
        let next = self.lanes().next_group(WINDOW_LANE);
        if self.lanes().is_free(WINDOW_LANE) && window.is_due(next, self.is_at_end, read_at) && !*self.stopped.borrow()
        {
            let attempts = self.lanes().occupy(WINDOW_LANE);
            let batch = LaneBatch { lane: WINDOW_LANE, group: 0, records: Vec::new(), attempts };
            self.deliver(batch, Some(window));
        }
    }

    fn deliver(&mut self, batch: LaneBatch, window: Option<Window>) {
        let (context, lanes, lane) = (Arc::clone(&self.context), Arc::clone(&self.lanes), batch.lane);
        let is_final = batch.records.is_empty();
        let delivery = Delivery::new(Arc::clone(&self.context), self.stopped.clone(), batch.records, window);
        let delivery = delivery.resume(batch.attempts);
        self.deliveries.spawn(async move {
            let progressed = |mut step: DeliveryProgress<'_>| {
                let mut lanes = lock(&lanes);
                lanes.progressed(lane, step.completed, step.unfinished.take());
                persist_progress(&context, &mut lanes, Some(&step));
            };
            if delivery.run(progressed).await && is_final {
                let progress = &context.poller.progress;
                progress.update(&context.stream, &context.shard_id, |shard| set(&mut shard.window, None));
            }
            lock(&lanes).finished(lane, now());
        });
    }

    /// The window for records of the window that begins at `start`. `None` without windows.
    fn window_of(&self, start: i64) -> Option<Window> {
        let length = self.context.config.settings.window_ms()?;
        Some(self.open_window().unwrap_or_else(|| Window::new(start, length)))
    }

    fn open_window(&self) -> Option<Window> {
        self.context.config.settings.window_ms()?;
        self.context.poller.progress.window(&self.context.shard_id)
    }

    /// When the reader has something to do next if nothing else happens, in epoch milliseconds.
    fn due(&self) -> Option<i64> {
        let lanes = self.lanes();
        // While a record of the window waits, so does its final invocation.
        let waits = lanes.is_free(WINDOW_LANE) && lanes.next_group(WINDOW_LANE).is_none();
        let window = self.open_window().filter(|_| waits).map(|window| window.due());
        let retry = self.retry_read_at.filter(|_| lanes.has_room());
        lanes.due().into_iter().chain(window).chain(retry).min()
    }

    fn next_batch(&self) -> Option<LaneBatch> {
        // Once the reader is stopped, it starts no more batches.
        if *self.stopped.borrow() { None } else { self.lanes().next_batch(now()) }
    }

    /// The number of records that the lanes have room for, by number and by size: one record can have megabytes.
    fn read_limit(&self) -> usize {
        let (records, bytes) = self.lanes().room();
        let by_size = match self.record_bytes {
            Some(record_bytes) => (bytes / record_bytes.max(1)).max(1),
            None => FIRST_READ_RECORDS,
        };
        records.min(by_size)
    }

    fn has_room(&self) -> bool {
        self.lanes().has_room()
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        lock(&self.lanes)
    }
}

/// Persists the checkpoint, before which nothing needs to be read again, and the progress beyond it. The caller holds the lock of
/// the lanes, so that an earlier checkpoint does not replace a later one.
fn persist_progress(context: &ShardContext, lanes: &mut Lanes, step: Option<&DeliveryProgress<'_>>) {
    let position = lanes.checkpoint().map(|counter| ReadPosition::At(Cursor::after(counter)));
    let (unfinished, progress) = (lanes.unfinished(), lanes.progress());
    context.poller.progress.update(&context.stream, &context.shard_id, |shard| {
        let mut is_changed = set(&mut shard.unfinished, unfinished) | set(&mut shard.lanes, progress);
        if position.is_some() {
            is_changed |= set(&mut shard.position, position);
        }
        if let Some(result) = step.and_then(|step| step.result) {
            is_changed |= set(&mut shard.result, result);
        }
        if let Some(window) = step.and_then(|step| step.window) {
            is_changed |= set(&mut shard.window, Some(window.clone()));
        }
        is_changed
    });
}

fn lock(lanes: &Mutex<Lanes>) -> MutexGuard<'_, Lanes> {
    lanes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Resolves at a time in epoch milliseconds. Never resolves without one.
async fn at(due: Option<i64>) {
    match due {
        Some(due) => tokio::time::sleep(Duration::from_millis(u64::try_from(due - now()).unwrap_or_default())).await,
        None => std::future::pending().await,
    }
}
