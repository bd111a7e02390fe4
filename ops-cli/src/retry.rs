//! Retries every call to a service by one rule: which errors are transient (`class`), when a call is retried (`attempts`, pure),
//! and when the user is notified (`outages`, pure). This file adds the clock and the pauses.
//!
//! The SDK's own retries are disabled (see `aws`). Both together would multiply the requests to a service that throttles, and
//! delay the notice.

mod attempts;
mod class;
mod outages;

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use tokio::time::Instant;

use attempts::{Attempts, RetryDecision};
use class::ErrorClass;
use outages::{OutageNotice, Outages};

use crate::error::cause;
use crate::progress::note;

/// How long a call is retried, unless its command sets another limit.
const DEADLINE: Duration = Duration::from_secs(30);

/// How long `tail` and `consume` retry a read if they do not follow.
pub const READ_DEADLINE: Duration = Duration::from_secs(60);

/// The retry rule of one connection. Clones share the outages, so that each is announced once.
#[derive(Clone)]
pub struct Retry {
    shared: Arc<Shared>,
    /// How long a call is retried; `None` means until the caller stops waiting.
    deadline: Option<Duration>,
}

struct Shared {
    started: Instant,
    outages: Mutex<Outages>,
}

impl Default for Retry {
    fn default() -> Self {
        let shared = Shared { started: Instant::now(), outages: Mutex::default() };
        Self { shared: Arc::new(shared), deadline: Some(DEADLINE) }
    }
}

impl Retry {
    /// The same rule with another time limit.
    pub fn with_retry_deadline(&self, deadline: Option<Duration>) -> Self {
        Self { shared: Arc::clone(&self.shared), deadline }
    }

    /// Retries a call until it succeeds, fails permanently, or the deadline passes; then returns its last error. `doing` completes
    /// the sentence "could not …".
    pub async fn call<T, E, F>(&self, doing: impl Display, mut send: impl FnMut() -> F) -> Result<T, SdkError<E>>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let doing = doing.to_string();
        let mut attempts = Attempts::begin(self.now());
        loop {
            let error = match send().await {
                Ok(answer) => {
                    self.answered(&doing);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let class = class::classify(&error, jiff::Timestamp::now());
            if class == ErrorClass::Permanent {
                self.answered(&doing);
                return Err(error);
            }
            match attempts.failed(class, self.now(), self.deadline, fastrand::f64()) {
                RetryDecision::GiveUp => return Err(error),
                RetryDecision::RetryAfter(pause) => {
                    self.failed(&doing, cause(&error));
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// A call that is failing, and the cause; `None` if none is.
    pub fn trouble(&self) -> Option<String> {
        self.outages().trouble()
    }

    fn failed(&self, doing: &str, cause: String) {
        let now = self.now();
        let notice = self.outages().failed(doing, cause, now);
        self.announce(notice);
    }

    fn answered(&self, doing: &str) {
        let now = self.now();
        let notice = self.outages().answered(doing, now);
        self.announce(notice);
    }

    fn announce(&self, notice: Option<OutageNotice>) {
        match notice {
            Some(OutageNotice::Began { doing, cause }) => match self.deadline {
                Some(deadline) => {
                    note(&format!("could not {doing}: {cause}; retrying for up to {} s", deadline.as_secs()));
                }
                None => note(&format!("could not {doing}: {cause}; retrying until it succeeds")),
            },
            Some(OutageNotice::Ended { doing, lasted }) => {
                note(&format!("could {doing} again after {:.1} s", lasted.as_secs_f64()));
            }
            None => {}
        }
    }

    fn now(&self) -> Duration {
        self.shared.started.elapsed()
    }

    fn outages(&self) -> MutexGuard<'_, Outages> {
        self.shared.outages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
