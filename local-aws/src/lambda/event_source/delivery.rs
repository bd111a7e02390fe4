//! One batch on its way to the function: tried by the batch's rules until nothing of it is left.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use super::batch::{Action, Attempts, Backoff, Batch, GivenUp, Outcome};
use super::event::Source;
use super::lanes::Unfinished;
use super::mapping::Orders;
use super::on_failure::Failure;
use super::poller::Poller;
use super::progress::ProcessingResult;
use super::response;
use super::window::Window;
use crate::error::AwsError;
use crate::kinesis::{Record, Stream};
use crate::lambda::destinations::{Destination, Service};
use crate::lambda::execution::{Call, Invoked};
use crate::lambda::invocation;
use crate::lambda::names::{LATEST, Reference, function_arn};

/// What all batches of a shard have in common.
pub struct Context {
    pub poller: Arc<Poller>,
    pub stream: Arc<Stream>,
    pub shard_id: String,
    pub orders: Orders,
}

impl Context {
    pub fn source<'a>(&'a self, role_arn: &'a str) -> Source<'a> {
        Source {
            region: &self.poller.functions.config.region,
            // Of a consumer, its own: unverified.
            event_source_arn: &self.poller.source.arn,
            shard_id: &self.shard_id,
            role_arn,
        }
    }

    fn backoff(&self) -> Backoff {
        if self.poller.functions.config.fast_retries { Backoff::FAST } else { Backoff::AWS }
    }

    /// The function's role; empty while there is no function.
    pub fn role(&self) -> String {
        let functions = &self.poller.functions;
        functions.with_name(&self.orders.function, |function| function.settings.role.clone()).unwrap_or_default()
    }
}

/// The delivery of one batch.
pub struct Delivery {
    context: Arc<Context>,
    stopped: watch::Receiver<bool>,
    records: Vec<Record>,
    window: Option<Window>,
    /// Made before this delivery began.
    attempts: Option<Attempts>,
    last: Option<Last>,
    /// Of any part of the batch, so far.
    invocations: u64,
    result: Option<ProcessingResult>,
    /// The function could not be run the last time.
    is_waiting: bool,
}

/// How far a delivery has come.
pub struct Step<'a> {
    /// How many of the first records are done with.
    pub completed: usize,
    /// With the state by then.
    pub window: Option<&'a Window>,
    /// What was tried of the others.
    pub unfinished: Option<Unfinished>,
    pub result: Option<ProcessingResult>,
}

/// The last invocation with records of the batch.
struct Last {
    request_id: String,
    is_function_error: bool,
    version: String,
}

