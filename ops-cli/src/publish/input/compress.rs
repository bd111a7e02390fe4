//! Compresses each record's data with one encoder, because creating an encoder costs more than compressing a small record.

use std::io;

use flate2::{Compress, Compression, FlushCompress, Status};

use super::memory;
use crate::commands::publish as cli;

/// The largest window of gzip, as a power of two.
const GZIP_WINDOW_BITS: u8 = 15;

pub struct Compressor {
    encoder: Encoder,
    buffer: Vec<u8>,
}

enum Encoder {
    Gzip(Compress),
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Compressor {
    pub fn new(compression: cli::Compression) -> io::Result<Self> {
        let encoder = match compression {
            cli::Compression::Gzip => Encoder::Gzip(Compress::new_gzip(Compression::default(), GZIP_WINDOW_BITS)),
            cli::Compression::Zstd => Encoder::Zstd(zstd::bulk::Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL)?),
        };
        Ok(Self { encoder, buffer: Vec::new() })
    }

    /// Compresses the data to one gzip member or zstd frame.
    pub fn compress(&mut self, data: &[u8]) -> io::Result<Vec<u8>> {
        let most = zstd::zstd_safe::compress_bound(data.len());
        if self.buffer.capacity() < most {
            self.buffer = memory::for_bytes(most);
        }
        self.buffer.clear();
        match &mut self.encoder {
            Encoder::Gzip(encoder) => {
                encoder.reset();
                loop {
                    let rest = &data[encoder.total_in() as usize..];
                    if encoder.compress_vec(rest, &mut self.buffer, FlushCompress::Finish)? == Status::StreamEnd {
                        break;
                    }
                    self.buffer.reserve(data.len() / 2 + 64);
                }
            }
            Encoder::Zstd(encoder) => {
                encoder.compress_to_buffer(data, &mut self.buffer)?;
            }
        }
        Ok(memory::fitting_of(&mut self.buffer))
    }
}

#[cfg(test)]
mod tests {
    use kinesis_event_logger_core::decode::Compression;

    use super::{Compressor, cli};

    #[test]
    fn the_logger_decompresses_compressed_data() {
        for compression in [cli::Compression::Gzip, cli::Compression::Zstd] {
            let mut compressor = Compressor::new(compression).unwrap();
            let random: Vec<u8> = (0..100_000).map(|_| fastrand::u8(..)).collect();
            for data in [&b"x"[..], &[], &b"{\"a\":1}".repeat(10_000), &random, b"again"] {
                let compressed = compressor.compress(data).unwrap();
                assert_eq!(opened(&compressed), data, "{compression:?}");
                assert!(compressed.len() < data.len() + data.len() / 100 + 64);
            }
        }
    }

    fn opened(compressed: &[u8]) -> Vec<u8> {
        let mut data = Vec::new();
        Compression::of(compressed).unwrap().decompress(compressed, 1 << 20, &mut data).unwrap();
        data
    }
}
