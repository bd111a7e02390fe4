//! What a function's settings must satisfy.

use std::collections::BTreeMap;

use kinesis_event_logger_core::limits;
use serde_json::{Value, json};

use super::logging;
use super::settings::Input;
use super::validation::{Constraints, invalid_parameter};
use crate::error::AwsError;

const ROLE_PATTERN: &str = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+";
/// Bytes of the environment's variables as JSON.
const MAX_ENVIRONMENT_BYTES: usize = 4096;

/// Variables that Lambda sets itself.
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

/// Settings that would change what a function does, and are not carried out: refused rather than ignored.
const NOT_CARRIED_OUT: [&str; 10] = [
    "VpcConfig",
    "DeadLetterConfig",
    "Layers",
    "FileSystemConfigs",
    "ImageConfig",
    "KMSKeyArn",
    "CodeSigningConfigArn",
    "CapacityProviderConfig",
    "DurableConfig",
    "TenancyConfig",
];

/// # Errors
/// As AWS words each broken constraint; what the endpoint does not carry out is refused by name.
pub fn check(input: &Input) -> Result<(), AwsError> {
    let mut constraints = Constraints::default();
    if let Some(role) = &input.role {
        constraints.pattern(is_role_arn(role), role, "role", ROLE_PATTERN);
    }
    constraints.max_length(input.handler.as_deref(), "handler", 128);
    if let Some(handler) = &input.handler {
        constraints.pattern(!handler.contains(char::is_whitespace), handler, "handler", r"[^\s]+");
    }
    constraints.max_length(input.description.as_deref(), "description", 256);
    constraints.within(input.timeout, "timeout", limits::FUNCTION_TIMEOUT_SECONDS);
    constraints.within(input.memory_size, "memorySize", limits::FUNCTION_MEMORY_MIB);
    let storage = input.ephemeral_storage.as_ref().and_then(|config| config.size);
    constraints.range(storage, "ephemeralStorage.size", 512, 10_240);
    let mode = input.tracing_config.as_ref().and_then(|config| config.mode.as_deref());
    constraints.one_of(mode, "tracingConfig.mode", &["Active", "PassThrough"]);
    let apply_on = input.snap_start.as_ref().and_then(|config| config.apply_on.as_deref());
    constraints.one_of(apply_on, "snapStart.applyOn", &["PublishedVersions", "None"]);
    if let Some(logging) = &input.logging_config {
        logging::check(logging, &mut constraints);
    }
    constraints.finish()?;
    if let Some(variables) = input.environment.as_ref().and_then(|environment| environment.variables.as_ref()) {
        check_environment(variables)?;
    }
    for name in NOT_CARRIED_OUT {
        if input.others.get(name).is_some_and(is_set) {
            return Err(invalid_parameter(format!("The local endpoint does not support {name}.")));
        }
    }
    Ok(())
}

fn check_environment(variables: &BTreeMap<String, String>) -> Result<(), AwsError> {
    const UNABLE: &str = "Lambda was unable to configure your environment variables because the environment variables you \
                          have provided";
    let measured = json!(variables).to_string();
    if measured.len() > MAX_ENVIRONMENT_BYTES {
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
    let (mut constraints, mut all_match) = (Constraints::default(), true);
    for key in variables.keys() {
        let mut chars = key.chars();
        let matches = chars.next().is_some_and(|first| first.is_ascii_alphabetic())
            && key.len() > 1
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
        all_match &= matches;
    }
    constraints.secret_keys(all_match, "environment.variables", "[a-zA-Z]([a-zA-Z0-9_])+");
    constraints.finish()
}

fn is_role_arn(role: &str) -> bool {
    let parts: Vec<&str> = role.splitn(6, ':').collect();
    let [arn, partition, iam, region, account, resource] = parts[..] else { return false };
    let name = resource.strip_prefix("role").map(|rest| rest.strip_prefix('/').unwrap_or(rest));
    arn == "arn"
        && partition.starts_with("aws")
        && iam == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && name.is_some_and(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c))
        })
}

/// Whether a client means a member: what it leaves unset it may send as null, as "" or as an empty list.
pub fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(is_set),
        Value::Object(members) => members.values().any(is_set),
        Value::Bool(value) => *value,
        Value::Number(_) => true,
    }
}
