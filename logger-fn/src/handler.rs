//! Handles one invocation: logs the records of an event, and answers which of them Lambda must send again.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lambda_events::streams::KinesisEventResponse;
use kinesis_event_logger_core::decode::ReadAhead;
use kinesis_event_logger_core::event::{Event, EventError};
use kinesis_event_logger_core::line::{Level, LineFormat};
use kinesis_event_logger_core::settings::{Metrics, Settings};
use lambda_runtime::Diagnostic;
use serde::Serialize;
use thiserror::Error;
use tokio::time::Instant;

use crate::batch::{Batch, Buffers, Progress};
use crate::clock;
use crate::diagnostics;
use crate::metrics::Subject;
use crate::output::{Output, WriteError};

/// The size of the pieces in which lines are written. Lambda reads one piece while the next is formatted.
const PIECE_BYTES: usize = 128 * 1024;

/// The number of records between checks of the deadline, if the records have no lines.
const RECORDS_PER_DEADLINE_CHECK: usize = 64;

/// Larger buffers are not reused by the next invocation.
const MAX_REUSED_BYTES: usize = 2 * 1024 * 1024;

/// The reason why an invocation fails as a whole. Lambda then sends the batch again.
#[derive(Debug, Error)]
pub enum HandlerError {
    #[error(transparent)]
    Event(#[from] EventError),
    #[error("none of the {records} records was logged: {why}")]
    Unlogged { records: usize, why: WriteError },
}

/// A failed invocation.
pub struct Failure {
    pub request_id: String,
    pub error: HandlerError,
}

/// `lambda_runtime` logs the `Debug` text of a failed invocation, so this text is written for people.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.request_id, self.error)
    }
}

