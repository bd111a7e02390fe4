//! The names of the line's fields, which the writer and the parser share.

/// The name of a field in both formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FieldName {
    pub(super) json: &'static str,
    pub(super) text: &'static str,
}

/// A name that is the same in both formats.
pub(super) const fn same(name: &'static str) -> FieldName {
    FieldName { json: name, text: name }
}

// The first fields. In text, they have no names.
pub(super) const TIMESTAMP: &str = "timestamp";
pub(super) const LEVEL: &str = "level";
pub(super) const VERSION: &str = "v";
pub(super) const REQUEST_ID: &str = "requestId";

// The position, in this order.
pub(super) const STREAM: FieldName = same("stream");
pub(super) const SHARD: FieldName = same("shard");
pub(super) const SEQUENCE_NUMBER: FieldName = FieldName { json: "sequenceNumber", text: "seq" };
pub(super) const SUB_SEQUENCE_NUMBER: FieldName = same("subSequenceNumber");
pub(super) const PARTITION_KEY: FieldName = FieldName { json: "partitionKey", text: "key" };
pub(super) const EXPLICIT_HASH_KEY: FieldName = same("explicitHashKey");
pub(super) const ARRIVAL: FieldName = same("arrival");
pub(super) const LAG_MS: FieldName = same("lagMs");

// The data and what happened to it.
pub(super) const TYPE: &str = "type";
pub(super) const ERROR: FieldName = same("error");
pub(super) const REDACTED: FieldName = same("redacted");
pub(super) const REDACTED_WHOLE: FieldName = same("redactedWhole");
pub(super) const BYTES: FieldName = same("bytes");
pub(super) const SHA256: FieldName = same("sha256");
pub(super) const TRUNCATED: FieldName = same("truncated");
pub(super) const DATA: FieldName = same("data");

/// The message of a line that is not about a record.
pub(super) const MESSAGE: FieldName = same("message");
