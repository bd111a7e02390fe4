//! One invocation on one process: the initialization if it is the first, the wait for the response, and Lambda's log lines.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::oneshot;

use super::platform_log::{Report, Status};
use super::process::{Process, exit_message};
use super::runtime_api::{Answer, Delivery, MAX_RESPONSE_BYTES};

/// The time limit of a process's initialization, in addition to the function's timeout.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// A request to a function.
#[derive(Debug, Clone)]
pub struct Call {
    pub payload: Bytes,
    /// The function's ARN in the caller's form.
    pub invoked_arn: String,
    /// JSON.
    pub client_context: Option<String>,
}

/// The result of an invocation.
#[derive(Debug, Clone)]
pub struct Invoked {
    pub payload: Bytes,
    /// Whether the payload is an error document. AWS reports `Unhandled` for every kind of error.
    pub is_error: bool,
    /// The version that ran.
    pub version: String,
    /// The last 4 KiB of the invocation's log.
    pub log_tail: Vec<u8>,
}

/// The outcome of an invocation on a process.
pub enum Run {
    /// The process ended before it received the invocation: another process can run it.
    NotReceived,
    Done {
        invoked: Invoked,
        /// The process waits for its next invocation.
        is_reusable: bool,
    },
}

/// The end of an invocation.
struct End {
    payload: Bytes,
    is_error: bool,
    status: Status,
    /// Lambda's log line about a failure of the process.
    failure: Option<String>,
}

impl Process {
    /// Runs one invocation. `is_cold` if it is the process's first.
    pub async fn run(&self, call: &Call, request_id: &str, is_cold: bool) -> Run {
        tokio::select! {
            biased;
            run = self.run_to_its_end(call, request_id, is_cold) => run,
            never = self.watch_memory() => match never {},
        }
    }

    async fn run_to_its_end(&self, call: &Call, request_id: &str, is_cold: bool) -> Run {
        let init_duration = match is_cold {
            true => match self.initialize(request_id).await {
                Ok(duration) => Some(duration),
                Err(end) => return Run::Done { invoked: self.fail_init(request_id, end), is_reusable: false },
            },
            false => None,
        };
        let begun = Instant::now();
        let answer = self.deliver(call, request_id).await;
        let mut end = None;
        let limit = self.timeout();
        let in_time = tokio::time::timeout(limit, self.complete(answer, request_id, &mut end)).await.is_ok();
        if !in_time {
            tracing::warn!(
                function = self.spec.name,
                pid = self.pid,
                request_id,
                "killed: timed out after {} s",
                limit.as_secs()
            );
            self.max_memory_mb();
            self.kill();
            self.exited().await;
            end.get_or_insert_with(|| timed_out(request_id, limit));
        } else if !self.is_running() && self.api.withdraw().await {
            if !is_cold {
                return Run::NotReceived;
            }
            // Another new process would end at once too, so this fails the invocation.
            self.log.begin(self.spec.platform_log.start(Timestamp::now(), request_id));
        }
        let end = end.unwrap_or_else(|| timed_out(request_id, limit));
        let duration = begun.elapsed().min(limit);
        let invoked = self.conclude(request_id, end, duration, init_duration);
        Run::Done { invoked, is_reusable: in_time && self.is_running() }
    }

    /// Waits until the process asks for its first invocation.
    async fn initialize(&self, request_id: &str) -> Result<Duration, End> {
        // On AWS the initialization starts again after its own limit, within the invocation.
        let timeout = self.timeout();
        tokio::select! {
            () = self.api.waiting() => Ok(self.started.elapsed()),
            error = self.api.init_error() => {
                self.max_memory_mb();
                self.kill();
                self.exited().await;
                Err(End { payload: error.body, is_error: true, status: Status::Error(error.kind), failure: None })
            }
            status = self.exited() => Err(exited(request_id, &exit_message(status))),
            () = tokio::time::sleep(INIT_LIMIT + timeout) => {
                self.max_memory_mb();
                self.kill();
                self.exited().await;
                Err(timed_out(request_id, timeout))
            }
        }
    }

    async fn deliver(&self, call: &Call, request_id: &str) -> oneshot::Receiver<Answer> {
        let (sender, answer) = oneshot::channel();
        let (log, spec, id) = (self.log.clone(), self.spec.clone(), request_id.to_owned());
        let on_received = Box::new(move || log.begin(spec.platform_log.start(Timestamp::now(), &id)));
        let headers = next_headers(call, request_id, self.spec.settings.timeout_seconds);
        let payload = call.payload.clone();
        self.api
            .deliver(Delivery { request_id: request_id.to_owned(), headers, payload, on_received, answer: sender })
            .await;
        answer
    }

