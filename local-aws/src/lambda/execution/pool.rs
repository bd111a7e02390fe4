//! The processes of one function version. Warm processes are reused, and new ones start when all are busy.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::invocation::{self, Call, Invoked, Run};
use super::process::{Host, Process, StartError};
use super::spec::Spec;

/// The most running processes of one function. AWS starts up to 1,000 in an account. A developer's machine is smaller,
/// so an invocation above this limit waits instead of being throttled.
const MAX_PROCESSES: usize = 32;

/// The processes of one function version.
pub struct Pool {
    host: Arc<Host>,
    spec: Arc<Spec>,
    idle: Mutex<Idle>,
    slots: Semaphore,
}

#[derive(Default)]
struct Idle {
    processes: Vec<Process>,
    is_retired: bool,
}

impl Pool {
    pub fn new(host: Arc<Host>, spec: Arc<Spec>) -> Self {
        Self { host, spec, idle: Mutex::default(), slots: Semaphore::new(MAX_PROCESSES) }
    }

    /// Runs an invocation on a warm process, or on a new one.
    pub async fn invoke(&self, call: &Call, request_id: &str) -> Invoked {
        // The semaphore is never closed.
        let _slot = self.slots.acquire().await;
        let started = Instant::now();
        let invoked = self.invoke_once(call, request_id).await;
        self.host.config.metrics.invocation(&self.spec.name, invoked.is_error, started.elapsed());
        invoked
    }

    async fn invoke_once(&self, call: &Call, request_id: &str) -> Invoked {
        loop {
            let (process, is_cold) = match self.pop_idle() {
                Some(process) => (process, false),
                None => match Process::start(&self.host, &self.spec).await {
                    Ok(process) => (process, true),
                    Err(error) => return self.not_started(request_id, &error),
                },
            };
            match self.run(&process, call, request_id, is_cold).await {
                Run::NotReceived => {}
                Run::Done { invoked, is_reusable } => {
                    if is_reusable {
                        self.put_back(process);
                    }
                    return invoked;
                }
            }
        }
    }

    /// Runs the invocation. A configured fault kills the process meanwhile, as if it had crashed.
    async fn run(&self, process: &Process, call: &Call, request_id: &str, is_cold: bool) -> Run {
        let run = process.run(call, request_id, is_cold);
        let Some(after) = self.host.faults.crash_delay() else { return run.await };
        tokio::pin!(run);
        tokio::select! {
            run = &mut run => run,
            () = tokio::time::sleep(after) => {
                process.kill();
                run.await
            }
        }
    }

    /// Ends the idle processes now and the busy ones after their invocation: the function has newer code or settings.
    pub fn retire(&self) {
        let mut idle = self.idle();
        idle.is_retired = true;
        idle.processes.clear();
    }

    /// Removes the process that was used last, since it is the warmest, from the idle ones. Drops ended processes.
    fn pop_idle(&self) -> Option<Process> {
        let mut idle = self.idle();
        idle.processes.retain(Process::is_running);
        idle.processes.pop()
    }

    fn put_back(&self, process: Process) {
        let mut idle = self.idle();
        if !idle.is_retired {
            idle.processes.push(process);
        }
    }

    fn not_started(&self, request_id: &str, error: &StartError) -> Invoked {
        let payload = invocation::not_started(request_id, &error.reason);
        let mut log_tail = Vec::new();
        if let Some(log) = &error.log {
            log.begin(self.spec.platform_log.start(Timestamp::now(), request_id));
            log.platform(format!("RequestId: {request_id} Error: {}\nRuntime.InvalidEntrypoint", error.reason));
            log_tail = log.take_tail();
        }
        Invoked { payload, is_error: true, version: self.spec.version.clone(), log_tail }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
