//! PublishVersion.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use serde::Deserialize;

use crate::error::AwsError;
use crate::lambda::code::Code;
use crate::lambda::configuration::Settings;
use crate::lambda::context::Context;
use crate::lambda::errors::{conflict, invalid_parameter};
use crate::lambda::function::{Concurrency, Function};
use crate::lambda::names::Reference;
use crate::lambda::workspace::blocking;
use crate::lambda::{persistence, response};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PublishVersion {
    function_name: String,
    #[serde(rename = "CodeSha256")]
    code_sha256: Option<String>,
    description: Option<String>,
    revision_id: Option<String>,
}

pub async fn publish_version(context: Context, input: PublishVersion) -> Result<Response<Bytes>, AwsError> {
    let reference = Reference::read(&input.function_name, None, &context.config)?;
    let version = publish(&context, &reference.name, Some(&input)).await?;
    context.with_name(&format!("{}:{version}", reference.name), |published| {
        response::json(201, &published.configuration(&context.config, Some(&version)))
    })
}

/// Publishes a function that was just created or updated, and returns the version's number.
///
/// # Errors
/// As [`publish_version`].
pub async fn publish_new(context: &Context, name: &str) -> Result<String, AwsError> {
    publish(context, name, None).await
}

/// `$LATEST` in the state that will be published.
struct Latest {
    settings: Settings,
    code: Arc<Code>,
    concurrency: Concurrency,
    /// The highest published number, and the function's description when it was published.
    published: u64,
    published_description: String,
}

/// Publishes `$LATEST`, unless nothing has changed since the last version. Without a request, the function is new.
async fn publish(context: &Context, name: &str, request: Option<&PublishVersion>) -> Result<String, AwsError> {
    let latest = latest(context, name, request)?;
    if is_unchanged(context, name, &latest) {
        return Ok(latest.published.to_string());
    }
    let Latest { mut settings, code, concurrency, published, .. } = latest;
    let version = (published + 1).to_string();
    let latest_description = settings.description.clone();
    if let Some(description) = request.and_then(|request| request.description.as_ref()) {
        settings.description.clone_from(description);
    }
    let program = context.workspace()?.program(&format!("{name}:{version}"), &settings, &code).await?;
    let zip = if context.store.is_persistent() { Some(blocking(move || code.zip()).await?) } else { None };
    let mut function = Function::version(name.to_owned(), version.clone(), settings, program, request.is_none());
    function.concurrency = concurrency;
    context.with_name(name, |latest| {
        if latest.published != published {
            return Err(conflict(format!(
                "The operation cannot be performed at this time. Version {version} was published meanwhile."
            )));
        }
        latest.published = published + 1;
        latest.published_description = latest_description;
        persistence::store(context, latest);
        Ok(())
    })??;
    persistence::store_with_code(context, &function, zip);
    context.add(function);
    Ok(version)
}

fn latest(context: &Context, name: &str, request: Option<&PublishVersion>) -> Result<Latest, AwsError> {
    context.with_name(name, |latest| {
        if let Some(request) = request {
            latest.must_be_updatable(&context.config, request.revision_id.as_deref())?;
        }
        let code = Arc::clone(&latest.program()?.code);
        let wanted = request.and_then(|request| request.code_sha256.as_ref());
        if let Some(sha256) = wanted.filter(|sha256| **sha256 != code.sha256) {
            return Err(invalid_parameter(format!(
                "CodeSHA256 ({sha256}) is different from current CodeSHA256 in $LATEST ({}). Please try again with the \
                 CodeSHA256 in $LATEST.",
                code.sha256
            )));
        }
        Ok(Latest {
            settings: latest.settings.clone(),
            code,
            concurrency: latest.concurrency.clone(),
            published: latest.published,
            published_description: latest.published_description.clone(),
        })
    })?
}

/// Whether the last version has the settings and the code of `$LATEST`.
fn is_unchanged(context: &Context, name: &str, latest: &Latest) -> bool {
    let is_same = context.with_name(&format!("{name}:{}", latest.published), |last| {
        // The version may have another description, from its publication.
        let mut before = last.settings.clone();
        before.description.clone_from(&latest.published_description);
        before == latest.settings
            && last.program.as_ref().is_ok_and(|program| program.code.sha256 == latest.code.sha256)
    });
    is_same.is_ok_and(|is_same| is_same)
}
