#![no_main]
//! Decompresses any bytes after each magic number: within the limit, or an error.

use kinesis_event_logger_core::decode::Compression;
use libfuzzer_sys::fuzz_target;

const MAX_BYTES: usize = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let mut out = Vec::new();
    for magic in [&b""[..], b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd"] {
        let data = [magic, bytes].concat();
        if let Some(compression) = Compression::of(&data) {
            let opened = compression.decompress(&data, MAX_BYTES, &mut out);
            assert!(out.len() <= MAX_BYTES || opened.is_err());
        }
    }
});
