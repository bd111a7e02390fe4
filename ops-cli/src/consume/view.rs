//! Renders records: for people (`pretty`), as their data, as the function's line in JSON, or by a format. Pure: records in, bytes
//! out.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use kinesis_event_logger_core::{Data, LineWriter, Payload, Record};

use super::format::Format;
use super::hex;
use crate::output::{printable, printable_json};
use crate::tail::event::Event;
use crate::tail::view::Pretty;

/// How binary data is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BinaryForm {
    Base64,
    HexDump,
}

/// A way to render records.
#[derive(Debug)]
pub enum View {
    Pretty(Box<PrettyRecords>),
    /// The data alone. On a terminal it is escaped.
    Raw {
        is_terminal: bool,
    },
    /// The line of the function.
    Json {
        is_terminal: bool,
    },
    Format {
        format: Format,
        is_terminal: bool,
    },
}

/// The view for people, which is that of `tail`.
#[derive(Debug)]
pub struct PrettyRecords {
    pub pretty: Pretty,
    labels: HashMap<Arc<str>, Arc<str>>,
}

impl PrettyRecords {
    pub fn new(pretty: Pretty) -> Self {
        Self { pretty, labels: HashMap::new() }
    }

    /// The name of a shard without the zeros of its id.
    fn label(&mut self, shard_id: &str) -> Arc<str> {
        if let Some(label) = self.labels.get(shard_id) {
            return Arc::clone(label);
        }
        let number = shard_id.strip_prefix("shardId-").unwrap_or(shard_id).trim_start_matches('0');
        let label: Arc<str> = format!("shard {}", if number.is_empty() { "0" } else { number }).into();
        self.labels.insert(shard_id.into(), Arc::clone(&label));
        label
    }
}

impl View {
    /// Appends the text of a record. `writer` writes the function's lines in JSON, `now_ms` is the time of those lines.
    pub fn render(
        &mut self,
        record: &Record<'_>,
        writer: &LineWriter<'_>,
        form: BinaryForm,
        now_ms: i64,
        to: &mut Vec<u8>,
    ) {
        match self {
            Self::Pretty(records) => records.render(record, writer, form, now_ms, to),
            Self::Raw { is_terminal } => {
                let text = data_text(record.data, form);
                if *is_terminal {
                    let lines: Vec<_> = text.split('\n').map(printable).collect();
                    to.extend_from_slice(lines.join("\n").as_bytes());
                } else {
                    to.extend_from_slice(text.as_bytes());
                }
                to.push(b'\n');
            }
            Self::Json { is_terminal: false } => {
                writer.append(record, to);
            }
            Self::Json { is_terminal: true } => {
                to.extend_from_slice(printable_json(&line(record, writer)).as_bytes());
                to.push(b'\n');
            }
            Self::Format { format, is_terminal } => {
                let line = if format.has_line() { line(record, writer) } else { String::new() };
                format.render(record, &line, form, *is_terminal, to);
            }
        }
    }

    /// Whether lines contain our styles, which only a terminal understands.
    pub fn is_styled(&self) -> bool {
        matches!(self, Self::Pretty(_))
    }
}

impl PrettyRecords {
    fn render(
        &mut self,
        record: &Record<'_>,
        writer: &LineWriter<'_>,
        form: BinaryForm,
        now_ms: i64,
        to: &mut Vec<u8>,
    ) {
        let event = Event {
            timestamp: record.position.arrival_ms.unwrap_or(now_ms),
            ingestion_time: now_ms,
            log_group: self.label(record.position.shard_id.unwrap_or_default()),
            log_stream: String::new(),
            event_id: None,
            late: false,
            message: line(record, writer),
        };
        self.pretty.render(&event, to);
        if let (Some(bytes), BinaryForm::HexDump) = (binary(record.data), form) {
            to.extend_from_slice(hex::dump(bytes).as_bytes());
        }
    }
}

/// The function's line of a record, without the line break.
fn line(record: &Record<'_>, writer: &LineWriter<'_>) -> String {
    let mut line = Vec::new();
    writer.append(record, &mut line);
    line.pop();
    String::from_utf8(line).unwrap_or_default()
}

fn binary(data: Data<'_>) -> Option<&[u8]> {
    match data {
        Data::Payload(Payload::Binary(bytes) | Payload::Cbor(bytes)) => Some(bytes),
        _ => None,
    }
}

/// The decoded bytes of a record's data.
pub fn data_bytes(data: Data<'_>) -> &[u8] {
    match data {
        Data::Payload(Payload::Json(text) | Payload::Text(text)) | Data::Undecodable(text) => text.as_bytes(),
        Data::Payload(Payload::Binary(bytes) | Payload::Cbor(bytes)) => bytes,
    }
}

