//! The functions there are, and the operations on them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::aliases::Alias;
use super::code::{Code, Source, new_root};
use super::execution::{Host, PlatformLog, Pool, Spec};
use super::function::Function;
use super::names::{LATEST, Reference, function_arn};
use super::persist::Changed;
use super::platform::Architecture;
use super::settings::{Input, Settings};
use super::tags;
use super::validation::{Constraints, conflict, invalid_parameter, not_found, service_failure};
use super::wire::{self, Query};
use crate::http_api::{self, AwsError, Faults};
use crate::identity::Identity;
use crate::logs::Logs;
use crate::store::Store;
use crate::{Config, Metrics};

/// Functions of one page of ListFunctions, at most. <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>
const PAGE: usize = 50;

/// A handle on the functions; clones share them.
#[derive(Clone)]
pub struct Functions {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    logs: Logs,
    identity: Identity,
    faults: Faults,
    store: Store,
    /// Held while code is read again.
    reloading: tokio::sync::Mutex<()>,
    functions: Mutex<BTreeMap<String, Function>>,
    /// Made with the first function, so that an endpoint without functions leaves nothing behind.
    workspace: Mutex<Option<Workspace>>,
}

struct Workspace {
    folder: TempDir,
    host: Arc<Host>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    function_name: String,
    #[serde(default)]
    code: Source,
    #[serde(default)]
    publish: bool,
    package_type: Option<String>,
    architectures: Option<Vec<String>>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateCode {
    #[serde(default)]
    publish: bool,
    #[serde(default)]
    dry_run: bool,
    revision_id: Option<String>,
    architectures: Option<Vec<String>>,
}

impl Functions {
    pub fn new(config: Config, logs: Logs, identity: Identity, faults: Faults, store: &Store) -> Self {
        let (functions, workspace, store) = (Mutex::default(), Mutex::default(), store.clone());
        let reloading = tokio::sync::Mutex::default();
        let shared = Shared { config, logs, identity, faults, store, reloading, functions, workspace };
        Self { shared: Arc::new(shared) }
    }

    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    pub async fn create(&self, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let input: Create = wire::read(body)?;
        let settings: Input = wire::read(body)?;
        let name = Reference::read_new(&input.function_name, self.config())?;
        let architecture = architecture(input.architectures.as_deref())?.unwrap_or(Architecture::X86_64);
        if input.package_type.as_deref().is_some_and(|package| package != "Zip") {
            return Err(invalid_parameter(
                "The local endpoint does not run container images: PackageType must be Zip.",
            ));
        }
        let settings = Settings::create(&settings, &name, architecture)?;
        tags::check_count(input.tags.len())?;
        self.role_must_be_assumable(&settings.role)?;
        if self.functions().contains_key(&name) {
            return Err(exists(&name));
        }
        let code = self.unpack(&name, input.code, settings.clone()).await?;
        let pool = self.pool(&name, &settings, &code).await?;
        let mut function = Function::new(name.clone(), settings, code, pool, Instant::now());
        function.tags = input.tags;
        let mut answer = function.configuration(self.config(), None);
        {
            let mut functions = self.functions();
            if functions.contains_key(&name) {
                return Err(exists(&name));
            }
            self.keep(&function, Changed::Code);
            functions.insert(name.clone(), function);
        }
        if input.publish {
            // Recorded: the version's number with the function's ARN.
            answer["Version"] = json!(self.publish_new(&name).await?);
        }
        Ok(wire::json(201, &answer))
    }

    pub fn get(&self, resource: &str, query: &Query) -> Result<Response<Bytes>, AwsError> {
        let reference = self.reference(resource, query)?;
        self.with(&reference, |function| {
            let config = self.config();
            let mut answer = json!({
                "Configuration": function.configuration(config, reference.qualifier.as_deref()),
                "Code": { "RepositoryType": "S3", "Location": download_url(config, &function.key()) },
            });
            if let Some(reserved) = function.concurrency.reserved() {
                answer["Concurrency"] = json!({ "ReservedConcurrentExecutions": reserved });
            }
            if !function.tags.is_empty() {
                answer["Tags"] = json!(function.tags);
            }
            wire::json(200, &answer)
        })
    }

