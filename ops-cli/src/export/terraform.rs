//! A Terraform module with the provider of AWS.
//!
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs>

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{ExportedPath, Reference, Row, is_set, located};
use crate::function::RUNTIME;
use crate::provision::desired::{MANAGED_POLICY, inline_policy};
use crate::provision::setting::Part::{self, Function, LogGroup, Mapping, Role, Stream};

/// The arguments that settings become. The provider has no argument for the distribution strategy.
pub const SETTINGS_IN: &[Row] = &[
    (Stream, "shards", |value| match value.as_i64() {
        Some(count) => json!({ "shard_count": count }),
        None => json!({ "stream_mode_details": { "stream_mode": "ON_DEMAND" } }),
    }),
    (Stream, "retention-hours", |value| json!({ "retention_period": value })),
    (Stream, "max-record-kib", |value| json!({ "max_record_size_in_kib": value })),
    (Stream, "warm-throughput-mibps", |value| json!({ "warm_throughput_mib_ps": value })),
    (Stream, "encryption-key", |value| json!({ "encryption_type": "KMS", "kms_key_id": value })),
    // A resource of its own.
    (Role, "managed-policy", |_| json!({})),
    (LogGroup, "retention-days", |value| json!({ "retention_in_days": value })),
    (LogGroup, "class", |value| json!({ "log_group_class": value })),
    (LogGroup, "kms-key", |value| json!({ "kms_key_id": value })),
    (LogGroup, "deletion-protection", |value| json!({ "deletion_protection_enabled": value })),
    (Function, "memory", |value| json!({ "memory_size": value })),
    (Function, "timeout", |value| json!({ "timeout": value })),
    // Without levels, the provider would publish a version at every run, because Lambda answers with its defaults.
    (Function, "log-format", |value| match value.as_str() {
        Some("JSON") => json!({
            "logging_config": { "log_format": value, "application_log_level": "INFO", "system_log_level": "INFO" },
        }),
        _ => json!({ "logging_config": { "log_format": value } }),
    }),
    (Function, "application-log-level", |value| json!({ "logging_config": { "application_log_level": value } })),
    (Function, "system-log-level", |value| json!({ "logging_config": { "system_log_level": value } })),
    (Function, "tracing", |value| json!({ "tracing_config": { "mode": value } })),
    (Function, "kms-key", |value| json!({ "kms_key_arn": value })),
    (Function, "subnets", |value| json!({ "vpc_config": { "subnet_ids": value } })),
    (Function, "security-groups", |value| json!({ "vpc_config": { "security_group_ids": value } })),
    (Function, "environment", |value| json!({ "environment": { "variables": value } })),
    (Function, "reserved-concurrency", |value| json!({ "reserved_concurrent_executions": value })),
    (Mapping, "enabled", |value| json!({ "enabled": value })),
    (Mapping, "batch-size", |value| json!({ "batch_size": value })),
    (Mapping, "batch-window", |value| json!({ "maximum_batching_window_in_seconds": value })),
    (Mapping, "parallelization-factor", |value| json!({ "parallelization_factor": value })),
    (Mapping, "retries", |value| json!({ "maximum_retry_attempts": value })),
    (Mapping, "max-record-age", |value| json!({ "maximum_record_age_in_seconds": value })),
    (Mapping, "bisect", |value| json!({ "bisect_batch_on_function_error": value })),
    (Mapping, "partial-responses", |value| match value.as_bool() {
        Some(true) => json!({ "function_response_types": ["ReportBatchItemFailures"] }),
        _ => json!({}),
    }),
    (Mapping, "on-failure", |value| json!({ "destination_config": { "on_failure": { "destination_arn": value } } })),
    (Mapping, "filters", |value| {
        let patterns = value.as_array().into_iter().flatten();
        json!({ "filter_criteria": { "filter": patterns.map(|pattern| json!({ "pattern": pattern })).collect::<Vec<_>>() } })
    }),
    (Mapping, "tumbling-window", |value| json!({ "tumbling_window_in_seconds": value })),
    (Mapping, "metrics", |value| match value.as_bool() {
        Some(true) => json!({ "metrics_config": { "metrics": ["EventCount"] } }),
        _ => json!({}),
    }),
    // The source is written with the mapping.
    (Mapping, "fan-out", |_| json!({})),
    (Mapping, "starting-position", |value| json!({ "starting_position": value })),
    (Mapping, "starting-timestamp", |value| json!({ "starting_position_timestamp": value })),
];

