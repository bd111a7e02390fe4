//! One function as the API shows it: its settings, its code, and the state it is in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::aliases::Alias;
use super::code::Code;
use super::concurrency::Concurrency;
use super::event_invoke::EventInvokeConfig;
use super::execution::Pool;
use super::local::Local;
use super::names::{LATEST, function_arn};
use super::settings::Settings;
use super::validation::conflict;
use crate::config::Config;
use crate::error::AwsError;

/// How long a function is Pending or its update InProgress: as on AWS a client sees it and waits, only not for long.
pub const TRANSITION: Duration = Duration::from_millis(5);

pub struct Function {
    pub name: String,
    /// `$LATEST`, or a number.
    pub version: String,
    /// The highest number published; of `$LATEST` only, as are the aliases.
    pub published: u64,
    /// The description that the function had when that version was published.
    pub published_description: String,
    pub aliases: BTreeMap<String, Alias>,
    /// Of `$LATEST`, versions and aliases; in the function itself, as are the policies: lists of statements.
    pub event_invoke: BTreeMap<String, EventInvokeConfig>,
    pub policies: BTreeMap<String, Vec<Value>>,
    pub settings: Settings,
    pub code: Arc<Code>,
    /// Runs this code with these settings; an update replaces it.
    pub pool: Arc<Pool>,
    pub concurrency: Concurrency,
    pub tags: BTreeMap<String, String>,
    /// Where the code is read from again; none for what was uploaded.
    pub local: Option<Local>,
    pub revision: Uuid,
    pub last_modified: Timestamp,
    transition: Option<Transition>,
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
    pub fn new(name: String, settings: Settings, code: Arc<Code>, pool: Arc<Pool>, now: Instant) -> Self {
        Self {
            name,
            version: LATEST.to_owned(),
            published: 0,
            published_description: String::new(),
            aliases: BTreeMap::new(),
            event_invoke: BTreeMap::new(),
            policies: BTreeMap::new(),
            settings,
            code,
            pool,
            concurrency: Concurrency::default(),
            tags: BTreeMap::new(),
            local: None,
            revision: Uuid::new_v4(),
            last_modified: Timestamp::now(),
            transition: Some(Transition { kind: TransitionKind::Create, until: now + TRANSITION }),
        }
    }

    /// A published version; `is_new` with the function itself, which is not ready at once.
    pub fn version(
        name: String,
        version: String,
        settings: Settings,
        code: Arc<Code>,
        pool: Arc<Pool>,
        is_new: bool,
    ) -> Self {
        let mut published = Self { version, ..Self::new(name, settings, code, pool, Instant::now()) };
        if !is_new {
            published.transition = None;
        }
        published
    }

    /// The name, with the number of a version.
    pub fn key(&self) -> String {
        match self.version.as_str() {
            LATEST => self.name.clone(),
            number => format!("{}:{number}", self.name),
        }
    }

    /// What is told by the store: the function was made before, and is at rest.
    pub fn restored(&mut self, revision: &str, last_modified_ms: i64) {
        self.revision = revision.parse().unwrap_or(self.revision);
        self.last_modified = Timestamp::from_millisecond(last_modified_ms).unwrap_or(self.last_modified);
        self.transition = None;
    }

    /// Puts new code or settings in place of the present ones.
    pub fn update(&mut self, settings: Settings, code: Arc<Code>, pool: Arc<Pool>, now: Instant) {
        std::mem::replace(&mut self.pool, pool).retire();
        self.settings = settings;
        self.code = code;
        self.revision = Uuid::new_v4();
        self.last_modified = Timestamp::now();
        self.transition = Some(Transition { kind: TransitionKind::Update, until: now + TRANSITION });
    }

    /// What belongs to a version or alias goes with it.
    pub fn forget_qualifier(&mut self, qualifier: &str) {
        self.event_invoke.remove(qualifier);
        self.policies.remove(qualifier);
    }

    /// Ends a transition whose time has come. The revision changes with the state (recorded 2025-11).
    pub fn settle(&mut self, now: Instant) {
        if self.transition.is_some_and(|transition| transition.until <= now) {
            self.transition = None;
            self.revision = Uuid::new_v4();
        }
    }

    /// When the function can be invoked; none when it can now. An update does not keep the function from running.
    pub fn invocable_at(&self) -> Option<Instant> {
        self.transition
            .filter(|transition| transition.kind == TransitionKind::Create)
            .map(|transition| transition.until)
    }

    /// # Errors
    /// `ResourceConflictException` while the function is being made or changed; `PreconditionFailedException` for another
    /// revision than the one the client has seen.
    pub fn must_be_updatable(&self, config: &Config, revision: Option<&str>) -> Result<(), AwsError> {
        if revision.is_some_and(|revision| revision != self.revision.to_string()) {
            return Err(other_revision());
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
            None => json!({ "State": "Active", "LastUpdateStatus": "Successful" }),
        };
        if let Value::Object(state) = state {
            members.extend(state);
        }
        Value::Object(members)
    }

    /// As lists show it: without its state.
    pub fn summary(&self, config: &Config, qualifier: Option<&str>) -> Map<String, Value> {
        let arn = function_arn(config, &self.name);
        let mut members = self.settings.to_json();
        members.extend(
            [
                ("FunctionName", json!(self.name)),
                ("FunctionArn", json!(qualifier.map_or(arn.clone(), |qualifier| format!("{arn}:{qualifier}")))),
                ("CodeSize", json!(self.code.size)),
                ("CodeSha256", json!(self.code.sha256)),
                ("Version", json!(self.version)),
                ("LastModified", json!(self.last_modified.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string())),
                ("RevisionId", json!(self.revision.to_string())),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        members
    }
}

/// The client has seen another revision.
pub fn other_revision() -> AwsError {
    AwsError::new(
        412,
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the \
         latest Revision Id",
    )
}
