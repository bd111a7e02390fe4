//! `Event` invocations: nobody waits for them. They are tried again, and their destinations told.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;
use uuid::Uuid;

use super::concurrency;
use super::destinations::Destination;
use super::event_invoke::EventInvokeConfig;
use super::execution::{Call, Invoked};
use super::functions::Functions;
use super::names::{LATEST, Reference};

/// What lies between the attempts. On AWS it is a minute and two; nobody waits that long at a desk.
const RETRY_WAITS: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(200)];
const LONGEST_THROTTLED_WAIT: Duration = Duration::from_secs(5);

/// Events that functions hand on to each other as destinations: AWS ends such a loop after about so many.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>
const MOST_HANDED_ON: u32 = 16;

/// An event on its way.
pub struct Event {
    pub function: Reference,
    pub call: Call,
    pub request_id: String,
    /// How many functions had it before.
    pub handed_on: u32,
}

/// How an event ended, as its document names it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
}

impl Functions {
    /// Runs a function that nobody waits for: again after a failure, with the same request ID.
    pub fn run_event(self, event: Event) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let (begun, mut throttled_wait) = (Instant::now(), RETRY_WAITS[0]);
            let (mut invocations, mut last) = (0, None);
            let name = event.function.qualified();
            loop {
                let invoked = self.invoke(&name, event.call.clone(), event.request_id.clone()).await;
                let config = self.config_of(&event);
                let wait = match invoked {
                    Ok(invoked) => {
                        invocations += 1;
                        if !invoked.is_error {
                            return self.tell(&event, &config, Condition::Success, invocations, Some(&invoked)).await;
                        }
                        last = Some(invoked);
                        if invocations > config.max_retries() {
                            break self
                                .tell(&event, &config, Condition::RetriesExhausted, invocations, last.as_ref())
                                .await;
                        }
                        RETRY_WAITS[usize::from(invocations > 1)]
                    }
                    // Throttling is no attempt: the event waits for its turn.
                    Err(error) if concurrency::is_throttled(&error) => {
                        throttled_wait = (throttled_wait * 2).min(LONGEST_THROTTLED_WAIT);
                        throttled_wait
                    }
                    Err(_) => return,
                };
                let age_ms = i64::try_from((begun.elapsed() + wait).as_millis()).unwrap_or(i64::MAX);
                if age_ms > config.max_age_ms() {
                    break self.tell(&event, &config, Condition::EventAgeExceeded, invocations, last.as_ref()).await;
                }
                tokio::time::sleep(wait).await;
            }
            tracing::warn!(function = name, request_id = event.request_id, "event given up");
        })
    }

    fn config_of(&self, event: &Event) -> EventInvokeConfig {
        let qualifier = event.function.qualifier.as_deref().unwrap_or(LATEST);
        self.event_invoke_config(&event.function.name, qualifier).unwrap_or_default()
    }

    /// Sends an event's document to the destination that is to know, if there is one.
    async fn tell(
        &self,
        event: &Event,
        config: &EventInvokeConfig,
        condition: Condition,
        invocations: u32,
        last: Option<&Invoked>,
    ) {
        let is_success = condition == Condition::Success;
        let arn = if is_success { &config.on_success } else { &config.on_failure };
        if arn.is_empty() {
            return;
        }
        let mut function = event.function.clone();
        function.qualifier.get_or_insert_with(|| LATEST.to_owned());
        let document = document(&event.call.payload, &function.arn(self.config()), event, condition, invocations, last);
        if let Ok(target) = Reference::read(arn, None, self.config()) {
            self.hand_on(event, target, document);
        } else if let Ok(Some(destination)) = Destination::read(arn) {
            let folder = format!("aws/lambda/async/{}", event.function.name);
            self.destinations().send(&destination, &folder, document).await;
        }
    }

    fn hand_on(&self, event: &Event, function: Reference, document: String) {
        if event.handed_on >= MOST_HANDED_ON {
            tracing::warn!(function = function.name, "an event that functions hand on to each other ends here");
            return;
        }
        let call = Call { payload: document.into(), invoked_arn: function.arn(self.config()), client_context: None };
        let request_id = Uuid::new_v4().to_string();
        tokio::spawn(self.clone().run_event(Event { function, call, request_id, handed_on: event.handed_on + 1 }));
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    version: &'static str,
    timestamp: String,
    request_context: RequestContext<'a>,
    request_payload: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<ResponseContext<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_payload: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: &'a str,
    function_arn: &'a str,
    condition: Condition,
    approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext<'a> {
    status_code: u16,
    executed_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_error: Option<&'static str>,
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>
fn document(
    payload: &Bytes,
    function_arn: &str,
    event: &Event,
    condition: Condition,
    invocations: u32,
    last: Option<&Invoked>,
) -> String {
    let document = Document {
        version: "1.0",
        timestamp: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        request_context: RequestContext {
            request_id: &event.request_id,
            function_arn,
            condition,
            approximate_invoke_count: invocations,
        },
        request_payload: raw(payload),
        response_context: last.map(|last| ResponseContext {
            status_code: 200,
            executed_version: &last.version,
            function_error: last.is_error.then_some("Unhandled"),
        }),
        response_payload: last.and_then(|last| raw(&last.payload)),
    };
    serde_json::to_string(&document).unwrap_or_default()
}

/// As it was written; none of what is no JSON.
fn raw(json: &Bytes) -> Option<&RawValue> {
    serde_json::from_slice(json).ok()
}
