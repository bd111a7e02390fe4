//! Recognizes compressed data by its first bytes, and decompresses it up to a limit.

#[cfg_attr(not(feature = "gzip"), path = "compression/unsupported.rs")]
mod gzip;
#[cfg_attr(not(feature = "zstd"), path = "compression/unsupported.rs")]
mod zstd;

use std::fmt;
use std::io;
#[cfg(any(feature = "gzip", feature = "zstd"))]
use std::io::Read;

use thiserror::Error;

/// A compression format.
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

/// The reason why data could not be decompressed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecompressError {
    /// The data ends too early.
    #[error("{compression} data ends in the middle")]
    Truncated {
        /// The data's format.
        compression: Compression,
    },
    /// The data is corrupt.
    #[error("{compression} data is broken: {reason}")]
    Broken {
        /// The data's format.
        compression: Compression,
        /// The decompressor's message.
        reason: String,
    },
    /// The decompressed data exceeds the limit.
    #[error("{compression} data holds more than {max_bytes} bytes")]
    TooLarge {
        /// The data's format.
        compression: Compression,
        /// The limit, in bytes.
        max_bytes: usize,
    },
    /// This build of the crate cannot decompress the format, because the Cargo feature named like it is off.
    #[error(
        "{compression} data cannot be decompressed, because the crate was built without the feature \"{compression}\""
    )]
    Unsupported {
        /// The data's format.
        compression: Compression,
    },
}

impl Compression {
    /// Recognizes the format of data by its first bytes. [`decompress`](Self::decompress) returns an error for data that
    /// only begins like a format.
    ///
    /// Formats are recognized whichever Cargo features are on.
    pub fn of(data: &[u8]) -> Option<Self> {
        match data {
            // Deflate is the only method, and the highest three flags are reserved (RFC 1952, section 2.3.1).
            [0x1F, 0x8B, 8, flags, ..] if flags & 0xE0 == 0 => Some(Self::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Decompresses all members or frames of `data` into `out`, replacing its content. `out` gets at most `max_bytes`
    /// bytes.
    ///
    /// ```
    /// # #[cfg(feature = "zstd")] {
    /// use kinesis_event_logger_core::decode::{Compression, DecompressError};
    ///
    /// // `printf hello | zstd -19`
    /// let data = b"\x28\xb5\x2f\xfd\x04\x68\x29\x00\x00hello\xa3\x6d\x9f\x88";
    /// let zstd = Compression::of(data).unwrap();
    /// let mut out = Vec::new();
    /// zstd.decompress(data, 5, &mut out)?;
    /// assert_eq!(out, b"hello");
    /// assert!(matches!(zstd.decompress(data, 4, &mut out), Err(DecompressError::TooLarge { .. })));
    /// # }
    /// # Ok::<_, kinesis_event_logger_core::decode::DecompressError>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`DecompressError`]. `out` then contains the data before the error.
    pub fn decompress(self, data: &[u8], max_bytes: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
        out.clear();
        let read = match self {
            Self::Gzip => gzip::decompress(data, max_bytes, out),
            Self::Zstd => zstd::decompress(data, max_bytes, out),
        };
        match read {
            Ok(()) if out.len() > max_bytes => Err(DecompressError::TooLarge { compression: self, max_bytes }),
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(DecompressError::TooLarge { compression: self, max_bytes })
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                Err(DecompressError::Unsupported { compression: self })
            }
            Err(error) if ends_early(&error) => Err(DecompressError::Truncated { compression: self }),
            Err(error) => Err(DecompressError::Broken { compression: self, reason: error.to_string() }),
        }
    }
}

/// Reads until `out` contains everything, or one byte more than `max_bytes`.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn read_within(source: impl Read, max_bytes: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let room = max_bytes.saturating_sub(out.len()) as u64 + 1;
    source.take(room).read_to_end(out).map(|_| ())
}

/// Whether an error reports missing data. The zstd crate wraps that error several layers deep.
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
#[cfg(not(feature = "gzip"))]
mod tests_without_gzip {
    use super::*;

