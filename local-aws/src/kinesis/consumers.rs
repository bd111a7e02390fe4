//! Enhanced fan-out consumers: RegisterStreamConsumer, DeregisterStreamConsumer, DescribeStreamConsumer, ListStreamConsumers.

use std::ops::Bound;
use std::sync::Arc;

use kinesis_event_logger_core::limits::STREAM_CONSUMERS;
use serde::Deserialize;
use serde_json::{Value, json};

use super::addressing::{StreamAddress, no_consumer};
use super::stream::{Consumer, ConsumerStatus, Stream};
use super::tags::{Tags, with_added};
use super::{Kinesis, invalid, now, page_token};
use crate::error::AwsError;

/// The most consumers of a page without a limit (Kinesis API, ListStreamConsumers).
const PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RegisterStreamConsumer {
    #[serde(flatten)]
    stream: StreamAddress,
    consumer_name: String,
    #[serde(default)]
    tags: Tags,
}

/// A consumer by its ARN, or by its stream and its name.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ConsumerAddress {
    #[serde(rename = "ConsumerARN")]
    consumer_arn: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    consumer_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListStreamConsumers {
    #[serde(flatten)]
    stream: StreamAddress,
    next_token: Option<String>,
    max_results: Option<usize>,
}

pub fn register_stream_consumer(kinesis: &Kinesis, request: RegisterStreamConsumer) -> Result<Value, AwsError> {
    let RegisterStreamConsumer { stream, consumer_name: name, tags } = request;
    let stream = kinesis.addressed(stream)?;
    let answer = stream.update(|state| {
        if state.consumers.contains_key(&name) {
            let message = format!("Consumer {name} under stream {} already exists.", stream.arn);
            return Err(AwsError::bad_request("ResourceInUseException", message));
        }
        if state.consumers.len() >= STREAM_CONSUMERS {
            let message = "You have reached the maximum number of registered consumers for this stream.";
            return Err(AwsError::bad_request("LimitExceededException", message));
        }
        let tags = with_added(&Tags::new(), tags, &stream.arn)?;
        let consumer = Consumer {
            name: name.clone(),
            created_seconds: now() / 1000,
            status: ConsumerStatus::Creating,
            tags,
            policy: None,
        };
        let answer = json!({ "Consumer": answer_of(&consumer, &stream) });
        state.consumers.insert(name.clone(), consumer);
        Ok(answer)
    })?;
    kinesis.schedule_consumer(&stream, name);
    Ok(answer)
}

pub fn deregister_stream_consumer(kinesis: &Kinesis, address: ConsumerAddress) -> Result<(), AwsError> {
    let (stream, consumer) = kinesis.find_consumer(address)?;
    stream.update(|state| {
        if let Some(consumer) = state.consumers.get_mut(&consumer.name) {
            consumer.status = ConsumerStatus::Deleting;
        }
        Ok(())
    })?;
    kinesis.schedule_consumer(&stream, consumer.name);
    Ok(())
}

pub fn describe_stream_consumer(kinesis: &Kinesis, address: ConsumerAddress) -> Result<Value, AwsError> {
    let (stream, consumer) = kinesis.find_consumer(address)?;
    let mut description = answer_of(&consumer, &stream);
    description["StreamARN"] = stream.arn.as_str().into();
    Ok(json!({ "ConsumerDescription": description }))
}

pub fn list_stream_consumers(kinesis: &Kinesis, request: ListStreamConsumers) -> Result<Value, AwsError> {
    let stream = kinesis.addressed(request.stream)?;
    let read = |token: &str| page_token::decode::<String>(&stream.arn, token);
    let after = request.next_token.as_deref().map(read).transpose()?;
    let limit = request.max_results.unwrap_or(PAGE);
    let state = stream.state();
    let after = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let mut page: Vec<_> = state.consumers.range::<str, _>((after, Bound::Unbounded)).take(limit + 1).collect();
    let has_more = page.len() > limit;
    page.truncate(limit);
    let consumers: Vec<_> = page.iter().map(|(_, consumer)| answer_of(consumer, &stream)).collect();
    let mut answer = json!({ "Consumers": consumers });
    if let Some((last, _)) = page.last().filter(|_| has_more) {
        answer["NextToken"] = page_token::encode(&stream.arn, last).into();
    }
    Ok(answer)
}

fn answer_of(consumer: &Consumer, stream: &Stream) -> Value {
    json!({
        "ConsumerName": consumer.name,
        "ConsumerARN": consumer.arn(&stream.arn),
        "ConsumerStatus": consumer.status,
        "ConsumerCreationTimestamp": consumer.created_seconds,
    })
}

impl Kinesis {
    fn find_consumer(&self, address: ConsumerAddress) -> Result<(Arc<Stream>, Consumer), AwsError> {
        let ConsumerAddress { consumer_arn, stream_arn, consumer_name } = address;
        let stream_name = stream_arn.as_deref().map(|arn| self.name_in(arn)).transpose()?;
        match (consumer_arn, stream_name, consumer_name) {
            (Some(arn), ..) => self.consumer(&arn).ok_or_else(|| no_consumer(&arn)),
            (None, Some(stream_name), Some(name)) => {
                let find = || {
                    let stream = self.find(stream_name)?;
                    let consumer = stream.state().consumers.get(&name).cloned()?;
                    Some((stream, consumer))
                };
                find().ok_or_else(|| no_consumer(&format!("{name} under stream {}", self.stream_arn(stream_name))))
            }
            _ => Err(invalid("Must specify either ConsumerARN, or both StreamARN and ConsumerName.")),
        }
    }

    /// Completes the registration or deregistration of a consumer after a delay, or now if there is none.
    fn schedule_consumer(&self, stream: &Arc<Stream>, name: String) {
        let transition = self.transition();
        if transition.is_zero() {
            return self.finish_consumer(stream, &name);
        }
        let (shared, stream) = (Arc::downgrade(&self.shared), Arc::downgrade(stream));
        tokio::spawn(async move {
            tokio::time::sleep(transition).await;
            if let (Some(shared), Some(stream)) = (shared.upgrade(), stream.upgrade()) {
                Self { shared }.finish_consumer(&stream, &name);
            }
        });
    }

    /// Completes the registration or deregistration of a consumer.
    pub(super) fn finish_consumer(&self, stream: &Stream, name: &str) {
        let finished = stream.update(|state| {
            match state.consumers.get_mut(name) {
                Some(consumer) if consumer.status == ConsumerStatus::Creating => {
                    consumer.status = ConsumerStatus::Active;
                }
                Some(consumer) if consumer.status == ConsumerStatus::Deleting => {
                    self.end_subscriptions(&consumer.arn(&stream.arn));
                    state.consumers.remove(name);
                }
                _ => {}
            }
            Ok(())
        });
        debug_assert!(finished.is_ok());
    }
}
