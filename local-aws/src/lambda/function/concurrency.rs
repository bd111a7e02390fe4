//! Reserved concurrency: a limit for the invocations of a function that run at once.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::AwsError;

/// The code of a throttled invocation's error.
pub const THROTTLED: &str = "TooManyRequestsException";

/// The number of a function's running invocations, and its limit. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Concurrency(Arc<Mutex<Usage>>);

#[derive(Debug, Default)]
struct Usage {
    reserved: Option<u32>,
    running: u32,
}

/// Admits one invocation, which ends when this is dropped.
#[derive(Debug)]
pub struct Permit(Concurrency);

impl Concurrency {
    pub fn reserved(&self) -> Option<u32> {
        self.usage().reserved
    }

    /// Sets the limit; `None` removes it.
    pub fn reserve(&self, reserved: Option<u32>) {
        self.usage().reserved = reserved;
    }

    /// Admits an invocation.
    ///
    /// # Errors
    /// `TooManyRequestsException` at the limit.
    pub fn enter(&self) -> Result<Permit, AwsError> {
        let mut usage = self.usage();
        if usage.reserved.is_some_and(|reserved| usage.running >= reserved) {
            return Err(AwsError::new(429, THROTTLED, "Rate Exceeded."));
        }
        usage.running += 1;
        Ok(Permit(self.clone()))
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.usage().running -= 1;
    }
}

/// Whether an invocation was throttled by its function's reserved concurrency.
pub fn is_throttled(error: &AwsError) -> bool {
    error.code == THROTTLED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_invocations_run_at_once_than_are_reserved() {
        let concurrency = Concurrency::default();
        let many: Vec<Permit> = (0..100).map(|_| concurrency.enter().unwrap()).collect();
        concurrency.reserve(Some(1));
        assert!(is_throttled(&concurrency.enter().unwrap_err()));
        drop(many);
        let one = concurrency.enter().unwrap();
        assert_eq!(concurrency.enter().unwrap_err().status, 429);
        drop(one);
        assert!(concurrency.enter().is_ok());
        concurrency.reserve(Some(0));
        assert!(concurrency.enter().is_err());
    }
}
