//! The results of PutRecords, parsed in place. The SDK would allocate a string for each member of each record.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_kinesis::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_kinesis::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kinesis::error::BoxError;
use aws_sdk_kinesis::operation::put_records::PutRecordsOutput;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Output};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::ser_de::{DeserializeResponse, SharedResponseDeserializer};
use serde::Deserialize;

/// The body of a successful answer.
#[derive(Debug, Default)]
pub struct Response(Vec<u8>);

/// The result of one entry.
#[derive(Debug)]
pub enum Outcome<'a> {
    Put {
        shard_id: Cow<'a, str>,
        sequence_number: Cow<'a, str>,
    },
    /// Throttled by its shard's limit.
    Throttled(String),
    Failed(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    #[serde(borrow)]
    records: Vec<ResponseEntry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ResponseEntry<'a> {
    #[serde(borrow)]
    shard_id: Option<Text<'a>>,
    sequence_number: Option<Text<'a>>,
    error_code: Option<String>,
    error_message: Option<String>,
}

/// Text that is borrowed if it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Response {
    /// Whether the body says in AWS's usual position that every entry was accepted.
    pub fn accepts_all(&self) -> bool {
        self.0.starts_with(br#"{"FailedRecordCount":0,"#)
    }

    /// Returns the result of each of `sent` entries.
    ///
    /// # Errors
    /// The reason why the body does not contain them.
    pub fn outcomes(&self, sent: usize) -> Result<Vec<Outcome<'_>>, String> {
        let body: Body =
            serde_json::from_slice(&self.0).map_err(|error| format!("the answer is unreadable: {error}"))?;
        if body.records.len() != sent {
            return Err(format!("Kinesis was sent {sent} records and answered for {}", body.records.len()));
        }
        Ok(body.records.into_iter().map(outcome).collect())
    }
}

fn outcome(entry: ResponseEntry<'_>) -> Outcome<'_> {
    if let (Some(Text(shard_id)), Some(Text(sequence_number))) = (entry.shard_id, entry.sequence_number) {
        return Outcome::Put { shard_id, sequence_number };
    }
    let code = entry.error_code.unwrap_or_else(|| "no reason given".into());
    let reason = format!("{code}: {}", entry.error_message.unwrap_or_default());
    if code == "ProvisionedThroughputExceededException" { Outcome::Throttled(reason) } else { Outcome::Failed(reason) }
}

/// Replaces the SDK's deserialization of the answer, and stores its body.
#[derive(Debug, Default, Clone)]
pub struct StoredResponse(Arc<Mutex<Response>>);

impl StoredResponse {
    pub fn take(&self) -> Response {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Intercept for StoredResponse {
    fn name(&self) -> &'static str {
        "StoredResponse"
    }

    /// Leaves errors to the SDK.
    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.response().status().is_success() {
            config.interceptor_state().store_put(SharedResponseDeserializer::new(self.clone()));
        }
        Ok(())
    }
}

impl DeserializeResponse for StoredResponse {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _: &ConfigBag,
    ) -> Result<Output, OrchestratorError<Error>> {
        let body = response.body().bytes().unwrap_or_default().to_vec();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Response(body);
        let nothing = PutRecordsOutput::builder().set_records(Some(Vec::new())).build();
        nothing.map(Output::erase).map_err(OrchestratorError::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_has_its_own_outcome() {
        let answer = Response(
            br#"{"FailedRecordCount":2,"Records":[{"SequenceNumber":"1","ShardId":"s","more":{}},
            {"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"why"},
            {"ErrorCode":"InternalFailure","ErrorMessage":"\u0077hy","ShardId":null}],"EncryptionType":"NONE"}"#
                .to_vec(),
        );
        let outcomes = answer.outcomes(3).unwrap();
        assert!(
            matches!(&outcomes[0], Outcome::Put { shard_id: Cow::Borrowed("s"), sequence_number } if sequence_number == "1")
        );
        assert!(matches!(&outcomes[1], Outcome::Throttled(_)));
        assert!(matches!(&outcomes[2], Outcome::Failed(reason) if reason == "InternalFailure: why"));
        assert!(!answer.accepts_all() && Response(br#"{"FailedRecordCount":0,"Records":[]}"#.to_vec()).accepts_all());
        assert!(answer.outcomes(2).is_err(), "an answer for other records is no acknowledgement");
    }

    #[test]
    fn an_invalid_answer_acknowledges_nothing() {
        for body in ["", "{}", r#"{"Records":[{"ShardId":"s","SequenceNumber":"1"}"#] {
            assert!(Response(body.into()).outcomes(1).is_err(), "{body}");
        }
    }
}
