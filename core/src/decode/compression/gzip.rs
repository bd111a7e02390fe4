//! Decompresses gzip (RFC 1952).

use std::io;

use flate2::bufread::MultiGzDecoder;

use super::read_within;

/// Decompresses all members.
pub(super) fn decompress(data: &[u8], max_bytes: usize, out: &mut Vec<u8>) -> io::Result<()> {
    read_within(MultiGzDecoder::new(data), max_bytes, out)
}
