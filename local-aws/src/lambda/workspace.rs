//! Where functions are unpacked and run: a folder of the endpoint's own, and the processes below it.

use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::code::Code;
use super::execution::{Host, PlatformLog, Pool, Spec};
use super::functions::{Functions, blocking};
use super::names::LATEST;
use super::settings::Settings;
use super::validation::service_failure;
use crate::config::Config;
use crate::error::AwsError;
use crate::faults::Faults;
use crate::logs::Logs;
use crate::private;
use crate::sts::Sts;

pub struct Workspace {
    /// The host's guardian removes it.
    folder: PathBuf,
    host: Arc<Host>,
}

impl Workspace {
    fn new(config: &Config, logs: &Logs, sts: &Sts, faults: &Faults) -> std::io::Result<Self> {
        let folder = private::temporary_folder("local-aws-")?;
        let host = Arc::new(Host::new(config.clone(), logs.clone(), sts.clone(), faults.clone(), folder.path())?);
        Ok(Self { folder: folder.keep(), host })
    }
}

impl Functions {
    /// How many processes run.
    pub fn processes(&self) -> usize {
        self.workspace().as_ref().map_or(0, |workspace| workspace.host.processes())
    }

    /// Ends every process; the guardian removes all code. Events under way are no failures: a store has them go on.
    pub async fn close(&self) {
        let events = self.events().take();
        if let Some(mut events) = events {
            events.shutdown().await;
        }
        let workspace = self.workspace().take();
        if let Some(workspace) = workspace {
            workspace.host.close().await;
        }
    }

    /// The processes of a function by its name, with the number of a version.
    pub async fn pool(&self, key: &str, settings: &Settings, code: &Arc<Code>) -> Result<Arc<Pool>, AwsError> {
        let (name, version) = key.split_once(':').unwrap_or((key, LATEST));
        let runtime = settings.runtime.clone();
        let interpreter = blocking(move || runtime.interpreter()).await?;
        let config = self.config();
        let spec = Spec {
            name: name.to_owned(),
            version: version.to_owned(),
            settings: settings.clone(),
            folder: code.folder(),
            interpreter: interpreter.map(PathBuf::from),
            platform_log: PlatformLog::new(
                settings.logging.format.clone(),
                settings.runtime.version(),
                settings.runtime.version_arn(config),
                version.to_owned(),
            ),
            _code: Arc::<Code>::clone(code),
        };
        self.with_workspace(|workspace| Arc::new(Pool::new(Arc::clone(&workspace.host), Arc::new(spec))))
    }

    pub fn workspace_folder(&self) -> Result<PathBuf, AwsError> {
        self.with_workspace(|workspace| workspace.folder.clone())
    }

    fn with_workspace<T>(&self, work: impl FnOnce(&Workspace) -> T) -> Result<T, AwsError> {
        let mut workspace = self.workspace();
        if let Some(workspace) = &*workspace {
            return Ok(work(workspace));
        }
        let shared = &self.shared;
        let made = Workspace::new(self.config(), &shared.logs, &shared.sts, &shared.faults);
        let made = made.map_err(|error| service_failure("make a folder for functions", &error))?;
        Ok(work(workspace.insert(made)))
    }

    fn workspace(&self) -> MutexGuard<'_, Option<Workspace>> {
        self.shared.workspace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
