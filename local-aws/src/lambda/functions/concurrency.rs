//! PutFunctionConcurrency, GetFunctionConcurrency and DeleteFunctionConcurrency.

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use serde_json::json;

use super::account_settings::ACCOUNT_CONCURRENCY;
use super::function_input::FunctionInput;
use crate::error::AwsError;
use crate::lambda::context::Context;
use crate::lambda::errors::invalid_parameter;
use crate::lambda::names::{LATEST, Reference};
use crate::lambda::{persistence, response};

/// The concurrency of an account that functions cannot reserve.
const MIN_UNRESERVED: u32 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutFunctionConcurrency {
    function_name: String,
    reserved_concurrent_executions: u32,
}

pub fn put_function_concurrency(context: &Context, input: PutFunctionConcurrency) -> Result<Response<Bytes>, AwsError> {
    let mut reference = Reference::read(&input.function_name, None, &context.config)?;
    // Recorded: the not-found message includes the version.
    reference.qualifier = Some(LATEST.to_owned());
    let before = context.with(&reference, |function| function.concurrency.reserved())?.unwrap_or_default();
    let reserved = input.reserved_concurrent_executions;
    let others = context.total_reserved_concurrency().saturating_sub(before);
    if others.saturating_add(reserved) > ACCOUNT_CONCURRENCY - MIN_UNRESERVED {
        return Err(invalid_parameter(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
             below its minimum value of [{MIN_UNRESERVED}]."
        )));
    }
    reserve(context, &reference, Some(reserved))?;
    Ok(response::json(200, &json!({ "ReservedConcurrentExecutions": reserved })))
}

pub fn get_function_concurrency(context: &Context, input: FunctionInput) -> Result<Response<Bytes>, AwsError> {
    let answer = match context.with(&input.reference(context)?, |function| function.concurrency.reserved())? {
        Some(reserved) => json!({ "ReservedConcurrentExecutions": reserved }),
        None => json!({}),
    };
    Ok(response::json(200, &answer))
}

pub fn delete_function_concurrency(context: &Context, input: FunctionInput) -> Result<Response<Bytes>, AwsError> {
    reserve(context, &input.reference(context)?, None)?;
    Ok(response::empty(204))
}

fn reserve(context: &Context, reference: &Reference, reserved: Option<u32>) -> Result<(), AwsError> {
    context.with(reference, |function| {
        function.concurrency.reserve(reserved);
        persistence::store(context, function);
    })
}
