//! Page tokens. They are opaque to clients. Other tokens are rejected with AWS's message.

use base64_simd::URL_SAFE_NO_PAD;

use crate::error::AwsError;

use super::validation::invalid_parameter;

/// Writes a token with these parts. `listing` tells it from the tokens of other regions, groups and orders.
pub(super) fn encode(listing: &str, parts: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(format!("{listing}\n{}", parts.join("\n")))
}

/// Reads the parts of a token that [`encode`] wrote for this listing with exactly `N` parts.
pub(super) fn decode<const N: usize>(listing: &str, token: &str) -> Result<[String; N], AwsError> {
    let bytes = URL_SAFE_NO_PAD.decode_to_vec(token).map_err(|_| invalid_token())?;
    let text = String::from_utf8(bytes).map_err(|_| invalid_token())?;
    let (_, parts) = text.split_once('\n').filter(|(of, _)| *of == listing).ok_or_else(invalid_token)?;
    let parts: Vec<String> = parts.split('\n').map(str::to_owned).collect();
    parts.try_into().map_err(|_| invalid_token())
}

pub(super) fn invalid_token() -> AwsError {
    invalid_parameter("The specified nextToken is invalid.")
}