/// The arguments that are blocks. An array of objects is a block for each of them.
const BLOCKS: &[&str] = &[
    "destination_config",
    "environment",
    "filter",
    "filter_criteria",
    "logging_config",
    "metrics_config",
    "on_failure",
    "required_providers",
    "stream_mode_details",
    "tracing_config",
    "vpc_config",
];

/// The versions of the provider in which arguments came to exist; all others are in the first one.
/// <https://github.com/hashicorp/terraform-provider-aws/blob/main/CHANGELOG.md>
const FIRST_VERSION: &str = "5.81";
const NEWER: &[(Part, &str, &str)] = &[
    (Stream, "max-record-kib", "6.20"),
    (LogGroup, "deletion-protection", "6.25"),
    (Stream, "warm-throughput-mibps", "6.48"),
];

/// The name of the member of an object that is an expression, or a text with expressions in it.
const EXPRESSION: &str = "${}";
const TEMPLATE: &str = "\"${}\"";

pub fn text(path: &ExportedPath) -> String {
    let newer = NEWER.iter().filter(|(part, key, _)| path.fields(*part).get(key).is_some_and(is_set));
    let version = newer.map(|(_, _, version)| *version).next_back().unwrap_or(FIRST_VERSION);
    let provider = json!({ "source": "hashicorp/aws", "version": format!(">= {version}") });
    let mut text = String::new();
    block(&mut text, "terraform", &json!({ "required_providers": { "aws": provider } }), 0);
    for data in ["aws_caller_identity", "aws_partition", "aws_region"] {
        let _ = writeln!(text, "\ndata \"{data}\" \"current\" {{}}");
    }
    for (kind, name, arguments) in resources(path) {
        text += "\n";
        block(&mut text, &format!("resource \"{kind}\" \"{name}\""), &arguments, 0);
    }
    text
}

fn resources(path: &ExportedPath) -> Vec<(&'static str, &'static str, Value)> {
    let names = &path.names;
    let with = |part: Part, more: Value| {
        let mut arguments = path.settings(part, SETTINGS_IN);
        super::merge(&mut arguments, more);
        arguments.insert("tags".into(), json!(path.tags));
        Value::Object(arguments)
    };
    let has_consumer = path.fields(Mapping).bool("fan-out") == Some(true);
    let mut resources = vec![("aws_kinesis_stream", "stream", with(Stream, json!({ "name": names.stream() })))];
    if has_consumer {
        let consumer = json!({ "name": names.function(), "stream_arn": expression("aws_kinesis_stream.stream.arn") });
        resources.push(("aws_kinesis_stream_consumer", "consumer", consumer));
    }
    resources.push(("aws_cloudwatch_log_group", "log_group", with(LogGroup, json!({ "name": names.log_group() }))));
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "lambda.amazonaws.com" } }],
    });
    let role = json!({ "name": names.role(), "assume_role_policy": json_text(&trust) });
    resources.push(("aws_iam_role", "role", with(Role, role)));
    let of_role = expression("aws_iam_role.role.name");
    let permissions = match path.policy(&refer) {
        Some(policy) => {
            let name = refer(Reference::Text(&inline_policy(&super::anywhere())));
            let arguments = json!({ "name": name, "role": of_role, "policy": json_text(&policy) });
            ("aws_iam_role_policy", "permissions", arguments)
        }
        None => {
            let arn = template(&format!("arn:{PARTITION}:iam::aws:policy/{MANAGED_POLICY}"));
            ("aws_iam_role_policy_attachment", "permissions", json!({ "role": of_role, "policy_arn": arn }))
        }
    };
    let needs = expression(&format!("[{}.{}]", permissions.0, permissions.1));
    resources.push(permissions);
    let zip = string(&path.zip);
    let function = json!({
        "function_name": names.function(),
        "runtime": RUNTIME,
        "handler": "bootstrap",
        "architectures": [path.architecture()],
        "role": expression("aws_iam_role.role.arn"),
        "filename": path.zip,
        "source_code_hash": expression(&format!("filebase64sha256({zip})")),
        "publish": true,
        "logging_config": { "log_group": expression("aws_cloudwatch_log_group.log_group.name") },
        "depends_on": needs,
    });
    resources.push(("aws_lambda_function", "function", with(Function, function)));
    let alias = json!({
        "name": "live",
        "function_name": expression("aws_lambda_function.function.function_name"),
        "function_version": expression("aws_lambda_function.function.version"),
    });
    resources.push(("aws_lambda_alias", "live", alias));
    let source =
        if has_consumer { "aws_kinesis_stream_consumer.consumer.arn" } else { "aws_kinesis_stream.stream.arn" };
    let mapping =
        json!({ "event_source_arn": expression(source), "function_name": expression("aws_lambda_alias.live.arn") });
    resources.push(("aws_lambda_event_source_mapping", "mapping", with(Mapping, mapping)));
    resources
}

