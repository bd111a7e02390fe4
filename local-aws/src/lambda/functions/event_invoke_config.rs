//! PutFunctionEventInvokeConfig, UpdateFunctionEventInvokeConfig, GetFunctionEventInvokeConfig,
//! DeleteFunctionEventInvokeConfig and ListFunctionEventInvokeConfigs.

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use serde::Deserialize;

use super::function_input::FunctionInput;
use crate::error::AwsError;
use crate::lambda::context::Context;
use crate::lambda::destinations::{Destination, DestinationConfig, Service};
use crate::lambda::errors::{invalid_parameter, not_found};
use crate::lambda::function::EventInvokeConfig;
use crate::lambda::names::{LATEST, Reference, function_arn};
use crate::lambda::{persistence, response};

/// The most configurations of a page.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionEventInvokeConfigs.html>
const PAGE: usize = 50;

/// The input of PutFunctionEventInvokeConfig and UpdateFunctionEventInvokeConfig.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventInvokeInput {
    function_name: String,
    qualifier: Option<String>,
    maximum_retry_attempts: Option<u32>,
    maximum_event_age_in_seconds: Option<i64>,
    destination_config: Option<DestinationConfig>,
}

/// Replaces the configuration.
pub fn put_function_event_invoke_config(
    context: &Context,
    input: EventInvokeInput,
) -> Result<Response<Bytes>, AwsError> {
    set(context, &input, false)
}

/// Changes members of an existing configuration.
pub fn update_function_event_invoke_config(
    context: &Context,
    input: EventInvokeInput,
) -> Result<Response<Bytes>, AwsError> {
    set(context, &input, true)
}

pub fn get_function_event_invoke_config(context: &Context, input: FunctionInput) -> Result<Response<Bytes>, AwsError> {
    let (reference, qualifier) = qualified(input.reference(context)?);
    let config = context.with_name(&reference.name, |latest| latest.event_invoke.get(&qualifier).cloned());
    let config = config.ok().flatten().ok_or_else(|| no_config(context, &reference))?;
    Ok(response::json(200, &config.to_json(reference.arn(&context.config))))
}

pub fn delete_function_event_invoke_config(
    context: &Context,
    input: FunctionInput,
) -> Result<Response<Bytes>, AwsError> {
    let (reference, qualifier) = qualified(input.reference(context)?);
    let removed = context.with_name(&reference.name, |latest| {
        let removed = latest.event_invoke.remove(&qualifier);
        persistence::store(context, latest);
        removed
    });
    removed.ok().flatten().map(|_| response::empty(204)).ok_or_else(|| no_config(context, &reference))
}

pub fn list_function_event_invoke_configs(
    context: &Context,
    input: FunctionInput,
) -> Result<Response<Bytes>, AwsError> {
    let name = Reference::read(&input.function_name, None, &context.config)?.name;
    let arn = function_arn(&context.config, &name);
    let listed = context.with_name(&name, |latest| {
        let configs = latest.event_invoke.iter();
        let shown =
            configs.map(|(qualifier, config)| (qualifier.as_str(), config.to_json(format!("{arn}:{qualifier}"))));
        response::list("FunctionEventInvokeConfigs", &arn, shown, &input.page, PAGE)
    });
    listed.map_err(|_| no_function())?
}

fn set(context: &Context, input: &EventInvokeInput, is_update: bool) -> Result<Response<Bytes>, AwsError> {
    let reference = Reference::read(&input.function_name, input.qualifier.as_deref(), &context.config)?;
    let (reference, qualifier) = qualified(reference);
    let has_error_handling = input.maximum_retry_attempts.is_some() || input.maximum_event_age_in_seconds.is_some();
    if !has_error_handling && input.destination_config.is_none() {
        return Err(invalid_parameter("You must specify at least one of error handling or destination setting."));
    }
    context.must_exist(&reference).map_err(|_| no_function())?;
    if let Some(config) = &input.destination_config {
        check_destination(context, &reference.name, config.on_success(), true)?;
        check_destination(context, &reference.name, config.on_failure(), false)?;
    }
    let shown = context.with_name(&reference.name, |latest| {
        let before = latest.event_invoke.get(&qualifier).filter(|_| is_update).cloned();
        if is_update && before.is_none() {
            return None;
        }
        let config = merged(before.unwrap_or_default(), input);
        let shown = config.to_json(reference.arn(&context.config));
        latest.event_invoke.insert(qualifier, config);
        persistence::store(context, latest);
        Some(shown)
    })?;
    shown.map(|shown| response::json(200, &shown)).ok_or_else(|| no_config(context, &reference))
}

fn merged(mut config: EventInvokeConfig, input: &EventInvokeInput) -> EventInvokeConfig {
    config.max_retries = input.maximum_retry_attempts.or(config.max_retries);
    config.max_age_seconds = input.maximum_event_age_in_seconds.or(config.max_age_seconds);
    if let Some(destinations) = &input.destination_config {
        destinations.on_success().clone_into(&mut config.on_success);
        destinations.on_failure().clone_into(&mut config.on_failure);
    }
    config.last_modified = Timestamp::now().as_millisecond() as f64 / 1000.0;
    config
}

fn check_destination(context: &Context, function: &str, arn: &str, is_on_success: bool) -> Result<(), AwsError> {
    let invalid_arn = || invalid_parameter(format!("The destination ARN {arn} is invalid."));
    match arn.split(':').nth(2) {
        Some("lambda") => {
            let target = Reference::read(arn, None, &context.config);
            let found = target.and_then(|target| context.with(&target, |found| found.name.clone()));
            if found.map_err(|_| invalid_arn())? == function {
                return Err(invalid_parameter("You can't specify the function as a destination for itself."));
            }
            Ok(())
        }
        Some("sqs" | "sns" | "s3" | "events") | None => {
            let is_bucket = Destination::read(arn)?.is_some_and(|destination| destination.service == Service::S3);
            // The documentation says that a bucket receives failures only. AWS's message is unverified.
            if is_bucket && is_on_success { Err(invalid_arn()) } else { Ok(()) }
        }
        Some(_) => {
            let (success, failure) = match is_on_success {
                true => (format!("OnSuccess(destination={arn})"), "null".to_owned()),
                false => ("null".to_owned(), format!("OnFailure(destination={arn})")),
            };
            Err(invalid_parameter(format!(
                "The provided destination config DestinationConfig(onSuccess={success}, onFailure={failure}) is invalid."
            )))
        }
    }
}

/// The reference with its qualifier, `$LATEST` if it has none.
fn qualified(mut reference: Reference) -> (Reference, String) {
    let qualifier = reference.qualifier.get_or_insert_with(|| LATEST.to_owned()).clone();
    (reference, qualifier)
}

fn no_config(context: &Context, reference: &Reference) -> AwsError {
    not_found(format!("The function {} doesn't have an EventInvokeConfig", reference.arn(&context.config)))
}

fn no_function() -> AwsError {
    not_found("The function doesn't exist.")
}
