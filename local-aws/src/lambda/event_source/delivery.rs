//! Delivers one batch to the function: invokes it by the batch's rules until nothing of it is left.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use super::batch::{AbandonedRecords, Action, Attempts, Batch, InvocationOutcome};
use super::checkpoint::ProcessingResult;
use super::context::ShardContext;
use super::lanes::UnfinishedBatch;
use super::on_failure::AbandonedBatch;
use super::record::Record;
use super::response::InvokedRecords;
use super::window::Window;
use crate::error::AwsError;
use crate::lambda::destinations::{Destination, Service};
use crate::lambda::execution::{Call, Invoked};
use crate::lambda::invocation;
use crate::lambda::names::{LATEST, Reference, function_arn};

/// The delivery of one batch.
pub struct Delivery {
    context: Arc<ShardContext>,
    stopped: watch::Receiver<bool>,
    records: Vec<Record>,
    window: Option<Window>,
    /// Attempts before this delivery.
    attempts: Option<Attempts>,
    last: Option<LastInvocation>,
    /// The number of invocations with any part of the batch.
    invocations: u64,
    result: Option<ProcessingResult>,
    /// Whether the function could not be run the last time.
    is_waiting: bool,
}

/// The progress of a delivery.
pub struct DeliveryProgress<'a> {
    /// The number of records at the beginning that are finished.
    pub completed: usize,
    /// With the state after them.
    pub window: Option<&'a Window>,
    /// The attempts at the others.
    pub unfinished: Option<UnfinishedBatch>,
    pub result: Option<ProcessingResult>,
}

/// The last invocation with records of the batch.
struct LastInvocation {
    request_id: String,
    is_function_error: bool,
    version: String,
}

impl Delivery {
    /// Creates the delivery of these records. Without records, it is the final invocation of a window.
    pub fn new(
        context: Arc<ShardContext>,
        stopped: watch::Receiver<bool>,
        records: Vec<Record>,
        window: Option<Window>,
    ) -> Self {
        Self {
            context,
            stopped,
            records,
            window,
            attempts: None,
            last: None,
            invocations: 0,
            result: None,
            is_waiting: false,
        }
    }

    /// Continues after earlier attempts at the same batch.
    pub fn resume(mut self, attempts: Option<Attempts>) -> Self {
        self.invocations = attempts.as_ref().map_or(0, |attempts| attempts.invocations().into());
        self.attempts = attempts;
        self
    }

    /// Invokes the function until nothing of the batch is left or the configuration changes. Never interrupts an invocation. Calls
    /// `progressed` after each step. Returns whether nothing is left.
    pub async fn run(mut self, progressed: impl Fn(DeliveryProgress<'_>)) -> bool {
        let mut arrivals: Vec<i64> = self.records.iter().map(Record::arrival_ms).collect();
        if arrivals.is_empty() {
            // A final invocation is retried like a batch of one record that has just arrived.
            arrivals.push(now());
        }
        let total = arrivals.len();
        let mut batch = Batch::new(arrivals, self.context.config.settings.policy(self.context.backoff()));
        batch.set_retention(self.context.stream.retention_ms);
        if let Some(attempts) = self.attempts.take() {
            batch.resume(attempts);
        }
        while !*self.stopped.borrow() {
            match batch.next(now()) {
                Action::Invoke(range) => {
                    let outcome = self.invoke(range).await;
                    let result = match outcome {
                        InvocationOutcome::Success | InvocationOutcome::DoneBefore(_) => ProcessingResult::Ok,
                        InvocationOutcome::Failure | InvocationOutcome::NotInvoked => {
                            ProcessingResult::FunctionCallFailed
                        }
                    };
                    self.set_result(result);
                    batch.invoked(outcome, now());
                }
                Action::Wait(ms) => {
                    self.wait(ms).await;
                    if let Some(stream) =
                        self.context.poller.kinesis.stream(&self.context.poller.source.stream_arn).await
                    {
                        batch.set_retention(stream.retention_ms);
                    }
                }
                Action::Abandon(abandoned) => self.abandon(&abandoned).await,
                Action::Done => {}
            }
            progressed(DeliveryProgress {
                completed: batch.completed(),
                window: self.window.as_ref(),
                unfinished: self.unfinished(&batch),
                result: self.result,
            });
            if batch.completed() == total {
                return true;
            }
        }
        false
    }

    fn unfinished(&self, batch: &Batch) -> Option<UnfinishedBatch> {
        let counter = |record: &Record| record.counter;
        let attempts = batch.attempts()?;
        let first = self.records.get(batch.completed()).map(counter);
        Some(UnfinishedBatch { first, last: self.records.last().map(counter), attempts })
    }

    fn set_result(&mut self, result: ProcessingResult) {
        self.context.poller.progress.set_result(result);
        self.result = Some(result);
    }

    async fn wait(&mut self, ms: i64) {
        let wait = Duration::from_millis(u64::try_from(ms).unwrap_or_default());
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = changed(&mut self.stopped) => {}
        }
    }