    pub fn get_configuration(&self, resource: &str, query: &Query) -> Result<Response<Bytes>, AwsError> {
        let reference = self.reference(resource, query)?;
        let qualifier = reference.qualifier.as_deref();
        self.with(&reference, |function| wire::json(200, &function.configuration(self.config(), qualifier)))
    }

    /// The zip that GetFunction's location names.
    pub fn download(&self, resource: &str, query: &Query) -> Result<Response<Bytes>, AwsError> {
        let reference = self.reference(resource, query)?;
        let zip = self.with(&reference, |function| function.code.zip())?;
        let zip = std::fs::read(zip).map_err(|error| service_failure("read the function's zip", &error))?;
        let mut response = Response::new(Bytes::from(zip));
        let content_type = http::HeaderValue::from_static("application/zip");
        response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
        Ok(response)
    }

    pub async fn update_code(&self, resource: &str, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let input: UpdateCode = wire::read(body)?;
        let source: Source = wire::read(body)?;
        let reference = Reference::read(resource, None, self.config())?;
        let revision = input.revision_id.as_deref();
        let mut settings = self.updatable(&reference, revision)?;
        settings.architecture = architecture(input.architectures.as_deref())?.unwrap_or(settings.architecture);
        let code = self.unpack(&reference.name, source, settings.clone()).await?;
        let pool = self.pool(&reference.name, &settings, &code).await?;
        let changed = (!input.dry_run).then_some(Changed::Code);
        let updated = self.replace(&reference, revision, changed, settings, code, pool)?;
        if !input.publish || input.dry_run {
            return Ok(updated);
        }
        let version = self.publish_new(&reference.name).await?;
        self.with_name(&format!("{}:{version}", reference.name), |published| {
            wire::json(200, &published.configuration(self.config(), Some(&version)))
        })
    }

    pub async fn update_configuration(&self, resource: &str, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let input: Input = wire::read(body)?;
        let reference = Reference::read(resource, None, self.config())?;
        let revision = input.revision_id.as_deref();
        let before = self.updatable(&reference, revision)?;
        let settings = before.update(&input)?;
        if input.role.is_some() {
            self.role_must_be_assumable(&settings.role)?;
        }
        let code = self.with(&reference, |function| Arc::clone(&function.code))?;
        if settings.runtime != before.runtime {
            let (code, settings) = (Arc::clone(&code), settings.clone());
            blocking(move || code.check(&settings)).await?;
        }
        let pool = self.pool(&reference.name, &settings, &code).await?;
        self.replace(&reference, revision, Some(Changed::Configuration), settings, code, pool)
    }

    pub fn delete(&self, resource: &str, query: &Query) -> Result<Response<Bytes>, AwsError> {
        let reference = self.reference(resource, query)?;
        match reference.qualifier.as_deref() {
            Some(LATEST) => {
                return Err(invalid_parameter("$LATEST version cannot be deleted without deleting the function."));
            }
            Some(alias)
                if !alias.bytes().all(|byte| byte.is_ascii_digit() || byte == b'$') && !alias.starts_with('$') =>
            {
                return Err(invalid_parameter("Deletion of aliases is not currently supported."));
            }
            _ => {}
        }
        let arn = function_arn(self.config(), &reference.name);
        let mut functions = self.functions();
        let function = functions.get(&reference.name);
        let function = function.ok_or_else(|| not_found(format!("Function not found: {arn}")))?;
        let mut keys = versions(&functions, &reference.name);
        match &reference.qualifier {
            Some(version) if function.aliases.values().any(|alias| alias.refers_to(version)) => {
                // AWS's wording is unverified.
                return Err(conflict(format!("Version {version} of {arn} is referenced by an alias.")));
            }
            Some(version) => keys.retain(|key| *key == format!("{}:{version}", reference.name)),
            None => keys.push(reference.name.clone()),
        }
        for function in keys.iter().filter_map(|key| functions.remove(key)) {
            self.forget(&function.key());
            function.pool.retire();
        }
        Ok(wire::empty(204))
    }

