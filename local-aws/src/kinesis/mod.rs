//! Kinesis Data Streams: the one module that knows the engine, `ferrokinesis`. The rest sees streams, shards, records
//! and cursors. Requests go to the engine's own router, but for the operations in which it differs from AWS: those are
//! answered, or completed, in front of it (`put`, `control`).

mod control;
mod put;
mod wire;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use bytes::Bytes;
use ferrokinesis::actions::Operation;
use ferrokinesis::error::KinesisErrorResponse;
use ferrokinesis::sequence::{self, SeqObj};
use ferrokinesis::store::{Store, StoreOptions};
use http::{Request, Response};
use tokio::sync::watch;
use tower::ServiceExt;

use crate::Config;
use crate::http_api::{AwsError, Faults, MAX_BODY_BYTES};
use wire::Wire;

/// How long a stream takes to be made, changed or deleted.
const TRANSITION_MS: u64 = 2;

/// A stream as its readers see it.
#[derive(Debug, Clone)]
pub struct Stream {
    pub name: String,
    /// How often a stream of this name was made: one deleted and made again has another number.
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

/// A record as it is stored: its data stays base64, which is how a Lambda event carries it.
#[derive(Debug, Clone)]
pub struct Record {
    pub sequence_number: String,
    pub partition_key: String,
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

/// A place between two records of one shard: the engine's key at which the next read begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor(String);

impl Cursor {
    /// The place right after a record.
    pub fn after(shard_id: &str, sequence_number: &str) -> Self {
        // Keys of one shard have one length, so a longer string with this prefix comes right after it.
        Self(format!("{}/{sequence_number}+", shard_key(shard_id)))
    }

    fn at(shard_id: &str, sequence_number: &str) -> Self {
        Self(format!("{}/{sequence_number}", shard_key(shard_id)))
    }
}

/// One read of a shard.
#[derive(Debug)]
pub struct Page {
    pub records: Vec<Record>,
    /// The shard is closed and everything in it has been read.
    pub end_of_shard: bool,
}

/// A handle on the streams; clones share them.
#[derive(Clone)]
pub struct Kinesis {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Store,
    router: Router,
    writers: Mutex<HashMap<String, Arc<Writer>>>,
    faults: Faults,
}

/// What the writers and the readers of one stream share.
struct Writer {
    /// Held from the allocation of sequence numbers until the records are stored.
    order: tokio::sync::Mutex<()>,
    changes: watch::Sender<u64>,
    /// The engine's creation time has whole seconds only: too coarse to tell a stream from the one before it.
    incarnation: AtomicU64,
}

impl Writer {
    fn changed(&self) {
        self.changes.send_modify(|version| *version += 1);
    }
}

impl Kinesis {
    pub fn new(config: &Config) -> Self {
        let (router, engine) = ferrokinesis::create_app(StoreOptions {
            create_stream_ms: TRANSITION_MS,
            delete_stream_ms: TRANSITION_MS,
            update_stream_ms: TRANSITION_MS,
            shard_limit: 100_000,
            retention_check_interval_secs: 60,
            aws_account_id: config.account_id.clone(),
            aws_region: config.region.clone(),
            ..StoreOptions::default()
        });
        let router = router.layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
        Self { shared: Arc::new(Shared { engine, router, writers: Mutex::default(), faults: Faults::default() }) }
    }

    /// The faults that its puts meet.
    pub fn faults(&self) -> Faults {
        self.shared.faults.clone()
    }

    /// Answers operation `operation` of the Kinesis wire protocol.
    pub async fn handle(&self, operation: &str, request: Request<Bytes>) -> Result<Response<Body>, AwsError> {
        let wire = Wire::of(request.headers());
        match self.answer(operation, wire, request).await {
            // A client that writes CBOR reads its errors as CBOR too.
            Err(error) if wire == Wire::Cbor => wire.error(&error).map(|response| response.map(Body::from)),
            answer => answer,
        }
    }

