//! `NextToken`: the position where a listing continues. It is opaque to clients.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::AwsError;

pub fn encode(position: &impl Serialize) -> String {
    let json = serde_json::to_vec(position).expect("positions have string keys and serialize");
    base64_simd::STANDARD.encode_to_string(json)
}

/// # Errors
/// ExpiredNextTokenException for a text that is not a token of this listing.
pub fn decode<T: DeserializeOwned>(token: &str) -> Result<T, AwsError> {
    let json = base64_simd::STANDARD.decode_to_vec(token).ok();
    json.and_then(|json| serde_json::from_slice(&json).ok())
        .ok_or_else(|| AwsError::bad_request("ExpiredNextTokenException", "The specified NextToken is invalid."))
}
