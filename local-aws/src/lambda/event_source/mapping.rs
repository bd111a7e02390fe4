//! One event source mapping as the API shows it, and what its pollers leave behind: where they are and how it went.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::persist::{Checkpoint, Checkpoints};
use super::settings::{Settings, StartingPosition};
use super::window::Window;
use crate::Config;
use crate::http_api::AwsError;
use crate::kinesis::{Cursor, Stream};
use crate::lambda::names::mapping_arn;
use crate::lambda::validation::invalid_parameter;

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

/// What a mapping reads: a stream, by itself or through an enhanced fan-out consumer.
#[derive(Debug, Clone, PartialEq)]
pub struct EventSource {
    /// As the client gave it.
    pub arn: String,
    pub stream_arn: String,
    pub is_consumer: bool,
}

impl EventSource {
    /// # Errors
    /// What is neither a stream nor one of its consumers.
    pub fn read(arn: &str) -> Result<Self, AwsError> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        match parts[..] {
            ["arn", _, "kinesis", _, _, resource] if resource.starts_with("stream/") => {
                let stream_arn = arn.split_once("/consumer/").map_or(arn, |(stream, _)| stream);
                let is_consumer = stream_arn.len() < arn.len();
                Ok(Self { arn: arn.to_owned(), stream_arn: stream_arn.to_owned(), is_consumer })
            }
            ["arn", _, service, _, _, _] if !service.is_empty() => Err(invalid_parameter(format!(
                "The local endpoint reads event sources of Kinesis only, not of {service}."
            ))),
            _ => Err(invalid_parameter("Unrecognized event source.")),
        }
    }
}

pub struct Mapping {
    pub uuid: String,
    /// With the qualifier, if the client gave one.
    pub function_arn: String,
    pub source: EventSource,
    pub position: StartingPosition,
    pub tags: BTreeMap<String, String>,
    pub orders: watch::Sender<Orders>,
    pub progress: Arc<Progress>,
    pub poller: Option<AbortHandle>,
    state: State,
    last_modified: Timestamp,
}

/// Where the pollers of a mapping are, and how the last batch went. Survives updates and pauses.
pub struct Progress {
    places: Mutex<Places>,
    checkpoints: Checkpoints,
    result: Mutex<ProcessingResult>,
}

struct Places {
    /// Of the stream that the shards are of.
    incarnation: u64,
    by_shard: HashMap<String, Place>,
    /// The tumbling windows that are open.
    windows: HashMap<String, Window>,
}

impl Places {
    fn checkpoint(&self, shard_id: &str) -> Checkpoint {
        let (place, window) = (self.by_shard.get(shard_id).cloned(), self.windows.get(shard_id).cloned());
        Checkpoint { incarnation: self.incarnation, place, window }
    }
}

/// How far a shard is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
        source: EventSource,
        position: StartingPosition,
        orders: Orders,
        progress: Progress,
    ) -> Self {
        Self {
            uuid,
            function_arn,
            source,
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
                ("EventSourceArn", json!(self.source.arn)),
                ("FunctionArn", json!(self.function_arn)),
                ("LastModified", json!(self.last_modified.as_millisecond() as f64 / 1000.0)),
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
    pub fn new(stream: &Stream, by_shard: HashMap<String, Place>, checkpoints: Checkpoints) -> Self {
        let places = Places { incarnation: stream.incarnation, by_shard, windows: HashMap::new() };
        Self { places: Mutex::new(places), checkpoints, result: Mutex::default() }
    }

    /// The progress that these checkpoints of shards tell, those of the latest stream if there were several of its name.
    pub fn restored(of_shards: Vec<(String, Checkpoint)>, checkpoints: Checkpoints) -> Self {
        let incarnation = of_shards.iter().map(|(_, checkpoint)| checkpoint.incarnation).max().unwrap_or_default();
        let mut places = Places { incarnation, by_shard: HashMap::new(), windows: HashMap::new() };
        for (shard_id, checkpoint) in of_shards {
            if checkpoint.incarnation == incarnation {
                places.windows.extend(checkpoint.window.map(|window| (shard_id.clone(), window)));
                places.by_shard.extend(checkpoint.place.map(|place| (shard_id, place)));
            }
        }
        Self { places: Mutex::new(places), checkpoints, result: Mutex::default() }
    }

    /// Has every shard's place in the store.
    pub fn keep_all(&self) {
        let places = self.places();
        for shard_id in places.by_shard.keys() {
            self.checkpoints.keep(shard_id, || places.checkpoint(shard_id));
        }
    }

    pub fn place(&self, shard_id: &str) -> Option<Place> {
        self.places().by_shard.get(shard_id).cloned()
    }

    /// Keeps nothing of a stream whose name another has by now.
    pub fn set_place(&self, stream: &Stream, shard_id: &str, place: Place) {
        let mut places = self.places();
        if places.incarnation == stream.incarnation {
            places.by_shard.insert(shard_id.to_owned(), place);
            self.checkpoints.keep(shard_id, || places.checkpoint(shard_id));
        }
    }

    /// The tumbling window that a shard is in.
    pub fn window(&self, shard_id: &str) -> Option<Window> {
        self.places().windows.get(shard_id).cloned()
    }

    /// Keeps a shard's window, or takes the one away that is closed.
    pub fn set_window(&self, stream: &Stream, shard_id: &str, window: Option<Window>) {
        let mut places = self.places();
        if places.incarnation != stream.incarnation {
            return;
        }
        match window {
            Some(window) => places.windows.insert(shard_id.to_owned(), window),
            None => places.windows.remove(shard_id),
        };
        self.checkpoints.keep(shard_id, || places.checkpoint(shard_id));
    }

    /// Whether the places are this stream's, and not those of one that had its name before.
    pub fn is_of(&self, stream: &Stream) -> bool {
        self.places().incarnation == stream.incarnation
    }

    /// Begins with a stream made again under the name: it is read from its beginning.
    pub fn begin_with(&self, stream: &Stream) {
        *self.places() = Places { incarnation: stream.incarnation, by_shard: HashMap::new(), windows: HashMap::new() };
    }

    pub fn result(&self) -> ProcessingResult {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_result(&self, result: ProcessingResult) {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = result;
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
