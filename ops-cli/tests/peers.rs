//! `provision`, `plan`, `rollback` and `teardown` on other emulators of AWS, as a second opinion: `cargo make peers`.
//!
//! What another emulator does not do as AWS does is listed here, field by field, and checked: a list that is too long fails as well.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use common::provisioning::{CHANGES, planned};
use common::{Run, eventually, function_zip, install, ops_cli};
use serde_json::Value;

/// An emulator that runs.
struct Peer {
    child: Child,
    port: u16,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The folder of the emulators, which the benchmark of the endpoint uses too.
fn installed() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/endpoint/peers/requirements.txt");
        install::python("peers", &requirements).expect("the emulators could not be installed from PyPI")
    })
}

impl Peer {
    fn moto() -> Self {
        let port = free_port();
        let mut command = Command::new(installed().join("bin/moto_server"));
        Self::start(command.args(["--port", &port.to_string()]).env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true"), port)
    }

    fn ministack() -> Self {
        let port = free_port();
        Self::start(Command::new(installed().join("bin/ministack")).env("GATEWAY_PORT", port.to_string()), port)
    }

    fn start(command: &mut Command, port: u16) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let peer = Self { child, port };
        eventually("the emulator", || TcpStream::connect(("127.0.0.1", port)).ok().map(drop));
        peer
    }

    fn run(&self, args: &[&str]) -> Run {
        let mut command = ops_cli();
        command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        Run::of(command.args(["--app", "test", "--output", "json"]).args(args))
    }

    fn planned(&self, args: &[&str]) -> Vec<String> {
        planned(&self.run(&[&["plan"], args].concat()).ok())
    }

    /// Provisions, changes each setting, goes back and deletes. Returns the fields that the emulator rejects, ignores or changes itself.
    fn walk(&self) -> Vec<String> {
        let zip = ["--zip", function_zip().to_str().unwrap()];
        let mut differing = Vec::new();
        self.run(&[&["provision"], &zip[..]].concat()).ok();
        differing.extend(self.planned(&zip));
        for (args, field) in CHANGES {
            let is_new = |fields: Vec<String>, differing: &[String]| -> Vec<String> {
                fields.into_iter().filter(|field| !differing.contains(field)).collect()
            };
            // The emulator ignored a change that this one needs: another mode of the stream, or the log format.
            if self.run(&[&["plan"], *args].concat()).code == 2 {
                differing.push((*field).to_owned());
                continue;
            }
            let planned = is_new(self.planned(args), &differing);
            if planned.is_empty() {
                continue;
            }
            let follows = ["retries", "max-record-age"].contains(field);
            assert!(follows || planned == [*field], "{args:?}: {planned:?}");
            let changed = self.run(&[&["provision", "--yes", "--wait", "5"], *args].concat());
            if changed.code != 0 || !is_new(self.planned(args), &differing).is_empty() {
                differing.push((*field).to_owned());
            }
        }
        self.run(&["provision", "--memory", "512", "--wait", "5"]);
        let versions = self.run(&["versions"]).ok().json();
        assert!(versions.len() > 1, "{versions:?}");
        self.run(&["rollback", "1"]).ok();
        let live = |versions: Vec<Value>| versions.iter().find(|it| it["live"] == 1.0).map(|it| it["version"].clone());
        assert_eq!(live(self.run(&["versions"]).ok().json()), Some(1.into()));
        self.run(&["teardown", "--yes"]).ok();
        let left = self.run(&["teardown", "--yes"]).ok().json().remove(0);
        assert!(left["deleted"].as_array().unwrap().is_empty(), "{left}");
        differing.sort();
        differing.dedup();
        differing
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
#[ignore = "`cargo make peers` runs it"]
fn moto_agrees_but_for_these_fields() {
    // It points a mapping to the version of the alias, and updates neither levels nor tracing.
    let differing = [
        "application-log-level",
        "deletion-protection",
        "distribution",
        "function",
        "kms-key",
        "max-record-kib",
        "system-log-level",
        "tracing",
        "warm-throughput-mibps",
    ];
    assert_eq!(Peer::moto().walk(), differing);
}

#[test]
#[ignore = "`cargo make peers` runs it"]
fn ministack_agrees_but_for_these_fields() {
    let differing = [
        "deletion-protection",
        "distribution",
        "kms-key",
        "max-record-kib",
        "metrics",
        "shards",
        "tumbling-window",
        "warm-throughput-mibps",
    ];
    assert_eq!(Peer::ministack().walk(), differing);
}
