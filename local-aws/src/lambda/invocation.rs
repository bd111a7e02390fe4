//! Runs a function once.

use tokio::time::Instant;

use super::context::Context;
use super::errors::service_failure;
use super::execution::{Call, Invoked};
use super::function::{Alias, Concurrency, Program};
use super::hot_reload;
use super::local_source::LocalSource;
use super::names::Reference;
use crate::error::AwsError;

/// The version that one invocation runs.
pub struct Target {
    /// The execution role's ARN.
    pub role: String,
    program: Program,
    concurrency: Concurrency,
}

/// Chooses the version that an invocation of `reference` runs, and waits until it can be invoked. Changed local code is
/// reloaded before.
///
/// # Errors
/// `ResourceNotFoundException`; the stored code cannot be run.
pub async fn resolve(context: &Context, reference: &Reference) -> Result<Target, AwsError> {
    let mut found = find(context, reference)?;
    if let Some(local) = found.source_to_check.take() {
        hot_reload::reload(context, &found.key, local).await;
        found = find(context, reference)?;
    }
    if let Some(at) = found.invocable_at {
        // On AWS a function in the state Pending rejects the invocation. Here that state lasts milliseconds.
        tokio::time::sleep_until(at).await;
    }
    Ok(found.target)
}

impl Target {
    /// Runs the function. The invocation continues when the caller no longer waits for it.
    ///
    /// # Errors
    /// `TooManyRequestsException` above the reserved concurrency.
    pub async fn invoke(self, call: Call, request_id: String) -> Result<Invoked, AwsError> {
        let permit = self.concurrency.enter()?;
        let invocation = tokio::spawn(async move {
            let invoked = self.program.pool.invoke(&call, &request_id).await;
            drop(permit);
            invoked
        });
        invocation.await.map_err(|error| service_failure("run the function", &error))
    }
}

struct Found {
    key: String,
    target: Target,
    invocable_at: Option<Instant>,
    /// Local code whose files may have changed.
    source_to_check: Option<LocalSource>,
}

fn find(context: &Context, reference: &Reference) -> Result<Found, AwsError> {
    context.with_chosen(reference, choose_version, |function| {
        let program = function.program()?.clone();
        let target =
            Target { role: function.settings.role.clone(), program, concurrency: function.concurrency.clone() };
        let is_due = |local: &&LocalSource| local.next_check <= std::time::Instant::now();
        Ok(Found {
            key: function.key(),
            target,
            invocable_at: function.invocable_at().map(Instant::from_std),
            source_to_check: function.local.as_ref().filter(is_due).cloned(),
        })
    })?
}

/// Chooses one of an alias's versions by their weights.
fn choose_version(alias: &Alias) -> &str {
    let [.., a, b, c, d] = *uuid::Uuid::new_v4().as_bytes();
    alias.choose(f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0))
}
