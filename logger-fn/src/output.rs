//! Writes whole lines to stdout for all invocations, and stops before a deadline.
//!
//! Lambda reads stdout through a pipe. If it reads too slowly, the pipe fills up, and a blocking write would delay the
//! invocation beyond its deadline without a report of the lines that were written. So writes do not block, and an
//! invocation stops waiting for the pipe in time.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex as StdMutex, MutexGuard, PoisonError};

use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};
use thiserror::Error;
use tokio::net::unix::pipe;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

/// The maximum size of the notices that are buffered while stdout is full.
const MAX_NOTICES_BYTES: usize = 64 * 1024;

/// The capacity of the pipe to Lambda. With Linux's default of 64 KiB, the function waits for its reader every few writes,
/// which costs a tenth of its time.
const PIPE_BYTES: usize = 256 * 1024;

/// The reason why lines were not written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The time limit is reached.
    #[error("stdout accepted no more data before the deadline")]
    Late,
    #[error("cannot write to stdout: {0}")]
    Io(#[from] io::Error),
}

/// An error, and the number of bytes that were written before it.
#[derive(Debug)]
pub struct PartialWriteError {
    pub written: usize,
    pub why: WriteError,
}

/// Stdout, shared by all invocations.
pub struct Output {
    sink: Mutex<Sink>,
    notices: StdMutex<Vec<u8>>,
}

struct Sink {
    target: Target,
    /// Whether the last line that was written is incomplete.
    torn: bool,
}

enum Target {
    Pipe(pipe::Sender),
    /// A file or a terminal, to which writes do not wait for a reader.
    File(File),
}

impl Output {
    /// Opens the process's stdout. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// Returns an error if stdout is closed.
    pub fn stdout() -> io::Result<Self> {
        let stdout = io::stdout().as_fd().try_clone_to_owned()?;
        if fcntl_getpipe_size(&stdout).is_ok_and(|bytes| bytes < PIPE_BYTES) {
            // If the larger capacity is not allowed, the pipe keeps its own.
            let _ = fcntl_setpipe_size(&stdout, PIPE_BYTES);
        }
        Self::new(stdout)
    }

    /// Creates an unbuffered output. Unlike `io::Stdout`, it reports every failed write.
    fn new(stdout: OwnedFd) -> io::Result<Self> {
        let target = match pipe::Sender::from_owned_fd(stdout.try_clone()?) {
            Ok(pipe) => Target::Pipe(pipe),
            Err(_) => Target::File(stdout.into()),
        };
        Ok(Self { sink: Mutex::new(Sink { target, torn: false }), notices: StdMutex::default() })
    }

    /// Writes complete lines without lines of other invocations between them. Waits for the pipe until `until`.
    ///
    /// # Errors
    /// Returns [`PartialWriteError`] with the number of bytes written. An incomplete line is ended before the next one begins.
    pub async fn write(&self, lines: &[u8], until: Instant) -> Result<(), PartialWriteError> {
        let Ok(mut sink) = timeout_at(until, self.sink.lock()).await else {
            return Err(PartialWriteError { written: 0, why: WriteError::Late });
        };
        let result = match self.write_waiting(&mut sink, until).await {
            Ok(()) => sink.write(lines, until).await,
            Err(why) => Err(PartialWriteError { written: 0, why }),
        };
        drop(sink);
        self.write_notices();
        result
    }

    /// Writes the buffered notices.
    async fn write_waiting(&self, sink: &mut Sink, until: Instant) -> Result<(), WriteError> {
        let mut waiting = std::mem::take(&mut *self.notices());
        let Err(unwritten) = sink.write(&waiting, until).await else { return Ok(()) };
        let whole = waiting[..unwritten.written].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        waiting.drain(..whole);
        self.notices().splice(..0, waiting);
        Err(unwritten.why)
    }

    /// Writes one line about the program, or buffers it while the pipe is full.
    pub fn notice(&self, line: &[u8]) {
        let mut notices = self.notices();
        if notices.len() + line.len() <= MAX_NOTICES_BYTES {
            notices.extend_from_slice(line);
        }
        drop(notices);
        self.write_notices();
    }

    /// Writes the buffered notices and ends an incomplete line.
    pub async fn finish(&self, until: Instant) {
        // The process ends, so an error cannot be reported.
        let _ = self.write(b"", until).await;
    }

    fn write_notices(&self) {
        while !self.notices().is_empty() {
            // The invocation that holds the sink writes the notices afterwards.
            let Ok(mut sink) = self.sink.try_lock() else { return };
            let mut notices = self.notices();
            let written = sink.try_write_lines(&notices);
            if written == 0 {
                return;
            }
            notices.drain(..written);
        }
    }

