//! What a provisioned path looks like.

use aws_sdk_lambda::types::Architecture;
use kinesis_event_logger_core::names::{Location, Names};

use crate::commands::provision::{Provision, Shards, StartingPosition};
use crate::output::Format;

/// The runtime of our function.
pub const RUNTIME: &str = "provided.al2023";

/// The managed policy that lets a function read streams and write logs.
/// <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaKinesisExecutionRole.html>
pub const MANAGED_POLICY: &str = "service-role/AWSLambdaKinesisExecutionRole";

/// The whole path. What is `None` was not asked for: it gets its default when the part is made, and is left as it is
/// when the part is there.
#[derive(Debug, Clone)]
pub struct Desired {
    pub names: Names,
    pub location: Location,
    pub package: Package,
    pub shards: Option<Shards>,
    /// Days; 0 keeps events for ever.
    pub retention_days: Option<i32>,
    pub memory_mb: Option<i32>,
    pub timeout_seconds: Option<i32>,
    pub log_format: Option<Format>,
    pub batch_size: Option<i32>,
    pub batch_window_seconds: Option<i32>,
    pub starting_position: StartingPosition,
    pub report_item_failures: bool,
}

/// The function's code.
#[derive(Debug, Clone)]
pub struct Package {
    pub zip: Vec<u8>,
    /// Base64 of the zip's SHA-256, as Lambda shows it.
    pub sha256: String,
    pub architecture: Architecture,
}

pub const DEFAULT_SHARDS: Shards = Shards::Provisioned(1);
pub const DEFAULT_RETENTION_DAYS: i32 = 30;
pub const DEFAULT_MEMORY_MB: i32 = 128;
pub const DEFAULT_TIMEOUT_SECONDS: i32 = 30;
pub const DEFAULT_LOG_FORMAT: Format = Format::Json;
pub const DEFAULT_BATCH_SIZE: i32 = 100;

impl Desired {
    pub fn new(args: &Provision, names: Names, location: Location, package: Package) -> Self {
        Self {
            names,
            location,
            package,
            shards: args.shards,
            retention_days: args.retention_days,
            memory_mb: args.memory,
            timeout_seconds: args.timeout,
            log_format: args.log_format,
            batch_size: args.batch_size,
            batch_window_seconds: args.batch_window,
            starting_position: args.starting_position,
            report_item_failures: !args.whole_batch_retry,
        }
    }
}

/// The managed policy's ARN in the region's partition.
pub fn policy_arn(location: &Location) -> String {
    format!("arn:{}:iam::aws:policy/{MANAGED_POLICY}", location.partition())
}
