//! Polls until a condition holds: at once, then at growing intervals, until a deadline.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Result};
use crate::retry::Retry;

/// The result of one poll.
pub enum Poll<T> {
    Ready(T),
    /// Not ready, with the state that the service reports, which is shown if the deadline passes.
    Pending(String),
}

/// The first pause between two polls. Each pause is 1.5 times as long as the one before, up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(4);
const LONGEST: Duration = Duration::from_secs(2);

/// Polls until the result is ready or `deadline` has passed, which also ends the retries of a poll. `what` completes the
/// sentence "waited 60 s for …".
pub async fn until<T>(
    retry: &Retry,
    what: &str,
    deadline: Duration,
    mut poll: impl AsyncFnMut() -> Result<Poll<T>>,
) -> Result<T> {
    let ends = Instant::now() + deadline;
    let mut pause = SHORTEST;
    let mut last_seen = None;
    loop {
        match timeout_at(ends, poll()).await {
            Ok(Ok(Poll::Ready(value))) => return Ok(value),
            Ok(Ok(Poll::Pending(state))) => last_seen = Some(state),
            Ok(Err(error)) => return Err(error),
            Err(_) => break,
        }
        if Instant::now() + pause > ends {
            break;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST);
    }
    Err(too_long(what, deadline, last_seen.as_deref(), retry.trouble()))
}

fn too_long(what: &str, deadline: Duration, last_seen: Option<&str>, trouble: Option<String>) -> Error {
    let seen = match last_seen {
        Some("") => "its state was empty".to_owned(),
        Some(state) => format!("it is still {state}"),
        None => "there was no answer".to_owned(),
    };
    let trouble = trouble.map(|trouble| format!("; {trouble}")).unwrap_or_default();
    Error::failed(format!("waited {} s for {what}; {seen}{trouble}", deadline.as_secs()))
        .hint("run the same command again to continue waiting")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_ends_the_wait_and_the_error_names_the_last_state() {
        let poll = async || Ok(Poll::Pending("CREATING".into()));
        let error = until::<()>(&Retry::default(), "the stream", Duration::from_secs(60), poll).await.unwrap_err();
        assert_eq!(error.message, "waited 60 s for the stream; it is still CREATING");
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_without_an_answer_ends_at_the_deadline() {
        let begun = Instant::now();
        let mut polls = 0;
        let poll = async || {
            polls += 1;
            if polls == 1 { Ok(Poll::Pending(String::new())) } else { std::future::pending().await }
        };
        let error = until::<()>(&Retry::default(), "the stream", Duration::from_secs(60), poll).await.unwrap_err();
        assert_eq!(error.message, "waited 60 s for the stream; its state was empty");
        assert_eq!(begun.elapsed(), Duration::from_secs(60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_result_that_is_ready_at_once_is_returned_at_once() {
        let begun = Instant::now();
        until(&Retry::default(), "it", Duration::ZERO, async || Ok(Poll::Ready(()))).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn the_message_names_the_last_state(state in prop::option::of("[A-Za-z]{0,12}"), trouble: Option<String>) {
            let error = too_long("the stream", Duration::from_secs(300), state.as_deref(), trouble.clone());
            let expected = match state.as_deref() {
                None => "there was no answer",
                Some("") => "its state was empty",
                Some(state) => state,
            };
            prop_assert!(error.message.contains(expected), "{}", error.message);
            prop_assert!(error.message.ends_with(trouble.as_deref().unwrap_or(expected)), "{}", error.message);
        }
    }
}
