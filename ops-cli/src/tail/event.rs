//! One log event, as it is read and shown.

use std::sync::Arc;

use serde::Serialize;

use super::identity::IdentityParts;

#[derive(Debug, Clone, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// In epoch milliseconds.
    pub timestamp: i64,
    pub ingestion_time: i64,
    pub log_group: Arc<str>,
    pub log_stream: String,
    /// Missing if the service returns none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Whether a line that is more than a second newer was shown before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    pub message: String,
}

impl Event {
    pub fn identified(&self) -> IdentityParts<'_> {
        IdentityParts {
            event_id: self.event_id.as_deref(),
            log_stream: &self.log_stream,
            timestamp: self.timestamp,
            ingestion_time: self.ingestion_time,
            message: &self.message,
        }
    }

    /// The message without the line break at its end.
    pub fn text(&self) -> &str {
        let text = self.message.strip_suffix('\n').unwrap_or(&self.message);
        text.strip_suffix('\r').unwrap_or(text)
    }

    /// The approximate memory of the event in bytes.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.message.len() + self.log_stream.len() + self.event_id.as_ref().map_or(0, String::len)
    }
}
