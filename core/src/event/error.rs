//! Describes payloads that are not Kinesis events.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use thiserror::Error;

use super::record::Fields;
use crate::json::{JsonKind, Value};

/// The event source of Kinesis records.
const KINESIS: &str = "aws:kinesis";

/// The reason why a payload is not a Kinesis event.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EventError {
    /// The bytes are not UTF-8 text.
    #[error("the payload is not a Kinesis event: it is not UTF-8 at byte {byte}")]
    NotUtf8 {
        /// The offset of the first invalid byte.
        byte: usize,
    },
    /// The text is not JSON.
    #[error("the payload is not a Kinesis event: it is not JSON at byte {byte}: {reason}")]
    NotJson {
        /// The offset of the byte at which parsing stopped.
        byte: usize,
        /// The JSON parser's message.
        reason: String,
    },
    /// The payload is JSON, but not an object.
    #[error("the payload is not a Kinesis event: it is {found}, not an object")]
    NotAnObject {
        /// The payload's type.
        found: JsonKind,
    },
    /// The payload is an object without `Records`.
    #[error("the payload is not a Kinesis event: it is an object without \"Records\", {keys}")]
    NoRecords {
        /// A list of its first keys: `with "a", "b" and 3 more`.
        keys: String,
    },
    /// `Records` is not an array.
    #[error("the payload is not a Kinesis event: \"Records\" is {found}, not an array")]
    RecordsNotAnArray {
        /// The type of `Records`.
        found: JsonKind,
    },
    /// The records come from another service.
    #[error("the payload is not a Kinesis event: its records come from {event_source:?}, not {KINESIS:?}")]
    OtherSource {
        /// Their `eventSource`.
        event_source: String,
    },
}

/// Finds the reason why a text is not an event.
#[cold]
pub(super) fn error_of(text: &str) -> EventError {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return not_json(text, &error);
    }
    let event = Value::new(text);
    if event.kind() != JsonKind::Object {
        return EventError::NotAnObject { found: event.kind() };
    }
    match event.members().find(|(key, _)| key == "Records") {
        Some((_, records)) => EventError::RecordsNotAnArray { found: records.kind() },
        None => EventError::NoRecords { keys: list_of(event.members().map(|(key, _)| key)) },
    }
}

fn not_json(text: &str, error: &serde_json::Error) -> EventError {
    let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let byte = (line_start + error.column().saturating_sub(1)).min(text.len());
    // The parser's message ends with the line and column, which the byte offset replaces.
    let message = error.to_string();
    let reason = message.split(" at line ").next().unwrap_or_default().to_owned();
    EventError::NotJson { byte, reason }
}

/// Lists the first few keys of an object for an error message.
fn list_of<'a>(keys: impl Iterator<Item = Cow<'a, str>>) -> String {
    const SHOWN: usize = 8;
    let mut keys = keys.map(|key| format!("{:?}", excerpt(&key)));
    let shown: Vec<String> = keys.by_ref().take(SHOWN).collect();
    match (shown.len(), keys.count()) {
        (0, _) => "with no keys at all".to_owned(),
        (_, 0) => format!("with {}", shown.join(", ")),
        (_, more) => format!("with {} and {more} more", shown.join(", ")),
    }
}

/// Returns the beginning of a text for an error message.
pub(super) fn excerpt(text: &str) -> Cow<'_, str> {
    const LENGTH: usize = 60;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Returns the service that sent the records, unless at least one record may be from Kinesis. A single odd record among
/// Kinesis records has a [problem](super::RecordProblem) instead.
pub(super) fn foreign_source(records: &[Fields<'_>]) -> Option<String> {
    if records.iter().any(Fields::has_kinesis) {
        return None;
    }
    // Amazon SNS capitalizes the name.
    let is_source = |key: &str| matches!(key, "eventSource" | "EventSource");
    let sources = records.iter().filter_map(|record| {
        let source = record.value().members().filter(|(key, _)| is_source(key)).last();
        source.and_then(|(_, source)| source.string())
    });
    let mut foreign = None;
    for source in sources {
        if source == KINESIS {
            return None;
        }
        foreign = foreign.or_else(|| Some(excerpt(&source).into_owned()));
    }
    foreign
}