    fn notices(&self) -> MutexGuard<'_, Vec<u8>> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink {
    async fn write(&mut self, lines: &[u8], until: Instant) -> Result<(), PartialWriteError> {
        while self.torn {
            match self.target.write(b"\n", until).await {
                Ok(written) => self.torn = written == 0,
                Err(why) => return Err(PartialWriteError { written: 0, why }),
            }
        }
        let mut written = 0;
        while written < lines.len() {
            match self.target.write(&lines[written..], until).await {
                Ok(more) => written += more,
                Err(why) => return Err(PartialWriteError { written, why }),
            }
            // The invocation may be dropped at any await, so this must be up to date there.
            self.torn = lines[written - 1] != b'\n';
        }
        Ok(())
    }

    /// Writes as many whole lines as the pipe accepts, and returns the number of bytes that are finished. A line that is
    /// longer than the pipe accepts at once stays incomplete: it is a notice, and waiting would block a thread.
    fn try_write_lines(&mut self, lines: &[u8]) -> usize {
        let mut done = 0;
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            if self.torn && !matches!(self.target.try_write(b"\n"), Ok(1)) {
                return done;
            }
            self.torn = false;
            match self.target.try_write(line) {
                Ok(written) => self.torn = written < line.len(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return done,
                // Stdout is closed. An invocation that cannot write fails by itself.
                Err(_) => {}
            }
            done += line.len();
        }
        done
    }
}

impl Target {
    /// Writes at least one of the bytes.
    async fn write(&mut self, bytes: &[u8], until: Instant) -> Result<usize, WriteError> {
        loop {
            match self.try_write(bytes) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(written) => return Ok(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match self {
                    Self::Pipe(pipe) => timeout_at(until, pipe.writable()).await.map_err(|_| WriteError::Late)??,
                    Self::File(_) => return Err(error.into()),
                },
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Pipe(pipe) => pipe.try_write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    fn in_time() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    fn piped() -> (Output, io::PipeReader) {
        let (reader, writer) = io::pipe().unwrap();
        (Output::new(writer.into()).unwrap(), reader)
    }

    /// Closes the output and returns everything that it wrote.
    fn all(output: Output, mut reader: io::PipeReader) -> String {
        drop(output);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }

    #[tokio::test]
    async fn a_write_to_a_full_pipe_times_out_and_the_incomplete_line_is_ended() {
        let (output, mut reader) = piped();
        let lines = ["x".repeat(100_000), "y".repeat(100_000)].join("\n") + "\n";
        let unwritten = output.write(lines.as_bytes(), soon()).await.unwrap_err();
        assert!(matches!(unwritten.why, WriteError::Late), "{unwritten:?}");
        assert!(unwritten.written > 0 && unwritten.written < 100_000, "{unwritten:?}");
        reader.read_exact(&mut vec![0; unwritten.written]).unwrap();
        output.write(b"next\n", in_time()).await.unwrap();
        assert_eq!(all(output, reader), "\nnext\n");
    }

    #[tokio::test]
    async fn waiting_for_another_writer_times_out() {
        let (output, _reader) = piped();
        let many = vec![b'\n'; 200_000];
        let (first, second) = tokio::join!(output.write(&many, soon()), output.write(b"b\n", soon()));
        assert!(matches!(first.unwrap_err().why, WriteError::Late));
        let second = second.unwrap_err();
        assert!(matches!(second.why, WriteError::Late) && second.written == 0);
    }

    #[tokio::test]
    async fn a_notice_is_buffered_while_the_pipe_is_full() {
        let (output, mut reader) = piped();
        let unwritten = output.write(&vec![b'\n'; 200_000], soon()).await.unwrap_err();
        output.notice(b"notice\n");
        reader.read_exact(&mut vec![0; unwritten.written]).unwrap();
        output.write(b"line\n", in_time()).await.unwrap();
        assert_eq!(all(output, reader), "notice\nline\n");
    }

    #[tokio::test]
    async fn finish_writes_buffered_notices() {
        let (output, mut reader) = piped();
        let unwritten = output.write(&vec![b'x'; 200_000], soon()).await.unwrap_err();
        output.notice(b"notice\n");
        reader.read_exact(&mut vec![0; unwritten.written]).unwrap();
        output.finish(in_time()).await;
        assert_eq!(all(output, reader), "\nnotice\n");
    }

    #[tokio::test]
    async fn a_write_to_a_closed_pipe_is_an_error() {
        let (output, reader) = piped();
        drop(reader);
        let unwritten = output.write(b"a\n", in_time()).await.unwrap_err();
        assert_eq!(unwritten.why.to_string(), "cannot write to stdout: Broken pipe (os error 32)");
        output.notice(b"nobody hears it\n");
    }

    #[tokio::test]
    async fn lines_are_written_to_a_file() {
        let mut file = tempfile::tempfile().unwrap();
        let output = Output::new(file.try_clone().unwrap().into()).unwrap();
        output.write(b"a\nb\n", in_time()).await.unwrap();
        output.notice(b"c\n");
        let mut text = String::new();
        io::Seek::rewind(&mut file).unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a\nb\nc\n");
    }
}
