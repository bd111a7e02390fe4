//! `package`: build the function's binary, check it, and pack it into a zip.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use lambda_package::{Architecture, Package as Contents};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::function::{self, BuiltFunction, FunctionZip, Linkage, Target};
use crate::output::{Output, Render};
use crate::progress::note;

const TASK: &str = "\
Builds the function in a checkout of this project, checks that Lambda can run the binary, and packs it into a zip. It takes the \
first of these that is installed, links and passes the check: static glibc, static musl, this machine's C library. One commit \
gives the same bytes in every folder, so `deploy` recognises an unchanged function.";

const EXAMPLES: &str = "\
Examples:
  ops-cli package
  ops-cli package --arch arm64 --out target/arm64.zip
  ops-cli package --binary target/x86_64-unknown-linux-gnu/lambda/bootstrap

The fastest binary needs the C library's static form, on Debian once:
  apt-get install libc6-dev
  apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross      # for arm64";

/// Build the function, and pack it into a zip that Lambda can run
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Package {
    /// Architecture of the function (default: this machine's)
    #[arg(long, value_name = "ARCHITECTURE", value_parser = architectures(), conflicts_with = "binary")]
    arch: Option<Architecture>,
    /// Binary to pack, instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// File to write
    #[arg(long, value_name = "FILE", default_value = "target/bootstrap.zip")]
    out: PathBuf,
    /// Check the binary for the local endpoint on this machine, and not for Lambda
    #[arg(long)]
    this_machine: bool,
}

fn architectures() -> impl TypedValueParser<Value = Architecture> {
    let names = [Architecture::X86_64, Architecture::Arm64].map(Architecture::as_str);
    PossibleValuesParser::new(names).try_map(|name| Architecture::parse(&name).ok_or("unknown architecture"))
}

/// The zip that was written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PackageReport {
    zip: PathBuf,
    bytes: usize,
    code_sha256: String,
    binary: PathBuf,
    binary_bytes: u64,
    architecture: &'static str,
    /// `None` for a binary that was built elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    linkage: Option<Linkage>,
    is_static: bool,
    /// The newest glibc version that the binary needs, for example `2.34`.
    glibc: Option<String>,
}

impl Render for PackageReport {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let linked = match (&self.linkage, &self.glibc) {
            (Some(linkage), _) => linkage.describe().to_owned(),
            (None, _) if self.is_static => "static".to_owned(),
            (None, Some(glibc)) => format!("glibc {glibc}"),
            (None, None) => "dynamic".to_owned(),
        };
        let megabytes = |bytes: f64| format!("{:.2} MB", bytes / 1e6);
        let binary = megabytes(self.binary_bytes as f64);
        writeln!(to, "{}  {binary}, {}, {linked}", self.binary.display(), self.architecture)?;
        let zip = megabytes(self.bytes as f64);
        writeln!(to, "{}  {zip}, sha256 {}", self.zip.display(), self.code_sha256)
    }
}

pub fn run(args: &Package, output: Output) -> Result<()> {
    let target = if args.this_machine { Target::ThisMachine } else { Target::Lambda };
    let (binary, linkage, zip) = match &args.binary {
        Some(binary) => (binary.clone(), None, function::check(function::pack(binary)?, binary, target)?),
        None => {
            let BuiltFunction { binary, linkage, zip } = function::build(args.arch, target)?;
            (binary, Some(linkage), zip)
        }
    };
    write(&args.out, &zip.bytes)?;
    output.show(&report(args.out.clone(), binary, linkage, &zip)?)
}

fn write(path: &Path, zip: &[u8]) -> Result<()> {
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(path, zip));
    written.map_err(|error| Error::file("write", path, &error))
}

fn report(path: PathBuf, binary: PathBuf, linkage: Option<Linkage>, zip: &FunctionZip) -> Result<PackageReport> {
    let contents = Contents::read(&zip.bytes).map_err(|error| Error::failed(error.to_string()))?;
    let elf = contents.executable();
    if elf.is_some_and(|elf| elf.has_symbols) {
        note("note: the binary has symbols for debuggers, which `strip` removes");
    }
    Ok(PackageReport {
        zip: path,
        bytes: zip.bytes.len(),
        code_sha256: zip.sha256.clone(),
        binary,
        binary_bytes: contents.unpacked_bytes,
        architecture: zip.architecture.as_str(),
        linkage,
        is_static: elf.is_some_and(|elf| elf.is_static),
        glibc: elf.and_then(|elf| elf.newest_glibc).map(|(major, minor)| format!("{major}.{minor}")),
    })
}
