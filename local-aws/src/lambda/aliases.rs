//! Versions and aliases of functions: what was published stays as it was, and an alias names it, or two by their weights.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::function::Function;
use super::functions::{Functions, list};
use super::names::{LATEST, Reference, function_arn, is_number};
use super::persist::Changed;
use super::validation::{Constraints, Pattern, conflict, invalid_parameter, not_found};
use super::wire::{self, Query};
use crate::config::Config;
use crate::error::AwsError;

/// Aliases of one page, at most. <https://docs.aws.amazon.com/lambda/latest/api/API_ListAliases.html>
const PAGE: usize = 50;
const NAME: Pattern = Pattern { regex: "(?!^[0-9]+$)([a-zA-Z0-9-_]+)", matches: is_name };
const VERSION: Pattern = Pattern { regex: r"(\$LATEST(\.PUBLISHED)?|[0-9]+)", matches: is_version };

fn is_name(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    name.chars().all(is_word) && !name.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_version(version: &str) -> bool {
    is_number(version) || version == LATEST || version == "$LATEST.PUBLISHED"
}

/// The name of an alias in a request's path.
fn check_name(name: &str) -> Result<(), AwsError> {
    let mut constraints = Constraints::default();
    constraints.text(Some(name), "name", 1..=128, &NAME);
    constraints.finish()
}

/// What an alias points to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Alias {
    pub version: String,
    description: String,
    /// Another version, and the share of invocations it gets.
    additional: Option<(String, f64)>,
    pub revision: String,
}

impl Alias {
    /// The version of one invocation; `chance` is from 0 up to 1.
    pub fn choose(&self, chance: f64) -> &str {
        match &self.additional {
            Some((version, weight)) if chance < *weight => version,
            _ => &self.version,
        }
    }

    pub fn refers_to(&self, version: &str) -> bool {
        self.version == version || self.additional.as_ref().is_some_and(|(other, _)| other == version)
    }

