//! The specification that all processes of one function version share.

use std::path::PathBuf;
use std::sync::Arc;

use super::platform_log::PlatformLog;
use crate::lambda::configuration::Settings;

/// The specification of a function version's processes.
pub struct Spec {
    pub name: String,
    /// `$LATEST`, or a number.
    pub version: String,
    pub settings: Settings,
    /// The unpacked package.
    pub folder: PathBuf,
    /// The interpreter's path, for the runtimes that have one.
    pub interpreter: Option<PathBuf>,
    pub platform_log: PlatformLog,
    /// Keeps the package unpacked as long as a process may use it.
    pub _code: Arc<dyn Send + Sync>,
}
