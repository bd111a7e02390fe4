//! CreateFunction.

use std::time::Instant;

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use serde_json::json;

use super::publish_version::publish_new;
use super::source::{Source, architecture};
use crate::error::AwsError;
use crate::lambda::code::Unpacked;
use crate::lambda::configuration::{self, Runtime, Settings};
use crate::lambda::context::Context;
use crate::lambda::errors::{conflict, invalid_parameter};
use crate::lambda::function::Function;
use crate::lambda::names::{DENIED, Reference};
use crate::lambda::persistence;
use crate::lambda::response;
use crate::lambda::tags::{self, Tags};
use lambda_package::Architecture;

/// The trust policy of a role that Lambda can assume.
const TRUST_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateFunction {
    function_name: String,
    code: Source,
    #[serde(default)]
    publish: bool,
    package_type: Option<String>,
    architectures: Option<Vec<String>>,
    #[serde(default)]
    tags: Tags,
    #[serde(flatten)]
    settings: configuration::ConfigurationInput,
}

pub async fn create_function(context: Context, input: CreateFunction) -> Result<Response<Bytes>, AwsError> {
    let name = Reference::read_new(&input.function_name, &context.config)?;
    let architecture = architecture(input.architectures.as_deref()).unwrap_or(Architecture::X86_64);
    if input.package_type.as_deref().is_some_and(|package| package != "Zip") {
        return Err(invalid_parameter("The local endpoint does not run container images: PackageType must be Zip."));
    }
    let settings = Settings::create(&input.settings, &name, architecture)?;
    must_accept(&context, &settings.runtime)?;
    tags::check(&input.tags)?;
    role_must_be_assumable(&context, &settings.role)?;
    must_be_new(&context, &name)?;
    let source = input.code;
    let workspace = context.workspace()?;
    let Unpacked { code, zip } = workspace.unpack(&name, &settings, move || source.into_zip()).await?;
    let program = workspace.program(&name, &settings, &code).await?;
    let mut function = Function::new(name.clone(), settings, program, Instant::now());
    function.tags = input.tags;
    let mut answer = function.configuration(&context.config, None);
    {
        let mut functions = context.functions();
        if functions.contains_key(&name) {
            return Err(exists(&name));
        }
        persistence::store_with_code(&context, &function, Some(zip));
        functions.insert(name.clone(), function);
    }
    if input.publish {
        // Recorded: the version's number with the function's ARN.
        answer["Version"] = json!(publish_new(&context, &name).await?);
    }
    Ok(response::json(201, &answer))
}

/// # Errors
/// A runtime that AWS no longer accepts, unless the endpoint is configured to accept any.
pub fn must_accept(context: &Context, runtime: &Runtime) -> Result<(), AwsError> {
    if context.config.any_runtime { Ok(()) } else { runtime.must_be_accepted() }
}

/// # Errors
/// The role is of another account, or Lambda cannot assume it. The endpoint's output says which command creates or repairs it.
pub fn role_must_be_assumable(context: &Context, role: &str) -> Result<(), AwsError> {
    if role.split(':').nth(4) != Some(&context.config.account_id) {
        return Err(AwsError::new(403, DENIED, "Cross-account pass role is not allowed."));
    }
    let iam = context.sts.iam();
    let exists = iam.role_exists(role);
    if exists && iam.assumable_by_lambda(role) {
        return Ok(());
    }
    tracing::warn!("{}", role_hint(role.rsplit('/').next().unwrap_or(role), exists));
    Err(invalid_parameter("The role defined for the function cannot be assumed by Lambda."))
}

fn role_hint(name: &str, exists: bool) -> String {
    let (problem, command) = match exists {
        false => ("does not exist; create it", "create-role"),
        true => ("does not trust Lambda; change it", "update-assume-role-policy"),
    };
    let option = if exists { "policy-document" } else { "assume-role-policy-document" };
    format!("the role {name} {problem}: aws iam {command} --role-name {name} --{option} '{TRUST_POLICY}'")
}

fn must_be_new(context: &Context, name: &str) -> Result<(), AwsError> {
    if context.functions().contains_key(name) { Err(exists(name)) } else { Ok(()) }
}

fn exists(name: &str) -> AwsError {
    conflict(format!("Function already exist: {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_creates_or_changes_the_role() {
        assert_eq!(
            role_hint("r", false),
            r#"the role r does not exist; create it: aws iam create-role --role-name r --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'"#
        );
        let changed = role_hint("r", true);
        assert!(changed.starts_with("the role r does not trust Lambda; change it: aws iam update-assume-role-policy --role-name r --policy-document '{"));
    }
}