    pub fn list(&self, query: &Query) -> Result<Response<Bytes>, AwsError> {
        let mut constraints = Constraints::default();
        constraints.one_of(query.get("FunctionVersion"), "functionVersion", &["ALL"]);
        constraints.finish()?;
        let qualifier = query.get("FunctionVersion").map(|_| LATEST);
        let functions = self.functions();
        let items = functions.iter().map(|(name, function)| (name.as_str(), function));
        let items = items.filter(|(_, function)| qualifier.is_some() || function.version == LATEST);
        let (page, marker) = wire::page(items, query, PAGE)?;
        let shown = |function: &&Function| {
            let qualifier = qualifier.map(|_| function.version.as_str());
            function.summary(self.config(), qualifier).into()
        };
        let page: Vec<Value> = page.iter().map(shown).collect();
        Ok(list("Functions", page, marker))
    }

    /// `$LATEST` first, then the numbers in their order.
    pub fn list_versions(&self, resource: &str, query: &Query) -> Result<Response<Bytes>, AwsError> {
        let reference = Reference::read(resource, None, self.config())?;
        self.with(&reference, |_| ())?;
        let functions = self.functions();
        let mut keys = versions(&functions, &reference.name);
        keys.insert(0, reference.name);
        let shown = keys.iter().filter_map(|key| functions.get(key)).enumerate().map(|(index, function)| {
            let summary: Value = function.summary(self.config(), Some(&function.version)).into();
            (format!("{index:08}"), summary)
        });
        let shown: Vec<_> = shown.collect();
        let (page, marker) =
            wire::page(shown.iter().map(|(key, summary)| (key.as_str(), summary.clone())), query, PAGE)?;
        Ok(list("Versions", page, marker))
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

    /// Makes a role that Lambda can assume, unless there is one of this name.
    pub fn make_role(&self, name: &str) -> Result<(), AwsError> {
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        let role = [("RoleName", name), ("AssumeRolePolicyDocument", trust)];
        let role = role.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        match self.shared.identity.iam("CreateRole", &role) {
            Err(error) if error.status != 409 => Err(error),
            _ => Ok(()),
        }
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

    /// How many processes run.
    pub fn processes(&self) -> usize {
        self.workspace().as_ref().map_or(0, |workspace| workspace.host.processes())
    }

    /// Ends every process and removes all code.
    pub async fn close(&self) {
        let workspace = self.workspace().take();
        if let Some(workspace) = workspace {
            workspace.host.close().await;
            tokio::task::spawn_blocking(move || drop(workspace.folder)).await.ok();
        }
    }

    fn reference(&self, resource: &str, query: &Query) -> Result<Reference, AwsError> {
        Reference::read(resource, query.get("Qualifier"), self.config())
    }

    fn updatable(&self, reference: &Reference, revision: Option<&str>) -> Result<Settings, AwsError> {
        self.with(reference, |function| {
            function.must_be_updatable(self.config(), revision).map(|()| function.settings.clone())
        })?
    }

    fn replace(
        &self,
        reference: &Reference,
        revision: Option<&str>,
        changed: Option<Changed>,
        settings: Settings,
        code: Arc<Code>,
        pool: Arc<Pool>,
    ) -> Result<Response<Bytes>, AwsError> {
        let config = self.config();
        // Checked again: another update may have come first while the zip was unpacked.
        self.with(reference, |function| {
            function.must_be_updatable(config, revision)?;
            if let Some(changed) = changed {
                function.update(settings, code, pool, Instant::now());
                self.keep(function, changed);
            }
            Ok(wire::json(200, &function.configuration(config, None)))
        })?
    }

    fn role_must_be_assumable(&self, role: &str) -> Result<(), AwsError> {
        let identity = &self.shared.identity;
        if identity.role_exists(role) && identity.assumable_by_lambda(role) {
            return Ok(());
        }
        Err(invalid_parameter("The role defined for the function cannot be assumed by Lambda."))
    }

    async fn unpack(&self, name: &str, source: Source, settings: Settings) -> Result<Arc<Code>, AwsError> {
        let root = new_root(&self.workspace_folder()?, name);
        blocking(move || Code::unpack(&source.into_zip()?, &settings, root).map(Arc::new)).await
    }

    /// The processes of a function by its name, with the number of a version.
    pub async fn pool(&self, key: &str, settings: &Settings, code: &Arc<Code>) -> Result<Arc<Pool>, AwsError> {
        let (name, version) = key.split_once(':').unwrap_or((key, LATEST));
        let runtime = settings.runtime.clone();
        let interpreter = blocking(move || runtime.interpreter()).await?;
        let config = self.config();
        let spec = Spec {
            name: name.to_owned(),
            version: version.to_owned(),
            settings: settings.clone(),
            folder: code.folder(),
            interpreter: interpreter.map(PathBuf::from),
            platform_log: PlatformLog::new(
                settings.logging.format.clone(),
                settings.runtime.version(),
                settings.runtime.version_arn(config),
                version.to_owned(),
            ),
            _code: Arc::<Code>::clone(code),
        };
        self.with_workspace(|workspace| Arc::new(Pool::new(Arc::clone(&workspace.host), Arc::new(spec))))
    }

    pub fn workspace_folder(&self) -> Result<PathBuf, AwsError> {
        self.with_workspace(|workspace| workspace.folder.path().to_owned())
    }

    fn with_workspace<T>(&self, work: impl FnOnce(&Workspace) -> T) -> Result<T, AwsError> {
        let mut workspace = self.workspace();
        if let Some(workspace) = &*workspace {
            return Ok(work(workspace));
        }
        let made = Workspace::new(&self.shared.config, &self.shared.logs, &self.shared.faults);
        let made = made.map_err(|error| service_failure("make a folder for functions", &error))?;
        Ok(work(workspace.insert(made)))
    }

    fn workspace(&self) -> MutexGuard<'_, Option<Workspace>> {
        self.shared.workspace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn functions(&self) -> MutexGuard<'_, BTreeMap<String, Function>> {
        self.shared.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workspace {
    fn new(config: &Config, logs: &Logs, faults: &Faults) -> std::io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("local-aws-").tempdir()?;
        let host = Arc::new(Host::new(config.clone(), logs.clone(), faults.clone(), folder.path())?);
        Ok(Self { folder, host })
    }
}

/// Runs what reads and writes files off the threads that serve requests.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AwsError> + Send + 'static,
) -> Result<T, AwsError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(service_failure("finish the request", &error)))
}

