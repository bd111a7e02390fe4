//! Helpers of the tests: a real endpoint process on a free port, and `ops-cli` run against it.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stderr, reason = "each test file uses its part")]

pub mod install;
pub mod path_of_records;
pub mod proxy;
pub mod publishing;
pub mod running;
pub mod user;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

pub const OPS_CLI: &str = env!("CARGO_BIN_EXE_ops-cli");

/// `ops-cli` without the caller's AWS settings and configuration files.
pub fn ops_cli() -> Command {
    ops_cli_by(OPS_CLI)
}

/// Does the same as [`ops_cli`] with another program that starts it.
pub fn ops_cli_by(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["PATH", "CARGO", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let nowhere = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-such-aws-folder");
    command
        .env("AWS_CONFIG_FILE", nowhere.join("config"))
        .env("AWS_SHARED_CREDENTIALS_FILE", nowhere.join("credentials"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null());
    command
}

/// The output and the exit code of a run.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn of(command: &mut Command) -> Self {
        Self::from(command.output().unwrap())
    }

    /// Runs the command with `input` on its stdin.
    pub fn with_stdin(command: &mut Command, input: &[u8]) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // The child may end before it has read everything.
        let writer = std::thread::spawn(move || stdin.write_all(&input).ok());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Self::from(output)
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that the run failed with this exit code, one `error:` line and a hint.
    #[track_caller]
    pub fn failed(self, code: i32, error: &str, hint: &str) -> Self {
        let errors: Vec<_> = self.stderr.lines().filter(|line| line.starts_with("error:")).collect();
        let hints: Vec<_> = self.stderr.lines().filter(|line| line.starts_with("hint:")).collect();
        let all = format!("exit code {}\nstdout:\n{}\nstderr:\n{}", self.code, self.stdout, self.stderr);
        assert_eq!(self.code, code, "{all}");
        assert_eq!(errors.len(), 1, "{all}");
        assert!(errors[0].contains(error), "no {error:?} in the error: {all}");
        assert!(hints.iter().any(|line| line.contains(hint)), "no {hint:?} in a hint: {all}");
        self
    }

    /// Parses stdout as lines of JSON.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// `ops-cli local` in a separate process, which is stopped when this is dropped.
pub struct Endpoint {
    child: Child,
    pub url: String,
    pub credentials: local_aws::Credentials,
}

impl Endpoint {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(options: &[&str]) -> Self {
        Self::of(ops_cli().args(["--output", "json", "local", "--port", "0", "--fast-retries"]).args(options))
    }

    /// Starts a command that prints the exports as JSON.
    pub fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let exports: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        let url = exports["endpointUrl"].as_str().unwrap().to_owned();
        Self { child, url, credentials: serde_json::from_value(exports).unwrap() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The configuration of SDK clients for this endpoint.
    pub async fn sdk_config(&self) -> aws_config::SdkConfig {
        let local_aws::Credentials { access_key_id, secret_access_key, .. } = self.credentials.clone();
        let credentials =
            aws_credential_types::Credentials::new(access_key_id, secret_access_key, None, None, "the endpoint's own");
        aws_config::defaults(aws_config::BehaviorVersion::latest())
            .endpoint_url(&self.url)
            .region("us-east-1")
            .credentials_provider(credentials)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .load()
            .await
    }

    /// The variables that the endpoint prints, for the AWS CLI and other tools.
    pub fn exports(&self) -> [(&'static str, &str); 6] {
        [
            ("AWS_ENDPOINT_URL", &self.url),
            ("AWS_DISABLE_HOST_PREFIX_INJECTION", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", &self.credentials.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &self.credentials.secret_access_key),
        ]
    }

    /// `ops-cli` connected to this endpoint, with the application `test`.
    pub fn ops<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = ops_cli();
        command.args(["--local", "--endpoint-url", &self.url, "--app", "test"]).args(args);
        command
    }

    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        Run::of(&mut self.ops(args))
    }

    /// Provisions the default path with the real function.
    #[track_caller]
    pub fn provision(&self, more: &[&str]) -> Run {
        let zip = function_zip().to_str().unwrap();
        self.run(["provision", "--zip", zip].iter().chain(more)).ok()
    }

    /// Makes the path of the application `test` one of an earlier `provision`: its mapping runs `$LATEST`, and it has no alias.
    pub async fn remove_alias(&self) {
        let lambda = aws_sdk_lambda::Client::new(&self.sdk_config().await);
        let mappings = lambda.list_event_source_mappings().send().await.unwrap();
        let mapping = &mappings.event_source_mappings()[0];
        if mapping.function_arn().unwrap().ends_with(":live") {
            let update = lambda.update_event_source_mapping().uuid(mapping.uuid().unwrap()).function_name("test-dev");
            update.send().await.unwrap();
        }
        lambda.delete_alias().function_name("test-dev").name("live").send().await.unwrap();
    }

    /// Sets a fault of the endpoint.
    #[track_caller]
    pub fn fault(&self, fault: &Value) {
        self.faults("POST", &fault.to_string());
    }

    /// Lists the faults of the endpoint (GET), sets one (POST) or ends them (DELETE). Returns the answer's body.
    #[track_caller]
    pub fn faults(&self, method: &str, body: &str) -> String {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!("{method} /_local/faults HTTP/1.1\r\nhost: {address}\r\nconnection: close");
        write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Requests one of the endpoint's own pages. Returns the status and the body.
    #[track_caller]
    pub fn get(&self, path: &str) -> (u16, String) {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Sends a signal, waits for the end, and returns the exit code.
    pub fn stop(&mut self, signal: &str) -> Option<i32> {
        Command::new("kill").args([signal, &self.pid().to_string()]).status().unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // SIGINT, so that the endpoint stops its function processes.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop("-INT");
        }
    }
}

/// A path at which a test may create a file or a folder. Deletes what an earlier run created there.
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scratch");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    if path.is_dir() {
        std::fs::remove_dir_all(&path).unwrap();
    } else {
        std::fs::remove_file(&path).ok();
    }
    path
}

/// The zip of the real function, built once for all tests of a file.
pub fn function_zip() -> &'static Path {
    static ZIP: OnceLock<PathBuf> = OnceLock::new();
    ZIP.get_or_init(|| {
        let zip = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bootstrap.zip");
        // Renamed when it is complete, because the tests of another file may read it.
        let packed = zip.with_extension(std::process::id().to_string());
        Run::of(ops_cli().args(["package", "--this-machine", "--out"]).arg(&packed)).ok();
        std::fs::rename(&packed, &zip).unwrap();
        zip
    })
}

/// Polls until `look` finds something, and returns it.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "waited 30 s for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
