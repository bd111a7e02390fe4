//! The endpoint's own runtimes for Python and Node.js against AWS's runtime clients, `awslambdaric` and `aws-lambda-ric`: the
//! same handlers run on both, as functions of one endpoint, and answer and log alike (`runtimes/compare.py`).
//!
//! The clients are installed once for a checkout, in the versions that `runtimes/requirements.txt` and
//! `runtimes/package-lock.json` name. Where they cannot be had, that is said and the test ends; in CI it is a failure.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use common::{Endpoint, Run, install};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runtimes")
}

/// AWS's client for Python, and boto3, which all comparisons need.
fn python() -> Option<&'static Path> {
    static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
    let install = || unless_in_ci("Python", install::python("runtimes", &folder().join("requirements.txt")));
    INSTALLED.get_or_init(install).as_deref()
}

/// AWS's clients for Node.js: 3, up to Node.js 22, and 4, from Node.js 24 on.
fn node() -> Option<&'static Path> {
    static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
    let install = || unless_in_ci("Node.js", install::javascript("runtimes-js", &folder()));
    INSTALLED.get_or_init(install).as_deref()
}

fn unless_in_ci(language: &str, installed: Option<PathBuf>) -> Option<PathBuf> {
    if installed.is_none() {
        assert!(std::env::var_os("CI").is_none(), "AWS's runtime client for {language} could not be installed");
        eprintln!("AWS's runtime client for {language} could not be installed: nothing was compared");
    }
    installed
}

/// Runs a script of `runtimes/` against an endpoint. Its last line must be `last`.
#[track_caller]
fn run(script: &str, args: &[&str], last: &str) {
    let Some(venv) = python() else { return };
    let endpoint = Endpoint::start();
    let mut command = Command::new(venv.join("bin/python3"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    // Prevents a folder of compiled modules beside the scripts.
    command.envs(endpoint.exports()).env("PYTHONDONTWRITEBYTECODE", "1");
    let run = Run::of(command.arg(folder().join(script)).args(args));
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.lines().last().is_some_and(|line| line.starts_with(last)), "{}", run.stdout);
}

/// Runs every handler of a corpus on both, and prints the differences.
#[track_caller]
fn compare(runtime: &str, client: Option<&Path>) {
    if let Some(client) = client {
        run("compare.py", &[runtime, client.to_str().unwrap()], "0 of ");
    }
}

#[test]
fn python_functions_answer_and_log_as_with_the_client_of_aws() {
    compare("python", python());
}

#[test]
fn functions_up_to_node_22_answer_and_log_as_with_the_client_of_aws() {
    compare("node20", node());
}

#[test]
fn functions_of_node_24_answer_and_log_as_with_the_client_of_aws() {
    compare("node24", node());
}

#[test]
fn a_functions_credentials_are_a_session_of_its_role() {
    run("identity.py", &[], "ok");
}
