//! Writes the fields of a line, in either format.

use crate::decode::{Position, Record};
use crate::escape::{push_json, push_json_string, push_word};
use crate::redact::{REDACTION_MARK, Redactor};
use crate::shape::{Field, FieldValue, Origin};
use crate::timestamp::push_rfc3339;

use super::data::{DataType, DataValue, LineData};
use super::envelope::EnvelopeField;
use super::names::{self, FieldName};
use super::{LINE_VERSION, Level, LineFormat, MAX_NAME_BYTES, push, push_integer};

/// Writes the fields of one line.
pub(super) struct FieldWriter<'o> {
    pub(super) out: &'o mut Vec<u8>,
    pub(super) format: LineFormat,
    /// The line's beginning in `out`.
    start: usize,
    /// Whether the data or a name was truncated.
    pub(super) truncated: bool,
    /// The number of values that were replaced.
    pub(super) redacted: usize,
    has_type: bool,
}

/// The values that all lines of a level and a batch share.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchValues<'b> {
    pub(super) now_ms: i64,
    pub(super) level: Level,
    pub(super) request_id: &'b str,
}

impl<'o> FieldWriter<'o> {
    /// Creates a writer that appends a line to `out`.
    pub(super) fn new(out: &'o mut Vec<u8>, format: LineFormat) -> Self {
        let start = out.len();
        Self { out, format, start, truncated: false, redacted: 0, has_type: false }
    }

    /// Writes a field if it is the same on all lines of a batch. Returns `false` if it is not.
    pub(super) fn batch_field(&mut self, field: EnvelopeField, batch: BatchValues<'_>) -> bool {
        match field {
            EnvelopeField::Timestamp => {
                self.unnamed(names::TIMESTAMP);
                self.quoted(|out| push_rfc3339(out, batch.now_ms));
            }
            EnvelopeField::Level => {
                self.unnamed(names::LEVEL);
                self.quoted(|out| push(out, batch.level.name()));
            }
            EnvelopeField::Version if self.format == LineFormat::Json => self.number(names::VERSION, LINE_VERSION),
            EnvelopeField::Version => {}
            EnvelopeField::RequestId => {
                self.unnamed(names::REQUEST_ID);
                match self.format {
                    LineFormat::Text => push_word(self.out, batch.request_id),
                    LineFormat::Json => push_json_string(self.out, batch.request_id),
                }
            }
            _ => return false,
        }
        true
    }

