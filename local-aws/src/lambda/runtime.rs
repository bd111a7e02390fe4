//! Runtimes: which there are, and the program that runs a function's code in each.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use super::names::partition;
use super::validation::invalid_parameter;
use crate::Config;
use crate::error::AwsError;

/// Our own programs that speak the Runtime API for a handler written in the language.
pub const NODE_BOOTSTRAP: (&str, &str) = ("bootstrap.mjs", include_str!("runtimes/bootstrap.mjs"));
pub const PYTHON_BOOTSTRAP: (&str, &str) = ("bootstrap.py", include_str!("runtimes/bootstrap.py"));

/// Names that AWS once had and takes no longer.
const DEPRECATED: [&str; 7] = ["provided", "go1.x", "java8", "ruby2.7", "ruby2.5", "dotnetcore3.1", "dotnetcore2.1"];

/// A runtime by its identifier, `provided.al2023` for instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Runtime {
    pub id: String,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The package brings its own `bootstrap`.
    Provided,
    Node,
    Python,
}

impl Runtime {
    /// # Errors
    /// `InvalidParameterValueException` in AWS's words; for what AWS runs and the endpoint does not, it says so.
    pub fn parse(id: &str) -> Result<Self, AwsError> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_node = |id: &str| id.strip_prefix("nodejs").and_then(|v| v.strip_suffix(".x")).is_some_and(is_number);
        let is_python = |id: &str| id.strip_prefix("python3.").is_some_and(is_number);
        let kind = match id {
            "provided.al2023" | "provided.al2" => Kind::Provided,
            id if is_node(id) => Kind::Node,
            id if is_python(id) => Kind::Python,
            id if DEPRECATED.contains(&id) => {
                return Err(invalid_parameter(format!(
                    "The runtime parameter of {id} is no longer supported for creating or updating AWS Lambda functions. \
                     We recommend you use a supported runtime while creating or updating functions."
                )));
            }
            id => {
                return Err(invalid_parameter(format!(
                    "Value {id} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: \
                     [provided.al2023, provided.al2, nodejs<number>.x, python3.<number>], which are what the local \
                     endpoint runs"
                )));
            }
        };
        Ok(Self { id: id.to_owned(), kind })
    }

    /// As `INIT_START` shows it: `python3.12` → `python:3.12.v1`.
    pub fn version(&self) -> String {
        let name = match self.kind {
            Kind::Provided => self.id.replacen('.', ":", 1),
            Kind::Node => format!("nodejs:{}", self.id.trim_start_matches("nodejs").trim_end_matches(".x")),
            Kind::Python => format!("python:{}", self.id.trim_start_matches("python")),
        };
        name + ".v1"
    }

    /// The ARN of the runtime's version: one that never changes, since the endpoint has one of each.
    pub fn version_arn(&self, config: &Config) -> String {
        let hash: String = Sha256::digest(self.version()).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("arn:{}:lambda:{}::runtime:{hash}", partition(config), config.region)
    }

    /// The interpreter on this machine's `PATH`; none is needed for `provided.*`. May run a short-lived process.
    ///
    /// # Errors
    /// The interpreter is not there.
    pub fn interpreter(&self) -> Result<Option<&'static Path>, AwsError> {
        static NODE: OnceLock<Option<PathBuf>> = OnceLock::new();
        static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
        let (name, found) = match self.kind {
            Kind::Provided => return Ok(None),
            Kind::Node => ("node", NODE.get_or_init(|| own_path("node", &["-p", "process.execPath"]))),
            Kind::Python => {
                ("python3", PYTHON.get_or_init(|| own_path("python3", &["-c", "import sys; print(sys.executable)"])))
            }
        };
        match found {
            Some(path) => Ok(Some(path)),
            None => Err(invalid_parameter(format!("{} needs \"{name}\" on PATH", self.id))),
        }
    }
}

/// Where a program itself says it is: what `PATH` finds may be a version manager's shim, which needs the environment
/// that a function does not get.
fn own_path(program: &str, arguments: &[&str]) -> Option<PathBuf> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let path = PathBuf::from(std::str::from_utf8(&output.stdout).ok()?.trim());
    (output.status.success() && path.is_absolute()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_node_and_python_is_taken() {
        for (id, version) in [
            ("nodejs12.x", "nodejs:12.v1"),
            ("nodejs24.x", "nodejs:24.v1"),
            ("python3.12", "python:3.12.v1"),
            ("provided.al2023", "provided:al2023.v1"),
            ("provided.al2", "provided:al2.v1"),
        ] {
            assert_eq!(Runtime::parse(id).unwrap().version(), version);
        }
    }

    #[test]
    fn what_is_not_run_is_refused_with_what_is() {
        for id in ["java21", "PYTHON3.9", "nodejs.x", "python2.7", ""] {
            let error = Runtime::parse(id).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValueException", "{id}");
            assert!(error.message.starts_with(&format!("Value {id} at 'runtime' failed")), "{}", error.message);
            assert!(error.message.contains("provided.al2023"), "{}", error.message);
        }
        assert!(Runtime::parse("go1.x").unwrap_err().message.contains("is no longer supported"));
    }

    #[test]
    fn a_missing_program_is_none() {
        assert_eq!(own_path("no-such-program-anywhere", &[]), None);
        assert_eq!(own_path("false", &[]), None);
    }
}
