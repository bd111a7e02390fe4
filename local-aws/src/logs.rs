//! CloudWatch Logs: groups, streams and events.
//!
//! [`Logs`] is a handle on synchronous state. Each operation is a method on it in a file named for the operation or a close group of
//! operations, and a line in `operations.rs`. Shapes and constraints are those of botocore's service model `logs` 2014-03-28. Error
//! messages are AWS's own where they are known.

mod deletion_protection;
mod describe_streams;
mod empty_lists;
mod event;
mod event_store;
mod filter_events;
pub mod filter_pattern;
mod get_events;
mod groups;
mod identifier;
mod kms;
mod list_groups;
mod live_tail;
mod operations;
mod page_token;
mod persist;
mod put_events;
mod retention;
mod state;
mod stream_map;
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
pub use event::InputEvent;
use live_tail::Session;
use state::State;

/// A handle on the log groups. Clones share them.
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
    /// Restores the groups from the store. Events in memory count against the budget.
    ///
    /// # Errors
    /// The data directory cannot be read.
    pub fn open(region: &str, account_id: &str, store: Store, budget: Budget) -> Result<Self, StoreError> {
        Self::with_clock(region, account_id, store, budget, system_clock)
    }

    /// Counts events in these metrics.
    pub fn counted_by(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// As [`Logs::open`], with a clock that returns epoch milliseconds.
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

    /// Creates the stream and its group unless they exist, as Lambda does for a function's process.
    pub fn ensure_stream(&self, group: &str, stream: &str) {
        let mut state = self.write();
        let mut batch = self.batch();
        self.group_with_stream(&mut state, group, stream, &mut batch);
        batch.commit();
    }

    /// Appends a function's lines. Unlike PutLogEvents, it accepts any number of them in any order. If the group or the stream was
    /// deleted, it is created again, as on Lambda. The next read returns the lines. They are committed to the store when this
    /// returns, so a checkpoint that is committed later is persisted only if they are.
    pub fn append(&self, group: &str, stream: &str, events: Vec<InputEvent>) {
        let now = self.now();
        self.count(group, &events);
        let mut state = self.write();
        let mut batch = self.batch();
        let sequence = state.reserve_sequences(events.len());
        let streams = &mut self.group_with_stream(&mut state, group, stream, &mut batch).streams;
        let append = |stored: &mut event_store::EventStore| stored.append(events, sequence, now, &mut batch);
        let events = streams.update(stream, append).unwrap_or_default();
        batch.commit();
        drop(state);
        self.publish(group, stream, &events);
        self.shared.budget.evict_excess();
    }

    fn count(&self, group: &str, events: &[InputEvent]) {
        self.metrics.log_events(group, events.len(), events.iter().map(|event| event.message.len()).sum());
    }

    /// A batch for the changes of one operation. It is committed while the state is locked, so that changes are persisted in order.
    fn batch(&self) -> Batch {
        self.shared.store.batch()
    }

    fn now(&self) -> i64 {
        (self.shared.clock)()
    }

    // No method leaves an incomplete change across a call that can panic. So the state behind a poisoned lock is consistent.
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

/// Reads an operation's input and validates it against the model.
fn read_input<I: DeserializeOwned>(operation: &str, body: &[u8]) -> Result<I, AwsError> {
    let body = if body.is_empty() { b"{}" } else { body };
    // AWS's message for a body that is not JSON is empty.
    let unreadable = |error: serde_json::Error| {
        tracing::debug!(%error, "the body cannot be read");
        AwsError::serialization("")
    };
    // The input can have 10,000 events. It is read once if it has all members, and the operation checks their constraints.
    if operation == "PutLogEvents"
        && let Ok(input) = serde_json::from_slice(body)
    {
        return Ok(input);
    }
    let input = serde_json::from_slice(body).map_err(unreadable)?;
    validation::check_names(&input)?;
    serde_json::from_value(LOGS.read(operation, input)?).map_err(unreadable)
}
