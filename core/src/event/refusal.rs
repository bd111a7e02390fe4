//! What is no Kinesis event, and what it is instead.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use thiserror::Error;

use super::source_record::Fields;
use crate::json::{JsonKind, Value};

/// The event source whose records are read.
const KINESIS: &str = "aws:kinesis";

/// Why bytes are not a Kinesis event, and what they are instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EventError {
    /// The bytes are not UTF-8 text.
    #[error("not a Kinesis event: not UTF-8 at byte {byte}")]
    NotUtf8 {
        /// Offset of the first bad byte.
        byte: usize,
    },
    /// The text is not JSON.
    #[error("not a Kinesis event: not JSON at byte {byte}: {reason}")]
    NotJson {
        /// Offset of the byte where reading stopped.
        byte: usize,
        /// What the JSON reader missed there.
        reason: String,
    },
    /// The event is JSON, but no object.
    #[error("not a Kinesis event: {found}, not an object")]
    NotAnObject {
        /// What it is.
        found: JsonKind,
    },
    /// The event is an object without `Records`.
    #[error("not a Kinesis event: an object without \"Records\", {keys}")]
    NoRecords {
        /// The keys it has, in words.
        keys: String,
    },
    /// `Records` is no list.
    #[error("not a Kinesis event: \"Records\" is {found}, not an array")]
    RecordsNotAList {
        /// What it is.
        found: JsonKind,
    },
    /// The records come from another service.
    #[error("not a Kinesis event: its records come from {event_source:?}, not {KINESIS:?}")]
    OtherSource {
        /// Their `eventSource`.
        event_source: String,
    },
}

/// Why a text is no event.
#[cold]
pub(super) fn refusal(text: &str) -> EventError {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return not_json(text, &error);
    }
    let event = Value::new(text);
    if event.kind() != JsonKind::Object {
        return EventError::NotAnObject { found: event.kind() };
    }
    match event.members().find(|(key, _)| key == "Records") {
        Some((_, records)) => EventError::RecordsNotAList { found: records.kind() },
        None => EventError::NoRecords { keys: in_words(event.members().map(|(key, _)| key)) },
    }
}

fn not_json(text: &str, error: &serde_json::Error) -> EventError {
    let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let byte = (line_start + error.column().saturating_sub(1)).min(text.len());
    // The reader's own words end with its line and column, which the byte stands for.
    let words = error.to_string();
    let reason = words.split(" at line ").next().unwrap_or_default().to_owned();
    EventError::NotJson { byte, reason }
}

/// The first few keys of an object that is no Kinesis event, for the error about it.
fn in_words<'a>(keys: impl Iterator<Item = Cow<'a, str>>) -> String {
    const SHOWN: usize = 8;
    let mut keys = keys.map(|key| format!("{:?}", excerpt(&key)));
    let shown: Vec<String> = keys.by_ref().take(SHOWN).collect();
    match (shown.len(), keys.count()) {
        (0, _) => "with no keys at all".to_owned(),
        (_, 0) => format!("with {}", shown.join(", ")),
        (_, more) => format!("with {} and {more} more", shown.join(", ")),
    }
}

/// The beginning of a text that may be long and is only shown in an error.
pub(super) fn excerpt(text: &str) -> Cow<'_, str> {
    const LENGTH: usize = 60;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// The service whose event this is, unless at least one record may be from Kinesis: one odd record among Kinesis
/// records is that record's problem alone.
pub(super) fn foreign_source(records: &[Fields<'_>]) -> Option<String> {
    if records.iter().any(Fields::has_kinesis) {
        return None;
    }
    // Amazon SNS capitalises it.
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
