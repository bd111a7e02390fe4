//! The errors that Lambda returns most often.

use std::fmt::Display;

use crate::error::AwsError;

pub fn invalid_parameter(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidParameterValueException", message)
}

/// The error for a request or a payload that cannot be parsed.
pub fn invalid_content(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidRequestContentException", message)
}

pub fn not_found(message: impl Into<String>) -> AwsError {
    AwsError::new(404, "ResourceNotFoundException", message)
}

pub fn conflict(message: impl Into<String>) -> AwsError {
    AwsError::new(409, "ResourceConflictException", message)
}

/// The error for a client that has seen another revision. `api` names the operations that return the latest.
pub fn outdated_revision(api: &str) -> AwsError {
    AwsError::new(
        412,
        "PreconditionFailedException",
        format!(
            "The Revision Id provided does not match the latest Revision Id. Call the {api} API to retrieve the latest \
             Revision Id"
        ),
    )
}

/// A failure of the endpoint itself: it could not do `what`.
pub fn service_failure(what: &str, error: &dyn Display) -> AwsError {
    AwsError::new(500, "ServiceException", format!("The local endpoint could not {what}: {error}"))
}
