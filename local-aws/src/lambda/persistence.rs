//! Functions in the store: their settings in the form of the API, and their zips.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::configuration::{ConfigurationInput, Settings};
use super::context::Context;
use super::errors::{invalid_parameter, service_failure};
use super::function::{Alias, Broken, EventInvokeConfig, Function, Program};
use super::names::LATEST;
use crate::error::AwsError;
use crate::store::{Keyspace, Store, StoreError};
use lambda_package::Architecture;

#[derive(Serialize, Deserialize)]
struct StoredFunction {
    settings: Map<String, Value>,
    tags: BTreeMap<String, String>,
    reserved_concurrency: Option<u32>,
    #[serde(default)]
    published: u64,
    #[serde(default)]
    published_description: String,
    #[serde(default)]
    aliases: BTreeMap<String, Alias>,
    #[serde(default)]
    event_invoke: BTreeMap<String, EventInvokeConfig>,
    #[serde(default)]
    policies: BTreeMap<String, Vec<Value>>,
    revision: String,
    /// Epoch milliseconds.
    last_modified: i64,
}

/// Stores a function without its code.
pub fn store(context: &Context, function: &Function) {
    store_with_code(context, function, None);
}

/// Stores a function, with the zip if its code is new.
pub fn store_with_code(context: &Context, function: &Function, zip: Option<Bytes>) {
    if !context.store.is_persistent() {
        return;
    }
    let stored = StoredFunction {
        settings: function.settings.to_json(),
        tags: function.tags.clone(),
        reserved_concurrency: function.concurrency.reserved(),
        published: function.published,
        published_description: function.published_description.clone(),
        aliases: function.aliases.clone(),
        event_invoke: function.event_invoke.clone(),
        policies: function.policies.clone(),
        revision: function.revision.to_string(),
        last_modified: function.last_modified.as_millisecond(),
    };
    let mut batch = context.store.batch();
    if let Some(zip) = zip {
        batch.put(Keyspace::Code, code_key(&function.key()), zip);
    }
    batch.put_json(Keyspace::Functions, function.key(), &stored);
    batch.commit();
}

/// Deletes a function or a version from the store.
pub fn delete(context: &Context, key: &str) {
    let mut batch = context.store.batch();
    batch.remove(Keyspace::Functions, key).remove(Keyspace::Code, code_key(key));
    batch.commit();
}

/// Restores the stored functions. A function whose code cannot be run is restored in the state `Failed`.
///
/// # Errors
/// The store cannot be read.
pub async fn restore(context: &Context) -> Result<(), StoreError> {
    // A version is read after its function, because its key is longer.
    for (key, stored) in context.store.all::<StoredFunction>(Keyspace::Functions)? {
        let key = String::from_utf8_lossy(&key).into_owned();
        if let Err(error) = restore_function(context, &key, stored).await {
            tracing::warn!(function = key, error = error.message, "a function in the data directory was not restored");
        }
    }
    Ok(())
}

async fn restore_function(context: &Context, key: &str, stored: StoredFunction) -> Result<(), AwsError> {
    let (name, version) = key.split_once(':').unwrap_or((key, LATEST));
    let failed = |error: serde_json::Error| service_failure("read the function's settings", &error);
    let architecture = stored.settings.get("Architectures").and_then(|names| names[0].as_str());
    let architecture = architecture.and_then(Architecture::parse);
    let architecture = architecture.ok_or_else(|| invalid_parameter("its architecture is unknown"))?;
    let input: ConfigurationInput = serde_json::from_value(Value::Object(stored.settings)).map_err(failed)?;
    let settings = Settings::create(&input, name, architecture)?;
    let program = restore_program(context, key, &settings).await.map_err(|error| {
        tracing::error!(function = key, "the code in the data directory cannot be run: {}", error.message);
        Broken { reason: error.message }
    });
    let mut function = Function::stored(name.to_owned(), version.to_owned(), settings, program);
    function.revision = stored.revision.parse().unwrap_or(function.revision);
    let modified = jiff::Timestamp::from_millisecond(stored.last_modified);
    function.last_modified = modified.unwrap_or(function.last_modified);
    function.tags = stored.tags;
    function.published = stored.published;
    function.published_description = stored.published_description;
    function.aliases = stored.aliases;
    function.event_invoke = stored.event_invoke;
    function.policies = stored.policies;
    if version == LATEST {
        function.concurrency.reserve(stored.reserved_concurrency);
    } else {
        function.concurrency = context.with_name(name, |latest| latest.concurrency.clone())?;
    }
    context.add(function);
    Ok(())
}

async fn restore_program(context: &Context, key: &str, settings: &Settings) -> Result<Program, AwsError> {
    let (store, zip_key, workspace) = (context.store.clone(), code_key(key), context.workspace()?);
    let name = key.split(':').next().unwrap_or(key);
    let unpacked = workspace.unpack(name, settings, move || stored_zip(&store, &zip_key)).await?;
    workspace.program(key, settings, &unpacked.code).await
}

fn stored_zip(store: &Store, key: &str) -> Result<Vec<u8>, AwsError> {
    let found = store.range(Keyspace::Code, key.as_bytes(), format!("{key}\0").as_bytes()).next();
    let (_, zip) = found
        .ok_or_else(|| invalid_parameter("the data directory does not contain its code"))?
        .map_err(|error| service_failure("read the function's code", &error))?;
    Ok(zip.to_vec())
}

/// A function's name contains no slash.
fn code_key(function: &str) -> String {
    format!("{function}/zip")
}
