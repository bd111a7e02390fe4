//! A request's body, read whole. Its SHA-256, which the signature is of, is taken as it arrives: one pass. A compressed body
//! is decompressed after its signature is verified.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use flate2::bufread::MultiGzDecoder;
use http::{HeaderMap, Request, header};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::AwsError;
use crate::signature::hex;
use crate::store;

/// What is set aside before the first byte is here, at most.
const FIRST_CAPACITY: usize = 1024 * 1024;

/// Bytes of bodies that are in memory at once, unless one alone is larger. A request for which there is no room waits. A small
/// one does not count.
pub const MAX_BYTES_IN_FLIGHT: usize = 32 << 20;
const SMALL_BYTES: usize = 64 << 10;

/// Room for bodies, in KiB.
static ROOM: Semaphore = Semaphore::const_new(MAX_BYTES_IN_FLIGHT / 1024);

pub struct ReadBody {
    pub bytes: Bytes,
    /// Its room, until the request is answered.
    pub room: Option<SemaphorePermit<'static>>,
    /// In lowercase hex.
    pub sha256: String,
}

/// How much an operation takes, how long a body may pause, and how long it may take in all.
pub struct Allowance<'a> {
    pub bytes: usize,
    pub operation: &'a str,
    pub pause: Duration,
    pub whole: Duration,
}

/// Bytes of a body that an operation can need: its limits with base64, escapes and JSON around them.
pub fn limit_of(operation: &str) -> usize {
    const MIB: usize = 1024 * 1024;
    match operation {
        // A zip of 50 MiB as base64. AWS's own limit, which it names when it is passed.
        "CreateFunction" | "UpdateFunctionCode" | "PublishLayerVersion" => 70_167_211,
        // 10 MiB of data and keys.
        "PutRecord" | "PutRecords" => 20 * MIB,
        // 6 MiB; what it says of more is its own.
        "Invoke" | "InvokeAsync" | "InvokeWithResponseStream" => 8 * MIB,
        // 1 MiB of messages, in which every byte may be escaped.
        "PutLogEvents" => 8 * MIB,
        _ => MIB,
    }
}

/// Reads the whole body.
///
/// # Errors
/// The body is longer than is allowed, too slow, or the client did not send all of it.
pub async fn read(body: Body, headers: &HeaderMap, allowance: &Allowance<'_>) -> Result<ReadBody, AwsError> {
    tokio::time::timeout(allowance.whole, read_frames(body, headers, allowance))
        .await
        .unwrap_or_else(|_| Err(too_slow()))
}

