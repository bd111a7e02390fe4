//! Graceful shutdown: after SIGTERM, invocations in progress are finished.
//!
//! Lambda sends SIGTERM before SIGKILL to functions with an extension, and container hosts usually do so, too. This function
//! does not register an extension (`lambda_runtime`'s `graceful-shutdown` does, with one more request at every cold start):
//! it buffers nothing between invocations, so that a shutdown without a signal loses nothing.
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown>

use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The time limit for invocations in progress. Lambda kills the process 500 ms after SIGTERM if only internal extensions are
/// registered, and after 2 s otherwise.
const GRACE_PERIOD: Duration = Duration::from_millis(400);

/// The number of invocations in progress.
#[derive(Debug, Clone, Default)]
pub struct InFlight(watch::Sender<usize>);

/// An invocation in progress, until it is dropped.
pub struct Invocation(watch::Sender<usize>);

impl InFlight {
    pub fn begin(&self) -> Invocation {
        self.0.send_modify(|count| *count += 1);
        Invocation(self.0.clone())
    }

    async fn none_left(&self) {
        // This fails only without a sender, and `self` is one.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Invocation {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Runs until `work` ends, or after SIGTERM until no invocation is in progress, at most for the grace period.
///
/// # Errors
/// Returns the error of `work`, or an error if the signal handler cannot be installed.
pub async fn run_until_terminated<E: From<io::Error>>(
    work: impl Future<Output = Result<(), E>>,
    in_flight: InFlight,
) -> Result<(), E> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut work: Pin<&mut _> = std::pin::pin!(work);
    tokio::select! {
        ended = &mut work => return ended,
        _ = terminate.recv() => {}
    }
    tokio::select! {
        ended = work => ended,
        () = in_flight.none_left() => Ok(()),
        () = tokio::time::sleep(GRACE_PERIOD) => Ok(()),
    }
}