    async fn answer(&self, operation: &str, wire: Wire, request: Request<Bytes>) -> Result<Response<Body>, AwsError> {
        let body = request.body();
        if operation.parse::<Operation>().is_err() {
            return Err(AwsError::bad_request(
                "UnknownOperationException",
                format!("The local endpoint does not answer the Kinesis operation {operation}."),
            ));
        }
        match operation {
            "PutRecord" => self.put_record(wire, body).await.map(|response| response.map(Body::from)),
            "PutRecords" => self.put_records(wire, body).await.map(|response| response.map(Body::from)),
            "ListShards" => self.list_shards(wire, body).await.map(|response| response.map(Body::from)),
            "CreateStream" => self.create_stream(wire, request).await,
            "DescribeStreamSummary" => self.describe_stream_summary(wire, request).await,
            "DeleteStream" | "SplitShard" | "MergeShards" | "UpdateShardCount" => {
                self.forward_change(wire, request).await
            }
            _ => self.forward(wire, request).await,
        }
    }

    /// The stream of this ARN, if it exists.
    pub async fn stream(&self, stream_arn: &str) -> Option<Stream> {
        let stream = self.engine().get_stream(stream_name(stream_arn)?).await.ok()?;
        if stream.stream_arn != stream_arn {
            return None;
        }
        let shards = stream
            .shards
            .into_iter()
            .map(|shard| Shard {
                id: shard.shard_id,
                parents: shard.parent_shard_id.into_iter().chain(shard.adjacent_parent_shard_id).collect(),
            })
            .collect();
        let incarnation = self.writer(&stream.stream_name).incarnation.load(Ordering::Relaxed);
        let retention_ms = i64::from(stream.retention_period_hours) * 3_600_000;
        Some(Stream { name: stream.stream_name, incarnation, retention_ms, shards })
    }

    /// Whether an enhanced fan-out consumer is registered under this ARN.
    pub async fn has_consumer(&self, consumer_arn: &str) -> bool {
        self.engine().get_consumer(consumer_arn).await.is_some()
    }

    /// The cursor at which reading a shard begins. `Latest` is anchored now: what is put later is read.
    pub async fn cursor(&self, stream: &Stream, shard_id: &str, start: Start) -> Cursor {
        let beginning = Cursor::at(shard_id, "");
        match start {
            Start::TrimHorizon => beginning,
            Start::Latest => {
                let index = shard_index(shard_id);
                let next = self.engine().current_shard_seq(&stream.name, index).await;
                match self.shard_created(stream, shard_id).await {
                    Some(shard_create_time) => Cursor::at(
                        shard_id,
                        &sequence::stringify_sequence(&SeqObj {
                            shard_create_time,
                            seq_ix: Some(next),
                            byte1: None,
                            seq_time: Some(0),
                            seq_rand: None,
                            shard_ix: index,
                            version: 2,
                        }),
                    ),
                    None => beginning,
                }
            }
            Start::AtTimestamp(seconds) => {
                let found = self
                    .engine()
                    .find_first_record_at_timestamp(&stream.name, &beginning.0, &shard_end(shard_id), seconds)
                    .await;
                match found {
                    Some((key, _)) => Cursor(key),
                    // Nothing that late yet: all that is there is earlier, all that comes is later.
                    None => Box::pin(self.cursor(stream, shard_id, Start::Latest)).await,
                }
            }
        }
    }

    /// Up to `limit` records from `cursor` on.
    pub async fn read(&self, stream: &Stream, shard_id: &str, cursor: &Cursor, limit: usize) -> Page {
        let mut records = self.read_range(stream, shard_id, cursor, limit).await;
        let mut end_of_shard = false;
        if records.len() < limit && self.is_closed(stream, shard_id).await {
            // Nothing more is allocated in a closed shard; what was allocated before is stored once the writer let go.
            drop(self.writer(&stream.name).order.lock().await);
            records = self.read_range(stream, shard_id, cursor, limit).await;
            end_of_shard = records.len() < limit;
        }
        Page { records, end_of_shard }
    }

