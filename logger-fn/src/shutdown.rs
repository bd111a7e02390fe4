//! An orderly end: SIGTERM lets what is under way come to its end.
//!
//! Lambda sends SIGTERM before SIGKILL to functions with an extension, and container hosts do so as a rule. This function
//! registers no extension for it (`lambda_runtime`'s `graceful-shutdown` does, at the price of a request at every cold
//! start): between invocations nothing is held back, so that an end without a signal loses nothing either.
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown>

use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Lambda kills 500 ms after SIGTERM where only internal extensions are registered, 2 s otherwise.
const PATIENCE: Duration = Duration::from_millis(400);

/// Counts invocations from their event to their answer.
#[derive(Debug, Clone, Default)]
pub struct InFlight(watch::Sender<usize>);

/// One invocation under way, until it is dropped.
pub struct Invocation(watch::Sender<usize>);

impl InFlight {
    pub fn begin(&self) -> Invocation {
        self.0.send_modify(|count| *count += 1);
        Invocation(self.0.clone())
    }

    async fn none_left(&self) {
        // It fails only when no sender is left, and this is one.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Invocation {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Runs until `work` ends, or until SIGTERM and then until nothing is in flight, but not for long.
///
/// # Errors
/// Those of `work`, and when the signal cannot be listened to.
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
        () = tokio::time::sleep(PATIENCE) => Ok(()),
    }
}
