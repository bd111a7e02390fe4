//! The connection of a run that may outlive its credentials: once they have expired, the run names the command that renews them,
//! and resumes when they are back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_types::os_shim_internal::{Env, Fs};

use crate::aws::Aws;
use crate::error::{Error, ErrorKind, Result};
use crate::global::Global;
use crate::progress::note;

/// How often renewed credentials are looked for.
const RENEWED_EVERY: Duration = Duration::from_secs(2);

/// A connection whose credentials can be replaced. Clones share it.
#[derive(Clone)]
pub struct Connection(Arc<Shared>);

struct Shared {
    global: Global,
    /// Whether the run waits for new credentials. Otherwise their expiry ends it.
    waits: bool,
    current: Mutex<Current>,
    /// Held by the task that looks for new credentials.
    renewing: tokio::sync::Mutex<()>,
}

struct Current {
    lease: Lease,
    /// Whether the service refused the credentials as expired, and that was announced.
    is_expired: bool,
}

/// The clients of a connection until its credentials expire.
#[derive(Clone)]
pub struct Lease {
    pub aws: Aws,
    /// The number of reconnections before.
    generation: u64,
}

impl Connection {
    pub fn new(aws: Aws, global: &Global, waits: bool) -> Self {
        let current = Mutex::new(Current { lease: Lease { aws, generation: 0 }, is_expired: false });
        Self(Arc::new(Shared { global: global.clone(), waits, current, renewing: tokio::sync::Mutex::default() }))
    }

    /// The clients with the newest credentials.
    pub fn lease(&self) -> Lease {
        self.current().lease.clone()
    }

    pub fn aws(&self) -> Aws {
        self.lease().aws
    }

    /// Does some work, and begins it again after each renewal of the credentials that it needs. The work notes how far it has come.
    pub async fn run<T>(&self, mut work: impl AsyncFnMut(Aws) -> Result<T>) -> Result<T> {
        loop {
            let lease = self.lease();
            match work(lease.aws.clone()).await {
                Err(error) if error.kind == ErrorKind::Expired => self.renew(error, &lease).await?,
                outcome => return outcome,
            }
        }
    }

    /// Notes that the service answered.
    pub fn answered(&self) {
        if std::mem::take(&mut self.current().is_expired) {
            note("the credentials are valid again; resuming");
        }
    }

    /// Announces once that the credentials of a lease have expired, and looks for new ones.
    ///
    /// # Errors
    /// The run does not wait for new ones: `error`, with the command that renews them.
    pub async fn renew(&self, error: Error, lease: &Lease) -> Result<()> {
        let Shared { global, waits, renewing, .. } = &*self.0;
        let advice = advice(global).await;
        if !waits {
            return Err(error.hint(advice));
        }
        if !std::mem::replace(&mut self.current().is_expired, true) {
            note(&format!("{}; {advice}; waiting for new ones (Ctrl-C stops)", error.message));
        }
        let _renewing = renewing.lock().await;
        if self.current().lease.generation > lease.generation {
            return Ok(());
        }
        tokio::time::sleep(RENEWED_EVERY).await;
        // Until a profile can be read again, the old credentials are as good as none.
        let renewed = Aws::connect(global).await;
        let mut current = self.current();
        current.lease.generation += 1;
        if let Ok(mut renewed) = renewed {
            renewed.retry = lease.aws.retry.clone();
            current.lease.aws = renewed;
        }
        Ok(())
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names the command that renews the credentials of this configuration.
async fn advice(global: &Global) -> String {
    let name = global.profile.clone().or_else(|| std::env::var("AWS_PROFILE").ok()).filter(|name| !name.is_empty());
    let is_in_environment = std::env::var_os("AWS_ACCESS_KEY_ID").is_some();
    if global.profile.is_none() && is_in_environment {
        return "AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN of this shell have expired, and only a new shell can change them: \
                export new ones, or use --profile, and run the command again"
            .to_owned();
    }
    let name = name.unwrap_or_else(|| "default".to_owned());
    let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), &Default::default(), None).await;
    let profile = profiles.as_ref().ok().and_then(|profiles| profiles.get_profile(&name));
    let has = |key: &str| profile.is_some_and(|profile| profile.get(key).is_some());
    for_profile(&name, has)
}

fn for_profile(name: &str, has: impl Fn(&str) -> bool) -> String {
    if has("sso_session") || has("sso_start_url") {
        format!("renew them with: aws sso login --profile {name}")
    } else if has("login_session") {
        format!("renew them with: aws login --profile {name}")
    } else if has("credential_process") {
        format!("run the credential_process of the profile {name}, and sign in where it asks you to")
    } else {
        format!("renew the keys of the profile {name}: aws configure --profile {name}")
    }
}

#[cfg(test)]
mod tests {
    use super::for_profile;

    #[test]
    fn the_command_fits_the_profile() {
        let advice = |key: &'static str| for_profile("dev", |asked| asked == key);
        assert_eq!(advice("sso_session"), "renew them with: aws sso login --profile dev");
        assert_eq!(advice("login_session"), "renew them with: aws login --profile dev");
        assert!(advice("").ends_with("aws configure --profile dev"));
    }
}
