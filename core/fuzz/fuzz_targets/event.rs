#![no_main]
//! Any bytes as an event: refused, or every element of `Records` decoded to at least one record, and read as it is alone.

use std::convert::Infallible;

use kinesis_event_logger_core::Decoder;
use kinesis_event_logger_core::event::{Event, EventError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(event) = Event::parse(bytes) else { return };
    let mut decoder = Decoder::with_max_decompressed_bytes(1 << 20);
    for source in event.records() {
        let mut records = 0;
        let Ok(()) = decoder.decode(&source, |_| {
            records += 1;
            Ok::<_, Infallible>(())
        });
        assert!(records > 0);
        match Event::parse(&format!(r#"{{"Records":[{}]}}"#, source.raw)) {
            Ok(alone) => assert_eq!(alone.records().next(), Some(source)),
            Err(refusal) => assert!(matches!(refusal, EventError::OtherSource { .. }), "{refusal}"),
        }
    }
});
