//! Compressed data: recognised by its magic, opened up to a limit.

use std::fmt;
use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use thiserror::Error;

/// How data is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// Why compressed data could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecompressError {
    /// It ends before its end.
    #[error("{compression} data ends in the middle")]
    Truncated {
        /// How it is compressed.
        compression: Compression,
    },
    /// It is not what its beginning says it is.
    #[error("{compression} data is broken: {reason}")]
    Broken {
        /// How it is compressed.
        compression: Compression,
        /// In the decoder's words.
        reason: String,
    },
    /// It holds more than there is room for.
    #[error("{compression} data holds more than {max_bytes} bytes")]
    TooLarge {
        /// How it is compressed.
        compression: Compression,
        /// The room there was.
        max_bytes: usize,
    },
}

impl Compression {
    /// How data is compressed, by its first bytes. A wrong guess is found out by [`decompress`](Self::decompress).
    pub fn of(data: &[u8]) -> Option<Self> {
        match data {
            // Deflate is the one method there is; the highest three flags are reserved (RFC 1952, section 2.3.1).
            [0x1F, 0x8B, 8, flags, ..] if flags & 0xE0 == 0 => Some(Self::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Opens `data` into `out`, replacing what it held: all of its members or frames, at most `max_bytes` bytes.
    ///
    /// ```
    /// use kinesis_event_logger_core::{Compression, DecompressError};
    ///
    /// // `printf hello | zstd -19`
    /// let data = b"\x28\xb5\x2f\xfd\x04\x68\x29\x00\x00hello\xa3\x6d\x9f\x88";
    /// let zstd = Compression::of(data).unwrap();
    /// let mut out = Vec::new();
    /// zstd.decompress(data, 5, &mut out)?;
    /// assert_eq!(out, b"hello");
    /// assert!(matches!(zstd.decompress(data, 4, &mut out), Err(DecompressError::TooLarge { .. })));
    /// # Ok::<_, DecompressError>(())
    /// ```
    ///
    /// # Errors
    /// [`DecompressError`]; `out` then holds what came before the error.
    pub fn decompress(self, data: &[u8], max_bytes: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
        out.clear();
        let read = match self {
            Self::Gzip => read_within(MultiGzDecoder::new(data), max_bytes, out),
            Self::Zstd => unzstd(data, max_bytes, out),
        };
        match read {
            Ok(()) if out.len() > max_bytes => Err(DecompressError::TooLarge { compression: self, max_bytes }),
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(DecompressError::TooLarge { compression: self, max_bytes })
            }
            Err(error) if ends_early(&error) => Err(DecompressError::Truncated { compression: self }),
            Err(error) => Err(DecompressError::Broken { compression: self, reason: error.to_string() }),
        }
    }
}

/// Reads until `out` holds everything, or one byte more than it may.
fn read_within(source: impl Read, max_bytes: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let room = max_bytes.saturating_sub(out.len()) as u64 + 1;
    source.take(room).read_to_end(out).map(|_| ())
}

/// The crate reads one frame; a stream may have many, and frames to be skipped (RFC 8878, section 3.1).
fn unzstd(mut data: &[u8], max_bytes: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let mut decoder = FrameDecoder::new();
    // A frame says how much a decoder must remember, and the decoder believes it. Every decoder should take 8 MiB
    // (RFC 8878, section 3.1.1.1.2).
    decoder.set_max_window_size(max_bytes.max(8 << 20) as u64);
    while !data.is_empty() && out.len() <= max_bytes {
        match StreamingDecoder::new_with_decoder(&mut data, &mut decoder) {
            Ok(mut frame) => {
                read_within(&mut frame, max_bytes, out)?;
                let said = decoder.get_checksum_from_data();
                if decoder.is_finished() && said.is_some() && said != decoder.get_calculated_checksum() {
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

/// Whether an error is about data that is not there. The zstd crate wraps that many layers deep.
fn ends_early(error: &io::Error) -> bool {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return true;
    }
    let mut source = error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
    while let Some(inner) = source {
        if inner.downcast_ref::<io::Error>().is_some_and(|inner| inner.kind() == io::ErrorKind::UnexpectedEof) {
            return true;
        }
        source = inner.source();
    }
    false
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    pub(crate) fn zstd(data: &[u8]) -> Vec<u8> {
        compress_to_vec(data, CompressionLevel::Fastest)
    }

    fn open(data: &[u8], max_bytes: usize) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let compression = Compression::of(data).ok_or("not compressed")?;
        compression.decompress(data, max_bytes, &mut out).map(|()| out).map_err(|error| error.to_string())
    }

    #[test]
    fn what_has_no_magic_is_not_compressed() {
        for data in [&b""[..], b"hello", b"\x1f\x8b", b"\x1f\x8b\x07\x00", b"\x1f\x8b\x08\xff", b"\x28\xb5\x2f"] {
            assert_eq!(Compression::of(data), None);
        }
    }

    #[test]
    fn members_and_frames_are_read_to_the_last() {
        let skipped = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc";
        assert_eq!(open(&[gzip(b"one "), gzip(b""), gzip(b"two")].concat(), 99).unwrap(), b"one two");
        assert_eq!(open(&[&zstd(b"one ")[..], skipped, &zstd(b"two")].concat(), 99).unwrap(), b"one two");
    }

    #[test]
    fn a_truncated_stream_says_so() {
        let data = (0..2000_u32).flat_map(u32::to_be_bytes).collect::<Vec<_>>();
        for (compressed, name) in [(gzip(&data), "gzip"), (zstd(&data), "zstd")] {
            for length in [12, compressed.len() / 2, compressed.len() - 1] {
                assert_eq!(open(&compressed[..length], 1 << 20), Err(format!("{name} data ends in the middle")));
            }
        }
    }

    #[test]
    fn broken_data_says_so() {
        let mut broken = gzip(b"hello");
        let last = broken.len() - 5;
        broken[last] ^= 1;
        assert_eq!(
            open(&broken, 99),
            Err("gzip data is broken: corrupt gzip stream does not have a matching checksum".to_owned())
        );
        let mut broken = zstd(b"hello");
        let last = broken.len() - 1;
        broken[last] ^= 1;
        assert_eq!(open(&broken, 99), Err("zstd data is broken: the checksum is wrong".to_owned()));
        assert!(open(b"\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 99).is_err());
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let zeros = vec![0; 1 << 20];
        for (bomb, name) in [(gzip(&zeros), "gzip"), (zstd(&zeros), "zstd")] {
            assert!(open(&bomb, 1 << 20).is_ok());
            assert_eq!(open(&bomb, (1 << 20) - 1), Err(format!("{name} data holds more than {} bytes", (1 << 20) - 1)));
            let mut out = Vec::new();
            assert!(Compression::of(&bomb).unwrap().decompress(&bomb, 1000, &mut out).is_err());
            assert!(out.capacity() < 100_000);
        }
        // A frame that says it needs a window of 2 GiB.
        let window = open(b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", 1 << 20);
        assert_eq!(window, Err("zstd data holds more than 1048576 bytes".to_owned()));
    }

    proptest! {
        #[test]
        fn what_is_compressed_comes_back(data in prop::collection::vec(0_u8..4, 0..5000)) {
            prop_assert_eq!(open(&gzip(&data), data.len()).unwrap(), &*data);
            prop_assert_eq!(open(&zstd(&data), data.len()).unwrap(), &*data);
        }

        #[test]
        fn no_damage_makes_it_panic(data in prop::collection::vec(0_u8..4, 0..300), at: prop::sample::Index, byte: u8) {
            for mut compressed in [gzip(&data), zstd(&data)] {
                let at = at.index(compressed.len());
                compressed[at] = byte;
                let _ = open(&compressed, 1000);
            }
        }
    }
}
