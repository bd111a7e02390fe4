use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lambda_package::Architecture;

use crate::error::{Error, Result};
use crate::progress::note;

/// Builds the function in the checkout that contains the working directory, and returns the binary's path.
pub fn build(architecture: Option<Architecture>) -> Result<PathBuf> {
    let root = checkout()?;
    let target = target(architecture)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(&root)
        .args(["build", "--quiet", "--locked", "--profile", "lambda", "--package", "logger-fn"])
        .args(["--message-format", "json-render-diagnostics"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    if let Some(triple) = target {
        // The toolchain's own linker, so that no cross-linker has to be installed.
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
    binary.ok_or_else(|| Error::failed("cargo built the function, but did not report the binary's path"))
}

/// The path of the function's binary, if this is cargo's message about it.
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
        Error::usage("the working directory is not in a checkout of this project, which contains the function's source")
            .hint("change into a checkout, or use a zip that was built in one")
    })
}

/// The static target for the architecture if it is installed. `None` is this machine's own target, if it has the requested
/// architecture.
fn target(architecture: Option<Architecture>) -> Result<Option<&'static str>> {
    let host = Architecture::host();
    let architecture = architecture.unwrap_or(host);
    let triple = match architecture {
        Architecture::X86_64 => "x86_64-unknown-linux-musl",
        Architecture::Arm64 => "aarch64-unknown-linux-musl",
    };
    if is_installed(triple) {
        return Ok(Some(triple));
    }
    let add = format!("rustup target add {triple}");
    if architecture != host || !cfg!(target_os = "linux") {
        return Err(Error::failed(format!("the target {triple} is not installed")).hint(add));
    }
    note(&format!("note: the binary is linked to this machine's C library; `{add}` makes it static"));
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
    fn the_binarys_path_is_read_from_cargos_messages() {
        let message =
            r#"{"reason":"compiler-artifact","target":{"name":"bootstrap"},"executable":"/t/lambda/bootstrap"}"#;
        assert_eq!(executable(message), Some("/t/lambda/bootstrap".into()));
        assert_eq!(executable(r#"{"target":{"name":"serde"},"executable":null}"#), None);
        assert_eq!(executable("not json"), None);
    }
}
