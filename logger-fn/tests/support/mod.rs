//! Runs the built function with a minimal Runtime API.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time limit of every wait. Only a test that would hang reaches it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A request that the function posted.
#[derive(Debug)]
pub struct Post {
    pub path: String,
    headers: Vec<String>,
    pub body: String,
}

impl Post {
    /// Returns the value of a header. Its name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// A running function and its Runtime API.
pub struct Function {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    events: Sender<Event>,
    /// The request ids of the events that the function accepted.
    taken: Receiver<String>,
    posts: Receiver<Post>,
}

struct Event {
    request_id: String,
    time: Duration,
    body: Vec<u8>,
}

/// Serves the function's connections.
#[derive(Clone)]
struct RuntimeApi {
    next: Arc<Mutex<Receiver<Event>>>,
    taken: Sender<String>,
    posted: Sender<Post>,
}

/// The function's program. `LOGGER_FN_BINARY` names another build of it, and `LOGGER_FN_RUNNER` the emulator that runs that.
pub fn bootstrap() -> Command {
    let binary = std::env::var_os("LOGGER_FN_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_bootstrap").into());
    match std::env::var_os("LOGGER_FN_RUNNER") {
        Some(runner) => {
            let mut command = Command::new(runner);
            command.arg(binary);
            command
        }
        None => Command::new(binary),
    }
}

impl Function {
    /// Starts the function with `variables` and the variables that Lambda always sets.
    pub fn start(variables: &[(&str, &str)]) -> Self {
        let (events, next) = channel();
        let (took, taken) = channel();
        let (posted, posts) = channel();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let api = RuntimeApi { next: Arc::new(Mutex::new(next)), taken: took, posted };
        thread::spawn(move || api.serve(&listener));
        let mut child = bootstrap()
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "logger")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().map(BufReader::new);
        Self { child, stdout, events, taken, posts }
    }

    /// Sends the function an event and returns its answer.
    pub fn invoke(&self, request_id: &str, event: impl Into<Vec<u8>>) -> Post {
        self.send(request_id, event);
        self.post()
    }

    /// Sends the function an event.
    pub fn send(&self, request_id: &str, event: impl Into<Vec<u8>>) {
        self.send_with_time(request_id, event, Duration::from_secs(900));
    }

    /// Sends the function an event with a deadline.
    pub fn send_with_time(&self, request_id: &str, event: impl Into<Vec<u8>>, time: Duration) {
        self.events.send(Event { request_id: request_id.to_owned(), time, body: event.into() }).unwrap();
    }

    /// Waits until the function accepts the next event, and returns its request id.
    pub fn taken(&self) -> String {
        self.taken.recv_timeout(TIMEOUT).expect("the function takes an event")
    }

    /// Sends the function SIGTERM.
    pub fn terminate(&self) {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
    }

    /// Returns the next request that the function posts.
    pub fn post(&self) -> Post {
        self.posts.recv_timeout(TIMEOUT).expect("an answer from the function")
    }

    /// Returns the next line of the log.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout().read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the log ended at {line:?}");
        line.pop();
        line
    }

    /// Ends the function. Returns its exit status and the part of its log that was not read.
    pub fn end(mut self, kill: bool) -> (ExitStatus, String) {
        if kill {
            self.child.kill().unwrap();
        }
        let mut log = String::new();
        self.stdout().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap(), log)
    }

    /// Closes the reading end of the log.
    pub fn close_log(&mut self) {
        self.stdout = None;
    }

    fn stdout(&mut self) -> &mut BufReader<ChildStdout> {
        self.stdout.as_mut().expect("its log, which was closed")
    }
}

impl Drop for Function {
    /// Kills the process if a test fails.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl RuntimeApi {
    fn serve(self, listener: &TcpListener) {
        for stream in listener.incoming() {
            let api = self.clone();
            thread::spawn(move || api.serve_connection(stream.unwrap()));
        }
    }

    fn serve_connection(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some(request) = read_request(&mut reader)? {
            if !request.path.ends_with("/invocation/next") {
                stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")?;
                let _ = self.posted.send(request);
                continue;
            }
            // The other end is dropped when the test has ended.
            let Ok(event) = self.next.lock().unwrap().recv() else { return Ok(()) };
            let id = &event.request_id;
            let deadline_ms = (SystemTime::now() + event.time).duration_since(UNIX_EPOCH).unwrap().as_millis();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: {id}\r\nLambda-Runtime-Deadline-Ms: {deadline_ms}\r\n\
                 Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:123456789012:function:logger\r\n\
                 Lambda-Runtime-Invocation-Id: invocation-of-{id}\r\nContent-Length: {}\r\n\r\n",
                event.body.len()
            )?;
            stream.write_all(&event.body)?;
            let _ = self.taken.send(event.request_id);
        }
        Ok(())
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Post>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut request = Post { path, headers: Vec::new(), body: String::new() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            header => request.headers.push(header.to_owned()),
        }
    }
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    request.body = String::from_utf8(body).unwrap();
    Ok(Some(request))
}
