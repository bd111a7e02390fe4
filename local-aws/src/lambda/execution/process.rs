//! A function's process: started from its package with a clean environment, in a process group of its own, and ended
//! with everything it started.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use command_fds::CommandFdExt;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::descriptors;
use super::environment::{self, Surroundings};
use super::function_log::{Channels, FunctionLog};
use super::guardian::Guardian;
use super::level::Least;
use super::platform_log::PlatformLog;
use super::programs;
use super::resources;
use super::runtime_api::RuntimeApi;
use crate::config::Config;
use crate::faults::Faults;
use crate::lambda::configuration::{Language, Settings};
use crate::logs::Logs;
use crate::private;
use crate::sts::{OpenSession, Sts};

/// What every process of one function version is started from.
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

/// What processes share, and the list of those that run.
pub struct Host {
    pub config: Config,
    logs: Logs,
    sts: Sts,
    pub faults: Faults,
    /// Holds our own bootstraps of the interpreted runtimes.
    runtime_dir: PathBuf,
    guardian: Guardian,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    is_closed: bool,
    last_id: u64,
    processes: HashMap<u64, Arc<Control>>,
}

/// A hold on a running process.
struct Control {
    kill: Notify,
    exit: watch::Sender<Option<ExitStatus>>,
}

/// A started process. Dropping it kills the process and its group.
pub struct Process {
    pub api: RuntimeApi,
    pub log: Arc<FunctionLog>,
    pub spec: Arc<Spec>,
    pub started: Instant,
    control: Arc<Control>,
    pub pid: u32,
    max_memory_mb: AtomicU64,
}

/// A process that could not be started. Its log stream exists all the same, and is where the reason belongs.
pub struct StartError {
    pub log: Option<Arc<FunctionLog>>,
    /// As AWS words it: `fork/exec /…/bootstrap: …`.
    pub reason: String,
}

impl Host {
    /// Keeps our own bootstraps below `folder`, which must exist.
    ///
    /// # Errors
    /// They cannot be written, or there is no guardian.
    pub fn new(config: Config, logs: Logs, sts: Sts, faults: Faults, folder: &Path) -> io::Result<Self> {
        let runtime_dir = folder.join("runtime");
        private::create_dir_all(&runtime_dir)?;
        for (name, program) in programs::NODE.into_iter().chain(programs::PYTHON) {
            private::write(&runtime_dir.join(name), program.as_bytes())?;
        }
        descriptors::close_in_children();
        let guardian = Guardian::start(folder)?;
        Ok(Self { config, logs, sts, faults, runtime_dir, guardian, running: Mutex::default() })
    }

    /// How many processes run.
    pub fn processes(&self) -> usize {
        self.running().processes.len()
    }