fn architecture(names: Option<&[String]>) -> Result<Option<Architecture>, AwsError> {
    let Some(names) = names.filter(|names| !names.is_empty()) else { return Ok(None) };
    let shown = format!("[{}]", names.join(", "));
    let mut constraints = Constraints::default();
    let constraint = "Member must have length less than or equal to 1";
    constraints.require(names.len() == 1, &shown, "architectures", constraint);
    let parsed = Architecture::parse(&names[0]);
    let constraint = "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]";
    constraints.require(parsed.is_some(), &shown, "architectures", constraint);
    constraints.finish()?;
    Ok(parsed)
}

/// The key of the function that a reference names: of `$LATEST` its name, of a version with the number.
fn key(
    functions: &BTreeMap<String, Function>,
    reference: &Reference,
    choose: impl FnOnce(&Alias) -> String,
) -> Option<String> {
    let name = &reference.name;
    let version = match reference.qualifier.as_deref() {
        Some(qualifier) if qualifier != LATEST && !qualifier.bytes().all(|byte| byte.is_ascii_digit()) => {
            functions.get(name)?.aliases.get(qualifier).map(choose)?
        }
        qualifier => qualifier.unwrap_or(LATEST).to_owned(),
    };
    Some(if version == LATEST { name.clone() } else { format!("{name}:{version}") })
}

/// The keys of a function's versions, in their order.
fn versions(functions: &BTreeMap<String, Function>, name: &str) -> Vec<String> {
    let mut keys: Vec<&String> = functions.range(format!("{name}:")..format!("{name};")).map(|(key, _)| key).collect();
    keys.sort_by_key(|key| (key.len(), *key));
    keys.into_iter().cloned().collect()
}

fn exists(name: &str) -> AwsError {
    conflict(format!("Function already exist: {name}"))
}

pub fn list(member: &str, items: Vec<Value>, marker: Option<String>) -> Response<Bytes> {
    let mut answer = json!({ member: items });
    if let Some(marker) = marker {
        answer["NextMarker"] = json!(marker);
    }
    wire::json(200, &answer)
}

/// Presigned as on AWS: it needs no credentials, for ten minutes.
fn download_url(config: &Config, name: &str) -> String {
    http_api::presigned(config, &format!("/2015-03-31/functions/{name}/code"), SignedDuration::from_mins(10))
}
