//! Stores mappings and restores them with the progress of their shards.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::checkpoint::{Checkpoint, CheckpointStore};
use super::mapping::{EventSource, Mapping, PollerConfig};
use super::progress::Progress;
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

/// Persists a mapping as it is now.
pub fn persist(store: &Store, mapping: &Mapping) {
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

/// Removes a mapping from the store, without its checkpoints.
pub fn remove(store: &Store, uuid: &str) {
    let mut batch = store.batch();
    batch.remove(Keyspace::Mappings, uuid);
    batch.commit();
}

/// Reads the stored mappings. Each one continues after its checkpoints.
///
/// # Errors
/// The data directory cannot be read.
pub fn restore(store: &Store) -> Result<Vec<Mapping>, StoreError> {
    let mut checkpoints: HashMap<String, Vec<(String, Checkpoint)>> = HashMap::new();
    for (key, checkpoint) in store.all::<Checkpoint>(Keyspace::Checkpoints)? {
        let key = String::from_utf8_lossy(&key);
        if let Some((uuid, shard_id)) = key.split_once('/') {
            checkpoints.entry(uuid.to_owned()).or_default().push((shard_id.to_owned(), checkpoint));
        }
    }
    let mut mappings = Vec::new();
    for (uuid, stored) in store.all::<StoredMapping>(Keyspace::Mappings)? {
        let uuid = String::from_utf8_lossy(&uuid).into_owned();
        let of_shards = checkpoints.remove(&uuid).unwrap_or_default();
        let progress = Progress::restored(of_shards, CheckpointStore::new(store, &uuid));
        match restored(&uuid, stored, progress) {
            Ok(mapping) => mappings.push(mapping),
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
        CheckpointStore::new(store, &uuid).remove();
    }
    Ok(mappings)
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
