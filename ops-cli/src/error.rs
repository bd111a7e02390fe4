//! Errors for people: what failed, the cause, and what to do.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use anstyle::AnsiColor;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};

use crate::progress;

/// The error of a failed command.
#[derive(Debug)]
pub struct Error {
    pub message: String,
    pub hint: Option<String>,
    pub kind: ErrorKind,
}

/// The kind of an error, which determines the exit code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ErrorKind {
    /// The work failed.
    Failed,
    /// The service refused the credentials, because they have expired. A run that follows waits for new ones.
    Expired,
    /// The command line or its input is wrong.
    Usage,
    /// The reader of stdout has closed it. This is not reported as an error.
    ClosedPipe,
    /// The user interrupted the command.
    Interrupted,
    /// `plan --exit-code` found a difference. This is not reported as an error.
    Different,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: ErrorKind::Failed }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: ErrorKind::Usage }
    }

    pub fn interrupted() -> Self {
        Self { message: "interrupted".into(), hint: None, kind: ErrorKind::Interrupted }
    }

    pub fn different() -> Self {
        Self { message: String::new(), hint: None, kind: ErrorKind::Different }
    }

    /// A file could not be read or written. `doing` completes the sentence "could not … PATH".
    pub fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::usage(format!("could not {doing} {}: {error}", path.display()))
    }

    /// The receipts of records that were sent could not be written.
    #[must_use]
    pub fn without_receipts(self) -> Self {
        Self { message: format!("{}; the records acknowledged last have no receipt", self.message), ..self }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Prints the error and its hint on stderr, and returns the exit code for it.
    pub fn report(&self) -> ExitCode {
        if self.kind != ErrorKind::ClosedPipe && !self.message.is_empty() {
            progress::labelled(AnsiColor::Red.on_default().bold(), "error:", &self.message);
            if let Some(hint) = &self.hint {
                progress::labelled(AnsiColor::Cyan.on_default(), "hint:", hint);
            }
        }
        match self.kind {
            ErrorKind::ClosedPipe => ExitCode::SUCCESS,
            ErrorKind::Failed | ErrorKind::Expired => ExitCode::from(1),
            ErrorKind::Usage => ExitCode::from(2),
            ErrorKind::Different => ExitCode::from(3),
            ErrorKind::Interrupted => ExitCode::from(130),
        }
    }

    /// An error of a call to AWS. `doing` completes the sentence "could not …".
    pub fn aws<E, R>(doing: impl fmt::Display, error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        let Some(service) = error.as_service_error() else {
            return Self::unanswered(&doing.to_string(), error);
        };
        let code = service.code().unwrap_or("an error without a code");
        let message = service.message().unwrap_or("no message");
        let kind = if is_expiry(code) { ErrorKind::Expired } else { ErrorKind::Failed };
        let error = Self { kind, ..Self::failed(format!("could not {doing}: {code}: {message}")) };
        match hint_for(code) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    fn unanswered<E, R>(doing: &str, error: SdkError<E, R>) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        let cause = chain(&error);
        let message = format!("could not {doing}: {cause}");
        match error {
            SdkError::TimeoutError(_) => Self::failed(message).hint("check the network, and --endpoint-url if you set it"),
            SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => Self::failed(message).hint(
                "there is no answer: start the local endpoint with `ops-cli local`, or check --endpoint-url, --region and the network",
            ),
            _ => Self::failed(message),
        }
    }
}

fn hint_for(code: &str) -> Option<&'static str> {
    Some(match code {
        code if is_expiry(code) => {
            "your credentials have expired: sign in again (for SSO: aws sso login --profile PROFILE)"
        }
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationTokenException" => {
            "the service does not accept these credentials: check the profile, and that AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN are not outdated"
        }
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
            "your credentials lack this permission: docs/permissions.md lists the permissions of each command"
        }
        "ResourceNotFoundException" => {
            "create it with `ops-cli provision --zip FILE`, or check --app, --stage, --region and the names"
        }
        "ResourceAlreadyExistsException" | "EntityAlreadyExists" | "ResourceConflictException" => {
            "another process created or changed it meanwhile: run the same command again"
        }
        "LimitExceededException" => {
            "the account has reached a limit of the service: delete what you do not need, or ask AWS to raise the limit"
        }
        _ => return None,
    })
}

/// Whether an error code says that the credentials have expired.
fn is_expiry(code: &str) -> bool {
    matches!(code, "ExpiredToken" | "ExpiredTokenException" | "RequestExpired")
}

/// Whether the resource of a call does not exist.
pub fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    matches!(error.code(), Some("ResourceNotFoundException" | "NoSuchEntity"))
}

/// The cause of a failed call to AWS: the service's code and message, or the error of the connection.
pub fn cause<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error.as_service_error().map(|service| (service.code(), service.message())) {
        Some((Some(code), message)) => format!("{code}: {}", message.unwrap_or("no message")),
        // The answer may be a proxy's: only its status is known.
        Some((None, _)) => match error.raw_response() {
            Some(answer) => format!("an answer with status {} and no error code", answer.status().as_u16()),
            None => "an error without a code".to_owned(),
        },
        None => chain(error),
    }
}

/// An error followed by its causes, without repetition: "dispatch failure: io error: connection refused".
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut parts: Vec<String> = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        source = cause.source();
    }
    parts.join(": ")
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        let kind = if error.kind() == io::ErrorKind::BrokenPipe { ErrorKind::ClosedPipe } else { ErrorKind::Failed };
        Self { message: error.to_string(), hint: None, kind }
    }
}

impl From<kinesis_event_logger_core::names::NameError> for Error {
    fn from(error: kinesis_event_logger_core::names::NameError) -> Self {
        Self::usage(error.to_string())
            .hint("set names with --app, --stage, --stream, --function, --role and --log-group")
    }
}
