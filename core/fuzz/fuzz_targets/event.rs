#![no_main]
//! Parses any bytes as an event: an error, or every element of `Records` decodes to at least one record and parses to the
//! same alone.

use std::convert::Infallible;

use kinesis_event_logger_core::Decoder;
use kinesis_event_logger_core::event::{Event, EventError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(event) = Event::parse(bytes) else { return };
    // An array of records is the event of EventBridge Pipes, whose records have another form.
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(byte));
    let (before, after) = if first == Some(&b'[') { ("[", "]") } else { (r#"{"Records":["#, "]}") };
    let mut decoder = Decoder::with_max_decompressed_bytes(1 << 20);
    for record in event.records() {
        let mut records = 0;
        let Ok(()) = decoder.decode(&record, |_| {
            records += 1;
            Ok::<_, Infallible>(())
        });
        assert!(records > 0);
        match Event::parse(&format!("{before}{}{after}", record.raw)) {
            Ok(alone) => assert_eq!(alone.records().next(), Some(record)),
            Err(error) => assert!(matches!(error, EventError::OtherSource { .. }), "{error}"),
        }
    }
});
