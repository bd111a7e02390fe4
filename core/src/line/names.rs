//! The names of the line's fields, which the writer and the parser share.

/// The name of a field.
pub(super) type FieldName = &'static Names;

/// The name of a field in both formats, and its key as the writer appends it after another field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) json: &'static str,
    pub(super) text: &'static str,
    pub(super) json_key: &'static str,
    pub(super) text_key: &'static str,
}

/// A name that may differ between the formats.
macro_rules! field {
    ($name:literal) => {
        field!($name, $name)
    };
    ($json:literal, $text:literal) => {
        &Names { json: $json, text: $text, json_key: concat!(",\"", $json, "\":"), text_key: concat!(" ", $text, "=") }
    };
}

// In text, these have no names, and there is no version.
pub(super) const TIMESTAMP: FieldName = field!("timestamp");
pub(super) const LEVEL: FieldName = field!("level");
pub(super) const VERSION: FieldName = field!("v");
pub(super) const REQUEST_ID: FieldName = field!("requestId");

// The position.
pub(super) const STREAM: FieldName = field!("stream");
pub(super) const SHARD: FieldName = field!("shard");
pub(super) const SEQUENCE_NUMBER: FieldName = field!("sequenceNumber", "seq");
pub(super) const SUB_SEQUENCE_NUMBER: FieldName = field!("subSequenceNumber");
pub(super) const PARTITION_KEY: FieldName = field!("partitionKey", "key");
pub(super) const EXPLICIT_HASH_KEY: FieldName = field!("explicitHashKey");
pub(super) const ARRIVAL: FieldName = field!("arrival");
pub(super) const LAG_MS: FieldName = field!("lagMs");

// The data and what happened to it.
pub(super) const TYPE: FieldName = field!("type");
pub(super) const ERROR: FieldName = field!("error");
pub(super) const REDACTED: FieldName = field!("redacted");
pub(super) const REDACTED_WHOLE: FieldName = field!("redactedWhole");
pub(super) const BYTES: FieldName = field!("bytes");
pub(super) const SHA256: FieldName = field!("sha256");
pub(super) const TRUNCATED: FieldName = field!("truncated");
pub(super) const DATA: FieldName = field!("data");

/// The fields that are on every line to which they apply, after the envelope.
pub(super) const ABOUT_DATA: [FieldName; 7] = [ERROR, REDACTED, REDACTED_WHOLE, BYTES, SHA256, TRUNCATED, DATA];

/// The message of a line that is not about a record.
pub(super) const MESSAGE: FieldName = field!("message");
