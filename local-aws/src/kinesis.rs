//! Kinesis Data Streams. Records are ours (`log`): put, read, pushed. Streams and everything else about them is kept by the
//! engine, `ferrokinesis` (`engine`); where it differs from AWS, its answers are completed or replaced in front of it
//! (`control`, `consumers`, `list_shards`, `tags`).

mod consumers;
mod control;
mod create;
mod dry_run;
mod engine;
mod get;
mod iterator;
mod limits;
mod list_shards;
mod log;
mod operations;
mod persist;
mod put;
mod reader;
mod records;
mod resolve;
mod subscribe;
mod tags;
mod target;
#[cfg(test)]
mod tests;
/// The encodings of a request and its answer.
mod wire {
    pub(super) use crate::encoding::{Blob, BlobOut, Encoding as Wire, Text, Timestamp, serialization};
}

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use crate::config::Config;
use crate::error::AwsError;
use crate::faults::Faults;
use crate::metrics::Metrics;
use crate::store::{self, Budget, Store};
use crate::validation;
use dry_run::DryRuns;
use engine::Engine;
pub use log::{SequenceText, ShardSequence};
use log::{ShardLog, Status, StreamLog};
pub use reader::{Cursor, RecordRef, Shard, Start, Stream};
use subscribe::Active;
use wire::Wire;

/// How often what is past retention is let go.
const TRIM_INTERVAL: Duration = Duration::from_mins(1);

/// The error of what is above a shard's limits.
const THROUGHPUT_EXCEEDED: &str = "ProvisionedThroughputExceededException";

/// A handle on the streams; clones share them.
#[derive(Clone)]
pub struct Kinesis {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    account_id: String,
    streams: RwLock<HashMap<String, Arc<StreamLog>>>,
    /// Held while the engine's streams are changed or taken over.
    control: tokio::sync::Mutex<()>,
    /// By stream name, whether there is such a stream or not.
    changes: Mutex<HashMap<String, watch::Sender<u64>>>,
    /// By consumer and shard.
    subscriptions: Mutex<HashMap<(String, String), Active>>,
    dry_runs: DryRuns,
    faults: Faults,
    metrics: Metrics,
    store: Store,
    budget: Budget,
    /// Shards take and give no more in a second than on AWS.
    has_limits: bool,
    /// State transitions take as long as on AWS.
    is_realistic: bool,
}

impl Kinesis {
    /// Streams in memory; [`Kinesis::restore`] brings those that the store has.
    pub fn new(config: &Config, store: &Store, budget: &Budget, faults: &Faults) -> Self {
        let shared = Arc::new(Shared {
            engine: Engine::new(config),
            account_id: config.account_id.clone(),
            streams: RwLock::default(),
            control: tokio::sync::Mutex::new(()),
            changes: Mutex::default(),
            subscriptions: Mutex::default(),
            dry_runs: DryRuns::default(),
            faults: faults.clone(),
            metrics: config.metrics.clone(),
            store: store.clone(),
            budget: budget.clone(),
            has_limits: config.shard_limits,
            is_realistic: config.realistic,
        });
        tokio::spawn(trim(Arc::downgrade(&shared)));
        Self { shared }
    }

    /// The faults that its puts meet.
    pub fn faults(&self) -> Faults {
        self.shared.faults.clone()
    }

