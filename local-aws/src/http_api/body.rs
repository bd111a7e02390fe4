//! A request's body, read whole. Its SHA-256, which the signature is of, is taken as it arrives: one pass.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::AwsError;
use crate::signature::hex;

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

fn too_large(allowance: &Allowance<'_>) -> AwsError {
    let Allowance { bytes, operation, .. } = allowance;
    let message = format!("Request must be smaller than {bytes} bytes for the {operation} operation");
    AwsError::new(413, "RequestEntityTooLargeException", message)
}

fn too_slow() -> AwsError {
    AwsError::new(408, "RequestTimeout", "The request's body did not arrive in time.")
}
