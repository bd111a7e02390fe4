//! `build`: build the function's binary for Lambda.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use lambda_package::Architecture;
use serde::Serialize;

use crate::error::Result;
use crate::function;
use crate::output::{Output, Render};

const BUILD: &str = "\
Builds a static binary where the musl target is installed, else one for this machine's own C library, and checks \
that Lambda can run it.

Examples:
  ops-cli build
  ops-cli build --arch arm64

For a static binary: rustup target add x86_64-unknown-linux-musl (or aarch64-…)";

/// Build the function for Lambda, in a checkout of this project
#[derive(Args, Debug, Clone)]
#[command(after_help = BUILD)]
pub struct Build {
    /// The function's architecture (default: this machine's)
    #[arg(long, value_name = "ARCHITECTURE", value_parser = architectures())]
    arch: Option<Architecture>,
}

fn architectures() -> impl TypedValueParser<Value = Architecture> {
    let names = [Architecture::X86_64, Architecture::Arm64].map(Architecture::as_str);
    PossibleValuesParser::new(names).try_map(|name| Architecture::parse(&name).ok_or("unknown architecture"))
}

/// The binary that was built.
#[derive(Serialize)]
struct Binary {
    binary: PathBuf,
}

impl Render for Binary {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(to, "{}", self.binary.display())
    }
}

pub fn run(args: &Build, output: Output) -> Result<()> {
    output.show(&Binary { binary: function::build(args.arch)? })
}