    /// Answers an operation.
    #[cfg(test)]
    pub async fn handle(
        &self,
        operation: &str,
        request: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<axum::body::Body>, AwsError> {
        crate::operation::tests::call(self, operation, request).await
    }

    fn changed(&self, stream_name: &str) {
        let changes = self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(changes) = changes.get(stream_name) {
            changes.send_modify(|version| *version += 1);
        }
    }

    fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    fn known(&self, name: &str) -> Option<Arc<StreamLog>> {
        self.shared.streams.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The stream of this name, to put on or to read.
    async fn stream_log(&self, name: &str) -> Result<Arc<StreamLog>, AwsError> {
        let log = self.described(name).await?;
        if log.shards().settings.status == Status::Absent {
            return Err(self.no_stream(name));
        }
        Ok(log)
    }

    /// The stream of this name as the engine describes it now. Of an active stream that is known.
    async fn described(&self, name: &str) -> Result<Arc<StreamLog>, AwsError> {
        match self.known(name).filter(|log| log.shards().settings.status == Status::Active) {
            Some(log) => Ok(log),
            None => self.refresh(name).await,
        }
    }

    /// What is above a shard's limits.
    fn rate_exceeded(&self, shard: &ShardLog, stream_name: &str) -> String {
        format!(
            "Rate exceeded for shard {} in stream {stream_name} under account {}.",
            shard.id, self.shared.account_id
        )
    }

    fn no_stream(&self, name: &str) -> AwsError {
        let account = &self.shared.account_id;
        AwsError::bad_request("ResourceNotFoundException", format!("Stream {name} under account {account} not found."))
    }

    /// Takes over what the engine says of a stream.
    async fn refresh(&self, name: &str) -> Result<Arc<StreamLog>, AwsError> {
        let _control = self.shared.control.lock().await;
        self.take_over(name).await
    }

    /// As [`Kinesis::refresh`], with `control` held.
    async fn take_over(&self, name: &str) -> Result<Arc<StreamLog>, AwsError> {
        let described = match self.engine().stream(name).await {
            Ok(described) => described,
            Err(error) => {
                self.forget(name);
                return Err(error);
            }
        };
        let settings = engine::settings(&described);
        let log = self.known(name).unwrap_or_else(|| self.add(name, None, settings));
        // A shard is in the store before its records are.
        self.persist_stream(&log, &described).await;
        if log.describe(settings, engine::shards(&described), now()) {
            self.engine().complete_shards(&log).await?;
            self.persist_stream(&log, &self.engine().stream(name).await?).await;
            self.changed(name);
        }
        Ok(log)
    }

    fn add(&self, name: &str, incarnation: Option<u64>, settings: log::Settings) -> Arc<StreamLog> {
        let mut streams = self.shared.streams.write().unwrap_or_else(PoisonError::into_inner);
        let latest = streams.values().map(|log| log.incarnation).max().unwrap_or_default();
        let incarnation = incarnation.unwrap_or_else(|| now().max(latest + 1));
        let (store, budget) = (self.shared.store.clone(), self.shared.budget.clone());
        let log = Arc::new(StreamLog::new(name.to_owned(), incarnation, settings, store, budget));
        streams.insert(name.to_owned(), Arc::clone(&log));
        log
    }

    fn forget(&self, name: &str) {
        let gone = self.shared.streams.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        if let Some(log) = gone {
            log.close(now());
            self.unpersist_stream(&log);
            self.changed(name);
        }
    }
}

async fn trim(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(TRIM_INTERVAL).await;
        let Some(shared) = shared.upgrade() else { return };
        let streams: Vec<_> = shared.streams.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        store::beside(move || streams.iter().for_each(|stream| stream.trim(now()))).await;
    }
}

/// Epoch milliseconds.
fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidArgumentException", message)
}

/// Reads a request.
///
/// # Errors
/// What the service's model does not allow.
fn read_input(operation: &str, wire: Wire, body: &[u8]) -> Result<Value, AwsError> {
    validation::KINESIS.read(operation, wire.read_input(body)?)
}

/// Reads a request's typed form out of what the model allows.
fn typed<T: DeserializeOwned>(input: Value) -> Result<T, AwsError> {
    serde_json::from_value(input).map_err(|error| AwsError::serialization(error.to_string()))
}

/// A member that is a text.
fn text<'a>(input: &'a Value, name: &str) -> Option<&'a str> {
    input.get(name).and_then(Value::as_str)
}

/// What these count against the limits of reading.
fn read_bytes(items: &[log::Item]) -> usize {
    items.iter().map(|item| item.entry.partition_key.len() + item.entry.data.len()).sum()
}

fn data_bytes(items: &[log::Item]) -> usize {
    items.iter().map(|item| item.entry.data.len()).sum()
}
