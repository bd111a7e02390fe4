//! One retry rule for every call to a service: which errors are transient (`class`), when a call is repeated
//! (`attempts`, pure) and when a person hears of it (`outages`, pure). This file adds the clock and the sleeping.
//!
//! The SDK's own retries are disabled (see `aws`): together with ours they would multiply the requests that a
//! throttled service receives, and delay the notice until they are exhausted.

mod attempts;
mod class;
mod outages;

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use tokio::time::Instant;

use attempts::{Attempts, Next};
use class::Class;
use outages::{Notice, Outages};

use crate::error::cause;
use crate::progress::note;

/// How long a call is repeated unless its command says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// The retry rule of one connection. Clones share what is announced.
#[derive(Clone)]
pub struct Retry {
    shared: Arc<Shared>,
    /// How long a call is repeated; `None` repeats it until the caller stops waiting.
    patience: Option<Duration>,
}

struct Shared {
    started: Instant,
    outages: Mutex<Outages>,
}

impl Default for Retry {
    fn default() -> Self {
        let shared = Shared { started: Instant::now(), outages: Mutex::default() };
        Self { shared: Arc::new(shared), patience: Some(PATIENCE) }
    }
}

impl Retry {
    /// The same rule with another patience.
    pub fn with_patience(&self, patience: Option<Duration>) -> Self {
        Self { shared: Arc::clone(&self.shared), patience }
    }

    /// Repeats a call until it succeeds, fails permanently, or the patience ends; then returns its last error. `doing`
    /// completes the sentence "could not …".
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
            if class == Class::Permanent {
                self.answered(&doing);
                return Err(error);
            }
            match attempts.failed(class, self.now(), self.patience, fastrand::f64()) {
                Next::GiveUp => return Err(error),
                Next::RetryAfter(pause) => {
                    self.failed(&doing, cause(&error));
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// The call that keeps failing, and why; `None` while everything is answered.
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

    fn announce(&self, notice: Option<Notice>) {
        match notice {
            Some(Notice::Began { doing, cause }) => match self.patience {
                Some(patience) => {
                    note(&format!("could not {doing}: {cause}; retrying for up to {} s", patience.as_secs()));
                }
                None => note(&format!("could not {doing}: {cause}; retrying until it works")),
            },
            Some(Notice::Ended { doing, lasted }) => {
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
