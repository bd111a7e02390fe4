//! `ops-cli`: parse, run, print the error once, pick the exit code.

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

use cli::{Cli, Command};
use error::{Error, Kind, Result};
use output::Output;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = cli::parse();
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

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
        let red = anstyle::AnsiColor::Red.on_default().bold();
        progress::note(&format!("{red}error:{red:#} {}", error.message));
        if let Some(hint) = &error.hint {
            let cyan = anstyle::AnsiColor::Cyan.on_default();
            progress::note(&format!("{cyan}hint:{cyan:#} {hint}"));
        }
    }
    match error.kind {
        Kind::ClosedPipe => ExitCode::SUCCESS,
        Kind::Failed => ExitCode::from(1),
        Kind::Usage => ExitCode::from(2),
        Kind::Interrupted => ExitCode::from(130),
    }
}