const PARTITION: &str = "${data.aws_partition.current.partition}";
const REGION: &str = "${data.aws_region.current.name}";
const ACCOUNT: &str = "${data.aws_caller_identity.current.account_id}";

fn refer(reference: Reference<'_>) -> Value {
    match reference {
        Reference::StreamArn => expression("aws_kinesis_stream.stream.arn"),
        Reference::LogGroupArn => template("${aws_cloudwatch_log_group.log_group.arn}:*"),
        Reference::Text(text) => template(&located(text, PARTITION, REGION, ACCOUNT)),
    }
}

fn expression(text: &str) -> Value {
    json!({ EXPRESSION: text })
}

fn template(text: &str) -> Value {
    json!({ TEMPLATE: text })
}

fn json_text(value: &Value) -> Value {
    let mut text = String::new();
    write_expression(&mut text, value, 2);
    expression(&format!("jsonencode({text})"))
}

/// Writes a block as `terraform fmt` does: arguments of one line, then those of several lines, then the blocks in it.
fn block(text: &mut String, header: &str, body: &Value, indent: usize) {
    let (margin, nothing) = (" ".repeat(indent), Map::new());
    let members = body.as_object().unwrap_or(&nothing);
    let (blocks, arguments): (Vec<_>, Vec<_>) = members.iter().partition(|(name, _)| BLOCKS.contains(&name.as_str()));
    let _ = writeln!(text, "{margin}{header} {{");
    let start = text.len();
    write_members(text, arguments.into_iter().map(|(name, value)| (name.clone(), value)).collect(), indent + 2);
    for (name, value) in blocks {
        let bodies = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for body in bodies {
            if text.len() > start {
                *text += "\n";
            }
            block(text, name, body, indent + 2);
        }
    }
    let _ = writeln!(text, "{margin}}}");
}

/// Writes members; the values of those that have one line are aligned.
fn write_members(text: &mut String, members: Vec<(String, &Value)>, indent: usize) {
    let margin = " ".repeat(indent);
    let written = members.into_iter().map(|(name, value)| {
        let mut expression = String::new();
        write_expression(&mut expression, value, indent);
        (name, expression)
    });
    let (long, short): (Vec<_>, Vec<_>) = written.partition(|(_, expression)| expression.contains('\n'));
    let width = short.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let has_short = !short.is_empty();
    for (name, expression) in short {
        let _ = writeln!(text, "{margin}{name:<width$} = {expression}");
    }
    for (n, (name, expression)) in long.into_iter().enumerate() {
        let gap = if has_short || n > 0 { "\n" } else { "" };
        let _ = writeln!(text, "{gap}{margin}{name} = {expression}");
    }
}

fn write_expression(text: &mut String, value: &Value, indent: usize) {
    let margin = " ".repeat(indent);
    match value {
        Value::String(content) => *text += &string(content),
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => {
            let items: Vec<_> = items.iter().map(inline).collect();
            let _ = write!(text, "[{}]", items.join(", "));
        }
        Value::Array(items) => {
            *text += "[\n";
            for item in items {
                let _ = write!(text, "{margin}  ");
                write_expression(text, item, indent + 2);
                *text += ",\n";
            }
            let _ = write!(text, "{margin}]");
        }
        Value::Object(members) => match (members.get(EXPRESSION), members.get(TEMPLATE)) {
            (Some(Value::String(expression)), _) => *text += expression,
            (_, Some(Value::String(template))) => {
                let _ = write!(text, "\"{template}\"");
            }
            _ if members.is_empty() => *text += "{}",
            _ => {
                *text += "{\n";
                write_members(text, members.iter().map(|(name, value)| (key(name), value)).collect(), indent + 2);
                let _ = write!(text, "{margin}}}");
            }
        },
        scalar => *text += &scalar.to_string(),
    }
}

fn inline(value: &Value) -> String {
    let mut text = String::new();
    write_expression(&mut text, value, 0);
    text
}

/// A text of HCL: JSON's, in which the beginnings of expressions are escaped.
fn string(text: &str) -> String {
    Value::from(text).to_string().replace("${", "$${").replace("%{", "%%{")
}

fn key(name: &str) -> String {
    let is_identifier = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if is_identifier { name.to_owned() } else { string(name) }
}
