//! Sends GetRecords and GetShardIterator.
//!
//! The SDK would copy an answer twice, so that a page of 10 MiB would take 40 MiB. Here the body is read once, into memory that
//! was reserved for it: while too many pages wait to be shown, an answer waits in the connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_kinesis::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kinesis::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::get_records::{GetRecordsError, GetRecordsOutput};
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::ShardIteratorType;
use aws_smithy_runtime_api::client::interceptors::context::{Error as ErasedError, Output};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::ser_de::{DeserializeResponse, SharedResponseDeserializer};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::page::Page;
use super::position::Start;
use crate::aws::Aws;
use crate::error::{Error, Result, cause, is_missing};

/// How long a body may take once its head has arrived and there is memory for it.
const BODY_DEADLINE: Duration = Duration::from_secs(60);

/// Reserved at once, so that a semaphore of bytes fits into its counter.
const UNIT: usize = 4096;

/// The memory for pages that are being read or wait to be shown.
#[derive(Clone)]
pub struct Budget {
    free: Arc<Semaphore>,
    units: usize,
}

/// Memory that is reserved until this is dropped.
#[derive(Debug)]
pub struct Reserved(#[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit);

impl Budget {
    pub fn of_bytes(bytes: usize) -> Self {
        let units = bytes / UNIT;
        Self { free: Arc::new(Semaphore::new(units)), units }
    }

    /// Waits until there is memory. A larger page than the whole budget is admitted alone.
    pub async fn reserve(&self, bytes: usize) -> Reserved {
        let units = bytes.div_ceil(UNIT).clamp(1, self.units);
        let free = Arc::clone(&self.free);
        let permit = free.acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX)).await;
        Reserved(permit.expect("the semaphore is never closed"))
    }
}

/// The answer to one read.
pub enum Answer {
    Page(Page, Reserved),
    /// The shard's limits are exceeded. Contains the service's message.
    Throttled(String),
    /// The iterator is older than five minutes.
    Expired,
    /// The shard does not exist any more.
    Missing,
}

/// Reads once. Errors that may pass are retried, except throttling.
pub async fn get_records(
    aws: &Aws,
    client: &Client,
    shard: &str,
    iterator: &str,
    limit: usize,
    budget: &Budget,
) -> Result<Answer> {
    let doing = format!("read the shard {shard}");
    let limit = i32::try_from(limit).unwrap_or(i32::MAX);
    let read = || async {
        let body = TakenBody::default();
        let request = client.get_records().shard_iterator(iterator).limit(limit).customize().interceptor(body.clone());
        match request.send().await {
            Ok(_) => {
                let (body, reserved) = body.read(budget).await?;
                let page = Page::parse(body).map_err(unreadable)?;
                Ok(Answer::Page(page, reserved))
            }
            Err(error) => match error.code() {
                Some(code) if is_throttling(code) => Ok(Answer::Throttled(cause(&error))),
                Some("ExpiredIteratorException") => Ok(Answer::Expired),
                _ if is_missing(&error) => Ok(Answer::Missing),
                _ => Err(error),
            },
        }
    };
    aws.call(doing, read).await
}

/// Returns an iterator; `None` if the shard does not exist any more.
pub async fn iterator(aws: &Aws, client: &Client, stream: &str, shard: &str, start: &Start) -> Result<Option<String>> {
    let request = client.get_shard_iterator().stream_name(stream).shard_id(shard);
    let request = match start {
        Start::TrimHorizon => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
        Start::Latest => request.shard_iterator_type(ShardIteratorType::Latest),
        Start::Time(ms) => {
            request.shard_iterator_type(ShardIteratorType::AtTimestamp).timestamp(DateTime::from_millis(*ms))
        }
        Start::At(number) => {
            request.shard_iterator_type(ShardIteratorType::AtSequenceNumber).starting_sequence_number(number)
        }
        Start::After(number) => {
            request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).starting_sequence_number(number)
        }
    };
    let answer = aws.find(format!("begin to read the shard {shard}"), || request.clone().send()).await?;
    let Some(answer) = answer else { return Ok(None) };
    let iterator = answer.shard_iterator;
    iterator.map(Some).ok_or_else(|| Error::failed(format!("Kinesis returned no iterator for the shard {shard}")))
}

/// Whether an error code means that a shard, or an account, reads too fast (Kinesis API, GetRecords).
fn is_throttling(code: &str) -> bool {
    ["ProvisionedThroughputExceededException", "LimitExceededException"].contains(&code) || code.contains("Throttl")
}

/// An answer that broke off or is not one of Kinesis is requested again.
fn unreadable(reason: impl Into<BoxError>) -> SdkError<GetRecordsError> {
    let status = StatusCode::try_from(200).expect("200 is a status");
    SdkError::response_error(reason, HttpResponse::new(status, SdkBody::empty()))
}

/// Takes the body of a successful answer before the SDK reads it.
#[derive(Debug, Default, Clone)]
struct TakenBody(Arc<Mutex<Option<(SdkBody, usize)>>>);

impl TakenBody {
    async fn read(&self, budget: &Budget) -> Result<(Vec<u8>, Reserved), SdkError<GetRecordsError>> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (body, length) = taken.ok_or_else(|| unreadable("the answer has no body"))?;
        let reserved = budget.reserve(length).await;
        let mut bytes = Vec::with_capacity(length);
        let mut body = ByteStream::new(body);
        let read = async {
            while let Some(chunk) = body.next().await {
                bytes.extend_from_slice(&chunk.map_err(unreadable)?);
            }
            Ok(())
        };
        match tokio::time::timeout(BODY_DEADLINE, read).await {
            Ok(read) => read.map(|()| (bytes, reserved)),
            Err(_) => Err(unreadable(format!("the answer was not complete after {} s", BODY_DEADLINE.as_secs()))),
        }
    }
}

impl Intercept for TakenBody {
    fn name(&self) -> &'static str {
        "TakenBody"
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

impl DeserializeResponse for TakenBody {
    fn deserialize_streaming_with_config(
        &self,
        response: &mut HttpResponse,
        _: &ConfigBag,
    ) -> Option<Result<Output, OrchestratorError<ErasedError>>> {
        /// The length to expect of an answer that does not state it: the largest page in base64.
        const LARGEST: usize = 15 << 20;
        let length = response.headers().get("content-length").and_then(|length| length.parse().ok());
        let body = std::mem::replace(response.body_mut(), SdkBody::taken());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((body, length.unwrap_or(LARGEST)));
        let nothing = GetRecordsOutput::builder().set_records(Some(Vec::new())).build();
        Some(nothing.map(Output::erase).map_err(OrchestratorError::other))
    }

    fn deserialize_nonstreaming_with_config(
        &self,
        _: &HttpResponse,
        _: &ConfigBag,
    ) -> Result<Output, OrchestratorError<ErasedError>> {
        Err(OrchestratorError::other("the body was taken before"))
    }
}
