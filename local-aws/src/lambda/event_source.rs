//! Event source mappings and their operations. An enabled mapping reads its stream's shards and invokes its function.

mod batch;
mod checkpoint;
mod context;
mod deaggregate;
mod delivery;
mod event;
mod filter;
mod lanes;
mod mapping;
mod on_failure;
mod persist;
mod poller;
mod progress;
mod record;
mod response;
mod settings;
mod shard;
mod window;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use tokio::task::{AbortHandle, JoinHandle};

use super::context::Context;
use super::errors::{conflict, invalid_parameter, not_found};
use super::names::{Reference, mapping_arn};
use super::response::{PageInput, json, list};
use super::tags;
use crate::error::AwsError;
use crate::kinesis::{Kinesis, Stream};
use crate::store::{Store, StoreError};
use checkpoint::{CheckpointStore, ReadPosition};
use context::PollerContext;
use mapping::{EventSource, Mapping, MappingState, PollerConfig};
use poller::Poller;
use progress::Progress;
use settings::{MappingInput, Settings, StartingPosition};

/// The most mappings of one page. <https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html>
const MAX_PAGE_MAPPINGS: usize = 100;

/// The input of GetEventSourceMapping and DeleteEventSourceMapping.
#[derive(Deserialize)]
pub struct UuidInput {
    #[serde(rename = "UUID")]
    uuid: String,
}

/// The input of UpdateEventSourceMapping.
#[derive(Deserialize)]
pub struct UpdateInput {
    #[serde(rename = "UUID")]
    uuid: String,
    #[serde(flatten)]
    settings: MappingInput,
}

/// The input of ListEventSourceMappings.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListInput {
    function_name: Option<String>,
    event_source_arn: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

/// A handle on the event source mappings; clones share them.
#[derive(Clone)]
pub struct Mappings {
    shared: Arc<Shared>,
}

struct Shared {
    functions: Context,
    kinesis: Kinesis,
    store: Store,
    mappings: Mutex<BTreeMap<String, Mapping>>,
}

impl Mappings {
    pub fn new(functions: Context, kinesis: Kinesis, store: &Store) -> Self {
        let (store, mappings) = (store.clone(), Mutex::default());
        Self { shared: Arc::new(Shared { functions, kinesis, store, mappings }) }
    }

    pub async fn create(&self, input: MappingInput) -> Result<Response<Bytes>, AwsError> {
        let settings = Settings::default().with(&input)?;
        tags::check(&input.tags)?;
        let stream_arn = input.event_source_arn.clone().unwrap_or_default();
        let source = EventSource::read(&stream_arn)?;
        let reference = self.function(input.function_name.as_deref().unwrap_or_default())?;
        let position = StartingPosition::read(&input)?;
        let stream = self.shared.kinesis.stream(&source.stream_arn).await;
        let stream = stream.ok_or_else(|| invalid_parameter(format!("Stream not found: {stream_arn}")))?;
        if source.is_consumer && !self.shared.kinesis.has_consumer(&stream_arn).await {
            // AWS's message is unverified.
            return Err(invalid_parameter(format!("Stream consumer not found: {stream_arn}")));
        }
        let function_arn = reference.arn(&self.shared.functions.config);
        let poller_config =
            PollerConfig { settings, is_enabled: input.enabled.unwrap_or(true), function: reference.qualified() };
        let uuid = uuid::Uuid::new_v4().to_string();
        let positions = self.first_positions(&stream, &position).await?;
        let progress = Progress::new(&stream, positions, CheckpointStore::new(&self.shared.store, &uuid));
        let mut mapping = Mapping::new(uuid.clone(), function_arn, source, position, poller_config, progress);
        mapping.tags = input.tags;
        let answer = mapping.to_json(&self.shared.functions.config);

        let mut mappings = self.mappings();
        if let Some(existing) = duplicate_of(&mappings, &mapping.uuid, &mapping.function_arn, &mapping.source) {
            return Err(existing);
        }
        persist::persist(&self.shared.store, &mapping);
        mapping.progress.persist_all();
        mapping.poller = Some(self.start(&mapping).abort_handle());
        mappings.insert(uuid, mapping);
        Ok(json(202, &answer))
    }

    pub fn get(&self, input: UuidInput) -> Result<Response<Bytes>, AwsError> {
        let config = &self.shared.functions.config;
        self.with(&input.uuid, |mapping| json(200, &mapping.to_json(config)))
    }

