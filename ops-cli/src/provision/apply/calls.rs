//! Calls that change something: they are repeated while the role is not yet usable or another change is in progress.

use std::time::{Duration, Instant};

use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};

use super::Applier;
use crate::error::{Error, Result};
use crate::progress::ProgressStep;
use crate::wait::{self, Poll};

/// The time limit for a new role to become usable, which takes seconds. A role that is wrong permanently fails then.
const ROLE_DEADLINE: Duration = Duration::from_secs(60);

/// Why a call has to be repeated, or need not be.
#[derive(Debug, PartialEq)]
enum Rejection {
    /// IAM is eventually consistent: for some seconds Lambda may not see a new role or its policy.
    RoleNotUsable,
    /// Another change of the same part is in progress.
    Busy,
    /// The part exists: an earlier attempt or another process created it.
    Exists,
    Other,
}

impl Applier<'_> {
    /// Sends a request that creates or changes a part. Returns `None` if the part exists already.
    pub(super) async fn change<T, E, F>(
        &self,
        doing: &str,
        progress: &ProgressStep,
        mut send: impl FnMut() -> F,
    ) -> Result<Option<T>>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut role_wait = None;
        self.wait_until(&format!("the call to {doing} to be accepted"), progress, async || {
            let mut attempts = 0;
            let attempt = || {
                attempts += 1;
                send()
            };
            let error = match self.aws.retry.call(doing, attempt).await {
                Ok(answer) => return Ok(Poll::Ready(Some(answer))),
                Err(error) => error,
            };
            let state = format!("rejected: {}", error.message().unwrap_or_default());
            match rejection(error.code(), error.message()) {
                Rejection::RoleNotUsable if role_wait.get_or_insert_with(Instant::now).elapsed() < ROLE_DEADLINE => {
                    Ok(Poll::Pending(state))
                }
                // The change in progress is an earlier attempt, whose answer was lost.
                Rejection::Busy if attempts > 1 => Ok(Poll::Ready(None)),
                Rejection::Busy => Ok(Poll::Pending(state)),
                Rejection::Exists => Ok(Poll::Ready(None)),
                Rejection::RoleNotUsable | Rejection::Other => Err(Error::aws(doing, error)),
            }
        })
        .await
    }

    /// Polls until a condition holds, and shows the state while it waits.
    pub(super) async fn wait_until<T>(
        &self,
        what: &str,
        progress: &ProgressStep,
        mut poll: impl AsyncFnMut() -> Result<Poll<T>>,
    ) -> Result<T> {
        wait::until(&self.aws.retry, what, self.deadline, async || {
            let result = poll().await;
            if let Ok(Poll::Pending(state)) = &result {
                progress.wait_in(state);
            }
            result
        })
        .await
    }
}

fn rejection(code: Option<&str>, message: Option<&str>) -> Rejection {
    const ROLE: [&str; 3] =
        ["cannot be assumed by Lambda", "execution role does not have permissions", "ensure the role can perform"];
    let (code, message) = (code.unwrap_or_default(), message.unwrap_or_default());
    match code {
        _ if ROLE.iter().any(|wording| message.contains(wording)) => Rejection::RoleNotUsable,
        "ResourceAlreadyExistsException" | "EntityAlreadyExists" => Rejection::Exists,
        // Lambda and Kinesis have one code for a name that exists and for a change in progress.
        "ResourceConflictException" | "ResourceInUseException" if message.contains("already exist") => {
            Rejection::Exists
        }
        "ResourceConflictException" | "ResourceInUseException" => Rejection::Busy,
        _ => Rejection::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_messages_of_lambda_mean_that_the_role_is_not_usable_yet() {
        let rejection = |message| rejection(Some("InvalidParameterValueException"), Some(message));
        for message in [
            "The role defined for the function cannot be assumed by Lambda.",
            "The provided execution role does not have permissions to call GetRecords on KINESIS",
            "Please ensure the role can perform the GetRecords action",
        ] {
            assert_eq!(rejection(message), Rejection::RoleNotUsable);
        }
        assert_eq!(rejection("Role arn:aws:iam::1:role/x not found"), Rejection::Other);
    }

    #[test]
    fn a_change_in_progress_is_not_a_name_that_exists() {
        let conflict = |message| rejection(Some("ResourceConflictException"), Some(message));
        assert_eq!(conflict("Function already exist: f"), Rejection::Exists);
        assert_eq!(
            conflict("The operation cannot be performed at this time. An update is in progress for resource: f"),
            Rejection::Busy
        );
        assert_eq!(
            rejection(Some("ResourceInUseException"), Some("Stream s under account 1 already exists.")),
            Rejection::Exists
        );
        assert_eq!(
            rejection(Some("ResourceInUseException"), Some("Stream s not ACTIVE, instead in state UPDATING")),
            Rejection::Busy
        );
        assert_eq!(rejection(None, None), Rejection::Other);
    }
}
