//! GetFunction, GetFunctionConfiguration, and the download of a function's code.

use bytes::Bytes;
use http::Response;
use jiff::SignedDuration;
use serde_json::json;

use super::function_input::FunctionInput;
use crate::config::Config;
use crate::error::AwsError;
use crate::lambda::context::Context;
use crate::lambda::response;
use crate::lambda::workspace::blocking;
use crate::signature::presigned;

pub fn get_function(context: &Context, input: FunctionInput) -> Result<Response<Bytes>, AwsError> {
    let reference = input.reference(context)?;
    context.with(&reference, |function| {
        let config = &context.config;
        let mut answer = json!({
            "Configuration": function.configuration(config, reference.qualifier.as_deref()),
            "Code": { "RepositoryType": "S3", "Location": download_url(config, &function.key()) },
        });
        if let Some(reserved) = function.concurrency.reserved() {
            answer["Concurrency"] = json!({ "ReservedConcurrentExecutions": reserved });
        }
        if !function.tags.is_empty() {
            answer["Tags"] = json!(function.tags);
        }
        response::json(200, &answer)
    })
}

pub fn get_function_configuration(context: &Context, input: FunctionInput) -> Result<Response<Bytes>, AwsError> {
    let reference = input.reference(context)?;
    let qualifier = reference.qualifier.as_deref();
    context.with(&reference, |function| response::json(200, &function.configuration(&context.config, qualifier)))
}

/// Serves the `Code.Location` of GetFunction, which on AWS is a presigned URL of S3.
pub async fn download_code(context: Context, input: FunctionInput) -> Result<Response<Bytes>, AwsError> {
    let reference = input.reference(&context)?;
    let code = context.with(&reference, |function| function.program().map(|program| program.code.clone()))??;
    let mut response = Response::new(blocking(move || code.zip()).await?);
    let content_type = http::HeaderValue::from_static("application/zip");
    response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    Ok(response)
}

/// Presigned as on AWS: the URL needs no credentials and expires after ten minutes.
fn download_url(config: &Config, name: &str) -> String {
    presigned(config, &format!("/2015-03-31/functions/{name}/code"), SignedDuration::from_mins(10))
}
