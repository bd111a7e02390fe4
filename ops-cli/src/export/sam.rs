//! A template of the Serverless Application Model: CloudFormation's, in which one resource stands for the function, its versions,
//! its alias and the mapping.
//!
//! <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html>

use serde_json::{Value, json};

use super::ExportedPath;
use super::cloudformation::{Resource, base, described, description, function, mapping};

pub fn template(path: &ExportedPath) -> Value {
    let mut properties = function(path, &Value::Null);
    properties.remove("Code");
    properties.insert("CodeUri".into(), json!(path.zip));
    if let Some(tracing) = properties.remove("TracingConfig") {
        properties.insert("Tracing".into(), tracing["Mode"].clone());
    }
    properties.insert("AutoPublishAlias".into(), json!("live"));
    properties.insert("Tags".into(), json!(path.tags));
    properties.insert("PropagateTags".into(), json!(true));
    let mut event = mapping(path);
    if let Some(source) = event.remove("EventSourceArn") {
        event.insert("Stream".into(), source);
    }
    properties.insert("Events".into(), json!({ "Records": { "Type": "Kinesis", "Properties": event } }));
    let mut resources = base(path);
    let kind = "AWS::Serverless::Function";
    resources.push(Resource { id: "Function".into(), kind, properties, is_retained: false });
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": description(path),
        "Resources": described(&resources),
    })
}
