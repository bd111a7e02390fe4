//! The fields of a line after its beginning, in either format.

use crate::escape::{push_json, push_string, push_word};
use crate::record::Origin;
use crate::redact::{REDACTION_MARK, Redactor};
use crate::timestamp::push_rfc3339;

use super::shown::{Shown, Value};
use super::{LineFormat, MAX_NAME_BYTES, push, push_integer};

/// A line being written.
pub(super) struct Fields<'o> {
    pub(super) out: &'o mut Vec<u8>,
    pub(super) format: LineFormat,
    /// Whether anything on this line was cut.
    pub(super) truncated: bool,
    /// How many values of this line were replaced.
    pub(super) redacted: usize,
}

impl Fields<'_> {
    fn key(&mut self, key: &str) {
        let (before, after) = match self.format {
            LineFormat::Text => (" ", "="),
            LineFormat::Json => (",\"", "\":"),
        };
        push(self.out, before);
        push(self.out, key);
        push(self.out, after);
    }

    /// A name as a JSON string, or in text as `push_text` has it.
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
            LineFormat::Json => push_string(self.out, value),
        }
    }

    /// One of the fields that every text line has, by its names in JSON and in text.
    pub(super) fn place(&mut self, json_key: &str, text_key: &str, value: Option<&str>) {
        match (value, self.format) {
            (Some(value), LineFormat::Text) => {
                self.key(text_key);
                self.value(value, push_word);
            }
            (Some(value), LineFormat::Json) => {
                self.key(json_key);
                self.value(value, push_word);
            }
            (None, LineFormat::Text) => {
                self.key(text_key);
                push(self.out, "-");
            }
            (None, LineFormat::Json) => {}
        }
    }

    pub(super) fn partition_key(&mut self, value: Option<&str>) {
        match (value, self.format) {
            (Some(value), LineFormat::Text) => {
                self.key("key");
                self.value(value, push_string);
            }
            (value, _) => self.place("partitionKey", "key", value),
        }
    }

    pub(super) fn arrival(&mut self, arrival_ms: Option<i64>, lag_ms: impl Fn(i64) -> i64) {
        match (arrival_ms, self.format) {
            (Some(arrival_ms), _) => {
                self.instant("arrival", arrival_ms);
                self.key("lagMs");
                push_integer(self.out, lag_ms(arrival_ms));
            }
            (None, LineFormat::Text) => push(self.out, " arrival=- lagMs=-"),
            (None, LineFormat::Json) => {}
        }
    }

    fn instant(&mut self, key: &str, epoch_ms: i64) {
        self.key(key);
        let quote = if self.format == LineFormat::Json { "\"" } else { "" };
        push(self.out, quote);
        push_rfc3339(self.out, epoch_ms);
        push(self.out, quote);
    }

    /// A field that only some records have.
    pub(super) fn word(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.key(key);
            self.value(value, push_word);
        }
    }

    pub(super) fn number(&mut self, key: &str, value: impl itoa::Integer) {
        self.key(key);
        push(self.out, itoa::Buffer::new().format(value));
    }

    /// Fields that repeat members of what the record's data is from: rules are about those, too.
    pub(super) fn origin(&mut self, origin: &Origin<'_>, rules: &Redactor) {
        match origin {
            Origin::LogEvent(event) => {
                let index = event.index.to_string();
                self.member("owner", event.owner, rules, &["owner"]);
                self.member("logGroup", event.log_group, rules, &["logGroup"]);
                self.member("logStream", event.log_stream, rules, &["logStream"]);
                self.member("logEventId", event.id, rules, &["logEvents", &index, "id"]);
                if let Some(timestamp_ms) = event.timestamp_ms {
                    if rules.shows_member(&["logEvents", &index, "timestamp"], "") {
                        self.instant("logEventTime", timestamp_ms);
                    } else {
                        self.redacted("logEventTime");
                    }
                }
            }
            Origin::Change(change) => {
                self.member("table", change.table.as_deref(), rules, &["tableName"]);
                self.member("operation", change.operation.as_deref(), rules, &["eventName"]);
            }
        }
    }

    /// A field that repeats the member at a path.
    fn member(&mut self, key: &str, value: Option<&str>, rules: &Redactor, path: &[&str]) {
        match value {
            Some(value) if !rules.shows_member(path, value) => self.redacted(key),
            value => self.word(key, value),
        }
    }

    fn redacted(&mut self, key: &str) {
        self.redacted += 1;
        self.word(key, Some(REDACTION_MARK));
    }

    /// What is wrong, what was done to the data, the data, and the line's end.
    pub(super) fn data(&mut self, error: Option<&str>, shown: &Shown<'_>) {
        if self.format == LineFormat::Json {
            self.key("type");
            push_string(self.out, shown.kind.name());
        }
        if let Some(error) = error {
            self.key("error");
            push_string(self.out, error);
        }
        if self.redacted > 0 {
            self.number("redacted", self.redacted);
        }
        if let Some(reason) = shown.redacted_whole {
            self.key("redactedWhole");
            push_string(self.out, reason);
        }
        let text_says_it = self.format == LineFormat::Text && matches!(shown.value, Value::Base64(_));
        if let Some(bytes) = shown.bytes
            && (shown.truncated || !text_says_it)
        {
            self.number("bytes", bytes);
        }
        if let Some(sha256) = &shown.sha256 {
            self.key("sha256");
            self.value(sha256, push_word);
        }
        if self.truncated {
            self.key("truncated");
            push(self.out, "true");
        }
        match self.format {
            LineFormat::Text => self.text_value(shown),
            LineFormat::Json => self.json_value(&shown.value),
        }
    }

    fn json_value(&mut self, value: &Value<'_>) {
        if !matches!(value, Value::Hidden) {
            push(self.out, ",\"data\":");
        }
        match value {
            Value::Hidden => {}
            Value::Json(json) => push_json(self.out, json.trim_ascii()),
            Value::Text(text) => push_string(self.out, text),
            Value::Base64(bytes) => {
                push(self.out, "\"");
                push_base64(self.out, bytes);
                push(self.out, "\"");
            }
        }
        push(self.out, "}\n");
    }

    fn text_value(&mut self, shown: &Shown<'_>) {
        push(self.out, " data=");
        push(self.out, shown.kind.text_mark());
        match &shown.value {
            Value::Hidden => push(self.out, "-"),
            Value::Json(json) => push_json(self.out, json.trim_ascii()),
            Value::Text(text) => push_string(self.out, text),
            Value::Base64(bytes) => {
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
    // The encoder reserves exactly what it needs, which would make a growing buffer move with every record.
    out.reserve(base64_simd::STANDARD.encoded_length(bytes.len()));
    base64_simd::STANDARD.encode_append(bytes, out);
}
