//! A CloudFormation template.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html>

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{ExportedPath, Reference, Row, located};
use crate::function::RUNTIME;
use crate::provision::desired::{MANAGED_POLICY, inline_policy};
use crate::provision::setting::Part::{self, Function, LogGroup, Mapping, Role, Stream};

/// The properties that settings become.
pub const SETTINGS_IN: &[Row] = &[
    (Stream, "shards", |value| match value.as_i64() {
        Some(count) => json!({ "ShardCount": count }),
        None => json!({ "StreamModeDetails": { "StreamMode": "ON_DEMAND" } }),
    }),
    (Stream, "retention-hours", |value| json!({ "RetentionPeriodHours": value })),
    (Stream, "max-record-kib", |value| json!({ "MaxRecordSizeInKiB": value })),
    (Stream, "warm-throughput-mibps", |value| json!({ "WarmThroughputMiBps": value })),
    (Stream, "distribution", |value| json!({ "RecordDistributionStrategy": value })),
    (Stream, "encryption-key", |value| json!({ "StreamEncryption": { "EncryptionType": "KMS", "KeyId": value } })),
    (Role, "managed-policy", |value| match value.as_bool() {
        Some(true) => {
            json!({ "ManagedPolicyArns": [sub(&format!("arn:${{AWS::Partition}}:iam::aws:policy/{MANAGED_POLICY}"))] })
        }
        _ => json!({}),
    }),
    (LogGroup, "retention-days", |value| match value.as_i64() {
        Some(0) => json!({}),
        _ => json!({ "RetentionInDays": value }),
    }),
    (LogGroup, "class", |value| json!({ "LogGroupClass": value })),
    (LogGroup, "kms-key", |value| json!({ "KmsKeyId": value })),
    (LogGroup, "deletion-protection", |value| json!({ "DeletionProtectionEnabled": value })),
    (Function, "memory", |value| json!({ "MemorySize": value })),
    (Function, "timeout", |value| json!({ "Timeout": value })),
    (Function, "log-format", |value| json!({ "LoggingConfig": { "LogFormat": value } })),
    (Function, "application-log-level", |value| json!({ "LoggingConfig": { "ApplicationLogLevel": value } })),
    (Function, "system-log-level", |value| json!({ "LoggingConfig": { "SystemLogLevel": value } })),
    (Function, "tracing", |value| json!({ "TracingConfig": { "Mode": value } })),
    (Function, "kms-key", |value| json!({ "KmsKeyArn": value })),
    (Function, "subnets", |value| json!({ "VpcConfig": { "SubnetIds": value } })),
    (Function, "security-groups", |value| json!({ "VpcConfig": { "SecurityGroupIds": value } })),
    (Function, "environment", |value| json!({ "Environment": { "Variables": value } })),
    (Function, "reserved-concurrency", |value| json!({ "ReservedConcurrentExecutions": value })),
    (Mapping, "enabled", |value| json!({ "Enabled": value })),
    (Mapping, "batch-size", |value| json!({ "BatchSize": value })),
    (Mapping, "batch-window", |value| json!({ "MaximumBatchingWindowInSeconds": value })),
    (Mapping, "parallelization-factor", |value| json!({ "ParallelizationFactor": value })),
    (Mapping, "retries", |value| json!({ "MaximumRetryAttempts": value })),
    (Mapping, "max-record-age", |value| json!({ "MaximumRecordAgeInSeconds": value })),
    (Mapping, "bisect", |value| json!({ "BisectBatchOnFunctionError": value })),
    (Mapping, "partial-responses", |value| match value.as_bool() {
        Some(true) => json!({ "FunctionResponseTypes": ["ReportBatchItemFailures"] }),
        _ => json!({}),
    }),
    (Mapping, "on-failure", |value| json!({ "DestinationConfig": { "OnFailure": { "Destination": value } } })),
    (Mapping, "filters", |value| {
        let patterns = value.as_array().into_iter().flatten();
        json!({ "FilterCriteria": { "Filters": patterns.map(|pattern| json!({ "Pattern": pattern })).collect::<Vec<_>>() } })
    }),
    (Mapping, "tumbling-window", |value| json!({ "TumblingWindowInSeconds": value })),
    (Mapping, "metrics", |value| match value.as_bool() {
        Some(true) => json!({ "MetricsConfig": { "Metrics": ["EventCount"] } }),
        _ => json!({}),
    }),
    // The source is written with the mapping.
    (Mapping, "fan-out", |_| json!({})),
    (Mapping, "starting-position", |value| json!({ "StartingPosition": value })),
    (Mapping, "starting-timestamp", |value| {
        let time = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
        json!({ "StartingPositionTimestamp": time.map(|time| time.as_second()) })
    }),
];

/// A resource of the template.
pub struct Resource {
    pub id: String,
    /// Such as `AWS::Kinesis::Stream`.
    pub kind: &'static str,
    pub properties: Map<String, Value>,
    /// A version of the function stays, because the alias may have to go back to it.
    pub is_retained: bool,
}

/// The template, with parameters for the place of the function's zip.
pub fn template(path: &ExportedPath) -> Value {
    let code = json!({ "S3Bucket": { "Ref": "CodeBucket" }, "S3Key": { "Ref": "CodeKey" } });
    let parameter = |about: &str| json!({ "Type": "String", "Description": about });
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": description(path),
        "Parameters": {
            "CodeBucket": parameter("Bucket of the function's zip"),
            "CodeKey": parameter("Key of the function's zip in the bucket"),
        },
        "Resources": described(&resources(path, &code)),
    })
}

