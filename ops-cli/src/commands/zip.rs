//! `zip`: pack the function's binary into a zip.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::function::{self, Target};
use crate::output::{Output, Render};
use crate::progress::note;

const TASK: &str = "\
Packs the binary as `bootstrap` at the root of the zip, and warns if Lambda cannot run it. The same binary gives the same \
bytes, so `provision` recognises an unchanged function.";

const EXAMPLES: &str = "\
Examples:
  ops-cli zip
  ops-cli zip --binary target/lambda/bootstrap --out logger.zip";

/// Pack the function's binary into a zip
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Zip {
    /// Binary of the function (default: builds it as `ops-cli build` does)
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// File to write
    #[arg(long, value_name = "FILE", default_value = "target/bootstrap.zip")]
    pub out: PathBuf,
}

/// The zip that was written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ZipFile {
    zip: PathBuf,
    bytes: usize,
    code_sha256: String,
}

impl Render for ZipFile {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(to, "{} ({} bytes, sha256 {})", self.zip.display(), self.bytes, self.code_sha256)
    }
}

pub fn run(args: &Zip, output: Output) -> Result<()> {
    let binary = match &args.binary {
        Some(binary) => binary.clone(),
        None => function::build(None)?,
    };
    let zip = function::pack(&binary)?;
    if let Err(error) = function::check(zip.clone(), &binary, Target::Lambda) {
        note(&format!("note: Lambda cannot run this: {}", error.message));
    }
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Error::file("write", &args.out, &error))?;
    }
    std::fs::write(&args.out, &zip).map_err(|error| Error::file("write", &args.out, &error))?;
    output.show(&ZipFile { zip: args.out.clone(), bytes: zip.len(), code_sha256: function::sha256(&zip) })
}
