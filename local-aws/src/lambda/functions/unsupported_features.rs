//! Read operations for features that the endpoint does not have. Deployment tools call them and get the response for a
//! function that does not use the feature.

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use super::function_input::FunctionInput;
use crate::error::AwsError;
use crate::lambda::context::Context;
use crate::lambda::errors::not_found;
use crate::lambda::response;

pub fn get_function_code_signing_config(context: &Context, input: FunctionInput) -> Result<Response<Bytes>, AwsError> {
    answer_for_function(context, &input, &json!({}))
}

pub fn get_function_url_config(context: &Context, input: FunctionInput) -> Result<Response<Bytes>, AwsError> {
    input.reference(context)?;
    Err(not_found("The resource you requested does not exist."))
}

pub fn list_function_url_configs(context: &Context, input: FunctionInput) -> Result<Response<Bytes>, AwsError> {
    answer_for_function(context, &input, &json!({ "FunctionUrlConfigs": [] }))
}

/// A chain of functions that pass an event to each other ends after a number of invocations.
pub fn get_function_recursion_config(context: &Context, input: FunctionInput) -> Result<Response<Bytes>, AwsError> {
    answer_for_function(context, &input, &json!({ "RecursiveLoop": "Terminate" }))
}

fn answer_for_function(context: &Context, input: &FunctionInput, answer: &Value) -> Result<Response<Bytes>, AwsError> {
    context.must_exist(&input.reference(context)?)?;
    Ok(response::json(200, answer))
}
