//! A process that outlives the endpoint for a moment and ends everything that functions have started.
//!
//! After a SIGKILL the endpoint cannot run code, and a child in a session of its own is in no group that could be killed. So
//! `/bin/sh`, which exists on any Linux, waits for the end of a pipe whose other end only the endpoint holds, and finds the
//! processes by the environment that they inherit.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use std::os::unix::process::CommandExt;

const SCRIPT: &str = include_str!("guardian.sh");

/// One endpoint's guardian.
pub struct Guardian(Mutex<Option<Running>>);

struct Running {
    process: Child,
    requests: File,
}

impl Guardian {
    /// Guards the processes whose runtime folder is below `folder`, and removes that folder when the endpoint has ended.
    ///
    /// # Errors
    /// There is no `/bin/sh`.
    pub fn start(folder: &Path) -> io::Result<Self> {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        // If the pipe is ever full, requests are dropped: the last sweep covers all processes.
        rustix::io::ioctl_fionbio(&write, true)?;
        let process = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "local-aws-guardian"])
            .arg(folder)
            .current_dir("/")
            .stdin(read)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Signals to the group of the terminal or of the endpoint must not reach it.
            .process_group(0)
            .spawn()?;
        Ok(Self(Mutex::new(Some(Running { process, requests: File::from(write) }))))
    }

    /// Ends everything that the process of this log stream has started, whatever its session or group.
    pub fn sweep(&self, log_stream: &str) {
        if let Some(running) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            running.requests.write_all(format!("{log_stream}\n").as_bytes()).ok();
        }
    }

    /// Ends every remaining process. Blocks until that is done. The folder is removed afterwards.
    pub fn end(&self) {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { mut process, mut requests }) = running {
            requests.write_all(b"end\n").ok();
            drop(requests);
            process.wait().ok();
        }
    }
}
