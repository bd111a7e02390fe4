//! `completions`: the completion script of a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Cli;
use crate::error::Result;
use crate::output::write_script;

/// Print the completion script of a shell
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Examples:\n  ops-cli completions bash > /etc/bash_completion.d/ops-cli\n  ops-cli completions zsh > ~/.zfunc/_ops-cli"
)]
pub struct Completions {
    shell: Shell,
}

pub fn run(args: &Completions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ops-cli", &mut script);
    Ok(write_script(&script)?)
}
