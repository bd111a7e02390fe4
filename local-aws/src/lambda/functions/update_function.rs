//! UpdateFunctionCode and UpdateFunctionConfiguration.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use serde::Deserialize;

use super::create_function::{must_accept, role_must_be_assumable};
use super::publish_version::publish_new;
use super::source::{Source, architecture};
use crate::error::AwsError;
use crate::lambda::code::Unpacked;
use crate::lambda::configuration::{ConfigurationInput, Settings};
use crate::lambda::context::Context;
use crate::lambda::function::Function;
use crate::lambda::names::Reference;
use crate::lambda::workspace::blocking;
use crate::lambda::{persistence, response};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateFunctionCode {
    function_name: String,
    #[serde(flatten)]
    source: Source,
    #[serde(default)]
    publish: bool,
    #[serde(default)]
    dry_run: bool,
    revision_id: Option<String>,
    architectures: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateFunctionConfiguration {
    function_name: String,
    revision_id: Option<String>,
    #[serde(flatten)]
    settings: ConfigurationInput,
}

pub async fn update_function_code(context: Context, input: UpdateFunctionCode) -> Result<Response<Bytes>, AwsError> {
    let reference = Reference::read(&input.function_name, None, &context.config)?;
    let revision = input.revision_id.as_deref();
    let mut settings = updatable(&context, &reference, revision)?;
    settings.architecture = architecture(input.architectures.as_deref()).unwrap_or(settings.architecture);
    let (source, workspace) = (input.source, context.workspace()?);
    let Unpacked { code, zip } = workspace.unpack(&reference.name, &settings, move || source.into_zip()).await?;
    let program = workspace.program(&reference.name, &settings, &code).await?;
    let updated = update(&context, &reference, revision, |function| {
        if !input.dry_run {
            function.update(settings, program, Instant::now());
            persistence::store_with_code(&context, function, Some(zip));
        }
    })?;
    if !input.publish || input.dry_run {
        return Ok(updated);
    }
    let version = publish_new(&context, &reference.name).await?;
    context.with_name(&format!("{}:{version}", reference.name), |published| {
        response::json(200, &published.configuration(&context.config, Some(&version)))
    })
}

pub async fn update_function_configuration(
    context: Context,
    input: UpdateFunctionConfiguration,
) -> Result<Response<Bytes>, AwsError> {
    let reference = Reference::read(&input.function_name, None, &context.config)?;
    let revision = input.revision_id.as_deref();
    let before = updatable(&context, &reference, revision)?;
    let settings = before.update(&input.settings)?;
    let is_other_runtime = settings.runtime != before.runtime;
    if is_other_runtime {
        must_accept(&context, &settings.runtime)?;
    }
    if input.settings.role.is_some() {
        role_must_be_assumable(&context, &settings.role)?;
    }
    let code = context.with(&reference, |function| function.program().map(|program| Arc::clone(&program.code)))??;
    if is_other_runtime {
        let (code, settings) = (Arc::clone(&code), settings.clone());
        blocking(move || code.check(&settings)).await?;
    }
    let program = context.workspace()?.program(&reference.name, &settings, &code).await?;
    update(&context, &reference, revision, |function| {
        function.update(settings, program, Instant::now());
        persistence::store(&context, function);
    })
}

fn updatable(context: &Context, reference: &Reference, revision: Option<&str>) -> Result<Settings, AwsError> {
    context.with(reference, |function| {
        function.must_be_updatable(&context.config, revision).map(|()| function.settings.clone())
    })?
}

/// Checks the function again, because another update may have come first while the zip was unpacked. Then changes it.
fn update(
    context: &Context,
    reference: &Reference,
    revision: Option<&str>,
    change: impl FnOnce(&mut Function),
) -> Result<Response<Bytes>, AwsError> {
    context.with(reference, |function| {
        function.must_be_updatable(&context.config, revision)?;
        change(function);
        Ok(response::json(200, &function.configuration(&context.config, None)))
    })?
}
