//! The log stream of one process: what it writes, between the lines that Lambda writes about it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rustix::io::Errno;
use tokio::net::unix::pipe;

use super::frames::{Frames, Piece};
use super::level::Least;
use super::lines::Lines;
use crate::logs::{InputEvent, Logs};

/// Bytes of a log tail. <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
const TAIL_BYTES: usize = 4096;
/// Asked of the kernel, so that a burst does not stop the function at every 64 KiB; the most it gives without privileges.
const PIPE_BYTES: usize = 1024 * 1024;
const CHUNK_BYTES: usize = 256 * 1024;

/// One process's log stream. Its stdout and stderr are one pipe, so that their lines keep the order in which they were
/// written. Records that a runtime hands over whole come through a pipe of their own, so that raw output never runs into
/// them. Whoever appends drains both first, so that what was written before something happened stands before it.
pub struct FunctionLog {
    logs: Logs,
    group: String,
    stream: String,
    least: Least,
    output: pipe::Receiver,
    records: pipe::Receiver,
    state: Mutex<State>,
}

struct State {
    lines: Lines,
    frames: Frames,
    chunk: Vec<u8>,
    /// The end of what the running invocation has logged; none between invocations.
    tail: Option<Vec<u8>>,
    /// Epoch milliseconds of the last event: a clock that steps back does not reorder lines.
    last: i64,
}

/// The reading ends of what a process writes.
pub struct Channels {
    /// Raw: stdout and stderr.
    pub output: OwnedFd,
    /// Framed records.
    pub records: OwnedFd,
}

impl FunctionLog {
    /// The log stream of what comes through `channels`, from the `least` level on.
    ///
    /// # Errors
    /// A channel is not a pipe, or cannot be watched.
    pub fn new(logs: Logs, group: String, stream: String, least: Least, channels: Channels) -> io::Result<Self> {
        let open = |pipe: OwnedFd| {
            // A smaller pipe works as well, only slower.
            rustix::pipe::fcntl_setpipe_size(&pipe, PIPE_BYTES).ok();
            pipe::Receiver::from_owned_fd(pipe)
        };
        let (output, records) = (open(channels.output)?, open(channels.records)?);
        logs.ensure_stream(&group, &stream);
        let chunk = vec![0; CHUNK_BYTES];
        let state = State { lines: Lines::default(), frames: Frames::default(), chunk, tail: None, last: 0 };
        Ok(Self { logs, group, stream, least, output, records, state: Mutex::new(state) })
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
            has_output &= self.read(state, &self.output, Self::take_output);
            has_records &= self.read(state, &self.records, Self::take_records);
        }
    }

    /// Reads once and hands the bytes to `take`. False when there will be no more.
    fn read(&self, state: &mut State, pipe: &pipe::Receiver, take: fn(&Self, &mut State, usize)) -> bool {
        match pipe.try_read(&mut state.chunk) {
            Ok(0) => false,
            Ok(len) => {
                take(self, state, len);
                true
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    /// Appends a line of Lambda's own, after all that the process has written so far.
    pub fn platform(&self, line: String) {
        let mut state = self.state();
        self.drain(&mut state);
        self.append(&mut state, vec![line + "\n"]);
    }

    /// Begins an invocation's tail, with the line that marks it, if the format and level show one.
    pub fn begin(&self, line: Option<String>) {
        let mut state = self.state();
        self.drain(&mut state);
        state.tail = Some(Vec::new());
        self.append(&mut state, line.map(|line| line + "\n").into_iter().collect());
    }

    /// Appends what the process has written before its end, lines and records that have only begun included.
    pub fn settle(&self) {
        let mut state = self.state();
        self.drain(&mut state);
        let state = &mut *state;
        let mut events = Vec::new();
        state.frames.finish(|piece| self.take_piece(&mut state.lines, piece, &mut events));
        state.lines.flush(|line| events.extend(self.shown(line)));
        self.append(state, events);
    }

    /// Ends the invocation's tail: the last 4 KiB of what was logged since it began.
    pub fn take_tail(&self) -> Vec<u8> {
        self.state().tail.take().unwrap_or_default()
    }

    /// Appends all that was written before this call, a line that has only begun included.
    fn drain(&self, state: &mut State) {
        self.drain_pipe(state, &self.output, Self::take_output);
        self.drain_pipe(state, &self.records, Self::take_records);
        let mut begun = Vec::new();
        state.lines.flush(|line| begun.extend(self.shown(line)));
        self.append(state, begun);
    }

    /// What the reading task has not taken is in the pipe, and a pipe holds no more than its size, so a process that
    /// never stops writing does not hold this up. The reads go past tokio, which may not have heard yet that there is
    /// something to read.
    fn drain_pipe(&self, state: &mut State, pipe: &pipe::Receiver, take: fn(&Self, &mut State, usize)) {
        let mut left = rustix::pipe::fcntl_getpipe_size(pipe).unwrap_or(PIPE_BYTES);
        while left > 0 {
            match rustix::io::read(pipe, &mut state.chunk[..]) {
                Ok(0) => break,
                Ok(len) => {
                    left = left.saturating_sub(len);
                    take(self, state, len);
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
    }

    fn take_output(&self, state: &mut State, len: usize) {
        let mut lines = Vec::new();
        state.lines.push(&state.chunk[..len], |line| lines.extend(self.shown(line)));
        self.append(state, lines);
    }

    fn take_records(&self, state: &mut State, len: usize) {
        let mut events = Vec::new();
        state.frames.push(&state.chunk[..len], |piece| self.take_piece(&mut state.lines, piece, &mut events));
        self.append(state, events);
    }

    fn take_piece(&self, lines: &mut Lines, piece: Piece<'_>, events: &mut Vec<String>) {
        match piece {
            Piece::Raw(bytes) => lines.push(bytes, |line| events.extend(self.shown(line))),
            Piece::Record { level, text } if self.least.shows_record(level, &text) => events.push(text),
            Piece::Record { .. } => {}
        }
    }

    fn shown(&self, line: String) -> Option<String> {
        self.least.shows(&line).then_some(line)
    }

    fn append(&self, state: &mut State, lines: Vec<String>) {
        if lines.is_empty() {
            return;
        }
        state.last = state.last.max(Timestamp::now().as_millisecond());
        if let Some(tail) = &mut state.tail {
            keep_last(tail, &lines);
        }
        let event = |message| InputEvent { timestamp: state.last, message };
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
