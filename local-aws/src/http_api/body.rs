//! A request's body, read whole. Its SHA-256, which the signature is of, is taken as it arrives: one pass.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};

use super::AwsError;

/// What is set aside before the first byte is here, at most.
const FIRST_CAPACITY: usize = 1024 * 1024;

pub struct ReadBody {
    pub bytes: Bytes,
    /// In lowercase hex.
    pub sha256: String,
}

/// Reads up to `limit` bytes.
///
/// # Errors
/// The body is longer, or the client did not send all of it.
pub async fn read(mut body: Body, headers: &HeaderMap, limit: usize) -> Result<ReadBody, AwsError> {
    let stated = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if stated.is_some_and(|stated| stated > limit) {
        return Err(too_large(limit));
    }
    let mut bytes = BytesMut::with_capacity(stated.unwrap_or_default().min(FIRST_CAPACITY));
    let mut hasher = Sha256::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            AwsError::bad_request("RequestAbortedException", format!("The request's body could not be read: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        hasher.update(&data);
        bytes.extend_from_slice(&data);
    }
    Ok(ReadBody { bytes: bytes.freeze(), sha256: hex(&hasher.finalize()) })
}

fn too_large(limit: usize) -> AwsError {
    AwsError::new(413, "RequestEntityTooLargeException", format!("The request's body is longer than {limit} bytes."))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
