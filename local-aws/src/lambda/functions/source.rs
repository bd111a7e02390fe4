//! The code that a request contains.

use serde::Deserialize;

use crate::error::AwsError;
use crate::lambda::errors::invalid_parameter;
use lambda_package::Architecture;
use lambda_package::MAX_ZIPPED_BYTES;

/// The code of a CreateFunction or an UpdateFunctionCode.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Source {
    zip_file: Option<String>,
    #[serde(rename = "S3Bucket")]
    s3_bucket: Option<String>,
    image_uri: Option<String>,
}

impl Source {
    /// Returns the zip.
    ///
    /// # Errors
    /// There is no zip, it is too large, or the source is not supported: a bucket or an image.
    pub fn into_zip(self) -> Result<Vec<u8>, AwsError> {
        if self.s3_bucket.is_some() {
            // The first two sentences are AWS's.
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
            .map_err(|_| AwsError::serialization("ZipFile is not valid base64"))?;
        if zip.len() > MAX_ZIPPED_BYTES {
            let message = format!("Zipped size must be smaller than {MAX_ZIPPED_BYTES} bytes");
            return Err(AwsError::new(413, "RequestEntityTooLargeException", message));
        }
        Ok(zip)
    }
}

/// The architecture that a request names. The service model has checked the list.
pub fn architecture(names: Option<&[String]>) -> Option<Architecture> {
    names?.first().and_then(|name| Architecture::parse(name))
}