    /// Kills every process with its group, and waits until they are gone. No process starts any more.
    pub async fn close(self: &Arc<Self>) {
        let processes: Vec<Arc<Control>> = {
            let mut running = self.running();
            running.is_closed = true;
            running.processes.values().cloned().collect()
        };
        for process in &processes {
            process.kill.notify_one();
        }
        for process in processes {
            process.exited().await;
        }
        let host = Arc::clone(self);
        tokio::task::spawn_blocking(move || host.guardian.end()).await.ok();
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    async fn exited(&self) -> ExitStatus {
        match self.exit.subscribe().wait_for(Option::is_some).await.as_deref() {
            Ok(Some(status)) => *status,
            _ => ExitStatus::default(),
        }
    }
}

impl Process {
    /// Starts a process. It is not ready before it asks its Runtime API for an invocation.
    pub async fn start(host: &Arc<Host>, spec: &Arc<Spec>) -> Result<Self, StartError> {
        let failed = |error: io::Error| StartError { log: None, reason: error.to_string() };
        let stream = stream_name(spec, Timestamp::now());
        let api = RuntimeApi::serve(&spec.name, &stream).await.map_err(failed)?;
        let (output, output_writer) = io::pipe().map_err(failed)?;
        let (records, record_writer) = io::pipe().map_err(failed)?;
        let group = spec.settings.logging.group.clone();
        let least = Least::of(&spec.settings.logging.format);
        let channels = Channels { output: OwnedFd::from(output), records: OwnedFd::from(records) };
        let log = FunctionLog::new(host.logs.clone(), group, stream.clone(), least, channels);
        let log = Arc::new(log.map_err(failed)?);
        if let Some(line) = spec.platform_log.init_start(Timestamp::now()) {
            log.platform(line);
        }
        let session = host.sts.open_session(&spec.settings.role, &spec.name);
        let variables = environment::variables(
            spec,
            &Surroundings {
                region: &host.config.region,
                endpoint: host.config.address,
                runtime_api: api.address,
                runtime_dir: &host.runtime_dir,
                log_stream: &stream,
                records: record_writer.as_raw_fd(),
                credentials: &session.session.credentials,
            },
        );
        let program = program(spec, &host.runtime_dir);
        let mut command = Command::new(&program[0]);
        command
            .args(&program[1..])
            .current_dir(&spec.folder)
            .env_clear()
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(output_writer.try_clone().map_err(failed)?)
            .stderr(output_writer)
            .preserved_fds(vec![OwnedFd::from(record_writer)])
            .process_group(0)
            .kill_on_drop(true);
        let started = Instant::now();
        let (control, pid) = host.spawn(command, spec, &log, session).map_err(|error| StartError {
            log: Some(Arc::clone(&log)),
            reason: format!("fork/exec {}: {error}", program[0].display()),
        })?;
        api.admit(pid);
        let max_memory_mb = AtomicU64::new(0);
        let process = Self { api, log, spec: Arc::clone(spec), started, control, pid, max_memory_mb };
        // So that there is something to report, however soon it ends.
        process.max_memory_mb();
        Ok(process)
    }

    /// Resolves once the process is gone, and with it everything it started.
    pub async fn exited(&self) -> ExitStatus {
        self.control.exited().await
    }

    /// Asks the kernel: the process may have ended before anyone has taken notice. Its status is left where it is.
    pub fn is_running(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        self.control.exit.borrow().is_none()
            && pid.is_some_and(|pid| matches!(waitid(WaitId::Pid(pid), options), Ok(None)))
    }

    /// Kills the process and its group; `exited` tells when that is done.
    pub fn kill(&self) {
        self.control.kill.notify_one();
    }

