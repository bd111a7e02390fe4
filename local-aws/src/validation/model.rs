//! The table of a service: the shapes of its operations' inputs, and their constraints.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Number;

/// The inputs of one service's operations.
#[derive(Debug, Deserialize)]
pub struct Model {
    /// The Java package that AWS's messages contain when they show a structure.
    pub package: Box<str>,
    /// The error code for violations.
    pub error: Box<str>,
    /// The shape of each operation's input.
    pub operations: HashMap<Box<str>, Box<str>>,
    pub shapes: HashMap<Box<str>, Shape>,
}

/// A type and its constraints.
#[derive(Debug, Deserialize)]
pub struct Shape {
    pub r#type: Type,
    /// The smallest value of a number, or the smallest length of anything else.
    pub min: Option<Number>,
    pub max: Option<Number>,
    pub pattern: Option<Pattern>,
    /// AWS's own message for a violated pattern. It is used if no other constraint is violated.
    pub sentence: Option<Box<str>>,
    #[serde(default)]
    pub r#enum: Vec<Box<str>>,
    /// A structure's members and their shapes, in the order in which AWS reports them.
    #[serde(default)]
    pub members: Vec<(Box<str>, Box<str>)>,
    #[serde(default)]
    pub required: Vec<Box<str>>,
    /// The shape of a list's elements.
    pub member: Option<Box<str>>,
    /// The shape of a map's keys.
    pub key: Option<Box<str>>,
    /// The shape of a map's values.
    pub value: Option<Box<str>>,
    /// Whether AWS's message about an element of a list or map includes that it must not be null.
    #[serde(default)]
    pub elements_not_null: bool,
    /// Whether AWS's messages omit the value.
    #[serde(default)]
    pub sensitive: bool,
    /// The members of a REST request that are not in its body.
    #[serde(default)]
    pub locations: Vec<(Box<str>, Location, Box<str>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
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

/// The part of a REST request that contains a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Location {
    Path,
    Query,
    Header,
}

/// A regular expression that must match a whole text. It is compiled when it is first needed.
#[derive(Debug, Deserialize)]
#[serde(from = "Box<str>")]
pub struct Pattern {
    pub text: Box<str>,
    compiled: OnceLock<Option<Compiled>>,
}

#[derive(Debug)]
pub enum Compiled {
    Plain(regex::Regex),
    /// With a lookahead or a lookbehind.
    LookingAround(fancy_regex::Regex),
}

impl From<Box<str>> for Pattern {
    fn from(text: Box<str>) -> Self {
        Self { text, compiled: OnceLock::new() }
    }
}

impl Pattern {
    /// A test compiles every pattern.
    pub fn matches(&self, text: &str) -> bool {
        self.compiled().is_none_or(|compiled| match compiled {
            Compiled::Plain(regex) => regex.is_match(text),
            // The error is a limit on backtracking, which no text of a request's length reaches.
            Compiled::LookingAround(regex) => regex.is_match(text).unwrap_or_default(),
        })
    }

    pub fn compiled(&self) -> Option<&Compiled> {
        self.compiled.get_or_init(|| Compiled::new(&self.text)).as_ref()
    }
}

impl Compiled {
    fn new(pattern: &str) -> Option<Self> {
        // In Java `\d` and `\w` are ASCII.
        let java = pattern.replace(r"\d", "[0-9]").replace(r"\w", "[a-zA-Z0-9_]");
        let whole = format!(r"\A(?:{java})\z");
        let plain = regex::Regex::new(&whole).ok().map(Self::Plain);
        plain.or_else(|| fancy_regex::Regex::new(&whole).ok().map(Self::LookingAround))
    }
}

impl Model {
    pub fn parse(table: &str) -> Self {
        serde_json::from_str(table).expect("generate.py writes valid tables")
    }

    pub fn shape(&self, name: &str) -> &Shape {
        &self.shapes[name]
    }

    /// The name of the shape of a member of an operation's input.
    pub fn shape_of(&self, operation: &str, member: &str) -> Option<&str> {
        let input = self.shape(self.operations.get(operation)?);
        input.members.iter().find(|(name, _)| **name == *member).map(|(_, shape)| &**shape)
    }
}

impl Shape {
    pub fn member_shape<'a>(&self, model: &'a Model, name: &str) -> Option<&'a Shape> {
        let (_, shape) = self.members.iter().find(|(member, _)| **member == *name)?;
        Some(model.shape(shape))
    }

    /// Whether the shape's values are validated one by one, each with its own path, and not together with those around
    /// them.
    pub fn is_aggregate(&self) -> bool {
        matches!(self.r#type, Type::Structure | Type::List | Type::Map)
    }
}
