#![no_main]
//! Writes any bytes as a record's data, with any envelope and split or not: each line is harmless, within its size, in JSON
//! format valid JSON, and parses to its record if its envelope identifies one. It does not contain a value that a rule names,
//! also if the value is inside the data's own text.

use std::convert::Infallible;

use kinesis_event_logger_core::line;
use kinesis_event_logger_core::{Data, Decoder, LineFormat, LineOptions, LineWriter, Payload, Position, Record, Redactor};
use libfuzzer_sys::fuzz_target;

const MAX_DATA_BYTES: usize = 300;

fuzz_target!(|bytes: &[u8]| {
    let envelope = ["full", "compact", "data", "partitionKey,v,type", "sequenceNumber,logGroup"][bytes.len() % 5];
    let options = LineOptions {
        envelope: envelope.parse().expect("an envelope"),
        max_data_bytes: MAX_DATA_BYTES,
        redactor: if bytes.len() % 2 == 0 { Redactor::NONE } else { Redactor::new(["a", "/b/0"]).expect("rules") },
        ..LineOptions::DEFAULT
    };
    planted(bytes);
    let position = Position { sequence_number: Some("4959"), partition_key: Some("k"), ..Position::default() };
    let mut decoder = Decoder::with_max_decompressed_bytes(1 << 16);
    decoder.set_split_json(bytes.len() % 3 == 0);
    for format in [LineFormat::Text, LineFormat::Json] {
        let writer = LineWriter::with_options(format, "r", 0, &options);
        let Ok(()) = decoder.decode_bytes(&position, bytes, |record| {
            let mut line = Vec::new();
            writer.append(record, &mut line);
            check(format, &line);
            if matches!(envelope, "full" | "compact") {
                let parsed = line::parse(std::str::from_utf8(&line).expect("UTF-8").trim_end()).expect("our line");
                assert_eq!(parsed.sequence_number.as_deref(), Some("4959"));
                assert_eq!(parsed.sub_sequence_number, record.position.sub_sequence_number);
            }
            Ok::<_, Infallible>(())
        });
    }
});

/// A secret under a key, with any text before and after it in one string.
fn planted(bytes: &[u8]) {
    const SECRET: &str = "s3cr3t~Qx7vK";
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (before, after) = text.split_at(text.floor_char_boundary(text.len() / 2));
    let data = serde_json::json!({ "m": format!("{before}{{\"password\":\"{SECRET}\"}}{after}") }).to_string();
    let options = LineOptions { redactor: Redactor::new(["password"]).expect("a rule"), ..LineOptions::DEFAULT };
    let record = Record::new(Position::default(), Data::Payload(Payload::Json(&data)));
    let mut line = Vec::new();
    LineWriter::with_options(LineFormat::Json, "r", 0, &options).append(&record, &mut line);
    assert!(!String::from_utf8_lossy(&line).contains(SECRET));
}

fn check(format: LineFormat, line: &[u8]) {
    let line = std::str::from_utf8(line).expect("UTF-8").strip_suffix('\n').expect("a newline at the end");
    let harmful = |character: char| {
        character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    assert!(!line.contains(harmful));
    // The names of a log event and an aggregate are at most 1 KiB each, escaped.
    assert!(line.len() < MAX_DATA_BYTES + 50_000);
    if format == LineFormat::Json {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(value["data"].to_string().len() <= 2 * MAX_DATA_BYTES);
    }
}
