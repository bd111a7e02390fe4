//! A function's settings: a request's members completed with the defaults, and the members of a `FunctionConfiguration`.

use std::collections::BTreeMap;

use lambda_package::Architecture;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::environment;
use super::logging::{Format, Logging, LoggingInput};
use super::runtime::Runtime;
use crate::error::AwsError;
use crate::lambda::errors::invalid_parameter;

/// Settings that would change a function's behaviour and that the endpoint does not support. They are rejected rather
/// than ignored.
const NOT_SUPPORTED: [&str; 8] = [
    "DeadLetterConfig",
    "Layers",
    "FileSystemConfigs",
    "ImageConfig",
    "CodeSigningConfigArn",
    "CapacityProviderConfig",
    "DurableConfig",
    "TenancyConfig",
];

/// The members that CreateFunction and UpdateFunctionConfiguration share. The service model has checked them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ConfigurationInput {
    pub runtime: Option<String>,
    pub role: Option<String>,
    pub handler: Option<String>,
    pub description: Option<String>,
    pub timeout: Option<i64>,
    pub memory_size: Option<i64>,
    pub environment: Option<EnvironmentInput>,
    pub tracing_config: Option<TracingInput>,
    pub ephemeral_storage: Option<EphemeralStorageInput>,
    pub snap_start: Option<SnapStartInput>,
    pub logging_config: Option<LoggingInput>,
    pub vpc_config: Option<VpcInput>,
    #[serde(rename = "KMSKeyArn")]
    pub kms_key_arn: Option<String>,
    pub revision_id: Option<String>,
    /// Other modules read the code. The member is named here so that a zip of megabytes is skipped and not copied into
    /// `others`.
    #[serde(rename = "Code")]
    _code: Option<IgnoredAny>,
    #[serde(flatten)]
    pub others: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EnvironmentInput {
    pub variables: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VpcInput {
    pub subnet_ids: Option<Vec<String>>,
    pub security_group_ids: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TracingInput {
    pub mode: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EphemeralStorageInput {
    pub size: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SnapStartInput {
    pub apply_on: Option<String>,
}

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
    /// Described as it was set. A function runs in this machine's network, and its variables are not encrypted.
    vpc: Option<Vpc>,
    kms_key_arn: Option<String>,
}

/// The network of a function.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Vpc {
    subnet_ids: Vec<String>,
    security_group_ids: Vec<String>,
}

impl Settings {
    /// The settings of a new function.
    ///
    /// # Errors
    /// AWS's message for settings that do not fit together; a setting that the endpoint does not support, by name.
    pub fn create(input: &ConfigurationInput, function: &str, architecture: Architecture) -> Result<Self, AwsError> {
        let (Some(runtime), Some(handler)) = (&input.runtime, &input.handler) else {
            return Err(invalid_parameter(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
            ));
        };
        check(input)?;
        let new = Self {
            runtime: Runtime::parse(runtime)?,
            role: String::new(),
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
            vpc: None,
            kms_key_arn: None,
        };
        new.with(input)
    }

    /// The settings after an update. Members that the request does not set keep their values.
    ///
    /// # Errors
    /// As [`Settings::create`].
    pub fn update(&self, input: &ConfigurationInput) -> Result<Self, AwsError> {
        check(input)?;
        self.clone().with(input)
    }

    fn with(mut self, input: &ConfigurationInput) -> Result<Self, AwsError> {
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
        if let Some(vpc) = &input.vpc_config {
            self.vpc = Some(self.vpc.unwrap_or(Vpc::EMPTY).with(vpc)?);
        }
        if let Some(key) = &input.kms_key_arn {
            self.kms_key_arn = Some(key.clone()).filter(|key| !key.is_empty());
        }
        Ok(self)
    }

    /// The members of a `FunctionConfiguration` that are settings.
    pub fn to_json(&self) -> serde_json::Map<String, Value> {
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
                ("LoggingConfig", self.logging.to_json()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        if let Some(variables) = &self.environment {
            members.insert("Environment".into(), json!({ "Variables": variables }));
        }
        if let Some(vpc) = &self.vpc {
            members.insert("VpcConfig".into(), json!(vpc));
        }
        if let Some(key) = &self.kms_key_arn {
            members.insert("KMSKeyArn".into(), json!(key));
        }
        members
    }
}

impl Vpc {
    const EMPTY: Self = Self { subnet_ids: Vec::new(), security_group_ids: Vec::new() };

    fn with(self, input: &VpcInput) -> Result<Self, AwsError> {
        let vpc = Self {
            subnet_ids: input.subnet_ids.clone().unwrap_or(self.subnet_ids),
            security_group_ids: input.security_group_ids.clone().unwrap_or(self.security_group_ids),
        };
        if vpc.subnet_ids.is_empty() != vpc.security_group_ids.is_empty() {
            // As people report it: <https://github.com/aws/aws-sdk-js/issues/1293>.
            return Err(invalid_parameter("SubnetIds and SecurityIds must coexist or be both empty list."));
        }
        Ok(vpc)
    }
}

fn check(input: &ConfigurationInput) -> Result<(), AwsError> {
    if let Some(variables) = input.environment.as_ref().and_then(|environment| environment.variables.as_ref()) {
        environment::check(variables)?;
    }
    match NOT_SUPPORTED.iter().find(|name| input.others.get(**name).is_some_and(is_set)) {
        Some(name) => Err(invalid_parameter(format!("The local endpoint does not support {name}."))),
        None => Ok(()),
    }
}

/// Whether a request sets a member: clients send null, "" or an empty list for a member that they leave unset.
pub fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(is_set),
        Value::Object(members) => members.values().any(is_set),
    }
}

fn set<T: Clone>(member: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        *member = value.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validation::LAMBDA;

    const ROLE: &str = "arn:aws:iam::000000000000:role/r";

    fn input(value: Value) -> ConfigurationInput {
        serde_json::from_value(value).unwrap()
    }

    fn create(more: Value) -> Result<Settings, AwsError> {
        let mut members = json!({
            "FunctionName": "f", "Code": {}, "Runtime": "python3.12", "Handler": "index.handler", "Role": ROLE,
        });
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let read = LAMBDA.read("CreateFunction", serde_json::from_value(members).unwrap())?;
        Settings::create(&input(read), "f", Architecture::X86_64)
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
    fn an_update_keeps_the_settings_that_it_does_not_name() {
        let before = create(json!({ "Environment": { "Variables": { "AB": "1" } }, "MemorySize": 256 })).unwrap();
        let after = before.update(&input(json!({ "Timeout": 10, "Description": "changed" }))).unwrap();
        assert_eq!((after.timeout_seconds, after.memory_mb, after.description.as_str()), (10, 256, "changed"));
        assert_eq!(after.environment, before.environment);
        let cleared = after.update(&input(json!({ "Environment": {} }))).unwrap();
        assert_eq!(cleared.environment, Some(BTreeMap::new()));
    }

    #[test]
    fn violated_constraints_have_awss_messages() {
        let error = create(json!({ "Role": "r1" })).unwrap_err();
        assert_eq!(error.code, "ValidationException");
        assert_eq!(
            error.message,
            r"1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
        );
        let error = create(json!({ "Timeout": 1801, "MemorySize": 1 })).unwrap_err();
        assert!(error.message.starts_with("2 validation errors detected: Value '1801' at 'timeout'"), "{error:?}");
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
    fn a_timeout_is_30_minutes_at_most() {
        assert_eq!(create(json!({ "Timeout": 1800 })).unwrap().timeout_seconds, 1800);
    }

    #[test]
    fn an_empty_handler_and_a_storage_without_size_are_rejected() {
        let error = create(json!({ "Handler": "", "EphemeralStorage": {} })).unwrap_err();
        assert_eq!(
            error.message,
            r"2 validation errors detected: Value '' at 'handler' failed to satisfy constraint: Member must satisfy regular expression pattern: [^\s]+; Value null at 'ephemeralStorage.size' failed to satisfy constraint: Member must not be null"
        );
    }

    #[test]
    fn a_network_and_a_key_are_described_as_they_were_set() {
        let vpc = json!({ "SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"] });
        let key = "arn:aws:kms:us-east-1:000000000000:key/1";
        let settings = create(json!({ "VpcConfig": vpc, "KMSKeyArn": key })).unwrap();
        let shown = settings.to_json();
        assert_eq!((&shown["VpcConfig"], &shown["KMSKeyArn"]), (&vpc, &json!(key)));
        assert_eq!(settings.update(&input(json!({ "Timeout": 3 }))).unwrap(), settings);
        let none = json!({ "SubnetIds": [], "SecurityGroupIds": [] });
        let shown = settings.update(&input(json!({ "VpcConfig": none, "KMSKeyArn": "" }))).unwrap().to_json();
        assert_eq!((&shown["VpcConfig"], shown.get("KMSKeyArn")), (&none, None));
        let error = create(json!({ "VpcConfig": { "SubnetIds": ["subnet-1"] } })).unwrap_err();
        assert_eq!(error.message, "SubnetIds and SecurityIds must coexist or be both empty list.");
    }

    #[test]
    fn an_unsupported_setting_is_rejected_only_when_it_is_set() {
        let error = create(json!({ "Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"] })).unwrap_err();
        assert_eq!(error.message, "The local endpoint does not support Layers.");
        let empty = json!({ "Layers": [], "VpcConfig": { "SubnetIds": [], "SecurityGroupIds": [] }, "KMSKeyArn": "" });
        assert!(create(empty).is_ok());
        assert!(create(json!({ "DeadLetterConfig": { "TargetArn": "arn:aws:sqs:x" } })).is_err());
    }
}