/// The error that the invoker and an on-failure destination receive.
impl From<Failure> for Diagnostic {
    fn from(Failure { error, .. }: Failure) -> Self {
        let error_type = match error {
            HandlerError::Event(_) => "NotAKinesisEvent",
            HandlerError::Unlogged { why: WriteError::Late, .. } => "DeadlineNear",
            HandlerError::Unlogged { why: WriteError::Io(_), .. } => "WriteFailed",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// The answer to Lambda.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// The state of a tumbling window. Lambda repeats the batch if an answer within a window has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<WindowState>,
    #[serde(flatten)]
    response: KinesisEventResponse,
}

/// No state: the function aggregates nothing.
#[derive(Debug, Serialize)]
struct WindowState {}

/// Handles invocations.
pub struct Handler {
    settings: Arc<Settings>,
    output: Arc<Output>,
    /// Buffers that no invocation uses at the moment.
    idle: Mutex<Vec<Buffers>>,
}

impl Handler {
    pub fn new(settings: Arc<Settings>, output: Arc<Output>) -> Self {
        Self { settings, output, idle: Mutex::default() }
    }

    /// Logs every record of one event. Lambda needs the answer before `deadline_ms`, in epoch milliseconds.
    ///
    /// If not all records can be logged in time, the answer names the first one that was not, and Lambda sends the batch
    /// again from there. A record that cannot be decoded is logged like any other, because failing would block its shard
    /// and a retry would not help.
    ///
    /// # Errors
    /// Returns an error if the event is not a Kinesis event, or if none of its records was logged.
    pub async fn handle(&self, request_id: &str, event: &[u8], deadline_ms: i64) -> Result<Answer, HandlerError> {
        let event = Event::parse(event)?;
        let now_ms = clock::now_ms();
        let until = Instant::now() + time_to_write(now_ms, deadline_ms, self.settings.deadline_margin_ms);
        let idle = self.idle().pop().unwrap_or_default();
        let mut batch = Batch::new(&self.settings, request_id, now_ms, idle);
        let logged = self.log(&event, &mut batch, until).await;
        let response = match logged {
            Ok(()) => Ok(KinesisEventResponse::default()),
            Err(why) => self.partial_answer(&event, request_id, &mut batch, why),
        };
        self.report(&event, request_id, &batch, now_ms, until).await;
        self.reuse(batch.into_buffers());
        let state = event.has_window().then_some(WindowState {});
        response.map(|response| Answer { state, response })
    }

    async fn log(&self, event: &Event<'_>, batch: &mut Batch<'_>, until: Instant) -> Result<(), WriteError> {
        let (mut records, mut index) = (ReadAhead::new(event.records()), 0_usize);
        while let Some(record) = records.next() {
            if index.is_multiple_of(RECORDS_PER_DEADLINE_CHECK) && Instant::now() >= until {
                return Err(WriteError::Late);
            }
            index += 1;
            while batch.append(&record) == Progress::Partial {
                self.write_lines(batch, until).await?;
            }
            if batch.lines().len() >= PIECE_BYTES {
                self.write_lines(batch, until).await?;
            }
        }
        self.write_lines(batch, until).await
    }

    /// Writes the formatted lines.
    async fn write_lines(&self, batch: &mut Batch<'_>, until: Instant) -> Result<(), WriteError> {
        if batch.lines().is_empty() {
            batch.mark_written(0);
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(WriteError::Late);
        }
        match self.output.write(batch.lines(), until).await {
            Ok(()) => {
                batch.mark_written(batch.lines().len());
                Ok(())
            }
            Err(unwritten) => {
                batch.mark_written(unwritten.written);
                Err(unwritten.why)
            }
        }
    }

    /// Returns the answer for a batch that was not logged completely.
    fn partial_answer(
        &self,
        event: &Event<'_>,
        request_id: &str,
        batch: &mut Batch<'_>,
        why: WriteError,
    ) -> Result<KinesisEventResponse, HandlerError> {
        let (records, logged) = (event.records().len(), batch.logged());
        batch.counts.failed = (records - logged) as u64;
        // The answer cannot name a record without a sequence number. It is sent again with the one before it.
        let number = event.records().take(logged + 1).filter_map(|record| record.sequence_number).last();
        match number.filter(|_| logged > 0) {
            Some(number) => {
                tracing::warn!(
                    "{request_id}: {logged} of {records} records are logged, Lambda will send the others again: {why}"
                );
                let mut response = KinesisEventResponse::default();
                response.add_failure(number);
                Ok(response)
            }
            None => Err(HandlerError::Unlogged { records, why }),
        }
    }

    /// Writes the metrics of the batch. An error is ignored, because the records are logged already.
    async fn report(&self, event: &Event<'_>, request_id: &str, batch: &Batch<'_>, now_ms: i64, until: Instant) {
        let counts = &batch.counts;
        let first = event.records().next();
        let line = match self.settings.metrics {
            Metrics::Emf => {
                // Metrics have a setting of their own, so the line gets a level that Lambda does not filter out.
                let level = (self.settings.format == LineFormat::Json).then(|| self.settings.level.max(Level::Info));
                let subject = Subject {
                    level,
                    function: &self.settings.function_name,
                    request_id,
                    stream: first.as_ref().and_then(|record| record.stream.as_deref()),
                    shard: first.as_ref().and_then(|record| record.shard_id.as_deref()),
                };
                counts.emf(subject, now_ms)
            }
            Metrics::Off if counts.sampled_out > 0 && self.settings.writes(Level::Info) => {
                let message = format!(
                    "LOGGER_SAMPLE leaves out {} of {} records of {request_id}",
                    counts.sampled_out, counts.decoded
                );
                diagnostics::line(self.settings.format, Level::Info, &message)
            }
            Metrics::Off => return,
        };
        if self.output.write(&line, until).await.is_err() {
            self.output.notice(&line);
        }
    }

    fn reuse(&self, buffers: Buffers) {
        if buffers.capacity() <= MAX_REUSED_BYTES {
            self.idle().push(buffers);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Buffers>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the time for writing lines: until the margin before the deadline. The margin is at most half of the remaining
/// time, so that every batch makes progress.
fn time_to_write(now_ms: i64, deadline_ms: i64, margin_ms: u32) -> Duration {
    let left_ms = u64::try_from(deadline_ms.saturating_sub(now_ms)).unwrap_or(0);
    Duration::from_millis(left_ms - u64::from(margin_ms).min(left_ms / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_at_most_half_of_the_remaining_time() {
        let time = |deadline_ms, margin_ms| time_to_write(1000, deadline_ms, margin_ms).as_millis();
        assert_eq!(time(4000, 500), 2500);
        assert_eq!(time(1400, 500), 200);
        assert_eq!(time(1000, 500), 0);
        assert_eq!(time(i64::MIN, 0), 0);
    }
}
