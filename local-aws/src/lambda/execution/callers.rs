//! The processes that may use a function's Runtime API: the function's own, and what they started.
//!
//! The user of a connection comes from the kernel. Which process of that user it is, is read from `/proc`: first of all the
//! function's own descriptors (50 µs), then, for a function that has a child call the API, those of every process in its
//! process group or with its environment (8 ms where 240 processes run). A connection is checked once, when it is accepted.

use std::fs;
use std::io;
use std::net::SocketAddr;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::SetOnce;

use crate::peer::ClientSocket;

/// A listener that hands out the connections of one function's processes, and closes all others.
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
                // Headers and body of an answer may leave in two writes: the second must not wait for the first's
                // acknowledgement.
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

    /// Admits the process and what it starts. Until then connections wait.
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

    /// Says once what was refused: it may be tried thousands of times.
    fn warn(&self, who: &str) {
        self.warned.call_once(|| {
            tracing::warn!(function = self.function, "connection to the Runtime API refused: it came from {who}");
        });
    }
}

/// Whether the process, one of its group or one with its environment holds a socket.
fn is_held(inode: u32, pid: u32, log_stream: &str) -> bool {
    let socket = format!("socket:[{inode}]");
    match holds(pid, &socket) {
        Ok(false) => {}
        Ok(true) => return true,
        // A process that hides its descriptors also from its own user: that it is this user's must do.
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

/// The third number after the name, which may have parentheses and spaces in it: state, parent, group.
fn group(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(2)?.parse().ok()
}

fn has_environment(pid: u32, marker: &[u8]) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == marker)
}
