//! The environment variables that a function may set. The service model checks their names.

use std::collections::BTreeMap;

use serde_json::json;

use crate::error::AwsError;
use crate::lambda::errors::invalid_parameter;

/// The most bytes of all variables as JSON.
const MAX_BYTES: usize = 4096;

/// The variables that Lambda sets itself.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
const RESERVED: [&str; 17] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

/// # Errors
/// Too many bytes, or a variable that Lambda sets.
pub fn check(variables: &BTreeMap<String, String>) -> Result<(), AwsError> {
    const UNABLE: &str = "Lambda was unable to configure your environment variables because the environment variables you \
                          have provided";
    let measured = json!(variables).to_string();
    if measured.len() > MAX_BYTES {
        return Err(invalid_parameter(format!("{UNABLE} exceeded the 4KB limit. String measured: {measured}")));
    }
    let reserved: Vec<&str> = variables.keys().map(String::as_str).filter(|key| RESERVED.contains(key)).collect();
    if !reserved.is_empty() {
        return Err(invalid_parameter(format!(
            "{UNABLE} contains reserved keys that are currently not supported for modification. Reserved keys used in this \
             request: {}",
            reserved.join(", ")
        )));
    }
    Ok(())
}