pub fn description(path: &ExportedPath) -> String {
    format!("Logs each record of the stream {} as one line in {}", path.names.stream(), path.names.log_group())
}

/// The resources as members of the template.
pub fn described(resources: &[Resource]) -> Value {
    let described = resources.iter().map(|resource| {
        let mut members = json!({ "Type": resource.kind, "Properties": resource.properties });
        if resource.is_retained {
            members["DeletionPolicy"] = json!("Retain");
            members["UpdateReplacePolicy"] = json!("Retain");
        }
        (resource.id.clone(), members)
    });
    Value::Object(described.collect())
}

/// All resources, each after those that it refers to.
pub fn resources(path: &ExportedPath, code: &Value) -> Vec<Resource> {
    let mut resources = base(path);
    let version = version_id(path);
    resources.extend([
        Resource {
            id: "Function".into(),
            kind: "AWS::Lambda::Function",
            properties: function(path, code),
            is_retained: false,
        },
        Resource {
            id: version.clone(),
            kind: "AWS::Lambda::Version",
            properties: members(json!({ "FunctionName": { "Ref": "Function" } })),
            is_retained: true,
        },
        Resource {
            id: "Live".into(),
            kind: "AWS::Lambda::Alias",
            properties: members(json!({
                "FunctionName": { "Ref": "Function" },
                "FunctionVersion": attribute(&version, "Version"),
                "Name": "live",
            })),
            is_retained: false,
        },
    ]);
    let mut mapping = mapping(path);
    mapping.insert("FunctionName".into(), json!({ "Ref": "Live" }));
    mapping.insert("Tags".into(), tags(path));
    resources.push(Resource {
        id: "Mapping".into(),
        kind: "AWS::Lambda::EventSourceMapping",
        properties: mapping,
        is_retained: false,
    });
    resources
}

/// The stream, its consumer, the role and the log group.
pub fn base(path: &ExportedPath) -> Vec<Resource> {
    let names = &path.names;
    let resource = |id: &str, kind: &'static str, part: Part, more: Value| {
        let mut properties = path.settings(part, SETTINGS_IN);
        properties.extend(members(more));
        properties.insert("Tags".into(), tags(path));
        Resource { id: id.to_owned(), kind, properties, is_retained: false }
    };
    let mut resources = vec![resource("Stream", "AWS::Kinesis::Stream", Stream, json!({ "Name": names.stream() }))];
    if has_consumer(path) {
        resources.push(Resource {
            id: "Consumer".into(),
            kind: "AWS::Kinesis::StreamConsumer",
            properties: members(json!({ "ConsumerName": names.function(), "StreamARN": attribute("Stream", "Arn") })),
            is_retained: false,
        });
    }
    resources.push(resource("LogGroup", "AWS::Logs::LogGroup", LogGroup, json!({ "LogGroupName": names.log_group() })));
    let mut role = json!({
        "RoleName": names.role(),
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": { "Service": "lambda.amazonaws.com" },
            }],
        },
    });
    if let Some(policy) = path.policy(&refer) {
        let name = refer(Reference::Text(&inline_policy(&super::anywhere())));
        role["Policies"] = json!([{ "PolicyName": name, "PolicyDocument": policy }]);
    }
    resources.push(resource("Role", "AWS::IAM::Role", Role, role));
    resources
}

/// The properties of the function.
pub fn function(path: &ExportedPath, code: &Value) -> Map<String, Value> {
    let mut properties = path.settings(Function, SETTINGS_IN);
    let more = json!({
        "FunctionName": path.names.function(),
        "Runtime": RUNTIME,
        "Handler": "bootstrap",
        "Architectures": [path.architecture()],
        "Role": attribute("Role", "Arn"),
        "Code": code,
        "LoggingConfig": { "LogGroup": { "Ref": "LogGroup" } },
        "Tags": tags(path),
    });
    super::merge(&mut properties, more);
    properties
}

/// The properties of the mapping, without its function and tags.
pub fn mapping(path: &ExportedPath) -> Map<String, Value> {
    let mut properties = path.settings(Mapping, SETTINGS_IN);
    let source = match has_consumer(path) {
        true => attribute("Consumer", "ConsumerARN"),
        false => attribute("Stream", "Arn"),
    };
    properties.insert("EventSourceArn".into(), source);
    properties
}

pub fn tags(path: &ExportedPath) -> Value {
    path.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

fn has_consumer(path: &ExportedPath) -> bool {
    path.fields(Mapping).bool("fan-out") == Some(true)
}

/// A version is never updated: another zip needs another version.
fn version_id(path: &ExportedPath) -> String {
    let code = path.code.as_deref().unwrap_or_default();
    let hash: String = code.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    format!("Version{hash}")
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn attribute(id: &str, name: &str) -> Value {
    json!({ "Fn::GetAtt": [id, name] })
}

fn sub(text: &str) -> Value {
    json!({ "Fn::Sub": text })
}

fn refer(reference: Reference<'_>) -> Value {
    match reference {
        Reference::StreamArn => attribute("Stream", "Arn"),
        Reference::LogGroupArn => attribute("LogGroup", "Arn"),
        Reference::Text(text) => sub(&located(text, "${AWS::Partition}", "${AWS::Region}", "${AWS::AccountId}")),
    }
}