    /// Waits for the response, and then until the process asks for another invocation: until then it may still work on this one.
    async fn complete(&self, mut answer: oneshot::Receiver<Answer>, request_id: &str, end: &mut Option<End>) {
        let status = tokio::select! {
            biased;
            Ok(answer) = &mut answer => {
                *end = Some(end_of(answer));
                tokio::select! {
                    () = self.api.waiting() => {}
                    _ = self.exited() => {}
                }
                return;
            }
            status = self.exited() => status,
        };
        *end = Some(match answer.try_recv() {
            Ok(answer) => end_of(answer),
            Err(_) => exited(request_id, &exit_message(status)),
        });
    }

    fn fail_init(&self, request_id: &str, end: End) -> Invoked {
        let now = Timestamp::now();
        let duration = self.started.elapsed();
        let lines = &self.spec.platform_log;
        if let Some(line) = lines.init_report(now, duration, &end.status) {
            self.log.platform(line);
        }
        self.log.begin(lines.start(now, request_id));
        self.conclude(request_id, end, duration.min(self.timeout()), None)
    }

    /// The time limit of an invocation.
    fn timeout(&self) -> Duration {
        Duration::from_secs(self.spec.settings.timeout_seconds.into())
    }

    /// Writes the log lines that end an invocation, after the process's own output.
    fn conclude(&self, request_id: &str, end: End, duration: Duration, init_duration: Option<Duration>) -> Invoked {
        let lines = &self.spec.platform_log;
        let now = Timestamp::now();
        let report = Report {
            duration,
            init_duration,
            memory_mb: self.spec.settings.memory_mb,
            // A process that was killed for its memory used more than it had.
            max_memory_mb: self.max_memory_mb().min(self.spec.settings.memory_mb.into()),
            status: end.status,
        };
        let failure = end.failure.and_then(|text| lines.failure(text));
        let done = lines.end(now, request_id, duration, &report.status);
        for line in [failure, done, lines.report(now, request_id, &report)].into_iter().flatten() {
            self.log.platform(line);
        }
        let version = self.spec.version.clone();
        Invoked { payload: end.payload, is_error: end.is_error, version, log_tail: self.log.take_tail() }
    }
}

fn end_of(answer: Answer) -> End {
    let (payload, is_error) = match answer {
        Answer::Response(payload) => (payload, false),
        Answer::Error(body) => (body, true),
        Answer::ResponseTooLarge => {
            let message =
                format!("Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes).");
            (error_document("Function.ResponseSizeTooLarge", &message), true)
        }
    };
    // REPORT shows no status for an error of the handler (recorded 2025-11).
    End { payload, is_error, status: Status::Success, failure: None }
}

fn exited(request_id: &str, message: &str) -> End {
    failed(request_id, "Runtime.ExitError", message)
}

/// The payload of an invocation whose process could not be started.
pub fn not_started(request_id: &str, reason: &str) -> Bytes {
    failed(request_id, "Runtime.InvalidEntrypoint", reason).payload
}

fn failed(request_id: &str, kind: &str, reason: &str) -> End {
    let message = format!("RequestId: {request_id} Error: {reason}");
    End {
        payload: error_document(kind, &message),
        is_error: true,
        status: Status::Error(kind.to_owned()),
        failure: Some(format!("{message}\n{kind}")),
    }
}

fn timed_out(request_id: &str, limit: Duration) -> End {
    let what = format!("Task timed out after {:.2} seconds", limit.as_secs_f64());
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
    End {
        // Recorded 2025-11. Before that, AWS returned the log line as errorMessage.
        payload: error_document("Sandbox.Timedout", &format!("RequestId: {request_id} Error: {what}")),
        is_error: true,
        status: Status::Timeout,
        failure: Some(format!("{now} {request_id} {what}\n")),
    }
}

fn error_document(kind: &str, message: &str) -> Bytes {
    Bytes::from(json!({ "errorType": kind, "errorMessage": message }).to_string())
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-next>
fn next_headers(call: &Call, request_id: &str, timeout_seconds: u32) -> HeaderMap {
    let now = Timestamp::now();
    let deadline = now.as_millisecond() + i64::from(timeout_seconds) * 1000;
    let random = uuid::Uuid::new_v4().simple().to_string();
    let trace = format!("Root=1-{:08x}-{};Parent={};Sampled=0", now.as_second(), &random[..24], &random[16..]);
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", Some(request_id)),
        ("lambda-runtime-deadline-ms", Some(deadline.to_string().as_str())),
        ("lambda-runtime-invoked-function-arn", Some(call.invoked_arn.as_str())),
        ("lambda-runtime-trace-id", Some(trace.as_str())),
        ("lambda-runtime-client-context", call.client_context.as_deref()),
    ] {
        // A client context that is not valid as a header is left out.
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
}
