//! Reads a request's body. Its SHA-256, which the signature covers, is computed as the body arrives, in one pass. A
//! compressed body is decompressed after its signature was verified.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use flate2::bufread::MultiGzDecoder;
use http::{HeaderMap, Request, header};
use http_body::Frame;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::AwsError;
use crate::signature::hex;
use crate::store;

/// The most bytes that are allocated before the first byte has arrived.
const FIRST_CAPACITY: usize = 1024 * 1024;

/// The most bytes of bodies in memory at once, including decompressed ones, unless one body alone is larger. A request
/// waits until there is room for its body. Small bodies do not count.
pub const MAX_BYTES_IN_FLIGHT: usize = 32 << 20;
const SMALL_BYTES: usize = 64 << 10;

/// Free memory for bodies, in KiB.
static ROOM: Semaphore = Semaphore::const_new(MAX_BYTES_IN_FLIGHT / 1024);
/// The number of requests that wait for room.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// While requests wait, a body that has room must arrive at this rate after a grace period, or it is rejected. So a
/// slow client delays others by little more than the grace period.
const MIN_BYTES_PER_SECOND: usize = 1 << 20;
const GRACE: Duration = Duration::from_secs(1);
/// The interval in which a pausing body is checked.
const CHECK: Duration = Duration::from_millis(200);

/// The highest compression ratio of deflate, 1032 to 1, according to zlib's documentation.
const MAX_COMPRESSION: usize = 1032;

pub struct ReadBody {
    pub bytes: Bytes,
    /// The body's room, held until the response is sent.
    pub room: Option<SemaphorePermit<'static>>,
    /// In lowercase hex.
    pub sha256: String,
}

/// Limits of an operation for a body: its size, the longest pause and the longest time.
pub struct Allowance<'a> {
    pub bytes: usize,
    pub operation: &'a str,
    pub pause: Duration,
    pub whole: Duration,
}

/// Reads the whole body.
///
/// # Errors
/// The body is too long or too slow, or the client did not send all of it.
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
    // Acquired at once and in the order of arrival. If requests acquired parts of it, they could wait for each other.
    let room = room_for(needed(stated, is_gzip(headers).unwrap_or_default(), allowance.bytes)).await;
    let started = Instant::now();
    let capacity = if room.is_some() { stated } else { stated.map(|stated| stated.min(FIRST_CAPACITY)) };
    let mut bytes = BytesMut::with_capacity(capacity.unwrap_or_default());
    let mut hasher = Sha256::new();
    loop {
        let is_crawling = || {
            room.is_some() && WAITING.load(Ordering::Relaxed) > 0 && is_below_min_rate(started.elapsed(), bytes.len())
        };
        let Some(frame) = next_frame(&mut body, allowance.pause, is_crawling).await? else { break };
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > allowance.bytes {
            return Err(too_large(allowance));
        }
        hasher.update(&data);
        bytes.extend_from_slice(&data);
    }
    Ok(ReadBody { bytes: bytes.freeze(), room, sha256: hex(&hasher.finalize()) })
}

/// Reads the next part of a body.
async fn next_frame(
    body: &mut Body,
    pause: Duration,
    is_crawling: impl Fn() -> bool,
) -> Result<Option<Frame<Bytes>>, AwsError> {
    let started = Instant::now();
    let frame = loop {
        if is_crawling() || started.elapsed() >= pause {
            return Err(too_slow());
        }
        if let Ok(frame) = tokio::time::timeout(pause.min(CHECK), body.frame()).await {
            break frame;
        }
    };
    frame.transpose().map_err(|error| {
        AwsError::bad_request("RequestAborted", format!("The request's body could not be read: {error}"))
    })
}

/// The most bytes that a body can need in memory: its own and, if it is compressed, those that it can decompress to.
fn needed(stated: Option<usize>, is_gzip: bool, limit: usize) -> usize {
    let sent = stated.unwrap_or(limit);
    if is_gzip { sent + sent.saturating_mul(MAX_COMPRESSION).min(limit) } else { sent }
}

/// Waits until there is room for this many bytes. A small body needs none.
async fn room_for(bytes: usize) -> Option<SemaphorePermit<'static>> {
    if bytes <= SMALL_BYTES {
        return None;
    }
    if let Ok(room) = ROOM.try_acquire_many(kib(bytes)) {
        return Some(room);
    }
    let _waiting = Waiting::new();
    ROOM.acquire_many(kib(bytes)).await.ok()
}

/// The room that bytes need, in KiB. The largest body needs all of it.
fn kib(bytes: usize) -> u32 {
    (bytes.min(MAX_BYTES_IN_FLIGHT) / 1024) as u32
}

