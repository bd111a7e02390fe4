//! CreateAlias, GetAlias, ListAliases, UpdateAlias and DeleteAlias.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use uuid::Uuid;

use crate::error::AwsError;
use crate::lambda::context::Context;
use crate::lambda::errors::{conflict, invalid_parameter, not_found, outdated_revision};
use crate::lambda::function::Alias;
use crate::lambda::names::{LATEST, Reference, function_arn};
use crate::lambda::persistence;
use crate::lambda::response::{self, PageInput};

/// The most aliases of a page. <https://docs.aws.amazon.com/lambda/latest/api/API_ListAliases.html>
const PAGE: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateAlias {
    function_name: String,
    name: String,
    function_version: String,
    #[serde(default)]
    description: String,
    routing_config: Option<RoutingConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateAlias {
    function_name: String,
    name: String,
    function_version: Option<String>,
    description: Option<String>,
    routing_config: Option<RoutingConfig>,
    revision_id: Option<String>,
}

/// The input of GetAlias and DeleteAlias.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AliasInput {
    function_name: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAliases {
    function_name: String,
    function_version: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoutingConfig {
    #[serde(default)]
    additional_version_weights: BTreeMap<String, f64>,
}

pub fn create_alias(context: &Context, input: CreateAlias) -> Result<Response<Bytes>, AwsError> {
    let CreateAlias { function_name, name, function_version: version, description, routing_config } = input;
    let function = Reference::read(&function_name, None, &context.config)?.name;
    let additional = additional_version(context, &function, &version, routing_config)?.flatten();
    context.with_name(&function, |latest| {
        if latest.aliases.contains_key(&name) {
            let arn = function_arn(&context.config, &function);
            return Err(conflict(format!("Alias already exists: {arn}:{name}")));
        }
        let alias = Alias { version, description, additional, revision: Uuid::new_v4().to_string() };
        let answer = alias.to_json(&context.config, &function, &name);
        latest.aliases.insert(name, alias);
        persistence::store(context, latest);
        Ok(response::json(201, &answer))
    })?
}

pub fn get_alias(context: &Context, input: AliasInput) -> Result<Response<Bytes>, AwsError> {
    let AliasInput { function_name, name } = input;
    let function = Reference::read(&function_name, None, &context.config)?.name;
    let missing = || not_found(format!("Cannot find alias arn: {}:{name}", function_arn(&context.config, &function)));
    let shown = |alias: &Alias| response::json(200, &alias.to_json(&context.config, &function, &name));
    context.with_name(&function, |latest| latest.aliases.get(&name).map(shown).ok_or_else(missing))?
}

pub fn list_aliases(context: &Context, input: ListAliases) -> Result<Response<Bytes>, AwsError> {
    let function = Reference::read(&input.function_name, None, &context.config)?.name;
    let version = input.function_version.as_deref();
    context.with_name(&function, |latest| {
        let is_listed = |alias: &Alias| version.is_none_or(|version| alias.refers_to(version));
        let aliases = latest.aliases.iter().filter(|(_, alias)| is_listed(alias));
        let shown = aliases.map(|(name, alias)| (name.as_str(), alias.to_json(&context.config, &function, name)));
        response::list("Aliases", &function_arn(&context.config, &function), shown, &input.page, PAGE)
    })?
}

pub fn update_alias(context: &Context, input: UpdateAlias) -> Result<Response<Bytes>, AwsError> {
    let UpdateAlias { function_name, name, function_version, description, routing_config, revision_id } = input;
    let function = Reference::read(&function_name, None, &context.config)?.name;
    let missing = || not_found(format!("Alias not found: {}:{name}", function_arn(&context.config, &function)));
    let before = context.with_name(&function, |latest| latest.aliases.get(&name).cloned().ok_or_else(missing))??;
    if revision_id.is_some_and(|revision| revision != before.revision) {
        return Err(outdated_revision("GetFunction/GetAlias"));
    }
    let version = function_version.unwrap_or(before.version);
    let additional = additional_version(context, &function, &version, routing_config)?.unwrap_or(before.additional);
    let description = description.unwrap_or(before.description);
    let alias = Alias { version, description, additional, revision: Uuid::new_v4().to_string() };
    let answer = alias.to_json(&context.config, &function, &name);
    context.with_name(&function, |latest| {
        latest.aliases.insert(name, alias);
        persistence::store(context, latest);
    })?;
    Ok(response::json(200, &answer))
}

/// Deleting an alias that does not exist succeeds (recorded 2025-11).
pub fn delete_alias(context: &Context, input: AliasInput) -> Result<Response<Bytes>, AwsError> {
    let function = Reference::read(&input.function_name, None, &context.config)?.name;
    context.with_name(&function, |latest| {
        latest.aliases.remove(&input.name);
        latest.forget_qualifier(&input.name);
        persistence::store(context, latest);
    })?;
    Ok(response::empty(204))
}

/// The additional version that a request sets, if it sets a routing configuration. Every version must exist.
fn additional_version(
    context: &Context,
    function: &str,
    version: &str,
    config: Option<RoutingConfig>,
) -> Result<Option<Option<(String, f64)>>, AwsError> {
    let weights = config.map(|config| config.additional_version_weights);
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
        context.with_name(&format!("{function}:{version}"), |_| ())?;
    }
    Ok(weights.map(|weights| weights.into_iter().next()))
}
