//! `completions`: print a shell's completion script.

use clap::Args;
use clap_complete::Shell;

use crate::arguments::definition;
use crate::error::Result;
use crate::output::write_script;

const TASK: &str = "\
Prints a script to stdout. Save it where the shell looks for completions.";

const EXAMPLES: &str = "\
Examples:
  ops-cli completions bash > /etc/bash_completion.d/ops-cli
  ops-cli completions zsh > ~/.zfunc/_ops-cli
  ops-cli completions fish > ~/.config/fish/completions/ops-cli.fish";

/// Print a shell's completion script
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

pub fn run(args: &Completions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut definition(), "ops-cli", &mut script);
    Ok(write_script(&script)?)
}
