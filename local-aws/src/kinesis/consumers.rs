//! Enhanced fan-out consumers: kept by the engine, but made and deleted here, because it takes half a second for each.

use ferrokinesis::types::{Consumer, ConsumerStatus, EpochSeconds};
use kinesis_event_logger_core::limits::STREAM_CONSUMERS;
use serde_json::{Value, json};

use super::target::stream_name;
use super::{Kinesis, now, text};
use crate::error::AwsError;

impl Kinesis {
    pub(super) async fn register_consumer(&self, input: &Value) -> Result<Value, AwsError> {
        let stream_arn = text(input, "StreamARN").unwrap_or_default();
        let name = text(input, "ConsumerName").unwrap_or_default();
        self.engine().stream(stream_name(stream_arn).unwrap_or_default()).await?;
        let _control = self.shared.control.lock().await;
        let consumers = self.engine().consumers(stream_arn).await;
        if consumers.iter().any(|consumer| consumer.consumer_name == name) {
            return Err(AwsError::bad_request(
                "ResourceInUseException",
                format!("Consumer {name} under stream {stream_arn} already exists."),
            ));
        }
        if consumers.len() >= STREAM_CONSUMERS {
            return Err(AwsError::bad_request(
                "LimitExceededException",
                "You have reached the maximum number of registered consumers for this stream.",
            ));
        }
        let tags = super::tags::checked(input, stream_arn)?;
        let seconds = now() / 1000;
        let consumer = Consumer {
            consumer_name: name.to_owned(),
            consumer_arn: format!("{stream_arn}/consumer/{name}:{seconds}"),
            consumer_status: ConsumerStatus::Creating,
            consumer_creation_timestamp: EpochSeconds(seconds as f64),
        };
        let answer = json!({ "Consumer": consumer });
        self.engine().set_tags(&consumer.consumer_arn, &tags).await?;
        let active = Consumer { consumer_status: ConsumerStatus::Active, ..consumer.clone() };
        self.transition(consumer, Some(active)).await?;
        Ok(answer)
    }

    pub(super) async fn deregister_consumer(&self, input: &Value) -> Result<Value, AwsError> {
        let consumer = self.find_consumer(input).await?;
        let deleting = Consumer { consumer_status: ConsumerStatus::Deleting, ..consumer };
        self.transition(deleting, None).await?;
        Ok(Value::Null)
    }

    /// Makes a consumer what it will be, on AWS after some seconds. What a kill interrupts is done at once.
    async fn transition(&self, first: Consumer, last: Option<Consumer>) -> Result<(), AwsError> {
        if !self.shared.is_realistic {
            return self.set_consumer(&first.consumer_arn, last).await;
        }
        let (kinesis, arn) = (self.clone(), first.consumer_arn.clone());
        self.set_consumer(&arn, Some(first)).await?;
        tokio::spawn(async move {
            tokio::time::sleep(kinesis.engine().transition).await;
            if let Err(error) = kinesis.set_consumer(&arn, last).await {
                tracing::warn!(arn, error.message, "a consumer stays as it is");
            }
        });
        Ok(())
    }

    pub(super) async fn set_consumer(&self, arn: &str, consumer: Option<Consumer>) -> Result<(), AwsError> {
        match consumer {
            Some(consumer) => self.engine().put_consumer(consumer).await?,
            None => {
                self.engine().delete_consumer(arn).await?;
                self.end_subscriptions(arn);
            }
        }
        self.persist_consumer(arn).await;
        Ok(())
    }

    pub(super) async fn describe_consumer(&self, input: &Value) -> Result<Value, AwsError> {
        let consumer = self.find_consumer(input).await?;
        let mut description = json!(consumer);
        description["StreamARN"] = stream_arn(&consumer).into();
        Ok(json!({ "ConsumerDescription": description }))
    }

    pub(super) async fn list_consumers(&self, input: &Value) -> Result<Value, AwsError> {
        let stream_arn = text(input, "StreamARN").unwrap_or_default();
        self.engine().stream(stream_name(stream_arn).unwrap_or_default()).await?;
        let after = match text(input, "NextToken") {
            None => String::new(),
            Some(token) => decode(token).ok_or_else(|| {
                AwsError::bad_request("ExpiredNextTokenException", "The specified NextToken is invalid.")
            })?,
        };
        let limit = input["MaxResults"].as_u64().unwrap_or(100) as usize;
        let mut consumers = self.engine().consumers(stream_arn).await;
        consumers.retain(|consumer| consumer.consumer_name > after);
        consumers.sort_by(|one, other| one.consumer_name.cmp(&other.consumer_name));
        let has_more = consumers.len() > limit;
        consumers.truncate(limit);
        let mut answer = json!({ "Consumers": consumers });
        if let Some(last) = consumers.last().filter(|_| has_more) {
            answer["NextToken"] = base64_simd::STANDARD.encode_to_string(&last.consumer_name).into();
        }
        Ok(answer)
    }

    /// The consumer that a request names, by its ARN or by its stream and its name.
    async fn find_consumer(&self, input: &Value) -> Result<Consumer, AwsError> {
        let (arn, stream_arn, name) =
            (text(input, "ConsumerARN"), text(input, "StreamARN"), text(input, "ConsumerName"));
        let (found, what) = match (arn, stream_arn, name) {
            (Some(arn), ..) => (self.engine().consumer(arn).await, arn.to_owned()),
            (None, Some(stream_arn), Some(name)) => {
                let mut consumers = self.engine().consumers(stream_arn).await.into_iter();
                (consumers.find(|consumer| consumer.consumer_name == name), format!("{name} under stream {stream_arn}"))
            }
            _ => return Err(super::invalid("Must specify either ConsumerARN, or both StreamARN and ConsumerName.")),
        };
        found.ok_or_else(|| no_consumer(&what))
    }
}

/// `what`: the consumer's ARN, or its name and its stream's.
pub(super) fn no_consumer(what: &str) -> AwsError {
    AwsError::bad_request("ResourceNotFoundException", format!("Consumer {what} not found."))
}

fn stream_arn(consumer: &Consumer) -> &str {
    consumer.consumer_arn.split_once("/consumer/").map_or("", |(stream, _)| stream)
}

fn decode(token: &str) -> Option<String> {
    String::from_utf8(base64_simd::STANDARD.decode_to_vec(token).ok()?).ok()
}
