//! The event's bytes as they came.
//!
//! `lambda_runtime` gives a handler what it made of the event: it checks it and copies it, which for a batch of
//! megabytes costs more than to write its lines. So the body is put aside before and fetched by the handler.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use lambda_runtime::LambdaInvocation;

/// What `lambda_runtime` reads instead: the payload is `()`.
const NOTHING: &[u8] = b"null";

/// The bodies of invocations that were not fetched yet, by request id.
#[derive(Debug, Clone, Default)]
pub struct Bodies(Arc<Mutex<Vec<(String, Bytes)>>>);

impl Bodies {
    /// Puts the invocation's body aside.
    pub fn keep(&self, mut invocation: LambdaInvocation) -> LambdaInvocation {
        let body = std::mem::replace(&mut invocation.body, Bytes::from_static(NOTHING));
        self.kept().push((invocation.context.request_id.clone(), body));
        invocation
    }

    /// The body that was put aside; nothing if there is none.
    pub fn fetch(&self, request_id: &str) -> Bytes {
        let mut kept = self.kept();
        let place = kept.iter().position(|(id, _)| id == request_id);
        place.map(|place| kept.swap_remove(place).1).unwrap_or_default()
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(String, Bytes)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
