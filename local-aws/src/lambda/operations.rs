//! The operations on functions: made, shown, changed, listed and deleted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use jiff::SignedDuration;
use lambda_package::Architecture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::code::{Code, Source, new_root};
use super::execution::Pool;
use super::function::Function;
use super::functions::{Functions, blocking, list, versions};
use super::names::{LATEST, Reference, function_arn, is_number, is_region};
use super::persist::Changed;
use super::runtime::Runtime;
use super::settings::{Input, Settings};
use super::tags;
use super::validation::{Constraints, Pattern, conflict, invalid_parameter, not_found, service_failure};
use super::wire::{self, Query};
use crate::config::Config;
use crate::error::AwsError;
use crate::signature::presigned;

/// Functions of one page of ListFunctions, at most. <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>
const PAGE: usize = 50;
const MASTER_REGION: Pattern = Pattern {
    regex: r"ALL|(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}",
    matches: |region| region == "ALL" || is_region(region),
};

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
        self.must_accept(&settings.runtime)?;
        tags::check(&input.tags)?;
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
        if settings.runtime != before.runtime {
            self.must_accept(&settings.runtime)?;
        }
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
            Some(alias) if !is_number(alias) && !alias.starts_with('$') => {
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
        if let (Some(version), Some(latest)) = (&reference.qualifier, functions.get_mut(&reference.name)) {
            latest.forget_qualifier(version);
            self.keep(latest, Changed::Configuration);
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
        constraints.text(query.get("MasterRegion"), "masterRegion", 0..=50, &MASTER_REGION);
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

    fn must_accept(&self, runtime: &Runtime) -> Result<(), AwsError> {
        if self.config().any_runtime { Ok(()) } else { runtime.must_be_accepted() }
    }

    fn role_must_be_assumable(&self, role: &str) -> Result<(), AwsError> {
        let iam = self.shared.sts.iam();
        if iam.role_exists(role) && iam.assumable_by_lambda(role) {
            return Ok(());
        }
        Err(invalid_parameter("The role defined for the function cannot be assumed by Lambda."))
    }

    async fn unpack(&self, name: &str, source: Source, settings: Settings) -> Result<Arc<Code>, AwsError> {
        let root = new_root(&self.workspace_folder()?, name);
        blocking(move || Code::unpack(&source.into_zip()?, &settings, root).map(Arc::new)).await
    }
}

fn architecture(names: Option<&[String]>) -> Result<Option<Architecture>, AwsError> {
    let Some(names) = names.filter(|names| !names.is_empty()) else { return Ok(None) };
    let mut constraints = Constraints::default();
    constraints.list_of(names, "architectures", 1, &["x86_64", "arm64"]);
    constraints.finish()?;
    Ok(Architecture::parse(&names[0]))
}

fn exists(name: &str) -> AwsError {
    conflict(format!("Function already exist: {name}"))
}

/// Presigned as on AWS: it needs no credentials, for ten minutes.
fn download_url(config: &Config, name: &str) -> String {
    presigned(config, &format!("/2015-03-31/functions/{name}/code"), SignedDuration::from_mins(10))
}