    /// Writes a field of the envelope. JSON omits missing values, and text marks some of them with `-`.
    pub(super) fn field(
        &mut self,
        field: EnvelopeField,
        record: &Record<'_>,
        data: DataType,
        batch: BatchValues<'_>,
        rules: &Redactor,
    ) {
        let position = &record.position;
        match field {
            EnvelopeField::Position => self.position(position, batch.now_ms),
            EnvelopeField::Stream => self.required(names::STREAM, position.stream),
            EnvelopeField::Shard => self.required(names::SHARD, position.shard_id),
            EnvelopeField::SequenceNumber => self.required(names::SEQUENCE_NUMBER, position.sequence_number),
            EnvelopeField::SubSequenceNumber => self.sub_sequence_number(position.sub_sequence_number),
            EnvelopeField::PartitionKey => self.partition_key(position.partition_key),
            EnvelopeField::ExplicitHashKey => self.word(names::EXPLICIT_HASH_KEY, position.explicit_hash_key),
            EnvelopeField::Arrival => self.arrival(position.arrival_ms),
            EnvelopeField::LagMs => self.lag(position.arrival_ms, batch.now_ms),
            EnvelopeField::Shape => {
                if let Some(origin) = &record.origin {
                    origin.fields.iter().for_each(|field| self.shape_field(field, rules));
                }
            }
            EnvelopeField::ShapeField(name) => {
                let fields = record.origin.as_ref().map_or(&[][..], |origin: &Origin<'_>| origin.fields);
                fields.iter().filter(|field| field.name == name).for_each(|field| self.shape_field(field, rules));
            }
            EnvelopeField::Type => self.data_type(data),
            EnvelopeField::Timestamp | EnvelopeField::Level | EnvelopeField::Version | EnvelopeField::RequestId => {
                self.batch_field(field, batch);
            }
        }
    }

    fn position(&mut self, position: &Position<'_>, now_ms: i64) {
        self.required(names::STREAM, position.stream);
        self.required(names::SHARD, position.shard_id);
        self.required(names::SEQUENCE_NUMBER, position.sequence_number);
        self.sub_sequence_number(position.sub_sequence_number);
        self.partition_key(position.partition_key);
        self.word(names::EXPLICIT_HASH_KEY, position.explicit_hash_key);
        self.arrival(position.arrival_ms);
        self.lag(position.arrival_ms, now_ms);
    }

    fn sub_sequence_number(&mut self, number: Option<u64>) {
        if let Some(number) = number {
            self.number(names::SUB_SEQUENCE_NUMBER, number);
        }
    }

    fn arrival(&mut self, arrival_ms: Option<i64>) {
        match arrival_ms {
            Some(arrival_ms) => {
                self.key(names::ARRIVAL);
                self.quoted(|out| push_rfc3339(out, arrival_ms));
            }
            None => self.missing(names::ARRIVAL),
        }
    }

    fn lag(&mut self, arrival_ms: Option<i64>, now_ms: i64) {
        match arrival_ms {
            // The lag is negative if the clocks of Kinesis and this host disagree.
            Some(arrival_ms) => self.number(names::LAG_MS, now_ms.saturating_sub(arrival_ms)),
            None => self.missing(names::LAG_MS),
        }
    }

    fn is_first(&self) -> bool {
        self.out.len() == self.start
    }

    fn key(&mut self, name: FieldName) {
        let key = match self.format {
            LineFormat::Text => name.text_key,
            LineFormat::Json => name.json_key,
        };
        if self.is_first() { self.first_key(key) } else { push(self.out, key) }
    }

    /// Writes a key without its separator.
    #[cold]
    fn first_key(&mut self, key: &str) {
        if self.format == LineFormat::Json {
            push(self.out, "{");
        }
        push(self.out, &key[1..]);
    }

    fn shape_key(&mut self, name: &str) {
        let (before, after) = match (self.format, self.is_first()) {
            (LineFormat::Text, is_first) => (&" "[usize::from(is_first)..], "="),
            (LineFormat::Json, true) => ("{\"", "\":"),
            (LineFormat::Json, false) => (",\"", "\":"),
        };
        [before, name, after].into_iter().for_each(|part| push(self.out, part));
    }

    /// Begins a field that has no name in text.
    fn unnamed(&mut self, name: FieldName) {
        match self.format {
            LineFormat::Text if self.is_first() => {}
            LineFormat::Text => push(self.out, " "),
            LineFormat::Json => self.key(name),
        }
    }

    /// Writes a value that needs no escape. JSON quotes it.
    fn quoted(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let quote = if self.format == LineFormat::Json { "\"" } else { "" };
        push(self.out, quote);
        write(self.out);
        push(self.out, quote);
    }

    /// Writes a name as a JSON string, or in text with `push_text`.
    fn name(&mut self, value: &str, push_text: fn(&mut Vec<u8>, &str)) {
        let cut;
        let value = if value.len() <= MAX_NAME_BYTES {
            value
        } else {
            self.truncated = true;
            cut = format!("{}…", &value[..value.floor_char_boundary(MAX_NAME_BYTES)]);
            &cut
        };
        match self.format {
            LineFormat::Text => push_text(self.out, value),
            LineFormat::Json => push_json_string(self.out, value),
        }
    }

    /// Writes a field that every text line has if it is chosen.
    fn required(&mut self, name: FieldName, value: Option<&str>) {
        match value {
            Some(_) => self.word(name, value),
            None => self.missing(name),
        }
    }

    fn missing(&mut self, name: FieldName) {
        if self.format == LineFormat::Text {
            self.key(name);
            push(self.out, "-");
        }
    }

    fn partition_key(&mut self, value: Option<&str>) {
        match value {
            Some(value) => {
                self.key(names::PARTITION_KEY);
                self.name(value, push_json_string);
            }
            None => self.missing(names::PARTITION_KEY),
        }
    }

    /// Writes a field that only some records have.
    fn word(&mut self, name: FieldName, value: Option<&str>) {
        if let Some(value) = value {
            self.key(name);
            self.name(value, push_word);
        }
    }

    fn number(&mut self, name: FieldName, value: impl itoa::Integer) {
        self.key(name);
        push_integer(self.out, value);
    }

    /// Writes a field of the record's shape. It repeats a member of the data, so redaction rules apply to it.
    fn shape_field(&mut self, field: &Field<'_>, rules: &Redactor) {
        let &Field { name, value, path } = field;
        let Some(value) = value else { return };
        self.shape_key(name);
        match value {
            FieldValue::Text(text) if rules.shows_member(path, text) => self.name(text, push_word),
            FieldValue::Time(epoch_ms) if rules.shows_member(path, "") => {
                self.quoted(|out| push_rfc3339(out, epoch_ms))
            }
            _ => {
                self.redacted += 1;
                self.name(REDACTION_MARK, push_word);
            }
        }
    }

    /// Writes the type. In text, the data shows it.
    fn data_type(&mut self, data: DataType) {
        self.has_type = true;
        if self.format == LineFormat::Json {
            self.key(names::TYPE);
            self.quoted(|out| push(out, data.name()));
        }
    }

    /// Writes the error, the fields about the data, the data, and the line's end.
    pub(super) fn data(&mut self, error: Option<&str>, data: &LineData<'_>) {
        if self.is_first() && error.is_none() && !self.truncated && self.is_plain(data) {
            // The line is the data alone.
            self.value(data);
            push(self.out, "\n");
            return;
        }
        if !self.has_type && !self.is_plain(data) {
            self.data_type(data.data_type);
        }
        if let Some(error) = error {
            self.key(names::ERROR);
            push_json_string(self.out, error);
        }
        if self.redacted > 0 {
            self.number(names::REDACTED, self.redacted);
        }
        if let Some(reason) = data.redacted_whole {
            self.key(names::REDACTED_WHOLE);
            push_json_string(self.out, reason);
        }
        let text_shows_length = self.format == LineFormat::Text && matches!(data.value, DataValue::Base64(_));
        if let Some(bytes) = data.bytes
            && (data.truncated || !text_shows_length)
        {
            self.number(names::BYTES, bytes);
        }
        if let Some(sha256) = &data.sha256 {
            self.key(names::SHA256);
            self.name(sha256, push_word);
        }
        if self.truncated {
            self.key(names::TRUNCATED);
            push(self.out, "true");
        }
        if self.format == LineFormat::Text || !matches!(data.value, DataValue::Hidden) {
            self.key(names::DATA);
            self.value(data);
        }
        push(self.out, if self.format == LineFormat::Json { "}\n" } else { "\n" });
    }

    /// Whether the data shows its type and needs no other field.
    fn is_plain(&self, data: &LineData<'_>) -> bool {
        let shows_type = match data.value {
            DataValue::Hidden => false,
            DataValue::Json(_) => true,
            DataValue::Text(_) | DataValue::Base64(_) => {
                self.format == LineFormat::Text || data.data_type == DataType::Text
            }
        };
        shows_type && data.redacted_whole.is_none() && !data.truncated
    }

    fn value(&mut self, data: &LineData<'_>) {
        if self.format == LineFormat::Text {
            push(self.out, data.data_type.text_prefix());
        }
        match (&data.value, self.format) {
            (DataValue::Json(json), _) => push_json(self.out, json.trim_ascii()),
            (DataValue::Text(text), _) => push_json_string(self.out, text),
            (DataValue::Base64(bytes), LineFormat::Json) => {
                push(self.out, "\"");
                push_base64(self.out, bytes);
                push(self.out, "\"");
            }
            (DataValue::Base64(bytes), LineFormat::Text) => {
                push(self.out, "base64:");
                push_integer(self.out, bytes.len());
                push(self.out, ":");
                push_base64(self.out, bytes);
            }
            (DataValue::Hidden, _) => push(self.out, "-"),
        }
    }
}

fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    // The encoder reserves exactly what it needs, so that a growing buffer would be copied for every record.
    out.reserve(base64_simd::STANDARD.encoded_length(bytes.len()));
    base64_simd::STANDARD.encode_append(bytes, out);
}
