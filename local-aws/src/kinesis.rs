//! Kinesis Data Streams: the one module that knows the engine, `ferrokinesis`. The rest sees streams, shards, records
//! and cursors.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use tokio::sync::watch;

/// A stream as its readers see it.
#[derive(Debug, Clone)]
pub struct Stream {
    pub name: String,
    pub arn: String,
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

/// A place between two records of one shard.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor(String);

impl Cursor {
    /// The place right after a record.
    pub fn after(shard_id: &str, sequence_number: &str) -> Self {
        let _ = (shard_id, sequence_number);
        Self(String::new())
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
pub struct Kinesis(Arc<()>);

impl Kinesis {
    /// Answers a request of the Kinesis wire protocol.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<axum::body::Body> {
        let _ = request;
        Response::new(axum::body::Body::empty())
    }

    /// The stream of this ARN, if it exists and is usable.
    pub async fn stream(&self, stream_arn: &str) -> Option<Stream> {
        let _ = stream_arn;
        None
    }

    /// The cursor at which reading a shard begins. `Latest` is anchored now: what is put later is read.
    pub async fn cursor(&self, stream: &Stream, shard_id: &str, start: Start) -> Cursor {
        let _ = (stream, shard_id, start);
        Cursor(String::new())
    }

    /// Up to `limit` records from `cursor` on.
    pub async fn read(&self, stream: &Stream, shard_id: &str, cursor: &Cursor, limit: usize) -> Page {
        let _ = (stream, shard_id, cursor, limit);
        Page { records: Vec::new(), end_of_shard: false }
    }

    /// Changes whenever something was put on the stream, or its shards or its state may have changed: a reader that
    /// found nothing waits here instead of polling. Never missed: subscribe, read, then wait.
    pub fn changes(&self, stream_arn: &str) -> watch::Receiver<u64> {
        let _ = stream_arn;
        watch::channel(0).1
    }
}
