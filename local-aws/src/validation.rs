//! Validates requests against the service models that AWS publishes: first the types of all members, then all
//! constraints together, with AWS's messages.
//!
//! The models are tables that `models/generate.py` writes from botocore. This module does not know any operation. A
//! request is read into an [`Input`], whatever its protocol and encoding, and becomes a JSON object that contains only
//! modelled members of the modelled types and violates no modelled constraint. An operation's typed input is
//! deserialized from it.

mod constraints;
mod form;
mod input;
mod rest;
#[cfg(test)]
mod tests;
mod types;

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use regex::Regex;
use serde::Deserialize;
use serde_json::{Number, Value};

use crate::error::AwsError;
use constraints::Violations;
pub use input::Input;
pub use rest::Location;

pub static KINESIS: LazyLock<Model> = LazyLock::new(|| Model::parse(include_str!("../models/kinesis.json")));
pub static LAMBDA: LazyLock<Model> = LazyLock::new(|| Model::parse(include_str!("../models/lambda.json")));
pub static LOGS: LazyLock<Model> = LazyLock::new(|| Model::parse(include_str!("../models/logs.json")));
pub static IAM: LazyLock<Model> = LazyLock::new(|| Model::parse(include_str!("../models/iam.json")));
pub static STS: LazyLock<Model> = LazyLock::new(|| Model::parse(include_str!("../models/sts.json")));

/// The inputs of one service's operations.
#[derive(Debug, Deserialize)]
pub struct Model {
    /// The Java package that AWS's messages contain when they show a structure.
    package: Box<str>,
    /// The error code for violations.
    error: Box<str>,
    /// The shape of each operation's input.
    operations: HashMap<Box<str>, Box<str>>,
    shapes: HashMap<Box<str>, Shape>,
}

/// A type and its constraints.
#[derive(Debug, Deserialize)]
struct Shape {
    r#type: Type,
    /// The smallest value of a number, or the smallest length of anything else.
    min: Option<Number>,
    max: Option<Number>,
    pattern: Option<Pattern>,
    /// AWS's own message for a violated pattern. It is used if no other constraint is violated.
    sentence: Option<Box<str>>,
    #[serde(default)]
    r#enum: Vec<Box<str>>,
    /// A structure's members and their shapes, in the order in which AWS reports them.
    #[serde(default)]
    members: Vec<(Box<str>, Box<str>)>,
    #[serde(default)]
    required: Vec<Box<str>>,
    /// The shape of a list's elements.
    member: Option<Box<str>>,
    /// The shape of a map's keys.
    key: Option<Box<str>>,
    /// The shape of a map's values.
    value: Option<Box<str>>,
    /// Whether AWS's message about an element of a list or map includes that it must not be null.
    #[serde(default)]
    elements_not_null: bool,
    /// Whether AWS's messages omit the value.
    #[serde(default)]
    sensitive: bool,
    /// The members of a REST request that are not in its body.
    #[serde(default)]
    locations: Vec<(Box<str>, Location, Box<str>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Blob,
    Boolean,
    Double,
    Integer,
    List,
    Long,
    Map,
    String,
    Structure,
    Timestamp,
}

/// A regular expression that must match a whole text. It is compiled when it is first needed.
#[derive(Debug, Deserialize)]
#[serde(from = "Box<str>")]
struct Pattern {
    text: Box<str>,
    compiled: OnceLock<Option<Compiled>>,
}

#[derive(Debug)]
struct Compiled {
    regex: Regex,
    /// The texts that a lookahead at the start, `(?!…)`, excludes.
    excluded: Option<Regex>,
}

impl From<Box<str>> for Pattern {
    fn from(text: Box<str>) -> Self {
        Self { text, compiled: OnceLock::new() }
    }
}

impl Pattern {
    /// Returns `true` for every text if the pattern uses syntax that only Java has. A test names those patterns.
    fn matches(&self, text: &str) -> bool {
        let is_match = |compiled: &Compiled| {
            compiled.regex.is_match(text) && !compiled.excluded.as_ref().is_some_and(|excluded| excluded.is_match(text))
        };
        self.compiled().is_none_or(is_match)
    }

    fn compiled(&self) -> Option<&Compiled> {
        self.compiled.get_or_init(|| Compiled::new(&self.text)).as_ref()
    }
}

impl Compiled {
    fn new(pattern: &str) -> Option<Self> {
        // In Java `\d` and `\w` are ASCII.
        let java = pattern.replace(r"\d", "[0-9]").replace(r"\w", "[a-zA-Z0-9_]");
        let inner = java.strip_prefix("((?!").and_then(|inner| inner.strip_suffix(')'));
        let (excluded, text) = match inner.or_else(|| java.strip_prefix("(?!")).and_then(|inner| inner.split_once(')'))
        {
            Some((excluded, text)) => (Some(Regex::new(&format!(r"\A(?:{excluded})")).ok()?), text),
            None => (None, java.as_str()),
        };
        Some(Self { regex: Regex::new(&format!(r"\A(?:{text})\z")).ok()?, excluded })
    }
}

impl Model {
    fn parse(table: &str) -> Self {
        serde_json::from_str(table).expect("generate.py writes valid tables")
    }

    /// Reads an operation's input: modelled members only, without nulls. Blobs are base64, timestamps epoch seconds.
    ///
    /// # Errors
    /// `SerializationException` for the first member of another type, or else one error with all violated constraints.
    pub fn read(&self, operation: &str, input: Input) -> Result<Value, AwsError> {
        let Some(shape) = self.operations.get(operation).map(|name| self.shape(name)) else {
            return Err(AwsError::bad_request(
                "UnknownOperationException",
                format!("The local endpoint does not support the operation {operation}."),
            ));
        };
        let input = if input == Input::Null { Input::Structure(Vec::new()) } else { input };
        let value = types::read(self, shape, input).map_err(AwsError::serialization)?;
        match Violations::of(self, shape, &value).message() {
            Some(message) => Err(AwsError::bad_request(self.error.to_string(), message)),
            None => Ok(value),
        }
    }

    /// Validates a value of a shape, as the member at `path`.
    ///
    /// # Errors
    /// One error with all violated constraints.
    pub fn check(&self, shape: &str, path: &str, value: &Value) -> Result<(), AwsError> {
        match Violations::of_value(self, shape, path, value).message() {
            Some(message) => Err(AwsError::bad_request(self.error.to_string(), message)),
            None => Ok(()),
        }
    }

    /// Whether the table has the operation.
    #[cfg(test)]
    pub fn has_operation(&self, operation: &str) -> bool {
        self.operations.contains_key(operation)
    }

    fn shape(&self, name: &str) -> &Shape {
        &self.shapes[name]
    }
}

impl Shape {
    fn member_shape<'a>(&self, model: &'a Model, name: &str) -> Option<&'a Shape> {
        let (_, shape) = self.members.iter().find(|(member, _)| **member == *name)?;
        Some(model.shape(shape))
    }

    /// Whether the shape's values are validated one by one, each with its own path, and not together with those around
    /// them.
    fn is_aggregate(&self) -> bool {
        matches!(self.r#type, Type::Structure | Type::List | Type::Map)
    }
}
