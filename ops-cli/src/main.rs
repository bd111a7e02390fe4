//! `ops-cli`: parse, run, print the error once, pick the exit code.

mod allocator;
mod aws;
mod cli;
mod commands;
mod error;
mod event_line;
mod output;
mod progress;
mod provision;
mod publish;
mod retry;
mod runtime_folder;
mod tail;
mod time;
mod verify;
mod wait;

use std::process::ExitCode;

use anstyle::AnsiColor;

use cli::{Cli, Command};
use error::{Error, Kind, Result};
use output::Output;

fn main() -> ExitCode {
    let cli = match cli() {
        Ok(cli) => cli,
        Err(exit) => return exit,
    };
    if matches!(cli.command, Command::Local(_)) {
        allocator::return_freed_memory();
    }
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

/// The command line, or the exit code after help or a usage error.
fn cli() -> Result<Cli, ExitCode> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let error = match cli::parse(arguments.clone()) {
        Ok(cli) => return Ok(cli),
        Err(error) => error,
    };
    // The error repeats arguments, and there a newline is not one of ours.
    let escaped = arguments.iter().map(|argument| output::printable(&argument.to_string_lossy()).into_owned().into());
    let error = cli::parse(escaped).err().filter(|escaped| escaped.kind() == error.kind()).unwrap_or(error);
    progress::show_usage(&error.render().to_string(), || {
        error.print().ok();
    });
    Err(u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from))
}

#[tokio::main]
async fn run(cli: Cli) -> Result<()> {
    let Cli { global, command } = cli;
    let output = Output { format: global.output };
    match command {
        Command::Provision(args) => commands::provision::run(&global, &args, output).await,
        Command::Publish(args) => commands::publish::run(&global, &args, output).await,
        Command::Verify(args) => commands::verify::run(&global, &args, output).await,
        Command::Tail(args) => commands::tail::run(&global, &args, output).await,
        Command::Status => commands::status::run(&global, output).await,
        Command::Teardown(args) => commands::teardown::run(&global, &args, output).await,
        Command::Local(args) => commands::local::run(&global, &args, output).await,
        Command::Demo => commands::demo::run(&global, output).await,
        Command::Build(args) => commands::build::run(&args, output),
        Command::Zip(args) => commands::zip::run(&args, output),
        Command::Completions { shell } => commands::completions::run(shell),
    }
}

fn report(error: &Error) -> ExitCode {
    if error.kind != Kind::ClosedPipe {
        progress::labelled(AnsiColor::Red.on_default().bold(), "error:", &error.message);
        if let Some(hint) = &error.hint {
            progress::labelled(AnsiColor::Cyan.on_default(), "hint:", hint);
        }
    }
    match error.kind {
        Kind::ClosedPipe => ExitCode::SUCCESS,
        Kind::Failed => ExitCode::from(1),
        Kind::Usage => ExitCode::from(2),
        Kind::Interrupted => ExitCode::from(130),
    }
}