    pub fn list(&self, input: ListInput) -> Result<Response<Bytes>, AwsError> {
        let config = &self.shared.functions.config;
        let function = input.function_name.map(|name| Reference::read(&name, None, config)).transpose()?;
        let function = function.map(|reference| reference.arn(config));
        let stream = input.event_source_arn;
        let is_wanted = |mapping: &Mapping| {
            function.as_ref().is_none_or(|arn| mapping.function_arn == *arn)
                && stream.as_ref().is_none_or(|arn| mapping.source.arn == *arn)
        };
        let mappings = self.mappings();
        let items = mappings.iter().filter(|(_, mapping)| is_wanted(mapping));
        let shown = items.map(|(uuid, mapping)| (uuid.as_str(), mapping.to_json(config)));
        list("EventSourceMappings", &mapping_arn(config, ""), shown, &input.page, MAX_PAGE_MAPPINGS)
    }

    pub fn update(&self, input: UpdateInput) -> Result<Response<Bytes>, AwsError> {
        let UpdateInput { uuid, settings: input } = input;
        let uuid = uuid.as_str();
        let config = &self.shared.functions.config;
        let function = input.function_name.as_deref().map(|name| self.function(name)).transpose();
        let mut mappings = self.mappings();
        let mapping = mappings.get(uuid).ok_or_else(no_mapping)?;
        must_not_be_changing(mapping, "update")?;
        let function = function?;
        let function_arn = function.as_ref().map_or(mapping.function_arn.clone(), |reference| reference.arn(config));
        if let Some(existing) = duplicate_of(&mappings, uuid, &function_arn, &mapping.source) {
            return Err(existing);
        }
        let mapping = mappings.get_mut(uuid).ok_or_else(no_mapping)?;
        let mut poller_config = mapping.config.borrow().clone();
        poller_config.settings = poller_config.settings.with(&input)?;
        let was_enabled = poller_config.is_enabled;
        poller_config.is_enabled = input.enabled.unwrap_or(was_enabled);
        let state = match (was_enabled, poller_config.is_enabled) {
            (true, false) => MappingState::Disabling,
            (false, true) => MappingState::Enabling,
            _ => MappingState::Updating,
        };
        mapping.function_arn = function_arn;
        if let Some(reference) = function {
            poller_config.function = reference.qualified();
        }
        mapping.set_state(state);
        mapping.config.send_replace(poller_config);
        persist::persist(&self.shared.store, mapping);
        Ok(json(202, &mapping.to_json(config)))
    }

    /// Stops the pollers at once. An invocation that is under way continues to its end.
    pub fn delete(&self, input: UuidInput) -> Result<Response<Bytes>, AwsError> {
        let uuid = input.uuid.as_str();
        let config = &self.shared.functions.config;
        self.with(uuid, |mapping| {
            must_not_be_changing(mapping, "delete")?;
            mapping.set_state(MappingState::Deleting);
            persist::remove(&self.shared.store, &mapping.uuid);
            let (mappings, uuid, poller) = (self.clone(), uuid.to_owned(), mapping.poller.take());
            tokio::spawn(async move {
                if let Some(poller) = poller {
                    poller.abort();
                }
                mappings.mappings().remove(&uuid);
                mappings.shared.functions.config.metrics.forget_mapping(&uuid);
                CheckpointStore::new(&mappings.shared.store, &uuid).remove();
            });
            Ok(json(202, &mapping.to_json(config)))
        })?
    }

    pub fn with_tags<T>(
        &self,
        uuid: &str,
        work: impl FnOnce(&mut BTreeMap<String, String>) -> T,
    ) -> Result<T, AwsError> {
        let mut mappings = self.mappings();
        let mapping = mappings.get_mut(uuid).ok_or_else(|| {
            let arn = mapping_arn(&self.shared.functions.config, uuid);
            not_found(format!("Event source mapping not found: {arn}"))
        })?;
        let result = work(&mut mapping.tags);
        persist::persist(&self.shared.store, mapping);
        Ok(result)
    }

    /// Restores the stored mappings and starts them.
    ///
    /// # Errors
    /// The data directory cannot be read.
    pub fn restore(&self) -> Result<(), StoreError> {
        let mut mappings = self.mappings();
        for mut mapping in persist::restore(&self.shared.store)? {
            mapping.poller = Some(self.start(&mapping).abort_handle());
            mappings.insert(mapping.uuid.clone(), mapping);
        }
        Ok(())
    }

