//! A function, or one of its versions: settings, code and state.

mod alias;
mod concurrency;
mod event_invoke_config;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::code::Code;
use super::configuration::Settings;
use super::errors::{conflict, outdated_revision};
use super::execution::Pool;
use super::local_source::LocalSource;
use super::names::{LATEST, function_arn};
use crate::config::Config;
use crate::error::AwsError;
pub use alias::Alias;
pub use concurrency::{Concurrency, THROTTLED, is_throttled};
pub use event_invoke_config::EventInvokeConfig;

/// The time that a function is Pending, or its update InProgress. Clients see these states and wait, as on AWS.
pub const TRANSITION: Duration = Duration::from_millis(5);

pub struct Function {
    pub name: String,
    /// `$LATEST`, or a number.
    pub version: String,
    /// The highest published version number. Only `$LATEST` has it and the four members that follow.
    pub published: u64,
    /// The description that the function had when that version was published.
    pub published_description: String,
    pub aliases: BTreeMap<String, Alias>,
    /// By qualifier, `$LATEST` included. Policies are lists of statements.
    pub event_invoke: BTreeMap<String, EventInvokeConfig>,
    pub policies: BTreeMap<String, Vec<Value>>,
    pub settings: Settings,
    /// The code and its processes, or the reason why there are none.
    pub program: Result<Program, Broken>,
    pub concurrency: Concurrency,
    pub tags: BTreeMap<String, String>,
    /// The file or folder that the code is reloaded from; `None` for uploaded code.
    pub local: Option<LocalSource>,
    pub revision: Uuid,
    pub last_modified: Timestamp,
    transition: Option<Transition>,
}

/// A function's code, and the processes that run it with the present settings. An update replaces both.
#[derive(Clone)]
pub struct Program {
    pub code: Arc<Code>,
    pub pool: Arc<Pool>,
}

/// A stored function whose code cannot be run: its state is `Failed` until its code is updated.
#[derive(Debug, Clone)]
pub struct Broken {
    pub reason: String,
}

#[derive(Debug, Clone, Copy)]
struct Transition {
    kind: TransitionKind,
    until: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum TransitionKind {
    Create,
    Update,
}

impl Function {
    pub fn new(name: String, settings: Settings, program: Program, now: Instant) -> Self {
        let until = now + TRANSITION;
        let transition = Some(Transition { kind: TransitionKind::Create, until });
        Self { transition, ..Self::stored(name, LATEST.to_owned(), settings, Ok(program)) }
    }

    /// A published version. `is_pending` if the function itself has just been created.
    pub fn version(name: String, version: String, settings: Settings, program: Program, is_pending: bool) -> Self {
        let mut published = Self { version, ..Self::new(name, settings, program, Instant::now()) };
        if !is_pending {
            published.transition = None;
        }
        published
    }

    /// A function from the store, in no transition.
    pub fn stored(name: String, version: String, settings: Settings, program: Result<Program, Broken>) -> Self {
        Self {
            name,
            version,
            published: 0,
            published_description: String::new(),
            aliases: BTreeMap::new(),
            event_invoke: BTreeMap::new(),
            policies: BTreeMap::new(),
            settings,
            program,
            concurrency: Concurrency::default(),
            tags: BTreeMap::new(),
            local: None,
            revision: Uuid::new_v4(),
            last_modified: Timestamp::now(),
            transition: None,
        }
    }

    /// The name, with the number of a version.
    pub fn key(&self) -> String {
        match self.version.as_str() {
            LATEST => self.name.clone(),
            number => format!("{}:{number}", self.name),
        }
    }

    /// Replaces the code or the settings.
    pub fn update(&mut self, settings: Settings, program: Program, now: Instant) {
        if let Ok(replaced) = std::mem::replace(&mut self.program, Ok(program)) {
            replaced.pool.retire();
        }
        self.settings = settings;
        self.revision = Uuid::new_v4();
        self.last_modified = Timestamp::now();
        self.transition = Some(Transition { kind: TransitionKind::Update, until: now + TRANSITION });
    }

