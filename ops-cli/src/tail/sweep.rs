//! One sweep over a log group: all pages of FilterLogEvents from a time on.

use std::io::{self, Write};

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use serde::Serialize;

use super::follow::Follower;
use crate::error::{Error, Result};
use crate::output::{Render, printable};

/// One log event.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Epoch milliseconds.
    pub timestamp: i64,
    pub ingestion_time: i64,
    pub log_stream: String,
    pub event_id: String,
    pub message: String,
}

impl Render for Event {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(to, "{}", printable(self.message.trim_end_matches(['\r', '\n'])))
    }
}

/// A log group, read through a filter.
pub struct Reader {
    pub client: Client,
    pub log_group: String,
    pub filter: Option<String>,
}

impl Reader {
    /// Hands every event that is new to `follower` to `show`, page by page.
    pub async fn sweep(
        &self,
        follower: &mut Follower,
        now: i64,
        mut show: impl FnMut(&[Event]) -> Result<()>,
    ) -> Result<()> {
        let start = follower.begin_sweep(now);
        let mut token = None;
        loop {
            let page = self
                .client
                .filter_log_events()
                .log_group_name(&self.log_group)
                .start_time(start)
                .set_filter_pattern(self.filter.clone())
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| Error::aws(format!("read the log group {}", self.log_group), error))?;
            let events: Vec<Event> = page
                .events
                .unwrap_or_default()
                .into_iter()
                .map(event)
                .filter(|event| follower.is_new(&event.event_id, event.timestamp))
                .collect();
            if !events.is_empty() {
                show(&events)?;
            }
            // A page may be empty and still not be the last.
            token = page.next_token;
            if token.is_none() {
                return Ok(());
            }
        }
    }
}

fn event(event: FilteredLogEvent) -> Event {
    Event {
        timestamp: event.timestamp.unwrap_or_default(),
        ingestion_time: event.ingestion_time.unwrap_or_default(),
        log_stream: event.log_stream_name.unwrap_or_default(),
        event_id: event.event_id.unwrap_or_default(),
        message: event.message.unwrap_or_default(),
    }
}