async fn read_frames(mut body: Body, headers: &HeaderMap, allowance: &Allowance<'_>) -> Result<ReadBody, AwsError> {
    let stated = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if stated.is_some_and(|stated| stated > allowance.bytes) {
        return Err(too_large(allowance));
    }
    // Taken whole, in the order of arrival: with parts of it, requests could wait for each other.
    let wanted = stated.unwrap_or(allowance.bytes);
    let room = match u32::try_from(wanted.min(MAX_BYTES_IN_FLIGHT) / 1024) {
        Ok(kib) if wanted > SMALL_BYTES => ROOM.acquire_many(kib).await.ok(),
        _ => None,
    };
    let capacity = if room.is_some() { stated } else { stated.map(|stated| stated.min(FIRST_CAPACITY)) };
    let mut bytes = BytesMut::with_capacity(capacity.unwrap_or_default());
    let mut hasher = Sha256::new();
    loop {
        let frame = tokio::time::timeout(allowance.pause, body.frame()).await.map_err(|_| too_slow())?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| {
            AwsError::bad_request("RequestAborted", format!("The request's body could not be read: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > allowance.bytes {
            return Err(too_large(allowance));
        }
        hasher.update(&data);
        bytes.extend_from_slice(&data);
    }
    Ok(ReadBody { bytes: bytes.freeze(), room, sha256: hex(&hasher.finalize()) })
}

/// Decompresses a body that is sent with `Content-Encoding: gzip`, as the CloudWatch agent does, up to the operation's limit.
///
/// # Errors
/// Another encoding, a body that is not gzip, or one that is larger than the limit when it is decompressed.
pub async fn decode(request: Request<Bytes>, allowance: &Allowance<'_>) -> Result<Request<Bytes>, AwsError> {
    if !is_gzip(request.headers())? {
        return Ok(request);
    }
    let (mut parts, compressed) = request.into_parts();
    let limit = allowance.bytes;
    let body = store::beside(move || decompress(&compressed, limit)).await;
    let body = body.map_err(|error| AwsError::serialization(format!("The request's body is not gzip: {error}")))?;
    parts.headers.remove(header::CONTENT_ENCODING);
    Ok(Request::from_parts(parts, body.ok_or_else(|| too_large(allowance))?))
}

/// Whether the body is compressed.
fn is_gzip(headers: &HeaderMap) -> Result<bool, AwsError> {
    let mut is_gzip = false;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        for encoding in String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase().split(',').map(str::trim) {
            match encoding {
                "" | "identity" => {}
                "gzip" | "x-gzip" if !is_gzip => is_gzip = true,
                other => {
                    let message = format!(
                        "The content encoding '{other}' is not supported. Send the body as it is, or compress it once with gzip."
                    );
                    return Err(AwsError::new(415, "UnsupportedMediaTypeException", message));
                }
            }
        }
    }
    Ok(is_gzip)
}

/// The decompressed bytes; none if there are more than `limit`. No more than that is ever held.
fn decompress(compressed: &[u8], limit: usize) -> std::io::Result<Option<Bytes>> {
    let mut bytes = Vec::with_capacity(compressed.len().saturating_mul(4).min(limit).min(FIRST_CAPACITY));
    MultiGzDecoder::new(compressed).take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= limit).then(|| bytes.into()))
}

fn too_large(allowance: &Allowance<'_>) -> AwsError {
    let Allowance { bytes, operation, .. } = allowance;
    let message = format!("Request must be smaller than {bytes} bytes for the {operation} operation");
    AwsError::new(413, "RequestEntityTooLargeException", message)
}

fn too_slow() -> AwsError {
    AwsError::new(408, "RequestTimeout", "The request's body did not arrive in time.")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_bomb_is_decompressed_up_to_the_limit_only() {
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 1 << 20);
        assert_eq!(decompress(&bomb, 1 << 20).unwrap(), None);
        assert_eq!(decompress(&gzip(&[7; 100]), 100).unwrap().unwrap().len(), 100);
        assert_eq!(decompress(&gzip(&[7; 101]), 100).unwrap(), None);
        // Members one after another are one text (RFC 1952, 2.2).
        assert_eq!(decompress(&[gzip(b"a"), gzip(b"b")].concat(), 9).unwrap().unwrap(), "ab");
    }

    #[test]
    fn only_gzip_and_identity_are_encodings() {
        let is_gzip = |value: &'static str| {
            let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, http::HeaderValue::from_static(value))]);
            is_gzip(&headers).map_err(|error| error.status)
        };
        assert_eq!([is_gzip("gzip"), is_gzip("GZip, identity"), is_gzip("identity")], [Ok(true), Ok(true), Ok(false)]);
        for other in ["deflate", "br", "zstd", "gzip, gzip", "aws-chunked"] {
            assert_eq!(is_gzip(other), Err(415), "{other}");
        }
        assert_eq!(super::is_gzip(&HeaderMap::new()), Ok(false));
    }

    proptest! {
        #[test]
        fn what_is_compressed_is_decompressed_and_other_bytes_are_an_error(bytes: Vec<u8>, cut in 1_usize..18) {
            let compressed = gzip(&bytes);
            prop_assert_eq!(decompress(&compressed, bytes.len()).unwrap().unwrap(), bytes.clone());
            prop_assert!(decompress(&compressed[..compressed.len() - cut], bytes.len()).is_err());
            prop_assert!(decompress(&[b"x", &bytes[..]].concat(), 1 << 20).is_err());
        }
    }
}
