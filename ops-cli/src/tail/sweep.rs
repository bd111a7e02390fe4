//! Runs one sweep over a log group: all pages of FilterLogEvents from a start time on.
//!
//! The next page is requested as soon as its token is known, so that the service works while events are shown.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatchlogs::operation::filter_log_events::{FilterLogEventsError, FilterLogEventsOutput};
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use tokio::task::JoinHandle;

pub use super::event::Event;
use super::follow::Follower;
use super::pace::Pace;
use super::pattern;
use super::tokens::Tokens;
use crate::aws::Aws;
use crate::error::{Error, Result, is_missing};
use crate::progress::note;
use crate::retry::Retry;

/// The number of times a sweep restarts because its token was rejected.
const RESTARTS: u32 = 3;
/// After this many consecutive pages without an event, a notice is printed.
const QUIET_PAGES: u32 = 200;
/// After this many consecutive pages without an event, a follower that has completed a sweep starts a new one.
const MOST_QUIET_PAGES: u32 = 1000;

/// The selection of events in a log group.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pub filter: Option<String>,
    pub stream_prefix: Option<String>,
    /// The names of the log streams; `None` reads all of them.
    pub streams: Option<Vec<String>>,
    /// In epoch milliseconds, inclusive.
    pub end: Option<i64>,
}

/// The request budget that all readers share.
#[derive(Clone)]
pub struct Budget {
    began: Instant,
    pace: Arc<Mutex<Pace>>,
}

/// A log group and a query on it. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    client: Client,
    retry: Retry,
    budget: Budget,
    log_group: Arc<str>,
    query: Arc<Query>,
}

/// The way a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SweepEnd {
    /// All pages were read.
    Whole,
    /// The log group does not exist.
    NoGroup,
}

/// The next step of a sweep.
#[derive(Debug)]
pub enum Step {
    /// The new events of a page.
    Page(Vec<Event>),
    Ended(SweepEnd),
}

/// The range of a request, in addition to the reader's query.
#[derive(Debug, Clone, Default)]
pub struct Range {
    pub start: i64,
    /// An end before the query's end.
    pub end: Option<i64>,
    /// Newest first, with this many events per page.
    pub backwards: Option<i32>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { began: Instant::now(), pace: Arc::default() }
    }
}

