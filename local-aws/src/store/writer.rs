//! The writer thread and the write queue.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::changes::Changes;
use super::engine::Engine;
use super::error::StoreError;

/// The most bytes in the queue. Commits beyond it wait.
pub const MAX_QUEUED_BYTES: usize = 8 << 20;
/// The most bytes of one write, unless one batch alone is larger.
const MAX_GROUP_BYTES: usize = 4 << 20;
/// The time between two syncs. A power failure can lose what was written since the last one.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Notified when a batch is queued or the queue is closed.
    filled: Condvar,
    /// Notified when batches were written.
    emptied: Condvar,
    progress: watch::Sender<WriteProgress>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Changes>,
    bytes: usize,
    /// The number of batches that were committed, and of those that were written.
    committed: u64,
    written: u64,
    is_closed: bool,
}

/// The number of batches that were written, and the first failure, after which nothing more is written.
#[derive(Default)]
struct WriteProgress {
    count: u64,
    failure: Option<Arc<str>>,
}

impl Writer {
    pub fn start(engine: Arc<Engine>) -> Self {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            progress: watch::channel(WriteProgress::default()).0,
        });
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || run(&shared, &engine)
        });
        Self { shared, thread: Some(thread) }
    }

    pub fn commit(&self, changes: Changes) {
        let bytes = changes.bytes();
        if bytes == 0 {
            return;
        }
        let mut queue = self.shared.queue();
        while queue.bytes > 0 && queue.bytes + bytes > MAX_QUEUED_BYTES {
            queue = wait(&self.shared.emptied, queue);
        }
        queue.waiting.push(changes);
        queue.bytes += bytes;
        queue.committed += 1;
        drop(queue);
        self.shared.filled.notify_one();
    }

    pub async fn flushed(&self) -> Result<(), StoreError> {
        let committed = self.shared.queue().committed;
        let mut progress = self.shared.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.count >= committed || progress.failure.is_some()).await;
        match reached {
            Ok(progress) => progress.failure.clone().map_or(Ok(()), |failure| Err(StoreError::Failed(failure))),
            Err(_) => Err(StoreError::Failed("the writer thread has ended".into())),
        }
    }

    /// The first failure, after which nothing is written any more.
    pub fn failure(&self) -> Option<StoreError> {
        self.shared.failure().map(StoreError::Failed)
    }

    /// Stops writing because the data directory cannot be read.
    pub fn fail(&self, error: &StoreError) {
        self.shared.failed(error);
    }

    /// Blocks until everything that was committed is written or the data directory has failed.
    pub fn wait(&self) {
        let mut queue = self.shared.queue();
        let committed = queue.committed;
        while queue.written < committed {
            queue = wait(&self.shared.emptied, queue);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.queue().is_closed = true;
        self.shared.filled.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer thread panicked");
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for batches and removes them from the queue. Returns `None` once the queue is closed and empty, and no batches at the
    /// time `until`.
    fn next_batches(&self, until: Option<Instant>) -> Option<Vec<Changes>> {
        let mut queue = self.queue();
        while queue.waiting.is_empty() && !queue.is_closed {
            queue = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => wait(&self.filled, queue),
                Some(Duration::ZERO) => return Some(Vec::new()),
                Some(left) => self.filled.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        queue.bytes = 0;
        let batches = std::mem::take(&mut queue.waiting);
        (!batches.is_empty()).then_some(batches)
    }

    fn wrote(&self, count: u64) {
        self.queue().written += count;
        self.emptied.notify_all();
        self.progress.send_modify(|progress| progress.count += count);
    }

    fn failure(&self) -> Option<Arc<str>> {
        self.progress.borrow().failure.clone()
    }

    /// Records a failure. The first one is logged and returned from then on.
    fn failed(&self, error: &StoreError) {
        let is_first = self.progress.send_if_modified(|progress| {
            let is_first = progress.failure.is_none();
            progress.failure.get_or_insert_with(|| error.to_string().into());
            is_first
        });
        if is_first {
            tracing::error!("{error}; from now on nothing is persisted: changes are rejected, memory is still served");
        }
    }
}

fn wait<'a>(condition: &Condvar, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
    condition.wait(queue).unwrap_or_else(PoisonError::into_inner)
}

fn run(shared: &Shared, engine: &Engine) {
    // The time of the next sync. `None` if everything is synced.
    let mut sync_at: Option<Instant> = None;
    while let Some(batches) = shared.next_batches(sync_at) {
        for group in groups(batches) {
            let count = group.len() as u64;
            if shared.failure().is_none() {
                sync_at.get_or_insert_with(|| Instant::now() + SYNC_INTERVAL);
                engine.write(group).unwrap_or_else(|error| shared.failed(&error));
            }
            shared.wrote(count);
        }
        if sync_at.is_some_and(|at| at <= Instant::now()) {
            sync_at = None;
            engine.sync().unwrap_or_else(|error| shared.failed(&error));
        }
    }
    if sync_at.is_some() {
        engine.sync().unwrap_or_else(|error| shared.failed(&error));
    }
}

/// Divides batches into groups, each of which is one write. A batch is never divided.
fn groups(batches: Vec<Changes>) -> Vec<Vec<Changes>> {
    let mut groups: Vec<Vec<Changes>> = Vec::new();
    let mut bytes = 0;
    for changes in batches {
        let more = changes.bytes();
        match groups.last_mut() {
            Some(group) if bytes + more <= MAX_GROUP_BYTES => {
                group.push(changes);
                bytes += more;
            }
            _ => {
                groups.push(vec![changes]);
                bytes = more;
            }
        }
    }
    groups
}
