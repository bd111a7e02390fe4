//! Parses the command line.

mod hyphens;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Arg, CommandFactory, Parser};

use crate::commands::Command;
use crate::global::Global;
use crate::{output, progress};

/// Everything put on a Kinesis stream becomes one searchable line in CloudWatch Logs
#[derive(Parser, Debug)]
#[command(name = "ops-cli", version, max_term_width = 110, disable_help_flag = true)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const TASK: &str = "\
Creates the path (stream, role, log group, function, event source mapping), publishes to it, shows its log and checks that \
nothing was lost: on AWS, or on this machine with `ops-cli local` and --local. `ops-cli COMMAND --help` describes a command.";

const EXAMPLES: &str = "\
Examples:
  ops-cli demo                       run the whole path once on this machine

  ops-cli local                      run the endpoint; then, in another terminal:
  ops-cli package
  ops-cli --local provision --zip target/bootstrap.zip
  ops-cli --local publish 'Hello, Lambda CLI World'
  ops-cli --local tail --follow
  ops-cli --local teardown

A value may begin with a hyphen (--filter -DEBUG, publish -heartbeat), unless it looks like an option. In that case write \
--filter=--debug, or publish -- --debug.

Exit codes: 0 success; 1 failure; 2 wrong command line or input; 130 interrupted.";

/// The layout of every help page: the task comes before the options.
const LAYOUT: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The options of every command that a command does not use, by their headings. Its help page does not list them.
fn unused_headings(command: &str) -> &'static [&'static str] {
    match command {
        "package" | "completions" => &["Connection", "Names"],
        "local" => &["Names"],
        _ => &[],
    }
}

/// The definition of the command line.
pub fn definition() -> clap::Command {
    let mut root = Cli::command().help_template(LAYOUT);
    // Copies the options of every command into the commands.
    root.build();
    let names: Vec<_> = root.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    for name in names {
        let unused = unused_headings(&name);
        let hide = |arg: Arg| match arg.get_help_heading() {
            Some(heading) if unused.contains(&heading) => arg.hide(true),
            _ => arg,
        };
        root = root.mut_subcommand(name, |command| command.help_template(LAYOUT).mut_args(hide));
    }
    root
}

/// Parses a command line, including the program name. For a request for help, or a wrong command line, prints the text and
/// returns the exit code.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, ExitCode> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let error = match hyphens::parse(arguments.clone()) {
        Ok(cli) => return Ok(cli),
        Err(error) => error,
    };
    // The error quotes arguments, in which line breaks must be escaped.
    let escaped = arguments.iter().map(|argument| output::printable(&argument.to_string_lossy()).into_owned().into());
    let error = hyphens::parse(escaped).err().filter(|escaped| escaped.kind() == error.kind()).unwrap_or(error);
    progress::show_usage(&error.render().to_string(), || {
        error.print().ok();
    });
    Err(u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from))
}
