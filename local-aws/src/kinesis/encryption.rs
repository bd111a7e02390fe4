//! StartStreamEncryption and StopStreamEncryption. Encryption is only a label. Data is stored unencrypted.

use serde::Deserialize;

use super::addressing::StreamAddress;
use super::stream::Change;
use super::{Kinesis, invalid};
use crate::error::AwsError;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StreamEncryption {
    #[serde(flatten)]
    stream: StreamAddress,
    encryption_type: String,
    key_id: String,
}

pub fn start_stream_encryption(kinesis: &Kinesis, request: StreamEncryption) -> Result<(), AwsError> {
    let name = kinesis.name_of(request.stream)?;
    must_be_kms(&request.encryption_type)?;
    let stream = kinesis.existing(&name)?;
    kinesis.begin(&stream, |_| Ok(Change::Encrypt { key_id: request.key_id }))
}

pub fn stop_stream_encryption(kinesis: &Kinesis, request: StreamEncryption) -> Result<(), AwsError> {
    let name = kinesis.name_of(request.stream)?;
    must_be_kms(&request.encryption_type)?;
    let stream = kinesis.existing(&name)?;
    kinesis.begin(&stream, |state| {
        if state.configuration.is_encrypted() {
            return Ok(Change::Decrypt);
        }
        let account = &kinesis.shared.account_id;
        Err(invalid(format!("Stream {} under account {account} is not encrypted with KMS.", stream.name)))
    })
}

// Unverified: AWS's message.
fn must_be_kms(encryption_type: &str) -> Result<(), AwsError> {
    if encryption_type == "KMS" { Ok(()) } else { Err(invalid("EncryptionType must be KMS.")) }
}
