//! DeleteStream.

use serde::Deserialize;

use super::addressing::StreamAddress;
use super::stream::{Change, Status};
use super::{Kinesis, now};
use crate::error::AwsError;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteStream {
    #[serde(flatten)]
    stream: StreamAddress,
    #[serde(default)]
    enforce_consumer_deletion: bool,
}

pub fn delete_stream(kinesis: &Kinesis, request: DeleteStream) -> Result<(), AwsError> {
    let stream = kinesis.addressed(request.stream)?;
    let number = stream.update(|state| {
        if !state.consumers.is_empty() && !request.enforce_consumer_deletion {
            let (name, account, count) = (&stream.name, &kinesis.shared.account_id, state.consumers.len());
            let message = format!("Stream {name} under account {account} has {count} consumers.");
            return Err(AwsError::bad_request("ResourceInUseException", message));
        }
        for consumer in std::mem::take(&mut state.consumers).into_values() {
            kinesis.end_subscriptions(&consumer.arn(&stream.arn));
        }
        let is_begun = state.status() == Status::Deleting;
        Ok((!is_begun).then(|| state.begin(Change::Delete, kinesis.due(now()))))
    })?;
    if let Some(number) = number {
        kinesis.schedule(&stream, number, kinesis.transition());
    }
    Ok(())
}
