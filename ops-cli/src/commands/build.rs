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

const TASK: &str = "\
Builds the function in a checkout of this project, and prints the path of the binary. The binary is static, and runs on every \
Lambda image, if the musl target is installed. Otherwise it is linked to this machine's C library.";

const EXAMPLES: &str = "\
Examples:
  ops-cli build
  ops-cli build --arch arm64

For a static binary, install the target once:
  rustup target add x86_64-unknown-linux-musl
  rustup target add aarch64-unknown-linux-musl";

/// Build the function's binary for Lambda
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Build {
    /// Architecture of the function (default: this machine's)
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
