//! Runtimes: their identifiers, which of them AWS still accepts, and their interpreters on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::error::AwsError;
use crate::lambda::errors::invalid_parameter;
use crate::lambda::names::partition;

/// The runtimes of the service model (botocore 1.44.8) that AWS accepts for new functions and the endpoint runs.
const ACCEPTED: [&str; 16] = [
    "provided.al2023",
    "provided.al2",
    "nodejs26.x",
    "nodejs24.x",
    "nodejs22.x",
    "nodejs20.x",
    "nodejs18.x",
    "nodejs16.x",
    "python3.15",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python3.9",
    "python3.8",
];

/// The runtimes that AWS no longer accepts for new functions, as of 2026-11-28, but the endpoint runs. The dates of the
/// phase "block function create" are those of <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>, as
/// `cfn-lint` 1.58.0 (of 2026-10-20) has them. Next are nodejs16.x, 18.x and 20.x, python3.8 to 3.10 and provided.al2, on
/// 2027-02-01.
const ENDED: [&str; 12] = [
    "provided",
    "nodejs14.x",
    "nodejs12.x",
    "nodejs10.x",
    "nodejs8.10",
    "nodejs6.10",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs",
    "python3.7",
    "python3.6",
    "python2.7",
];

/// The runtimes that AWS no longer accepts either, and for which the endpoint has no program.
const ENDED_WITHOUT_PROGRAM: [&str; 8] =
    ["go1.x", "java8", "ruby2.7", "ruby2.5", "dotnetcore3.1", "dotnetcore2.1", "dotnetcore2.0", "dotnetcore1.0"];

/// A runtime by its identifier, `provided.al2023` for instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Runtime {
    pub id: String,
    pub language: Language,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// For any language. The package contains the program `bootstrap`.
    Provided,
    Node,
    Python,
}

impl Runtime {
    /// The runtime with this identifier, whether or not AWS still accepts it for new functions.
    ///
    /// # Errors
    /// `InvalidParameterValueException` with AWS's message, and with the list of what the endpoint runs.
    pub fn parse(id: &str) -> Result<Self, AwsError> {
        let language = (ACCEPTED.contains(&id) || ENDED.contains(&id)).then(|| match id {
            id if id.starts_with("nodejs") => Language::Node,
            id if id.starts_with("python") => Language::Python,
            _ => Language::Provided,
        });
        match language {
            Some(language) => Ok(Self { id: id.to_owned(), language }),
            None if ENDED_WITHOUT_PROGRAM.contains(&id) => Err(no_longer_accepted(id)),
            None => {
                let accepted = ACCEPTED.join(", ");
                Err(invalid_parameter(format!(
                    "Value {id} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: \
                     [{accepted}], which are what the local endpoint runs"
                )))
            }
        }
    }

    /// Rejects a runtime that AWS accepts neither for a new function nor for a change.
    ///
    /// # Errors
    /// `InvalidParameterValueException` with AWS's message (recorded 2026-01).
    pub fn must_be_accepted(&self) -> Result<(), AwsError> {
        if ENDED.contains(&self.id.as_str()) { Err(no_longer_accepted(&self.id)) } else { Ok(()) }
    }

    /// The version as `INIT_START` shows it, for example `python:3.12.v1` for `python3.12`.
    pub fn version(&self) -> String {
        let name = match self.language {
            Language::Provided => self.id.replacen('.', ":", 1),
            Language::Node => format!("nodejs:{}", self.id.trim_start_matches("nodejs").trim_end_matches(".x")),
            Language::Python => format!("python:{}", self.id.trim_start_matches("python")),
        };
        name + ".v1"
    }

    /// The ARN of the runtime's version. It never changes, since the endpoint has one version of each runtime.
    pub fn version_arn(&self, config: &Config) -> String {
        let hash: String = Sha256::digest(self.version()).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("arn:{}:lambda:{}::runtime:{hash}", partition(config), config.region)
    }

    /// The interpreter on this machine's `PATH`, or `None` for `provided.*`. May run a short-lived process.
    ///
    /// # Errors
    /// The interpreter is not installed.
    pub fn interpreter(&self) -> Result<Option<&'static Path>, AwsError> {
        static NODE: OnceLock<Option<PathBuf>> = OnceLock::new();
        static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
        let (name, found) = match self.language {
            Language::Provided => return Ok(None),
            Language::Node => ("node", NODE.get_or_init(|| own_path("node", &["-p", "process.execPath"]))),
            Language::Python => {
                ("python3", PYTHON.get_or_init(|| own_path("python3", &["-c", "import sys; print(sys.executable)"])))
            }
        };
        match found {
            Some(path) => Ok(Some(path)),
            None => Err(invalid_parameter(format!("{} needs \"{name}\" on PATH", self.id))),
        }
    }
}

fn no_longer_accepted(id: &str) -> AwsError {
    invalid_parameter(format!(
        "The runtime parameter of {id} is no longer supported for creating or updating AWS Lambda functions. \
         We recommend you use a supported runtime while creating or updating functions."
    ))
}

/// The path that a program itself reports. The file on `PATH` may be a version manager's shim, which needs an environment
/// that functions do not have.
fn own_path(program: &str, arguments: &[&str]) -> Option<PathBuf> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let path = PathBuf::from(std::str::from_utf8(&output.stdout).ok()?.trim());
    (output.status.success() && path.is_absolute()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_of_the_service_model_have_versions() {
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
    fn an_unknown_runtime_is_rejected_with_the_list_of_those_that_run() {
        for id in ["java21", "PYTHON3.9", "nodejs.x", "nodejs99.x", "python3.99", ""] {
            let error = Runtime::parse(id).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValueException", "{id}");
            assert!(error.message.starts_with(&format!("Value {id} at 'runtime' failed")), "{}", error.message);
            assert!(error.message.contains("provided.al2023, provided.al2, nodejs26.x"), "{}", error.message);
            assert!(!error.message.contains("nodejs14.x"), "{}", error.message);
        }
    }

    #[test]
    fn a_runtime_that_aws_has_ended_is_rejected_with_its_message() {
        let message = |error: AwsError| (error.code, error.message);
        for id in ["nodejs14.x", "nodejs12.x", "python3.7", "python2.7", "provided", "go1.x", "java8", "ruby2.7"] {
            let (code, message) = message(Runtime::parse(id).and_then(|it| it.must_be_accepted()).unwrap_err());
            assert_eq!(code, "InvalidParameterValueException");
            assert_eq!(
                message,
                format!(
                    "The runtime parameter of {id} is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions."
                )
            );
        }
        for id in ["nodejs16.x", "nodejs20.x", "python3.8", "python3.14", "provided.al2"] {
            Runtime::parse(id).unwrap().must_be_accepted().unwrap();
        }
    }

    #[test]
    fn a_missing_program_has_no_path() {
        assert_eq!(own_path("no-such-program-anywhere", &[]), None);
        assert_eq!(own_path("false", &[]), None);
    }
}
