//! One PutRecords request and what its answer says.

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::put_records::{PutRecordsError, PutRecordsOutput};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, PutRecordsResultEntry};

use super::queue::Entry;
use super::receipts::Receipt;
use crate::error::{Error, Result, chain};

/// How long an answer may take.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// What became of one entry.
#[derive(Debug)]
pub enum Outcome {
    Put {
        shard_id: String,
        sequence_number: String,
    },
    /// Its shard has reached its limit.
    Throttled(String),
    Failed(String),
}

/// Why a request has no answer for its entries.
#[derive(Debug)]
pub enum Failure {
    /// The next attempt may succeed. `may_be_put`: it may have been executed.
    Passing { reason: String, may_be_put: bool },
    /// Refused as a whole for the stream's limits.
    Throttled(String),
    /// No attempt will succeed.
    Lasting(Error),
}

/// A client that leaves trying again to us, who know which entries need it.
pub fn client(client: &Client) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(ANSWER_DEADLINE)
        .build();
    let config = client.config().to_builder().retry_config(RetryConfig::disabled()).timeout_config(timeouts);
    Client::from_conf(config.build())
}

/// Sends the entries in one request; an outcome for each.
pub async fn put(client: &Client, stream: &str, entries: &[Entry]) -> Result<Vec<Outcome>, Failure> {
    let records: Result<Vec<_>, _> = entries.iter().map(request_entry).collect();
    let records = records.map_err(|error| Failure::Lasting(Error::failed(error.to_string())))?;
    let request = client.put_records().stream_name(stream).set_records(Some(records));
    let answer = request.send().await.map_err(|error| failure(stream, error))?;
    outcomes(answer, entries.len())
}

fn request_entry(entry: &Entry) -> Result<PutRecordsRequestEntry, aws_sdk_kinesis::error::BuildError> {
    let record = &entry.record;
    PutRecordsRequestEntry::builder()
        .data(Blob::new(record.data.as_slice()))
        .partition_key(&record.partition_key)
        .set_explicit_hash_key(record.explicit_hash_key.map(|key| key.to_string()))
        .build()
}

fn outcomes(answer: PutRecordsOutput, sent: usize) -> Result<Vec<Outcome>, Failure> {
    if answer.records.len() != sent {
        let reason = format!("Kinesis was sent {sent} records and answered for {}", answer.records.len());
        return Err(Failure::Passing { reason, may_be_put: true });
    }
    Ok(answer.records.into_iter().map(outcome).collect())
}

fn outcome(result: PutRecordsResultEntry) -> Outcome {
    if let (Some(shard_id), Some(sequence_number)) = (result.shard_id, result.sequence_number) {
        return Outcome::Put { shard_id, sequence_number };
    }
    let code = result.error_code.unwrap_or_else(|| "no reason given".into());
    let reason = format!("{code}: {}", result.error_message.unwrap_or_default());
    if code == "ProvisionedThroughputExceededException" { Outcome::Throttled(reason) } else { Outcome::Failed(reason) }
}

fn failure(stream: &str, error: SdkError<PutRecordsError>) -> Failure {
    const THROTTLING: [&str; 4] = [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "LimitExceededException",
        "KMSThrottlingException",
    ];
    let is_servers_fault = error.raw_response().is_some_and(|response| response.status().is_server_error());
    let Some(service) = error.as_service_error() else {
        return match error {
            SdkError::ConstructionFailure(_) => Failure::Lasting(Error::aws(doing(stream), error)),
            _ => Failure::Passing { reason: chain(&error), may_be_put: true },
        };
    };
    let reason = format!(
        "{}: {}",
        service.code().unwrap_or("an error without a code"),
        service.message().unwrap_or("no message")
    );
    if service.code().is_some_and(|code| THROTTLING.contains(&code)) {
        Failure::Throttled(reason)
    } else if is_servers_fault {
        Failure::Passing { reason, may_be_put: true }
    } else {
        Failure::Lasting(Error::aws(doing(stream), error))
    }
}

fn doing(stream: &str) -> String {
    format!("publish to the stream {stream}")
}

/// Puts one record, with the SDK's own retries.
pub async fn put_one(client: &Client, stream: &str, partition_key: &str, data: &str) -> Result<Receipt> {
    let request = client.put_record().stream_name(stream).partition_key(partition_key).data(Blob::new(data));
    let put = request.send().await.map_err(|error| Error::aws(doing(stream), error))?;
    Ok(Receipt {
        offset: 0,
        shard_id: put.shard_id,
        sequence_number: put.sequence_number,
        attempts: 1,
        may_repeat: false,
        time: jiff::Timestamp::now().as_millisecond(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_has_an_outcome_of_its_own() {
        let refused = |code: &str| PutRecordsResultEntry::builder().error_code(code).error_message("why").build();
        let put = PutRecordsResultEntry::builder().shard_id("s").sequence_number("1").build();
        let answer = PutRecordsOutput::builder()
            .records(put)
            .records(refused("ProvisionedThroughputExceededException"))
            .records(refused("InternalFailure"))
            .build()
            .unwrap();
        let outcomes = outcomes(answer, 3).unwrap();
        assert!(matches!(&outcomes[0], Outcome::Put { shard_id, .. } if shard_id == "s"));
        assert!(matches!(&outcomes[1], Outcome::Throttled(_)));
        assert!(matches!(&outcomes[2], Outcome::Failed(reason) if reason == "InternalFailure: why"));
    }

    #[test]
    fn an_answer_for_other_records_is_no_acknowledgement() {
        let put = PutRecordsResultEntry::builder().shard_id("s").sequence_number("1").build();
        let answer = PutRecordsOutput::builder().records(put).build().unwrap();
        assert!(matches!(outcomes(answer, 2), Err(Failure::Passing { may_be_put: true, .. })));
    }
}