/// A waiting request. It is counted until it has room or the client has disconnected.
struct Waiting;

impl Waiting {
    fn new() -> Self {
        WAITING.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

fn is_below_min_rate(elapsed: Duration, received: usize) -> bool {
    elapsed > GRACE + Duration::from_secs_f64(received as f64 / MIN_BYTES_PER_SECOND as f64)
}

/// Decompresses a body with `Content-Encoding: gzip`, which the CloudWatch agent sends, up to the operation's limit.
/// `room` was acquired for the largest possible result. The part that the actual result does not need is released.
///
/// # Errors
/// The encoding is not supported, the body is not valid gzip, or it exceeds the limit when it is decompressed.
pub async fn decode(
    request: Request<Bytes>,
    room: &mut Option<SemaphorePermit<'static>>,
    allowance: &Allowance<'_>,
) -> Result<Request<Bytes>, AwsError> {
    if !is_gzip(request.headers())? {
        return Ok(request);
    }
    if request.body().is_empty() {
        // No body, whatever the header says.
        return Ok(request);
    }
    let (mut parts, compressed) = request.into_parts();
    let limit = allowance.bytes;
    let body = store::run_blocking(move || decompress(&compressed, limit)).await;
    let body = body.map_err(|error| AwsError::serialization(format!("The request's body is not gzip: {error}")))?;
    parts.headers.remove(header::CONTENT_ENCODING);
    let body = body.ok_or_else(|| too_large(allowance))?;
    if let Some(room) = room {
        drop(room.split(room.num_permits().saturating_sub(kib(body.len()) as usize)));
    }
    Ok(Request::from_parts(parts, body))
}

/// Returns whether the body is compressed.
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

/// Decompresses the bytes, or returns `None` if there are more than `limit`. Never holds more than that.
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

    const PUT_LOG_EVENTS: usize = 8 << 20;

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
        // Concatenated members are one text (RFC 1952, section 2.2).
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

    #[test]
    fn a_compressed_body_needs_room_for_what_it_can_decompress_to() {
        let limit = PUT_LOG_EVENTS;
        assert_eq!(needed(Some(2000), false, limit), 2000);
        assert_eq!(needed(Some(2000), true, limit), 2000 + 2000 * MAX_COMPRESSION);
        assert_eq!(needed(Some(1 << 20), true, limit), (1 << 20) + limit);
        assert_eq!(needed(None, false, limit), limit);
        let bytes = 16 << 20;
        assert!(gzip(&vec![0; bytes]).len() * MAX_COMPRESSION >= bytes);
    }

    #[tokio::test]
    async fn a_decompressed_body_keeps_the_room_it_needs_and_releases_the_rest() {
        let message = vec![b'x'; 200 << 10];
        let compressed = gzip(&message);
        let headers = HeaderMap::from_iter([
            (header::CONTENT_ENCODING, "gzip".parse().unwrap()),
            (header::CONTENT_LENGTH, compressed.len().into()),
        ]);
        let (pause, whole) = (Duration::from_secs(20), Duration::from_secs(20));
        let allowance = Allowance { bytes: PUT_LOG_EVENTS, operation: "PutLogEvents", pause, whole };
        let read = read(Body::from(compressed.clone()), &headers, &allowance).await.unwrap();
        let mut room = read.room;
        let permits = |room: &Option<SemaphorePermit>| room.as_ref().map_or(0, SemaphorePermit::num_permits);
        assert!(permits(&room) >= message.len() / 1024);
        let mut request = Request::new(read.bytes);
        *request.headers_mut() = headers;
        let decoded = decode(request, &mut room, &allowance).await.unwrap();
        assert_eq!((decoded.body().len(), permits(&room)), (message.len(), 200));
    }

    #[test]
    fn a_body_is_slow_after_the_grace_period_below_the_minimum_rate() {
        assert!(!is_below_min_rate(GRACE, 0));
        assert!(is_below_min_rate(GRACE * 2, 0));
        assert!(!is_below_min_rate(Duration::from_secs(10), 10 << 20));
        assert!(is_below_min_rate(Duration::from_secs(12), 10 << 20));
    }

    proptest! {
        #[test]
        fn compressed_bytes_are_restored_and_other_bytes_are_an_error(bytes: Vec<u8>, cut in 1_usize..18) {
            let compressed = gzip(&bytes);
            prop_assert_eq!(decompress(&compressed, bytes.len()).unwrap().unwrap(), bytes.clone());
            prop_assert!(decompress(&compressed[..compressed.len() - cut], bytes.len()).is_err());
            prop_assert!(decompress(&[b"x", &bytes[..]].concat(), 1 << 20).is_err());
        }
    }
}
