//! The signals that end a command.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves on Ctrl-C, on SIGTERM, and when the terminal is closed.
pub async fn interrupted() {
    tokio::select! {
        () = received(SignalKind::interrupt()) => {}
        () = received(SignalKind::terminate()) => {}
        () = received(SignalKind::hangup()) => {}
    }
}

async fn received(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}
