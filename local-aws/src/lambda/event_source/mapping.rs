//! One event source mapping as the API shows it, and what its pollers leave behind: where they are and how it went.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::settings::{Settings, StartingPosition};
use crate::Config;
use crate::kinesis::Cursor;
use crate::lambda::names::mapping_arn;

/// The states of a mapping. <https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Creating,
    Enabling,
    Enabled,
    Disabling,
    Disabled,
    Updating,
    Deleting,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Enabling => "Enabling",
            Self::Enabled => "Enabled",
            Self::Disabling => "Disabling",
            Self::Disabled => "Disabled",
            Self::Updating => "Updating",
            Self::Deleting => "Deleting",
        }
    }
}

/// What a mapping is to do: its pollers follow each change.
#[derive(Debug, Clone)]
pub struct Orders {
    pub settings: Settings,
    pub is_enabled: bool,
    pub function: String,
}

pub struct Mapping {
    pub uuid: String,
    /// With the qualifier, if the client gave one.
    pub function_arn: String,
    pub stream_arn: String,
    pub position: StartingPosition,
    pub tags: BTreeMap<String, String>,
    pub orders: watch::Sender<Orders>,
    pub progress: Arc<Progress>,
    pub poller: Option<AbortHandle>,
    state: State,
    last_modified: Timestamp,
}

/// Where the pollers of a mapping are, and how the last batch went. Survives updates and pauses.
#[derive(Default)]
pub struct Progress {
    places: Mutex<HashMap<String, Place>>,
    result: Mutex<ProcessingResult>,
}

/// How far a shard is read.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    At(Cursor),
    /// The shard is closed and all of it was processed: its children may be read.
    Drained,
}

/// `LastProcessingResult`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProcessingResult {
    #[default]
    NoRecords,
    Ok,
    FunctionCallFailed,
}

impl Mapping {
    pub fn new(
        uuid: String,
        function_arn: String,
        stream_arn: String,
        position: StartingPosition,
        orders: Orders,
        places: HashMap<String, Place>,
    ) -> Self {
        let progress = Progress { places: Mutex::new(places), ..Progress::default() };
        Self {
            uuid,
            function_arn,
            stream_arn,
            position,
            tags: BTreeMap::new(),
            orders: watch::channel(orders).0,
            progress: Arc::new(progress),
            poller: None,
            state: State::Creating,
            last_modified: Timestamp::now(),
        }
    }

    pub fn state(&self) -> State {
        self.state
    }

    pub fn set_state(&mut self, state: State) {
        self.state = state;
        self.last_modified = Timestamp::now();
    }

    /// An `EventSourceMappingConfiguration`.
    pub fn to_json(&self, config: &Config) -> Value {
        let mut members = self.orders.borrow().settings.to_json();
        members.extend(self.position.to_json());
        members.extend(
            [
                ("UUID", json!(self.uuid)),
                ("EventSourceMappingArn", json!(mapping_arn(config, &self.uuid))),
                ("EventSourceArn", json!(self.stream_arn)),
                ("FunctionArn", json!(self.function_arn)),
                ("LastModified", json!(self.last_modified.as_duration().as_millis_f64() / 1000.0)),
                ("LastProcessingResult", json!(self.progress.result().as_str())),
                ("State", json!(self.state.as_str())),
                ("StateTransitionReason", json!("User action")),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        Value::Object(members)
    }
}

impl ProcessingResult {
    fn as_str(self) -> &'static str {
        match self {
            Self::NoRecords => "No records processed",
            Self::Ok => "OK",
            Self::FunctionCallFailed => "PROBLEM: Function call failed",
        }
    }
}

impl Progress {
    pub fn place(&self, shard_id: &str) -> Option<Place> {
        self.places().get(shard_id).cloned()
    }

    pub fn set_place(&self, shard_id: &str, place: Place) {
        self.places().insert(shard_id.to_owned(), place);
    }

    /// The stream is gone: one made later under its name is read from its beginning.
    pub fn forget_places(&self) {
        self.places().clear();
    }

    pub fn result(&self) -> ProcessingResult {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_result(&self, result: ProcessingResult) {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = result;
    }

    fn places(&self) -> MutexGuard<'_, HashMap<String, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
