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
mod model;
mod rest;
#[cfg(test)]
mod tests;
mod types;

use std::sync::LazyLock;

use serde_json::Value;

use crate::error::AwsError;
use constraints::Violations;
pub use input::Input;
pub use model::{Location, Model};

pub static KINESIS: LazyLock<Model> = LazyLock::new(|| Model::parse(include_str!("../models/kinesis.json")));
pub static LAMBDA: LazyLock<Model> = LazyLock::new(|| Model::parse(include_str!("../models/lambda.json")));
pub static LOGS: LazyLock<Model> = LazyLock::new(|| Model::parse(include_str!("../models/logs.json")));
pub static IAM: LazyLock<Model> = LazyLock::new(|| Model::parse(include_str!("../models/iam.json")));
pub static STS: LazyLock<Model> = LazyLock::new(|| Model::parse(include_str!("../models/sts.json")));

impl Model {
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

    /// The error for a value that this model allows and the service does not. `value` is as Java shows it, with its quotes, and
    /// `constraint` completes the sentence "Member must …".
    pub fn violation(&self, value: &str, path: &str, constraint: &str) -> AwsError {
        let violation = constraints::violated(value, path, &format!("Member must {constraint}"));
        AwsError::bad_request(self.error.to_string(), constraints::detected(&[violation]))
    }

    /// Whether the table has the operation.
    #[cfg(test)]
    pub fn has_operation(&self, operation: &str) -> bool {
        self.operations.contains_key(operation)
    }
}
