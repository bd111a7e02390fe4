//! Signals that interrupt a command.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves on Ctrl-C (SIGINT), on SIGTERM, and when the terminal is closed (SIGHUP).
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