    fn to_json(&self, config: &Config, function: &str, name: &str) -> Value {
        let mut members = json!({
            "AliasArn": format!("{}:{name}", function_arn(config, function)),
            "Description": self.description,
            "FunctionVersion": self.version,
            "Name": name,
            "RevisionId": self.revision,
        });
        if let Some((version, weight)) = &self.additional {
            members["RoutingConfig"] = json!({ "AdditionalVersionWeights": { version: weight } });
        }
        members
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    name: Option<String>,
    function_version: Option<String>,
    description: Option<String>,
    routing_config: Option<RoutingConfig>,
    revision_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoutingConfig {
    additional_version_weights: Option<BTreeMap<String, f64>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Publish {
    #[serde(rename = "CodeSha256")]
    code_sha256: Option<String>,
    description: Option<String>,
    revision_id: Option<String>,
}

impl Functions {
    pub async fn publish_version(&self, resource: &str, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let input: Publish = wire::read(body)?;
        let mut constraints = Constraints::default();
        constraints.max_length(input.description.as_deref(), "description", 256);
        constraints.finish()?;
        let reference = Reference::read(resource, None, self.config())?;
        let version = self.publish(&reference.name, &input, false).await?;
        self.with_name(&format!("{}:{version}", reference.name), |published| {
            wire::json(201, &published.configuration(self.config(), Some(&version)))
        })
    }

    /// Publishes what was just made or changed.
    pub async fn publish_new(&self, name: &str) -> Result<String, AwsError> {
        let input = Publish { code_sha256: None, description: None, revision_id: None };
        self.publish(name, &input, true).await
    }

    /// The number of the version that is `$LATEST` as it is now: a new one, unless nothing has changed since the last.
    async fn publish(&self, name: &str, input: &Publish, is_new: bool) -> Result<String, AwsError> {
        let config = self.config();
        let latest = self.with_name(name, |latest| {
            if !is_new {
                latest.must_be_updatable(config, input.revision_id.as_deref())?;
            }
            if let Some(sha256) = input.code_sha256.as_ref().filter(|sha256| **sha256 != latest.code.sha256) {
                return Err(invalid_parameter(format!(
                    "CodeSHA256 ({sha256}) is different from current CodeSHA256 in $LATEST ({}). Please try again with the \
                     CodeSHA256 in $LATEST.",
                    latest.code.sha256
                )));
            }
            let published = (latest.published, latest.published_description.clone());
            Ok((latest.settings.clone(), Arc::clone(&latest.code), latest.concurrency.clone(), published))
        })?;
        let (mut settings, code, concurrency, (published, described)) = latest?;
        let last = self.with_name(&format!("{name}:{published}"), |last| {
            // The version may have a description of its own: that of the publication.
            let mut before = last.settings.clone();
            before.description.clone_from(&described);
            before == settings && last.code.sha256 == code.sha256
        });
        if last.is_ok_and(|is_same| is_same) {
            return Ok(published.to_string());
        }
        let version = (published + 1).to_string();
        let described = settings.description.clone();
        if let Some(description) = &input.description {
            settings.description.clone_from(description);
        }
        let key = format!("{name}:{version}");
        let pool = self.pool(&key, &settings, &code).await?;
        let mut function = Function::version(name.to_owned(), version.clone(), settings, code, pool, is_new);
        function.concurrency = concurrency;
        self.with_name(name, |latest| {
            // Who published meanwhile has the number.
            if latest.published != published {
                return Err(conflict(format!(
                    "The operation cannot be performed at this time. Version {version} was published meanwhile."
                )));
            }
            latest.published = published + 1;
            latest.published_description = described;
            self.keep(latest, Changed::Configuration);
            Ok(())
        })??;
        self.keep(&function, Changed::Code);
        self.add(function);
        Ok(version)
    }

    pub fn create_alias(&self, resource: &str, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let input: Input = wire::read(body)?;
        let (name, version) =
            (input.name.clone().unwrap_or_default(), input.function_version.clone().unwrap_or_default());
        let mut constraints = Constraints::default();
        constraints.pattern(is_name(&name), &name, "name", NAME.regex);
        constraints.max_length(Some(&name), "name", 128);
        check(&input, &mut constraints);
        constraints.finish()?;
        let function = Reference::read(resource, None, self.config())?.name;
        let additional = self.routing(&function, &version, &input)?.flatten();
        self.with_name(&function, |latest| {
            if latest.aliases.contains_key(&name) {
                let arn = function_arn(self.config(), &function);
                return Err(conflict(format!("Alias already exists: {arn}:{name}")));
            }
            let description = input.description.clone().unwrap_or_default();
            let alias = Alias { version, description, additional, revision: Uuid::new_v4().to_string() };
            let answer = alias.to_json(self.config(), &function, &name);
            latest.aliases.insert(name, alias);
            self.keep(latest, Changed::Configuration);
            Ok(wire::json(201, &answer))
        })?
    }

    pub fn get_alias(&self, resource: &str, name: &str) -> Result<Response<Bytes>, AwsError> {
        check_name(name)?;
        let function = Reference::read(resource, None, self.config())?.name;
        let missing = || not_found(format!("Cannot find alias arn: {}:{name}", function_arn(self.config(), &function)));
        let shown = |alias: &Alias| wire::json(200, &alias.to_json(self.config(), &function, name));
        self.with_name(&function, |latest| latest.aliases.get(name).map(shown).ok_or_else(missing))?
    }

    pub fn list_aliases(&self, resource: &str, query: &Query) -> Result<Response<Bytes>, AwsError> {
        let function = Reference::read(resource, None, self.config())?.name;
        let version = query.get("FunctionVersion");
        let mut constraints = Constraints::default();
        constraints.text(version, "functionVersion", 1..=1024, &VERSION);
        constraints.finish()?;
        self.with_name(&function, |latest| {
            let is_wanted = |alias: &Alias| version.is_none_or(|version| alias.refers_to(version));
            let aliases = latest.aliases.iter().filter(|(_, alias)| is_wanted(alias));
            let shown = aliases.map(|(name, alias)| (name.as_str(), alias.to_json(self.config(), &function, name)));
            let (page, marker) = wire::page(shown, query, PAGE)?;
            Ok(list("Aliases", page, marker))
        })?
    }

    pub fn update_alias(&self, resource: &str, name: &str, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let input: Input = wire::read(body)?;
        check_name(name)?;
        let mut constraints = Constraints::default();
        check(&input, &mut constraints);
        constraints.finish()?;
        let function = Reference::read(resource, None, self.config())?.name;
        let missing = || not_found(format!("Alias not found: {}:{name}", function_arn(self.config(), &function)));
        let before = self.with_name(&function, |latest| latest.aliases.get(name).cloned().ok_or_else(missing))??;
        if input.revision_id.as_ref().is_some_and(|revision| *revision != before.revision) {
            return Err(super::function::other_revision());
        }
        let version = input.function_version.clone().unwrap_or(before.version);
        let additional = self.routing(&function, &version, &input)?.unwrap_or(before.additional);
        let description = input.description.clone().unwrap_or(before.description);
        let alias = Alias { version, description, additional, revision: Uuid::new_v4().to_string() };
        let answer = alias.to_json(self.config(), &function, name);
        self.with_name(&function, |latest| {
            latest.aliases.insert(name.to_owned(), alias);
            self.keep(latest, Changed::Configuration);
        })?;
        Ok(wire::json(200, &answer))
    }

    /// One that is not there is as good as deleted (recorded 2025-11).
    pub fn delete_alias(&self, resource: &str, name: &str) -> Result<Response<Bytes>, AwsError> {
        check_name(name)?;
        let function = Reference::read(resource, None, self.config())?.name;
        self.with_name(&function, |latest| {
            latest.aliases.remove(name);
            latest.forget_qualifier(name);
            self.keep(latest, Changed::Configuration);
        })?;
        Ok(wire::empty(204))
    }

    /// The additional version that a request asks for, if it says anything about it; every version must be there.
    fn routing(&self, function: &str, version: &str, input: &Input) -> Result<Option<Option<(String, f64)>>, AwsError> {
        let weights = input.routing_config.as_ref().map(|config| config.additional_version_weights.clone());
        let weights = weights.map(Option::unwrap_or_default);
        if weights.as_ref().is_some_and(|weights| weights.len() > 1) {
            return Err(invalid_parameter("Number of items in AdditionalVersionWeights cannot be greater than 1"));
        }
        let additional = weights.as_ref().and_then(BTreeMap::first_key_value);
        if additional.is_some_and(|(other, _)| other == version) {
            return Err(invalid_parameter(format!(
                "Invalid function version {version}. Function version {version} is already included in routing configuration."
            )));
        }
        if additional.is_some() && version == LATEST {
            return Err(invalid_parameter("$LATEST is not supported for an alias pointing to more than 1 version"));
        }
        for version in [Some(version), additional.map(|(other, _)| other.as_str())].into_iter().flatten() {
            self.with_name(&format!("{function}:{version}"), |_| ())?;
        }
        Ok(weights.map(|weights| weights.into_iter().next()))
    }
}

/// The constraints on a request that makes or changes an alias.
fn check(input: &Input, constraints: &mut Constraints) {
    constraints.max_length(input.description.as_deref(), "description", 256);
    if let Some(version) = &input.function_version {
        let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        constraints.pattern(is_number || version == LATEST, version, "functionVersion", r"(\$LATEST|[0-9]+)");
    }
    let weights = input.routing_config.as_ref().and_then(|config| config.additional_version_weights.as_ref());
    for (version, weight) in weights.into_iter().flatten() {
        let (shown, member) = (format!("{{{version}={weight:?}}}"), "routingConfig.additionalVersionWeights");
        const VALUES: &str = "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]";
        constraints.require((0.0..=1.0).contains(weight), &shown, member, VALUES);
        const KEYS: &str = "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]";
        let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        constraints.require(is_number, &shown, member, KEYS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_shares_out_invocations_by_weight() {
        let alias = |additional| Alias {
            version: "1".into(),
            description: String::new(),
            additional,
            revision: Uuid::new_v4().to_string(),
        };
        let both = alias(Some(("2".into(), 0.25)));
        assert_eq!([0.0, 0.24, 0.25, 0.99].map(|chance| both.choose(chance)), ["2", "2", "1", "1"]);
        assert_eq!(alias(None).choose(0.0), "1");
        assert_eq!(alias(Some(("2".into(), 0.0))).choose(0.0), "1");
        assert_eq!(alias(Some(("2".into(), 1.0))).choose(0.999), "2");
    }
}
