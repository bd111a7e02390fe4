//! Kinesis's service model, and values that it allows.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

/// The start of a stream's ARN.
pub const ARN: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/";

#[derive(Deserialize)]
pub struct Model {
    /// The name of each operation's input shape.
    pub operations: BTreeMap<String, String>,
    pub shapes: BTreeMap<String, Shape>,
}

#[derive(Deserialize)]
pub struct Shape {
    pub r#type: String,
    pub min: Option<usize>,
    pub max: Option<usize>,
    pub pattern: Option<String>,
    #[serde(default)]
    pub r#enum: Vec<String>,
    #[serde(default)]
    pub members: Vec<(String, String)>,
    #[serde(default)]
    pub required: Vec<String>,
    pub member: Option<String>,
    pub value: Option<String>,
}

impl Model {
    pub fn read() -> Self {
        serde_json::from_str(include_str!("../../models/kinesis.json")).unwrap()
    }

    pub fn shape(&self, name: &str) -> &Shape {
        &self.shapes[name]
    }

    /// A value that the model allows.
    pub fn valid(&self, name: &str) -> Value {
        let shape = self.shape(name);
        match name {
            "StreamARN" | "ResourceARN" => return json!(format!("{ARN}none")),
            "ConsumerARN" => return json!(format!("{ARN}none/consumer/c:1")),
            "StreamId" => return json!("abcdefghij0123456789-abc"),
            "HashKey" | "SequenceNumber" => return json!("7"),
            _ => {}
        }
        match shape.r#type.as_str() {
            "string" if !shape.r#enum.is_empty() => json!(shape.r#enum[0]),
            "string" => json!("none"),
            "blob" => json!(""),
            "boolean" => json!(true),
            "structure" => {
                let required = shape.members.iter().filter(|(member, _)| shape.required.contains(member));
                required.map(|(member, shape)| (member.clone(), self.valid(shape))).collect()
            }
            "list" => json!([self.valid(shape.member.as_ref().unwrap())]),
            "map" => json!({ "k": self.valid(shape.value.as_ref().unwrap()) }),
            _ => json!(shape.min.unwrap_or(1)),
        }
    }
}
