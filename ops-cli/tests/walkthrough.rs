//! The walk-through that this project replaces, typed with the AWS CLI, and again with boto3: real clients of AWS
//! against `ops-cli local`.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Endpoint, Run};

/// The Python clients of `clients/requirements.txt`, installed once for this checkout. `None` where there is no Python:
/// the README's test command needs nothing but Rust; in CI that is a failure.
fn clients() -> Option<PathBuf> {
    if Command::new("python3").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "python3 is not on PATH");
        eprintln!("python3 is not on PATH: the walk-through with the AWS CLI was not run");
        return None;
    }
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/requirements.txt");
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    let installed = venv.join("installed.txt");
    let wanted = std::fs::read(&requirements).unwrap();
    if std::fs::read(&installed).is_ok_and(|there| there == wanted) {
        return Some(venv);
    }
    Run::of(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv)).ok();
    Run::of(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--requirement"]).arg(&requirements)).ok();
    std::fs::write(installed, wanted).unwrap();
    Some(venv)
}

/// A command with the endpoint's exports, and the clients on its PATH.
fn client(venv: &Path, endpoint: &Endpoint, program: &str) -> Command {
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    command
        .env("PATH", format!("{}:{path}", venv.join("bin").display()))
        .env("AWS_ENDPOINT_URL", &endpoint.url)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", local_aws::ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", local_aws::SECRET_ACCESS_KEY);
    command
}

#[test]
fn with_the_aws_cli_and_with_boto3() {
    let Some(venv) = clients() else { return };
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("walkthrough");
    std::fs::create_dir_all(&work).unwrap();
    let endpoint = Endpoint::start();
    let zip = common::function_zip();

    let walked = Run::of(client(&venv, &endpoint, "bash").arg(tests.join("walkthrough.sh")).arg(zip).arg(&work)).ok();
    assert!(walked.stdout.ends_with("walked\n"), "{}", walked.stdout);
    let walked = Run::of(client(&venv, &endpoint, "python3").arg(tests.join("walkthrough.py")).arg(zip)).ok();
    assert_eq!(walked.stdout, "walked\n");
}
