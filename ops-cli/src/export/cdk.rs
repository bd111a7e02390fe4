//! A stack of the Cloud Development Kit in TypeScript, from the resources of the CloudFormation template: the CDK has a class for
//! each of CloudFormation's types, with the same properties in camel case.

use std::fmt::Write;

use serde_json::{Value, json};

use super::ExportedPath;
use super::cloudformation::{Resource, description, resources};

pub fn text(path: &ExportedPath) -> String {
    // The asset uploads the zip, and knows where it is.
    let code = json!({ "S3Bucket": { EXPRESSION: "code.s3BucketName" }, "S3Key": { EXPRESSION: "code.s3ObjectKey" } });
    let mut text = format!(
        "import * as cdk from 'aws-cdk-lib';\n\
         import {{ aws_iam, aws_kinesis, aws_lambda, aws_logs, aws_s3_assets }} from 'aws-cdk-lib';\n\
         import {{ Construct }} from 'constructs';\n\n\
         /** {}. */\n\
         export class KinesisEventLogger extends cdk.Stack {{\n\
         \x20 constructor(scope: Construct, id: string, props?: cdk.StackProps) {{\n\
         \x20   super(scope, id, props);\n\n\
         \x20   const code = new aws_s3_assets.Asset(this, 'Code', {{ path: {} }});\n",
        description(path),
        Value::from(path.zip.as_str()),
    );
    for resource in resources(path, &code) {
        write_resource(&mut text, &resource);
    }
    text + "  }\n}\n"
}

/// The name of the member of an object that is an expression of TypeScript.
const EXPRESSION: &str = "expression";

fn write_resource(text: &mut String, resource: &Resource) {
    // For example AWS::Kinesis::Stream.
    let mut kind = resource.kind.split("::").skip(1);
    let (service, class) = (kind.next().unwrap_or_default().to_lowercase(), kind.next().unwrap_or_default());
    let (name, id) = (variable(&resource.id), &resource.id);
    let _ = write!(text, "\n    const {name} = new aws_{service}.Cfn{class}(this, '{id}', ");
    write_value(text, &Value::Object(resource.properties.clone()), 4, true);
    *text += ");\n";
    if resource.is_retained {
        let _ = writeln!(text, "    {name}.applyRemovalPolicy(cdk.RemovalPolicy.RETAIN);");
    }
}

/// Writes a value. The names of properties are in camel case; those of maps, such as environment variables, stay.
fn write_value(text: &mut String, value: &Value, indent: usize, has_properties: bool) {
    let margin = " ".repeat(indent);
    match value {
        Value::Object(_) if let Some(expression) = expression(value) => *text += &expression,
        Value::Object(members) if members.is_empty() => *text += "{}",
        Value::Object(members) => {
            *text += "{\n";
            for (name, value) in members {
                let key = if has_properties { property(name) } else { key(name) };
                let _ = write!(text, "{margin}  {key}: ");
                let is_map = ["Variables", "PolicyDocument", "AssumeRolePolicyDocument"].contains(&name.as_str());
                write_value(text, value, indent + 2, has_properties && !is_map);
                *text += ",\n";
            }
            let _ = write!(text, "{margin}}}");
        }
        Value::Array(items) if items.is_empty() => *text += "[]",
        Value::Array(items) => {
            *text += "[\n";
            for item in items {
                let _ = write!(text, "{margin}  ");
                write_value(text, item, indent + 2, has_properties);
                *text += ",\n";
            }
            let _ = write!(text, "{margin}]");
        }
        scalar => *text += &scalar.to_string(),
    }
}

/// The expression that an intrinsic function of CloudFormation becomes.
fn expression(value: &Value) -> Option<String> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let (name, argument) = members.iter().next()?;
    match (name.as_str(), argument) {
        (EXPRESSION, Value::String(text)) => Some(text.clone()),
        ("Ref", Value::String(id)) => Some(format!("{}.ref", variable(id))),
        ("Fn::GetAtt", Value::Array(path)) => {
            let (id, attribute) = (path.first()?.as_str()?, path.get(1)?.as_str()?);
            Some(format!("{}.attr{}", variable(id), attribute.replace("ARN", "Arn")))
        }
        ("Fn::Sub", text) => Some(format!("cdk.Fn.sub({text})")),
        _ => None,
    }
}

/// `StreamARN` is `streamArn`.
fn property(name: &str) -> String {
    lower_first(&name.replace("ARN", "Arn"))
}

/// The variable of a resource.
fn variable(id: &str) -> String {
    // A word of the language.
    if id == "Function" { "logger".to_owned() } else { lower_first(id) }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn key(name: &str) -> String {
    let is_identifier = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_identifier { name.to_owned() } else { Value::from(name).to_string() }
}