impl Delivery {
    /// The delivery of these records; of none, the final invocation of a window.
    pub fn new(
        context: Arc<Context>,
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

    /// Goes on with attempts made at the same batch before.
    pub fn resume(mut self, attempts: Option<Attempts>) -> Self {
        self.invocations = attempts.as_ref().map_or(0, |attempts| attempts.invocations().into());
        self.attempts = attempts;
        self
    }

    /// Has the function process the batch until nothing of it is left, or until there are new orders; never breaks off an
    /// invocation. `progressed` is told of each step. Whether nothing is left.
    pub async fn run(mut self, progressed: impl Fn(Step<'_>)) -> bool {
        let mut arrivals: Vec<i64> = self.records.iter().map(|record| milliseconds(record.arrival)).collect();
        if arrivals.is_empty() {
            // A final invocation is tried like a batch of one record that has just come.
            arrivals.push(now());
        }
        let total = arrivals.len();
        let mut batch = Batch::new(arrivals, self.context.orders.settings.policy(self.context.backoff()));
        batch.set_retention(self.context.stream.retention_ms);
        if let Some(attempts) = self.attempts.take() {
            batch.resume(attempts);
        }
        while !*self.stopped.borrow() {
            match batch.next(now()) {
                Action::Invoke(range) => {
                    let outcome = self.invoke(range).await;
                    let result = match outcome {
                        Outcome::Success | Outcome::DoneBefore(_) => ProcessingResult::Ok,
                        Outcome::Failure | Outcome::NotInvoked => ProcessingResult::FunctionCallFailed,
                    };
                    self.set_result(result);
                    batch.finished(outcome, now());
                }
                Action::Wait(ms) => {
                    self.wait(ms).await;
                    if let Some(stream) =
                        self.context.poller.kinesis.stream(&self.context.poller.source.stream_arn).await
                    {
                        batch.set_retention(stream.retention_ms);
                    }
                }
                Action::GiveUp(given_up) => self.give_up(&given_up).await,
                Action::Done => {}
            }
            progressed(Step {
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

    fn unfinished(&self, batch: &Batch) -> Option<Unfinished> {
        let number = |record: Option<&Record>| record.map(|record| record.sequence_number.clone()).unwrap_or_default();
        let attempts = batch.attempts()?;
        let (first, last) = (number(self.records.get(batch.completed())), number(self.records.last()));
        Some(Unfinished { first, last, attempts })
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

    async fn invoke(&mut self, range: Range<usize>) -> Outcome {
        let request_id = Uuid::new_v4().to_string();
        let invoked = match self.run_function(range.clone(), &request_id).await {
            Ok(invoked) => invoked,
            Err(error) => {
                self.tell_waiting(&error);
                return Outcome::NotInvoked;
            }
        };
        self.invocations += 1;
        self.is_waiting = false;
        let answered = self.answered(&invoked, range.clone());
        let version = invoked.version.clone();
        self.last = Some(Last { request_id, is_function_error: invoked.is_error, version });
        let records = self.records.get(range.clone()).map_or(0, <[Record]>::len);
        let outcome = self.take_state(answered, range, &invoked.payload);
        match outcome {
            Outcome::Success | Outcome::NotInvoked => {}
            _ if invoked.is_error => self.tell_failure(records, &error_words(&invoked.payload)),
            Outcome::DoneBefore(_) => self.tell_failure(records, "the function reported records that failed"),
            Outcome::Failure if answered == Outcome::Failure => {
                self.tell_failure(records, "the function's answer is no report on this batch");
            }
            Outcome::Failure => self.tell_failure(records, "the function's answer has no state"),
        }
        outcome
    }

    /// # Errors
    /// The function was not run.
    async fn run_function(&self, range: Range<usize>, request_id: &str) -> Result<Invoked, AwsError> {
        let records = self.records.get(range).unwrap_or_default();
        let Context { poller, shard_id, orders, .. } = &*self.context;
        let functions = &poller.functions;
        let target =
            invocation::resolve(functions, &Reference::read(&orders.function, None, &functions.config)?).await?;
        let source = self.context.source(&target.role);
        let call = Call {
            payload: match &self.window {
                Some(window) => source.window_event(records, window, records.is_empty()),
                None => source.event(records),
            },
            invoked_arn: function_arn(&functions.config, &orders.function),
            client_context: None,
        };
        if let Some(last) = records.last() {
            functions.config.metrics.iterator_age(&poller.uuid, shard_id, now() - milliseconds(last.arrival));
        }
        target.invoke(call, request_id.to_owned()).await
    }

    /// What the answer says of these records.
    fn answered(&self, invoked: &Invoked, range: Range<usize>) -> Outcome {
        if invoked.is_error {
            return Outcome::Failure;
        }
        if !self.context.orders.settings.reports_item_failures {
            return Outcome::Success;
        }
        let records = self.records.get(range.clone()).unwrap_or_default();
        let numbers: Vec<&str> = records.iter().map(|record| record.sequence_number.as_str()).collect();
        response::outcome(&invoked.payload, &numbers, range.start)
    }

    fn tell_failure(&self, records: usize, why: &str) {
        let Context { shard_id, orders, .. } = &*self.context;
        tracing::warn!(
            function = orders.function,
            shard = shard_id,
            records,
            invocation = self.invocations,
            request_id = self.last.as_ref().map_or("", |last| &last.request_id),
            "batch failed: {why}"
        );
    }

    /// Once, however long it waits.
    fn tell_waiting(&mut self, error: &AwsError) {
        let Context { shard_id, orders, .. } = &*self.context;
        if !self.is_waiting {
            tracing::warn!(function = orders.function, shard = shard_id, "batch waits: {}", error.message);
        }
        self.is_waiting = true;
    }

    /// Has the window's state be the one that was answered, unless the invocation did nothing. After the final invocation
    /// no state is needed any more.
    fn take_state(&mut self, outcome: Outcome, range: Range<usize>, payload: &[u8]) -> Outcome {
        let Some(window) = self.window.as_mut().filter(|_| !self.records.is_empty()) else { return outcome };
        match outcome {
            Outcome::Success => {}
            Outcome::DoneBefore(index) if index > range.start => {}
            _ => return outcome,
        }
        match window.answered(payload) {
            Some(answered) => {
                *window = answered;
                outcome
            }
            None => Outcome::Failure,
        }
    }

    async fn give_up(&mut self, given_up: &GivenUp) {
        self.set_result(ProcessingResult::FunctionCallFailed);
        let Context { shard_id, orders, .. } = &*self.context;
        let destination = orders.settings.on_failure.as_ref().map_or("none", |destination| &destination.arn);
        tracing::warn!(
            function = orders.function,
            shard = shard_id,
            records = given_up.records.len(),
            invocations = given_up.invocations,
            condition = ?given_up.condition,
            destination,
            "records given up"
        );
        if let Some(destination) = orders.settings.on_failure.clone() {
            self.send(destination, given_up).await;
        }
    }

    async fn send(&self, destination: Destination, given_up: &GivenUp) {
        let Context { poller, shard_id, orders, .. } = &*self.context;
        let records = self.records.get(given_up.records.clone()).unwrap_or_default();
        let random = Uuid::new_v4().to_string();
        let is_object = destination.service == Service::S3;
        let payload = is_object.then(|| self.context.source(&self.context.role()).event(records));
        let failure = Failure {
            request_id: self.last.as_ref().map_or(&random, |last| &last.request_id),
            function_arn: &function_arn(&poller.functions.config, &orders.function),
            condition: given_up.condition,
            invocations: given_up.invocations,
            is_function_error: self.last.as_ref().is_some_and(|last| last.is_function_error),
            executed_version: self.last.as_ref().map_or(LATEST, |last| &last.version),
            shard_id,
            stream_arn: &poller.source.stream_arn,
            records,
            payload: payload.as_deref().and_then(|payload| std::str::from_utf8(payload).ok()),
            now: Timestamp::now(),
        };
        let Some(document) = failure.document() else { return };
        poller.destinations.send(&destination, &format!("aws/lambda/{}/{shard_id}", poller.uuid), document).await;
    }
}

/// Resolves with the next change; never when there can be none.
pub async fn changed<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What a function's error says, of its error document.
fn error_words(payload: &[u8]) -> String {
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

/// Milliseconds of so many seconds.
pub fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}
