//! One sweep over a log group: all pages of FilterLogEvents from a time on.

use std::io::{self, Write};

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::error::SdkError;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsError;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use serde::Serialize;

use super::follow::{Follower, Identity};
use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::output::{Render, printable};
use crate::retry::Retry;

/// One log event.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Epoch milliseconds.
    pub timestamp: i64,
    pub ingestion_time: i64,
    pub log_stream: String,
    /// Missing where the service gives none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    pub message: String,
}

impl Event {
    fn identity(&self) -> Identity {
        Identity::of(self.event_id.as_deref(), &self.log_stream, self.timestamp, &self.message)
    }
}

impl Render for Event {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(to, "{}", printable(self.message.trim_end_matches(['\r', '\n'])))
    }
}

/// How often a sweep begins again because its token was refused.
const RESTARTS: u32 = 3;

/// A log group, read through a filter.
pub struct Reader {
    client: Client,
    retry: Retry,
    log_group: String,
    filter: Option<String>,
}

/// How a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Swept {
    /// All pages were read.
    Whole,
    /// There is no such log group: not yet, or no longer.
    NoGroup,
}

impl Reader {
    pub fn new(aws: &Aws, log_group: &str, filter: Option<String>) -> Self {
        Self { client: aws.logs(), retry: aws.retry.clone(), log_group: log_group.to_owned(), filter }
    }

    pub fn log_group(&self) -> &str {
        &self.log_group
    }

    /// Hands every event that is new to `follower` to `show`, page by page. A page is asked for again while its errors are
    /// transient.
    pub async fn sweep(
        &self,
        follower: &mut Follower,
        now: i64,
        mut show: impl FnMut(&[Event]) -> Result<()>,
    ) -> Result<Swept> {
        let start = follower.begin_sweep(now);
        let request = self.client.filter_log_events().log_group_name(&self.log_group).start_time(start);
        let request = request.set_filter_pattern(self.filter.clone());
        let doing = format!("read the log group {}", self.log_group);
        let mut token = None;
        let mut restarts = 0;
        loop {
            let page = || request.clone().set_next_token(token.clone()).send();
            let page = match self.retry.call(&doing, page).await {
                Ok(page) => page,
                Err(error) if is_missing(&error) => return Ok(Swept::NoGroup),
                // Tokens expire, which an outage can take long enough for.
                Err(error) if token.is_some() && is_invalid(&error) && restarts < RESTARTS => {
                    follower.begin_sweep(now);
                    token = None;
                    restarts += 1;
                    continue;
                }
                Err(error) => return Err(self.failed(&doing, error)),
            };
            let events: Vec<Event> = page.events.unwrap_or_default().into_iter().map(event).collect();
            let events: Vec<Event> =
                events.into_iter().filter(|event| follower.is_new(event.identity(), event.timestamp)).collect();
            if !events.is_empty() {
                show(&events)?;
            }
            // A page may be empty and still not be the last.
            token = page.next_token;
            if token.is_none() {
                follower.end_sweep();
                return Ok(Swept::Whole);
            }
        }
    }

    fn failed(&self, doing: &str, error: SdkError<FilterLogEventsError>) -> Error {
        let is_about_pattern = is_invalid(&error);
        let error = Error::aws(doing, error);
        match &self.filter {
            Some(pattern) if is_about_pattern => error.hint(format!(
                "the pattern is {pattern}; terms with other characters than letters, digits and _ need double quotes: '\"user-42\"'"
            )),
            _ => error,
        }
    }
}

fn is_invalid(error: &SdkError<FilterLogEventsError>) -> bool {
    error.as_service_error().is_some_and(FilterLogEventsError::is_invalid_parameter_exception)
}

fn is_missing(error: &SdkError<FilterLogEventsError>) -> bool {
    error.as_service_error().is_some_and(FilterLogEventsError::is_resource_not_found_exception)
}

fn event(event: FilteredLogEvent) -> Event {
    Event {
        timestamp: event.timestamp.unwrap_or_default(),
        ingestion_time: event.ingestion_time.unwrap_or_default(),
        log_stream: event.log_stream_name.unwrap_or_default(),
        event_id: event.event_id.filter(|id| !id.is_empty()),
        message: event.message.unwrap_or_default(),
    }
}
