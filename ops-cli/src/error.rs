//! Errors as a person reads them: what failed, the cause, and what to do.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use anstyle::AnsiColor;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};

use crate::progress;

/// What a failed command reports.
#[derive(Debug)]
pub struct Error {
    pub message: String,
    pub hint: Option<String>,
    pub kind: Kind,
}

/// What decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// It failed.
    Failed,
    /// The command line or its input is wrong.
    Usage,
    /// Nobody reads our output any more: not an error.
    ClosedPipe,
    /// The user stopped it.
    Interrupted,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: Kind::Failed }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: Kind::Usage }
    }

    pub fn interrupted() -> Self {
        Self { message: "interrupted".into(), hint: None, kind: Kind::Interrupted }
    }

    /// A file could not be read or written. `doing` completes the sentence "could not … PATH".
    pub fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::usage(format!("could not {doing} {}: {error}", path.display()))
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Prints the error and its hint on stderr, and returns the exit code for it.
    pub fn report(&self) -> ExitCode {
        if self.kind != Kind::ClosedPipe {
            progress::labelled(AnsiColor::Red.on_default().bold(), "error:", &self.message);
            if let Some(hint) = &self.hint {
                progress::labelled(AnsiColor::Cyan.on_default(), "hint:", hint);
            }
        }
        match self.kind {
            Kind::ClosedPipe => ExitCode::SUCCESS,
            Kind::Failed => ExitCode::from(1),
            Kind::Usage => ExitCode::from(2),
            Kind::Interrupted => ExitCode::from(130),
        }
    }

    /// An error of a call to AWS, in the words of `doing` ("create stream orders-dev").
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
        let error = Self::failed(format!("could not {doing}: {code}: {message}"));
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
                "nothing answers there: start the local endpoint with `ops-cli local`, or check --endpoint-url, --region and the network",
            ),
            _ => Self::failed(message),
        }
    }
}

fn hint_for(code: &str) -> Option<&'static str> {
    Some(match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            "your credentials have expired: sign in again (for SSO: aws sso login --profile PROFILE)"
        }
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationTokenException" => {
            "AWS does not accept these credentials: check the profile, and that no stale AWS_ACCESS_KEY_ID or AWS_SESSION_TOKEN is set"
        }
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
            "your credentials lack that permission: the README lists what each command needs"
        }
        "ResourceNotFoundException" => {
            "make it with `ops-cli provision --zip FILE`, or check --app, --stage, --region and the names"
        }
        "ResourceAlreadyExistsException" | "EntityAlreadyExists" | "ResourceConflictException" => {
            "something else made or changed it meanwhile: run the same command again"
        }
        "LimitExceededException" => {
            "the account has reached a limit of the service: delete something, or ask AWS to raise it"
        }
        _ => return None,
    })
}

/// Whether the resource of a call does not exist: it never did, or was deleted in the meantime.
pub fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    matches!(error.code(), Some("ResourceNotFoundException" | "NoSuchEntity"))
}

/// Why a call to AWS failed, in a sentence: the service's code and message, or what broke on the way.
pub fn cause<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error.as_service_error().map(|service| (service.code(), service.message())) {
        Some((Some(code), message)) => format!("{code}: {}", message.unwrap_or("no message")),
        // A proxy's answer, for example: all there is to say is its status.
        Some((None, _)) => match error.raw_response() {
            Some(answer) => format!("an answer with status {} and no error code", answer.status().as_u16()),
            None => "an error without a code".to_owned(),
        },
        None => chain(error),
    }
}

/// An error with its causes, each once: "dispatch failure: io error: connection refused".
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
        let kind = if error.kind() == io::ErrorKind::BrokenPipe { Kind::ClosedPipe } else { Kind::Failed };
        Self { message: error.to_string(), hint: None, kind }
    }
}

impl From<kinesis_event_logger_core::names::NameError> for Error {
    fn from(error: kinesis_event_logger_core::names::NameError) -> Self {
        Self::usage(error.to_string())
            .hint("set names with --app, --stage, --stream, --function, --role and --log-group")
    }
}
