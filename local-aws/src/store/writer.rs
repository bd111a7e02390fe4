//! The one thread that writes, and the queue in front of it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::engine::Engine;
use super::{Changes, StoreError};

/// What waits at most before whoever commits more is held up.
pub const MAX_QUEUED_BYTES: usize = 8 << 20;
/// What is written in one go at most, unless one batch alone is larger.
const MAX_GROUP_BYTES: usize = 4 << 20;
/// How long what was written may be with the operating system only, at risk if the power fails.
const SYNC_EVERY: Duration = Duration::from_secs(1);

pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// There is something in the queue, or it is closed.
    filled: Condvar,
    /// Something was taken out and written.
    emptied: Condvar,
    written: watch::Sender<Written>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Changes>,
    bytes: usize,
    /// How many batches were committed, and how many of them are written.
    committed: u64,
    written: u64,
    is_closed: bool,
}

/// How many batches are written, and why there will be no more.
#[derive(Default)]
struct Written {
    count: u64,
    failure: Option<Arc<str>>,
}

impl Writer {
    pub fn start(engine: Arc<Engine>) -> Self {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            written: watch::channel(Written::default()).0,
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
        let mut written = self.shared.written.subscribe();
        let reached = written.wait_for(|written| written.count >= committed || written.failure.is_some()).await;
        match reached {
            Ok(written) => written.failure.clone().map_or(Ok(()), |failure| Err(StoreError::Failed(failure))),
            Err(_) => Err(StoreError::Failed("the writer ended".into())),
        }
    }

    /// The first failure, after which nothing is written any more.
    pub fn failure(&self) -> Option<StoreError> {
        self.shared.failure().map(StoreError::Failed)
    }

    /// Stops writing because the folder cannot be read.
    pub fn fail(&self, error: &StoreError) {
        self.shared.failed(error);
    }

    /// Blocks until what is committed is written, or cannot be.
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
            tracing::error!("the thread that writes the data folder panicked");
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be written next; none once the queue is closed and empty. With `until`, an empty one at that time.
    fn take(&self, until: Option<Instant>) -> Option<Vec<Changes>> {
        let mut queue = self.queue();
        while queue.waiting.is_empty() && !queue.is_closed {
            queue = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => wait(&self.filled, queue),
                Some(Duration::ZERO) => return Some(Vec::new()),
                Some(left) => self.filled.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        queue.bytes = 0;
        let taken = std::mem::take(&mut queue.waiting);
        (!taken.is_empty()).then_some(taken)
    }

    fn wrote(&self, count: u64) {
        self.queue().written += count;
        self.emptied.notify_all();
        self.written.send_modify(|written| written.count += count);
    }

    fn failure(&self) -> Option<Arc<str>> {
        self.written.borrow().failure.clone()
    }

    /// Notes a failure. The first one is logged and reported from then on.
    fn failed(&self, error: &StoreError) {
        let is_first = self.written.send_if_modified(|written| {
            let is_first = written.failure.is_none();
            written.failure.get_or_insert_with(|| error.to_string().into());
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
    // When what was written is brought to the disk; none when all of it is there.
    let mut sync_at: Option<Instant> = None;
    while let Some(taken) = shared.take(sync_at) {
        for group in groups(taken) {
            let count = group.len() as u64;
            if shared.failure().is_none() {
                sync_at.get_or_insert_with(|| Instant::now() + SYNC_EVERY);
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

/// Cuts what was taken into what is written in one go. A batch is never cut.
fn groups(taken: Vec<Changes>) -> Vec<Vec<Changes>> {
    let mut groups: Vec<Vec<Changes>> = Vec::new();
    let mut bytes = 0;
    for changes in taken {
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
