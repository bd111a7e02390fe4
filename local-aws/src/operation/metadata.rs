//! The part of an operation's declaration that does not depend on the type of its service.

use super::route::Route;
use crate::error::AwsError;

pub const MIB: usize = 1024 * 1024;

/// The error code for an unsupported operation, except in the query protocol.
pub const UNKNOWN_OPERATION: &str = "UnknownOperationException";

/// A service of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceName {
    Kinesis,
    Lambda,
    Logs,
    Iam,
    Sts,
}

impl ServiceName {
    /// The name in documentation, messages and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kinesis => "Kinesis",
            Self::Lambda => "Lambda",
            Self::Logs => "CloudWatch Logs",
            Self::Iam => "IAM",
            Self::Sts => "STS",
        }
    }

    /// The name in a signature's scope.
    pub const fn signing_name(self) -> &'static str {
        match self {
            Self::Kinesis => "kinesis",
            Self::Lambda => "lambda",
            Self::Logs => "logs",
            Self::Iam => "iam",
            Self::Sts => "sts",
        }
    }

    /// Whether the service's state is the same in every region.
    pub const fn is_global(self) -> bool {
        matches!(self, Self::Iam | Self::Sts)
    }

    /// The error for an operation that the endpoint does not support.
    pub fn unknown_operation(self, operation: &str) -> AwsError {
        let operation = match operation {
            "" => "a request without an operation".to_owned(),
            operation => format!("the {} operation {operation}", self.name()),
        };
        let code = if self.is_global() { "InvalidAction" } else { UNKNOWN_OPERATION };
        AwsError::bad_request(code, format!("The local endpoint does not support {operation}."))
    }
}

/// The part of a declaration that does not depend on the service's type.
#[derive(Debug, Clone)]
pub struct Metadata {
    pub service: ServiceName,
    pub name: &'static str,
    /// The method and path of a REST operation. Operations of other protocols are named in the request.
    pub route: Option<Route>,
    /// The largest body, in bytes: the operation's limits with base64, escapes and JSON around them.
    pub body_limit: usize,
    /// Whether the handler reads the disk or computes for long, so that it must run on a blocking thread.
    pub is_blocking: bool,
    /// Whether the operation changes nothing.
    pub is_read_only: bool,
    /// Whether the operation is in the service's API.
    pub is_listed: bool,
    pub activity: Option<Activity>,
}

/// How an operation appears in the activity log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Activity {
    /// The event, for example `stream created`.
    pub event: &'static str,
    /// The members of the input that name what was changed.
    pub members: &'static [&'static str],
}

impl Metadata {
    pub fn new(service: ServiceName, name: &'static str) -> Self {
        Self {
            service,
            name,
            route: None,
            body_limit: MIB,
            is_blocking: false,
            is_read_only: false,
            is_listed: true,
            activity: None,
        }
    }
}
