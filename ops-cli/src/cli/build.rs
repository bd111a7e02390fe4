//! `build` and `zip`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

const BUILD: &str = "\
Builds a static binary where the musl target is installed, else one for this machine's own C library, and checks \
that Lambda can run it.

Examples:
  ops-cli build
  ops-cli build --arch arm64

For a static binary: rustup target add x86_64-unknown-linux-musl (or aarch64-…)";

#[derive(Args, Debug, Clone)]
#[command(after_help = BUILD)]
pub struct Build {
    /// The function's architecture (default: this machine's)
    #[arg(long, value_enum)]
    pub arch: Option<Arch>,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum Arch {
    #[value(name = "x86_64")]
    X86_64,
    Arm64,
}

#[derive(Args, Debug, Clone)]
#[command(after_help = "Examples:\n  ops-cli zip\n  ops-cli zip --binary target/lambda/bootstrap --out logger.zip")]
pub struct Zip {
    /// The function's binary (default: what `ops-cli build` makes)
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// Where to write the zip
    #[arg(long, value_name = "FILE", default_value = "target/bootstrap.zip")]
    pub out: PathBuf,
}