/// The data as text: unchanged if it is text, else in base64 or as a hex dump without its last line break.
pub fn data_text(data: Data<'_>, form: BinaryForm) -> Cow<'_, str> {
    match (data, form) {
        (Data::Payload(Payload::Json(text) | Payload::Text(text)) | Data::Undecodable(text), _) => text.into(),
        (Data::Payload(Payload::Binary(bytes) | Payload::Cbor(bytes)), BinaryForm::Base64) => {
            base64_simd::STANDARD.encode_to_string(bytes).into()
        }
        (Data::Payload(Payload::Binary(bytes) | Payload::Cbor(bytes)), BinaryForm::HexDump) => {
            hex::dump(bytes).trim_end_matches('\n').to_owned().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use kinesis_event_logger_core::{LineFormat, Position};

    use super::*;
    use crate::tail::matching::Matching;

    const NOW_MS: i64 = 1_795_452_961_000;

    fn position() -> Position<'static> {
        Position {
            stream: Some("orders"),
            shard_id: Some("shardId-000000000012"),
            sequence_number: Some("4959"),
            partition_key: Some("user-1"),
            arrival_ms: Some(1_795_452_960_123),
            ..Position::default()
        }
    }

    fn pretty(has_labels: bool, columns: Option<usize>) -> View {
        let now = Timestamp::from_millisecond(NOW_MS).unwrap();
        let mut pretty = Pretty::new(TimeZone::UTC, Matching::default(), now);
        pretty.set_labels(has_labels);
        pretty.set_columns(columns);
        View::Pretty(Box::new(PrettyRecords::new(pretty)))
    }

    fn rendered(view: &mut View, data: Payload<'_>, form: BinaryForm) -> String {
        let writer = LineWriter::new(LineFormat::Json, "consume", NOW_MS);
        let mut out = Vec::new();
        view.render(&Record::new(position(), Data::Payload(data)), &writer, form, NOW_MS, &mut out);
        anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string()
    }

    const JSON: Payload<'static> = Payload::Json(r#"{"total":12.50,"items":["a","b"]}"#);
    const BINARY: Payload<'static> = Payload::Binary(b"\xff\x00hello");

    #[test]
    fn a_pretty_record_has_time_shard_key_and_data() {
        let mut view = pretty(true, None);
        assert_eq!(
            rendered(&mut view, JSON, BinaryForm::Base64),
            "16:56:00.123  shard 12  user-1  {\"total\":12.50,\"items\":[\"a\",\"b\"]}\n"
        );
        let mut view = pretty(false, Some(40));
        assert_eq!(rendered(&mut view, JSON, BinaryForm::Base64), "16:56:00  user-1  {\"total\":12.50,\"items…\n");
    }

    #[test]
    fn binary_data_is_base64_or_a_hex_dump() {
        let dump = "00000000  ff 00 68 65 6c 6c 6f                              |..hello|\n";
        let mut raw = View::Raw { is_terminal: false };
        assert_eq!(rendered(&mut raw, BINARY, BinaryForm::Base64), "/wBoZWxsbw==\n");
        assert_eq!(rendered(&mut raw, BINARY, BinaryForm::HexDump), dump);
        let expected = format!("16:56:00.123  user-1  /wBoZWxsbw==\n{dump}");
        assert_eq!(rendered(&mut pretty(false, None), BINARY, BinaryForm::HexDump), expected);
    }

    #[test]
    fn a_json_view_is_the_line_of_the_function() {
        let line = rendered(&mut View::Json { is_terminal: false }, JSON, BinaryForm::Base64);
        assert_eq!(
            line,
            "{\"timestamp\":\"2026-11-23T16:56:01.000Z\",\"level\":\"INFO\",\"v\":1,\"requestId\":\"consume\",\"stream\":\"orders\",\
             \"shard\":\"shardId-000000000012\",\"sequenceNumber\":\"4959\",\"partitionKey\":\"user-1\",\
             \"arrival\":\"2026-11-23T16:56:00.123Z\",\"lagMs\":877,\"type\":\"json\",\"data\":{\"total\":12.50,\"items\":[\"a\",\"b\"]}}\n"
        );
    }

    #[test]
    fn raw_data_is_untouched_in_a_pipe_and_escaped_on_a_terminal() {
        let data = Payload::Text("a\u{1b}[31m\nb\u{202e}");
        let raw = |is_terminal| {
            let writer = LineWriter::new(LineFormat::Json, "consume", NOW_MS);
            let mut out = Vec::new();
            let record = Record::new(position(), Data::Payload(data));
            View::Raw { is_terminal }.render(&record, &writer, BinaryForm::Base64, NOW_MS, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(raw(false), "a\u{1b}[31m\nb\u{202e}\n");
        assert_eq!(raw(true), "a\\u{1b}[31m\nb\\u{202e}\n");
    }
}
