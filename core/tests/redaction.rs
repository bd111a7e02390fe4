//! No line contains a value that a rule names, however it is nested, and a record in which no rule names anything is shown
//! completely.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::convert::Infallible;
use std::io::Write;

use kinesis_event_logger_core::line::DataMode;
use kinesis_event_logger_core::{
    AggregateBuilder, Decoder, LineFormat, LineOptions, LineWriter, Payload, Position, Redactor,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const SECRET: &str = "s3cr3t~Qx7vK";
const FORMATS: [LineFormat; 2] = [LineFormat::Text, LineFormat::Json];

fn lines(format: LineFormat, data: &[u8], options: &LineOptions) -> String {
    let writer = LineWriter::with_options(format, "r", 0, options);
    let mut lines = Vec::new();
    let position = Position { partition_key: Some("k"), ..Position::default() };
    let Ok(()) = Decoder::new().decode_bytes(&position, data, |record| {
        writer.append(record, &mut lines);
        Ok::<_, Infallible>(())
    });
    String::from_utf8(lines).unwrap()
}

fn options(rules: &[&str]) -> LineOptions {
    LineOptions { redactor: Redactor::new(rules).unwrap(), ..LineOptions::DEFAULT }
}

fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

/// The middle part of the base64 of some bytes, for each alignment.
fn in_base64(bytes: &[u8]) -> Vec<String> {
    (0..3)
        .map(|before| {
            let padded = [&vec![0; before], bytes].concat();
            let encoded = base64_simd::STANDARD.encode_to_string(&padded[..padded.len() / 3 * 3]);
            encoded[(before * 4).div_ceil(3)..].to_owned()
        })
        .collect()
}

fn assert_hidden(line: &str) {
    let forms = [SECRET.as_bytes().to_vec(), utf16(SECRET, u16::to_le_bytes), utf16(SECRET, u16::to_be_bytes)];
    assert!(!line.replace("\\u0000", "").contains(SECRET), "{line}");
    for encoded in forms.iter().flat_map(|form| in_base64(form)) {
        assert!(!line.contains(&encoded), "{encoded} in {line}");
    }
}

/// A text with a key and the secret, as JSON or in another form.
fn text_with(key: &str, form: usize) -> String {
    let object = json!({ key: SECRET }).to_string();
    let escape = |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
    match form % 9 {
        0 => object,
        1 => format!("{key}={SECRET}&a=b"),
        2 => format!("POST /login {object} 200"),
        3 => format!("{{\"{}\":\"{SECRET}\"}}", key.chars().map(escape).collect::<String>()),
        4 => format!("{key}: {SECRET}"),
        5 => format!("{}={SECRET}", key.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>()),
        6 => format!("<a {}=\"{SECRET}\">", key.chars().map(|c| format!("&#{};", u32::from(c))).collect::<String>()),
        7 => format!("{{\"a\":1}}\n{object}\n"),
        _ => object[..object.len() - 1].to_owned(),
    }
}

/// The text inside another text. After the last three, its JSON is no longer where a pointer begins.
fn wrapped(text: &str, layer: usize) -> String {
    match layer % 12 {
        0 => json!({ "m": text }).to_string(),
        1 => json!([1, { "a": [text] }]).to_string(),
        2 => format!("\u{feff}{text}"),
        3 => format!("\0{text}"),
        4 => format!("\u{1e}{text}\n"),
        5 => format!("{text}\n{{\"b\":2}}"),
        6 => format!("2026-11-28 INFO {text} done"),
        7 => text.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        8 => text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;"),
        9 => Value::from(text).to_string(),
        10 => json!({ text: 1 }).to_string(),
        _ => json!({"dynamodb": {"Keys": {"id": {"S": "1"}}, "NewImage": {"x": {"S": text}}}, "eventName": "INSERT"})
            .to_string(),
    }
}

/// The data of a record that contains the text.
fn outer(text: &str, form: usize) -> Vec<u8> {
    let gzip = |data: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    };
    let envelope = || {
        json!({"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "g", "logStream": "s", "logEvents": [{"id": "1", "timestamp": 1, "message": text}]})
            .to_string()
    };
    match form % 9 {
        0 => text.as_bytes().to_vec(),
        1 => gzip(text.as_bytes()),
        2 => ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest),
        3 => gzip(envelope().as_bytes()),
        4 => {
            let mut builder = AggregateBuilder::new(1 << 20);
            builder.add("k1", None, b"{}").unwrap();
            builder.add("k2", None, &gzip(text.as_bytes())).unwrap();
            builder.add("k3", None, text.as_bytes()).unwrap();
            builder.build()
        }
        5 => utf16(text, u16::to_le_bytes),
        6 => utf16(&format!("\u{feff}{text}"), u16::to_be_bytes),
        7 => {
            let mut encoder = minicbor::Encoder::new(Vec::new());
            encoder.map(1).unwrap().str("m").unwrap().bytes(&[b"\xff", text.as_bytes()].concat()).unwrap();
            encoder.into_writer()
        }
        // Truncated compressed data.
        _ => {
            let mut data = gzip(text.as_bytes());
            data.truncate(data.len() - 3);
            data
        }
    }
}

fn key() -> impl Strategy<Value = (&'static str, String)> {
    prop_oneof![
        prop_oneof![Just("password"), Just("PassWord"), Just("PASSWORD"), Just("ｐassword"), Just("pa\u{17f}sword")]
            .prop_map(|key| ("password", key.to_owned())),
        prop_oneof![Just("пароль"), Just("ПАРОЛЬ"), Just("Пароль")].prop_map(|key| ("пароль", key.to_owned())),
        prop_oneof![Just("größe"), Just("GRÖSSE"), Just("GRÖẞE"), Just("gro\u{308}sse")]
            .prop_map(|key| ("größe", key.to_owned())),
        prop_oneof![Just("card number"), Just("Card\u{a0}Number")].prop_map(|key| ("card number", key.to_owned())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn no_line_contains_a_value_that_a_rule_names(
        (rule, key) in key(), form: usize, layers in prop::collection::vec(any::<usize>(), 0..5), outside: usize,
        is_pointer: bool, shown in 0..4_usize, envelope in prop::sample::select(vec!["full", "compact", "data", "type,logGroup,table"]),
    ) {
        // A pointer matches only the exact name.
        let (rule, key) = if is_pointer { (format!("/{rule}"), rule.to_owned()) } else { (rule.to_owned(), key) };
        let text = layers.iter().fold(text_with(&key, form), |text, &layer| wrapped(&text, layer));
        let options = LineOptions {
            envelope: envelope.parse().unwrap(),
            data: [DataMode::Full, DataMode::Full, DataMode::Hash, DataMode::None][shown],
            max_data_bytes: if shown == 1 { 40 } else { usize::MAX },
            ..options(&["other", &rule])
        };
        for format in FORMATS {
            let lines = lines(format, &outer(&text, outside), &options);
            assert_hidden(&lines);
            // A line that is JSON data alone shows only by the value that it is redacted.
            let is_marked = lines.contains("redacted=") || lines.contains("\"redacted\":") || lines.contains("[redacted]");
            prop_assert!(is_marked, "{}", lines);
        }
    }

    #[test]
    fn a_record_in_which_no_rule_names_anything_is_shown_whole(
        key in "note|Notiz|примечание|password_hint_|filename", form: usize, layers in prop::collection::vec(any::<usize>(), 0..5),
        outside in 0..5_usize,
    ) {
        let text = layers.iter().fold(text_with(&key, form), |text, &layer| wrapped(&text, layer));
        let data = outer(&text, outside);
        for format in FORMATS {
            let whole = lines(format, &data, &LineOptions::DEFAULT);
            let names: &[&str] = &["passphrase", "größe", "пароль", "card number"];
            prop_assert_eq!(&lines(format, &data, &options(names)), &whole);
            if let Payload::Json(_) = kinesis_event_logger_core::decode::classify(text.as_bytes()) {
                let record = lines(format, text.as_bytes(), &LineOptions::DEFAULT);
                prop_assert_eq!(&lines(format, text.as_bytes(), &options(&["passphrase", "/größe", "/a/passphrase"])), &record);
            }
        }
    }
}

/// Asserts that a rule hides `hidden` on the lines of both formats.
fn assert_lines(rule: &str, data: &str, hidden: &str) {
    for format in FORMATS {
        let whole = lines(format, data.as_bytes(), &LineOptions::DEFAULT);
        assert!(whole.contains(hidden), "{whole}");
        let redacted = lines(format, data.as_bytes(), &options(&[rule]));
        assert!(redacted.contains("[redacted]") && !redacted.contains(hidden), "{rule}: {redacted}");
        if format == LineFormat::Json {
            for line in redacted.lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                assert!(line["redacted"].as_u64() >= Some(1), "{line}");
            }
        }
    }
}

const CHANGE: &str = r#"{"eventName":"MODIFY","tableName":"orders-table","dynamodb":{"Keys":{"id":{"S":"key-7"}},"NewImage":{"pin":{"S":"pin-7"},"m":{"M":{"pin":{"N":"4711"}}}}}}"#;
const ENVELOPE: &str = r#"{"messageType":"DATA_MESSAGE","owner":"owner-1","logGroup":"group-1","logStream":"stream-1","logEvents":[
    {"id":"id-1","timestamp":1545084650987,"message":"text-1"},{"id":"id-2","timestamp":1545084650987,"message":"{\"pin\":\"text-1\"}"}]}"#;

