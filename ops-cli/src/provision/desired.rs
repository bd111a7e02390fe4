//! The path that is requested.

use clap::ValueEnum;
use kinesis_event_logger_core::names::{Location, Names};

use crate::function::FunctionZip;
use crate::output::Format;

/// The managed policy that lets a function read streams and write logs.
/// <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaKinesisExecutionRole.html>
pub const MANAGED_POLICY: &str = "service-role/AWSLambdaKinesisExecutionRole";

/// The whole path. A setting that is `None` was not requested: a new part gets the default, an existing part keeps its value.
#[derive(Debug, Clone)]
pub struct DesiredPath {
    pub names: Names,
    pub location: Location,
    pub zip: FunctionZip,
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

pub const DEFAULT_SHARDS: Shards = Shards::Provisioned(1);
pub const DEFAULT_RETENTION_DAYS: i32 = 30;
pub const DEFAULT_MEMORY_MB: i32 = 128;
pub const DEFAULT_TIMEOUT_SECONDS: i32 = 30;
pub const DEFAULT_LOG_FORMAT: Format = Format::Json;
pub const DEFAULT_BATCH_SIZE: i32 = 100;

impl DesiredPath {
    /// A path for which no settings were requested.
    pub fn new(names: Names, location: Location, zip: FunctionZip) -> Self {
        Self {
            names,
            location,
            zip,
            shards: None,
            retention_days: None,
            memory_mb: None,
            timeout_seconds: None,
            log_format: None,
            batch_size: None,
            batch_window_seconds: None,
            starting_position: StartingPosition::TrimHorizon,
            report_item_failures: true,
        }
    }
}

/// The managed policy's ARN in the region's partition.
pub fn policy_arn(location: &Location) -> String {
    format!("arn:{}:iam::aws:policy/{MANAGED_POLICY}", location.partition())
}

/// The position at which a new mapping starts to read.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StartingPosition {
    TrimHorizon,
    Latest,
}

/// The capacity of a stream: a fixed number of shards, or as many as Kinesis needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shards {
    OnDemand,
    Provisioned(i32),
}

impl std::str::FromStr for Shards {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "on-demand" => Ok(Self::OnDemand),
            _ => match text.parse() {
                Ok(count) if count >= 1 => Ok(Self::Provisioned(count)),
                _ => Err("expected a number of shards from 1 up, or `on-demand`".into()),
            },
        }
    }
}
