//! The command line: parsed into the options of every command and one command with its own.

mod hyphens;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::commands::Command;
use crate::global::Global;
use crate::{output, progress};

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

/// Parses a command line, program name included. Prints help, or what is wrong with the command line, and returns the exit
/// code for it.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, ExitCode> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let error = match hyphens::parse(arguments.clone()) {
        Ok(cli) => return Ok(cli),
        Err(error) => error,
    };
    // The error repeats arguments, and there a newline is not one of ours.
    let escaped = arguments.iter().map(|argument| output::printable(&argument.to_string_lossy()).into_owned().into());
    let error = hyphens::parse(escaped).err().filter(|escaped| escaped.kind() == error.kind()).unwrap_or(error);
    progress::show_usage(&error.render().to_string(), || {
        error.print().ok();
    });
    Err(u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from))
}
