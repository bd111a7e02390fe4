//! A command whose output the test reads while it runs.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::eventually;

pub struct Running {
    child: Child,
    pub stdout: PrintedLines,
    pub stderr: PrintedLines,
}

/// The lines printed so far.
pub struct PrintedLines {
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = PrintedLines::of(child.stdout.take().unwrap());
        let stderr = PrintedLines::of(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Sends a signal to the command.
    pub fn signal(&self, signal: &str) {
        Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
    }

    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Waits until the command ends by itself, and returns its exit code.
    #[track_caller]
    pub fn ended(&mut self) -> i32 {
        let status = eventually("the command to end", || self.child.try_wait().unwrap());
        self.stdout.join();
        self.stderr.join();
        status.code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

impl PrintedLines {
    fn of(from: impl Read + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            BufReader::new(from).lines().map_while(Result::ok).for_each(|line| sink.lock().unwrap().push(line));
        });
        Self { lines, reader: Some(reader) }
    }

    fn join(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The number of lines that contain the text.
    pub fn count(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(text)).count()
    }

    /// Waits for a line with the text.
    #[track_caller]
    pub fn has(&self, text: &str) {
        eventually(&format!("a line with {text:?}"), || (self.count(text) > 0).then_some(()));
    }
}
