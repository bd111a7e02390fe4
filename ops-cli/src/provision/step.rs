//! The steps of a plan, and their descriptions.

use std::fmt;

use super::desired::{self, DesiredPath, Shards};
use crate::output::Format;

/// A change, or a wait for a change that an earlier run started.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    CreateStream(Shards),
    UpdateShardCount(i32),
    AwaitStream,
    CreateRole,
    AttachPolicy,
    CreateLogGroup,
    PutRetention(i32),
    CreateFunction { role_arn: String },
    UpdateCode,
    UpdateConfiguration { role_arn: String, log_format: Format },
    AwaitFunction,
    CreateMapping,
    UpdateMapping { uuid: String },
    AwaitMapping { uuid: String },
}

/// Describes a step and the parts that it concerns.
pub struct StepDescription<'a>(pub &'a Step, pub &'a DesiredPath);

impl fmt::Display for StepDescription<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(step, desired) = self;
        let names = &desired.names;
        match step {
            Step::CreateStream(Shards::OnDemand) => write!(f, "create stream {}, on demand", names.stream()),
            Step::CreateStream(Shards::Provisioned(1)) => write!(f, "create stream {}, 1 shard", names.stream()),
            Step::CreateStream(Shards::Provisioned(n)) => write!(f, "create stream {}, {n} shards", names.stream()),
            Step::UpdateShardCount(n) => write!(f, "change stream {} to {n} shards", names.stream()),
            Step::AwaitStream => write!(f, "wait for stream {}", names.stream()),
            Step::CreateRole => write!(f, "create role {}", names.role()),
            Step::AttachPolicy => write!(f, "attach {}", desired::MANAGED_POLICY),
            Step::CreateLogGroup => write!(f, "create log group {}", names.log_group()),
            Step::PutRetention(0) => f.write_str("keep its events forever"),
            Step::PutRetention(days) => write!(f, "keep its events for {days} days"),
            Step::CreateFunction { .. } => write!(f, "create function {}", names.function()),
            Step::UpdateCode => write!(f, "update the code of function {}", names.function()),
            Step::UpdateConfiguration { .. } => write!(f, "update the configuration of function {}", names.function()),
            Step::AwaitFunction => write!(f, "wait for function {}", names.function()),
            Step::CreateMapping => write!(f, "map stream {} to the function", names.stream()),
            Step::UpdateMapping { uuid } => write!(f, "update event source mapping {uuid}"),
            Step::AwaitMapping { uuid } => write!(f, "wait for event source mapping {uuid}"),
        }
    }
}

impl From<Format> for aws_sdk_lambda::types::LogFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
        }
    }
}
