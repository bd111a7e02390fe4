//! Restores the stored streams at the start. Upgrades data directories of earlier versions.

mod version_1;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::account::AccountSettings;
use super::stream::stored::{StoredStream, VERSION};
use super::stream::{ConsumerStatus, Stream};
use super::{Kinesis, now};
use crate::store::{Keyspace, StoreError};

/// The reason why streams could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the stream {name} in the data directory cannot be read: {reason}")]
    Stream { name: String, reason: String },
    #[error("the account's Kinesis settings in the data directory cannot be read: {0}")]
    Account(serde_json::Error),
}

impl Kinesis {
    /// Restores everything that is stored. Pending changes are completed when they are due.
    ///
    /// # Errors
    /// The data directory cannot be read, or its content was not written by this version or an earlier one.
    pub async fn restore(&self) -> Result<(), RestoreError> {
        let store = &self.shared.storage.store;
        for (_, settings) in store.all::<Value>(Keyspace::Account)? {
            let settings: AccountSettings = serde_json::from_value(settings).map_err(RestoreError::Account)?;
            *self.shared.account.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        }
        let mut earlier = version_1::Consumers::read(store)?;
        let (mut streams, mut upgraded) = (Vec::new(), Vec::new());
        for (key, document) in store.all::<Value>(Keyspace::Streams)? {
            let name = String::from_utf8_lossy(&key).into_owned();
            let is_earlier = document.get("version").is_none();
            let stored = read(&self.stream_arn(&name), document, &mut earlier)
                .map_err(|reason| RestoreError::Stream { name: name.clone(), reason })?;
            let stream = self.add(Stream::restore(self.stream_arn(&name), stored, self.shared.storage.clone()));
            if is_earlier {
                upgraded.push(Arc::clone(&stream));
            }
            streams.push(stream);
        }
        let mut batch = store.batch();
        upgraded.iter().for_each(|stream| stream.store_in(&mut batch));
        earlier.remove(&mut batch);
        batch.commit();
        streams.iter().for_each(|stream| self.resume(stream));
        Ok(())
    }

    /// Resumes a stream's pending changes.
    fn resume(&self, stream: &Arc<Stream>) {
        let unfinished: Vec<_> = {
            let state = stream.state();
            let consumers = state.consumers.values().filter(|consumer| consumer.status != ConsumerStatus::Active);
            consumers.map(|consumer| consumer.name.clone()).collect()
        };
        unfinished.iter().for_each(|consumer| self.finish_consumer(stream, consumer));
        let pending = stream.state().pending().cloned();
        let Some(pending) = pending else { return };
        // The clock may have been set back.
        let delay = Duration::from_millis(pending.due.saturating_sub(now())).min(self.transition());
        self.schedule(stream, pending.number, delay);
    }
}

fn read(arn: &str, document: Value, earlier: &mut version_1::Consumers) -> Result<StoredStream, String> {
    let version = document.get("version").cloned();
    match version {
        None => version_1::read(document, earlier.remove_stream(arn)),
        Some(version) if version == VERSION => serde_json::from_value(document).map_err(|error| error.to_string()),
        Some(version) => Err(format!("it has version {version}, and this endpoint supports versions up to {VERSION}")),
    }
}
