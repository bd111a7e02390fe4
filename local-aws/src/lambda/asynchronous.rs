//! `Event` invocations: nobody waits for them. They are tried again, and their destinations told.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>

mod document;
mod kept;

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::concurrency;
use super::destinations::Destination;
use super::event_invoke::EventInvokeConfig;
use super::execution::{Call, Invoked};
use super::functions::Functions;
use super::names::{LATEST, Reference};
use crate::config::Config;
use document::{Condition, document};

/// The waits between the attempts at an event.
struct Waits {
    /// Before the first and the second retry of a function that failed.
    retries: [Duration; 2],
    /// Of an event that was throttled: the first and the longest; each is twice as long as the one before it.
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
    /// AWS's minutes are for who asks for them.
    fn of(config: &Config) -> &'static Self {
        if config.realistic && !config.fast_retries { &AWS } else { &SHORT }
    }
}

/// Events that functions hand on to each other as destinations: AWS ends such a loop after about so many.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>
const MOST_HANDED_ON: u32 = 16;

/// The events under way.
pub type Events = JoinSet<()>;

/// An event on its way.
pub struct Event {
    function: Reference,
    call: Call,
    request_id: String,
    invocations: u32,
    /// How many functions had it before.
    handed_on: u32,
    /// What it had waited when this endpoint began with it.
    age_before: Duration,
    begun: Instant,
    /// Of the last time that it was throttled.
    throttled_wait: Option<Duration>,
}

/// What is next for an event.
enum Next {
    AgainAfter(Duration),
    Done,
    GivenUp,
}

impl Event {
    pub fn new(function: Reference, call: Call, request_id: String) -> Self {
        Self {
            function,
            call,
            request_id,
            invocations: 0,
            handed_on: 0,
            age_before: Duration::ZERO,
            begun: Instant::now(),
            throttled_wait: None,
        }
    }

    fn age(&self) -> Duration {
        self.age_before + self.begun.elapsed()
    }
}

impl Functions {
    /// Takes an event to be run: again after a failure, with the same request ID.
    pub fn accept_event(&self, event: Event) {
        self.keep_event(&event);
        // After the end it is left to who opens the store next.
        if let Some(events) = &mut *self.events() {
            while events.try_join_next().is_some() {}
            events.spawn(self.clone().run_event(event));
        }
    }

    async fn run_event(self, mut event: Event) {
        let name = event.function.qualified();
        loop {
            match self.try_event(&name, &mut event).await {
                Next::AgainAfter(wait) => tokio::time::sleep(wait).await,
                Next::Done => break,
                Next::GivenUp => {
                    tracing::warn!(function = name, request_id = event.request_id, "event given up");
                    break;
                }
            }
        }
        self.forget_event(&event);
    }

    async fn try_event(&self, name: &str, event: &mut Event) -> Next {
        let invoked = self.invoke(name, event.call.clone(), event.request_id.clone()).await;
        let (config, waits) = (self.config_of(event), Waits::of(self.config()));
        let (wait, last) = match invoked {
            Ok(invoked) => {
                event.invocations += 1;
                if !invoked.is_error {
                    self.tell(event, &config, Condition::Success, Some(&invoked)).await;
                    return Next::Done;
                }
                if event.invocations > config.max_retries() {
                    self.tell(event, &config, Condition::RetriesExhausted, Some(&invoked)).await;
                    return Next::GivenUp;
                }
                self.keep_event(event);
                (waits.retries[usize::from(event.invocations > 1)], Some(invoked))
            }
            // Throttling is no attempt: the event waits for its turn.
            Err(error) if concurrency::is_throttled(&error) => {
                let [first, longest] = waits.throttled;
                let wait = event.throttled_wait.map_or(first, |wait| (wait * 2).min(longest));
                event.throttled_wait = Some(wait);
                (wait, None)
            }
            Err(_) => return Next::GivenUp,
        };
        if event.age() + wait <= config.max_age() {
            return Next::AgainAfter(wait);
        }
        self.tell(event, &config, Condition::EventAgeExceeded, last.as_ref()).await;
        Next::GivenUp
    }

    fn config_of(&self, event: &Event) -> EventInvokeConfig {
        let qualifier = event.function.qualifier.as_deref().unwrap_or(LATEST);
        self.event_invoke_config(&event.function.name, qualifier).unwrap_or_default()
    }

    /// Sends an event's document to the destination that is to know, if there is one.
    async fn tell(&self, event: &Event, config: &EventInvokeConfig, condition: Condition, last: Option<&Invoked>) {
        let is_success = condition == Condition::Success;
        let arn = if is_success { &config.on_success } else { &config.on_failure };
        if arn.is_empty() {
            return;
        }
        let mut function = event.function.clone();
        function.qualifier.get_or_insert_with(|| LATEST.to_owned());
        let document = document(event, &function.arn(self.config()), condition, last);
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
        let mut next = Event::new(function, call, Uuid::new_v4().to_string());
        next.handed_on = event.handed_on + 1;
        self.accept_event(next);
    }
}
