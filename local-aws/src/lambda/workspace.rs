//! The folder in which functions are unpacked and run, with their processes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::code::{Code, Unpacked};
use super::configuration::Settings;
use super::errors::service_failure;
use super::execution::{Host, PlatformLog, Pool, Spec};
use super::function::Program;
use super::names::LATEST;
use crate::config::Config;
use crate::error::AwsError;
use crate::faults::Faults;
use crate::logs::Logs;
use crate::private;
use crate::sts::Sts;

pub struct Workspace {
    config: Config,
    /// The host's guardian removes it at the end.
    folder: PathBuf,
    host: Arc<Host>,
}

impl Workspace {
    /// # Errors
    /// The folder cannot be created, or there is no guardian.
    pub fn new(config: &Config, logs: &Logs, sts: &Sts, faults: &Faults) -> io::Result<Self> {
        let folder = private::temporary_folder("local-aws-")?;
        let host = Host::new(config.clone(), logs.clone(), sts.clone(), faults.clone(), folder.path())?;
        Ok(Self { config: config.clone(), folder: folder.keep(), host: Arc::new(host) })
    }

    /// The number of running processes.
    pub fn processes(&self) -> usize {
        self.host.processes()
    }

    /// Ends every process. The guardian removes all code.
    pub async fn close(&self) {
        self.host.close().await;
    }

    /// Checks and unpacks a zip that `read` returns, on a blocking thread.
    ///
    /// # Errors
    /// The error of `read`, or the reason why the package cannot be run.
    pub async fn unpack(
        &self,
        name: &str,
        settings: &Settings,
        read: impl FnOnce() -> Result<Vec<u8>, AwsError> + Send + 'static,
    ) -> Result<Unpacked, AwsError> {
        let (root, settings) = (new_root(&self.folder, name), settings.clone());
        blocking(move || Code::unpack(read()?, &settings, root)).await
    }

    /// Prepares the processes of a function or version. They start with the first invocation.
    ///
    /// # Errors
    /// The runtime's interpreter is not on `PATH`.
    pub async fn program(&self, key: &str, settings: &Settings, code: &Arc<Code>) -> Result<Program, AwsError> {
        let (name, version) = key.split_once(':').unwrap_or((key, LATEST));
        let runtime = settings.runtime.clone();
        let interpreter = blocking(move || runtime.interpreter()).await?;
        let spec = Spec {
            name: name.to_owned(),
            version: version.to_owned(),
            settings: settings.clone(),
            folder: code.folder(),
            interpreter: interpreter.map(PathBuf::from),
            platform_log: PlatformLog::new(
                settings.logging.format.clone(),
                settings.runtime.version(),
                settings.runtime.version_arn(&self.config),
                version.to_owned(),
            ),
            _code: Arc::<Code>::clone(code),
        };
        let pool = Arc::new(Pool::new(Arc::clone(&self.host), Arc::new(spec)));
        Ok(Program { code: Arc::clone(code), pool })
    }
}

/// A new folder's path below `parent`.
fn new_root(parent: &Path, function: &str) -> PathBuf {
    parent.join(format!("{function}-{}", uuid::Uuid::new_v4().simple()))
}

/// Runs file operations on a blocking thread.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AwsError> + Send + 'static,
) -> Result<T, AwsError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(service_failure("finish the request", &error)))
}
