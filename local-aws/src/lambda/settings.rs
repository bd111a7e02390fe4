//! A function's configuration: read from a request, checked, completed with the defaults, shown as AWS shows it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::platform::Architecture;
use super::runtime::Runtime;
use super::validation::{Constraints, invalid_parameter};
use crate::http_api::AwsError;

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

/// The members that CreateFunction and UpdateFunctionConfiguration share.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    runtime: Option<String>,
    pub role: Option<String>,
    handler: Option<String>,
    description: Option<String>,
    timeout: Option<i64>,
    memory_size: Option<i64>,
    environment: Option<EnvironmentInput>,
    tracing_config: Option<TracingInput>,
    ephemeral_storage: Option<EphemeralStorageInput>,
    snap_start: Option<SnapStartInput>,
    logging_config: Option<LoggingInput>,
    pub revision_id: Option<String>,
    /// Not this module's; named so that a zip of megabytes is skipped, not kept among the others.
    #[serde(rename = "Code")]
    _code: Option<IgnoredAny>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct EnvironmentInput {
    variables: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TracingInput {
    mode: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct EphemeralStorageInput {
    size: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct SnapStartInput {
    apply_on: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct LoggingInput {
    log_format: Option<String>,
    application_log_level: Option<String>,
    system_log_level: Option<String>,
    log_group: Option<String>,
}

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

/// A function's whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub runtime: Runtime,
    pub role: String,
    pub handler: String,
    pub description: String,
    pub timeout_seconds: u32,
    pub memory_mb: u32,
    pub environment: Option<BTreeMap<String, String>>,
    pub architecture: Architecture,
    pub logging: Logging,
    tracing_mode: String,
    ephemeral_storage_mb: i64,
    snap_start: String,
}

/// Where a function logs to, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Logging {
    pub format: Format,
    pub group: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    Text,
    Json { application_level: String, system_level: String },
}

impl Settings {
    /// The settings of a new function.
    ///
    /// # Errors
    /// As AWS words each broken constraint; what the endpoint does not carry out is refused by name.
    pub fn create(input: &Input, function: &str, architecture: Architecture) -> Result<Self, AwsError> {
        let (Some(runtime), Some(handler)) = (&input.runtime, &input.handler) else {
            return Err(invalid_parameter(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
            ));
        };
        let Some(role) = &input.role else {
            return Err(invalid_parameter("The role of the function must be given."));
        };
        check(input)?;
        let new = Self {
            runtime: Runtime::parse(runtime)?,
            role: role.clone(),
            handler: handler.clone(),
            description: String::new(),
            timeout_seconds: 3,
            memory_mb: 128,
            environment: None,
            architecture,
            logging: Logging { format: Format::Text, group: format!("/aws/lambda/{function}") },
            tracing_mode: "PassThrough".into(),
            ephemeral_storage_mb: 512,
            snap_start: "None".into(),
        };
        new.with(input)
    }

    /// The settings after an update: what it does not name stays.
    pub fn update(&self, input: &Input) -> Result<Self, AwsError> {
        check(input)?;
        self.clone().with(input)
    }

    fn with(mut self, input: &Input) -> Result<Self, AwsError> {
        if let Some(runtime) = &input.runtime {
            self.runtime = Runtime::parse(runtime)?;
        }
        set(&mut self.role, input.role.as_ref());
        set(&mut self.handler, input.handler.as_ref());
        set(&mut self.description, input.description.as_ref());
        set(&mut self.timeout_seconds, input.timeout.and_then(|value| u32::try_from(value).ok()).as_ref());
        set(&mut self.memory_mb, input.memory_size.and_then(|value| u32::try_from(value).ok()).as_ref());
        set(&mut self.tracing_mode, input.tracing_config.as_ref().and_then(|config| config.mode.as_ref()));
        set(&mut self.ephemeral_storage_mb, input.ephemeral_storage.as_ref().and_then(|config| config.size.as_ref()));
        set(&mut self.snap_start, input.snap_start.as_ref().and_then(|config| config.apply_on.as_ref()));
        if let Some(environment) = &input.environment {
            self.environment = Some(environment.variables.clone().unwrap_or_default());
        }
        if let Some(logging) = &input.logging_config {
            self.logging = self.logging.with(logging)?;
        }
        Ok(self)
    }

    /// The members of a `FunctionConfiguration` that are settings.
    pub fn to_json(&self) -> serde_json::Map<String, Value> {
        let mut logging = json!({ "LogFormat": "Text", "LogGroup": self.logging.group });
        if let Format::Json { application_level, system_level } = &self.logging.format {
            logging = json!({
                "LogFormat": "JSON",
                "ApplicationLogLevel": application_level,
                "SystemLogLevel": system_level,
                "LogGroup": self.logging.group,
            });
        }
        let mut members = serde_json::Map::new();
        members.extend(
            [
                ("Runtime", json!(self.runtime.id)),
                ("Role", json!(self.role)),
                ("Handler", json!(self.handler)),
                ("Description", json!(self.description)),
                ("Timeout", json!(self.timeout_seconds)),
                ("MemorySize", json!(self.memory_mb)),
                ("TracingConfig", json!({ "Mode": self.tracing_mode })),
                ("PackageType", json!("Zip")),
                ("Architectures", json!([self.architecture.as_str()])),
                ("EphemeralStorage", json!({ "Size": self.ephemeral_storage_mb })),
                ("SnapStart", json!({ "ApplyOn": self.snap_start, "OptimizationStatus": "Off" })),
                ("LoggingConfig", logging),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        if let Some(variables) = &self.environment {
            members.insert("Environment".into(), json!({ "Variables": variables }));
        }
        members
    }
}

impl Logging {
    /// Levels exist in the JSON format only; there they default to INFO (recorded answers of 2025-11).
    fn with(&self, input: &LoggingInput) -> Result<Self, AwsError> {
        let is_json = match input.log_format.as_deref() {
            Some(format) => format == "JSON",
            None => self.format != Format::Text,
        };
        let has_level = input.application_log_level.is_some() || input.system_log_level.is_some();
        if has_level && !is_json {
            return Err(invalid_parameter("Log levels can be set only when LogFormat is JSON."));
        }
        let (application, system) = match &self.format {
            Format::Json { application_level, system_level } => (application_level.as_str(), system_level.as_str()),
            Format::Text => ("INFO", "INFO"),
        };
        let level = |given: &Option<String>, before: &str| given.clone().unwrap_or_else(|| before.to_owned());
        let format = if is_json {
            Format::Json {
                application_level: level(&input.application_log_level, application),
                system_level: level(&input.system_log_level, system),
            }
        } else {
            Format::Text
        };
        Ok(Self { format, group: input.log_group.clone().unwrap_or_else(|| self.group.clone()) })
    }
}

fn set<T: Clone>(member: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        *member = value.clone();
    }
}

fn check(input: &Input) -> Result<(), AwsError> {
    let mut constraints = Constraints::default();
    if let Some(role) = &input.role {
        constraints.pattern(is_role_arn(role), role, "role", ROLE_PATTERN);
    }
    constraints.max_length(input.handler.as_deref(), "handler", 128);
    if let Some(handler) = &input.handler {
        constraints.pattern(!handler.contains(char::is_whitespace), handler, "handler", r"[^\s]+");
    }
    constraints.max_length(input.description.as_deref(), "description", 256);
    constraints.range(input.timeout, "timeout", 1, 900);
    constraints.range(input.memory_size, "memorySize", 128, 10_240);
    let storage = input.ephemeral_storage.as_ref().and_then(|config| config.size);
    constraints.range(storage, "ephemeralStorage.size", 512, 10_240);
    let mode = input.tracing_config.as_ref().and_then(|config| config.mode.as_deref());
    constraints.one_of(mode, "tracingConfig.mode", &["Active", "PassThrough"]);
    let apply_on = input.snap_start.as_ref().and_then(|config| config.apply_on.as_deref());
    constraints.one_of(apply_on, "snapStart.applyOn", &["PublishedVersions", "None"]);
    if let Some(logging) = &input.logging_config {
        check_logging(logging, &mut constraints);
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

fn check_logging(logging: &LoggingInput, constraints: &mut Constraints) {
    constraints.one_of(logging.log_format.as_deref(), "loggingConfig.logFormat", &["JSON", "Text"]);
    let levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    constraints.one_of(logging.application_log_level.as_deref(), "loggingConfig.applicationLogLevel", &levels);
    let levels = ["DEBUG", "INFO", "WARN"];
    constraints.one_of(logging.system_log_level.as_deref(), "loggingConfig.systemLogLevel", &levels);
    constraints.max_length(logging.log_group.as_deref(), "loggingConfig.logGroup", 512);
    if let Some(group) = &logging.log_group {
        let is_group_char = |c: char| c.is_ascii_alphanumeric() || ".-_/#".contains(c);
        let matches = !group.is_empty() && group.chars().all(is_group_char);
        constraints.pattern(matches, group, "loggingConfig.logGroup", r"[\.\-_/#A-Za-z0-9]+");
    }
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
    let mut constraints = Constraints::default();
    for key in variables.keys() {
        let mut chars = key.chars();
        let matches = chars.next().is_some_and(|first| first.is_ascii_alphabetic())
            && key.len() > 1
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
        constraints.pattern(matches, key, "environment.variables", "[a-zA-Z]([a-zA-Z0-9_])+");
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::000000000000:role/r";

    fn input(value: Value) -> Input {
        serde_json::from_value(value).unwrap()
    }

    fn create(more: Value) -> Result<Settings, AwsError> {
        let mut members = json!({ "Runtime": "python3.12", "Handler": "index.handler", "Role": ROLE });
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Settings::create(&input(members), "f", Architecture::X86_64)
    }

    #[test]
    fn the_defaults_are_awss() {
        let shown = Value::Object(create(json!({})).unwrap().to_json());
        assert_eq!(
            shown,
            json!({
                "Architectures": ["x86_64"], "Description": "", "EphemeralStorage": { "Size": 512 },
                "Handler": "index.handler", "LoggingConfig": { "LogFormat": "Text", "LogGroup": "/aws/lambda/f" },
                "MemorySize": 128, "PackageType": "Zip", "Role": ROLE, "Runtime": "python3.12",
                "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" }, "Timeout": 3,
                "TracingConfig": { "Mode": "PassThrough" },
            })
        );
    }

    #[test]
    fn an_update_keeps_what_it_does_not_name() {
        let before = create(json!({ "Environment": { "Variables": { "AB": "1" } }, "MemorySize": 256 })).unwrap();
        let after = before.update(&input(json!({ "Timeout": 10, "Description": "changed" }))).unwrap();
        assert_eq!((after.timeout_seconds, after.memory_mb, after.description.as_str()), (10, 256, "changed"));
        assert_eq!(after.environment, before.environment);
        let cleared = after.update(&input(json!({ "Environment": {} }))).unwrap();
        assert_eq!(cleared.environment, Some(BTreeMap::new()));
    }

    #[test]
    fn levels_go_with_the_json_format() {
        let text = create(json!({})).unwrap();
        let json = text.update(&input(json!({ "LoggingConfig": { "LogFormat": "JSON" } }))).unwrap();
        let levels = |application: &str, system: &str| Format::Json {
            application_level: application.into(),
            system_level: system.into(),
        };
        assert_eq!(json.logging.format, levels("INFO", "INFO"));
        let debug = json.update(&input(json!({ "LoggingConfig": { "ApplicationLogLevel": "DEBUG" } }))).unwrap();
        assert_eq!(debug.logging.format, levels("DEBUG", "INFO"));
        let text = debug.update(&input(json!({ "LoggingConfig": { "LogFormat": "Text" } }))).unwrap();
        assert_eq!(text.logging.format, Format::Text);
        let moved = text.update(&input(json!({ "LoggingConfig": { "LogGroup": "cool_lambda" } }))).unwrap();
        assert_eq!((moved.logging.format, moved.logging.group.as_str()), (Format::Text, "cool_lambda"));
    }

    #[test]
    fn constraints_are_worded_as_aws_words_them() {
        let error = create(json!({ "Role": "r1" })).unwrap_err();
        assert_eq!(error.code, "ValidationException");
        assert_eq!(
            error.message,
            r"1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
        );
        let error = create(json!({ "Timeout": 901, "MemorySize": 1 })).unwrap_err();
        assert!(error.message.starts_with("2 validation errors detected: Value '901' at 'timeout'"), "{error:?}");
        let big = "x".repeat(5000);
        let error = create(json!({ "Environment": { "Variables": { "LARGE_VAR": big } } })).unwrap_err();
        assert_eq!(
            error.message,
            format!(
                "Lambda was unable to configure your environment variables because the environment variables you have \
                 provided exceeded the 4KB limit. String measured: {{\"LARGE_VAR\":\"{big}\"}}"
            )
        );
        let error = create(json!({ "Environment": { "Variables": { "AWS_REGION": "x" } } })).unwrap_err();
        assert!(error.message.ends_with("Reserved keys used in this request: AWS_REGION"));
    }

    #[test]
    fn what_is_not_carried_out_is_refused_only_when_it_is_set() {
        let error = create(json!({ "Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"] })).unwrap_err();
        assert_eq!(error.message, "The local endpoint does not support Layers.");
        let empty = json!({ "Layers": [], "VpcConfig": { "SubnetIds": [], "SecurityGroupIds": [] }, "KMSKeyArn": "" });
        assert!(create(empty).is_ok());
        assert!(create(json!({ "DeadLetterConfig": { "TargetArn": "arn:aws:sqs:x" } })).is_err());
    }
}
