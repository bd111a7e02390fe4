//! `zip`: pack the function's binary into a zip.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::function::{self, Target};
use crate::output::{Output, Render};
use crate::progress::note;

/// Pack the function's binary into the zip that Lambda takes: the same input gives the same bytes
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
