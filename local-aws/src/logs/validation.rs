//! Rules of names and tags that the service model does not have.

use std::collections::BTreeMap;

use crate::error::AwsError;
use crate::validation::Input;

/// The most characters of a group's or a stream's name.
const MAX_NAME_CHARS: usize = 512;

/// Checks the rules that AWS checks before the model.
pub(super) fn check_names(input: &Input) -> Result<(), AwsError> {
    let Input::Structure(members) = input else { return Ok(()) };
    let names = members.iter().filter(|(member, _)| ["logGroupName", "logStreamName"].contains(&member.as_str()));
    names.into_iter().try_for_each(|(_, value)| match value {
        Input::Text(name) => check_name_length(name),
        _ => Ok(()),
    })
}

/// Recorded: a name that is too long has its own message.
pub(super) fn check_name_length(name: &str) -> Result<(), AwsError> {
    if name.chars().count() <= MAX_NAME_CHARS {
        return Ok(());
    }
    Err(invalid_parameter("Invalid LogGroup or LogStream, both must have length less than or equal to 512."))
}

pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
    let is_reserved = |key: &String| key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
    if tags.keys().any(is_reserved) {
        // Unverified: AWS's message is not recorded.
        return Err(invalid_parameter("aws: prefixed tag key names are not allowed for external use."));
    }
    Ok(())
}

/// The size of a page: the requested limit, which the model limits, or the default.
pub(super) fn page_size(limit: Option<i64>, default: usize) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(default)
}

pub(super) fn invalid_parameter(text: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidParameterException", text)
}
