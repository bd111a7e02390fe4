//! The pollers of one mapping: one task for each shard that may be read. A slow or failing shard delays no other.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::checkpoint::ReadPosition;
use super::context::{PollerContext, ShardContext};
use super::mapping::{MappingState, PollerConfig};
use super::shard::ShardReader;
use crate::kinesis::{Cursor, Shard, Stream};

/// The shortest time between two scans of the stream's shards. A busy stream changes with every put, its shards hardly ever. When
/// a shard ends, they are scanned without delay.
const RESCAN: Duration = Duration::from_millis(50);

/// The pollers of one mapping.
pub struct Poller {
    context: Arc<PollerContext>,
}

impl Poller {
    pub fn new(context: PollerContext) -> Self {
        Self { context: Arc::new(context) }
    }

    /// Applies a mapping's configuration until the task is aborted. Reports the resulting state to `set_state`.
    pub async fn run(self, mut config: watch::Receiver<PollerConfig>, set_state: impl Fn(MappingState) + Send + Sync) {
        loop {
            let current = config.borrow_and_update().clone();
            if current.is_enabled {
                set_state(MappingState::Enabled);
                self.poll(&current, &mut config).await;
            } else {
                set_state(MappingState::Disabled);
                if config.changed().await.is_err() {
                    return;
                }
            }
            if config.has_changed().is_err() {
                return;
            }
        }
    }

    /// Reads the stream until the configuration changes. Then every shard finishes its present invocation.
    async fn poll(&self, current: &PollerConfig, config: &mut watch::Receiver<PollerConfig>) {
        let (stop, stopped) = watch::channel(false);
        let mut changes = self.context.kinesis.changes(&self.context.source.stream_arn);
        let mut readers = JoinSet::new();
        let mut reading = HashSet::new();
        loop {
            changes.borrow_and_update();
            let scanned = Instant::now();
            // While the stream does not exist, its readers wait, and so does this task.
            if let Some(stream) = self.context.kinesis.stream(&self.context.source.stream_arn).await.map(Arc::new) {
                if !self.context.progress.is_for(&stream) {
                    readers.shutdown().await;
                    reading.clear();
                    self.context.progress.restart_with(&stream);
                }
                self.start_readers(&stream, current, &stopped, &mut readers, &mut reading).await;
            }
            tokio::select! {
                _ = config.changed() => {
                    stop.send_replace(true);
                    while readers.join_next().await.is_some() {}
                    return;
                }
                Some(ended) = readers.join_next(), if !readers.is_empty() => match ended {
                    Ok(shard_id) => drop(reading.remove(&shard_id)),
                    Err(error) => tracing::error!(mapping = self.context.uuid, %error, "the poller of a shard failed"),
                },
                () = next_scan(&mut changes, scanned + RESCAN) => {}
            }
        }
    }

    async fn start_readers(
        &self,
        stream: &Arc<Stream>,
        current: &PollerConfig,
        stopped: &watch::Receiver<bool>,
        readers: &mut JoinSet<String>,
        reading: &mut HashSet<String>,
    ) {
        for shard in &stream.shards {
            if reading.contains(&shard.id) || !self.may_be_read(stream, shard) {
                continue;
            }
            let cursor = match self.context.progress.position(&shard.id) {
                Some(ReadPosition::Drained) => continue,
                Some(ReadPosition::At(cursor)) => cursor,
                None => Cursor::START,
            };
            reading.insert(shard.id.clone());
            let context = ShardContext::new(Arc::clone(&self.context), Arc::clone(stream), shard, current.clone());
            readers.spawn(ShardReader::new(context, stopped.clone(), cursor).run());
        }
    }

    /// Whether all of the shard's parents were read to their ends, so that records of one key stay in order. Parents that are no
    /// longer listed have expired.
    fn may_be_read(&self, stream: &Stream, shard: &Shard) -> bool {
        shard.parents.iter().all(|parent| {
            let is_listed = stream.shards.iter().any(|listed| listed.id == *parent);
            !is_listed || self.context.progress.position(parent) == Some(ReadPosition::Drained)
        })
    }
}

async fn next_scan(changes: &mut watch::Receiver<u64>, soonest: Instant) {
    if changes.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep_until(soonest).await;
}
