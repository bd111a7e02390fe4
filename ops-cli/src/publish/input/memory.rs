//! Memory for large records that returns to the operating system when it is freed.
//!
//! glibc maps a large block separately and unmaps it when it is freed. Each such block raises the size from which glibc does
//! so, up to 32 MiB (mallopt(3), `M_MMAP_THRESHOLD`). Smaller blocks stay with the thread that freed them, so that a few
//! records of 10 MiB can occupy 140 MiB. Blocks above the highest threshold are always mapped, and pages that are not
//! written to occupy no memory.

use super::record::Record;

const ALWAYS_MAPPED_BYTES: usize = 33 * 1024 * 1024;
/// Smaller data is not worth a mapping.
const LARGE_BYTES: usize = 4 * 1024 * 1024;

/// Allocates a buffer for data that may become large.
pub fn large() -> Vec<u8> {
    Vec::with_capacity(ALWAYS_MAPPED_BYTES)
}

/// Allocates a buffer for this many bytes.
pub fn for_bytes(bytes: usize) -> Vec<u8> {
    if bytes < LARGE_BYTES { Vec::with_capacity(bytes) } else { Vec::with_capacity(bytes.max(ALWAYS_MAPPED_BYTES)) }
}

/// Moves data that did not become large to a block of its size, with room for a key.
pub fn fitting(mut data: Vec<u8>) -> Vec<u8> {
    fitting_of(&mut data)
}

/// Does the same for a buffer that is reused: the buffer itself is moved out only if its data is large.
pub fn fitting_of(buffer: &mut Vec<u8>) -> Vec<u8> {
    if buffer.len() >= LARGE_BYTES {
        return std::mem::take(buffer);
    }
    let mut data = Vec::with_capacity(buffer.len() + Record::ROOM_FOR_KEY);
    data.extend_from_slice(buffer);
    data
}
