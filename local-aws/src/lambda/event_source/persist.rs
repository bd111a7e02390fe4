//! Stores mappings, and separately the progress of each shard, which changes with every batch.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Mappings;
use super::mapping::{EventSource, Mapping, PollerConfig};
use super::progress::{Progress, ShardProgress};
use super::settings::{MappingInput, Settings, StartingPosition};
use crate::error::AwsError;
use crate::lambda::errors::service_failure;
use crate::store::{Keyspace, Store, StoreError};

#[derive(Serialize, Deserialize)]
struct StoredMapping {
    function: String,
    function_arn: String,
    source_arn: String,
    /// In the API's form.
    settings: Map<String, Value>,
    position: Map<String, Value>,
    is_enabled: bool,
    tags: BTreeMap<String, String>,
}

/// The progress in one shard of a stream.
#[derive(Debug, Serialize, Deserialize)]
pub struct Checkpoint<S = ShardProgress> {
    /// The stream's.
    pub incarnation: u64,
    #[serde(flatten)]
    pub shard: S,
}

/// Stores the checkpoints of one mapping.
#[derive(Clone)]
pub struct CheckpointStore {
    store: Store,
    uuid: String,
}

impl CheckpointStore {
    pub fn new(store: &Store, uuid: &str) -> Self {
        Self { store: store.clone(), uuid: uuid.to_owned() }
    }

    pub fn persist(&self, shard_id: &str, incarnation: u64, shard: &ShardProgress) {
        if self.store.is_persistent() {
            let checkpoint = Checkpoint { incarnation, shard };
            let mut batch = self.store.batch();
            batch.put_json(Keyspace::Checkpoints, format!("{}/{shard_id}", self.uuid), &checkpoint);
            batch.commit();
        }
    }

    pub fn remove(&self) {
        let mut batch = self.store.batch();
        // '0' is the character after the slash, so the range has all of the mapping's checkpoints.
        batch.remove_range(Keyspace::Checkpoints, format!("{}/", self.uuid), format!("{}0", self.uuid));
        batch.commit();
    }
}

impl Mappings {
    /// Persists a mapping as it is now.
    pub(super) fn persist(&self, mapping: &Mapping) {
        let store = &self.shared.store;
        if !store.is_persistent() {
            return;
        }
        let config = mapping.config.borrow();
        let stored = StoredMapping {
            function: config.function.clone(),
            function_arn: mapping.function_arn.clone(),
            source_arn: mapping.source.arn.clone(),
            settings: config.settings.to_json(),
            position: mapping.position.to_json(),
            is_enabled: config.is_enabled,
            tags: mapping.tags.clone(),
        };
        let mut batch = store.batch();
        batch.put_json(Keyspace::Mappings, &mapping.uuid, &stored);
        batch.commit();
    }

    pub(super) fn remove_stored(&self, uuid: &str) {
        let mut batch = self.shared.store.batch();
        batch.remove(Keyspace::Mappings, uuid);
        batch.commit();
    }

    /// Restores the stored mappings. Each one continues after its checkpoints.
    ///
    /// # Errors
    /// The data directory cannot be read.
    pub fn restore(&self) -> Result<(), StoreError> {
        let mut checkpoints: HashMap<String, Vec<(String, Checkpoint)>> = HashMap::new();
        for (key, checkpoint) in self.shared.store.all::<Checkpoint>(Keyspace::Checkpoints)? {
            let key = String::from_utf8_lossy(&key);
            if let Some((uuid, shard_id)) = key.split_once('/') {
                checkpoints.entry(uuid.to_owned()).or_default().push((shard_id.to_owned(), checkpoint));
            }
        }
        for (uuid, stored) in self.shared.store.all::<StoredMapping>(Keyspace::Mappings)? {
            let uuid = String::from_utf8_lossy(&uuid).into_owned();
            let progress = Progress::restored(
                checkpoints.remove(&uuid).unwrap_or_default(),
                CheckpointStore::new(&self.shared.store, &uuid),
            );
            match restored(&uuid, stored, progress) {
                Ok(mapping) => self.add(mapping),
                Err(error) => {
                    tracing::warn!(
                        mapping = uuid,
                        error = error.message,
                        "a mapping in the data directory is invalid and was not restored"
                    );
                }
            }
        }
        // An invocation that ended after its mapping was deleted wrote them.
        for uuid in checkpoints.into_keys() {
            CheckpointStore::new(&self.shared.store, &uuid).remove();
        }
        Ok(())
    }
}

fn restored(uuid: &str, stored: StoredMapping, progress: Progress) -> Result<Mapping, AwsError> {
    let read = |members: Map<String, Value>| {
        serde_json::from_value::<MappingInput>(Value::Object(members))
            .map_err(|error| service_failure("read the mapping's settings", &error))
    };
    let settings = Settings::default().with(&read(stored.settings)?)?;
    let position = StartingPosition::read(&read(stored.position)?)?;
    let config = PollerConfig { settings, is_enabled: stored.is_enabled, function: stored.function };
    let source = EventSource::read(&stored.source_arn)?;
    let mut mapping = Mapping::new(uuid.to_owned(), stored.function_arn, source, position, config, progress);
    mapping.tags = stored.tags;
    Ok(mapping)
}
