//! A function's code: the uploaded zip, checked and unpacked into a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};

use lambda_package::{MAX_ZIPPED_BYTES, Package, Platform};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::runtime::Kind;
use super::settings::Settings;
use super::unpack::{UnpackError, unpack};
use super::validation::{invalid_parameter, service_failure};
use crate::error::AwsError;
use crate::private;

/// Where the code comes from, as CreateFunction and UpdateFunctionCode take it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Source {
    zip_file: Option<String>,
    #[serde(rename = "S3Bucket")]
    s3_bucket: Option<String>,
    image_uri: Option<String>,
}

impl Source {
    /// The zip's bytes.
    ///
    /// # Errors
    /// No zip, too large a zip, or a source the endpoint does not have: a bucket, an image.
    pub fn into_zip(self) -> Result<Vec<u8>, AwsError> {
        if self.s3_bucket.is_some() {
            // AWS's words; the second sentence is ours.
            return Err(invalid_parameter(
                "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does \
                 not exist. The local endpoint has no S3: send the code as ZipFile",
            ));
        }
        if self.image_uri.is_some() {
            return Err(invalid_parameter(
                "The local endpoint does not run container images: send the code as ZipFile.",
            ));
        }
        let base64 = self.zip_file.ok_or_else(|| invalid_parameter("Please provide a source for function code."))?;
        let zip = base64_simd::STANDARD
            .decode_to_vec(base64)
            .map_err(|_| AwsError::bad_request("SerializationException", "Code.ZipFile is not valid base64"))?;
        if zip.len() > MAX_ZIPPED_BYTES {
            let message = format!("Zipped size must be smaller than {MAX_ZIPPED_BYTES} bytes");
            return Err(AwsError::new(413, "RequestEntityTooLargeException", message));
        }
        Ok(zip)
    }
}

/// Code ready to run. Its folder is removed when the last function version and process that use it are gone.
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
    /// `InvalidParameterValueException` with the reason the package cannot be run.
    pub fn unpack(zip: &[u8], settings: &Settings, root: PathBuf) -> Result<Self, AwsError> {
        check(zip, settings)?;
        let sha256 = base64_simd::STANDARD.encode_to_string(Sha256::digest(zip));
        let code = Self { sha256, size: zip.len(), root };
        let unpacked = private::create_dir_all(&code.folder())
            .and_then(|()| private::write(&code.zip(), zip))
            .map_err(UnpackError::from)
            .and_then(|()| unpack(zip, &code.folder()));
        unpacked.map_err(refuse)?;
        Ok(code)
    }

    /// Whether the same code can run under other settings: another runtime may ask more of it. Blocks.
    pub fn check(&self, settings: &Settings) -> Result<(), AwsError> {
        let zip = fs::read(self.zip()).map_err(|error| service_failure("read the function's zip", &error))?;
        check(&zip, settings)
    }

    /// The unpacked package.
    pub fn folder(&self) -> PathBuf {
        self.root.join("task")
    }

    /// The zip as it was uploaded.
    pub fn zip(&self) -> PathBuf {
        self.root.join("code.zip")
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        let root = std::mem::take(&mut self.root);
        // Thousands of files take a while: on a thread that the end of the endpoint does not wait for. Should there be no
        // thread, or no time, the guardian removes them with all the rest.
        std::thread::Builder::new().spawn(move || fs::remove_dir_all(root).ok()).ok();
    }
}

fn check(zip: &[u8], settings: &Settings) -> Result<(), AwsError> {
    let package = Package::read(zip).map_err(|error| refuse(error.into()))?;
    if settings.runtime.kind == Kind::Provided {
        package.check_bootstrap(settings.architecture, Platform::host()).map_err(|error| refuse(error.into()))?;
    }
    Ok(())
}

fn refuse(error: UnpackError) -> AwsError {
    match error {
        UnpackError::Io(error) => service_failure("unpack the package", &error),
        UnpackError::Package(error) => invalid_parameter(error.to_string()),
    }
}

/// A fresh folder's name below `parent`.
pub fn new_root(parent: &Path, function: &str) -> PathBuf {
    parent.join(format!("{function}-{}", uuid::Uuid::new_v4().simple()))
}
