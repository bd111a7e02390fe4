//! Lambda: functions, their processes behind the Runtime API, and event source mappings.

mod asynchronous;
mod code;
mod configuration;
mod context;
mod destinations;
mod errors;
mod event_source;
mod execution;
mod function;
mod functions;
mod handle;
mod hot_reload;
mod invocation;
mod json_syntax;
mod local_source;
mod names;
mod operations;
mod persistence;
mod request;
mod response;
mod tags;
#[cfg(test)]
mod tests;
mod unpack;
mod unsupported_operations;
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
use context::Context;
use destinations::Destinations;
use event_source::Mappings;
pub use handle::Lambda;
pub use unsupported_operations::not_supported;

impl Lambda {
    pub fn new(config: Config, kinesis: Kinesis, logs: Logs, sts: Sts, store: &Store) -> Self {
        let destinations = Destinations::new(config.data_dir.as_deref());
        Self::with_destinations(config, kinesis, logs, sts, destinations, store)
    }

    /// Creates Lambda in another region. It shares the folder of destinations.
    pub fn in_region(&self, config: Config, kinesis: Kinesis, logs: Logs, sts: Sts, store: &Store) -> Self {
        Self::with_destinations(config, kinesis, logs, sts, self.context.destinations.clone(), store)
    }

    fn with_destinations(
        config: Config,
        kinesis: Kinesis,
        logs: Logs,
        sts: Sts,
        destinations: Destinations,
        store: &Store,
    ) -> Self {
        let context = Context::new(config, logs, sts, kinesis.faults(), destinations, store);
        let mappings = Mappings::new(context.clone(), kinesis, store);
        Self { context, mappings }
    }

    /// Restores the stored functions, asynchronous invocations and event source mappings.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn restore(&self) -> Result<(), StoreError> {
        persistence::restore(&self.context).await?;
        asynchronous::restore(&self.context)?;
        self.mappings.restore()
    }

    /// Creates the functions whose code is on this machine, from names and paths.
    ///
    /// # Errors
    /// A function that cannot be created, with the reason.
    pub async fn create_local_functions(&self, functions: &[(String, PathBuf)]) -> io::Result<()> {
        for (name, path) in functions {
            let created = hot_reload::create_function(&self.context, name, path).await;
            created.map_err(|error| {
                io::Error::other(format!("the function {name} cannot be created: {}", error.message))
            })?;
        }
        Ok(())
    }

    /// The number of running function processes.
    pub fn processes(&self) -> usize {
        self.context.processes()
    }

    /// Lists the documents that were sent to destinations, as JSON.
    ///
    /// # Errors
    /// The folder of the destinations cannot be read.
    pub async fn delivered(&self) -> Result<Response<Bytes>, AwsError> {
        let destinations = self.context.destinations.clone();
        let list =
            move || destinations.list().map_err(|error| errors::service_failure("list the destinations", &error));
        Ok(response::json(200, &serde_json::json!(workspace::blocking(list).await?)))
    }

    /// Stops the pollers, kills every function process with its group, and waits until they have ended.
    pub async fn shutdown(&self) {
        self.mappings.close();
        self.context.close().await;
    }

    /// Answers a request.
    #[cfg(test)]
    pub async fn handle(&self, request: http::Request<Bytes>) -> Result<Response<Bytes>, AwsError> {
        crate::operation::tests::call_rest(self, request, not_supported).await
    }
}

#[cfg(fuzzing)]
pub mod fuzzing {
    pub use super::event_source::fuzzing::event_pattern;
}
