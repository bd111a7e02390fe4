//! Waiting until something is so: asked at once, then at growing intervals, until a deadline.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Result};

/// What one look found.
pub enum Look<T> {
    Ready(T),
    /// Not yet, and what it is now: shown if the deadline passes.
    Pending(String),
}

/// The first pause between two looks; each next one is half as long again, up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(4);
const LONGEST: Duration = Duration::from_secs(2);

/// Looks until it is ready or `deadline` has passed. `what` completes the sentence "waited 60 s for …".
pub async fn until<T>(what: &str, deadline: Duration, mut look: impl AsyncFnMut() -> Result<Look<T>>) -> Result<T> {
    let begun = Instant::now();
    let mut pause = SHORTEST;
    loop {
        let now = match look().await? {
            Look::Ready(value) => return Ok(value),
            Look::Pending(now) => now,
        };
        if begun.elapsed() + pause > deadline {
            return Err(Error::failed(format!("waited {} s for {what}; it is still {now}", deadline.as_secs()))
                .hint("run the same command again to go on waiting"));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_ends_the_wait_and_tells_the_last_state() {
        let error = until::<()>("the stream", Duration::from_secs(60), async || Ok(Look::Pending("CREATING".into())))
            .await
            .unwrap_err();
        assert_eq!(error.message, "waited 60 s for the stream; it is still CREATING");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_ready_at_once_is_not_waited_for() {
        let begun = Instant::now();
        until("it", Duration::ZERO, async || Ok(Look::Ready(()))).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