    /// The code and its processes.
    ///
    /// # Errors
    /// The stored code could not be read: AWS's code for a package that Lambda cannot unpack, and what to do.
    pub fn program(&self) -> Result<&Program, AwsError> {
        self.program.as_ref().map_err(|broken| {
            let (name, reason) = (&self.name, &broken.reason);
            AwsError::new(
                502,
                "InvalidZipFileException",
                format!(
                    "The code of the function {name} cannot be run: {reason}. Update the function's code, or delete it."
                ),
            )
        })
    }

    /// Deletes what belongs to a deleted version or alias.
    pub fn forget_qualifier(&mut self, qualifier: &str) {
        self.event_invoke.remove(qualifier);
        self.policies.remove(qualifier);
    }

    /// Ends a transition whose time is over. The revision changes with the state (recorded 2025-11).
    pub fn settle(&mut self, now: Instant) {
        if self.transition.is_some_and(|transition| transition.until <= now) {
            self.transition = None;
            self.revision = Uuid::new_v4();
        }
    }

    /// The time from which the function can be invoked; `None` if it can be invoked now, as during an update.
    pub fn invocable_at(&self) -> Option<Instant> {
        self.transition
            .filter(|transition| transition.kind == TransitionKind::Create)
            .map(|transition| transition.until)
    }

    /// # Errors `ResourceConflictException` while the function is being created or updated. `PreconditionFailedException`
    /// if the client has seen another revision.
    pub fn must_be_updatable(&self, config: &Config, revision: Option<&str>) -> Result<(), AwsError> {
        if revision.is_some_and(|revision| revision != self.revision.to_string()) {
            return Err(outdated_revision("GetFunction/GetAlias"));
        }
        const NOT_NOW: &str = "The operation cannot be performed at this time.";
        match self.transition.map(|transition| transition.kind) {
            None => Ok(()),
            Some(TransitionKind::Create) => {
                Err(conflict(format!("{NOT_NOW} The function is currently in the following state: Pending")))
            }
            Some(TransitionKind::Update) => {
                let arn = function_arn(config, &self.name);
                Err(conflict(format!("{NOT_NOW} An update is in progress for resource: {arn}")))
            }
        }
    }

    /// A `FunctionConfiguration`, with its state.
    pub fn configuration(&self, config: &Config, qualifier: Option<&str>) -> Value {
        let mut members = self.summary(config, qualifier);
        let runtime = &self.settings.runtime;
        members.insert("RuntimeVersionConfig".into(), json!({ "RuntimeVersionArn": runtime.version_arn(config) }));
        const REASON: &str = "The function is being created.";
        let state = match self.transition.map(|transition| transition.kind) {
            Some(TransitionKind::Create) => {
                json!({ "State": "Pending", "StateReason": REASON, "StateReasonCode": "Creating" })
            }
            // Recorded: an update gives the same reason as a creation.
            Some(TransitionKind::Update) => json!({
                "State": "Active", "LastUpdateStatus": "InProgress",
                "LastUpdateStatusReason": REASON, "LastUpdateStatusReasonCode": "Creating",
            }),
            None => match &self.program {
                Ok(_) => json!({ "State": "Active", "LastUpdateStatus": "Successful" }),
                Err(broken) => json!({
                    "State": "Failed", "StateReason": broken.reason, "StateReasonCode": "InvalidZipFileException",
                }),
            },
        };
        if let Value::Object(state) = state {
            members.extend(state);
        }
        Value::Object(members)
    }

    /// The members that lists show: all except the state.
    pub fn summary(&self, config: &Config, qualifier: Option<&str>) -> Map<String, Value> {
        let arn = function_arn(config, &self.name);
        let mut members = self.settings.to_json();
        members.extend(
            [
                ("FunctionName", json!(self.name)),
                ("FunctionArn", json!(qualifier.map_or(arn.clone(), |qualifier| format!("{arn}:{qualifier}")))),
                ("CodeSize", json!(self.program.as_ref().map_or(0, |program| program.code.size))),
                ("CodeSha256", json!(self.program.as_ref().map_or("", |program| &program.code.sha256))),
                ("Version", json!(self.version)),
                ("LastModified", json!(self.last_modified.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string())),
                ("RevisionId", json!(self.revision.to_string())),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        members
    }
}
