//! Asynchronous invocations: accepted, retried, and reported to destinations.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>

mod document;
mod event;
mod stored;

use std::time::Duration;

use uuid::Uuid;

use super::context::Context;
use super::destinations::Destination;
use super::execution::{Call, Invoked};
use super::function::{EventInvokeConfig, is_throttled};
use super::invocation;
use super::names::{LATEST, Reference};
use crate::config::Config;
use crate::error::AwsError;
use crate::store::StoreError;
use document::{Condition, document};
pub use event::Event;

/// The waits between the attempts at an event.
struct Waits {
    /// Before the first and the second retry of a function that failed.
    retries: [Duration; 2],
    /// After a throttled attempt: the first and the longest wait. Each is twice as long as the one before it.
    throttled: [Duration; 2],
}

const SHORT: Waits = Waits {
    retries: [Duration::from_millis(100), Duration::from_millis(200)],
    throttled: [Duration::from_millis(200), Duration::from_secs(5)],
};

const AWS: Waits = Waits {
    retries: [Duration::from_secs(60), Duration::from_secs(120)],
    throttled: [Duration::from_secs(1), Duration::from_secs(300)],
};

impl Waits {
    fn of(config: &Config) -> &'static Self {
        if config.realistic && !config.fast_retries { &AWS } else { &SHORT }
    }
}

/// The number of functions that may pass an event on to each other as destinations. AWS ends such a chain after about as many.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>
const MAX_CHAIN: u32 = 16;

/// The decision after an attempt.
enum Next {
    RetryAfter(Duration),
    Done,
    Abandon,
}

/// Accepts an event. It is invoked until it succeeds or is abandoned, always with the same request ID.
pub fn accept(context: &Context, event: Event) {
    stored::store(context, &event);
    // After the shutdown, the next endpoint that opens the store runs the event.
    if let Some(events) = &mut *context.events() {
        while events.try_join_next().is_some() {}
        events.spawn(run(context.clone(), event));
    }
}

/// Resumes the stored events.
///
/// # Errors
/// The store cannot be read.
pub fn restore(context: &Context) -> Result<(), StoreError> {
    for event in stored::all(context)? {
        accept(context, event);
    }
    Ok(())
}

async fn run(context: Context, mut event: Event) {
    loop {
        match attempt(&context, &mut event).await {
            Next::RetryAfter(wait) => tokio::time::sleep(wait).await,
            Next::Done => break,
            Next::Abandon => {
                let function = event.function.qualified();
                tracing::warn!(function, request_id = event.request_id, "asynchronous invocation abandoned");
                break;
            }
        }
    }
    stored::delete(&context, &event);
}

async fn attempt(context: &Context, event: &mut Event) -> Next {
    let invoked = invoke(context, event).await;
    let (config, waits) = (config_of(context, event), Waits::of(&context.config));
    let (wait, last) = match invoked {
        Ok(invoked) => {
            event.invocations += 1;
            if !invoked.is_error {
                report(context, event, &config, Condition::Success, Some(&invoked)).await;
                return Next::Done;
            }
            if event.invocations > config.max_retries() {
                report(context, event, &config, Condition::RetriesExhausted, Some(&invoked)).await;
                return Next::Abandon;
            }
            stored::store(context, event);
            (waits.retries[usize::from(event.invocations > 1)], Some(invoked))
        }
        // A throttled invocation does not count as an attempt.
        Err(error) if is_throttled(&error) => {
            let [first, longest] = waits.throttled;
            let wait = event.throttled_wait.map_or(first, |wait| (wait * 2).min(longest));
            event.throttled_wait = Some(wait);
            (wait, None)
        }
        Err(error) => {
            let function = event.function.qualified();
            tracing::warn!(function, request_id = event.request_id, "invocation failed: {}", error.message);
            return Next::Abandon;
        }
    };
    if event.age() + wait <= config.max_age() {
        return Next::RetryAfter(wait);
    }
    report(context, event, &config, Condition::EventAgeExceeded, last.as_ref()).await;
    Next::Abandon
}

async fn invoke(context: &Context, event: &Event) -> Result<Invoked, AwsError> {
    let target = invocation::resolve(context, &event.function).await?;
    target.invoke(event.call.clone(), event.request_id.clone()).await
}

fn config_of(context: &Context, event: &Event) -> EventInvokeConfig {
    let qualifier = event.function.qualifier.as_deref().unwrap_or(LATEST);
    let config = context.with_name(&event.function.name, |latest| latest.event_invoke.get(qualifier).cloned());
    config.ok().flatten().unwrap_or_default()
}

/// Sends the document of a finished event to the destination that is configured for its condition.
async fn report(
    context: &Context,
    event: &Event,
    config: &EventInvokeConfig,
    condition: Condition,
    last: Option<&Invoked>,
) {
    let is_success = condition == Condition::Success;
    let arn = if is_success { &config.on_success } else { &config.on_failure };
    if arn.is_empty() {
        return;
    }
    let mut function = event.function.clone();
    function.qualifier.get_or_insert_with(|| LATEST.to_owned());
    let document = document(event, &function.arn(&context.config), condition, last);
    if let Ok(target) = Reference::read(arn, None, &context.config) {
        pass_on(context, event, target, document);
    } else if let Ok(Some(destination)) = Destination::read(arn) {
        let folder = format!("aws/lambda/async/{}", event.function.name);
        context.destinations.send(&destination, &folder, document).await;
    }
}

/// Invokes another function with the document of an event.
fn pass_on(context: &Context, event: &Event, function: Reference, document: String) {
    if event.chain_length >= MAX_CHAIN {
        tracing::warn!(
            function = function.name,
            "event dropped: {MAX_CHAIN} functions have passed it on to each other"
        );
        return;
    }
    let call = Call { payload: document.into(), invoked_arn: function.arn(&context.config), client_context: None };
    let mut next = Event::new(function, call, Uuid::new_v4().to_string());
    next.chain_length = event.chain_length + 1;
    accept(context, next);
}
