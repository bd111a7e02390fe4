//! The poller of one shard: reads records, filters them, and has each lane's batches delivered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::delivery::{Context, Delivery, changed, now};
use super::event::MAX_EVENT_BYTES;
use super::lanes::{Lanes, Limits, Taken};
use super::mapping::Place;
use crate::kinesis::{Cursor, Record};

/// Records of a shard's first read, when it is not known how large they are.
const FIRST_READ: usize = 16;

/// Reads one shard on behalf of a mapping.
pub struct ShardReader {
    context: Arc<Context>,
    stopped: watch::Receiver<bool>,
    changes: watch::Receiver<u64>,
    lanes: Arc<Mutex<Lanes>>,
    /// What is under way, by lane.
    deliveries: JoinSet<usize>,
    /// Where the next read begins.
    cursor: Cursor,
    /// How large the records of the last read were, on average.
    record_bytes: Option<usize>,
    is_at_end: bool,
}

impl ShardReader {
    pub fn new(context: Context, stopped: watch::Receiver<bool>, cursor: Cursor) -> Self {
        let changes = context.poller.kinesis.changes(&context.poller.stream_arn);
        let settings = &context.orders.settings;
        let lanes = Lanes::new(Limits {
            lanes: settings.parallelization_factor,
            batch_records: settings.batch_size,
            batch_bytes: MAX_EVENT_BYTES,
            gather_ms: i64::from(settings.batching_window_seconds) * 1000,
        });
        Self {
            context: Arc::new(context),
            stopped,
            changes,
            lanes: Arc::new(Mutex::new(lanes)),
            deliveries: JoinSet::new(),
            cursor,
            record_bytes: None,
            is_at_end: false,
        }
    }

    /// Processes the shard until it is drained or there are new orders. Returns the shard's ID.
    pub async fn run(mut self) -> String {
        while !*self.stopped.borrow() {
            self.read().await;
            while let Some(taken) = self.take() {
                self.deliver(taken);
            }
            if self.is_at_end && self.lanes().is_empty() {
                self.set_place(Place::Drained);
                break;
            }
            let due = self.lanes().due();
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
        while self.has_room() && !self.is_at_end && !*self.stopped.borrow() {
            self.changes.borrow_and_update();
            let limit = self.read_limit();
            let Context { poller, stream, shard_id, .. } = &*self.context;
            let page = poller.kinesis.read(stream, shard_id, &self.cursor, limit).await;
            let is_all = page.records.len() < limit;
            self.is_at_end = page.end_of_shard;
            if let Some(last) = page.records.last() {
                self.cursor = Cursor::after(shard_id, &last.sequence_number);
            }
            self.take_in(page.records);
            if is_all {
                return;
            }
        }
    }

    /// Gives each record its place in a lane, but for those that no filter lets pass.
    fn take_in(&mut self, records: Vec<Record>) {
        let (count, now, role) = (records.len(), now(), self.context.role());
        let source = self.context.source(&role);
        let filters = self.context.orders.settings.filters.as_ref();
        let mut bytes = 0;
        let mut lanes = lock(&self.lanes);
        for record in records {
            let size = source.size(&record);
            bytes += size;
            if filters.is_none_or(|filters| filters.pass(&record, &source)) {
                lanes.push(record, size, 0, now);
            } else {
                lanes.skip(&record);
            }
        }
        if self.is_at_end {
            lanes.end();
        }
        checkpoint(&self.context, &mut lanes);
        drop(lanes);
        self.record_bytes = bytes.checked_div(count).or(self.record_bytes);
    }

    fn deliver(&mut self, taken: Taken) {
        let (context, lanes, lane) = (Arc::clone(&self.context), Arc::clone(&self.lanes), taken.lane);
        let delivery = Delivery::new(Arc::clone(&self.context), self.stopped.clone(), taken.records);
        self.deliveries.spawn(async move {
            let progressed = |completed| {
                let mut lanes = lock(&lanes);
                lanes.progressed(lane, completed);
                checkpoint(&context, &mut lanes);
            };
            delivery.run(progressed).await;
            lock(&lanes).finished(lane, now());
            lane
        });
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
        let (records, bytes) = self.lanes().room();
        records > 0 && bytes > 0
    }

    fn set_place(&self, place: Place) {
        self.context.poller.progress.set_place(&self.context.stream, &self.context.shard_id, place);
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        lock(&self.lanes)
    }
}

/// Everything before the first record that is not done with need not be read again. The lanes are held, so that an earlier
/// checkpoint does not replace a later one.
fn checkpoint(context: &Context, lanes: &mut Lanes) {
    if let Some(sequence_number) = lanes.checkpoint() {
        let place = Place::At(Cursor::after(&context.shard_id, &sequence_number));
        context.poller.progress.set_place(&context.stream, &context.shard_id, place);
    }
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
