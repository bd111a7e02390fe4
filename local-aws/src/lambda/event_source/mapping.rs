//! One event source mapping as the API shows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::progress::Progress;
use super::settings::{Settings, StartingPosition};
use crate::config::Config;
use crate::error::AwsError;
use crate::lambda::errors::invalid_parameter;
use crate::lambda::names::mapping_arn;

/// The states of a mapping. <https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MappingState {
    Creating,
    Enabling,
    Enabled,
    Disabling,
    Disabled,
    Updating,
    Deleting,
}

impl MappingState {
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

/// The configuration of a mapping's pollers, which apply each change.
#[derive(Debug, Clone)]
pub struct PollerConfig {
    pub settings: Settings,
    pub is_enabled: bool,
    pub function: String,
}

/// The source of a mapping: a stream, read directly or through an enhanced fan-out consumer.
#[derive(Debug, Clone, PartialEq)]
pub struct EventSource {
    /// As the client sent it.
    pub arn: String,
    pub stream_arn: String,
    pub is_consumer: bool,
}

impl EventSource {
    /// Reads the ARN of a stream or of one of its consumers.
    ///
    /// # Errors
    /// The ARN is neither.
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
    /// With the qualifier, if the client sent one.
    pub function_arn: String,
    pub source: EventSource,
    pub position: StartingPosition,
    pub tags: BTreeMap<String, String>,
    pub config: watch::Sender<PollerConfig>,
    pub progress: Arc<Progress>,
    pub poller: Option<AbortHandle>,
    state: MappingState,
    last_modified: Timestamp,
}

impl Mapping {
    pub fn new(
        uuid: String,
        function_arn: String,
        source: EventSource,
        position: StartingPosition,
        config: PollerConfig,
        progress: Progress,
    ) -> Self {
        Self {
            uuid,
            function_arn,
            source,
            position,
            tags: BTreeMap::new(),
            config: watch::channel(config).0,
            progress: Arc::new(progress),
            poller: None,
            state: MappingState::Creating,
            last_modified: Timestamp::now(),
        }
    }

    pub fn state(&self) -> MappingState {
        self.state
    }

    pub fn set_state(&mut self, state: MappingState) {
        self.state = state;
        self.last_modified = Timestamp::now();
    }

    /// An `EventSourceMappingConfiguration`.
    pub fn to_json(&self, config: &Config) -> Value {
        let mut members = self.config.borrow().settings.to_json();
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
