//! Events in the store, from their acceptance to their end: what was accepted is run, over a restart too.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Event;
use crate::lambda::execution::Call;
use crate::lambda::functions::Functions;
use crate::lambda::names::Reference;
use crate::store::{Keyspace, StoreError};

#[derive(Serialize, Deserialize)]
struct StoredEvent {
    function: String,
    /// JSON, as the caller sent it.
    payload: String,
    invoked_arn: String,
    client_context: Option<String>,
    invocations: u32,
    handed_on: u32,
    /// Epoch milliseconds.
    accepted: i64,
}

impl Functions {
    /// Keeps an event as it is now.
    pub(super) fn keep_event(&self, event: &Event) {
        if !self.store().keeps() {
            return;
        }
        let stored = StoredEvent {
            function: event.function.qualified(),
            payload: String::from_utf8_lossy(&event.call.payload).into_owned(),
            invoked_arn: event.call.invoked_arn.clone(),
            client_context: event.call.client_context.clone(),
            invocations: event.invocations,
            handed_on: event.handed_on,
            accepted: Timestamp::now().as_millisecond() - i64::try_from(event.age().as_millis()).unwrap_or_default(),
        };
        let mut batch = self.store().batch();
        batch.put_json(Keyspace::Events, &event.request_id, &stored);
        batch.commit();
    }

    pub(super) fn forget_event(&self, event: &Event) {
        let mut batch = self.store().batch();
        batch.remove(Keyspace::Events, &event.request_id);
        batch.commit();
    }

    /// Goes on with the events that were under way.
    pub fn restore_events(&self) -> Result<(), StoreError> {
        for (request_id, stored) in self.store().all::<StoredEvent>(Keyspace::Events)? {
            let Ok(function) = Reference::read(&stored.function, None, self.config()) else { continue };
            let call = Call {
                payload: stored.payload.into(),
                invoked_arn: stored.invoked_arn,
                client_context: stored.client_context,
            };
            let age = Timestamp::now().as_millisecond() - stored.accepted;
            let mut event = Event::new(function, call, String::from_utf8_lossy(&request_id).into_owned());
            event.age_before = Duration::from_millis(u64::try_from(age).unwrap_or_default());
            event.invocations = stored.invocations;
            event.handed_on = stored.handed_on;
            self.accept_event(event);
        }
        Ok(())
    }
}
