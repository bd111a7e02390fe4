//! A fast Runtime API that measures time, memory and processor time of a function.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The time limit of every wait.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A function's process, its Runtime API, and the reader of its log.
pub struct Function {
    child: Child,
    begun: Instant,
    events: Sender<Arc<[u8]>>,
    asked: Receiver<Instant>,
    answered: Receiver<String>,
    logged: Arc<AtomicU64>,
}

#[derive(Clone)]
struct RuntimeApi {
    events: Arc<Mutex<Receiver<Arc<[u8]>>>>,
    asked: Sender<Instant>,
    answered: Sender<String>,
}

impl Function {
    pub fn start(mut command: Command) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (events, next) = channel();
        let (ask, asked) = channel();
        let (answer, answered) = channel();
        command
            .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr()?.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "bench")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
            .stdout(Stdio::piped());
        let api = RuntimeApi { events: Arc::new(Mutex::new(next)), asked: ask, answered: answer };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let api = api.clone();
                thread::spawn(move || api.serve(&stream));
            }
        });
        let begun = Instant::now();
        let mut child = command.spawn()?;
        let logged = Arc::new(AtomicU64::new(0));
        let mut stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let count = logged.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; 1024 * 1024];
            while let Ok(read @ 1..) = stdout.read(&mut buffer) {
                count.fetch_add(read as u64, Ordering::Relaxed);
            }
        });
        Ok(Self { child, begun, events, asked, answered, logged })
    }

    /// Returns the time from the start to the request for the first event.
    pub fn time_to_next(&self) -> Duration {
        self.asked.recv_timeout(TIMEOUT).expect("the function asks for an event") - self.begun
    }

    /// Sends the event `count` times, one after the other.
    pub fn handle(&self, event: &Arc<[u8]>, times: usize) {
        for _ in 0..times {
            self.events.send(event.clone()).expect("the Runtime API runs");
        }
        for _ in 0..times {
            let path = self.answered.recv_timeout(TIMEOUT).expect("the function answers");
            assert!(path.ends_with("/response"), "the function failed: {path}");
        }
    }

    /// Returns the current size of the log in bytes.
    pub fn logged(&self) -> u64 {
        self.logged.load(Ordering::Relaxed)
    }

    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the processor time that all threads have used.
    pub fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("the function runs");
        let of_task = |task: io::Result<std::fs::DirEntry>| -> Option<u64> {
            let schedstat = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            schedstat.split(' ').next()?.parse().ok()
        };
        Duration::from_nanos(tasks.filter_map(of_task).sum())
    }

    /// Returns the peak resident memory in MiB.
    pub fn peak_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the function runs");
        let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says it");
        kib.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl RuntimeApi {
    fn serve(&self, stream: &TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut reader = BufReader::new(stream);
        let mut writer = stream;
        loop {
            let path = request(&mut reader)?;
            if !path.ends_with("/next") {
                writer.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").ok()?;
                self.answered.send(path).ok()?;
                continue;
            }
            self.asked.send(Instant::now()).ok()?;
            let event = self.events.lock().ok()?.recv().ok()?;
            write!(
                writer,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
                 Lambda-Runtime-Deadline-Ms: 9999999999999\r\nLambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700\r\n\
                 Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-2:123456789012:function:bench\r\nContent-Length: {}\r\n\r\n",
                event.len()
            )
            .ok()?;
            writer.write_all(&event).ok()?;
        }
    }
}

/// Reads one request and returns its path.
fn request(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse().ok()?,
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    io::copy(&mut reader.take(length), &mut io::sink()).ok()?;
    Some(path)
}
