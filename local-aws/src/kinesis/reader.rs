//! Streams as event source mappings read them: shards in their order, records from a position on, and when to read again.

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
    /// Distinguishes the stream from others of this name, before and after it.
    pub incarnation: u64,
    /// How long records are retained, in milliseconds.
    pub retention_ms: i64,
    /// Every shard, closed ones included, in the order of their indexes.
    pub shards: Vec<ShardView>,
}

/// A shard and the shards it came from.
#[derive(Debug, Clone)]
pub struct ShardView {
    pub id: String,
    /// The shards whose end this one begins at: none, one (split) or two (merge).
    pub parents: Vec<String>,
    /// What the sequence numbers of its records have in common.
    pub sequence: ShardSequence,
}

/// A record as it was put. [`ShardSequence::number`] writes its sequence number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecordRef<'a> {
    /// Counts the records of its shard.
    pub counter: u64,
    /// Epoch milliseconds.
    pub arrival: u64,
    pub partition_key: &'a str,
    pub data: &'a [u8],
}

/// Where to begin reading a shard.
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
    /// The shard is closed and everything in it has been read.
    pub end_of_shard: bool,
}

impl Cursor {
    /// The position before the first record.
    pub const START: Self = Self(0);

    /// The position right after the record with this counter.
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
    /// The stream of this ARN, if it exists.
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

    /// The cursor at which reading a shard begins. `Latest` is anchored now: what is put later is read.
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

    /// Up to `limit` records from `cursor` on.
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
        let read = shard.read_beside(Span { from: cursor.0, records: limit, bytes: usize::MAX, cutoff }).await?;
        let items = read.items();
        self.shared.metrics.records(Direction::Out, &stream.name, items.len(), data_bytes(&items));
        let end_of_shard = read.is_at_end(read.next(&items));
        Ok(Page { read: Some(read), end_of_shard })
    }

    /// Changes whenever a record is appended to the shard, or it is closed: a reader that found nothing waits here instead of
    /// polling. None is missed by a reader that subscribes, reads, then waits. For a shard that is gone it never changes.
    pub fn shard_changes(&self, stream: &StreamView, shard_id: &str) -> watch::Receiver<u64> {
        self.shard_of(stream, shard_id).map_or_else(|| watch::channel(0).1, |(_, shard)| shard.changes())
    }

    /// Changes whenever a stream of this ARN is created or deleted, or has other shards.
    pub fn changes(&self, stream_arn: &str) -> watch::Receiver<u64> {
        let name = stream_name(stream_arn).unwrap_or(stream_arn);
        let mut changes = self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.entry(name.to_owned()).or_default().subscribe()
    }

    /// A shard of exactly this stream, not of one that was created later under its name.
    fn shard_of(&self, stream: &StreamView, shard_id: &str) -> Option<(Arc<Stream>, Arc<Shard>)> {
        let stream = self.find(&stream.name).filter(|found| found.incarnation == stream.incarnation)?;
        let shard = stream.shard(shard_id)?;
        Some((stream, shard))
    }
}
