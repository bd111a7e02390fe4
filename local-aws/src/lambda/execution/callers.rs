//! Admits only the function's process and its descendants to the function's Runtime API.
//!
//! The kernel reports the user of a connection. `/proc` shows which process of that user it is. First the descriptors
//! of the function's process are searched (50 µs), then, for a function whose child calls the API, the descriptors of
//! every process in its process group or with its environment (8 ms with 240 processes). A connection is checked once,
//! when it is accepted.

use std::fs;
use std::io;
use std::net::SocketAddr;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::SetOnce;

use crate::peer::ClientSocket;

/// A listener that returns the connections of one function's processes, and closes all others.
pub struct CallersOnly {
    pub listener: TcpListener,
    pub callers: std::sync::Arc<Callers>,
}

impl Listener for CallersOnly {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if self.callers.include(&stream).await {
                // The headers and the body of a response may be two writes. The second must not wait for the acknowledgement of
                // the first.
                stream.set_nodelay(true).ok();
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A function's process and its descendants.
pub struct Callers {
    function: String,
    log_stream: String,
    /// The process, and the group that it leads.
    pid: SetOnce<u32>,
    warned: std::sync::Once,
}

impl Callers {
    pub fn new(function: &str, log_stream: &str) -> Self {
        let (function, log_stream) = (function.to_owned(), log_stream.to_owned());
        Self { function, log_stream, pid: SetOnce::new(), warned: std::sync::Once::new() }
    }

    /// Admits the process and its descendants. Connections wait until then.
    pub fn admit(&self, pid: u32) {
        self.pid.set(pid).ok();
    }

    async fn include(&self, stream: &TcpStream) -> bool {
        let Some(client) = ClientSocket::of(stream) else { return false };
        if !client.is_own() {
            self.warn(&format!("a process of user {}", client.uid));
            return false;
        }
        let (pid, log_stream) = (*self.pid.wait().await, self.log_stream.clone());
        let found = tokio::task::spawn_blocking(move || is_held(client.inode, pid, &log_stream)).await;
        let is_included = found.unwrap_or(false);
        if !is_included {
            self.warn("another process of this user");
        }
        is_included
    }

    /// Logs the first rejection only: there may be thousands.
    fn warn(&self, who: &str) {
        self.warned.call_once(|| {
            tracing::warn!(function = self.function, "connection to the Runtime API rejected: it came from {who}");
        });
    }
}

/// Whether the process, a process of its group or one with its environment holds a socket.
fn is_held(inode: u32, pid: u32, log_stream: &str) -> bool {
    let socket = format!("socket:[{inode}]");
    match holds(pid, &socket) {
        Ok(false) => {}
        Ok(true) => return true,
        // The process hides its descriptors from its own user, so the check of the user must be sufficient.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return true,
        Err(_) => {}
    }
    let marker = format!("AWS_LAMBDA_LOG_STREAM_NAME={log_stream}");
    let Ok(entries) = fs::read_dir("/proc") else { return false };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|other| group(*other) == Some(pid) || has_environment(*other, marker.as_bytes()))
        .any(|other| holds(other, &socket).unwrap_or(false))
}

fn holds(pid: u32, socket: &str) -> io::Result<bool> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?;
    Ok(descriptors.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == socket)))
}

/// The process group: the third field after the name, which may contain parentheses and spaces.
fn group(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(2)?.parse().ok()
}

fn has_environment(pid: u32, marker: &[u8]) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == marker)
}
