//! Reads with enhanced fan-out: registers a consumer, subscribes to shards, and removes the consumer at the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_kinesis::error::ProvideErrorMetadata;
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{
    ConsumerStatus, ShardIteratorType, StartingPosition, SubscribeToShardEvent, SubscribeToShardEventStream,
};
use tokio::time::Instant;

use super::page::Page;
use super::position::Start;
use super::reader::{Event, ShardReader, next_position, now_ms};
use crate::aws::Aws;
use crate::connection::Connection;
use crate::error::{Error, Result, is_missing};
use crate::stream;
use crate::wait::{self, Poll};

/// How long a consumer may take to become active, or to be removed.
const REGISTRATION: Duration = Duration::from_secs(120);
const REMOVAL: Duration = Duration::from_secs(30);
/// A subscription sends an event every few seconds, with or without records.
const SILENCE: Duration = Duration::from_secs(30);
/// The pause before a shard is subscribed to again: Kinesis accepts one subscription in five seconds
/// (Kinesis API, SubscribeToShard).
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The time after which a run that does not follow stops waiting for a subscription.
const SUBSCRIPTION_DEADLINE: Duration = Duration::from_secs(60);

/// A consumer that is registered for one run.
pub struct Consumer {
    connection: Connection,
    stream: String,
    pub name: String,
    stream_arn: tokio::sync::OnceCell<String>,
    may_exist: AtomicBool,
}

impl Consumer {
    pub fn new(connection: &Connection, stream: &str, name: &str) -> Self {
        Self {
            connection: connection.clone(),
            stream: stream.to_owned(),
            name: name.to_owned(),
            stream_arn: tokio::sync::OnceCell::new(),
            may_exist: AtomicBool::new(false),
        }
    }

    /// Registers the consumer, waits until it is active, and returns its ARN.
    ///
    /// # Errors
    /// A consumer of this name exists: it belongs to another program.
    pub async fn register(&self) -> Result<String> {
        let aws = self.connection.aws();
        let summary = stream::existing(&aws, &self.stream).await?;
        let stream_arn = self.stream_arn.get_or_init(async || summary.stream_arn).await.clone();
        if self.status(&stream_arn).await?.is_some() {
            return Err(self.exists());
        }
        self.may_exist.store(true, Ordering::Relaxed);
        let request = aws.kinesis().register_stream_consumer().stream_arn(&stream_arn).consumer_name(&self.name);
        aws.change(format!("register the consumer {}", self.name), || request.clone().send()).await?;
        let what = format!("the consumer {} to be active", self.name);
        wait::until(&aws.retry, &what, REGISTRATION, async || {
            Ok(match self.status(&stream_arn).await? {
                Some((ConsumerStatus::Active, arn)) => Poll::Ready(arn),
                Some((status, _)) => Poll::Pending(status.as_str().to_owned()),
                None => Poll::Pending("not found".to_owned()),
            })
        })
        .await
    }

    fn exists(&self) -> Error {
        Error::failed(format!("the stream {} already has a consumer {}", self.stream, self.name))
            .hint("use another name: consume registers a consumer for itself and removes it at the end")
    }

    async fn status(&self, stream_arn: &str) -> Result<Option<(ConsumerStatus, String)>> {
        let described = stream::consumer(&self.connection.aws(), stream_arn, &self.name).await?;
        Ok(described.map(|consumer| (consumer.consumer_status, consumer.consumer_arn)))
    }

    /// Removes the consumer, if this run registered it.
    pub async fn remove(&self) -> Result<()> {
        let Some(stream_arn) = self.stream_arn.get().filter(|_| self.may_exist.load(Ordering::Relaxed)) else {
            return Ok(());
        };
        let aws = self.connection.aws();
        let request = aws.kinesis().deregister_stream_consumer().stream_arn(stream_arn).consumer_name(&self.name);
        let doing = format!("remove the consumer {}", self.name);
        let retry = aws.retry.with_retry_deadline(Some(REMOVAL));
        let removed = wait::until(&retry, "the removal of the consumer", REMOVAL, async || {
            match retry.call(&doing, || request.clone().send()).await {
                Ok(_) => Ok(Poll::Ready(())),
                Err(error) if is_missing(&error) => Ok(Poll::Ready(())),
                // It is still being registered.
                Err(error) if error.code() == Some("ResourceInUseException") => Ok(Poll::Pending("in use".to_owned())),
                Err(error) => Err(Error::aws(&doing, error)),
            }
        });
        removed.await.map_err(|error| error.hint(self.advice()))
    }

    /// The command that removes the consumer.
    pub fn advice(&self) -> String {
        let arn = self.stream_arn.get().map_or("ARN", String::as_str);
        format!(
            "a registered consumer costs money; remove it with: aws kinesis deregister-stream-consumer --stream-arn {arn} --consumer-name {}",
            self.name
        )
    }
}