#[test]
fn a_field_that_repeats_a_hidden_member_is_hidden() {
    for (rules, hidden) in [
        (["tableName", "/tableName", "TABLENAME"], "orders-table"),
        (["eventName", "/eventName", "EventName"], "MODIFY"),
        (["pin", "/pin", "/dynamodb/NewImage/pin"], "pin-7"),
        (["pin", "/m/pin", "/dynamodb/NewImage/m/pin"], "4711"),
        (["id", "/id", "/dynamodb/Keys"], "key-7"),
    ] {
        rules.iter().for_each(|rule| assert_lines(rule, CHANGE, hidden));
    }
    for (rules, hidden) in [
        (["owner", "/owner", "OWNER"], "owner-1"),
        (["logGroup", "/logGroup", "loggroup"], "group-1"),
        (["logStream", "/logStream", "LogStream"], "stream-1"),
        (["id", "/logEvents/0/id", "logEvents"], "id-1"),
        (["timestamp", "/logEvents", "logEvents"], "2018-12-17"),
        (["message", "/logEvents", "logEvents"], "text-1"),
    ] {
        rules.iter().for_each(|rule| {
            if *rule != "/logEvents/0/id" {
                assert_lines(rule, ENVELOPE, hidden);
            }
        });
    }
}

#[test]
fn pointers_name_one_log_event_and_values_in_its_message() {
    for format in FORMATS {
        let lines = |rule: &str| {
            let lines = lines(format, ENVELOPE.as_bytes(), &options(&[rule]));
            lines.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let first = lines("/logEvents/1/id");
        assert!(first[0].contains("id-1") && !first[1].contains("id-2"), "{first:?}");
        let into = lines("/logEvents/1/message/pin");
        assert!(into[1].contains("pin") && !into[1].contains("text-1"), "{into:?}");
    }
}
