//! The state of Lambda that its operations share, and how a function is found in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::task::JoinSet;

use super::destinations::Destinations;
use super::errors::{not_found, service_failure};
use super::function::{Alias, Function};
use super::names::{LATEST, Reference, is_number};
use super::workspace::Workspace;
use crate::config::Config;
use crate::error::AwsError;
use crate::faults::Faults;
use crate::logs::Logs;
use crate::store::Store;
use crate::sts::Sts;

/// A handle on the state of Lambda. Clones share the state.
#[derive(Clone)]
pub struct Context {
    shared: Arc<Shared>,
}

pub struct Shared {
    pub config: Config,
    pub logs: Logs,
    pub sts: Sts,
    pub faults: Faults,
    pub destinations: Destinations,
    pub store: Store,
    /// Held while code is reloaded.
    pub reloading: tokio::sync::Mutex<()>,
    /// Functions by name, versions by name and number.
    functions: Mutex<BTreeMap<String, Function>>,
    /// The asynchronous invocations; `None` after the shutdown.
    events: Mutex<Option<JoinSet<()>>>,
    /// Created with the first function, so that an endpoint without functions creates no files.
    workspace: Mutex<Option<Arc<Workspace>>>,
}

impl std::ops::Deref for Context {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Context {
    pub fn new(
        config: Config,
        logs: Logs,
        sts: Sts,
        faults: Faults,
        destinations: Destinations,
        store: &Store,
    ) -> Self {
        let shared = Shared {
            config,
            logs,
            sts,
            faults,
            destinations,
            store: store.clone(),
            reloading: tokio::sync::Mutex::default(),
            functions: Mutex::default(),
            events: Mutex::new(Some(JoinSet::new())),
            workspace: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl Shared {
    /// Runs `work` on a function. An alias stands for its main version.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, also for a version or alias that does not exist.
    pub fn with<T>(&self, reference: &Reference, work: impl FnOnce(&mut Function) -> T) -> Result<T, AwsError> {
        self.with_chosen(reference, |alias| &alias.version, work)
    }

    /// Runs `work` on a function. `choose` chooses one of the versions of an alias.
    ///
    /// # Errors
    /// As [`Shared::with`].
    pub fn with_chosen<T>(
        &self,
        reference: &Reference,
        choose: impl FnOnce(&Alias) -> &str,
        work: impl FnOnce(&mut Function) -> T,
    ) -> Result<T, AwsError> {
        let mut functions = self.functions();
        let key = key(&functions, reference, choose);
        let function = key.and_then(|key| functions.get_mut(&key));
        let function =
            function.ok_or_else(|| not_found(format!("Function not found: {}", reference.arn(&self.config))))?;
        function.settle(Instant::now());
        Ok(work(function))
    }

    /// Runs `work` on the function of this name.
    ///
    /// # Errors
    /// As [`Shared::with`].
    pub fn with_name<T>(&self, name: &str, work: impl FnOnce(&mut Function) -> T) -> Result<T, AwsError> {
        self.with(&Reference::read(name, None, &self.config)?, work)
    }

    /// # Errors
    /// As [`Shared::with`].
    pub fn must_exist(&self, reference: &Reference) -> Result<(), AwsError> {
        self.with(reference, |_| ())
    }

    /// Adds a function or a version.
    pub fn add(&self, function: Function) {
        self.functions().insert(function.key(), function);
    }

    /// The reserved concurrency of all functions together.
    pub fn total_reserved_concurrency(&self) -> u32 {
        let functions = self.functions();
        let latest = functions.values().filter(|function| function.version == LATEST);
        latest.filter_map(|function| function.concurrency.reserved()).sum()
    }

    pub fn functions(&self) -> MutexGuard<'_, BTreeMap<String, Function>> {
        lock(&self.functions)
    }

    pub fn events(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        lock(&self.events)
    }

    /// The folder of unpacked code, with its processes.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub fn workspace(&self) -> Result<Arc<Workspace>, AwsError> {
        let mut workspace = lock(&self.workspace);
        if let Some(workspace) = &*workspace {
            return Ok(Arc::clone(workspace));
        }
        let created = Workspace::new(&self.config, &self.logs, &self.sts, &self.faults);
        let created = created.map_err(|error| service_failure("create a folder for functions", &error))?;
        Ok(Arc::clone(workspace.insert(Arc::new(created))))
    }

    /// The number of running processes.
    pub fn processes(&self) -> usize {
        lock(&self.workspace).as_ref().map_or(0, |workspace| workspace.processes())
    }

    /// Ends all processes. Unfinished asynchronous invocations do not fail: they stay in the store.
    pub async fn close(&self) {
        let events = self.events().take();
        if let Some(mut events) = events {
            events.shutdown().await;
        }
        let workspace = lock(&self.workspace).take();
        if let Some(workspace) = workspace {
            workspace.close().await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The key of the function that a reference names: `$LATEST` has the name, a version has the name and the number.
fn key(
    functions: &BTreeMap<String, Function>,
    reference: &Reference,
    choose: impl FnOnce(&Alias) -> &str,
) -> Option<String> {
    let name = &reference.name;
    let version = match reference.qualifier.as_deref() {
        Some(qualifier) if qualifier != LATEST && !is_number(qualifier) => {
            functions.get(name)?.aliases.get(qualifier).map(choose)?
        }
        qualifier => qualifier.unwrap_or(LATEST),
    };
    Some(if version == LATEST { name.clone() } else { format!("{name}:{version}") })
}

/// The keys of a function's versions, by number.
pub fn version_keys(functions: &BTreeMap<String, Function>, name: &str) -> Vec<String> {
    let mut keys: Vec<&String> = functions.range(format!("{name}:")..format!("{name};")).map(|(key, _)| key).collect();
    keys.sort_by_key(|key| (key.len(), *key));
    keys.into_iter().cloned().collect()
}
