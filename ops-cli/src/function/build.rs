use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lambda_package::Architecture;

use super::linkage::{Candidate, Linkage, candidates};
use super::zip::{FunctionZip, Target, check, pack};
use crate::error::{Error, Result};
use crate::progress::note;

/// Between the arguments in `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: &str = "\u{1f}";

/// The function's binary, and the zip that contains it.
pub struct BuiltFunction {
    pub binary: PathBuf,
    pub linkage: Linkage,
    pub zip: FunctionZip,
}

/// Builds the function in the checkout that contains the working directory, with the first linkage that is installed, links, and
/// can run on `target`.
pub fn build(architecture: Option<Architecture>, target: Target) -> Result<BuiltFunction> {
    let root = checkout()?;
    let host = Architecture::host();
    let mut rejected: Vec<String> = Vec::new();
    let mut missing: Vec<Candidate> = Vec::new();
    for candidate in candidates(architecture.unwrap_or(host), host) {
        if !candidate.is_installed() {
            missing.push(candidate);
            continue;
        }
        match build_with(&root, &candidate, target)? {
            Ok(built) => {
                note_choice(&candidate, &missing);
                return Ok(built);
            }
            Err(why) => {
                note(&format!("note: {} is not used: {why}", candidate.linkage.describe()));
                rejected.push(format!("{}: {why}", candidate.linkage.describe()));
            }
        }
    }
    let install: Vec<_> = missing.iter().map(|candidate| format!("`{}`", candidate.install)).collect();
    let error = if rejected.is_empty() {
        let architecture = architecture.unwrap_or(host);
        Error::failed(format!("nothing that this machine has installed can link the function for {architecture}"))
    } else {
        Error::failed(format!("the function cannot run on {}: {}", target.describe(), rejected.join("; ")))
    };
    Err(error.hint(format!("install one of these: {}", install.join(", "))))
}

fn note_choice(candidate: &Candidate, missing: &[Candidate]) {
    let linkage = candidate.linkage;
    note(&format!("linked with {}: {}", linkage.describe(), linkage.comparison()));
    if let Some(better) = missing.first() {
        note(&format!("for {}, run `{}`", better.linkage.describe(), better.install));
    }
}

/// Builds with one candidate. The inner error says why its binary cannot be used.
fn build_with(root: &Path, candidate: &Candidate, target: Target) -> Result<Result<BuiltFunction, String>> {
    let Some(binary) = compile(root, candidate)? else {
        if links(candidate) {
            return Err(Error::failed("cargo could not build the function"));
        }
        return Ok(Err("it does not link on this machine".to_owned()));
    };
    Ok(match check(pack(&binary)?, &binary, target) {
        Ok(zip) => Ok(BuiltFunction { binary, linkage: candidate.linkage, zip }),
        Err(error) => Err(error.message),
    })
}

/// Runs cargo, and returns the binary's path. `None` if cargo failed, which has printed the reason.
fn compile(root: &Path, candidate: &Candidate) -> Result<Option<PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(root)
        .args(["build", "--quiet", "--locked", "--profile", "lambda", "--package", "logger-fn"])
        .args(["--message-format", "json-render-diagnostics", "--target", &candidate.triple])
        // Replaces flags of the user, so that two machines build the same bytes.
        .env("CARGO_ENCODED_RUSTFLAGS", flags(candidate.linkage, root, cargo_home().as_deref()).join(SEPARATOR))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    if let Some(linker) = candidate.linker {
        let variable = format!("CARGO_TARGET_{}_LINKER", candidate.triple.to_ascii_uppercase().replace('-', "_"));
        command.env(variable, linker);
    }
    let mut child = command.spawn().map_err(|error| Error::failed(format!("could not run cargo: {error}")))?;
    let messages = child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
    let mut binary = None;
    for message in messages {
        binary = executable(&message?).or(binary);
    }
    if !child.wait()?.success() {
        return Ok(None);
    }
    binary.map(Some).ok_or_else(|| Error::failed("cargo built the function, but did not report the binary's path"))
}

/// The options of rustc: the linkage, and the paths of this machine, which panic messages contain, replaced by fixed ones.
fn flags(linkage: Linkage, root: &Path, cargo_home: Option<&Path>) -> Vec<String> {
    let replaced = [cargo_home.map(|home| (home, "/cargo")), Some((root, "/source"))];
    let replaced = replaced.into_iter().flatten();
    let remapped = replaced.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    linkage.flags().iter().map(|flag| (*flag).to_owned()).chain(remapped).collect()
}

fn cargo_home() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
}

/// Whether an empty program links, which separates a broken linkage from a broken function.
fn links(candidate: &Candidate) -> bool {
    let Ok(folder) = tempfile::tempdir() else { return true };
    let source = folder.path().join("empty.rs");
    if std::fs::write(&source, "fn main() {}").is_err() {
        return true;
    }
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.current_dir(folder.path()).arg(&source).args(["--target", &candidate.triple]);
    command.args(candidate.linkage.flags());
    if let Some(linker) = candidate.linker {
        command.arg(format!("-Clinker={linker}"));
    }
    command.output().is_ok_and(|output| output.status.success())
}

/// The path of the function's binary, if this is cargo's message about it.
/// <https://doc.rust-lang.org/cargo/reference/external-tools.html#json-messages>
fn executable(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    (message["target"]["name"] == "bootstrap").then_some(())?;
    message["executable"].as_str().map(PathBuf::from)
}

/// The checkout that contains the working directory.
fn checkout() -> Result<PathBuf> {
    let here = std::env::current_dir()?;
    let is_checkout =
        |folder: &&Path| folder.join("logger-fn/Cargo.toml").is_file() && folder.join("Cargo.toml").is_file();
    here.ancestors().find(is_checkout).map(Path::to_owned).ok_or_else(|| {
        Error::usage("the working directory is not in a checkout of this project, which contains the function's source")
            .hint("change into a checkout, or use a zip that was built in one")
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

    #[test]
    fn the_paths_of_this_machine_are_replaced() {
        let flags = flags(Linkage::StaticGlibc, Path::new("/home/me/logger"), Some(Path::new("/home/me/.cargo")));
        assert_eq!(
            flags,
            [
                "-C",
                "target-feature=+crt-static",
                "--remap-path-prefix=/home/me/.cargo=/cargo",
                "--remap-path-prefix=/home/me/logger=/source",
            ]
        );
    }
}
