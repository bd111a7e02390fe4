//! The errors that several actions of IAM return.

use crate::error::AwsError;

pub fn validation_error(text: impl Into<String>) -> AwsError {
    AwsError::bad_request("ValidationError", text)
}

pub fn no_such_entity(text: impl Into<String>) -> AwsError {
    AwsError::new(404, "NoSuchEntity", text)
}
