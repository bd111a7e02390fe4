//! A Kinesis event in; its lines, and what Lambda is to send again, out.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lambda_events::streams::KinesisEventResponse;
use kinesis_event_logger_core::event::{Event, EventError};
use kinesis_event_logger_core::line::{Level, LineFormat};
use lambda_runtime::Diagnostic;
use thiserror::Error;
use tokio::time::Instant;

use crate::batch::{Appended, Batch, Buffers};
use crate::clock;
use crate::diagnostics;
use crate::metrics::{Metrics, Subject};
use crate::output::{Output, WriteError};
use crate::settings::Settings;

/// Lines are handed over in pieces of about this many bytes, so that the next piece is made while Lambda reads the last.
const PIECE_BYTES: usize = 128 * 1024;

/// How many records may pass without a look at the clock, where they make no lines.
const RECORDS_A_LOOK: usize = 64;

/// Buffers larger than this are not kept for the next invocation.
const KEPT_BYTES: usize = 2 * 1024 * 1024;

/// Why an invocation fails as a whole, so that Lambda sends the batch again.
#[derive(Debug, Error)]
pub enum HandlerError {
    #[error(transparent)]
    Event(#[from] EventError),
    #[error("none of the {records} records is logged: {why}")]
    Unlogged { records: usize, why: WriteError },
}

/// A failed invocation.
pub struct Failure {
    pub request_id: String,
    pub error: HandlerError,
}

/// `lambda_runtime` logs a failed invocation by its `Debug` text, which is read by people here.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.request_id, self.error)
    }
}

/// What the invoker and an on-failure destination see.
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

/// The function between its invocations: what it was set to, where its lines go, and buffers that are used again.
pub struct Handler {
    settings: Arc<Settings>,
    output: Arc<Output>,
    idle: Mutex<Vec<Buffers>>,
}

impl Handler {
    pub fn new(settings: Arc<Settings>, output: Arc<Output>) -> Self {
        Self { settings, output, idle: Mutex::default() }
    }

    /// Logs every record of one event, which Lambda wants an answer to before `deadline_ms` (epoch milliseconds).
    ///
    /// When not all of them can be logged in time, the answer names the first that was not, and Lambda sends the batch
    /// again from there. A record that cannot be decoded is a line like any other: to fail for it would only block its
    /// shard, since trying again does not mend it.
    ///
    /// # Errors
    /// When the event is not a Kinesis event, or none of its records was logged.
    pub async fn handle(
        &self,
        request_id: &str,
        event: &[u8],
        deadline_ms: i64,
    ) -> Result<KinesisEventResponse, HandlerError> {
        let event = Event::parse(event)?;
        let now_ms = clock::now_ms();
        let until = Instant::now() + time_to_write(now_ms, deadline_ms, self.settings.deadline_margin_ms);
        let idle = self.idle().pop().unwrap_or_default();
        let mut batch = Batch::new(&self.settings, request_id, now_ms, idle);
        let logged = self.log(&event, &mut batch, until).await;
        let response = match logged {
            Ok(()) => Ok(KinesisEventResponse::default()),
            Err(why) => self.answer(&event, request_id, &mut batch, why),
        };
        self.report(&event, request_id, &batch, now_ms, until).await;
        self.keep(batch.into_buffers());
        response
    }

    async fn log(&self, event: &Event<'_>, batch: &mut Batch<'_>, until: Instant) -> Result<(), WriteError> {
        for (index, source) in event.records().enumerate() {
            if index.is_multiple_of(RECORDS_A_LOOK) && Instant::now() >= until {
                return Err(WriteError::Late);
            }
            while batch.append(&source) == Appended::More {
                self.hand_over(batch, until).await?;
            }
            if batch.lines().len() >= PIECE_BYTES {
                self.hand_over(batch, until).await?;
            }
        }
        self.hand_over(batch, until).await
    }

    /// Writes what has gathered.
    async fn hand_over(&self, batch: &mut Batch<'_>, until: Instant) -> Result<(), WriteError> {
        if batch.lines().is_empty() {
            batch.written(0);
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(WriteError::Late);
        }
        match self.output.write(batch.lines(), until).await {
            Ok(()) => {
                batch.written(batch.lines().len());
                Ok(())
            }
            Err(unwritten) => {
                batch.written(unwritten.written);
                Err(unwritten.why)
            }
        }
    }

    /// The answer when the batch was not logged to its end.
    fn answer(
        &self,
        event: &Event<'_>,
        request_id: &str,
        batch: &mut Batch<'_>,
        why: WriteError,
    ) -> Result<KinesisEventResponse, HandlerError> {
        let (records, logged) = (event.records().len(), batch.logged());
        batch.counts.failed = (records - logged) as u64;
        // A record that Lambda cannot be told by its number is sent again with the one before it.
        let number = event.records().take(logged + 1).filter_map(|record| record.sequence_number).last();
        match number.filter(|_| logged > 0) {
            Some(number) => {
                tracing::warn!(
                    "{request_id}: {logged} of {records} records are logged, the rest is to be sent again: {why}"
                );
                let mut response = KinesisEventResponse::default();
                response.add_failure(number);
                Ok(response)
            }
            None => Err(HandlerError::Unlogged { records, why }),
        }
    }

    /// Says in numbers what became of the batch. It comes after the records and is not worth failing them.
    async fn report(&self, event: &Event<'_>, request_id: &str, batch: &Batch<'_>, now_ms: i64, until: Instant) {
        let counts = &batch.counts;
        let first = event.records().next();
        let line = match self.settings.metrics {
            Metrics::Emf => {
                // Asked for by a setting of its own, metrics are not a matter of level: the line has whichever is let through.
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

    fn keep(&self, buffers: Buffers) {
        if buffers.capacity() <= KEPT_BYTES {
            self.idle().push(buffers);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Buffers>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long lines may be written: until the margin before the deadline. A margin larger than half of what is left
/// counts as that half, so that a batch always comes further.
fn time_to_write(now_ms: i64, deadline_ms: i64, margin_ms: u32) -> Duration {
    let left_ms = u64::try_from(deadline_ms.saturating_sub(now_ms)).unwrap_or(0);
    Duration::from_millis(left_ms - u64::from(margin_ms).min(left_ms / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_kept_but_leaves_time_to_write() {
        let time = |deadline_ms, margin_ms| time_to_write(1000, deadline_ms, margin_ms).as_millis();
        assert_eq!(time(4000, 500), 2500);
        assert_eq!(time(1400, 500), 200);
        assert_eq!(time(1000, 500), 0);
        assert_eq!(time(i64::MIN, 0), 0);
    }
}
