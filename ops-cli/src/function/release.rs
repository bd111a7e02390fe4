//! The function's versions, and the alias `live` that decides which of them runs.

use std::time::Duration;

use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::types::{AliasConfiguration, AliasRoutingConfiguration, FunctionConfiguration, State};
use serde::Serialize;

use crate::aws::Aws;
use crate::error::{Error, Result, is_missing};
use crate::provision::kind::NONE;
use crate::wait::{self, Poll};

/// The alias to which the event source mapping points.
pub const LIVE: &str = "live";
/// The name of the version that can be changed.
pub const LATEST: &str = "$LATEST";

/// The number of versions that the alias's description lists. It has at most 256 characters.
const MAX_EARLIER: usize = 18;

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
    /// The versions that were live before, the latest first; `None` if the description does not list them.
    pub earlier: Option<Vec<u64>>,
    /// Changes with every change of the alias.
    pub revision: Option<String>,
}

impl Alias {
    /// The versions that were live before, the latest first. If that is not known, all earlier versions count. Some of them may not
    /// exist any more.
    pub fn earlier(&self) -> Vec<u64> {
        let all = || (1..number(&self.route).unwrap_or(1)).rev().take(MAX_EARLIER).collect();
        self.earlier.clone().unwrap_or_else(all)
    }

    /// The versions that were live before `route`, if the alias moves to it: a move to an earlier version forgets those after it.
    fn earlier_than(&self, route: &Route) -> Vec<u64> {
        let earlier = self.earlier();
        if route.version == self.route.version {
            return earlier;
        }
        match earlier.iter().position(|number| number.to_string() == route.version) {
            Some(index) => earlier[index + 1..].to_vec(),
            None => number(&self.route).into_iter().chain(earlier).take(MAX_EARLIER).collect(),
        }
    }
}

/// The number of the version that a route leads to; `None` for `$LATEST`.
fn number(route: &Route) -> Option<u64> {
    route.version.parse().ok()
}

/// The alias's description, which lists the versions that were live before the one of `route`.
fn describe(route: &Route, earlier: &[u64]) -> String {
    let numbers: Vec<_> = earlier.iter().map(u64::to_string).collect();
    let numbers = if numbers.is_empty() { NONE.to_owned() } else { numbers.join(", ") };
    format!("version {}, live before: {numbers}", route.version)
}

/// Reads a description. Another tool may have moved the alias from the version that the description names to `route`.
fn earlier_in(description: &str, route: &Route) -> Option<Vec<u64>> {
    let (version, numbers) = description.strip_prefix("version ")?.split_once(", live before: ")?;
    let earlier = match numbers {
        NONE => Some(Vec::new()),
        numbers => numbers.split(", ").map(|number| number.parse().ok()).collect(),
    };
    let described = Alias { name: LIVE.to_owned(), route: Route::to(version), earlier: Some(earlier?), revision: None };
    number(&described.route)?;
    Some(described.earlier_than(route))
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
        let published = self.once_settled(&doing, || request.clone().send()).await.map_err(|error| {
            let is_other_code = error.message.contains("CodeSHA256");
            if is_other_code {
                error.hint("another process uploads code too: run the same command again")
            } else {
                error
            }
        })?;
        let version = published.version.ok_or_else(|| Error::failed(format!("could not {doing}: it has no number")))?;
        self.await_active(&version).await?;
        Ok(version)
    }

    /// The alias `live`; `None` if it does not exist.
    pub async fn live(self) -> Result<Option<Alias>> {
        let request = self.aws.lambda().get_alias().function_name(self.function).name(LIVE);
        let doing = format!("read the alias {LIVE} of the function {}", self.function);
        let answer = self.aws.find(doing, || request.clone().send()).await?;
        Ok(answer.map(|answer| {
            let route = route(answer.function_version, answer.routing_config);
            let earlier = answer.description.and_then(|description| earlier_in(&description, &route));
            Alias { name: LIVE.to_owned(), route, earlier, revision: answer.revision_id }
        }))
    }

    /// Points `live` to a route, creates it if it does not exist, and returns it. Its description lists the versions that were live
    /// before. `before` is the alias as it was read: if another process has moved it meanwhile, this fails.
    pub async fn point_live(self, route: &Route, before: Option<&Alias>) -> Result<Alias> {
        let doing = format!("point the alias {LIVE} to version {}", route.version);
        let weights = route.canary.iter().map(|(version, share)| (version.clone(), *share)).collect();
        let routing = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build();
        let lambda = self.aws.lambda();
        let earlier = before.map(|before| before.earlier_than(route)).unwrap_or_default();
        let description = describe(route, &earlier);
        let alias =
            |revision| Alias { name: LIVE.to_owned(), route: route.clone(), earlier: Some(earlier.clone()), revision };
        let error = match before {
            None => {
                let request = lambda.create_alias().function_name(self.function).name(LIVE).description(description);
                let request = request.function_version(&route.version).routing_config(routing);
                match self.once_settled(&doing, || request.clone().send()).await {
                    Ok(created) => return Ok(alias(created.revision_id)),
                    Err(error) => error,
                }
            }
            Some(before) => {
                let request = lambda.update_alias().function_name(self.function).name(LIVE).description(description);
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
        let alias = |alias: AliasConfiguration| {
            let route = route(alias.function_version, alias.routing_config);
            let earlier = alias.description.and_then(|description| earlier_in(&description, &route));
            Alias { name: alias.name.unwrap_or_default(), route, earlier, revision: alias.revision_id }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(version: &str, earlier: Option<&[u64]>) -> Alias {
        Alias { name: LIVE.into(), route: Route::to(version), earlier: earlier.map(<[u64]>::to_vec), revision: None }
    }

    #[test]
    fn an_alias_remembers_the_versions_that_were_live() {
        let live = alias("7", Some(&[5, 2]));
        assert_eq!(live.earlier_than(&Route::to("8")), [7, 5, 2]);
        assert_eq!(live.earlier_than(&Route::to("7").with_canary("8", 0.1)), [5, 2]);
        assert_eq!(live.earlier_than(&Route::to("5")), [2]);
        assert_eq!(live.earlier_than(&Route::to("6")), [7, 5, 2]);
        assert_eq!(alias("3", None).earlier_than(&Route::to("4")), [3, 2, 1]);
        assert!(alias("1", None).earlier().is_empty());
        assert_eq!(alias("300", None).earlier_than(&Route::to("301")).len(), MAX_EARLIER);
        assert!(alias(LATEST, None).earlier_than(&Route::to("5")).is_empty());
    }

    #[test]
    fn the_description_of_an_alias_is_read_as_it_was_written() {
        let route = Route::to("8");
        for earlier in [vec![], vec![7], vec![7, 5, 2]] {
            assert_eq!(earlier_in(&describe(&route, &earlier), &route), Some(earlier));
        }
        let longest = describe(&Route::to("1000000000"), &[1_000_000_000; MAX_EARLIER]);
        assert!(longest.len() <= 256, "{}", longest.len());
        for other in ["", "version 8, live before: x", "version $LATEST, live before: 3", "our production alias"] {
            assert_eq!(earlier_in(other, &route), None, "{other}");
        }
    }

    #[test]
    fn a_move_by_another_tool_is_a_move() {
        let moved = |to: &str| earlier_in("version 8, live before: 7, 5", &Route::to(to)).unwrap();
        assert_eq!((moved("9"), moved("5"), moved("6")), (vec![8, 7, 5], vec![], vec![8, 7, 5]));
    }
}
