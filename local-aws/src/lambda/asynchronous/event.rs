//! An asynchronous invocation on its way.

use std::time::Duration;

use tokio::time::Instant;

use crate::lambda::execution::Call;
use crate::lambda::names::Reference;

/// An accepted asynchronous invocation.
pub struct Event {
    pub function: Reference,
    pub call: Call,
    pub request_id: String,
    pub invocations: u32,
    /// The number of functions that passed the event on before.
    pub chain_length: u32,
    /// The event's age when this endpoint started with it.
    pub age_before: Duration,
    pub started: Instant,
    /// The wait after the last throttled attempt.
    pub throttled_wait: Option<Duration>,
}

impl Event {
    pub fn new(function: Reference, call: Call, request_id: String) -> Self {
        Self {
            function,
            call,
            request_id,
            invocations: 0,
            chain_length: 0,
            age_before: Duration::ZERO,
            started: Instant::now(),
            throttled_wait: None,
        }
    }

    /// The time since the acceptance.
    pub fn age(&self) -> Duration {
        self.age_before + self.started.elapsed()
    }
}
