//! Kinesis Data Streams. Records are ours (`log`): put, read, pushed. Streams and everything else about them is kept by the
//! engine, `ferrokinesis` (`engine`); where it differs from AWS, its answers are completed or replaced in front of it
//! (`control`, `consumers`, `list_shards`, `tags`).

mod consumers;
mod control;
mod engine;
mod get;
mod iterator;
mod limits;
mod list_shards;
mod log;
mod persist;
mod put;
mod subscribe;
mod tags;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response};
use kinesis_event_logger_core::SequenceNumber;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use crate::Config;
use crate::http_api::{AwsError, Faults};
use crate::metrics::{Direction, Metrics};
use crate::store::{Budget, Store};
use engine::Engine;
pub use limits::Bucket;
use log::{ShardLog, Span, Status, StreamLog};
use wire::Wire;

/// How often what is past retention is let go.
const TRIM_INTERVAL: Duration = Duration::from_mins(1);

/// The error of what is above a shard's limits.
const THROUGHPUT_EXCEEDED: &str = "ProvisionedThroughputExceededException";

/// A stream as its readers see it.
#[derive(Debug, Clone)]
pub struct Stream {
    pub name: String,
    /// Tells the stream from others of this name, before and after it.
    pub incarnation: u64,
    /// How long records are kept, in milliseconds.
    pub retention_ms: i64,
    /// Every shard, closed ones included, in the order they were made.
    pub shards: Vec<Shard>,
}

/// A shard and the shards it came from.
#[derive(Debug, Clone)]
pub struct Shard {
    pub id: String,
    /// The shards whose end this one begins at: none, one (split) or two (merge).
    pub parents: Vec<String>,
}

/// A record as a Lambda event carries it.
#[derive(Debug, Clone)]
pub struct Record {
    pub sequence_number: String,
    pub partition_key: String,
    /// Base64.
    pub data: String,
    /// Epoch seconds, with a fraction of milliseconds.
    pub arrival: f64,
}

/// Where to begin reading a shard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    TrimHorizon,
    Latest,
    /// Epoch seconds.
    AtTimestamp(f64),
}

/// A place between two records of one shard: the counter of the record that is read next.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cursor(u64);

impl Cursor {
    /// The place right after a record.
    pub fn after(sequence_number: &str) -> Self {
        let parts = sequence_number.parse::<SequenceNumber>().ok().and_then(|number| number.parts());
        Self(parts.map_or(0, |parts| parts.counter + 1))
    }
}

/// One read of a shard.
#[derive(Debug)]
pub struct Page {
    pub records: Vec<Record>,
    /// The shard is closed and everything in it has been read.
    pub end_of_shard: bool,
}

/// The stream a request is for.
#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Target {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
}

