//! Reads one shard by polling it, until the end of the shard or of what the run reads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_kinesis::Client;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::get_records::{self, Answer, Budget, Reserved};
use super::pace::{Pace, Reading};
use super::page::Page;
use super::position::Start;
use super::shards::{ListedShard, PlannedShard};
use super::throttling::Throttling;
use crate::aws::Aws;
use crate::connection::Connection;
use crate::error::{ErrorKind, Result};
use crate::progress::note;

/// The state that all readers of a run share.
pub struct Shared {
    pub connection: Connection,
    pub stream: String,
    pub range: Range,
    /// The last record to read of these shards.
    pub ends: BTreeMap<Arc<str>, String>,
    pub budget: Budget,
    /// The enhanced fan-out consumer that reads; none polls.
    pub consumer_arn: Option<String>,
    pub throttling: Mutex<Throttling>,
    pub began: Instant,
}

/// Up to where shards are read.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// Whether the readers wait for new records.
    pub follows: bool,
    /// When the run began, in epoch milliseconds. A run that does not follow reads what arrived before.
    pub began_ms: i64,
    /// The last time that is read, in epoch milliseconds.
    pub end_ms: Option<i64>,
}

impl Range {
    /// Whether a reader that has read everything up to a time, and a record that arrived at a time, is at its end.
    fn is_over(&self, reached_ms: i64, last_arrival_ms: Option<i64>) -> bool {
        let is_at_tip = !self.follows && reached_ms >= self.began_ms;
        let newest = last_arrival_ms.map_or(reached_ms, |last| last.max(reached_ms));
        is_at_tip || self.end_ms.is_some_and(|end| newest > end)
    }
}

/// A report of a reader.
pub struct Report {
    pub shard: Arc<str>,
    pub event: Event,
}

pub enum Event {
    Page {
        page: Page,
        reserved: Reserved,
        /// When the page was requested.
        sent: Instant,
    },
    /// The shard ends here, and these follow it.
    Ended(Vec<ListedShard>),
    /// The rest is newer than what the run reads.
    ReachedTip,
    /// The shard does not exist any more.
    Missing,
}

pub type Reports = mpsc::Sender<Result<Report>>;

impl Shared {
    pub fn throttling(&self) -> MutexGuard<'_, Throttling> {
        self.throttling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn throttled(&self, shard: &str, cause: &str) {
        let is_first = self.throttling().throttled(self.began.elapsed());
        if is_first {
            note(&format!(
                "reads of the shard {shard} are throttled, because all of its readers share 5 reads and 2 MB a second: \
                 reading more slowly ({cause})"
            ));
        }
    }

    fn answered(&self) {
        self.connection.answered();
        let over = self.throttling().answered(self.began.elapsed());
        if let Some(lasted) = over {
            note(&format!("reads are not throttled any more, after {:.1} s", lasted.as_secs_f64()));
        }
    }
}

/// One reader of one shard.
pub struct ShardReader {
    pub shared: Arc<Shared>,
    pub shard: PlannedShard,
    pub reports: Reports,
}

impl ShardReader {
    /// Reads, and reports pages, the end, or an error. Ends early if nobody receives the reports.
    pub async fn run(self) {
        match self.read().await {
            Ok(Some(event)) => drop(self.report(event).await),
            Ok(None) => {}
            Err(error) => drop(self.reports.send(Err(error)).await),
        }
    }

    /// As [`Connection::run`], whose closure the compiler cannot prove to be `Send`.
    async fn read(&self) -> Result<Option<Event>> {
        let Shared { connection, consumer_arn, .. } = &*self.shared;
        let mut position = self.shard.start.clone();
        loop {
            let lease = connection.lease();
            let read = match consumer_arn {
                Some(consumer) => super::fan_out::read(self, &lease.aws, consumer, &mut position).await,
                None => self.poll(&lease.aws, &mut position).await,
            };
            match read {
                Err(error) if error.kind == ErrorKind::Expired => connection.renew(error, &lease).await?,
                ended => return ended,
            }
        }
    }

    /// Reports an event. Returns `None` if nobody receives it.
    pub async fn report(&self, event: Event) -> Option<()> {
        self.reports.send(Ok(Report { shard: Arc::clone(&self.shard.id), event })).await.ok()
    }

