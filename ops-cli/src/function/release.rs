//! The function's versions, and the alias `live` that decides which of them runs.

use std::time::Duration;

use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::types::{AliasConfiguration, AliasRoutingConfiguration, FunctionConfiguration, State};
use serde::Serialize;

use crate::aws::Aws;
use crate::error::{Error, Result, is_missing};
use crate::wait::{self, Poll};

/// The alias to which the event source mapping points.
pub const LIVE: &str = "live";
/// The name of the version that can be changed.
pub const LATEST: &str = "$LATEST";

/// How long a version may take to become active, or `$LATEST` to end an update.
pub const DEADLINE: Duration = Duration::from_secs(300);

/// The releases of one function.
#[derive(Clone, Copy)]
pub struct Releases<'a> {
    pub aws: &'a Aws,
    pub function: &'a str,
}

/// The versions that an alias runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Route {
    pub version: String,
    /// A second version, and its share of the invocations: more than 0, at most 1.
    pub canary: Option<(String, f64)>,
}

impl Route {
    /// All invocations run `version`.
    pub fn to(version: impl Into<String>) -> Self {
        Self { version: version.into(), canary: None }
    }

    /// A share of the invocations runs `version`, and the others run what ran before.
    #[must_use]
    pub fn with_canary(self, version: impl Into<String>, share: f64) -> Self {
        Self { canary: Some((version.into(), share)), ..self }
    }

    pub fn runs(&self, version: &str) -> bool {
        self.version == version || self.canary.as_ref().is_some_and(|(canary, _)| canary == version)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    pub name: String,
    pub route: Route,
    /// Changes with every change of the alias.
    pub revision: Option<String>,
}

/// A published version. It never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub number: u64,
    pub description: String,
    /// Base64 of the code's SHA-256.
    pub code_sha256: String,
    /// When it was published, as Lambda reports it.
    pub published: String,
}

impl Version {
    fn of(configuration: FunctionConfiguration) -> Option<Self> {
        Some(Self {
            number: configuration.version?.parse().ok()?,
            description: configuration.description.unwrap_or_default(),
            code_sha256: configuration.code_sha256.unwrap_or_default(),
            published: configuration.last_modified.unwrap_or_default(),
        })
    }
}

