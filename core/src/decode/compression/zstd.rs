//! Decompresses Zstandard (RFC 8878).

use std::io;

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::read_within;

/// Decompresses all frames and skips skippable frames (RFC 8878, section 3.1). The decompressor reads a single frame.
pub(super) fn decompress(mut data: &[u8], max_bytes: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let mut decoder = FrameDecoder::new();
    // The decoder allocates the window that a frame asks for. Every decoder should support 8 MiB (RFC 8878, section
    // 3.1.1.1.2).
    decoder.set_max_window_size(max_bytes.max(8 << 20) as u64);
    while !data.is_empty() && out.len() <= max_bytes {
        match StreamingDecoder::new_with_decoder(&mut data, &mut decoder) {
            Ok(mut frame) => {
                read_within(&mut frame, max_bytes, out)?;
                let expected = decoder.get_checksum_from_data();
                if decoder.is_finished() && expected.is_some() && expected != decoder.get_calculated_checksum() {
                    return Err(io::Error::other("the checksum is wrong"));
                }
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                data = data.get(length as usize..).ok_or(io::ErrorKind::UnexpectedEof)?;
            }
            Err(FrameDecoderError::WindowSizeTooBig { .. }) => return Err(io::ErrorKind::FileTooLarge.into()),
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    Ok(())
}
