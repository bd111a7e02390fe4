//! Accepted events in the store, so that a restart loses none.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::Event;
use crate::lambda::context::Context;
use crate::lambda::execution::Call;
use crate::lambda::names::Reference;
use crate::store::{Keyspace, StoreError};

#[derive(Serialize, Deserialize)]
struct StoredEvent {
    function: String,
    /// The caller's JSON.
    payload: String,
    invoked_arn: String,
    client_context: Option<String>,
    invocations: u32,
    /// The length of the chain of functions.
    handed_on: u32,
    /// The time of acceptance in epoch milliseconds.
    accepted: i64,
}

/// Stores the event's present state.
pub(super) fn store(context: &Context, event: &Event) {
    if !context.store.is_persistent() {
        return;
    }
    let stored = StoredEvent {
        function: event.function.qualified(),
        payload: String::from_utf8_lossy(&event.call.payload).into_owned(),
        invoked_arn: event.call.invoked_arn.clone(),
        client_context: event.call.client_context.clone(),
        invocations: event.invocations,
        handed_on: event.chain_length,
        accepted: Timestamp::now().as_millisecond() - i64::try_from(event.age().as_millis()).unwrap_or_default(),
    };
    let mut batch = context.store.batch();
    batch.put_json(Keyspace::Events, &event.request_id, &stored);
    batch.commit();
}

pub(super) fn delete(context: &Context, event: &Event) {
    let mut batch = context.store.batch();
    batch.remove(Keyspace::Events, &event.request_id);
    batch.commit();
}

/// The stored events.
///
/// # Errors
/// The store cannot be read.
pub(super) fn all(context: &Context) -> Result<Vec<Event>, StoreError> {
    let stored = context.store.all::<StoredEvent>(Keyspace::Events)?;
    Ok(stored.into_iter().filter_map(|(request_id, stored)| restored(context, &request_id, stored)).collect())
}

fn restored(context: &Context, request_id: &[u8], stored: StoredEvent) -> Option<Event> {
    let function = Reference::read(&stored.function, None, &context.config).ok()?;
    let call =
        Call { payload: stored.payload.into(), invoked_arn: stored.invoked_arn, client_context: stored.client_context };
    let age = Timestamp::now().as_millisecond() - stored.accepted;
    let mut event = Event::new(function, call, String::from_utf8_lossy(request_id).into_owned());
    event.age_before = Duration::from_millis(u64::try_from(age).unwrap_or_default());
    event.invocations = stored.invocations;
    event.chain_length = stored.handed_on;
    Some(event)
}
