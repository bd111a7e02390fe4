//! Lambda: functions, their processes behind the Runtime API, and event source mappings.

mod aliases;
mod asynchronous;
mod code;
mod concurrency;
mod destinations;
mod event_invoke;
mod event_source;
mod execution;
mod function;
mod functions;
mod invoke;
mod local;
mod logging;
mod names;
mod operations;
mod permissions;
mod persist;
mod refresh;
mod routes;
mod runtime;
mod settings;
mod settings_check;
mod tags;
#[cfg(test)]
mod tests;
mod unpack;
mod validation;
mod wire;
mod workspace;

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use http::Response;

use crate::config::Config;
use crate::error::AwsError;
use crate::kinesis::Kinesis;
use crate::logs::Logs;
use crate::store::{Store, StoreError};
use crate::sts::Sts;
use destinations::Destinations;
use event_source::Mappings;
use functions::Functions;
pub use routes::not_answered;

/// A handle on Lambda; clones share it.
#[derive(Clone)]
pub struct Lambda {
    functions: Functions,
    mappings: Mappings,
    destinations: Destinations,
}

impl Lambda {
    pub fn new(config: Config, kinesis: Kinesis, logs: Logs, sts: Sts, store: &Store) -> Self {
        let destinations = Destinations::new(config.data_dir.as_deref());
        Self::with_destinations(config, kinesis, logs, sts, destinations, store)
    }

    /// Lambda in another region. It shares the folder of destinations.
    pub fn in_region(&self, config: Config, kinesis: Kinesis, logs: Logs, sts: Sts, store: &Store) -> Self {
        Self::with_destinations(config, kinesis, logs, sts, self.destinations.clone(), store)
    }

    fn with_destinations(
        config: Config,
        kinesis: Kinesis,
        logs: Logs,
        sts: Sts,
        destinations: Destinations,
        store: &Store,
    ) -> Self {
        let functions = Functions::new(config, logs, sts, kinesis.faults(), destinations.clone(), store);
        let mappings = Mappings::new(functions.clone(), kinesis, destinations.clone(), store);
        Self { functions, mappings, destinations }
    }

    /// Brings back what the store has. A function that cannot run here any more is left out, and stays in the store.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub async fn restore(&self) -> Result<(), StoreError> {
        self.functions.restore().await?;
        self.functions.restore_events()?;
        self.mappings.restore()
    }

    /// Makes the functions whose code is on this machine: name and path of each.
    ///
    /// # Errors
    /// One that cannot be run, and why.
    pub async fn make_local(&self, functions: &[(String, PathBuf)]) -> io::Result<()> {
        for (name, path) in functions {
            let made = self.functions.make_local(name, path).await;
            made.map_err(|error| io::Error::other(format!("the function {name}: {}", error.message)))?;
        }
        Ok(())
    }

    /// Answers a request.
    #[cfg(test)]
    pub async fn handle(&self, request: http::Request<Bytes>) -> Result<Response<Bytes>, AwsError> {
        crate::operation::tests::call_rest(self, request, not_answered).await
    }

    /// How many processes of functions run.
    pub fn processes(&self) -> usize {
        self.functions.processes()
    }

    /// What on-failure destinations got, as JSON.
    pub async fn delivered(&self) -> Result<Response<Bytes>, AwsError> {
        let destinations = self.destinations.clone();
        let listed = tokio::task::spawn_blocking(move || destinations.list()).await;
        let listed = listed.unwrap_or_else(|error| Err(io::Error::other(error)));
        let listed = listed.map_err(|error| validation::service_failure("list the destinations", &error))?;
        Ok(wire::json(200, &serde_json::json!(listed)))
    }

    /// Stops the pollers, kills every function process with its group, and waits until they are gone.
    pub async fn shutdown(&self) {
        self.mappings.close();
        self.functions.close().await;
    }
}

#[cfg(fuzzing)]
pub mod fuzzing {
    pub use super::event_source::fuzzing::event_pattern;
    pub use super::unpack::unpack;
}
