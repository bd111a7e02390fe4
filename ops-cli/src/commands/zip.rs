//! `zip`: the function's binary as the zip that Lambda takes. The same input gives the same bytes, so that an unchanged
//! function is recognised by its hash.

use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};

use aws_sdk_lambda::types::Architecture;
use clap::Args;
use local_aws::package::{self, PackageError, Platform};
use serde::Serialize;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::build;
use crate::error::{Error, Result};
use crate::output::{Output, Render};
use crate::progress::note;
use crate::provision::desired::{Package, RUNTIME};

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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    zip: PathBuf,
    bytes: usize,
    code_sha256: String,
}

impl Render for Outcome {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(to, "{} ({} bytes, sha256 {})", self.zip.display(), self.bytes, self.code_sha256)
    }
}

pub fn run(args: &Zip, output: Output) -> Result<()> {
    let binary = match &args.binary {
        Some(binary) => binary.clone(),
        None => build::function(None)?,
    };
    let zip = pack(&binary)?;
    if let Err(error) = package(zip.clone(), &binary, Runs::OnLambda) {
        note(&format!("note: Lambda cannot run this: {}", error.message));
    }
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder).map_err(|error| cannot("write", &args.out, &error))?;
    }
    std::fs::write(&args.out, &zip).map_err(|error| cannot("write", &args.out, &error))?;
    output.show(&Outcome { zip: args.out.clone(), bytes: zip.len(), code_sha256: sha256(&zip) })
}

/// The zip of a binary: one entry, `bootstrap`, executable, at the root, with the earliest date a zip can have.
pub fn pack(binary: &Path) -> Result<Vec<u8>> {
    let code = std::fs::read(binary).map_err(|error| cannot("read", binary, &error))?;
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", options).map_err(io::Error::from)?;
    zip.write_all(&code)?;
    Ok(zip.finish().map_err(io::Error::from)?.into_inner())
}

/// Reads a function's zip, and checks it before anything is made for it.
pub fn load(path: &Path, runs: Runs) -> Result<Package> {
    let zip = std::fs::read(path).map_err(|error| cannot("read", path, &error).hint(MAKE_ONE))?;
    package(zip, path, runs)
}

const MAKE_ONE: &str = "make the zip with `ops-cli zip`, in a checkout of this project";

/// Where a function is to run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Runs {
    OnLambda,
    /// On this machine, in the local endpoint.
    Here,
}

/// The package of a zip that came from `path`.
pub fn package(zip: Vec<u8>, path: &Path, runs: Runs) -> Result<Package> {
    let refused = |error: PackageError| Error::usage(format!("{}: {error}", path.display())).hint(MAKE_ONE);
    let contents = package::Package::read(&zip).map_err(refused)?;
    let architecture = contents.architecture().unwrap_or(Platform::host().architecture);
    let platform = match runs {
        Runs::OnLambda => Platform::lambda_image(RUNTIME, architecture),
        Runs::Here => None,
    };
    let platform = platform.as_ref().unwrap_or_else(|| Platform::host());
    contents.check_bootstrap(architecture, platform).map_err(refused)?;
    let architecture = match architecture {
        package::Architecture::X86_64 => Architecture::X8664,
        package::Architecture::Arm64 => Architecture::Arm64,
    };
    Ok(Package { sha256: sha256(&zip), zip, architecture })
}

fn cannot(doing: &str, path: &Path, error: &io::Error) -> Error {
    Error::usage(format!("could not {doing} {}: {error}", path.display()))
}

fn sha256(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(Sha256::digest(bytes))
}
