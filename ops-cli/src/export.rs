//! The desired path in the language of another tool: Terraform, CloudFormation, SAM or the CDK. Pure.
//!
//! Each language has one table, from a setting to the members that it becomes: `cloudformation` for the three languages of AWS,
//! `terraform` for the other. The resources around the settings, and how they refer to each other, are written beside the table.

mod cdk;
mod cloudformation;
mod sam;
mod terraform;
mod yaml;

use std::collections::BTreeMap;

use clap::ValueEnum;
use kinesis_event_logger_core::names::{Location, Names};
use serde_json::{Map, Value};

use crate::provision::desired::DesiredPath;
use crate::provision::fields::Fields;
use crate::provision::kind::NONE;
use crate::provision::observed::ObservedPath;
use crate::provision::setting::{Part, SETTINGS};

/// A tool that creates resources from a description.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Terraform,
    Cloudformation,
    Sam,
    Cdk,
}

/// The description of a path, and the requested settings that the tool's language cannot express.
#[derive(Debug)]
pub struct Exported {
    pub text: String,
    pub omitted: Vec<String>,
}

/// Stands for the region and the account, which the tool finds out.
const REGION: &str = "{region}";
const ACCOUNT: &str = "{account}";
/// The beginning of ARNs with a region and an account that stand for others.
const ARN: &str = "arn:aws:";

/// A path that is to be exported, with all its values.
struct ExportedPath {
    names: Names,
    tags: BTreeMap<String, String>,
    targets: BTreeMap<Part, Fields>,
    /// The path of the function's zip on this machine.
    zip: String,
    /// The hash of the zip; `None` if the zip is not known.
    code: Option<String>,
}

/// The location in which ARNs have placeholders.
pub fn anywhere() -> Location {
    Location { region: REGION.to_owned(), account_id: ACCOUNT.to_owned() }
}

/// Describes a path, whose location is [`anywhere`], in a tool's language.
pub fn export(tool: Tool, desired: &DesiredPath, zip: &str) -> Exported {
    let path = ExportedPath {
        names: desired.names.clone(),
        tags: desired.all_tags(),
        targets: desired.targets(&ObservedPath::default()),
        zip: zip.to_owned(),
        code: desired.zip.as_ref().map(|zip| zip.sha256.clone()),
    };
    let text = match tool {
        Tool::Terraform => terraform::text(&path),
        Tool::Cloudformation => yaml::text(&cloudformation::template(&path)),
        Tool::Sam => yaml::text(&sam::template(&path)),
        Tool::Cdk => cdk::text(&path),
    };
    let table = if tool == Tool::Terraform { terraform::SETTINGS_IN } else { cloudformation::SETTINGS_IN };
    let is_omitted = |part: Part, key: &str| {
        path.fields(part).get(key).is_some_and(is_set) && !table.iter().any(|row| (row.0, row.1) == (part, key))
    };
    let omitted = SETTINGS.iter().filter(|setting| is_omitted(setting.part, setting.key));
    Exported { text, omitted: omitted.map(|setting| setting.name()).collect() }
}

/// A row of a language's table: a setting, and the members that a value of it becomes.
type Row = (Part, &'static str, fn(&Value) -> Value);

impl ExportedPath {
    fn fields(&self, part: Part) -> &Fields {
        static NOTHING: std::sync::LazyLock<Fields> = std::sync::LazyLock::new(Fields::default);
        self.targets.get(&part).unwrap_or(&NOTHING)
    }

    fn architecture(&self) -> &str {
        self.fields(Part::Function).text("architecture").unwrap_or("x86_64")
    }

    /// The members that the settings of a part become.
    fn settings(&self, part: Part, table: &[Row]) -> Map<String, Value> {
        let mut members = Map::new();
        for (_, key, members_of) in table.iter().filter(|row| row.0 == part) {
            if let Some(value) = self.fields(part).get(key).filter(|value| is_set(value)) {
                merge(&mut members, members_of(value));
            }
        }
        members
    }

    /// The role's policy, in which `refer` replaces texts that refer to other resources.
    fn policy(&self, refer: &impl Fn(Reference<'_>) -> Value) -> Option<Value> {
        let policy = self.fields(Part::Role).get("inline-policy").filter(|policy| policy.is_object())?;
        Some(self.with_references(policy, refer))
    }

    fn with_references(&self, value: &Value, refer: &impl Fn(Reference<'_>) -> Value) -> Value {
        match value {
            Value::String(text) if *text == self.names.stream_arn(&anywhere()) => refer(Reference::StreamArn),
            Value::String(text) if text.strip_suffix(":*") == Some(&self.names.log_group_arn(&anywhere())) => {
                refer(Reference::LogGroupArn)
            }
            Value::String(text) if text.contains(REGION) || text.contains(ACCOUNT) => refer(Reference::Text(text)),
            Value::Array(items) => items.iter().map(|item| self.with_references(item, refer)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), self.with_references(value, refer))).collect()
            }
            other => other.clone(),
        }
    }
}

/// A reference to another resource.
enum Reference<'a> {
    StreamArn,
    /// The ARN of the log group's streams.
    LogGroupArn,
    /// A text with placeholders for the region and the account.
    Text(&'a str),
}

/// The text in which the tool's expressions stand for the partition, the region and the account.
fn located(text: &str, partition: &str, region: &str, account: &str) -> String {
    let text = text.replace(REGION, region).replace(ACCOUNT, account);
    match text.strip_prefix(ARN) {
        Some(rest) => format!("arn:{partition}:{rest}"),
        None => text,
    }
}

/// Whether a value differs from that of a part for which the setting is not given.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        value => value != NONE,
    }
}

/// Adds members, and those of members that both have.
fn merge(members: &mut Map<String, Value>, more: Value) {
    let Value::Object(more) = more else { return };
    for (name, value) in more {
        match (members.get_mut(&name), value) {
            (Some(Value::Object(existing)), value @ Value::Object(_)) => merge(existing, value),
            (_, value) => {
                members.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_in_the_tables() {
        for setting in SETTINGS {
            let row = (setting.part, setting.key);
            let is_in = |table: &[Row]| table.iter().any(|it| (it.0, it.1) == row);
            assert!(is_in(cloudformation::SETTINGS_IN), "{}", setting.name());
            // The provider of Terraform has no argument for the distribution strategy.
            assert_eq!(is_in(terraform::SETTINGS_IN), row != (Part::Stream, "distribution"), "{}", setting.name());
        }
    }
}
