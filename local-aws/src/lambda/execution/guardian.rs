//! The process that outlives the endpoint for a moment, so that nothing of a function outlives it for longer.
//!
//! A SIGKILL of the endpoint runs none of its code, and a child in a session of its own is in no group that could be
//! killed. So `/bin/sh`, which a library finds on any Linux, waits for the end of a pipe whose other end the endpoint
//! alone has, and finds the processes by what each inherits: the environment.

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
    orders: File,
}

impl Guardian {
    /// Guards the processes whose runtime folder is below `folder`, and removes that folder when the endpoint has ended.
    ///
    /// # Errors
    /// There is no `/bin/sh`.
    pub fn start(folder: &Path) -> io::Result<Self> {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        // Should it ever lag so far behind that the pipe is full, the last sweep does for all.
        rustix::io::ioctl_fionbio(&write, true)?;
        let process = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "local-aws-guardian"])
            .arg(folder)
            .current_dir("/")
            .stdin(read)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What is sent to the terminal's group, and to the endpoint's, is not for it.
            .process_group(0)
            .spawn()?;
        Ok(Self(Mutex::new(Some(Running { process, orders: File::from(write) }))))
    }

    /// Has what the process of this log stream started ended too, wherever it moved.
    pub fn sweep(&self, log_stream: &str) {
        if let Some(running) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            running.orders.write_all(format!("{log_stream}\n").as_bytes()).ok();
        }
    }

    /// Ends every process that is left. Blocks until that is done; the folder is removed afterwards.
    pub fn end(&self) {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { mut process, mut orders }) = running {
            orders.write_all(b"end\n").ok();
            drop(orders);
            process.wait().ok();
        }
    }
}
