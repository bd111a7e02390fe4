//! Kinesis Data Streams of one region.
//!
//! `stream` owns the state of a stream and documents the order of locks. `shard` owns the records. Every other file is
//! an operation or a group of operations: a function over [`Kinesis`] and a typed request.

mod account;
mod addressing;
mod consumers;
mod create_stream;
mod delete_stream;
mod describe_stream;
mod dry_run;
mod encryption;
mod get_records;
mod iterator;
mod limits;
mod list_shards;
mod list_streams;
mod monitoring;
mod operations;
mod page_token;
mod put_records;
mod reader;
mod records;
mod reshard;
mod resource_policies;
mod restore;
mod retention;
mod shard;
mod stream;
mod stream_mode;
mod subscribe_to_shard;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use crate::config::Config;
use crate::encoding::Encoding;
use crate::error::AwsError;
use crate::faults::Faults;
use crate::metrics::Metrics;
use crate::store::{self, Budget, Store};
use crate::validation;
use account::AccountSettings;
use dry_run::DryRuns;
pub use reader::{Cursor, RecordRef, ShardView as Shard, Start, StreamView as Stream};
pub use shard::{SequenceText, ShardSequence};
use stream::{Change, Storage, StreamState};
use subscribe_to_shard::ActiveSubscription;

/// How often records past retention are evicted.
const TRIM_INTERVAL: Duration = Duration::from_mins(1);

/// The time that streams and consumers take to be created, changed or deleted with `--realistic`. On AWS, creating a
/// stream takes about ten seconds and resharding half a minute
/// (<https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-resharding-split.html>).
const REALISTIC_TRANSITION: Duration = Duration::from_secs(5);

/// The error code for requests above a shard's limits.
const THROUGHPUT_EXCEEDED: &str = "ProvisionedThroughputExceededException";

/// A handle on the streams of a region. Clones share them.
#[derive(Clone)]
pub struct Kinesis {
    shared: Arc<Shared>,
}

struct Shared {
    region: String,
    account_id: String,
    /// Held while shards are added, so that the account's limit holds.
    shard_limit: Mutex<()>,
    /// The streams by name.
    streams: RwLock<BTreeMap<String, Arc<stream::Stream>>>,
    account: Mutex<AccountSettings>,
    /// The number of changes by stream name, whether or not the stream exists.
    changes: Mutex<HashMap<String, watch::Sender<u64>>>,
    /// The subscriptions by consumer and shard.
    subscriptions: Mutex<HashMap<(String, String), ActiveSubscription>>,
    dry_runs: DryRuns,
    faults: Faults,
    metrics: Metrics,
    storage: Storage,
    /// Whether shards accept and return no more per second than on AWS.
    has_limits: bool,
    /// Whether state transitions take as long as on AWS.
    is_realistic: bool,
}

impl Kinesis {
    /// Creates the service without streams. [`Kinesis::restore`] reads the stored ones.
    pub fn new(config: &Config, store: &Store, budget: &Budget, faults: &Faults) -> Self {
        let shared = Arc::new(Shared {
            region: config.region.clone(),
            account_id: config.account_id.clone(),
            shard_limit: Mutex::default(),
            streams: RwLock::default(),
            account: Mutex::default(),
            changes: Mutex::default(),
            subscriptions: Mutex::default(),
            dry_runs: DryRuns::default(),
            faults: faults.clone(),
            metrics: config.metrics.clone(),
            storage: Storage { store: store.clone(), budget: budget.clone() },
            has_limits: config.shard_limits,
            is_realistic: config.realistic,
        });
        tokio::spawn(trim(Arc::downgrade(&shared)));
        Self { shared }
    }

    /// The faults that occur in puts.
    pub fn faults(&self) -> Faults {
        self.shared.faults.clone()
    }