    /// The most memory the process has used, in MB: what was last seen, once it is gone.
    pub fn max_memory_mb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        if let Some(kib) = peak_kib(&status) {
            self.max_memory_mb.fetch_max(kib.div_ceil(1024), Ordering::Relaxed);
        }
        self.max_memory_mb.load(Ordering::Relaxed)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Host {
    /// Spawns and watches: the watching task alone kills, so that it never kills what took over the process's number.
    fn spawn(
        self: &Arc<Self>,
        mut command: Command,
        spec: &Arc<Spec>,
        log: &Arc<FunctionLog>,
        session: OpenSession,
    ) -> io::Result<(Arc<Control>, u32)> {
        let mut running = self.running();
        if running.is_closed {
            return Err(io::Error::other("the endpoint is stopping"));
        }
        let child = command.spawn()?;
        // The command holds the pipes' writing ends: the log ends only when no one has them.
        drop(command);
        let pid = child.id().ok_or_else(|| io::Error::other("the process is gone already"))?;
        tracing::info!(function = spec.name, pid, "function process started");
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            resources::limit(pid);
        }
        let control = Arc::new(Control { kill: Notify::new(), exit: watch::channel(None).0 });
        running.last_id += 1;
        let id = running.last_id;
        running.processes.insert(id, Arc::clone(&control));
        drop(running);

        let pumped = Arc::clone(log);
        let pump = tokio::spawn(async move { pumped.pump().await });
        let (host, spec, log, watched) = (Arc::clone(self), Arc::clone(spec), Arc::clone(log), Arc::clone(&control));
        tokio::spawn(async move {
            let (status, is_our_doing) = watch_over(child, pid, &watched.kill).await;
            drop(session);
            // Why it is ended by us is told where that is decided, if it is worth telling.
            let how = if is_our_doing { "stopped".to_owned() } else { end_words(status) };
            tracing::info!(function = spec.name, pid, "function process ended: {how}");
            log.settle();
            host.guardian.sweep(log.stream());
            host.running().processes.remove(&id);
            drop(spec);
            watched.exit.send_replace(Some(status));
            pump.abort();
        });
        Ok((control, pid))
    }
}

/// Waits for the end of a process, or ends it; either way nothing of its group is left. How it ended, and whether we ended it.
async fn watch_over(mut child: Child, pid: u32, kill: &Notify) -> (ExitStatus, bool) {
    let group = Group(i32::try_from(pid).ok().and_then(Pid::from_raw));
    tokio::select! {
        status = child.wait() => {
            group.kill();
            (status.unwrap_or_default(), false)
        }
        () = kill.notified() => {
            group.kill();
            (child.wait().await.unwrap_or_default(), true)
        }
    }
}

/// A process group that ends with its owner, also when the task that watches it is dropped.
struct Group(Option<Pid>);

impl Group {
    fn kill(&self) {
        if let Some(group) = self.0 {
            // Already gone is as good.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program(spec: &Spec, runtime_dir: &Path) -> Vec<PathBuf> {
    let memory_mb = spec.settings.memory_mb;
    let options = match spec.settings.runtime.language {
        // As AWS's own bootstrap has V8 collect garbage before the memory is used up.
        Language::Node => vec![
            format!("--max-semi-space-size={}", memory_mb / 20),
            format!("--max-old-space-size={}", memory_mb / 10 * 9),
        ],
        Language::Provided | Language::Python => Vec::new(),
    };
    let bootstrap = match spec.settings.runtime.language {
        Language::Provided => spec.folder.join("bootstrap"),
        Language::Node => runtime_dir.join(programs::NODE[0].0),
        Language::Python => runtime_dir.join(programs::PYTHON[0].0),
    };
    spec.interpreter.iter().cloned().chain(options.into_iter().map(PathBuf::from)).chain([bootstrap]).collect()
}

/// `YYYY/MM/DD/[$LATEST]<32 hex>`; in a log group that functions may share, with the function's name.
fn stream_name(spec: &Spec, now: Timestamp) -> String {
    let is_own_group = spec.settings.logging.group == format!("/aws/lambda/{}", spec.name);
    let function = if is_own_group { "" } else { &spec.name };
    format!("{}/{function}[{}]{}", now.strftime("%Y/%m/%d"), spec.version, Uuid::new_v4().simple())
}

/// `VmHWM` of `/proc/<pid>/status`: the peak of resident memory.
fn peak_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn end_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, signal) => signal_words(signal.unwrap_or_default()),
    }
}

/// How AWS words the end of a runtime.
pub fn exit_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".into(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, signal) => format!("Runtime exited with error: signal: {}", signal_words(signal.unwrap_or_default())),
    }
}

/// The names Go gives signals, since AWS's runtime interface is written in it.
fn signal_words(signal: i32) -> String {
    let known = [
        (Signal::HUP, "hangup"),
        (Signal::INT, "interrupt"),
        (Signal::ILL, "illegal instruction"),
        (Signal::TRAP, "trace/breakpoint trap"),
        (Signal::ABORT, "aborted"),
        (Signal::BUS, "bus error"),
        (Signal::FPE, "floating point exception"),
        (Signal::KILL, "killed"),
        (Signal::SEGV, "segmentation fault"),
        (Signal::PIPE, "broken pipe"),
        (Signal::TERM, "terminated"),
    ];
    match known.iter().find(|(known, _)| known.as_raw() == signal) {
        Some((_, words)) => (*words).to_owned(),
        None => format!("signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_process_is_worded_as_aws_words_it() {
        let exited = |code: i32| exit_words(ExitStatus::from_raw(code << 8));
        assert_eq!(exited(0), "Runtime exited without providing a reason");
        assert_eq!(exited(127), "Runtime exited with error: exit status 127");
        assert_eq!(exit_words(ExitStatus::from_raw(9)), "Runtime exited with error: signal: killed");
        assert_eq!(exit_words(ExitStatus::from_raw(64)), "Runtime exited with error: signal: signal 64");
    }

    #[test]
    fn peak_memory_is_read() {
        assert_eq!(peak_kib("VmPeak:\t  9000 kB\nVmHWM:\t    5120 kB\nVmRSS:\t 1 kB\n"), Some(5120));
        assert_eq!(peak_kib("Name:\tzombie\n"), None);
    }
}
