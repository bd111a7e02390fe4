//! The log stream of one process: its output, and the lines that Lambda writes about it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rustix::io::Errno;
use tokio::net::unix::pipe;

use super::frames::{Frames, Piece};
use super::level::LevelFilter;
use super::lines::Lines;
use crate::logs::{InputEvent, Logs};

/// Bytes of a log tail. <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
const TAIL_BYTES: usize = 4096;
/// The capacity of the pipes, so that a burst does not block the function at every 64 KiB. The kernel grants no more without
/// privileges.
const PIPE_BYTES: usize = 1024 * 1024;
const CHUNK_BYTES: usize = 256 * 1024;

/// One process's log stream. Stdout and stderr are one pipe, so that their lines keep their order. The records of a runtime
/// have a pipe of their own, so that raw output never runs into them. Both pipes are drained before a line of Lambda's is
/// appended, so that earlier output precedes it.
pub struct FunctionLog {
    logs: Logs,
    group: String,
    stream: String,
    filter: LevelFilter,
    output: pipe::Receiver,
    records: pipe::Receiver,
    state: Mutex<State>,
}

struct State {
    lines: Lines,
    frames: Frames,
    chunk: Vec<u8>,
    /// The end of the running invocation's log; `None` between invocations.
    tail: Option<Vec<u8>>,
    /// The last event's time in epoch milliseconds, so that a clock that steps back does not reorder lines.
    last_time: i64,
}

/// The reading ends of a process's pipes.
pub struct Channels {
    /// Raw: stdout and stderr.
    pub output: OwnedFd,
    /// Framed records.
    pub records: OwnedFd,
}

impl FunctionLog {
    /// Creates the log stream. Events that do not pass `filter` are dropped.
    ///
    /// # Errors
    /// A channel is not a pipe, or cannot be watched.
    pub fn new(logs: Logs, group: String, stream: String, filter: LevelFilter, channels: Channels) -> io::Result<Self> {
        let open = |pipe: OwnedFd| {
            // A smaller pipe works as well, only slower.
            rustix::pipe::fcntl_setpipe_size(&pipe, PIPE_BYTES).ok();
            pipe::Receiver::from_owned_fd(pipe)
        };
        let (output, records) = (open(channels.output)?, open(channels.records)?);
        logs.ensure_stream(&group, &stream);
        let chunk = vec![0; CHUNK_BYTES];
        let state = State { lines: Lines::default(), frames: Frames::default(), chunk, tail: None, last_time: 0 };
        Ok(Self { logs, group, stream, filter, output, records, state: Mutex::new(state) })
    }

    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// Moves events from the pipes to the stream as they come, until every writer has closed both.
    pub async fn pump(&self) {
        let (mut has_output, mut has_records) = (true, true);
        while has_output || has_records {
            tokio::select! {
                _ = self.output.readable(), if has_output => {}
                _ = self.records.readable(), if has_records => {}
            }
            let mut state = self.state();
            let state = &mut *state;
            has_output &= self.read(state, &self.output, Self::append_output);
            has_records &= self.read(state, &self.records, Self::append_records);
        }
    }