    /// Stops every poller.
    pub fn close(&self) {
        let pollers: Vec<AbortHandle> =
            self.mappings().values_mut().filter_map(|mapping| mapping.poller.take()).collect();
        for poller in pollers {
            poller.abort();
        }
    }

    /// Resolves the name of a function that must exist.
    fn function(&self, name: &str) -> Result<Reference, AwsError> {
        let reference = Reference::read(name, None, &self.shared.functions.config)?;
        let found = self.shared.functions.with(&reference, |_| ());
        // Recorded: this operation has its own message for a function that does not exist.
        found.map_err(|_| invalid_parameter("Function does not exist"))?;
        Ok(reference)
    }

    /// The positions at which the present shards begin to be read. LATEST and AT_TIMESTAMP are fixed here, so that no later record
    /// is missed. Shards that are created later are read from their beginning.
    async fn first_positions(
        &self,
        stream: &Stream,
        position: &StartingPosition,
    ) -> Result<HashMap<String, ReadPosition>, AwsError> {
        let mut positions = HashMap::new();
        for shard in &stream.shards {
            let cursor = self.shared.kinesis.cursor(stream, &shard.id, position.start).await?;
            positions.insert(shard.id.clone(), ReadPosition::At(cursor));
        }
        Ok(positions)
    }

    fn start(&self, mapping: &Mapping) -> JoinHandle<()> {
        let context = PollerContext {
            uuid: mapping.uuid.clone(),
            source: mapping.source.clone(),
            functions: self.shared.functions.clone(),
            kinesis: self.shared.kinesis.clone(),
            destinations: self.shared.functions.destinations.clone(),
            progress: Arc::clone(&mapping.progress),
        };
        // The task must not keep the mappings alive, because they hold its handle.
        let (shared, uuid) = (Arc::downgrade(&self.shared), mapping.uuid.clone());
        let set_state = move |state| {
            let Some(shared) = shared.upgrade() else { return };
            let mut mappings = shared.mappings.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(mapping) = mappings.get_mut(&uuid).filter(|mapping| mapping.state() != MappingState::Deleting) {
                mapping.set_state(state);
            }
        };
        tokio::spawn(Poller::new(context).run(mapping.config.subscribe(), set_state))
    }

    fn with<T>(&self, uuid: &str, work: impl FnOnce(&mut Mapping) -> T) -> Result<T, AwsError> {
        let mut mappings = self.mappings();
        let mapping = mappings.get_mut(uuid);
        mapping.map(work).ok_or_else(no_mapping)
    }

    fn mappings(&self) -> MutexGuard<'_, BTreeMap<String, Mapping>> {
        self.shared.mappings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// # Errors
/// `ResourceInUseException` while the mapping changes.
fn must_not_be_changing(mapping: &Mapping, operation: &str) -> Result<(), AwsError> {
    match mapping.state() {
        MappingState::Enabled | MappingState::Disabled => Ok(()),
        _ => Err(AwsError::bad_request(
            "ResourceInUseException",
            format!("Cannot {operation} the event source mapping because it is in use."),
        )),
    }
}

fn no_mapping() -> AwsError {
    not_found("The resource you requested does not exist.")
}

/// The error if a mapping other than this one has the same function and source.
fn duplicate_of(
    mappings: &BTreeMap<String, Mapping>,
    uuid: &str,
    function_arn: &str,
    source: &EventSource,
) -> Option<AwsError> {
    let existing = mappings.values().find(|mapping| {
        mapping.uuid != uuid
            && mapping.function_arn == function_arn
            && mapping.source.arn == source.arn
            && mapping.state() != MappingState::Deleting
    })?;
    Some(conflict(format!(
        "The event source arn (\" {} \") and function (\" {} \") provided mapping already exists. Please update or delete the \
         existing mapping with UUID {}",
        existing.source.arn,
        existing.config.borrow().function,
        existing.uuid
    )))
}

#[cfg(fuzzing)]
pub mod fuzzing {
    /// Reads an event pattern and matches an event against it.
    pub fn event_pattern(pattern: &serde_json::Value, event: &serde_json::Map<String, serde_json::Value>) -> bool {
        super::filter::matches(pattern, event)
    }
}
