//! Functions in the store: settings as the API shows them, which is also how they are read back, and the zip.

use std::collections::BTreeMap;
use std::sync::Arc;

use lambda_package::Architecture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::aliases::Alias;
use super::code::{Code, new_root};
use super::event_invoke::EventInvokeConfig;
use super::function::Function;
use super::functions::{Functions, blocking};
use super::names::LATEST;
use super::settings::{Input, Settings};
use super::validation::{invalid_parameter, service_failure};
use crate::error::AwsError;
use crate::store::{Keyspace, Store, StoreError};

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

/// What is kept of a function that changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Changed {
    /// All but its code.
    Configuration,
    Code,
}

impl Functions {
    /// Keeps a function as it is now.
    pub fn keep(&self, function: &Function, changed: Changed) {
        let store = self.store();
        if !store.keeps() {
            return;
        }
        let mut batch = store.batch();
        if changed == Changed::Code {
            match std::fs::read(function.code.zip()) {
                Ok(zip) => drop(batch.put(Keyspace::Code, code_key(&function.key()), zip)),
                Err(error) => tracing::error!(function = function.name, %error, "the function's code is not kept"),
            }
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
        batch.put_json(Keyspace::Functions, function.key(), &stored);
        batch.commit();
    }

    /// Keeps a function no more, or a version.
    pub fn forget(&self, name: &str) {
        let mut batch = self.store().batch();
        batch.remove(Keyspace::Functions, name).remove(Keyspace::Code, code_key(name));
        batch.commit();
    }

    /// Brings back what the store has.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub async fn restore(&self) -> Result<(), StoreError> {
        for (name, stored) in self.store().all::<StoredFunction>(Keyspace::Functions)? {
            let name = String::from_utf8_lossy(&name).into_owned();
            if let Err(error) = self.restore_function(&name, stored).await {
                tracing::warn!(
                    function = name,
                    error = error.message,
                    "a function in the data folder cannot be run here"
                );
            }
        }
        Ok(())
    }

    /// A version comes after its function: its key is longer.
    async fn restore_function(&self, key: &str, stored: StoredFunction) -> Result<(), AwsError> {
        let (name, version) = key.split_once(':').unwrap_or((key, LATEST));
        let failed = |error: serde_json::Error| service_failure("read the function's settings", &error);
        let architecture = stored.settings.get("Architectures").and_then(|names| names[0].as_str());
        let architecture = architecture.and_then(Architecture::parse);
        let architecture = architecture.ok_or_else(|| invalid_parameter("its architecture is not known"))?;
        let input: Input = serde_json::from_value(Value::Object(stored.settings)).map_err(failed)?;
        let settings = Settings::create(&input, name, architecture)?;
        let (store, zip_key) = (self.store().clone(), code_key(key));
        let (root, checked) = (new_root(&self.workspace_folder()?, name), settings.clone());
        let code = blocking(move || Code::unpack(&zip(&store, &zip_key)?, &checked, root).map(Arc::new)).await?;
        let pool = self.pool(key, &settings, &code).await?;
        let mut function = Function::version(name.to_owned(), version.to_owned(), settings, code, pool, false);
        function.restored(&stored.revision, stored.last_modified);
        function.tags = stored.tags;
        function.published = stored.published;
        function.published_description = stored.published_description;
        function.aliases = stored.aliases;
        function.event_invoke = stored.event_invoke;
        function.policies = stored.policies;
        if version == LATEST {
            function.concurrency.reserve(stored.reserved_concurrency);
        } else {
            function.concurrency = self.with_name(name, |latest| latest.concurrency.clone())?;
        }
        self.add(function);
        Ok(())
    }
}

fn zip(store: &Store, key: &str) -> Result<Vec<u8>, AwsError> {
    let found = store.range(Keyspace::Code, key.as_bytes(), format!("{key}\0").as_bytes()).next();
    let (_, zip) = found
        .ok_or_else(|| invalid_parameter("its code is not there"))?
        .map_err(|error| service_failure("read the function's code", &error))?;
    Ok(zip.to_vec())
}

/// No function has a slash in its name.
fn code_key(function: &str) -> String {
    format!("{function}/zip")
}