    /// Reads once and passes the bytes to `append`. Returns `false` at the end of the pipe.
    fn read(&self, state: &mut State, pipe: &pipe::Receiver, append: fn(&Self, &mut State, usize)) -> bool {
        match pipe.try_read(&mut state.chunk) {
            Ok(0) => false,
            Ok(len) => {
                append(self, state, len);
                true
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    /// Appends a line of Lambda's, after everything that the process has written until now.
    pub fn platform(&self, line: String) {
        let mut state = self.state();
        self.drain(&mut state);
        self.append(&mut state, vec![line + "\n"]);
    }

    /// Starts an invocation's tail, with the invocation's first line if the format and level have one.
    pub fn begin(&self, line: Option<String>) {
        let mut state = self.state();
        self.drain(&mut state);
        state.tail = Some(Vec::new());
        self.append(&mut state, line.map(|line| line + "\n").into_iter().collect());
    }

    /// Appends the rest of an ended process's output, incomplete lines and records included.
    pub fn settle(&self) {
        let mut state = self.state();
        self.drain(&mut state);
        let state = &mut *state;
        let mut events = Vec::new();
        state.frames.finish(|piece| self.add_piece(&mut state.lines, piece, &mut events));
        state.lines.flush(|line| events.extend(self.shown(line)));
        self.append(state, events);
    }

    /// Ends the invocation's tail, and returns the last 4 KiB of its log.
    pub fn take_tail(&self) -> Vec<u8> {
        self.state().tail.take().unwrap_or_default()
    }

    /// Appends everything that was written before this call, an incomplete line included.
    fn drain(&self, state: &mut State) {
        self.drain_pipe(state, &self.output, Self::append_output);
        self.drain_pipe(state, &self.records, Self::append_records);
        let mut incomplete = Vec::new();
        state.lines.flush(|line| incomplete.extend(self.shown(line)));
        self.append(state, incomplete);
    }

    /// Reads at most the capacity of the pipe, so that a process that never stops writing does not block this. The reads bypass
    /// tokio, which may not know yet that the pipe is readable.
    fn drain_pipe(&self, state: &mut State, pipe: &pipe::Receiver, append: fn(&Self, &mut State, usize)) {
        let mut left = rustix::pipe::fcntl_getpipe_size(pipe).unwrap_or(PIPE_BYTES);
        while left > 0 {
            match rustix::io::read(pipe, &mut state.chunk[..]) {
                Ok(0) => break,
                Ok(len) => {
                    left = left.saturating_sub(len);
                    append(self, state, len);
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
    }

    fn append_output(&self, state: &mut State, len: usize) {
        let mut lines = Vec::new();
        state.lines.push(&state.chunk[..len], |line| lines.extend(self.shown(line)));
        self.append(state, lines);
    }

    fn append_records(&self, state: &mut State, len: usize) {
        let mut events = Vec::new();
        state.frames.push(&state.chunk[..len], |piece| self.add_piece(&mut state.lines, piece, &mut events));
        self.append(state, events);
    }

    fn add_piece(&self, lines: &mut Lines, piece: Piece<'_>, events: &mut Vec<String>) {
        match piece {
            Piece::Raw(bytes) => lines.push(bytes, |line| events.extend(self.shown(line))),
            Piece::Record { level, text } if self.filter.passes_record(level, &text) => events.push(text),
            Piece::Record { .. } => {}
        }
    }

    fn shown(&self, line: String) -> Option<String> {
        self.filter.passes(&line).then_some(line)
    }

    fn append(&self, state: &mut State, lines: Vec<String>) {
        if lines.is_empty() {
            return;
        }
        state.last_time = state.last_time.max(Timestamp::now().as_millisecond());
        if let Some(tail) = &mut state.tail {
            keep_last(tail, &lines);
        }
        let event = |message| InputEvent { timestamp: state.last_time, message };
        self.logs.append(&self.group, &self.stream, lines.into_iter().map(event).collect());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep_last(tail: &mut Vec<u8>, lines: &[String]) {
    for line in lines {
        let line = &line.as_bytes()[line.len().saturating_sub(TAIL_BYTES)..];
        let excess = (tail.len() + line.len()).saturating_sub(TAIL_BYTES);
        tail.drain(..excess);
        tail.extend_from_slice(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_last_4_kib() {
        let mut tail = Vec::new();
        keep_last(&mut tail, &["a\n".repeat(3000), "b\n".into()]);
        assert_eq!(tail.len(), TAIL_BYTES);
        assert!(tail.ends_with(b"a\nb\n"));
        keep_last(&mut tail, &["c".repeat(10_000)]);
        assert_eq!(tail, b"c".repeat(TAIL_BYTES));
    }
}
