//! The command line, and nothing else: every check beyond syntax belongs to the command.

mod build;
mod hyphens;
mod local;
mod provision;
mod publish;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use kinesis_event_logger_core::names;

pub use build::{Arch, Build, Zip};
pub use hyphens::parse;
pub use local::Local;
pub use provision::{Provision, Shards, StartingPosition, Teardown};
pub use publish::{Compression, Publish, Tail, Verify};

/// Everything put on a Kinesis stream becomes one searchable line in CloudWatch Logs.
///
/// Provisions that path (stream, role, log group, function, event source mapping), publishes to it, tails it and proves
/// that nothing was lost: on AWS, or on your own machine with `ops-cli local` and `--local`.
#[derive(Parser, Debug)]
#[command(name = "ops-cli", version, max_term_width = 110, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ops-cli demo                            the whole path, on this machine, in a second
  ops-cli local                           the endpoint in the foreground; then, in another terminal:
  ops-cli build && ops-cli zip
  ops-cli --local provision --zip target/bootstrap.zip
  ops-cli --local publish 'Hello, Lambda CLI World'
  ops-cli --local tail --follow
  ops-cli --local teardown

A value may begin with a hyphen (--filter -DEBUG, publish -heartbeat), unless it looks like an option: then write
--filter=--debug, or publish -- --debug.

Exit codes: 0 done; 1 it failed; 2 the command line or its input is wrong; 130 interrupted.";

/// Options of every command.
#[derive(Args, Debug, Clone)]
pub struct Global {
    /// Named profile of the AWS configuration files (default: AWS_PROFILE)
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub profile: Option<String>,
    /// AWS region (default: AWS_REGION, AWS_DEFAULT_REGION or the profile's; with --local us-east-1)
    #[arg(long, global = true, value_name = "REGION", help_heading = "Connection")]
    pub region: Option<String>,
    /// Send requests to this address instead of AWS (default: AWS_ENDPOINT_URL)
    #[arg(long, global = true, value_name = "URL", help_heading = "Connection")]
    pub endpoint_url: Option<String>,
    /// Talk to `ops-cli local`: its default address (or --endpoint-url), its own credentials
    #[arg(long, global = true, conflicts_with = "profile", help_heading = "Connection")]
    pub local: bool,
    /// Those of an endpoint in this process; without them `--local` looks for those of one that runs.
    #[arg(skip)]
    pub local_credentials: Option<local_aws::Credentials>,

    /// Application: the first part of every name
    #[arg(long, global = true, env = "KINESIS_LOGGER_APP", value_name = "NAME", default_value = names::DEFAULT_APPLICATION, help_heading = "Names")]
    pub app: String,
    /// Stage: the second part of every name
    #[arg(long, global = true, env = "KINESIS_LOGGER_STAGE", value_name = "NAME", default_value = names::DEFAULT_STAGE, help_heading = "Names")]
    pub stage: String,
    /// Stream (default: APP-STAGE)
    #[arg(long, global = true, env = "KINESIS_LOGGER_STREAM", value_name = "NAME", help_heading = "Names")]
    pub stream: Option<String>,
    /// Function (default: APP-STAGE)
    #[arg(long, global = true, env = "KINESIS_LOGGER_FUNCTION", value_name = "NAME", help_heading = "Names")]
    pub function: Option<String>,
    /// The function's execution role (default: APP-STAGE-role)
    #[arg(long, global = true, env = "KINESIS_LOGGER_ROLE", value_name = "NAME", help_heading = "Names")]
    pub role: Option<String>,
    /// Log group (default: /aws/lambda/FUNCTION)
    #[arg(long, global = true, env = "KINESIS_LOGGER_LOG_GROUP", value_name = "NAME", help_heading = "Names")]
    pub log_group: Option<String>,

    /// What stdout carries: lines for people, or JSON for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub output: Format,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum Format {
    Text,
    Json,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Make the path: stream, role, log group, function, event source mapping
    Provision(Provision),
    /// Put records on the stream
    Publish(Publish),
    /// Check that what is published comes out as log lines
    Verify(Verify),
    /// Show the function's log
    Tail(Tail),
    /// One screen: stream, mapping, function, last log line
    #[command(after_help = "Examples:\n  ops-cli status\n  ops-cli --local --output json status")]
    Status,
    /// Delete what provision made
    Teardown(Teardown),
    /// Run Kinesis, Lambda and CloudWatch Logs on this machine, in the foreground
    Local(Local),
    /// Show the whole path working, on this machine: nothing to install, nothing left behind
    #[command(
        after_help = "Run it in a checkout: it builds the function, starts the endpoint on a free port, provisions,\npublishes \"Hello, Lambda CLI World\", waits for its log line and tears down.\n\nExamples:\n  cargo demo\n  ops-cli demo"
    )]
    Demo,
    /// Build the function for Lambda, in a checkout of this project
    Build(Build),
    /// Pack the function's binary into the zip that Lambda takes: the same input gives the same bytes
    Zip(Zip),
    /// Print the completion script of a shell
    #[command(
        after_help = "Examples:\n  ops-cli completions bash > /etc/bash_completion.d/ops-cli\n  ops-cli completions zsh > ~/.zfunc/_ops-cli"
    )]
    Completions { shell: Shell },
}
