//! The pollers of one mapping: a task for each shard that may be read now. A shard that is slow or fails delays no other.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::delivery::Context;
use super::mapping::{EventSource, Orders, State};
use super::progress::{Place, Progress};
use super::shard::ShardReader;
use crate::kinesis::{Cursor, Kinesis, Shard, Stream};
use crate::lambda::context::Context as LambdaContext;
use crate::lambda::destinations::Destinations;

/// The stream's shards are not looked at more often than this: a busy stream changes with every put, its shards hardly
/// ever. When a shard ends they are looked at without delay.
const RESCAN: Duration = Duration::from_millis(50);

/// What the pollers of a mapping share.
pub struct Poller {
    pub uuid: String,
    pub source: EventSource,
    pub functions: LambdaContext,
    pub kinesis: Kinesis,
    pub destinations: Destinations,
    pub progress: Arc<Progress>,
}

impl Poller {
    /// Follows a mapping's orders until it is aborted. `show` tells what state that makes.
    pub async fn follow(self, mut orders: watch::Receiver<Orders>, show: impl Fn(State) + Send + Sync) {
        let poller = Arc::new(self);
        loop {
            let current = orders.borrow_and_update().clone();
            if current.is_enabled {
                show(State::Enabled);
                poller.poll(&current, &mut orders).await;
            } else {
                show(State::Disabled);
                if orders.changed().await.is_err() {
                    return;
                }
            }
            if orders.has_changed().is_err() {
                return;
            }
        }
    }

    /// Reads the stream until there are new orders; then every shard finishes the invocation it is at.
    async fn poll(self: &Arc<Self>, current: &Orders, orders: &mut watch::Receiver<Orders>) {
        let (stop, stopped) = watch::channel(false);
        let mut changes = self.kinesis.changes(&self.source.stream_arn);
        let mut readers = JoinSet::new();
        let mut reading = HashSet::new();
        loop {
            changes.borrow_and_update();
            let scanned = Instant::now();
            // A stream that is gone has nothing to read: its readers wait, as does this.
            if let Some(stream) = self.kinesis.stream(&self.source.stream_arn).await.map(Arc::new) {
                if !self.progress.is_of(&stream) {
                    readers.shutdown().await;
                    reading.clear();
                    self.progress.begin_with(&stream);
                }
                self.start_readers(&stream, current, &stopped, &mut readers, &mut reading).await;
            }
            tokio::select! {
                _ = orders.changed() => {
                    stop.send_replace(true);
                    while readers.join_next().await.is_some() {}
                    return;
                }
                Some(ended) = readers.join_next(), if !readers.is_empty() => match ended {
                    Ok(shard_id) => drop(reading.remove(&shard_id)),
                    Err(error) => tracing::error!(mapping = self.uuid, %error, "a shard's poller ended"),
                },
                () = next_scan(&mut changes, scanned + RESCAN) => {}
            }
        }
    }

    async fn start_readers(
        self: &Arc<Self>,
        stream: &Arc<Stream>,
        current: &Orders,
        stopped: &watch::Receiver<bool>,
        readers: &mut JoinSet<String>,
        reading: &mut HashSet<String>,
    ) {
        for shard in &stream.shards {
            if reading.contains(&shard.id) || !self.may_be_read(stream, shard) {
                continue;
            }
            let cursor = match self.progress.place(&shard.id) {
                Some(Place::Drained) => continue,
                Some(Place::At(cursor)) => cursor,
                None => Cursor::START,
            };
            reading.insert(shard.id.clone());
            let context = Context {
                poller: Arc::clone(self),
                stream: Arc::clone(stream),
                shard_id: shard.id.clone(),
                orders: current.clone(),
            };
            readers.spawn(ShardReader::new(context, stopped.clone(), cursor).run());
        }
    }

    /// A shard is read once all its parents are: records of one key stay in order. Parents that are no longer listed are
    /// past retention.
    fn may_be_read(&self, stream: &Stream, shard: &Shard) -> bool {
        shard.parents.iter().all(|parent| {
            let is_listed = stream.shards.iter().any(|listed| listed.id == *parent);
            !is_listed || self.progress.place(parent) == Some(Place::Drained)
        })
    }
}

async fn next_scan(changes: &mut watch::Receiver<u64>, soonest: Instant) {
    if changes.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep_until(soonest).await;
}
