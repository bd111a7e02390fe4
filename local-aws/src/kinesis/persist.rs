//! Streams and consumers in the store. A change that the engine has yet to carry out is kept as its request, beside the
//! stream as it was before, and made again at the start.

use std::collections::BTreeMap;

use ferrokinesis::types::{Consumer, ConsumerStatus, Stream, StreamStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::log::{Status, StreamLog};
use super::{Kinesis, engine};
use crate::error::AwsError;
use crate::store::{Keyspace, StoreError};

/// A stream with all that its description leaves out.
#[derive(Serialize, Deserialize)]
struct StoredStream {
    incarnation: u64,
    stream: Stream,
    tags: BTreeMap<String, String>,
    key_id: Option<String>,
    warm_throughput_mibps: u32,
    max_record_size_kib: u32,
    is_distributed: bool,
    policy: Option<String>,
    /// The change under way.
    pending: Option<Pending>,
}

/// A request that the engine has taken and not yet carried out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Pending {
    pub operation: String,
    pub input: Value,
}

#[derive(Serialize, Deserialize)]
struct StoredConsumer {
    consumer: Consumer,
    tags: BTreeMap<String, String>,
    policy: Option<String>,
}

/// Why streams could not be brought back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the stream {name} in the data folder could not be brought back: {}", .error.message)]
    Stream { name: String, error: AwsError },
    #[error("the account's settings in the data folder could not be brought back: {}", .0.message)]
    Account(AwsError),
}

impl Kinesis {
    /// Brings back what the store has.
    ///
    /// # Errors
    /// The folder cannot be read, or the engine refuses what is in it.
    pub async fn restore(&self) -> Result<(), RestoreError> {
        let store = &self.shared.store;
        for (_, settings) in store.all::<Value>(Keyspace::Account)? {
            let restored = self.engine().call("UpdateAccountSettings", &settings).await;
            restored.map_err(RestoreError::Account)?;
        }
        for (_, consumer) in store.all::<StoredConsumer>(Keyspace::Consumers)? {
            let name = consumer.consumer.consumer_arn.clone();
            self.restore_consumer(consumer).await.map_err(|error| RestoreError::Stream { name, error })?;
        }
        for (_, stored) in store.all::<StoredStream>(Keyspace::Streams)? {
            let name = stored.stream.stream_name.clone();
            self.restore_stream(stored).await.map_err(|error| RestoreError::Stream { name, error })?;
        }
        Ok(())
    }

    /// UpdateAccountSettings, kept as its request.
    pub(super) async fn update_account_settings(&self, input: &Value) -> Result<Value, AwsError> {
        let _control = self.shared.control.lock().await;
        let answer = self.engine().call("UpdateAccountSettings", input).await?;
        let mut batch = self.shared.store.batch();
        batch.put_json(Keyspace::Account, "kinesis", input);
        batch.commit();
        Ok(answer)
    }

    async fn restore_consumer(&self, mut stored: StoredConsumer) -> Result<(), AwsError> {
        match stored.consumer.consumer_status {
            ConsumerStatus::Deleting => return Ok(()),
            ConsumerStatus::Creating | ConsumerStatus::Active => {
                stored.consumer.consumer_status = ConsumerStatus::Active
            }
        }
        let arn = stored.consumer.consumer_arn.clone();
        self.engine().set_tags(&arn, &stored.tags).await?;
        if let Some(policy) = stored.policy {
            self.engine().put_policy(&arn, &policy).await?;
        }
        self.engine().put_consumer(stored.consumer).await
    }

    async fn restore_stream(&self, stored: StoredStream) -> Result<(), AwsError> {
        let StoredStream { incarnation, mut stream, is_distributed, policy, pending, .. } = stored;
        let name = stream.stream_name.clone();
        let was_made = stream.stream_status != StreamStatus::Creating;
        if was_made {
            stream.stream_status = StreamStatus::Active;
            stream.tags = stored.tags;
            stream.key_id = stored.key_id;
            stream.warm_throughput_mibps = stored.warm_throughput_mibps;
            stream.max_record_size_kib = stored.max_record_size_kib;
            let log = self.add(&name, Some(incarnation), engine::settings(&stream));
            log.set_distributed(is_distributed);
            if let Some(policy) = policy {
                self.engine().put_policy(&stream.stream_arn, &policy).await?;
            }
            self.engine().put_stream(stream).await?;
            self.refresh(&name).await?;
        }
        if let Some(Pending { operation, input }) = pending {
            Box::pin(self.control(&operation, input)).await?;
        }
        Ok(())
    }

    /// Keeps a stream as the engine describes it, with `control` held.
    pub(super) async fn persist_stream(&self, log: &StreamLog, described: &Stream) {
        if !self.shared.store.keeps() {
            return;
        }
        if engine::settings(described).status == Status::Active {
            log.set_pending(None);
        }
        let stored = StoredStream {
            incarnation: log.incarnation,
            stream: described.clone(),
            tags: described.tags.clone(),
            key_id: described.key_id.clone(),
            warm_throughput_mibps: described.warm_throughput_mibps,
            max_record_size_kib: described.max_record_size_kib,
            is_distributed: log.is_distributed(),
            policy: self.engine().policy(&described.stream_arn).await,
            pending: log.pending(),
        };
        let mut batch = self.shared.store.batch();
        batch.put_json(Keyspace::Streams, &log.name, &stored);
        batch.commit();
    }

    /// Keeps nothing more of a stream, its records included.
    pub(super) fn unpersist_stream(&self, log: &StreamLog) {
        if !self.shared.store.keeps() {
            return;
        }
        let (from, to) = (log.incarnation.to_be_bytes(), (log.incarnation + 1).to_be_bytes());
        let mut batch = self.shared.store.batch();
        batch.remove(Keyspace::Streams, &log.name).remove_range(Keyspace::Records, from, to);
        batch.commit();
    }

    /// Keeps a consumer as it is now, or keeps it no more.
    pub(super) async fn persist_consumer(&self, arn: &str) {
        if !self.shared.store.keeps() {
            return;
        }
        let mut batch = self.shared.store.batch();
        match self.engine().consumer(arn).await {
            Some(consumer) => {
                let (tags, policy) = (self.engine().tags(arn).await, self.engine().policy(arn).await);
                batch.put_json(Keyspace::Consumers, arn, &StoredConsumer { consumer, tags, policy });
            }
            None => {
                batch.remove(Keyspace::Consumers, arn);
            }
        }
        batch.commit();
    }
}
