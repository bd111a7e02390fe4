//! Replaces a format whose Cargo feature is off.

use std::io;

pub(super) fn decompress(_: &[u8], _: usize, _: &mut Vec<u8>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
