//! The one writer: whole lines on stdout, whichever invocation they come from, and never past a deadline.
//!
//! Lambda reads stdout through a pipe. When it reads too slowly the pipe fills up, and a blocking write would hold the
//! invocation beyond its deadline, with nobody told which lines made it. So the pipe is written without blocking, and
//! whoever waits for room in it gives up in time.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex as StdMutex, MutexGuard, PoisonError};

use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};
use thiserror::Error;
use tokio::net::unix::pipe;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

/// What the program says about itself waits here, at most so many bytes, while stdout has no room.
const NOTICES_BYTES: usize = 64 * 1024;

/// What the pipe to Lambda is made to hold: room for the next lines while the last are read. With the 64 KiB that Linux gives, the
/// function is interrupted for its reader every few writes, which costs a tenth of its time.
const PIPE_BYTES: usize = 256 * 1024;

/// Why lines were not written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The time set for it is over.
    #[error("stdout takes no more before the deadline")]
    Late,
    #[error("cannot write to stdout: {0}")]
    Io(#[from] io::Error),
}

/// How many of the bytes were written before that.
#[derive(Debug)]
pub struct Unwritten {
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
    /// Whether the last thing written is a line without its end.
    torn: bool,
}

enum Target {
    Pipe(pipe::Sender),
    /// A file or a terminal: a write to it does not wait for a reader.
    File(File),
}

impl Output {
    /// Takes over this process's stdout. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// When stdout is closed.
    pub fn stdout() -> io::Result<Self> {
        let stdout = io::stdout().as_fd().try_clone_to_owned()?;
        if fcntl_getpipe_size(&stdout).is_ok_and(|bytes| bytes < PIPE_BYTES) {
            // Where it is not allowed, the pipe stays as it is.
            let _ = fcntl_setpipe_size(&stdout, PIPE_BYTES);
        }
        Self::new(stdout)
    }

    /// Unbuffered, and unlike `io::Stdout` it reports every failed write.
    fn new(stdout: OwnedFd) -> io::Result<Self> {
        let target = match pipe::Sender::from_owned_fd(stdout.try_clone()?) {
            Ok(pipe) => Target::Pipe(pipe),
            Err(_) => Target::File(stdout.into()),
        };
        Ok(Self { sink: Mutex::new(Sink { target, torn: false }), notices: StdMutex::default() })
    }

    /// Writes lines, each ended, with none of others between them, waiting for room until then.
    ///
    /// # Errors
    /// [`Unwritten`], with how far it came: a line that was begun is not whole, and is ended before another begins.
    pub async fn write(&self, lines: &[u8], until: Instant) -> Result<(), Unwritten> {
        let Ok(mut sink) = timeout_at(until, self.sink.lock()).await else {
            return Err(Unwritten { written: 0, why: WriteError::Late });
        };
        let result = match self.write_waiting(&mut sink, until).await {
            Ok(()) => sink.write(lines, until).await,
            Err(why) => Err(Unwritten { written: 0, why }),
        };
        drop(sink);
        self.write_notices();
        result
    }

    /// Writes the notices for which there was no room.
    async fn write_waiting(&self, sink: &mut Sink, until: Instant) -> Result<(), WriteError> {
        let mut waiting = std::mem::take(&mut *self.notices());
        let Err(unwritten) = sink.write(&waiting, until).await else { return Ok(()) };
        let whole = waiting[..unwritten.written].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        waiting.drain(..whole);
        self.notices().splice(..0, waiting);
        Err(unwritten.why)
    }

    /// Writes one line about the program, at once or when there is room.
    pub fn notice(&self, line: &[u8]) {
        let mut notices = self.notices();
        if notices.len() + line.len() <= NOTICES_BYTES {
            notices.extend_from_slice(line);
        }
        drop(notices);
        self.write_notices();
    }

    /// Ends what is left: notices, and a torn line.
    pub async fn finish(&self, until: Instant) {
        // Nobody is left to tell that it failed.
        let _ = self.write(b"", until).await;
    }

    fn write_notices(&self) {
        while !self.notices().is_empty() {
            // Whoever holds the sink comes here when it is done.
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
    async fn write(&mut self, lines: &[u8], until: Instant) -> Result<(), Unwritten> {
        while self.torn {
            match self.target.write(b"\n", until).await {
                Ok(written) => self.torn = written == 0,
                Err(why) => return Err(Unwritten { written: 0, why }),
            }
        }
        let mut written = 0;
        while written < lines.len() {
            match self.target.write(&lines[written..], until).await {
                Ok(more) => written += more,
                Err(why) => return Err(Unwritten { written, why }),
            }
            // Kept true at every await: the invocation may be dropped there.
            self.torn = lines[written - 1] != b'\n';
        }
        Ok(())
    }

    /// Writes the whole lines there is room for; how many bytes are done with. A line longer than the pipe takes at
    /// once is torn: it is a notice, and waiting here would hold up a thread.
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
                // Nobody reads stdout any more; an invocation that cannot write fails by itself.
                Err(_) => {}
            }
            done += line.len();
        }
        done
    }
}

impl Target {
    /// Writes some of the bytes, at least one.
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

    /// Ends the output, and gives all it wrote.
    fn all(output: Output, mut reader: io::PipeReader) -> String {
        drop(output);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }

    #[tokio::test]
    async fn a_full_pipe_is_waited_for_no_longer_than_allowed_and_a_torn_line_is_ended() {
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
    async fn who_waits_for_the_writer_gives_up_in_time_too() {
        let (output, _reader) = piped();
        let many = vec![b'\n'; 200_000];
        let (first, second) = tokio::join!(output.write(&many, soon()), output.write(b"b\n", soon()));
        assert!(matches!(first.unwrap_err().why, WriteError::Late));
        let second = second.unwrap_err();
        assert!(matches!(second.why, WriteError::Late) && second.written == 0);
    }

    #[tokio::test]
    async fn a_notice_waits_for_room_and_is_not_lost() {
        let (output, mut reader) = piped();
        let unwritten = output.write(&vec![b'\n'; 200_000], soon()).await.unwrap_err();
        output.notice(b"notice\n");
        reader.read_exact(&mut vec![0; unwritten.written]).unwrap();
        output.write(b"line\n", in_time()).await.unwrap();
        assert_eq!(all(output, reader), "notice\nline\n");
    }

    #[tokio::test]
    async fn the_end_writes_what_is_left() {
        let (output, mut reader) = piped();
        let unwritten = output.write(&vec![b'x'; 200_000], soon()).await.unwrap_err();
        output.notice(b"notice\n");
        reader.read_exact(&mut vec![0; unwritten.written]).unwrap();
        output.finish(in_time()).await;
        assert_eq!(all(output, reader), "\nnotice\n");
    }

    #[tokio::test]
    async fn a_closed_pipe_is_an_error_that_says_so() {
        let (output, reader) = piped();
        drop(reader);
        let unwritten = output.write(b"a\n", in_time()).await.unwrap_err();
        assert_eq!(unwritten.why.to_string(), "cannot write to stdout: Broken pipe (os error 32)");
        output.notice(b"nobody hears it\n");
    }

    #[tokio::test]
    async fn a_file_is_written_as_well() {
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
