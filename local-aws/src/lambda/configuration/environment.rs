//! The environment variables that a function may set. The service model checks their names.

use std::collections::BTreeMap;

use kinesis_event_logger_core::limits::RESERVED_VARIABLES;
use serde_json::json;

use crate::error::AwsError;
use crate::lambda::errors::invalid_parameter;

/// The most bytes of all variables as JSON.
const MAX_BYTES: usize = 4096;

/// # Errors
/// Too many bytes, or a variable that Lambda sets.
pub fn check(variables: &BTreeMap<String, String>) -> Result<(), AwsError> {
    const UNABLE: &str = "Lambda was unable to configure your environment variables because the environment variables you \
                          have provided";
    let measured = json!(variables).to_string();
    if measured.len() > MAX_BYTES {
        return Err(invalid_parameter(format!("{UNABLE} exceeded the 4KB limit. String measured: {measured}")));
    }
    let reserved: Vec<&str> =
        variables.keys().map(String::as_str).filter(|key| RESERVED_VARIABLES.contains(key)).collect();
    if !reserved.is_empty() {
        return Err(invalid_parameter(format!(
            "{UNABLE} contains reserved keys that are currently not supported for modification. Reserved keys used in this \
             request: {}",
            reserved.join(", ")
        )));
    }
    Ok(())
}
