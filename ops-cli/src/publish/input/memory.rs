//! Memory for large records, which is given back when they are done with.
//!
//! glibc maps a large block by itself and unmaps it when it is freed; but each such block that is freed raises the size from
//! which it does so, up to 32 MiB (mallopt(3), `M_MMAP_THRESHOLD`), and what is smaller stays with the thread that had it: a few
//! records of 10 MiB then take 140 MiB. Blocks beyond that size are always mapped; of what is not written to only the
//! addresses are used.

use super::record::Record;

const ALWAYS_MAPPED_BYTES: usize = 33 * 1024 * 1024;
/// What has fewer bytes is worth no mapping.
const LARGE_BYTES: usize = 4 * 1024 * 1024;

/// For data that may become large.
pub fn large() -> Vec<u8> {
    Vec::with_capacity(ALWAYS_MAPPED_BYTES)
}

/// For so many bytes.
pub fn for_bytes(bytes: usize) -> Vec<u8> {
    if bytes < LARGE_BYTES { Vec::with_capacity(bytes) } else { Vec::with_capacity(bytes.max(ALWAYS_MAPPED_BYTES)) }
}

/// In a block of its size, with room for a key, if it did not become large.
pub fn fitting(mut data: Vec<u8>) -> Vec<u8> {
    fitting_of(&mut data)
}

/// The same of a buffer that is to be used again: it is given away only if what is in it is large.
pub fn fitting_of(buffer: &mut Vec<u8>) -> Vec<u8> {
    if buffer.len() >= LARGE_BYTES {
        return std::mem::take(buffer);
    }
    let mut data = Vec::with_capacity(buffer.len() + Record::ROOM_FOR_KEY);
    data.extend_from_slice(buffer);
    data
}