    async fn poll(&self, aws: &Aws, position: &mut Start) -> Result<Option<Event>> {
        let Shared { began, .. } = &*self.shared;
        let client = aws.kinesis();
        let mut pace = Pace::new(!aws.has_own_endpoint());
        let Some(mut iterator) = self.iterator(aws, &client, position).await? else { return Ok(Some(Event::Missing)) };
        loop {
            tokio::time::sleep(pace.wait(began.elapsed())).await;
            let (sent_at, sent, sent_ms) = (Instant::now(), began.elapsed(), now_ms());
            match get_records::get_records(aws, &client, &self.shard.id, &iterator, pace.limit(), &self.shared.budget)
                .await?
            {
                Answer::Page(mut page, reserved) => {
                    self.shared.answered();
                    let reading = Reading {
                        sent,
                        records: page.len(),
                        bytes: page.bytes,
                        // A closed shard has no tip to wait at.
                        is_at_tip: page.millis_behind == 0 && !self.shard.is_closed,
                    };
                    pace.answered(&reading, began.elapsed(), fastrand::f64());
                    *position = next_position(position, &page, sent_ms);
                    let (next, children) = (page.next_iterator.take(), std::mem::take(&mut page.children));
                    let is_over = self.is_over(&mut page, sent_ms);
                    if self.report(Event::Page { page, reserved, sent: sent_at }).await.is_none() {
                        return Ok(None);
                    }
                    match next {
                        None => return Ok(Some(Event::Ended(children))),
                        Some(_) if is_over => return Ok(Some(Event::ReachedTip)),
                        Some(next) => iterator = next,
                    }
                }
                Answer::Throttled(cause) => {
                    self.shared.throttled(&self.shard.id, &cause);
                    pace.throttled(began.elapsed(), fastrand::f64());
                }
                Answer::Expired => {
                    pace.expired(began.elapsed());
                    let Some(renewed) = self.iterator(aws, &client, position).await? else {
                        return Ok(Some(Event::Missing));
                    };
                    iterator = renewed;
                }
                Answer::Missing => return Ok(Some(Event::Missing)),
            }
        }
    }

    async fn iterator(&self, aws: &Aws, client: &Client, start: &Start) -> Result<Option<String>> {
        get_records::iterator(aws, client, &self.shared.stream, &self.shard.id, start).await
    }

    /// Whether the run reads no more of the shard after a page, which is cut if it contains the last record. A closed shard is
    /// read to its end, so that its children follow.
    pub fn is_over(&self, page: &mut Page, sent_ms: i64) -> bool {
        if self.shared.ends.get(&self.shard.id).is_some_and(|end| page.cut_after(end)) {
            return true;
        }
        let range = Range { follows: self.shared.range.follows || self.shard.is_closed, ..self.shared.range };
        range.is_over(sent_ms - page.millis_behind, page.last_arrival_ms())
    }
}

/// Returns the position after a page. The tip moves, so that a reader which began at the tip resumes at the time of its last
/// read.
pub fn next_position(position: &Start, page: &Page, sent_ms: i64) -> Start {
    match (page.last_sequence_number(), position) {
        (Some(last), _) => Start::After(last.to_owned()),
        (None, Start::Latest) => Start::Time(sent_ms - page.millis_behind),
        (None, position) => position.clone(),
    }
}

pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_at_the_start_of_the_run_or_at_its_end_time() {
        let range = |follows, end_ms| Range { follows, began_ms: 100, end_ms };
        assert!(range(false, None).is_over(100, None) && !range(false, None).is_over(99, Some(99)));
        assert!(!range(true, None).is_over(1000, None));
        assert!(range(true, Some(50)).is_over(40, Some(51)) && !range(true, Some(50)).is_over(50, Some(50)));
        assert!(range(true, Some(50)).is_over(51, None), "no record arrives before that time any more");
    }

    #[test]
    fn a_reader_resumes_after_its_last_record() {
        let page = |records: &str| Page::parse(format!(r#"{{"Records":[{records}],"MillisBehindLatest":5}}"#).into());
        let empty = page("").unwrap();
        assert_eq!(next_position(&Start::Latest, &empty, 100), Start::Time(95));
        assert_eq!(next_position(&Start::TrimHorizon, &empty, 100), Start::TrimHorizon);
        let page = page(r#"{"SequenceNumber":"7","Data":""}"#).unwrap();
        assert_eq!(next_position(&Start::Latest, &page, 100), Start::After("7".into()));
    }
}
