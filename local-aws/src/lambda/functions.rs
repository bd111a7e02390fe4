//! The functions there are: a handle on them, and how one is found.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use super::aliases::Alias;
use super::asynchronous::Events;
use super::destinations::Destinations;
use super::function::Function;
use super::names::{LATEST, Reference, is_number};
use super::validation::{not_found, service_failure};
use super::wire;
use super::workspace::Workspace;
use crate::error::AwsError;
use crate::faults::Faults;
use crate::logs::Logs;
use crate::store::Store;
use crate::sts::Sts;
use crate::{Config, Metrics};

/// A handle on the functions; clones share them.
#[derive(Clone)]
pub struct Functions {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    config: Config,
    pub logs: Logs,
    pub sts: Sts,
    pub faults: Faults,
    destinations: Destinations,
    store: Store,
    /// Held while code is read again.
    reloading: tokio::sync::Mutex<()>,
    functions: Mutex<BTreeMap<String, Function>>,
    /// None once they are ended.
    events: Mutex<Option<Events>>,
    /// Made with the first function, so that an endpoint without functions leaves nothing behind.
    pub workspace: Mutex<Option<Workspace>>,
}

impl Functions {
    pub fn new(
        config: Config,
        logs: Logs,
        sts: Sts,
        faults: Faults,
        destinations: Destinations,
        store: &Store,
    ) -> Self {
        let (functions, workspace, store) = (Mutex::default(), Mutex::default(), store.clone());
        let (reloading, events) = (tokio::sync::Mutex::default(), Mutex::new(Some(Events::default())));
        let shared = Shared { config, logs, sts, faults, destinations, store, reloading, functions, events, workspace };
        Self { shared: Arc::new(shared) }
    }

    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    pub fn destinations(&self) -> &Destinations {
        &self.shared.destinations
    }

    /// Runs `work` on a function that must exist.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, also for a version or alias that there is not.
    pub fn with<T>(&self, reference: &Reference, work: impl FnOnce(&mut Function) -> T) -> Result<T, AwsError> {
        let mut functions = self.functions();
        let key = key(&functions, reference, |alias| alias.version.clone());
        let function = key.and_then(|key| functions.get_mut(&key));
        let function =
            function.ok_or_else(|| not_found(format!("Function not found: {}", reference.arn(self.config()))))?;
        function.settle(Instant::now());
        Ok(work(function))
    }

    /// The version that an invocation of a function runs, of this name and qualifier: an alias may point to two.
    pub fn version_to_run(&self, name: &str) -> Result<String, AwsError> {
        let reference = Reference::read(name, None, self.config())?;
        let [.., a, b, c, d] = *uuid::Uuid::new_v4().as_bytes();
        let chance = f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0);
        let found = key(&self.functions(), &reference, |alias| alias.choose(chance).to_owned());
        found.ok_or_else(|| not_found(format!("Function not found: {}", reference.arn(self.config()))))
    }

    /// Runs `work` on the function of this name.
    ///
    /// # Errors
    /// `ResourceNotFoundException`
    pub fn with_name<T>(&self, name: &str, work: impl FnOnce(&mut Function) -> T) -> Result<T, AwsError> {
        self.with(&Reference::read(name, None, self.config())?, work)
    }

    /// Held while code is read again.
    pub fn reloading(&self) -> &tokio::sync::Mutex<()> {
        &self.shared.reloading
    }

    /// Creates a role that Lambda can assume, unless there is one of this name.
    pub fn make_role(&self, name: &str) -> Result<(), AwsError> {
        self.shared.sts.iam().ensure_lambda_role(name)
    }

    /// Takes in a function that was made before.
    pub fn add(&self, function: Function) {
        self.functions().insert(function.key(), function);
    }

    /// The reserved concurrency of all functions together.
    pub fn reserved_by_all(&self) -> u32 {
        self.functions()
            .values()
            .filter(|function| function.version == LATEST)
            .filter_map(|function| function.concurrency.reserved())
            .sum()
    }

    pub fn metrics(&self) -> &Metrics {
        &self.config().metrics
    }

    /// How many there are, and the bytes of their and their versions' code.
    pub fn count(&self) -> (usize, usize) {
        let functions = self.functions();
        let count = functions.values().filter(|function| function.version == LATEST).count();
        (count, functions.values().map(|function| function.code.size).sum())
    }

    pub fn events(&self) -> MutexGuard<'_, Option<Events>> {
        self.shared.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn functions(&self) -> MutexGuard<'_, BTreeMap<String, Function>> {
        self.shared.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs what reads and writes files off the threads that serve requests.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AwsError> + Send + 'static,
) -> Result<T, AwsError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(service_failure("finish the request", &error)))
}

/// The key of the function that a reference names: of `$LATEST` its name, of a version with the number.
fn key(
    functions: &BTreeMap<String, Function>,
    reference: &Reference,
    choose: impl FnOnce(&Alias) -> String,
) -> Option<String> {
    let name = &reference.name;
    let version = match reference.qualifier.as_deref() {
        Some(qualifier) if qualifier != LATEST && !is_number(qualifier) => {
            functions.get(name)?.aliases.get(qualifier).map(choose)?
        }
        qualifier => qualifier.unwrap_or(LATEST).to_owned(),
    };
    Some(if version == LATEST { name.clone() } else { format!("{name}:{version}") })
}

/// The keys of a function's versions, in their order.
pub fn versions(functions: &BTreeMap<String, Function>, name: &str) -> Vec<String> {
    let mut keys: Vec<&String> = functions.range(format!("{name}:")..format!("{name};")).map(|(key, _)| key).collect();
    keys.sort_by_key(|key| (key.len(), *key));
    keys.into_iter().cloned().collect()
}

pub fn list(member: &str, items: Vec<Value>, marker: Option<String>) -> Response<Bytes> {
    let mut answer = json!({ member: items });
    if let Some(marker) = marker {
        answer["NextMarker"] = json!(marker);
    }
    wire::json(200, &answer)
}
