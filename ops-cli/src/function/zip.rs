use std::io::{self, Cursor, Write};
use std::path::Path;

use lambda_package::{Architecture, Package, PackageError, Platform};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::RUNTIME;
use crate::error::{Error, Result};

/// Packs a binary into a zip with one entry: `bootstrap` at the root, executable, with the earliest date that a zip can have. The
/// same binary gives the same bytes, so that an unchanged function is recognised by its hash.
pub fn pack(binary: &Path) -> Result<Vec<u8>> {
    let code = std::fs::read(binary).map_err(|error| Error::file("read", binary, &error))?;
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

/// Reads a function's zip, and checks that it can run.
pub fn load(path: &Path, target: Target) -> Result<FunctionZip> {
    let zip = std::fs::read(path).map_err(|error| Error::file("read", path, &error).hint(CREATE_ONE))?;
    check(zip, path, target)
}

const CREATE_ONE: &str = "create the zip with `ops-cli package` in a checkout of this project";

/// The platform that runs the function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    Lambda,
    /// This machine, which runs the local endpoint's functions.
    ThisMachine,
}

impl Target {
    pub fn describe(self) -> &'static str {
        match self {
            Self::Lambda => "Lambda",
            Self::ThisMachine => "this machine",
        }
    }
}

/// A function's zip that can run.
#[derive(Debug, Clone)]
pub struct FunctionZip {
    pub bytes: Vec<u8>,
    /// Base64 of the zip's SHA-256, as Lambda reports it.
    pub sha256: String,
    pub architecture: Architecture,
}

/// Checks that a zip can run on a target. `path` names the zip in errors.
pub fn check(zip: Vec<u8>, path: &Path, target: Target) -> Result<FunctionZip> {
    let rejected = |error: PackageError| Error::usage(format!("{}: {error}", path.display())).hint(CREATE_ONE);
    let package = Package::read(&zip).map_err(rejected)?;
    let architecture = package.architecture().unwrap_or_else(Architecture::host);
    let platform = match target {
        Target::Lambda => Platform::lambda_image(RUNTIME, architecture),
        Target::ThisMachine => None,
    };
    let platform = platform.as_ref().unwrap_or_else(|| Platform::host());
    package.check_bootstrap(architecture, platform).map_err(rejected)?;
    package.check_mode().map_err(rejected)?;
    Ok(FunctionZip { sha256: sha256(&zip), bytes: zip, architecture })
}

fn sha256(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(Sha256::digest(bytes))
}
