//! The interface for event source mappings: reads streams, shards in order, and records from a position on, and
//! notifies of changes.

use std::sync::{Arc, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::addressing::stream_name;
use super::shard::{Item, Read, Shard, ShardSequence, Span};
use super::stream::Stream;
use super::{Kinesis, data_bytes, now};
use crate::metrics::Direction;
use crate::store::StoreError;

/// A stream as its readers see it.
#[derive(Debug, Clone)]
pub struct StreamView {
    pub name: String,
    /// Distinguishes the stream from earlier and later ones with the same name.
    pub incarnation: u64,
    /// The retention of records, in milliseconds.
    pub retention_ms: i64,
    /// Every shard, including closed ones, in the order of their indexes.
    pub shards: Vec<ShardView>,
}

/// A shard and its parents.
#[derive(Debug, Clone)]
pub struct ShardView {
    pub id: String,
    /// The parents, whose end is this shard's beginning: none, one (split) or two (merge).
    pub parents: Vec<String>,
    /// The common part of the sequence numbers of its records.
    pub sequence: ShardSequence,
}

/// A stored record. [`ShardSequence::number`] writes its sequence number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecordRef<'a> {
    /// The number of the record within its shard.
    pub counter: u64,
    /// Epoch milliseconds.
    pub arrival: u64,
    pub partition_key: &'a str,
    pub data: &'a [u8],
}

/// The position at which reading a shard starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    TrimHorizon,
    Latest,
    /// Epoch seconds.
    AtTimestamp(f64),
}

/// A position between two records of one shard: the counter of the record that is read next.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cursor(u64);

/// One read of a shard.
#[derive(Debug)]
pub struct Page {
    read: Option<Read>,
    /// Whether the shard is closed and everything in it has been read.
    pub end_of_shard: bool,
}

impl Cursor {
    /// The position before the first record.
    pub const START: Self = Self(0);

    /// The position directly after the record with this counter.
    pub fn after(counter: u64) -> Self {
        Self(counter + 1)
    }
}

impl Page {
    /// The records that were read.
    pub fn records(&self) -> Vec<RecordRef<'_>> {
        let record = |Item { counter, arrival, entry, .. }| RecordRef {
            counter,
            arrival,
            partition_key: entry.partition_key,
            data: entry.data,
        };
        self.read.iter().flat_map(Read::items).map(record).collect()
    }
}

impl Kinesis {
    /// The stream with this ARN, if it exists.
    pub async fn stream(&self, stream_arn: &str) -> Option<StreamView> {
        let stream = self.find(stream_name(stream_arn)?).filter(|stream| stream.arn == stream_arn)?;
        let state = stream.state();
        let shard = |shard: &Arc<Shard>| ShardView {
            id: shard.id.clone(),
            parents: shard.parents.clone(),
            sequence: shard.sequence,
        };
        Some(StreamView {
            name: stream.name.clone(),
            incarnation: stream.incarnation,
            retention_ms: i64::try_from(state.configuration.retention_ms()).unwrap_or(i64::MAX),
            shards: state.shards().iter().map(shard).collect(),
        })
    }

    /// Whether an enhanced fan-out consumer is registered under this ARN.
    pub async fn has_consumer(&self, consumer_arn: &str) -> bool {
        self.consumer(consumer_arn).is_some()
    }

    /// The cursor at which reading a shard starts. `Latest` is resolved now, so records that are put later are read.
    ///
    /// # Errors
    /// The data directory cannot be read.
    pub async fn cursor(&self, stream: &StreamView, shard_id: &str, start: Start) -> Result<Cursor, StoreError> {
        let Some((_, shard)) = self.shard_of(stream, shard_id) else { return Ok(Cursor::START) };
        Ok(match start {
            Start::TrimHorizon => Cursor::START,
            Start::Latest => Cursor(shard.next()),
            Start::AtTimestamp(seconds) => Cursor(shard.at_time((seconds * 1000.0).round() as u64).await?),
        })
    }

    /// Reads up to `limit` records from `cursor` on.
    ///
    /// # Errors
    /// The data directory cannot be read.
    pub async fn read(
        &self,
        stream: &StreamView,
        shard_id: &str,
        cursor: &Cursor,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let Some((stream, shard)) = self.shard_of(stream, shard_id) else {
            return Ok(Page { read: None, end_of_shard: false });
        };
        let cutoff = stream.state().configuration.cutoff(now());
        let read =
            shard.read_on_blocking_thread(Span { from: cursor.0, records: limit, bytes: usize::MAX, cutoff }).await?;
        let items = read.items();
        self.shared.metrics.records(Direction::Out, &stream.name, items.len(), data_bytes(&items));
        let end_of_shard = read.is_at_end(read.next(&items));
        Ok(Page { read: Some(read), end_of_shard })
    }

    /// Changes whenever a record is appended to the shard or the shard is closed. A reader that found nothing waits for it
    /// instead of polling. A reader that subscribes, reads and then waits misses no change. For a deleted shard it never
    /// changes.
    pub fn shard_changes(&self, stream: &StreamView, shard_id: &str) -> watch::Receiver<u64> {
        self.shard_of(stream, shard_id).map_or_else(|| watch::channel(0).1, |(_, shard)| shard.changes())
    }

    /// Changes whenever a stream with this ARN is created or deleted, or its shards change.
    pub fn changes(&self, stream_arn: &str) -> watch::Receiver<u64> {
        let name = stream_name(stream_arn).unwrap_or(stream_arn);
        let mut changes = self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.entry(name.to_owned()).or_default().subscribe()
    }

    /// A shard of exactly this stream, not of a later one with the same name.
    fn shard_of(&self, stream: &StreamView, shard_id: &str) -> Option<(Arc<Stream>, Arc<Shard>)> {
        let stream = self.find(&stream.name).filter(|found| found.incarnation == stream.incarnation)?;
        let shard = stream.shard(shard_id)?;
        Some((stream, shard))
    }
}
