//! CloudWatch Logs: groups, streams, events.
//!
//! Synchronous state behind [`Logs`], a handle that clones share. Nothing here knows HTTP: an operation's name and body
//! come in, its answer goes out. Shapes and constraints are those of botocore's service model `logs` 2014-03-28; texts
//! of errors are AWS's own where they are known.

mod describe_streams;
mod event;
mod event_store;
mod filter_events;
pub mod filter_pattern;
mod get_events;
mod groups;
mod identifier;
mod kept;
mod kms;
mod list_groups;
mod live_tail;
mod none;
mod operations;
mod page_token;
mod put_events;
mod state;
mod streams;
mod tags;
mod validation;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;

use crate::error::AwsError;
use crate::metrics::Metrics;
use crate::store::{Batch, Budget, Store, StoreError};
use crate::validation::LOGS;
use live_tail::Session;
use state::State;

/// One event to store.
#[derive(Debug, Clone)]
pub struct InputEvent {
    /// Epoch milliseconds.
    pub timestamp: i64,
    pub message: String,
}

/// A handle on the log groups; clones share them.
#[derive(Clone)]
pub struct Logs {
    shared: Arc<Shared>,
    metrics: Metrics,
}

struct Shared {
    region: String,
    account_id: String,
    /// Epoch milliseconds.
    clock: Box<dyn Fn() -> i64 + Send + Sync>,
    state: RwLock<State>,
    store: Store,
    budget: Budget,
    sessions: Mutex<Vec<Weak<Session>>>,
}

impl Logs {
    /// With what the store keeps, on the system's clock; its events count against the budget while they are in memory.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(region: &str, account_id: &str, store: Store, budget: Budget) -> Result<Self, StoreError> {
        Self::with_clock(region, account_id, store, budget, system_clock)
    }

    /// The same, with its events counted here.
    pub fn counted_by(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// As [`Logs::open`], on a clock that says epoch milliseconds.
    pub fn with_clock(
        region: &str,
        account_id: &str,
        store: Store,
        budget: Budget,
        clock: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let (region, account_id) = (region.to_owned(), account_id.to_owned());
        let (clock, state) = (Box::new(clock), RwLock::default());
        let sessions = Mutex::default();
        let shared = Arc::new(Shared { region, account_id, clock, state, store, budget, sessions });
        let logs = Self { shared, metrics: Metrics::default() };
        logs.recover()?;
        Ok(logs)
    }

    /// Answers an operation on this thread.
    #[cfg(test)]
    pub fn call(&self, operation: &str, body: &[u8]) -> Result<serde_json::Value, AwsError> {
        crate::operation::tests::call_json(self, operation, body)
    }

    /// Makes the stream, and its group, unless they exist: what Lambda does for a function's process.
    pub fn ensure_stream(&self, group: &str, stream: &str) {
        let mut state = self.write();
        let mut batch = self.batch();
        self.stream_or_new(&mut state, group, stream, &mut batch);
        batch.commit();
    }

    /// Appends a function's lines. Unlike PutLogEvents it takes any number and refuses none, in any order; a group or
    /// stream deleted meanwhile comes back, as on Lambda. The next read sees them. They are committed to the store when
    /// this returns: what is committed after it, a checkpoint say, survives only if they do.
    pub fn append(&self, group: &str, stream: &str, events: Vec<InputEvent>) {
        let now = self.now();
        self.count(group, &events);
        let mut state = self.write();
        let mut batch = self.batch();
        let sequence = state.take_sequences(events.len());
        let events =
            self.stream_or_new(&mut state, group, stream, &mut batch).events.append(events, sequence, now, &mut batch);
        batch.commit();
        drop(state);
        self.show(group, stream, &events);
        self.shared.budget.keep();
    }

    fn count(&self, group: &str, events: &[InputEvent]) {
        self.metrics.log_events(group, events.len(), events.iter().map(|event| event.message.len()).sum());
    }

    /// For the changes of one operation: committed while the state is locked, so that they are kept in their order.
    fn batch(&self) -> Batch {
        self.shared.store.batch()
    }

    fn now(&self) -> i64 {
        (self.shared.clock)()
    }

    // A panic while the lock was held leaves whole values behind: no method keeps a half-made change across a call that
    // can panic. So a poisoned lock is not a reason to refuse every later request.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.shared.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn system_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Reads an input that the model allows, into the type of its operation.
fn read_input<I: DeserializeOwned>(operation: &str, body: &[u8]) -> Result<I, AwsError> {
    let body = if body.is_empty() { b"{}" } else { body };
    // AWS does not say what is wrong with a body that is not JSON.
    let unreadable = |error: serde_json::Error| {
        tracing::debug!(%error, "the body cannot be read");
        AwsError::serialization("")
    };
    // It may have 10,000 events: it is read once, and checks them itself.
    if operation == "PutLogEvents"
        && let Ok(input) = serde_json::from_slice(body)
    {
        return Ok(input);
    }
    let input = serde_json::from_slice(body).map_err(unreadable)?;
    validation::check_names(&input)?;
    serde_json::from_value(LOGS.read(operation, input)?).map_err(unreadable)
}