    /// Changes whenever something was put on the stream, or its shards or its state may have changed: a reader that
    /// found nothing waits here instead of polling. Never missed: subscribe, read, then wait.
    pub fn changes(&self, stream_arn: &str) -> watch::Receiver<u64> {
        self.writer(stream_name(stream_arn).unwrap_or(stream_arn)).changes.subscribe()
    }

    fn engine(&self) -> &Store {
        &self.shared.engine
    }

    fn writer(&self, stream_name: &str) -> Arc<Writer> {
        let mut writers = self.shared.writers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writers.get(stream_name) {
            return Arc::clone(writer);
        }
        let writer = Arc::new(Writer {
            order: tokio::sync::Mutex::new(()),
            changes: watch::channel(0).0,
            incarnation: AtomicU64::default(),
        });
        writers.insert(stream_name.to_owned(), Arc::clone(&writer));
        writer
    }

    async fn read_range(&self, stream: &Stream, shard_id: &str, cursor: &Cursor, limit: usize) -> Vec<Record> {
        let range = self.engine().get_records_range_limited(&stream.name, &cursor.0, &shard_end(shard_id), limit).await;
        range
            .into_iter()
            .map(|(key, record)| Record {
                sequence_number: key.split_once('/').map_or("", |(_, number)| number).to_owned(),
                partition_key: record.partition_key,
                data: record.data,
                arrival: record.approximate_arrival_timestamp,
            })
            .collect()
    }

    async fn engine_shard(&self, stream: &Stream, shard_id: &str) -> Option<ferrokinesis::types::Shard> {
        let stream = self.engine().get_stream(&stream.name).await.ok()?;
        stream.shards.into_iter().find(|shard| shard.shard_id == shard_id)
    }

    async fn is_closed(&self, stream: &Stream, shard_id: &str) -> bool {
        match self.engine_shard(stream, shard_id).await {
            Some(shard) => shard.sequence_number_range.ending_sequence_number.is_some(),
            None => false,
        }
    }

    /// Epoch milliseconds at which the shard was made.
    async fn shard_created(&self, stream: &Stream, shard_id: &str) -> Option<u64> {
        let shard = self.engine_shard(stream, shard_id).await?;
        let start = sequence::parse_sequence(&shard.sequence_number_range.starting_sequence_number).ok()?;
        Some(start.shard_create_time)
    }

    /// Sends a request on to the engine, with the stream's name where the client gave its ARN, which the engine knows
    /// in two operations only.
    async fn forward(&self, wire: Wire, request: Request<Bytes>) -> Result<Response<Body>, AwsError> {
        let (parts, mut body) = request.into_parts();
        let target: control::Target = wire.read(&body).unwrap_or_default();
        if target.stream_name.is_none()
            && let Some(name) = target.name()
        {
            body = wire.set(&body, "StreamName", name)?;
        }
        let request = Request::from_parts(parts, Body::from(body));
        Ok(self.shared.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {}))
    }
}

fn engine_error(error: KinesisErrorResponse) -> AwsError {
    AwsError::new(error.status_code, error.body.error_type, error.body.message.unwrap_or_default())
}

/// `arn:aws:kinesis:REGION:ACCOUNT:stream/NAME` → `NAME`.
fn stream_name(stream_arn: &str) -> Option<&str> {
    stream_arn.split_once(":stream/").map(|(_, name)| name.split('/').next().unwrap_or(name))
}

fn shard_index(shard_id: &str) -> i64 {
    sequence::resolve_shard_id(shard_id).map_or(0, |(_, index)| index)
}

/// The prefix of the engine's keys of a shard.
fn shard_key(shard_id: &str) -> String {
    sequence::shard_ix_to_hex(shard_index(shard_id))
}

/// The key that comes after every key of a shard.
fn shard_end(shard_id: &str) -> String {
    sequence::shard_ix_to_hex(shard_index(shard_id) + 1)
}
