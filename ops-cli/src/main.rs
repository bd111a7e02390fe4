//! `ops-cli`: parse, run, print the error once, pick the exit code.

mod allocator;
mod arguments;
mod aws;
mod commands;
mod config;
mod connection;
mod consume;
mod deploy;
mod doctor;
mod endpoint;
mod error;
mod event_line;
mod export;
mod function;
mod global;
mod output;
mod progress;
mod provision;
mod publish;
mod redrive;
mod retry;
mod runtime_folder;
mod show;
mod signals;
mod stream;
mod tail;
mod text;
mod time;
mod values;
mod verify;
mod wait;

use std::process::ExitCode;

use arguments::Cli;
use commands::Command;
use error::Result;
use output::Output;

fn main() -> ExitCode {
    let cli = match arguments::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(exit_code) => return exit_code,
    };
    if matches!(cli.command, Command::Local(_) | Command::Consume(_)) {
        allocator::return_freed_memory();
    }
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

#[tokio::main]
async fn run(Cli { global, command }: Cli) -> Result<()> {
    let output = Output { format: global.output };
    command.run(&global, output).await
}
