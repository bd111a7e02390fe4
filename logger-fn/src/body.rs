//! Passes the raw bytes of the event to the handler.
//!
//! `lambda_runtime` validates and copies the event for a handler. For a batch of megabytes, that takes longer than writing
//! its lines. So the body is stored before, and the handler takes it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use lambda_runtime::LambdaInvocation;

/// The body that `lambda_runtime` reads instead, for the payload type `()`.
const EMPTY_BODY: &[u8] = b"null";

/// The bodies that no handler has taken yet, by request id.
#[derive(Debug, Clone, Default)]
pub struct Bodies(Arc<Mutex<Vec<(String, Bytes)>>>);

impl Bodies {
    /// Stores the invocation's body and replaces it.
    pub fn store(&self, mut invocation: LambdaInvocation) -> LambdaInvocation {
        let body = std::mem::replace(&mut invocation.body, Bytes::from_static(EMPTY_BODY));
        self.lock().push((invocation.context.request_id.clone(), body));
        invocation
    }

    /// Returns the stored body, or an empty one if there is none.
    pub fn take(&self, request_id: &str) -> Bytes {
        let mut bodies = self.lock();
        let index = bodies.iter().position(|(id, _)| id == request_id);
        index.map(|index| bodies.swap_remove(index).1).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Bytes)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
