//! The options of every command.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::output::Format;

/// Options of every command.
#[derive(Args, Debug, Clone)]
pub struct Global {
    /// Profile in the AWS configuration files (default: AWS_PROFILE)
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub profile: Option<String>,
    /// AWS region (default: AWS_REGION, AWS_DEFAULT_REGION or the profile's region; with --local us-east-1)
    #[arg(long, global = true, value_name = "REGION", help_heading = "Connection")]
    pub region: Option<String>,
    /// Address to connect to instead of AWS (default: AWS_ENDPOINT_URL)
    #[arg(long, global = true, value_name = "URL", help_heading = "Connection")]
    pub endpoint_url: Option<String>,
    /// Connect to the running `ops-cli local` at its default address or --endpoint-url, with its credentials
    #[arg(long, global = true, conflicts_with = "profile", help_heading = "Connection")]
    pub local: bool,
    /// The credentials of an endpoint in this process. Without them, `--local` finds the credentials of a running endpoint.
    #[arg(skip)]
    pub local_credentials: Option<local_aws::Credentials>,

    /// Configuration file (default: kinesis-logger.toml in the current folder, if it exists)
    #[arg(long, global = true, env = "KINESIS_LOGGER_CONFIG", value_name = "FILE", help_heading = "Names")]
    pub config: Option<PathBuf>,
    /// Application, the first part of every name (default: kinesis-event-logger)
    #[arg(long, global = true, env = "KINESIS_LOGGER_APP", value_name = "NAME", help_heading = "Names")]
    pub app: Option<String>,
    /// Stage, the second part of every name (default: dev)
    #[arg(long, global = true, env = "KINESIS_LOGGER_STAGE", value_name = "NAME", help_heading = "Names")]
    pub stage: Option<String>,
    /// Stream (default: APP-STAGE)
    #[arg(long, global = true, env = "KINESIS_LOGGER_STREAM", value_name = "NAME", help_heading = "Names")]
    pub stream: Option<String>,
    /// Function (default: APP-STAGE)
    #[arg(long, global = true, env = "KINESIS_LOGGER_FUNCTION", value_name = "NAME", help_heading = "Names")]
    pub function: Option<String>,
    /// Execution role of the function (default: APP-STAGE-role)
    #[arg(long, global = true, env = "KINESIS_LOGGER_ROLE", value_name = "NAME", help_heading = "Names")]
    pub role: Option<String>,
    /// Log group (default: /aws/lambda/FUNCTION)
    #[arg(long, global = true, env = "KINESIS_LOGGER_LOG_GROUP", value_name = "NAME", help_heading = "Names")]
    pub log_group: Option<String>,

    /// Format of stdout: text for people, JSON lines for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, value_name = "FORMAT", help_heading = "General")]
    pub output: Format,
    /// Print this page
    #[arg(long, short, global = true, action = ArgAction::Help, help_heading = "General")]
    pub help: Option<bool>,
}