    async fn invoke(&mut self, range: Range<usize>) -> InvocationOutcome {
        let request_id = Uuid::new_v4().to_string();
        let invoked = match self.run_function(range.clone(), &request_id).await {
            Ok(invoked) => invoked,
            Err(error) => {
                self.log_waiting(&error);
                return InvocationOutcome::NotInvoked;
            }
        };
        self.invocations += 1;
        self.is_waiting = false;
        let reported = self.reported_outcome(&invoked, range.clone());
        let version = invoked.version.clone();
        self.last = Some(LastInvocation { request_id, is_function_error: invoked.is_error, version });
        let records = self.records.get(range.clone()).map_or(0, <[Record]>::len);
        let outcome = self.apply_state(reported, range, &invoked.payload);
        match outcome {
            InvocationOutcome::Success | InvocationOutcome::NotInvoked => {}
            _ if invoked.is_error => self.log_failure(records, &error_message(&invoked.payload)),
            InvocationOutcome::DoneBefore(_) => self.log_failure(records, "the function reported failed records"),
            InvocationOutcome::Failure if reported == InvocationOutcome::Failure => {
                self.log_failure(records, "the function's response is not a valid report on this batch");
            }
            InvocationOutcome::Failure => self.log_failure(records, "the function's response has no state"),
        }
        outcome
    }

    /// # Errors
    /// The function was not run.
    async fn run_function(&self, range: Range<usize>, request_id: &str) -> Result<Invoked, AwsError> {
        let records = self.records.get(range).unwrap_or_default();
        let ShardContext { poller, shard_id, config, .. } = &*self.context;
        let functions = &poller.functions;
        let function = Reference::read(&config.function, None, &functions.config)?;
        let target = invocation::resolve(functions, &function).await?;
        self.context.set_role(&target.role);
        let fields = self.context.fields(&target.role);
        let call = Call {
            payload: match &self.window {
                Some(window) => fields.window_event(records, window, records.is_empty()),
                None => fields.event(records),
            },
            invoked_arn: function_arn(&functions.config, &config.function),
            client_context: None,
        };
        if let Some(last) = records.last() {
            functions.config.metrics.iterator_age(&poller.uuid, shard_id, now() - last.arrival_ms());
        }
        target.invoke(call, request_id.to_owned()).await
    }

    /// The outcome for these records, as the function reported it.
    fn reported_outcome(&self, invoked: &Invoked, range: Range<usize>) -> InvocationOutcome {
        if invoked.is_error {
            return InvocationOutcome::Failure;
        }
        if !self.context.config.settings.reports_item_failures {
            return InvocationOutcome::Success;
        }
        let records = self.records.get(range.clone()).unwrap_or_default();
        InvokedRecords { records, fields: &self.context.fields(""), first: range.start }.outcome(&invoked.payload)
    }