impl Budget {
    async fn turn(&self) {
        let wait = self.pace().turn(self.began.elapsed());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    fn record<T>(&self, answer: &Result<T, SdkError<FilterLogEventsError>>) {
        match answer {
            Err(error) if error.code().is_some_and(|code| code.contains("Throttl")) => {
                self.pace().throttled(self.began.elapsed());
            }
            _ => self.pace().answered(),
        }
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    pub fn new(aws: &Aws, log_group: &str, filter: Option<String>) -> Self {
        Self::of(aws, log_group, Arc::new(Query { filter, ..Query::default() }), Budget::default())
    }

    pub fn of(aws: &Aws, log_group: &str, query: Arc<Query>, budget: Budget) -> Self {
        Self { client: aws.logs(), retry: aws.retry.clone(), budget, log_group: log_group.into(), query }
    }

    /// Returns the same reader with another query.
    pub fn with_query(&self, query: Query) -> Self {
        Self { query: Arc::new(query), ..self.clone() }
    }

    pub fn query(&self) -> &Query {
        &self.query
    }

    pub fn log_group(&self) -> &str {
        &self.log_group
    }

    /// Passes every event that is new to `follower` to `show`, page by page.
    pub async fn sweep(
        &self,
        follower: &mut Follower,
        now: i64,
        mut show: impl FnMut(&[Event]) -> Result<()>,
    ) -> Result<SweepEnd> {
        let mut sweep = Sweep::begin(self, follower, now);
        loop {
            match sweep.next(follower).await? {
                Step::Page(events) if events.is_empty() => {}
                Step::Page(events) => show(&events)?,
                Step::Ended(swept) => return Ok(swept),
            }
        }
    }

    /// Requests one page, and retries transient errors.
    pub async fn page(
        &self,
        range: &Range,
        token: Option<String>,
    ) -> Result<FilterLogEventsOutput, SdkError<FilterLogEventsError>> {
        let Query { filter, stream_prefix, streams, end } = &*self.query;
        let request = self
            .client
            .filter_log_events()
            .log_group_name(&*self.log_group)
            .start_time(range.start)
            .set_end_time(range.end.or(*end))
            .set_filter_pattern(filter.clone())
            .set_log_stream_name_prefix(stream_prefix.clone())
            .set_log_stream_names(streams.clone())
            .set_start_from_head(range.backwards.map(|_| false))
            .set_limit(range.backwards)
            .set_next_token(token);
        self.retry
            .call(self.doing(), || async {
                self.budget.turn().await;
                let answer = request.clone().send().await;
                self.budget.record(&answer);
                answer
            })
            .await
    }

    /// Converts the events of a page.
    pub fn events(&self, page: Vec<FilteredLogEvent>) -> impl Iterator<Item = Event> {
        page.into_iter().map(|event| Event {
            timestamp: event.timestamp.unwrap_or_default(),
            ingestion_time: event.ingestion_time.unwrap_or_default(),
            log_group: Arc::clone(&self.log_group),
            log_stream: event.log_stream_name.unwrap_or_default(),
            event_id: event.event_id.filter(|id| !id.is_empty()),
            late: false,
            message: event.message.unwrap_or_default(),
        })
    }

    fn doing(&self) -> String {
        format!("read the log group {}", self.log_group)
    }

    pub fn failed(&self, error: SdkError<FilterLogEventsError>) -> Error {
        let is_about_pattern = is_invalid(&error);
        let error = Error::aws(self.doing(), error);
        match &self.query.filter {
            Some(filter) if is_about_pattern => error.hint(pattern::hint(filter)),
            _ => error,
        }
    }
}

/// A sweep in progress.
pub struct Sweep {
    reader: Reader,
    range: Range,
    now: i64,
    page: Option<Pending>,
    tokens: Tokens,
    restarts: u32,
    quiet_pages: u32,
    is_first: bool,
    /// The time before which every event was read, in epoch milliseconds.
    reached: i64,
}

/// A request that is aborted when the sweep is dropped.
struct Pending(JoinHandle<Result<FilterLogEventsOutput, SdkError<FilterLogEventsError>>>);

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Sweep {
    pub fn begin(reader: &Reader, follower: &mut Follower, now: i64) -> Self {
        let is_first = follower.is_at_its_first_sweep();
        let start = follower.begin_sweep(now);
        let range = Range { start, ..Range::default() };
        let mut sweep = Self {
            reader: reader.clone(),
            range,
            now,
            page: None,
            tokens: Tokens::default(),
            restarts: 0,
            quiet_pages: 0,
            is_first,
            reached: start,
        };
        sweep.request(None);
        sweep
    }

    pub fn reached(&self) -> i64 {
        self.reached
    }

    fn request(&mut self, token: Option<String>) {
        let (reader, range) = (self.reader.clone(), self.range.clone());
        self.page = Some(Pending(tokio::spawn(async move { reader.page(&range, token).await })));
    }

    /// Reads the next page, and returns the events of it that are new to the follower.
    pub async fn next(&mut self, follower: &mut Follower) -> Result<Step> {
        let Some(pending) = &mut self.page else { return Ok(Step::Ended(SweepEnd::Whole)) };
        let answer = (&mut pending.0).await;
        let page = match answer.map_err(|error| Error::failed(format!("a request was not finished: {error}")))? {
            Ok(page) => page,
            Err(error) => return self.refused(error, follower),
        };
        let events = page.events.unwrap_or_default();
        self.quiet_pages = if events.is_empty() { self.quiet_pages + 1 } else { 0 };
        // An empty page is not necessarily the last.
        let token = page.next_token.filter(|token| self.is_token_to_follow(token));
        let has_ended = token.is_none();
        self.page = None;
        if !has_ended {
            self.request(token);
        }
        if let Some(last) = events.last().and_then(|event| event.timestamp) {
            self.reached = self.reached.max(last);
        }
        if has_ended {
            self.reached = i64::MAX;
            follower.end_sweep(jiff::Timestamp::now().as_millisecond().max(self.now));
        }
        let new = self.reader.events(events).filter(|event| follower.is_new(event.identified()));
        Ok(Step::Page(new.collect()))
    }

    fn is_token_to_follow(&mut self, token: &str) -> bool {
        if self.tokens.has_cycle(token) {
            note(&format!("the pages of the log group {} repeat; reading them ends here", self.reader.log_group));
            return false;
        }
        if self.quiet_pages == QUIET_PAGES && self.is_first {
            let pages = "pages in a row without an event; still searching (Ctrl-C stops)";
            note(&format!("{}: {QUIET_PAGES} {pages}", self.reader.log_group));
        }
        self.is_first || self.quiet_pages < MOST_QUIET_PAGES
    }

    fn refused(&mut self, error: SdkError<FilterLogEventsError>, follower: &mut Follower) -> Result<Step> {
        self.page = None;
        if is_missing(&error) {
            return Ok(Step::Ended(SweepEnd::NoGroup));
        }
        // Tokens expire, for example during a long outage.
        if self.tokens.are_used() && is_invalid(&error) && self.restarts < RESTARTS {
            self.range.start = follower.begin_sweep(self.now);
            self.restarts += 1;
            self.tokens = Tokens::default();
            self.request(None);
            return Ok(Step::Page(Vec::new()));
        }
        Err(self.reader.failed(error))
    }
}

pub fn is_invalid(error: &SdkError<FilterLogEventsError>) -> bool {
    error.as_service_error().is_some_and(FilterLogEventsError::is_invalid_parameter_exception)
}
