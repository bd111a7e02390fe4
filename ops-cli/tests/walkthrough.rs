//! The walk-through that this project replaces, typed with the AWS CLI, and again with boto3: real clients of AWS
//! against `ops-cli local`.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Endpoint, Run};

/// The Python clients of `clients/requirements.txt`, installed once for this checkout. `None` where they cannot be had,
/// for want of Python, of its `venv` or of a network: the README's test command needs nothing but Rust; in CI that is
/// a failure.
fn clients() -> Option<PathBuf> {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/requirements.txt");
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    let installed = venv.join("installed.txt");
    let wanted = std::fs::read(&requirements).unwrap();
    if std::fs::read(&installed).is_ok_and(|there| there == wanted) {
        return Some(venv);
    }
    let venv_made = has_run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
    let pip = venv.join("bin/pip");
    if !venv_made || !has_run(Command::new(pip).args(["install", "--quiet", "--requirement"]).arg(&requirements)) {
        assert!(std::env::var_os("CI").is_none(), "the AWS CLI could not be installed");
        eprintln!("the AWS CLI could not be installed: the walk-through with it was not run");
        return None;
    }
    std::fs::write(installed, wanted).unwrap();
    Some(venv)
}

fn has_run(command: &mut Command) -> bool {
    match command.output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            eprintln!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
            false
        }
        Err(error) => {
            eprintln!("{command:?}: {error}");
            false
        }
    }
}

/// A command with the endpoint's exports, and the clients on its PATH.
fn client(venv: &Path, endpoint: &Endpoint, program: &str) -> Command {
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("PATH", format!("{}:{path}", venv.join("bin").display())).envs(endpoint.exports());
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