    #[test]
    fn gzip_data_is_recognized_but_not_supported() {
        let data = b"\x1f\x8b\x08\x00";
        let compression = Compression::of(data).unwrap();
        let error = compression.decompress(data, 99, &mut Vec::new()).unwrap_err();
        assert_eq!(error, DecompressError::Unsupported { compression: Compression::Gzip });
        assert_eq!(
            error.to_string(),
            "gzip data cannot be decompressed, because the crate was built without the feature \"gzip\""
        );
    }
}

#[cfg(test)]
#[cfg(all(feature = "gzip", feature = "zstd"))]
pub(super) mod tests {
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

    fn decompress(data: &[u8], max_bytes: usize) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let compression = Compression::of(data).ok_or("not compressed")?;
        compression.decompress(data, max_bytes, &mut out).map(|()| out).map_err(|error| error.to_string())
    }

    #[test]
    fn data_without_a_magic_number_is_not_compressed() {
        for data in [&b""[..], b"hello", b"\x1f\x8b", b"\x1f\x8b\x07\x00", b"\x1f\x8b\x08\xff", b"\x28\xb5\x2f"] {
            assert_eq!(Compression::of(data), None);
        }
    }

    #[test]
    fn all_members_and_frames_are_decompressed() {
        let skipped = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc";
        assert_eq!(decompress(&[gzip(b"one "), gzip(b""), gzip(b"two")].concat(), 99).unwrap(), b"one two");
        assert_eq!(decompress(&[&zstd(b"one ")[..], skipped, &zstd(b"two")].concat(), 99).unwrap(), b"one two");
    }

    #[test]
    fn truncated_data_is_an_error() {
        let data = (0..2000_u32).flat_map(u32::to_be_bytes).collect::<Vec<_>>();
        for (compressed, name) in [(gzip(&data), "gzip"), (zstd(&data), "zstd")] {
            for length in [12, compressed.len() / 2, compressed.len() - 1] {
                assert_eq!(decompress(&compressed[..length], 1 << 20), Err(format!("{name} data ends in the middle")));
            }
        }
    }

    #[test]
    fn corrupt_data_is_an_error() {
        let mut broken = gzip(b"hello");
        let last = broken.len() - 5;
        broken[last] ^= 1;
        assert_eq!(
            decompress(&broken, 99),
            Err("gzip data is broken: corrupt gzip stream does not have a matching checksum".to_owned())
        );
        let mut broken = zstd(b"hello");
        let last = broken.len() - 1;
        broken[last] ^= 1;
        assert_eq!(decompress(&broken, 99), Err("zstd data is broken: the checksum is wrong".to_owned()));
        assert!(
            decompress(b"\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 99)
                .is_err()
        );
    }

    #[test]
    fn decompression_stops_at_the_limit() {
        let zeros = vec![0; 1 << 20];
        for (bomb, name) in [(gzip(&zeros), "gzip"), (zstd(&zeros), "zstd")] {
            assert!(decompress(&bomb, 1 << 20).is_ok());
            assert_eq!(
                decompress(&bomb, (1 << 20) - 1),
                Err(format!("{name} data holds more than {} bytes", (1 << 20) - 1))
            );
            let mut out = Vec::new();
            assert!(Compression::of(&bomb).unwrap().decompress(&bomb, 1000, &mut out).is_err());
            assert!(out.capacity() < 100_000);
        }
        // A frame with a window of 2 GiB.
        let window = decompress(b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", 1 << 20);
        assert_eq!(window, Err("zstd data holds more than 1048576 bytes".to_owned()));
    }

    proptest! {
        #[test]
        fn compressed_data_decompresses_to_itself(data in prop::collection::vec(0_u8..4, 0..5000)) {
            prop_assert_eq!(decompress(&gzip(&data), data.len()).unwrap(), &*data);
            prop_assert_eq!(decompress(&zstd(&data), data.len()).unwrap(), &*data);
        }

        #[test]
        fn damaged_data_never_panics(data in prop::collection::vec(0_u8..4, 0..300), at: prop::sample::Index, byte: u8) {
            for mut compressed in [gzip(&data), zstd(&data)] {
                let at = at.index(compressed.len());
                compressed[at] = byte;
                let _ = decompress(&compressed, 1000);
            }
        }
    }
}
