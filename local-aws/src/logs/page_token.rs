//! Tokens of pages: opaque to callers, and refused in AWS's words when they are not ours.

use base64_simd::URL_SAFE_NO_PAD;

use crate::error::AwsError;

use super::validation::invalid_parameter;

/// A token that says `parts`.
pub(super) fn encode(parts: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(parts.join("\n"))
}

/// What [`encode`] was given, if it was exactly `N` parts.
pub(super) fn decode<const N: usize>(token: &str) -> Result<[String; N], AwsError> {
    let bytes = URL_SAFE_NO_PAD.decode_to_vec(token).map_err(|_| invalid_token())?;
    let text = String::from_utf8(bytes).map_err(|_| invalid_token())?;
    let parts: Vec<String> = text.split('\n').map(str::to_owned).collect();
    parts.try_into().map_err(|_| invalid_token())
}

pub(super) fn invalid_token() -> AwsError {
    invalid_parameter("The specified nextToken is invalid.")
}
