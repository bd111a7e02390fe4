//! The poller of one shard: reads records, filters them, and has each lane's batches delivered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::deaggregate;
use super::delivery::{Context, Delivery, Step, changed, milliseconds, now};
use super::event::MAX_EVENT_BYTES;
use super::lanes::{Lanes, Limits, Taken};
use super::progress::{Place, ProcessingResult, set};
use super::window::{self, MAX_STATE_BYTES, Window};
use crate::kinesis::{Cursor, Record};
use crate::store::StoreError;

/// Records of a shard's first read, when it is not known how large they are.
const FIRST_READ: usize = 16;

/// What a window takes of an event: its state, and the members around it.
const WINDOW_BYTES: usize = MAX_STATE_BYTES + 1024;

/// How long the poller waits before it reads again after the data directory could not be read, in milliseconds.
const READ_RETRY_MS: i64 = 1000;

/// Windows are the shard's: with them, there is one lane.
const LANE: usize = 0;

/// Reads one shard on behalf of a mapping.
pub struct ShardReader {
    context: Arc<Context>,
    stopped: watch::Receiver<bool>,
    changes: watch::Receiver<u64>,
    lanes: Arc<Mutex<Lanes>>,
    /// What is under way.
    deliveries: JoinSet<()>,
    /// Where the next read begins.
    cursor: Cursor,
    /// How large the records of the last read were, on average.
    record_bytes: Option<usize>,
    is_at_end: bool,
    /// When to read again after a read that failed, in epoch milliseconds.
    retry_read_at: Option<i64>,
}

