//! Reserved concurrency: how many invocations of a function may run at once, and what comes over it.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderValue, Response};
use serde::Deserialize;
use serde_json::json;

use super::functions::Functions;
use super::names::{LATEST, Reference};
use super::persist::Changed;
use super::validation::{Constraints, invalid_parameter};
use super::wire;
use crate::error::AwsError;

/// Of an account, by default: the concurrency of all functions, and what must be left to those that reserve none.
pub const ACCOUNT_CONCURRENCY: u32 = 1000;
const MIN_UNRESERVED: u32 = 100;

const THROTTLED: &str = "TooManyRequestsException";

/// A function's invocations under way, and how many there may be; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Concurrency(Arc<Mutex<Usage>>);

#[derive(Debug, Default)]
struct Usage {
    reserved: Option<u32>,
    running: u32,
}

/// One invocation that may run; it is over when this is dropped.
#[derive(Debug)]
pub struct Permit(Concurrency);

impl Concurrency {
    pub fn reserved(&self) -> Option<u32> {
        self.usage().reserved
    }

    /// None: as many as the endpoint runs.
    pub fn reserve(&self, reserved: Option<u32>) {
        self.usage().reserved = reserved;
    }

    /// # Errors
    /// `TooManyRequestsException`: as many run as may.
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

/// Whether an invocation was refused for its function's reserved concurrency.
pub fn is_throttled(error: &AwsError) -> bool {
    error.code == THROTTLED
}

/// The refusal, with the member that only this error has.
pub fn throttled(error: &AwsError) -> Response<Bytes> {
    let body = json!({
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", "message": error.message,
    });
    let mut response = wire::json(error.status, &body);
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(THROTTLED));
    response
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    reserved_concurrent_executions: Option<i64>,
}

impl Functions {
    pub fn put_concurrency(&self, resource: &str, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let input: Put = wire::read(body)?;
        let mut reference = Reference::read(resource, None, self.config())?;
        if reference.qualifier.is_some() {
            return Err(invalid_parameter(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
                 Please specify either a function name or an unqualified function ARN.",
            ));
        }
        // Recorded: who is not found is named with its version, and before the number is looked at.
        reference.qualifier = Some(LATEST.to_owned());
        let of_function = self.with(&reference, |function| function.concurrency.clone())?;
        let mut constraints = Constraints::default();
        let member = "reservedConcurrentExecutions";
        let wanted = input.reserved_concurrent_executions;
        constraints.require(wanted.is_some(), "null", member, "Member must not be null");
        constraints.range(wanted, member, 0, i64::from(u32::MAX));
        constraints.finish()?;
        let reserved = wanted.and_then(|wanted| u32::try_from(wanted).ok()).unwrap_or_default();
        let others = self.reserved_by_all().saturating_sub(of_function.reserved().unwrap_or_default());
        if others.saturating_add(reserved) > ACCOUNT_CONCURRENCY - MIN_UNRESERVED {
            return Err(invalid_parameter(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
                 below its minimum value of [{MIN_UNRESERVED}]."
            )));
        }
        self.reserve(&reference, Some(reserved))?;
        Ok(wire::json(200, &json!({ "ReservedConcurrentExecutions": reserved })))
    }

    pub fn get_concurrency(&self, resource: &str) -> Result<Response<Bytes>, AwsError> {
        let reference = Reference::read(resource, None, self.config())?;
        let answer = match self.with(&reference, |function| function.concurrency.reserved())? {
            Some(reserved) => json!({ "ReservedConcurrentExecutions": reserved }),
            None => json!({}),
        };
        Ok(wire::json(200, &answer))
    }

    pub fn delete_concurrency(&self, resource: &str) -> Result<Response<Bytes>, AwsError> {
        let reference = Reference::read(resource, None, self.config())?;
        self.reserve(&reference, None)?;
        Ok(wire::empty(204))
    }

    fn reserve(&self, reference: &Reference, reserved: Option<u32>) -> Result<(), AwsError> {
        self.with(reference, |function| {
            function.concurrency.reserve(reserved);
            self.keep(function, Changed::Configuration);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_run_at_once_than_are_reserved() {
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
