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
use http::{Method, Request, Response};

use crate::Config;
use crate::error::AwsError;
use crate::identity::Identity;
use crate::kinesis::Kinesis;
use crate::logs::Logs;
use crate::store::{Store, StoreError};
use destinations::Destinations;
use event_source::Mappings;
use functions::Functions;
pub use routes::DOWNLOAD_CODE;
use routes::Route;
use wire::Query;

/// A handle on Lambda; clones share it.
#[derive(Clone)]
pub struct Lambda {
    functions: Functions,
    mappings: Mappings,
    destinations: Destinations,
}

impl Lambda {
    pub fn new(config: Config, kinesis: Kinesis, logs: Logs, identity: Identity, store: &Store) -> Self {
        let destinations = Destinations::new(config.data_dir.as_deref());
        let functions = Functions::new(config, logs, identity, kinesis.faults(), destinations.clone(), store);
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

    /// The operation that Lambda has at this method and path.
    pub fn operation(method: &Method, path: &str) -> Option<&'static str> {
        routes::route(method.as_str(), path).map(|route| route.operation)
    }

    /// Method, path and name of every operation that Lambda has, answered here or not.
    #[cfg(test)]
    pub fn operations() -> &'static [(&'static str, &'static str, &'static str)] {
        routes::OPERATIONS
    }

    /// Answers a request of Lambda's restJson protocol.
    ///
    /// # Errors
    /// As AWS models them; an operation that the endpoint does not have is named.
    pub async fn handle(&self, request: Request<Bytes>) -> Result<Response<Bytes>, AwsError> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let Some(Route { operation, resource, name }) = routes::route(parts.method.as_str(), path) else {
            let message = format!("Lambda has no operation {} {path}.", parts.method);
            return Err(AwsError::new(404, "UnknownOperationException", message));
        };
        let query = Query::of(&parts.uri);
        let answered = match operation {
            "CreateFunction" => self.functions.create(&body).await,
            "GetFunction" => self.functions.get(&resource, &query),
            "GetFunctionConfiguration" => self.functions.get_configuration(&resource, &query),
            "UpdateFunctionCode" => self.functions.update_code(&resource, &body).await,
            "UpdateFunctionConfiguration" => self.functions.update_configuration(&resource, &body).await,
            "DeleteFunction" => self.functions.delete(&resource, &query),
            "ListFunctions" => self.functions.list(&query),
            "ListVersionsByFunction" => self.functions.list_versions(&resource, &query),
            "PublishVersion" => self.functions.publish_version(&resource, &body).await,
            "CreateAlias" => self.functions.create_alias(&resource, &body),
            "GetAlias" => self.functions.get_alias(&resource, &name),
            "ListAliases" => self.functions.list_aliases(&resource, &query),
            "UpdateAlias" => self.functions.update_alias(&resource, &name, &body),
            "DeleteAlias" => self.functions.delete_alias(&resource, &name),
            DOWNLOAD_CODE => self.functions.download(&resource, &query),
            "Invoke" => self.functions.invoke_operation(&resource, &query, &parts.headers, body).await,
            "PutFunctionConcurrency" => self.functions.put_concurrency(&resource, &body),
            "GetFunctionConcurrency" => self.functions.get_concurrency(&resource),
            "DeleteFunctionConcurrency" => self.functions.delete_concurrency(&resource),
            "PutFunctionEventInvokeConfig" => self.functions.put_event_invoke_config(&resource, &query, &body),
            "UpdateFunctionEventInvokeConfig" => self.functions.update_event_invoke_config(&resource, &query, &body),
            "GetFunctionEventInvokeConfig" => self.functions.get_event_invoke_config(&resource, &query),
            "DeleteFunctionEventInvokeConfig" => self.functions.delete_event_invoke_config(&resource, &query),
            "ListFunctionEventInvokeConfigs" => self.functions.list_event_invoke_configs(&resource, &query),
            "AddPermission" => self.functions.add_permission(&resource, &query, &body),
            "RemovePermission" => self.functions.remove_permission(&resource, &name, &query),
            "GetPolicy" => self.functions.get_policy(&resource, &query),
            "GetAccountSettings" => Ok(self.functions.get_account_settings()),
            "GetFunctionCodeSigningConfig" => self.functions.get_code_signing_config(&resource),
            "GetFunctionUrlConfig" => self.functions.get_url_config(&resource, &query),
            "ListFunctionUrlConfigs" => self.functions.list_url_configs(&resource),
            "GetFunctionRecursionConfig" => self.functions.get_recursion_config(&resource),
            "TagResource" => self.tag(&resource, &body),
            "UntagResource" => self.untag(&resource, &query),
            "ListTags" => self.list_tags(&resource),
            "CreateEventSourceMapping" => self.mappings.create(&body).await,
            "GetEventSourceMapping" => self.mappings.get(&resource),
            "ListEventSourceMappings" => self.mappings.list(&query),
            "UpdateEventSourceMapping" => self.mappings.update(&resource, &body),
            "DeleteEventSourceMapping" => self.mappings.delete(&resource),
            _ => Err(AwsError::bad_request(
                "UnknownOperationException",
                format!("The local endpoint does not answer {operation} of Lambda."),
            )),
        };
        answered.map_err(|error| names::name_operation(error, operation, self.functions.config()))
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