/// Reads a shard through subscriptions, each of which lasts five minutes.
pub async fn read(reader: &ShardReader, aws: &Aws, consumer_arn: &str, position: &mut Start) -> Result<Option<Event>> {
    let mut pause = SHORTEST_PAUSE;
    let mut last_event = Instant::now();
    loop {
        let ended = subscription(reader, aws, consumer_arn, position, &mut last_event).await?;
        match ended {
            SubscriptionEnd::Shard(event) => return Ok(event),
            SubscriptionEnd::Renewable { had_events, cause } => {
                if !reader.shared.range.follows && last_event.elapsed() > SUBSCRIPTION_DEADLINE {
                    return Err(Error::failed(format!(
                        "could not subscribe to the shard {}: {cause}",
                        reader.shard.id
                    ))
                    .hint("read without --fan-out, or try again"));
                }
                pause = if had_events { SHORTEST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
                tokio::time::sleep(pause).await;
            }
        }
    }
}

enum SubscriptionEnd {
    /// The shard is read no further. `None` if nobody receives the reports.
    Shard(Option<Event>),
    /// Another subscription continues.
    Renewable { had_events: bool, cause: String },
}

async fn subscription(
    reader: &ShardReader,
    aws: &Aws,
    consumer_arn: &str,
    position: &mut Start,
    last_event: &mut Instant,
) -> Result<SubscriptionEnd> {
    let request = aws.kinesis().subscribe_to_shard().consumer_arn(consumer_arn).shard_id(&*reader.shard.id);
    let request = request.starting_position(starting_position(position)?);
    let doing = format!("subscribe to the shard {}", reader.shard.id);
    let mut events = match aws.retry.call(&doing, || request.clone().send()).await {
        Ok(answer) => {
            reader.shared.connection.answered();
            answer.event_stream
        }
        Err(error) if error.code() == Some("ResourceInUseException") => {
            return Ok(SubscriptionEnd::Renewable { had_events: false, cause: crate::error::cause(&error) });
        }
        Err(error) if is_missing(&error) && !error.message().is_some_and(|message| message.contains("onsumer")) => {
            return Ok(SubscriptionEnd::Shard(Some(Event::Missing)));
        }
        Err(error) => return Err(Error::aws(doing, error)),
    };
    let mut had_events = false;
    loop {
        let cause = match tokio::time::timeout(SILENCE, events.recv()).await {
            Ok(Ok(Some(SubscribeToShardEventStream::SubscribeToShardEvent(event)))) => {
                (had_events, *last_event) = (true, Instant::now());
                if let Some(end) = pushed(reader, event, position).await {
                    return Ok(SubscriptionEnd::Shard(end));
                }
                continue;
            }
            Ok(Ok(Some(_))) => continue,
            Ok(Ok(None)) => "the subscription ended".to_owned(),
            Ok(Err(error)) => crate::error::chain(&error),
            Err(_) => format!("there was no event for {} s", SILENCE.as_secs()),
        };
        return Ok(SubscriptionEnd::Renewable { had_events, cause });
    }
}

/// Reports the records of an event. Returns the report that ends the shard, if it is read no further.
async fn pushed(reader: &ShardReader, event: SubscribeToShardEvent, position: &mut Start) -> Option<Option<Event>> {
    let (sent, now_ms) = (Instant::now(), now_ms());
    let continuation = Some(event.continuation_sequence_number.clone()).filter(|number| !number.is_empty());
    let mut page = Page::of_event(event);
    let children = std::mem::take(&mut page.children);
    *position = match &continuation {
        Some(number) => Start::After(number.clone()),
        None => next_position(position, &page, now_ms),
    };
    let is_over = reader.is_over(&mut page, now_ms);
    let reserved = reader.shared.budget.reserve(page.bytes).await;
    if reader.report(Event::Page { page, reserved, sent }).await.is_none() {
        return Some(None);
    }
    if continuation.is_none() || !children.is_empty() {
        return Some(Some(Event::Ended(children)));
    }
    is_over.then_some(Some(Event::ReachedTip))
}

fn starting_position(start: &Start) -> Result<StartingPosition> {
    let position = StartingPosition::builder();
    let position = match start {
        Start::TrimHorizon => position.r#type(ShardIteratorType::TrimHorizon),
        Start::Latest => position.r#type(ShardIteratorType::Latest),
        Start::Time(ms) => position.r#type(ShardIteratorType::AtTimestamp).timestamp(DateTime::from_millis(*ms)),
        Start::At(number) => position.r#type(ShardIteratorType::AtSequenceNumber).sequence_number(number),
        Start::After(number) => position.r#type(ShardIteratorType::AfterSequenceNumber).sequence_number(number),
    };
    position.build().map_err(|error| Error::failed(error.to_string()))
}
