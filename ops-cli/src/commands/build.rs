//! `build`: the function's binary, as Lambda runs it.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::output::{Output, Render};
use crate::progress::note;

const BUILD: &str = "\
Builds a static binary where the musl target is installed, else one for this machine's own C library, and checks \
that Lambda can run it.

Examples:
  ops-cli build
  ops-cli build --arch arm64

For a static binary: rustup target add x86_64-unknown-linux-musl (or aarch64-…)";

/// Build the function for Lambda, in a checkout of this project
#[derive(Args, Debug, Clone)]
#[command(after_help = BUILD)]
pub struct Build {
    /// The function's architecture (default: this machine's)
    #[arg(long, value_enum)]
    pub arch: Option<Arch>,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum Arch {
    #[value(name = "x86_64")]
    X86_64,
    Arm64,
}

#[derive(Serialize)]
struct Outcome {
    binary: PathBuf,
}

impl Render for Outcome {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(to, "{}", self.binary.display())
    }
}

pub fn run(args: &Build, output: Output) -> Result<()> {
    output.show(&Outcome { binary: function(args.arch)? })
}

/// Builds the function in the checkout that the working directory is in; the binary's path.
pub fn function(arch: Option<Arch>) -> Result<PathBuf> {
    let root = checkout()?;
    let target = target(arch)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(&root)
        .args(["build", "--quiet", "--locked", "--profile", "lambda", "--package", "logger-fn"])
        .args(["--message-format", "json-render-diagnostics"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    if let Some(triple) = target {
        // The toolchain's own linker: a foreign one is nothing to install.
        let variable = format!("CARGO_TARGET_{}_LINKER", triple.to_ascii_uppercase().replace('-', "_"));
        command.args(["--target", triple]).env(variable, "rust-lld");
    }
    let mut child = command.spawn().map_err(|error| Error::failed(format!("could not run cargo: {error}")))?;
    let messages = child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
    let mut binary = None;
    for message in messages {
        binary = executable(&message?).or(binary);
    }
    if !child.wait()?.success() {
        return Err(Error::failed("cargo could not build the function"));
    }
    binary.ok_or_else(|| Error::failed("cargo built the function and did not say where"))
}

/// The path in cargo's message about the function's binary.
/// <https://doc.rust-lang.org/cargo/reference/external-tools.html#json-messages>
fn executable(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    (message["target"]["name"] == "bootstrap").then_some(())?;
    message["executable"].as_str().map(PathBuf::from)
}

fn checkout() -> Result<PathBuf> {
    let here = std::env::current_dir()?;
    let is_checkout =
        |folder: &&Path| folder.join("logger-fn/Cargo.toml").is_file() && folder.join("Cargo.toml").is_file();
    here.ancestors().find(is_checkout).map(Path::to_owned).ok_or_else(|| {
        Error::usage("the working directory is not in a checkout of this project, so there is no function to build")
            .hint("run it in the checkout, or give a zip that was built there")
    })
}

/// The static target for the architecture, if it is installed; otherwise this machine's own, if that is the
/// architecture asked for.
fn target(arch: Option<Arch>) -> Result<Option<&'static str>> {
    let host = if cfg!(target_arch = "aarch64") { Arch::Arm64 } else { Arch::X86_64 };
    let arch = arch.unwrap_or(host);
    let triple = match arch {
        Arch::X86_64 => "x86_64-unknown-linux-musl",
        Arch::Arm64 => "aarch64-unknown-linux-musl",
    };
    if is_installed(triple) {
        return Ok(Some(triple));
    }
    let add = format!("rustup target add {triple}");
    if arch != host || !cfg!(target_os = "linux") {
        return Err(Error::failed(format!("the target {triple} is not installed")).hint(add));
    }
    note(&format!("note: built for this machine's C library; `{add}` makes it static"));
    Ok(None)
}

fn is_installed(triple: &str) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let answer = Command::new(rustc).args(["--print", "target-libdir", "--target", triple]).output();
    answer.is_ok_and(|answer| {
        answer.status.success() && Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_dir()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_tells_where_the_binary_is() {
        let message =
            r#"{"reason":"compiler-artifact","target":{"name":"bootstrap"},"executable":"/t/lambda/bootstrap"}"#;
        assert_eq!(executable(message), Some("/t/lambda/bootstrap".into()));
        assert_eq!(executable(r#"{"target":{"name":"serde"},"executable":null}"#), None);
        assert_eq!(executable("not json"), None);
    }
}
