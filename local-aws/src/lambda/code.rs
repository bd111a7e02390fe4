//! A function's code: the uploaded zip, checked, and unpacked into a folder of its own.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use lambda_package::{Package, Platform};
use sha2::{Digest, Sha256};

use super::configuration::{Language, Settings};
use super::errors::{invalid_parameter, service_failure};
use super::unpack::{UnpackError, unpack};
use crate::error::AwsError;
use crate::private;

/// A zip's code, and the zip itself for the store.
pub struct Unpacked {
    pub code: Arc<Code>,
    pub zip: Bytes,
}

/// Unpacked code. Its folder is removed after the last version and process that use it.
#[derive(Debug)]
pub struct Code {
    /// Base64 of the zip's SHA-256.
    pub sha256: String,
    /// Bytes of the zip.
    pub size: usize,
    root: PathBuf,
}

impl Code {
    /// Checks and unpacks a zip into the new folder `root`. Blocks.
    ///
    /// # Errors
    /// `InvalidParameterValueException` with the reason why the package cannot be run.
    pub fn unpack(zip: Vec<u8>, settings: &Settings, root: PathBuf) -> Result<Unpacked, AwsError> {
        check(&zip, settings)?;
        let sha256 = base64_simd::STANDARD.encode_to_string(Sha256::digest(&zip));
        let code = Self { sha256, size: zip.len(), root };
        let unpacked = private::create_dir_all(&code.folder())
            .and_then(|()| private::write(&code.zip_path(), &zip))
            .map_err(UnpackError::from)
            .and_then(|()| unpack(&zip, &code.folder()));
        unpacked.map_err(rejection)?;
        Ok(Unpacked { code: Arc::new(code), zip: zip.into() })
    }

    /// Checks whether the code can run under other settings: another runtime may require more of it. Blocks.
    ///
    /// # Errors
    /// As [`Code::unpack`]; the zip cannot be read.
    pub fn check(&self, settings: &Settings) -> Result<(), AwsError> {
        check(&self.zip()?, settings)
    }

    /// The zip as it was uploaded. Blocks.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn zip(&self) -> Result<Bytes, AwsError> {
        let zip = fs::read(self.zip_path()).map_err(|error| service_failure("read the function's zip", &error))?;
        Ok(zip.into())
    }

    /// The unpacked package.
    pub fn folder(&self) -> PathBuf {
        self.root.join("task")
    }

    fn zip_path(&self) -> PathBuf {
        self.root.join("code.zip")
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        let root = std::mem::take(&mut self.root);
        // Removing thousands of files takes time, so a thread does it for which the endpoint's end does not wait. Without a
        // thread, or without time, the guardian removes the files.
        std::thread::Builder::new().spawn(move || fs::remove_dir_all(root).ok()).ok();
    }
}

fn check(zip: &[u8], settings: &Settings) -> Result<(), AwsError> {
    let package = Package::read(zip).map_err(|error| rejection(error.into()))?;
    if settings.runtime.language == Language::Provided {
        package.check_bootstrap(settings.architecture, Platform::host()).map_err(|error| rejection(error.into()))?;
    }
    Ok(())
}

fn rejection(error: UnpackError) -> AwsError {
    match error {
        UnpackError::Io(error) => service_failure("unpack the package", &error),
        UnpackError::Package(error) => invalid_parameter(error.to_string()),
    }
}