impl Releases<'_> {
    /// Publishes `$LATEST` as a version, waits until it is active, and returns its number. If nothing has changed since the last
    /// version, Lambda returns that one, so that a repeated call publishes once. Fails if the code is not `code_sha256` any more,
    /// because another process uploaded other code.
    pub async fn publish(self, description: &str, code_sha256: &str) -> Result<String> {
        let request = self.aws.lambda().publish_version().function_name(self.function);
        let request = request.description(description).code_sha256(code_sha256);
        let doing = format!("publish a version of the function {}", self.function);
        let published = self.once_settled(&doing, || request.clone().send()).await?;
        let version = published.version.ok_or_else(|| Error::failed(format!("could not {doing}: it has no number")))?;
        self.await_active(&version).await?;
        Ok(version)
    }

    /// The alias `live`; `None` if it does not exist.
    pub async fn live(self) -> Result<Option<Alias>> {
        let request = self.aws.lambda().get_alias().function_name(self.function).name(LIVE);
        let doing = format!("read the alias {LIVE} of the function {}", self.function);
        let answer = self.aws.find(doing, || request.clone().send()).await?;
        Ok(answer.map(|answer| Alias {
            name: LIVE.to_owned(),
            route: route(answer.function_version, answer.routing_config),
            revision: answer.revision_id,
        }))
    }

    /// Points `live` to a route, creates it if it does not exist, and returns it. `before` is the alias as it was read: if another
    /// process has moved it meanwhile, this fails.
    pub async fn point_live(self, route: &Route, before: Option<&Alias>) -> Result<Alias> {
        let doing = format!("point the alias {LIVE} to version {}", route.version);
        let weights = route.canary.iter().map(|(version, share)| (version.clone(), *share)).collect();
        let routing = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build();
        let lambda = self.aws.lambda();
        let alias = |revision| Alias { name: LIVE.to_owned(), route: route.clone(), revision };
        let error = match before {
            None => {
                let request = lambda.create_alias().function_name(self.function).name(LIVE);
                let request = request.function_version(&route.version).routing_config(routing);
                match self.once_settled(&doing, || request.clone().send()).await {
                    Ok(created) => return Ok(alias(created.revision_id)),
                    Err(error) => error,
                }
            }
            Some(before) => {
                let request = lambda.update_alias().function_name(self.function).name(LIVE);
                let request = request.function_version(&route.version).routing_config(routing);
                let request = request.set_revision_id(before.revision.clone());
                match self.once_settled(&doing, || request.clone().send()).await {
                    Ok(updated) => return Ok(alias(updated.revision_id)),
                    Err(error) => error,
                }
            }
        };
        // An attempt whose answer was lost may have changed it.
        match self.live().await? {
            Some(now) if now.route == *route => Ok(now),
            now if now.as_ref().map(|now| &now.revision) != before.map(|before| &before.revision) => {
                Err(error.hint("another process has moved the alias: run the same command again"))
            }
            _ => Err(error),
        }
    }

    /// The published versions, the oldest first.
    pub async fn versions(self) -> Result<Vec<Version>> {
        let request = self.aws.lambda().list_versions_by_function().function_name(self.function);
        let doing = format!("list the versions of the function {}", self.function);
        let pages = || request.clone().into_paginator().items().send().try_collect();
        let found: Vec<FunctionConfiguration> = self.aws.call(doing, pages).await?;
        let mut versions: Vec<Version> = found.into_iter().filter_map(Version::of).collect();
        versions.sort_by_key(|version| version.number);
        Ok(versions)
    }

    pub async fn aliases(self) -> Result<Vec<Alias>> {
        let request = self.aws.lambda().list_aliases().function_name(self.function);
        let doing = format!("list the aliases of the function {}", self.function);
        let pages = || request.clone().into_paginator().items().send().try_collect();
        let found: Vec<AliasConfiguration> = self.aws.call(doing, pages).await?;
        let alias = |alias: AliasConfiguration| Alias {
            name: alias.name.unwrap_or_default(),
            route: route(alias.function_version, alias.routing_config),
            revision: alias.revision_id,
        };
        Ok(found.into_iter().map(alias).collect())
    }

    /// Deletes a version. Lambda rejects this for a version to which an alias points. Returns whether the version is deleted.
    pub async fn delete(self, version: &str) -> Result<bool> {
        let request = self.aws.lambda().delete_function().function_name(self.function).qualifier(version);
        let doing = format!("delete version {version} of the function {}", self.function);
        match self.aws.retry.call(&doing, || request.clone().send()).await {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_conflict_exception()) => {
                Ok(false)
            }
            Err(error) => Err(Error::aws(doing, error)),
        }
    }

    async fn await_active(self, version: &str) -> Result<()> {
        let request = self.aws.lambda().get_function_configuration().function_name(self.function).qualifier(version);
        let what = format!("version {version} of the function {} to be Active", self.function);
        wait::until(&self.aws.retry, &what, DEADLINE, async || {
            let found = self.aws.call("get the version's configuration", || request.clone().send()).await?;
            match found.state() {
                Some(State::Failed) => {
                    let reason = found.state_reason().unwrap_or("no reason given");
                    Err(Error::failed(format!(
                        "version {version} of the function {} has failed: {reason}",
                        self.function
                    )))
                }
                // An idle version is Inactive, and the next invocation activates it. Some emulators report no state.
                Some(state) if !matches!(state.as_str(), "Active" | "Inactive" | "") => {
                    Ok(Poll::Pending(state.as_str().to_owned()))
                }
                _ => Ok(Poll::Ready(())),
            }
        })
        .await
    }

    /// Repeats a request while Lambda rejects it because an update of the function is in progress.
    pub async fn once_settled<T, E, F>(self, doing: &str, mut send: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let what = format!("an update of the function {} to end", self.function);
        wait::until(&self.aws.retry, &what, DEADLINE, async || match self.aws.retry.call(doing, &mut send).await {
            Ok(answer) => Ok(Poll::Ready(answer)),
            Err(error) if is_busy(&error) => {
                Ok(Poll::Pending(format!("rejected: {}", error.message().unwrap_or("no reason given"))))
            }
            Err(error) => Err(Error::aws(doing, error)),
        })
        .await
    }
}

/// Whether an update of the function is in progress. A name that exists has the same code.
fn is_busy<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let exists = error.message().is_some_and(|message| message.contains("already exist"));
    error.code() == Some("ResourceConflictException") && !exists
}

fn route(version: Option<String>, routing: Option<AliasRoutingConfiguration>) -> Route {
    let weights = routing.and_then(|routing| routing.additional_version_weights).unwrap_or_default();
    Route { version: version.unwrap_or_default(), canary: weights.into_iter().find(|(_, share)| *share > 0.0) }
}
