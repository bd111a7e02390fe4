//! `NextToken`: a listing, and the position where it continues. It is opaque to clients.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::AwsError;

/// `listing` tells the token from those of other regions and streams.
pub fn encode(listing: &str, position: &impl Serialize) -> String {
    let json = serde_json::to_vec(&(listing, position)).expect("positions have string keys and serialize");
    base64_simd::STANDARD.encode_to_string(json)
}

/// # Errors
/// ExpiredNextTokenException for a text that is not a token of this listing.
pub fn decode<T: DeserializeOwned>(listing: &str, token: &str) -> Result<T, AwsError> {
    let json = base64_simd::STANDARD.decode_to_vec(token).ok();
    let read: Option<(String, T)> = json.and_then(|json| serde_json::from_slice(&json).ok());
    read.filter(|(of, _)| of == listing)
        .map(|(_, position)| position)
        .ok_or_else(|| AwsError::bad_request("ExpiredNextTokenException", "The specified NextToken is invalid."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_listing() {
        let listing = |region: &str| format!("arn:aws:kinesis:{region}:000000000000:stream/");
        let token = encode(&listing("us-east-1"), &"s");
        assert_eq!(decode::<String>(&listing("us-east-1"), &token).unwrap(), "s");
        let error = decode::<String>(&listing("eu-central-1"), &token).unwrap_err();
        assert_eq!(error.code, "ExpiredNextTokenException");
    }
}
