//! Tests of AWS clients against `ops-cli local`: the AWS CLI, boto3, aws-kinesis-agg, awslogs,
//! async-kinesis, watchtower, chalice, Ansible and Powertools from PyPI, AWS's SDK for JavaScript and Powertools from npm;
//! the walk-through that this project replaces among them.
//!
//! They are installed once for a checkout, in the versions that the files `requirements*.txt`, `ansible-collections.txt` and
//! `package-lock.json` of `clients/` name. Where they cannot be had (no Python, no node, no network) that is said and the test ends: the README's test
//! command needs nothing but Rust. In CI (`CI` is set) it is a failure.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use common::{Endpoint, Run, install};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// The folder of the installed Python clients.
fn python() -> Option<&'static Path> {
    static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
    let install = || unless_in_ci("Python", install::python("clients", &folder().join("requirements.txt")));
    INSTALLED.get_or_init(install).as_deref()
}

/// The folder of async-kinesis, which needs another botocore than the other clients.
fn python_async() -> Option<PathBuf> {
    let requirements = folder().join("requirements-async.txt");
    unless_in_ci("asynchronous Python", install::python("clients-async", &requirements))
}

/// The folder of the installed JavaScript clients.
fn javascript() -> Option<&'static Path> {
    static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
    let install = || unless_in_ci("JavaScript", install::javascript("clients-js", &folder()));
    INSTALLED.get_or_init(install).as_deref()
}

fn unless_in_ci(language: &str, installed: Option<PathBuf>) -> Option<PathBuf> {
    if installed.is_none() {
        assert!(std::env::var_os("CI").is_none(), "the {language} clients could not be installed");
        eprintln!("the {language} clients could not be installed: they were not run");
    }
    installed
}

/// Returns a command with the endpoint's exports, and without other AWS settings.
fn client(endpoint: &Endpoint, program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.envs(endpoint.exports());
    command
}

/// Runs a script of `clients/` with the Python clients on its PATH. Its last line must be `last`.
fn runs_in_python(script: &str, args: &[&str], last: &str) {
    let Some(venv) = python() else { return };
    runs_in(venv, script, args, last);
}

fn runs_in(venv: &Path, script: &str, args: &[&str], last: &str) {
    let endpoint = Endpoint::start();
    let interpreter = if script.ends_with(".py") { "python3" } else { "bash" };
    let path = format!("{}:{}", venv.join("bin").display(), std::env::var("PATH").unwrap());
    let mut command = client(&endpoint, interpreter);
    let run = Run::of(command.arg(folder().join(script)).args(args).env("PATH", path));
    // Ansible reports failures on stdout.
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert_eq!(run.stdout.lines().last(), Some(last), "{}", run.stdout);
}

/// Runs a module of `clients/` from the folder in which its imports are installed. Its last line must be `last`.
fn runs_in_javascript(module: &str, last: &str) {
    let Some(modules) = javascript() else { return };
    let endpoint = Endpoint::start();
    let source = std::fs::read(folder().join(module)).unwrap();
    let mut command = client(&endpoint, "node");
    command.args(["--input-type=module", "-"]).current_dir(modules);
    let run = Run::with_stdin(&mut command, &source).ok();
    assert_eq!(run.stdout.lines().last(), Some(last), "{}", run.stdout);
}

fn zip() -> &'static str {
    common::function_zip().to_str().unwrap()
}

/// An empty folder for one test's files.
fn work(name: &str) -> String {
    let folder = common::scratch(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder.to_str().unwrap().to_owned()
}

#[test]
fn the_aws_cli_completes_the_walk_through() {
    runs_in_python("walkthrough.sh", &[zip(), &work("walkthrough")], "walked");
}

#[test]
fn boto3_completes_the_walk_through() {
    runs_in_python("walkthrough.py", &[zip()], "walked");
}

#[test]
fn aws_kinesis_agg_puts_aggregates_and_reads_them_back() {
    runs_in_python("aggregation.py", &[zip()], "aggregated");
}

#[test]
fn boto3_keeps_two_regions_apart() {
    runs_in_python("regions.py", &[], "kept apart");
}

#[test]
fn the_aws_cli_keeps_two_regions_apart() {
    runs_in_python("regions.sh", &[], "kept apart");
}

#[test]
fn boto3_subscribes_to_a_shard() {
    runs_in_python("subscribe.py", &[], "subscribed");
}

#[test]
fn boto3_tails_live() {
    runs_in_python("live_tail.py", &[], "tailed");
}

#[test]
fn awslogs_lists_gets_filters_and_watches() {
    runs_in_python("awslogs.sh", &[&work("awslogs")], "watched");
}

#[test]
fn the_aws_cli_tails_live() {
    runs_in_python("live_tail.sh", &[&work("live-tail")], "tailed");
}

#[test]
fn async_kinesis_produces_and_consumes() {
    let Some(venv) = python_async() else { return };
    runs_in(&venv, "async_kinesis.py", &[], "consumed");
}

#[test]
fn watchtower_logs_in_order() {
    runs_in_python("watchtower_logs.py", &[], "logged");
}

#[test]
fn chalice_deploys_and_deletes_an_application() {
    runs_in_python("chalice_app.sh", &[&work("chalice")], "deployed");
}

#[test]
fn ansible_creates_changes_and_deletes_resources() {
    let collections = install::ansible_collections("clients-ansible", &folder().join("ansible-collections.txt"));
    let Some(collections) = unless_in_ci("Ansible", collections) else { return };
    runs_in_python("ansible.sh", &[&work("ansible"), collections.to_str().unwrap()], "played");
}

#[test]
fn powertools_for_python_reports_failed_records() {
    runs_in_python("powertools.py", &[], "processed");
}

#[test]
fn powertools_for_typescript_reports_failed_records() {
    runs_in_javascript("powertools.mjs", "processed");
}

#[test]
fn javascript_streams_over_http_2() {
    runs_in_javascript("kinesis.mjs", "streamed");
}

#[test]
fn javascript_creates_invokes_and_maps_a_function() {
    runs_in_javascript("lambda.mjs", "invoked");
}

#[test]
fn javascript_writes_reads_and_filters_logs() {
    runs_in_javascript("logs.mjs", "logged");
}

#[test]
fn javascript_tails_live() {
    runs_in_javascript("live_tail.mjs", "tailed");
}