    /// Answers a request for an operation.
    #[cfg(test)]
    pub async fn handle(
        &self,
        operation: &str,
        request: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<axum::body::Body>, AwsError> {
        crate::operation::tests::call(self, operation, request).await
    }

    /// The time that streams and consumers take to be created, changed or deleted.
    fn transition(&self) -> Duration {
        if self.shared.is_realistic { REALISTIC_TRANSITION } else { Duration::ZERO }
    }

    /// The time at which a change that starts now takes effect, both in epoch milliseconds.
    fn due(&self, now: u64) -> u64 {
        now + u64::try_from(self.transition().as_millis()).unwrap_or_default()
    }

    /// The ARN of a stream of this name.
    fn stream_arn(&self, name: &str) -> String {
        let Shared { region, account_id, .. } = &*self.shared;
        format!("arn:aws:kinesis:{region}:{account_id}:stream/{name}")
    }

    fn streams(&self) -> Vec<Arc<stream::Stream>> {
        self.shared.streams.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn find(&self, name: &str) -> Option<Arc<stream::Stream>> {
        self.shared.streams.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Finds the stream of this name in any status.
    ///
    /// # Errors
    /// ResourceNotFoundException.
    fn existing(&self, name: &str) -> Result<Arc<stream::Stream>, AwsError> {
        self.find(name).ok_or_else(|| self.no_stream(name))
    }

    /// Finds the stream of this name for writing or reading.
    ///
    /// # Errors
    /// ResourceNotFoundException, also while the stream is created or deleted.
    fn available(&self, name: &str) -> Result<Arc<stream::Stream>, AwsError> {
        let stream = self.existing(name)?;
        if stream.state().status().is_available() { Ok(stream) } else { Err(self.no_stream(name)) }
    }

    fn add(&self, stream: stream::Stream) -> Arc<stream::Stream> {
        let stream = Arc::new(stream);
        let mut streams = self.shared.streams.write().unwrap_or_else(PoisonError::into_inner);
        streams.insert(stream.name.clone(), Arc::clone(&stream));
        stream
    }

    /// Starts a change of an active stream that `plan` decides on, and completes it when it is due.
    ///
    /// # Errors
    /// ResourceInUseException unless the stream is active, and the errors of `plan`.
    fn begin(
        &self,
        stream: &Arc<stream::Stream>,
        plan: impl FnOnce(&StreamState) -> Result<Change, AwsError>,
    ) -> Result<(), AwsError> {
        let number = stream.update(|state| {
            self.must_be_active(stream, state)?;
            let change = plan(state)?;
            Ok(state.begin(change, self.due(now())))
        })?;
        self.schedule(stream, number, self.transition());
        Ok(())
    }

    /// Completes the change of this number after a delay, or now if there is none. Each change has its own timer.
    fn schedule(&self, stream: &Arc<stream::Stream>, number: u64, delay: Duration) {
        if delay.is_zero() {
            return self.finish(stream, number);
        }
        let (shared, stream) = (Arc::downgrade(&self.shared), Arc::downgrade(stream));
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            if let (Some(shared), Some(stream)) = (shared.upgrade(), stream.upgrade()) {
                Self { shared }.finish(&stream, number);
            }
        });
    }

    /// Completes the change of this number now, unless another one has replaced it.
    fn finish(&self, stream: &Arc<stream::Stream>, number: u64) {
        let Some(change) = stream.finish(number, now()) else { return };
        if change == Change::Delete {
            self.shared.streams.write().unwrap_or_else(PoisonError::into_inner).remove(&stream.name);
        }
        self.changed(&stream.name);
    }

    /// Notifies all that wait for a change of a stream's shards.
    fn changed(&self, stream_name: &str) {
        let changes = self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(changes) = changes.get(stream_name) {
            changes.send_modify(|version| *version += 1);
        }
    }

    fn must_be_active(&self, stream: &stream::Stream, state: &StreamState) -> Result<(), AwsError> {
        let status = state.status();
        if status == stream::Status::Active {
            return Ok(());
        }
        let (name, account, status) = (&stream.name, &self.shared.account_id, status.as_str());
        Err(AwsError::bad_request(
            "ResourceInUseException",
            format!("Stream {name} under account {account} not ACTIVE, instead in state {status}"),
        ))
    }

    /// The message for a request above a shard's limits.
    fn rate_exceeded(&self, shard: &shard::Shard, stream_name: &str) -> String {
        format!(
            "Rate exceeded for shard {} in stream {stream_name} under account {}.",
            shard.id, self.shared.account_id
        )
    }

    fn no_stream(&self, name: &str) -> AwsError {
        let account = &self.shared.account_id;
        AwsError::bad_request("ResourceNotFoundException", format!("Stream {name} under account {account} not found."))
    }
}

async fn trim(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(TRIM_INTERVAL).await;
        let Some(shared) = shared.upgrade() else { return };
        let streams = Kinesis { shared }.streams();
        store::run_blocking(move || streams.iter().for_each(|stream| stream.trim(now()))).await;
    }
}

/// The current time in epoch milliseconds.
fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidArgumentException", message)
}

/// Reads and validates a request.
///
/// # Errors
/// The request violates the service's model.
fn read_input(operation: &str, encoding: Encoding, body: &[u8]) -> Result<Value, AwsError> {
    validation::KINESIS.read(operation, encoding.read_input(body)?)
}

/// Converts a validated request to its type.
fn typed<T: DeserializeOwned>(input: Value) -> Result<T, AwsError> {
    serde_json::from_value(input).map_err(|error| AwsError::serialization(error.to_string()))
}

/// The bytes of records that count against the read limits.
fn read_bytes(items: &[shard::Item]) -> usize {
    items.iter().map(|item| item.entry.partition_key.len() + item.entry.data.len()).sum()
}

fn data_bytes(items: &[shard::Item]) -> usize {
    items.iter().map(|item| item.entry.data.len()).sum()
}