    fn log_failure(&self, records: usize, why: &str) {
        let ShardContext { shard_id, config, .. } = &*self.context;
        tracing::warn!(
            function = config.function,
            shard = shard_id,
            records,
            invocation = self.invocations,
            request_id = self.last.as_ref().map_or("", |last| &last.request_id),
            "batch failed: {why}"
        );
    }

    /// Logs that the batch waits, once until the function is invoked.
    fn log_waiting(&mut self, error: &AwsError) {
        let ShardContext { shard_id, config, .. } = &*self.context;
        if !self.is_waiting {
            tracing::warn!(function = config.function, shard = shard_id, "batch waits: {}", error.message);
        }
        self.is_waiting = true;
    }

    /// Sets the window's state to the function's response if any record was processed. The response to the final invocation needs
    /// no state.
    fn apply_state(&mut self, outcome: InvocationOutcome, range: Range<usize>, payload: &[u8]) -> InvocationOutcome {
        let Some(window) = self.window.as_mut().filter(|_| !self.records.is_empty()) else { return outcome };
        match outcome {
            InvocationOutcome::Success => {}
            InvocationOutcome::DoneBefore(index) if index > range.start => {}
            _ => return outcome,
        }
        match window.with_state_of(payload) {
            Some(next) => {
                *window = next;
                outcome
            }
            None => InvocationOutcome::Failure,
        }
    }

    async fn abandon(&mut self, abandoned: &AbandonedRecords) {
        self.set_result(ProcessingResult::FunctionCallFailed);
        let ShardContext { shard_id, config, .. } = &*self.context;
        let destination = config.settings.on_failure.as_ref().map_or("none", |destination| &destination.arn);
        tracing::warn!(
            function = config.function,
            shard = shard_id,
            records = abandoned.records.len(),
            invocations = abandoned.invocations,
            condition = ?abandoned.condition,
            destination,
            "records abandoned"
        );
        if let Some(destination) = config.settings.on_failure.clone() {
            self.send(destination, abandoned).await;
        }
    }

    async fn send(&self, destination: Destination, abandoned: &AbandonedRecords) {
        let ShardContext { poller, shard_id, sequence, config, .. } = &*self.context;
        let records = self.records.get(abandoned.records.clone()).unwrap_or_default();
        let random = Uuid::new_v4().to_string();
        let is_object = destination.service == Service::S3;
        let payload = is_object.then(|| self.context.fields(&self.context.role()).event(records));
        let batch = AbandonedBatch {
            request_id: self.last.as_ref().map_or(&random, |last| &last.request_id),
            function_arn: &function_arn(&poller.functions.config, &config.function),
            condition: abandoned.condition,
            invocations: abandoned.invocations,
            is_function_error: self.last.as_ref().is_some_and(|last| last.is_function_error),
            executed_version: self.last.as_ref().map_or(LATEST, |last| &last.version),
            shard_id,
            sequence: *sequence,
            stream_arn: &poller.source.stream_arn,
            records,
            payload: payload.as_deref().and_then(|payload| std::str::from_utf8(payload).ok()),
            now: Timestamp::now(),
        };
        let Some(document) = batch.document() else { return };
        poller.destinations.send(&destination, &format!("aws/lambda/{}/{shard_id}", poller.uuid), document).await;
    }
}

/// Resolves with the next change. Never resolves if the sender was dropped.
pub async fn changed<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The message in a function's error document.
fn error_message(payload: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Document {
        error_type: Option<String>,
        error_message: String,
    }
    match serde_json::from_slice(payload) {
        Ok(Document { error_type: Some(kind), error_message }) => format!("{kind}: {error_message}"),
        Ok(Document { error_type: None, error_message }) => error_message,
        Err(_) => String::from_utf8_lossy(payload).into_owned(),
    }
}

/// Epoch milliseconds.
pub fn now() -> i64 {
    Timestamp::now().as_millisecond()
}
