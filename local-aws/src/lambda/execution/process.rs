//! A function's process. It starts from its package with a clean environment, in a process group of its own, and ends with
//! everything that it started.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use command_fds::CommandFdExt;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::descriptors;
use super::environment::{self, ProcessValues};
use super::function_log::{Channels, FunctionLog};
use super::guardian::Guardian;
use super::level::LevelFilter;
use super::limits;
use super::memory;
use super::programs;
use super::runtime_api::RuntimeApi;
use super::spec::Spec;
use crate::config::Config;
use crate::faults::Faults;
use crate::lambda::configuration::Language;
use crate::logs::Logs;
use crate::private;
use crate::sts::{OpenSession, Sts};

/// The longest pause between two measurements of a process's memory. The first pauses are shorter.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The state that all processes share, and the list of running processes.
pub struct Host {
    pub config: Config,
    logs: Logs,
    sts: Sts,
    pub faults: Faults,
    /// Contains our programs for the interpreted runtimes.
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

/// Controls a running process.
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
    max_memory_kib: AtomicU64,
}

/// The failed start of a process. Its log stream exists, and gets the reason.
pub struct StartError {
    pub log: Option<Arc<FunctionLog>>,
    /// AWS's message: `fork/exec /…/bootstrap: …`.
    pub reason: String,
}

impl Host {
    /// Writes our programs below `folder`, which must exist.
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

    /// The number of running processes.
    pub fn processes(&self) -> usize {
        self.running().processes.len()
    }

    /// Kills every process with its group, and waits until they have ended. No process starts afterwards.
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
        let filter = LevelFilter::of(&spec.settings.logging.format);
        let channels = Channels { output: OwnedFd::from(output), records: OwnedFd::from(records) };
        let log = FunctionLog::new(host.logs.clone(), group, stream.clone(), filter, channels);
        let log = Arc::new(log.map_err(failed)?);
        if let Some(line) = spec.platform_log.init_start(Timestamp::now()) {
            log.platform(line);
        }
        let session = host.sts.open_session(&spec.settings.role, &spec.name);
        let variables = environment::variables(
            spec,
            &ProcessValues {
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
        let max_memory_kib = AtomicU64::new(0);
        let process = Self { api, log, spec: Arc::clone(spec), started, control, pid, max_memory_kib };
        // The first measurement is made now, in case the process ends soon.
        process.max_memory_mb();
        Ok(process)
    }

    /// Resolves when the process and everything that it started have ended.
    pub async fn exited(&self) -> ExitStatus {
        self.control.exited().await
    }

    /// Asks the kernel, since the process may have ended unnoticed. Its exit status can still be waited for.
    pub fn is_running(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        self.control.exit.borrow().is_none()
            && pid.is_some_and(|pid| matches!(waitid(WaitId::Pid(pid), options), Ok(None)))
    }

    /// Kills the process and its group. [`Process::exited`] resolves when that is done.
    pub fn kill(&self) {
        self.control.kill.notify_one();
    }

    /// The most memory that the process and its descendants have used, in MB. After their end, the last measured value.
    pub fn max_memory_mb(&self) -> u64 {
        let measured = self.max_memory_kib.load(Ordering::Relaxed);
        let kib = memory::used_kib(self.pid, measured).unwrap_or_default();
        self.max_memory_kib.fetch_max(kib, Ordering::Relaxed).max(kib).div_ceil(1024)
    }

    /// Kills the process once it and its descendants use more memory than the function has. Ends with the invocation.
    pub async fn watch_memory(&self) -> Infallible {
        let mut pause = Duration::from_millis(1);
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            let (used, size) = (self.max_memory_mb(), self.spec.settings.memory_mb);
            if used > u64::from(size) {
                tracing::warn!(function = self.spec.name, pid = self.pid, "killed: it used {used} MB of its {size} MB");
                self.kill();
                return std::future::pending().await;
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Host {
    /// Spawns a process and a task that watches it. That task alone kills the process, so that it never kills another process
    /// with a reused number.
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
        // The command holds the writing ends of the pipes, and the log ends only when they are closed.
        drop(command);
        let pid = child.id().ok_or_else(|| io::Error::other("the process has ended already"))?;
        tracing::info!(function = spec.name, pid, "function process started");
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            limits::apply(pid);
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
            let (status, is_killed) = watch_over(child, pid, &watched.kill).await;
            drop(session);
            // The code that decides to kill a process logs the reason.
            let how = if is_killed { "stopped".to_owned() } else { exit_text(status) };
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

/// Waits for the end of a process, or kills it, and then kills its group. Returns its status, and whether it was killed here.
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

/// Kills a process group when it is dropped, for example with the task that watches it.
struct Group(Option<Pid>);

impl Group {
    fn kill(&self) {
        if let Some(group) = self.0 {
            // An error means that the group has ended.
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
        // As AWS's own bootstrap does, so that V8 collects garbage before the memory is used up.
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

/// `YYYY/MM/DD/[$LATEST]<32 hex>`, with the function's name in a log group that functions may share.
fn stream_name(spec: &Spec, now: Timestamp) -> String {
    let is_own_group = spec.settings.logging.group == format!("/aws/lambda/{}", spec.name);
    let function = if is_own_group { "" } else { &spec.name };
    format!("{}/{function}[{}]{}", now.strftime("%Y/%m/%d"), spec.version, Uuid::new_v4().simple())
}

fn exit_text(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, signal) => signal_name(signal.unwrap_or_default()),
    }
}

/// AWS's message about the end of a runtime.
pub fn exit_message(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".into(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, signal) => format!("Runtime exited with error: signal: {}", signal_name(signal.unwrap_or_default())),
    }
}

/// Go's names of signals: AWS's runtime interface is written in Go.
fn signal_name(signal: i32) -> String {
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
    fn the_end_of_a_process_has_awss_message() {
        let exited = |code: i32| exit_message(ExitStatus::from_raw(code << 8));
        assert_eq!(exited(0), "Runtime exited without providing a reason");
        assert_eq!(exited(127), "Runtime exited with error: exit status 127");
        assert_eq!(exit_message(ExitStatus::from_raw(9)), "Runtime exited with error: signal: killed");
        assert_eq!(exit_message(ExitStatus::from_raw(64)), "Runtime exited with error: signal: signal 64");
    }
}