impl ShardReader {
    pub fn new(context: Context, stopped: watch::Receiver<bool>, cursor: Cursor) -> Self {
        let changes = context.poller.kinesis.shard_changes(&context.stream, &context.shard_id);
        let settings = &context.orders.settings;
        let mut lanes = Lanes::new(Limits {
            lanes: settings.parallelization_factor,
            batch_records: settings.batch_size,
            batch_bytes: MAX_EVENT_BYTES - if settings.window_ms().is_some() { WINDOW_BYTES } else { 0 },
            gather_ms: i64::from(settings.batching_window_seconds) * 1000,
        });
        let mut unfinished = context.poller.progress.shard(&context.shard_id).unfinished;
        // The end of a window, where there are windows no more.
        unfinished.retain(|batch| settings.window_ms().is_some() || !batch.first.is_empty());
        lanes.resume(unfinished);
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

    /// Processes the shard until it is drained or there are new orders. Returns the shard's ID.
    pub async fn run(mut self) -> String {
        while !*self.stopped.borrow() {
            let read_at = now();
            self.read().await;
            self.close_window(read_at);
            while let Some(taken) = self.take() {
                let window = self.window_of(taken.group);
                self.deliver(taken, window);
            }
            if self.is_at_end && self.lanes().is_empty() {
                let progress = &self.context.poller.progress;
                let drained = Some(Place::Drained);
                progress.update(&self.context.stream, &self.context.shard_id, |shard| set(&mut shard.place, drained));
                break;
            }
            let due = self.due();
            tokio::select! {
                // With room for nothing more, a change is looked at later: it stays unseen.
                () = changed(&mut self.changes), if self.has_room() => {}
                () = changed(&mut self.stopped) => {}
                Some(ended) = self.deliveries.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(shard = self.context.shard_id, %error, "a delivery ended");
                        break;
                    }
                }
                () = at(due) => {}
            }
        }
        // With new orders, each lane finishes the invocation it is at.
        while self.deliveries.join_next().await.is_some() {}
        self.context.shard_id.clone()
    }

    /// Reads on until there is no room or nothing left to read. Changes are marked as seen before the read that would show
    /// them, so that none is missed.
    async fn read(&mut self) {
        if self.retry_read_at.is_some_and(|at| at > now()) {
            return;
        }
        while self.has_room() && !self.is_at_end && !*self.stopped.borrow() {
            self.changes.borrow_and_update();
            let limit = self.read_limit();
            let Context { poller, stream, shard_id, .. } = &*self.context;
            let page = match poller.kinesis.read(stream, shard_id, &self.cursor, limit).await {
                Ok(page) => page,
                Err(error) => return self.read_failed(&error),
            };
            self.retry_read_at = None;
            let is_all = page.records.len() < limit;
            self.is_at_end = page.end_of_shard;
            if let Some(last) = page.records.last() {
                self.cursor = Cursor::after(&last.sequence_number);
            }
            self.take_in(page.records);
            if is_all {
                self.lanes().all_read();
                return;
            }
        }
    }

    /// Reports that the shard cannot be read, once, and has it read again later.
    fn read_failed(&mut self, error: &StoreError) {
        let Context { poller, shard_id, .. } = &*self.context;
        if self.retry_read_at.is_none() {
            let (mapping, stream) = (&poller.uuid, &self.context.stream.name);
            tracing::error!(
                mapping,
                stream,
                shard = shard_id,
                "the shard could not be read, and is read again: {error}"
            );
        }
        poller.progress.set_result(ProcessingResult::ReadFailed);
        self.retry_read_at = Some(now() + READ_RETRY_MS);
    }

    /// Gives each record its place in a lane, but for those that no filter lets pass.
    fn take_in(&mut self, records: Vec<Record>) {
        let (count, now, role) = (records.len(), now(), self.context.role());
        let source = self.context.source(&role);
        let filters = self.context.orders.settings.filters.as_ref();
        let window_ms = self.context.orders.settings.window_ms();
        let mut bytes = 0;
        let mut lanes = lock(&self.lanes);
        let records = match self.context.poller.source.is_consumer {
            true => records.into_iter().flat_map(deaggregate::records).collect(),
            false => records,
        };
        for record in records {
            let size = source.size(&record);
            bytes += size;
            if filters.is_none_or(|filters| filters.pass(&record, &source)) {
                let window = window_ms.map_or(0, |length| window::start_of(milliseconds(record.arrival), length));
                lanes.push(record, size, window, now);
            } else {
                lanes.skip(&record);
            }
        }
        if self.is_at_end {
            lanes.end();
        }
        keep_progress(&self.context, &mut lanes, None);
        drop(lanes);
        self.record_bytes = bytes.checked_div(count).or(self.record_bytes);
    }

    /// Invokes the function for the last time with a window that is over.
    fn close_window(&mut self, read_at: i64) {
        let Some(window) = self.open_window() else { return };
        let next = self.lanes().next_group(LANE);
        if self.lanes().is_free(LANE) && window.is_due(next, self.is_at_end, read_at) && !*self.stopped.borrow() {
            let attempts = self.lanes().occupy(LANE);
            self.deliver(Taken { lane: LANE, group: 0, records: Vec::new(), attempts }, Some(window));
        }
    }

    fn deliver(&mut self, taken: Taken, window: Option<Window>) {
        let (context, lanes, lane) = (Arc::clone(&self.context), Arc::clone(&self.lanes), taken.lane);
        let is_final = taken.records.is_empty();
        let delivery = Delivery::new(Arc::clone(&self.context), self.stopped.clone(), taken.records, window);
        let delivery = delivery.resume(taken.attempts);
        self.deliveries.spawn(async move {
            let progressed = |mut step: Step<'_>| {
                let mut lanes = lock(&lanes);
                lanes.progressed(lane, step.completed, step.unfinished.take());
                keep_progress(&context, &mut lanes, Some(&step));
            };
            if delivery.run(progressed).await && is_final {
                let progress = &context.poller.progress;
                progress.update(&context.stream, &context.shard_id, |shard| set(&mut shard.window, None));
            }
            lock(&lanes).finished(lane, now());
        });
    }

    /// The window that the records of this one go to; none without windows.
    fn window_of(&self, start: i64) -> Option<Window> {
        let length = self.context.orders.settings.window_ms()?;
        Some(self.open_window().unwrap_or_else(|| Window::new(start, length)))
    }

    fn open_window(&self) -> Option<Window> {
        self.context.orders.settings.window_ms()?;
        self.context.poller.progress.window(&self.context.shard_id)
    }

    /// When there is something to do if nothing happens until then, in epoch milliseconds.
    fn due(&self) -> Option<i64> {
        let lanes = self.lanes();
        // While a record of it waits, the window does too.
        let waits = lanes.is_free(LANE) && lanes.next_group(LANE).is_none();
        let window = self.open_window().filter(|_| waits).map(|window| window.due());
        let retry = self.retry_read_at.filter(|_| lanes.has_room());
        lanes.due().into_iter().chain(window).chain(retry).min()
    }

    fn take(&self) -> Option<Taken> {
        // With new orders nothing is begun any more.
        if *self.stopped.borrow() { None } else { self.lanes().take(now()) }
    }

    /// No more records than the lanes take, by their number and by their size: those may be of megabytes each.
    fn read_limit(&self) -> usize {
        let (records, bytes) = self.lanes().room();
        let by_size = match self.record_bytes {
            Some(record_bytes) => (bytes / record_bytes.max(1)).max(1),
            None => FIRST_READ,
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

/// Everything before the first record that is not done with need not be read again. The lanes are held, so that an earlier
/// checkpoint does not replace a later one.
fn keep_progress(context: &Context, lanes: &mut Lanes, step: Option<&Step<'_>>) {
    let place = lanes.checkpoint().map(|sequence_number| Place::At(Cursor::after(&sequence_number)));
    let unfinished = lanes.unfinished();
    context.poller.progress.update(&context.stream, &context.shard_id, |shard| {
        let mut is_changed = set(&mut shard.unfinished, unfinished);
        if place.is_some() {
            is_changed |= set(&mut shard.place, place);
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

/// Resolves at a time in epoch milliseconds; never without one.
async fn at(due: Option<i64>) {
    match due {
        Some(due) => tokio::time::sleep(Duration::from_millis(u64::try_from(due - now()).unwrap_or_default())).await,
        None => std::future::pending().await,
    }
}