impl Target {
    /// The stream's name.
    fn require(self) -> Result<String, AwsError> {
        match (self.stream_name, self.stream_arn) {
            (Some(name), _) => Ok(name),
            (None, Some(arn)) => {
                stream_name(&arn).map(str::to_owned).ok_or_else(|| invalid(format!("{arn} is not a stream's ARN")))
            }
            (None, None) => Err(invalid("Either StreamName or StreamARN must be provided.")),
        }
    }
}

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
    pub fn new(config: &Config, store: &Store, budget: &Budget) -> Self {
        let shared = Arc::new(Shared {
            engine: Engine::new(config),
            account_id: config.account_id.clone(),
            streams: RwLock::default(),
            control: tokio::sync::Mutex::new(()),
            changes: Mutex::default(),
            faults: Faults::default(),
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

    /// Answers operation `operation` of the Kinesis wire protocol.
    pub async fn handle(&self, operation: &str, request: Request<Bytes>) -> Result<Response<Body>, AwsError> {
        if request.method() != Method::POST {
            let message = format!("Kinesis answers POST, not {}.", request.method());
            return Err(AwsError::new(404, "UnknownOperationException", message));
        }
        let wire = Wire::of(request.headers())?;
        match self.answer(operation, wire, request.body()).await {
            // A client that writes CBOR reads its errors as CBOR too.
            Err(error) if wire == Wire::Cbor => wire.error(&error).map(|response| response.map(Body::from)),
            answer => answer,
        }
    }

    async fn answer(&self, operation: &str, wire: Wire, body: &[u8]) -> Result<Response<Body>, AwsError> {
        let answer = match operation {
            "PutRecord" => self.put_record(wire, body).await,
            "PutRecords" => self.put_records(wire, body).await,
            "GetShardIterator" => self.get_shard_iterator(wire, body).await,
            "GetRecords" => self.get_records(wire, body).await,
            "ListShards" => self.list_shards(wire, body).await,
            "SubscribeToShard" => return self.subscribe_to_shard(wire, body).await,
            _ => match self.control(operation, wire.read_value(body)?).await {
                Ok(answer) => wire.answer_value(answer),
                Err(error) => Err(error),
            },
        };
        answer.map(|response| response.map(Body::from))
    }

    /// The stream of this ARN, if it exists.
    pub async fn stream(&self, stream_arn: &str) -> Option<Stream> {
        let name = stream_name(stream_arn)?;
        if self.engine().arn(name) != stream_arn {
            return None;
        }
        let stream = self.described(name).await.ok()?;
        let shards = stream.shards();
        let shard = |shard: &Arc<ShardLog>| Shard { id: shard.id.clone(), parents: shard.parents.clone() };
        Some(Stream {
            name: name.to_owned(),
            incarnation: stream.incarnation,
            retention_ms: i64::try_from(shards.settings.retention_ms).unwrap_or(i64::MAX),
            shards: shards.all.iter().map(shard).collect(),
        })
    }

    /// Whether an enhanced fan-out consumer is registered under this ARN.
    pub async fn has_consumer(&self, consumer_arn: &str) -> bool {
        self.engine().consumer(consumer_arn).await.is_some()
    }

    /// The cursor at which reading a shard begins. `Latest` is anchored now: what is put later is read.
    pub fn cursor(&self, stream: &Stream, shard_id: &str, start: Start) -> Cursor {
        let Some((_, shard)) = self.shard_log(stream, shard_id) else { return Cursor(0) };
        match start {
            Start::TrimHorizon => Cursor(0),
            Start::Latest => Cursor(shard.next()),
            Start::AtTimestamp(seconds) => Cursor(shard.at_time((seconds * 1000.0).round() as u64)),
        }
    }

    /// Up to `limit` records from `cursor` on.
    pub fn read(&self, stream: &Stream, shard_id: &str, cursor: &Cursor, limit: usize) -> Page {
        let Some((log, shard)) = self.shard_log(stream, shard_id) else {
            return Page { records: Vec::new(), end_of_shard: false };
        };
        let cutoff = log.shards().settings.cutoff(now());
        let read = shard.read(Span { from: cursor.0, records: limit, bytes: usize::MAX, cutoff });
        let items = read.items();
        self.shared.metrics.records(Direction::Out, &stream.name, items.len(), data_bytes(&items));
        let record = |item: &log::Item| Record {
            sequence_number: item.number(shard.sequence).to_string(),
            partition_key: item.entry.partition_key.to_owned(),
            data: base64_simd::STANDARD.encode_to_string(item.entry.data),
            arrival: item.arrival as f64 / 1000.0,
        };
        Page { records: items.iter().map(record).collect(), end_of_shard: read.is_at_end(read.next(&items)) }
    }

    /// Changes whenever something was put on the shard, or it was closed: a reader that found nothing waits here instead of
    /// polling. Never missed: subscribe, read, then wait. Of a shard that is gone, it never changes.
    pub fn shard_changes(&self, stream: &Stream, shard_id: &str) -> watch::Receiver<u64> {
        self.shard_log(stream, shard_id).map_or_else(|| watch::channel(0).1, |(_, shard)| shard.changes())
    }

    /// Changes whenever a stream of this ARN was made or deleted, or has other shards.
    pub fn changes(&self, stream_arn: &str) -> watch::Receiver<u64> {
        let name = stream_name(stream_arn).unwrap_or(stream_arn);
        let mut changes = self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.entry(name.to_owned()).or_default().subscribe()
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

    /// A shard of exactly this stream, not of one that was made later under its name.
    fn shard_log(&self, stream: &Stream, shard_id: &str) -> Option<(Arc<StreamLog>, Arc<ShardLog>)> {
        let log = self.known(&stream.name).filter(|log| log.incarnation == stream.incarnation)?;
        let shard = log.shard(shard_id)?;
        Some((log, shard))
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
            self.engine().name_parents(&log).await?;
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
        streams.iter().for_each(|stream| stream.trim(now()));
    }
}

/// Epoch milliseconds.
fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidArgumentException", message)
}

/// `arn:aws:kinesis:REGION:ACCOUNT:stream/NAME` → `NAME`.
fn stream_name(arn: &str) -> Option<&str> {
    arn.split_once(":stream/").map(|(_, name)| name.split('/').next().unwrap_or(name))
}

/// A member that is a text.
fn text<'a>(input: &'a Value, name: &str) -> Option<&'a str> {
    input.get(name).and_then(Value::as_str)
}

fn data_bytes(items: &[log::Item]) -> usize {
    items.iter().map(|item| item.entry.data.len()).sum()
}
