//! The measured servers: the endpoint and other emulators, each in a separate process.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_smithy_http_client::Builder;
use serde_json::Value;

use crate::support::common::{OPS_CLI, install};

pub struct Server {
    child: Child,
    begun: Instant,
    pub url: String,
    pub access_key_id: String,
    pub secret_access_key: String,
}

/// Another emulator: its name, and the command that starts it on a port.
pub struct Peer {
    pub name: &'static str,
    command: Box<dyn Fn(u16) -> Command>,
}

/// Returns the emulators that can be installed, and prints the names of the others.
pub fn peers() -> Vec<Peer> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/endpoint/peers");
    let bare = |port: u16| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([SERVE_FERROKINESIS, &port.to_string()]);
        command
    };
    let mut peers = vec![Peer { name: "bare ferrokinesis", command: Box::new(bare) }];
    match install::python("peers", &folder.join("requirements.txt")) {
        None => println!("ministack and moto could not be installed: they are left out"),
        Some(venv) => {
            let bin = venv.join("bin");
            let ministack = bin.join("ministack");
            let ministack = move |port: u16| {
                let mut command = Command::new(&ministack);
                command.env("GATEWAY_PORT", port.to_string()).env("BIND_HOST", "127.0.0.1");
                command
            };
            let moto = move |port: u16| {
                let mut command = Command::new(bin.join("moto_server"));
                command.args(["-p", &port.to_string()]);
                command
            };
            peers.push(Peer { name: "ministack", command: Box::new(ministack) });
            peers.push(Peer { name: "moto", command: Box::new(moto) });
        }
    }
    match install::javascript("peers-js", &folder) {
        None => println!("kinesalite and kinesis-local could not be installed: they are left out"),
        Some(folder) => {
            let modules = folder.join("node_modules");
            let kinesalite = modules.join("kinesalite/cli.js");
            let kinesalite = move |port: u16| {
                let mut command = Command::new("node");
                command.arg(&kinesalite).args(["--port", &port.to_string(), "--createStreamMs", "0"]);
                command
            };
            let kinesis_local = move |port: u16| {
                let mut command = Command::new("node");
                // It reads its certificate from the working directory.
                command.arg("main.js").current_dir(modules.join("kinesis-local"));
                command.env("KINESIS_MOCK_PLAIN_PORT", port.to_string()).env("LOG_LEVEL", "ERROR");
                command.env("KINESIS_MOCK_TLS_PORT", free_port().to_string());
                command
            };
            peers.push(Peer { name: "kinesalite", command: Box::new(kinesalite) });
            peers.push(Peer { name: "kinesis-local", command: Box::new(kinesis_local) });
        }
    }
    peers
}

/// The argument that makes this program serve the bare engine.
pub const SERVE_FERROKINESIS: &str = "--serve-ferrokinesis";

pub async fn serve_ferrokinesis(port: u16) {
    let options = ferrokinesis::store::StoreOptions { create_stream_ms: 2, ..Default::default() };
    let (router, _) = ferrokinesis::create_app(options);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    axum::serve(listener, router).await.unwrap();
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    /// Starts `ops-cli local` with these options.
    pub fn ours(options: &[&str]) -> Self {
        // Another build of this program, to compare two in one run.
        let program = std::env::var("BENCH_OPS_CLI").unwrap_or_else(|_| OPS_CLI.to_owned());
        let mut command = Command::new(program);
        command.args(["--output", "json", "local", "--port", "0"]).args(options).stdout(Stdio::piped());
        let mut server = Self::spawn(command, String::new());
        let mut line = String::new();
        BufReader::new(server.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let exports: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| exports[name].as_str().unwrap().to_owned();
        server.url = text("endpointUrl");
        server.access_key_id = text("accessKeyId");
        server.secret_access_key = text("secretAccessKey");
        server
    }

    pub fn of(peer: &Peer) -> Self {
        let port = free_port();
        let mut command = (peer.command)(port);
        command.stdout(Stdio::null());
        Self::spawn(command, format!("http://127.0.0.1:{port}"))
    }

    /// Starts a process group, so that child processes end with the server.
    fn spawn(mut command: Command, url: String) -> Self {
        let begun = Instant::now();
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
        Self { child, begun, url, access_key_id: "AKIAPEER".into(), secret_access_key: "peer".into() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the time from the start until ListStreams is answered.
    pub async fn first_answer(&self) -> Option<Duration> {
        let kinesis = aws_sdk_kinesis::Client::new(&self.config().await);
        while self.begun.elapsed() < Duration::from_secs(60) {
            if kinesis.list_streams().send().await.is_ok() {
                return Some(self.begun.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        None
    }

    /// Returns the configuration of SDK clients without retries.
    pub async fn config(&self) -> SdkConfig {
        let credentials = Credentials::new(&self.access_key_id, &self.secret_access_key, None, None, "bench");
        aws_config::defaults(aws_config::BehaviorVersion::latest())
            .endpoint_url(&self.url)
            .region("us-east-1")
            .credentials_provider(credentials)
            .retry_config(aws_config::retry::RetryConfig::disabled())
            .http_client(Builder::new().build_http())
            .load()
            .await
    }

    /// Returns a command of an AWS tool for this server.
    pub fn client(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", &self.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret_access_key);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for signal in ["-TERM", "-KILL"] {
            Command::new("kill")
                .args([signal, "--", &format!("-{}", self.child.id())])
                .stderr(Stdio::null())
                .status()
                .ok();
            let asked = Instant::now();
            while asked.elapsed() < Duration::from_secs(5) {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
