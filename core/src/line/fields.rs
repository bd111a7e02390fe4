//! Writes the fields of a line after its beginning, in either format.

use crate::decode::Position;
use crate::escape::{push_json, push_json_string, push_word};
use crate::redact::{REDACTION_MARK, Redactor};
use crate::shape::{Field, FieldValue, Origin};
use crate::timestamp::push_rfc3339;

use super::data::{DataValue, LineData};
use super::names::{self, FieldName};
use super::{LineFormat, MAX_NAME_BYTES, push, push_integer, push_key};

/// Writes the fields of one line.
pub(super) struct FieldWriter<'o> {
    pub(super) out: &'o mut Vec<u8>,
    pub(super) format: LineFormat,
    /// Whether the data or a name was truncated.
    pub(super) truncated: bool,
    /// The number of values that were replaced.
    pub(super) redacted: usize,
}

impl FieldWriter<'_> {
    /// Writes the record's position and arrival. JSON omits missing parts, and text marks them with `-`.
    pub(super) fn position(&mut self, position: &Position<'_>, now_ms: i64) {
        self.required(names::STREAM, position.stream);
        self.required(names::SHARD, position.shard_id);
        self.required(names::SEQUENCE_NUMBER, position.sequence_number);
        if let Some(number) = position.sub_sequence_number {
            self.number(names::SUB_SEQUENCE_NUMBER, number);
        }
        self.partition_key(position.partition_key);
        self.word(names::EXPLICIT_HASH_KEY, position.explicit_hash_key);
        // The lag is negative if the clocks of Kinesis and this host disagree.
        self.arrival(position.arrival_ms, |arrival_ms| now_ms.saturating_sub(arrival_ms));
    }

    fn key(&mut self, name: FieldName) {
        push_key(self.out, self.format, name);
    }

    /// Writes a name as a JSON string, or in text with `push_text`.
    fn value(&mut self, value: &str, push_text: fn(&mut Vec<u8>, &str)) {
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

    /// Writes a field that every text line has.
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
                self.value(value, push_json_string);
            }
            None => self.missing(names::PARTITION_KEY),
        }
    }

    fn arrival(&mut self, arrival_ms: Option<i64>, lag_ms: impl Fn(i64) -> i64) {
        match arrival_ms {
            Some(arrival_ms) => {
                self.instant(names::ARRIVAL, arrival_ms);
                self.key(names::LAG_MS);
                push_integer(self.out, lag_ms(arrival_ms));
            }
            None => {
                self.missing(names::ARRIVAL);
                self.missing(names::LAG_MS);
            }
        }
    }

    fn instant(&mut self, name: FieldName, epoch_ms: i64) {
        self.key(name);
        let quote = if self.format == LineFormat::Json { "\"" } else { "" };
        push(self.out, quote);
        push_rfc3339(self.out, epoch_ms);
        push(self.out, quote);
    }

    /// Writes a field that only some records have.
    fn word(&mut self, name: FieldName, value: Option<&str>) {
        if let Some(value) = value {
            self.key(name);
            self.value(value, push_word);
        }
    }

    fn number(&mut self, name: FieldName, value: impl itoa::Integer) {
        self.key(name);
        push(self.out, itoa::Buffer::new().format(value));
    }

    /// Writes the fields of the record's shape. They repeat members of the data, so redaction rules apply to them.
    pub(super) fn origin(&mut self, origin: &Origin<'_>, rules: &Redactor) {
        for &Field { name, value, path } in origin.fields {
            let name = names::same(name);
            match value {
                None => {}
                Some(FieldValue::Text(text)) if rules.shows_member(path, text) => self.word(name, Some(text)),
                Some(FieldValue::Time(epoch_ms)) if rules.shows_member(path, "") => self.instant(name, epoch_ms),
                Some(_) => self.redacted(name),
            }
        }
    }

    fn redacted(&mut self, name: FieldName) {
        self.redacted += 1;
        self.word(name, Some(REDACTION_MARK));
    }

    /// Writes the error, the fields about the data, the data, and the line's end.
    pub(super) fn data(&mut self, error: Option<&str>, data: &LineData<'_>) {
        if self.format == LineFormat::Json {
            self.key(names::same(names::TYPE));
            push_json_string(self.out, data.data_type.name());
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
            self.value(sha256, push_word);
        }
        if self.truncated {
            self.key(names::TRUNCATED);
            push(self.out, "true");
        }
        match self.format {
            LineFormat::Text => self.text_value(data),
            LineFormat::Json => self.json_value(&data.value),
        }
    }

    fn json_value(&mut self, value: &DataValue<'_>) {
        if !matches!(value, DataValue::Hidden) {
            self.key(names::DATA);
        }
        match value {
            DataValue::Hidden => {}
            DataValue::Json(json) => push_json(self.out, json.trim_ascii()),
            DataValue::Text(text) => push_json_string(self.out, text),
            DataValue::Base64(bytes) => {
                push(self.out, "\"");
                push_base64(self.out, bytes);
                push(self.out, "\"");
            }
        }
        push(self.out, "}\n");
    }

    fn text_value(&mut self, data: &LineData<'_>) {
        self.key(names::DATA);
        push(self.out, data.data_type.text_prefix());
        match &data.value {
            DataValue::Hidden => push(self.out, "-"),
            DataValue::Json(json) => push_json(self.out, json.trim_ascii()),
            DataValue::Text(text) => push_json_string(self.out, text),
            DataValue::Base64(bytes) => {
                push(self.out, "base64:");
                push(self.out, itoa::Buffer::new().format(bytes.len()));
                push(self.out, ":");
                push_base64(self.out, bytes);
            }
        }
        push(self.out, "\n");
    }
}

fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    // The encoder reserves exactly what it needs, so that a growing buffer would be copied for every record.
    out.reserve(base64_simd::STANDARD.encoded_length(bytes.len()));
    base64_simd::STANDARD.encode_append(bytes, out);
}
